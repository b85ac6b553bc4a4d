/**
 * Link certificates that were verified once. A certificate says "`from` (upper) names the link to `to`
 * (lower)"; a path is a list of them, root first, and a node's table holds those of its own path and of
 * its neighbours' (mesh:S1).
 *
 * One slab of bytes per node instead of an object each: ten thousand nodes share a process, and a typed
 * array costs more than the certificate in it. Paths are arrays of slots; a slot in use is never moved.
 *
 * A certificate has no date: it lives for the seconds it states from when this node first verified it,
 * because clocks cannot be relied on (mesh:S21). So a liar may show a path that it once had to a node
 * that never saw its certificates, for one life (10 min) each time; serials and voids shorten that where
 * the link's end or renewal is known, and a table that forgot a certificate can be shown it again.
 */
import type { Hash } from '../crypto/ports.ts'
import { assert } from '../errors.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { Scratch } from '../wire/slab.ts'

/** On the wire: to 32, serial 4, cost 2, life 4, signature 64. */
export const CERTIFICATE_BYTES = 106
/** Longest life in seconds (mesh text (a): 10 min). */
export const LIFE_MAX = 600
/** Smallest link cost there is: 1 ms and the constant 5. Positive costs are what heights rest on. */
const COST_MIN = 6
/** Mesh text (a): verified certificates are cached by hash. */
const CERTIFICATES_MAX = 1_024
/** No slot: nothing known. */
export const NO_CERTIFICATE = -1
/**
 * A certificate with a newer one for the same pair is on its way out: honest paths change over within
 * seconds, so it gets time for slow or lost updates and no more. A path that was judged before keeps the end
 * that it was given then until its neighbour's next UPDATE, at most the certificate's own life. Guess.
 */
const SUPERSEDED_SECONDS = 120
/** Verified certificates kept beyond those in use, in case a path comes back. Guess. */
const LOOSE_MAX = 16
/** The slab is cut when this many records at its end are free. */
const TAIL_FREE = 8

// One record: what is signed (after the tree id), the signature, then what this node knows about it.
const FROM = 0
const TO = 32
const SERIAL = 64
const COST = 68
const LIFE = 70
const SIGNATURE = 74
const ID = 138
const EXPIRES = 142
/** 16 bits. 64 neighbours' paths name it, and one being put together may do so in each of its places. */
const USES = 146
const FLAGS = 148
/** One bit for each neighbour slot that has the certificate: low word, high word. */
const KNOWN = 149
const RECORD = 157

/** What is hashed or signed next. */
const scratch = new Scratch(256)

const FLAG = { present: 1, void: 2, superseded: 4 } as const

export class CertificateTable {
  #bytes = new Uint8Array(0)
  #capacity = 0
  #used = 0

  get size(): number {
    return this.#used
  }

  /** The slot that holds exactly these bytes, or NO_CERTIFICATE. */
  lookup(id: number, from: Uint8Array, wire: Uint8Array): number {
    for (let slot = this.find(id, from, 0); slot !== NO_CERTIFICATE; slot = this.find(id, from, slot + 1)) {
      if (sameBytes(this.#bytes, slot * RECORD + TO, wire, CERTIFICATE_BYTES)) return slot
    }
    return NO_CERTIFICATE
  }

  /** The first slot from `start` on with this id and issuer. */
  find(id: number, from: Uint8Array, start = 0): number {
    for (let slot = start; slot < this.#capacity; slot++) {
      const at = slot * RECORD
      if (this.#bytes[at + FLAGS] !== 0 && readU32(this.#bytes, at + ID) === id) {
        if (sameBytes(this.#bytes, at + FROM, from, 32)) return slot
      }
    }
    return NO_CERTIFICATE
  }

  /** Takes in a verified certificate; NO_CERTIFICATE if the table is full of those in use. */
  insert(now: Micros, id: number, from: Uint8Array, wire: Uint8Array): number {
    const slot = this.#allocate()
    if (slot === NO_CERTIFICATE) return NO_CERTIFICATE
    const at = slot * RECORD
    const bytes = this.#bytes
    bytes.fill(0, at, at + RECORD)
    bytes.set(from, at + FROM)
    bytes.set(wire, at + TO)
    writeU32(bytes, at + ID, id)
    writeU32(bytes, at + EXPIRES, Math.ceil(now / SECOND) + readU32(bytes, at + LIFE))
    bytes[at + FLAGS] = FLAG.present
    this.#used += 1
    this.#supersede(now, slot)
    return slot
  }

  /** One more path names the slot. */
  hold(slot: number): void {
    this.#addUses(slot, 1)
  }

  release(slot: number): void {
    this.#addUses(slot, -1)
  }

  id(slot: number): number {
    return readU32(this.#bytes, slot * RECORD + ID)
  }

  serial(slot: number): number {
    return readU32(this.#bytes, slot * RECORD + SERIAL)
  }

  cost(slot: number): number {
    const at = slot * RECORD + COST
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
  }

  expires(slot: number): Micros {
    return slot === NO_CERTIFICATE ? NEVER : readU32(this.#bytes, slot * RECORD + EXPIRES) * SECOND
  }

  isVoid(slot: number): boolean {
    return ((this.#bytes[slot * RECORD + FLAGS] as number) & FLAG.void) !== 0
  }

  /** Who the certificate is for, 32 bytes: a view that is good until the next insertion. */
  to(slot: number): Uint8Array {
    return this.#bytes.subarray(slot * RECORD + TO, slot * RECORD + SERIAL)
  }

  from(slot: number): Uint8Array {
    return this.#bytes.subarray(slot * RECORD + FROM, slot * RECORD + TO)
  }

  /** The 106 bytes as they travel: a view that is good until the next insertion. */
  wire(slot: number): Uint8Array {
    return this.#bytes.subarray(slot * RECORD + TO, slot * RECORD + ID)
  }

  /** Whether the neighbour in that neighbour slot was sent, or sent us, this certificate. */
  isKnown(slot: number, neighbour: number): boolean {
    return (readU32(this.#bytes, knownAt(slot, neighbour)) & (1 << (neighbour & 31))) !== 0
  }

  setKnown(slot: number, neighbour: number, known: boolean): void {
    const at = knownAt(slot, neighbour)
    const bit = 1 << (neighbour & 31)
    const word = readU32(this.#bytes, at)
    writeU32(this.#bytes, at, known ? word | bit : word & ~bit)
  }

  /** The neighbour slot was given up: its next owner knows nothing. */
  forgetNeighbour(neighbour: number): void {
    for (let slot = 0; slot < this.#capacity; slot++) this.setKnown(slot, neighbour, false)
  }

  /** Marks every certificate of the pair up to the serial as void; true if one of them is in use. */
  applyVoid(from: Uint8Array, to: Uint8Array, serial: number): boolean {
    let inUse = false
    for (let slot = 0; slot < this.#capacity; slot++) {
      const at = slot * RECORD
      if (this.#bytes[at + FLAGS] === 0 || serialAfter(readU32(this.#bytes, at + SERIAL), serial)) continue
      if (!sameBytes(this.#bytes, at + TO, to, 32) || !sameBytes(this.#bytes, at + FROM, from, 32)) continue
      this.#bytes[at + FLAGS] = (this.#bytes[at + FLAGS] as number) | FLAG.void
      if (this.#uses(slot) !== 0) inUse = true
    }
    return inUse
  }

  markVoid(slot: number): void {
    const at = slot * RECORD + FLAGS
    this.#bytes[at] = (this.#bytes[at] as number) | FLAG.void
  }

  /** At a quiet moment: forgets what no path can name any more, and gives back the free end of the slab. */
  trim(now: Micros): void {
    let end = 0
    for (let slot = 0; slot < this.#capacity; slot++) {
      const at = slot * RECORD
      if (this.#bytes[at + FLAGS] === 0) continue
      if (this.#uses(slot) === 0 && (this.#worth(slot) === 0 || this.expires(slot) <= now)) {
        this.#bytes[at + FLAGS] = 0
        this.#used -= 1
      } else {
        end = slot + 1
      }
    }
    if (this.#capacity - end < TAIL_FREE) return
    this.#bytes = this.#bytes.slice(0, end * RECORD)
    this.#capacity = end
  }

  #uses(slot: number): number {
    const at = slot * RECORD + USES
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
  }

  #addUses(slot: number, more: number): void {
    const uses = this.#uses(slot) + more
    assert(
      uses >= 0 && uses <= 0xffff,
      'a certificate is held more often than can be, or was let go too often',
    )
    const at = slot * RECORD + USES
    this.#bytes[at] = uses >>> 8
    this.#bytes[at + 1] = uses
  }

  /** Of two serials for one pair the older has little time left, whichever came first. */
  #supersede(now: Micros, fresh: number): void {
    const here = fresh * RECORD
    const bytes = this.#bytes
    for (let slot = 0; slot < this.#capacity; slot++) {
      const at = slot * RECORD
      if (slot === fresh || bytes[at + FLAGS] === 0) continue
      if (!sameRange(bytes, at + TO, here + TO) || !sameRange(bytes, at + FROM, here + FROM)) continue
      const older = serialAfter(readU32(bytes, at + SERIAL), readU32(bytes, here + SERIAL)) ? here : at
      bytes[older + FLAGS] = (bytes[older + FLAGS] as number) | FLAG.superseded
      const limit = Math.ceil(now / SECOND) + SUPERSEDED_SECONDS
      if (readU32(bytes, older + EXPIRES) > limit) writeU32(bytes, older + EXPIRES, limit)
    }
  }

  /** A free slot: never used, or the loose one that is worth least, or a new one. */
  #allocate(): number {
    let loose = 0
    let worst = NO_CERTIFICATE
    for (let slot = 0; slot < this.#capacity; slot++) {
      const at = slot * RECORD
      const flags = this.#bytes[at + FLAGS] as number
      if (flags === 0) return slot
      if (this.#uses(slot) !== 0) continue
      loose += 1
      if (worst === NO_CERTIFICATE || this.#worth(slot) < this.#worth(worst)) worst = slot
    }
    const useless = worst !== NO_CERTIFICATE && this.#worth(worst) === 0
    if (useless || loose > LOOSE_MAX || this.#capacity >= CERTIFICATES_MAX) {
      if (worst === NO_CERTIFICATE) return NO_CERTIFICATE
      this.#used -= 1
      return worst
    }
    const slot = this.#capacity
    this.#grow()
    return slot
  }

  /** When it expires, in seconds; nothing if no path will ever name it again. */
  #worth(slot: number): number {
    const at = slot * RECORD
    const gone = ((this.#bytes[at + FLAGS] as number) & (FLAG.void | FLAG.superseded)) !== 0
    return gone ? 0 : readU32(this.#bytes, at + EXPIRES)
  }

  #grow(): void {
    const capacity = Math.min(CERTIFICATES_MAX, this.#capacity + Math.max(8, this.#capacity >> 2))
    const bytes = new Uint8Array(capacity * RECORD)
    bytes.set(this.#bytes)
    this.#bytes = bytes
    this.#capacity = capacity
  }
}

/** First four bytes of the hash of issuer and certificate: its name in the lists of UPDATE. */
export function certificateId(hash: Hash, from: Uint8Array, wire: Uint8Array): number {
  const whole = scratch.take(from.length + wire.length)
  whole.set(from, 0)
  whole.set(wire, from.length)
  return readU32(hash.hash16(whole), 0)
}

/** What the signature of a certificate covers, tree ‖ from ‖ to … life: good until the next call. */
export function certificateBody(tree: number, from: Uint8Array, wire: Uint8Array): Uint8Array {
  const body = scratch.take(1 + SIGNATURE)
  body[0] = tree
  body.set(from, 1)
  body.set(wire.subarray(0, SIGNATURE - TO), 1 + TO)
  return body
}

/** The 42 bytes that come before the signature on the wire. */
export function certificateHead(to: Uint8Array, serial: number, cost: number, life: number): Uint8Array {
  const head = new Uint8Array(SIGNATURE - TO)
  head.set(to, 0)
  writeU32(head, SERIAL - TO, serial)
  head[COST - TO] = cost >>> 8
  head[COST - TO + 1] = cost
  writeU32(head, LIFE - TO, life)
  return head
}

/** The 64 bytes of signature of a certificate as it travels. */
export function certificateSignature(wire: Uint8Array): Uint8Array {
  return wire.subarray(SIGNATURE - TO)
}

export function certificateSerial(wire: Uint8Array): number {
  return readU32(wire, SERIAL - TO)
}

/** Whether cost and life are within the format's limits. */
export function isCertificateForm(wire: Uint8Array): boolean {
  const cost = ((wire[COST - TO] as number) << 8) | (wire[COST - TO + 1] as number)
  const life = readU32(wire, LIFE - TO)
  return cost >= COST_MIN && life >= 1 && life <= LIFE_MAX
}

/** Serials only ever grow and may wrap: `a` was issued after `b` (RFC 1982 arithmetic). */
export function serialAfter(a: number, b: number): boolean {
  return ((a - b) | 0) > 0
}

function knownAt(slot: number, neighbour: number): number {
  return slot * RECORD + KNOWN + (neighbour >= 32 ? 4 : 0)
}

export function sameBytes(slab: Uint8Array, offset: number, other: Uint8Array, length: number): boolean {
  for (let index = 0; index < length; index++) if (slab[offset + index] !== other[index]) return false
  return true
}

/** Two keys within one slab. */
function sameRange(slab: Uint8Array, left: number, right: number): boolean {
  for (let index = 0; index < 32; index++) if (slab[left + index] !== slab[right + index]) return false
  return true
}
