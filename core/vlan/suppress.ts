/**
 * Duplicate suppression at relays (B6): a packet that was fanned out once is not fanned out again for
 * two seconds, whichever way it comes back. The identity is a keyed hash over what no honest sender
 * repeats: masked nonce, tag, token and length. Keyed with secret words of the node, so that nobody can
 * make another's packet collide (mesh:M8). Unicast never comes here.
 *
 * Known limit: who sees a packet early may send another ciphertext with the same nonce, tag and length
 * ahead of it; hashing up to 64 KiB at each relay to prevent that costs more than it saves.
 */

import { TAG_BYTES } from '../crypto/ports.ts'
import { MILLISECOND, type Micros } from '../io.ts'
import { readU32 } from '../wire/cursor.ts'
import { NONCE_OFFSET, TOKEN_OFFSET } from '../wire/packet.ts'

/** B6. */
const MEMORY_MILLIS = 2_000
const ENTRIES_MAX = 4_096
const ENTRIES_MIN = 64
/** An identity may stand in any place of one bucket. */
const BUCKET = 4
/** Words of an entry: the two halves of the hash and the time in milliseconds. */
const STRIDE = 3
const NOTHING = new Uint32Array(0)

export type Seen = 'new' | 'repeat' | 'crowded'

export class Suppression {
  readonly #secret: Uint32Array
  #entries = NOTHING

  /** `secret`: at least two words that nobody else knows. */
  constructor(secret: Uint32Array) {
    this.#secret = secret
  }

  /** Entries there is room for. */
  get capacity(): number {
    return this.#entries.length / STRIDE
  }

  // HOT PATH
  /**
   * Whether the packet was seen in the last two seconds; if not, it is from now on. `crowded`: new, but
   * a live entry had to make room for it in a table that is as large as it may be.
   */
  check(now: Micros, packet: Uint8Array): Seen {
    let a = this.#secret[0] as number
    let b = (this.#secret[1] as number) ^ packet.length
    const tagOffset = packet.length - TAG_BYTES
    for (let word = 0; word < 16; word += 4) {
      a = (Math.imul(rotate(a ^ readU32(packet, tagOffset + word)), 0x9e3779b1) + b) | 0
      b = Math.imul(rotate(b ^ readU32(packet, TOKEN_OFFSET + word)), 0x85ebca77) ^ a
    }
    for (let word = 0; word < 12; word += 4) {
      a = (Math.imul(rotate(a ^ readU32(packet, NONCE_OFFSET + word)), 0xc2b2ae3d) + b) | 0
      b = (Math.imul(b ^ (a >>> 15), 0x27d4eb2f) + (this.#secret[0] as number)) | 0
    }
    a = Math.imul(a ^ (b >>> 13), 0x9e3779b1) ^ b
    return this.#place(a >>> 0, (b ^ (a >>> 16)) >>> 0, Math.floor(now / MILLISECOND) >>> 0)
  }

  /** A bucket is in order of arrival, so the last of it is the oldest. */
  #place(a: number, b: number, millis: number): Seen {
    if (this.#entries.length === 0) this.#resize(ENTRIES_MIN, millis)
    for (;;) {
      const entries = this.#entries
      const start = (a & (entries.length / STRIDE / BUCKET - 1)) * BUCKET * STRIDE
      const last = start + (BUCKET - 1) * STRIDE
      for (let at = start; at <= last; at += STRIDE) {
        if (entries[at] !== a || entries[at + 1] !== b) continue
        if ((millis - (entries[at + 2] as number)) >>> 0 < MEMORY_MILLIS) return 'repeat'
      }
      const full = (millis - (entries[last + 2] as number)) >>> 0 < MEMORY_MILLIS
      if (full && this.capacity < ENTRIES_MAX) {
        this.#resize(this.capacity * 2, millis)
        continue
      }
      for (let at = last + STRIDE - 1; at >= start + STRIDE; at--)
        entries[at] = entries[at - STRIDE] as number
      entries[start] = a
      entries[start + 1] = b
      entries[start + 2] = millis
      return full ? 'crowded' : 'new'
    }
  }

  /** Keeps what is younger than two seconds; all other places look as old as can be. */
  #resize(count: number, millis: number): void {
    const old = this.#entries
    const entries = new Uint32Array(count * STRIDE)
    for (let at = 2; at < entries.length; at += STRIDE) entries[at] = (millis - MEMORY_MILLIS) >>> 0
    const buckets = count / BUCKET
    for (let at = 0; at < old.length; at += STRIDE) {
      if ((millis - (old[at + 2] as number)) >>> 0 >= MEMORY_MILLIS) continue
      // Twice the buckets: each old one spreads over two, so there is room for all of it.
      let to = ((old[at] as number) & (buckets - 1)) * BUCKET * STRIDE
      while ((millis - (entries[to + 2] as number)) >>> 0 < MEMORY_MILLIS) to += STRIDE
      entries.set(old.subarray(at, at + STRIDE), to)
    }
    this.#entries = entries
  }
}

// HOT PATH
function rotate(value: number): number {
  return (value << 13) | (value >>> 19)
}
