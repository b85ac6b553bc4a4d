/**
 * Links that are known to be gone (R9). Empty on a quiet mesh, so nothing is allocated before the first
 * void. Holds raw records like the table of certificates, for the same reason.
 */
import { MINUTE, type Micros, SECOND } from '../io.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { sameBytes, serialAfter } from './certificates.ts'
import type { VoidPart } from './messages.ts'

/** Mesh text (a): 256 voids, 10 min. */
const VOIDS_MAX = 256
/**
 * Of these, such as occur in no path known here. Anyone may sign voids of links between keys of its own, so
 * they have a small share: enough for a void that came before its path. Guess.
 */
const STRAY_MAX = 32
const VOID_LIFE: Micros = 10 * MINUTE
/** An UPDATE names voids of this age at most: later every honest path has moved on. Guess. */
const VOID_FRESH: Micros = 60 * SECOND

const FROM = 0
const TO = 32
const SERIAL = 64
const SIGNATURE = 68
const EXPIRES = 132
const KNOWN = 136
/** 1: it occurs in a path known here. */
const OCCURS = 144
const RECORD = 145

export class VoidTable {
  #bytes = new Uint8Array(0)
  #size = 0
  #next = 0

  get size(): number {
    return this.#size
  }

  /** The record that covers this serial of the pair, or -1. */
  find(now: Micros, from: Uint8Array, to: Uint8Array, serial: number): number {
    for (let index = 0; index < this.#size; index++) {
      const at = index * RECORD
      if (serialAfter(serial, readU32(this.#bytes, at + SERIAL))) continue
      if (readU32(this.#bytes, at + EXPIRES) * SECOND <= now) continue
      if (sameBytes(this.#bytes, at + TO, to, 32) && sameBytes(this.#bytes, at + FROM, from, 32)) return index
    }
    return -1
  }

  /** Keeps a verified void; answers its index and whether a living one had to make room. */
  add(now: Micros, part: VoidPart, occurs: boolean): { readonly index: number; readonly evicted: boolean } {
    const index = this.#place(now, part, occurs)
    const at = index * RECORD
    const evicted = index < this.#size && !this.#isGone(now, index) && !this.#isPair(at, part)
    this.#bytes.fill(0, at, at + RECORD)
    this.#bytes.set(part.from, at + FROM)
    this.#bytes.set(part.to, at + TO)
    writeU32(this.#bytes, at + SERIAL, part.serial)
    this.#bytes.set(part.signature, at + SIGNATURE)
    writeU32(this.#bytes, at + EXPIRES, Math.ceil((now + VOID_LIFE) / SECOND))
    this.#bytes[at + OCCURS] = occurs ? 1 : 0
    if (index === this.#size) this.#size += 1
    return { index, evicted }
  }

  markOccurring(index: number): void {
    this.#bytes[index * RECORD + OCCURS] = 1
  }

  /** Up to `limit` fresh voids that occur and that the neighbour neither sent nor was sent, newest first. */
  unknownTo(now: Micros, neighbour: number, limit: number): number[] {
    const found: number[] = []
    for (let back = 1; back <= this.#size && found.length < limit; back++) {
      const index = (this.#next - back + this.#size) % this.#size
      const age = now + VOID_LIFE - readU32(this.#bytes, index * RECORD + EXPIRES) * SECOND
      if (age <= VOID_FRESH && this.#occurs(index) && !this.isKnown(index, neighbour)) found.push(index)
    }
    return found
  }

  /** Views that are good until the next void is added. */
  part(index: number): VoidPart {
    const at = index * RECORD
    return {
      from: this.#bytes.subarray(at + FROM, at + TO),
      to: this.#bytes.subarray(at + TO, at + SERIAL),
      serial: readU32(this.#bytes, at + SERIAL),
      signature: this.#bytes.subarray(at + SIGNATURE, at + EXPIRES),
    }
  }

  isKnown(index: number, neighbour: number): boolean {
    return (readU32(this.#bytes, knownAt(index, neighbour)) & (1 << (neighbour & 31))) !== 0
  }

  setKnown(index: number, neighbour: number, known: boolean): void {
    const at = knownAt(index, neighbour)
    const bit = 1 << (neighbour & 31)
    const word = readU32(this.#bytes, at)
    writeU32(this.#bytes, at, known ? word | bit : word & ~bit)
  }

  forgetNeighbour(neighbour: number): void {
    for (let index = 0; index < this.#size; index++) this.setKnown(index, neighbour, false)
  }

  /** The pair's own record if there is one, else the next in turn: the oldest once the table is full. */
  #place(now: Micros, part: VoidPart, occurs: boolean): number {
    for (let index = 0; index < this.#size; index++) if (this.#isPair(index * RECORD, part)) return index
    const stray = occurs ? -1 : this.#oldestStray()
    if (stray >= 0) return stray
    if (this.#size > 0 && this.#isGone(now, this.#next % this.#size)) {
      const index = this.#next % this.#size
      this.#next = (index + 1) % this.#size
      return index
    }
    if (this.#size < VOIDS_MAX) {
      if ((this.#size + 1) * RECORD > this.#bytes.length) this.#grow()
      this.#next = this.#size + 1
      return this.#size
    }
    const index = this.#next % VOIDS_MAX
    this.#next = (index + 1) % VOIDS_MAX
    return index
  }

  /** Which stray void makes room for another; -1 while there may be more of them. */
  #oldestStray(): number {
    let count = 0
    let oldest = -1
    for (let index = 0; index < this.#size; index++) {
      if (this.#occurs(index)) continue
      count += 1
      if (oldest < 0 || this.#expires(index) < this.#expires(oldest)) oldest = index
    }
    return count < STRAY_MAX ? -1 : oldest
  }

  #occurs(index: number): boolean {
    return this.#bytes[index * RECORD + OCCURS] === 1
  }

  #expires(index: number): number {
    return readU32(this.#bytes, index * RECORD + EXPIRES)
  }

  #isGone(now: Micros, index: number): boolean {
    return readU32(this.#bytes, index * RECORD + EXPIRES) * SECOND <= now
  }

  #isPair(at: number, part: VoidPart): boolean {
    return sameBytes(this.#bytes, at + TO, part.to, 32) && sameBytes(this.#bytes, at + FROM, part.from, 32)
  }

  #grow(): void {
    const records = Math.min(VOIDS_MAX, Math.max(4, this.#size * 2))
    const bytes = new Uint8Array(records * RECORD)
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}

function knownAt(index: number, neighbour: number): number {
  return index * RECORD + KNOWN + (neighbour >= 32 ? 4 : 0)
}
