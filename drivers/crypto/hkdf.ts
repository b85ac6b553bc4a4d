/**
 * HKDF (RFC 5869) over whatever computes HMAC-SHA256. Knows the two steps of the RFC and no hash.
 */
import { type Kdf, PSEUDORANDOM_KEY_BYTES } from '../../core/crypto/ports.ts'
import { checkExpand } from '../../core/crypto/rules.ts'

const BLOCK_BYTES = PSEUDORANDOM_KEY_BYTES

/** `hmac` gives 32 fresh bytes. */
export function hkdfOver(hmac: (key: Uint8Array, message: Uint8Array) => Uint8Array): Kdf {
  return {
    extract: hmac,

    /** T(n) = HMAC(key, T(n−1) ‖ info ‖ n) with T(0) empty (section 2.3). */
    expand(pseudorandomKey, info, length) {
      checkExpand(pseudorandomKey, length)
      const out = new Uint8Array(length)
      const message = new Uint8Array(BLOCK_BYTES + info.length + 1)
      message.set(info, BLOCK_BYTES)
      for (let from = 0, count = 1; from < length; from += BLOCK_BYTES, count++) {
        message[message.length - 1] = count
        const block = hmac(pseudorandomKey, count === 1 ? message.subarray(BLOCK_BYTES) : message)
        message.set(block, 0)
        out.set(block.subarray(0, length - from), from)
        block.fill(0)
      }
      message.fill(0)
      return out
    },
  }
}
