/**
 * The real cryptography: BLAKE3, Ed25519, AES-256-GCM, X25519 and HKDF in plain JavaScript, the same bytes
 * in Node and in the browser. A host with a faster provider may put it behind the same ports, if it gives
 * the same verdicts: test/contract/crypto.ts and the vectors decide that.
 *
 * Signatures are checked by the one predicate of all providers (core/crypto/rules.ts). The library's own
 * `verify` is not it: it is cofactored, so it accepts signatures that OpenSSL refuses, and a member could
 * split a group with one.
 */
import { ecb, gcm } from '@noble/ciphers/aes.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { blake3 } from '@noble/hashes/blake3.js'
import { expand, extract } from '@noble/hashes/hkdf.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { sameBytes } from '../ids.ts'
import {
  type Aead,
  type Crypto,
  type Hash,
  type Kdf,
  type KeyAgreement,
  NONCE_BYTES,
  type Signatures,
} from './ports.ts'
import {
  checkExpand,
  checkMask,
  checkSeal,
  checkSecret,
  checkSeed,
  isAdmissible,
  isAgreeable,
  mayOpen,
} from './rules.ts'

const { Point } = ed25519
type CurvePoint = InstanceType<typeof Point>

const SHORT_HASH = { dkLen: 16 } as const
const ONE_BLOCK = { disablePadding: true } as const

const hash: Hash = {
  hash16: (input) => blake3(input, SHORT_HASH),
  hash32: (input) => blake3(input),
  keyed32: (key, input) => blake3(input, { key }),
}

const signatures: Signatures = {
  publicKey(seed) {
    checkSeed(seed)
    return ed25519.getPublicKey(seed)
  },

  sign(seed, message) {
    checkSeed(seed)
    return ed25519.sign(message, seed)
  },

  verify: verifyStrictly,
}

/** The rules, then the cofactorless equation: R needs no decoding, what equals an encoding is canonical. */
function verifyStrictly(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isAdmissible(publicKey, signature)) return false
  const key = decodePoint(publicKey)
  if (key === undefined) return false
  const commitment = signature.subarray(0, 32)
  const digest = sha512.create().update(commitment).update(publicKey).update(message).digest()
  const challenge = littleEndian(digest) % Point.Fn.ORDER
  // Public values only, so the faster multiplications that leak their scalars are in order.
  const scalar = littleEndian(signature.subarray(32))
  const point = Point.BASE.multiplyUnsafe(scalar).add(key.negate().multiplyUnsafe(challenge))
  return sameBytes(point.toBytes(), commitment)
}

/** Undefined unless the bytes are the canonical encoding of a point (y < p, no negative zero). */
function decodePoint(bytes: Uint8Array): CurvePoint | undefined {
  try {
    return Point.fromBytes(bytes, false)
  } catch {
    return undefined
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index--)
    value = (value << 8n) | BigInt(bytes[index] as number)
  return value
}

const aead: Aead = {
  seal(key, nonce, header, plain, out) {
    checkSeal(key, nonce, plain, out)
    out.set(gcm(key, nonce, header).encrypt(plain))
  },

  open(key, nonce, header, sealed, out) {
    if (!mayOpen(key, nonce, sealed, out)) return false
    try {
      out.set(gcm(key, nonce, header).decrypt(sealed))
      return true
    } catch {
      // Sizes were checked above: the only thing left to throw is a tag that does not fit.
      out.fill(0)
      return false
    }
  },

  mask(key, block, out) {
    checkMask(key, block, out)
    const masked = ecb(key, ONE_BLOCK).encrypt(block)
    for (let index = 0; index < NONCE_BYTES; index++) out[index] = masked[index] as number
  },
}

const agreement: KeyAgreement = {
  publicKey(secret) {
    checkSecret(secret)
    return x25519.getPublicKey(secret)
  },

  shared(secret, publicKey) {
    checkSecret(secret)
    return isAgreeable(publicKey) ? x25519.getSharedSecret(secret, publicKey) : undefined
  },
}

const kdf: Kdf = {
  extract: (salt, keyMaterial) => extract(sha256, keyMaterial, salt),

  expand(pseudorandomKey, info, length) {
    checkExpand(pseudorandomKey, length)
    return expand(sha256, pseudorandomKey, info, length)
  },
}

export const noble: Crypto = { hash, signatures, aead, agreement, kdf }
