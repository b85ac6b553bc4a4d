/**
 * The passive view: peers that may be dialled, packed into one array of bytes, since a process may hold
 * a hundred thousand such tables. Knows descriptors and when each may be tried again, not why.
 *
 * An entry's number is good until the table next changes; the order follows from the calls alone.
 */
import { below, type Dice } from '../dice.ts'
import type { Micros, Reachability } from '../io.ts'
import { ADDRESS_BYTES_MAX, type Descriptor } from './messages.ts'

/** Offsets within one row. */
const AT = { key: 0, reach: 32, failures: 33, addressLength: 34, coordinates: 36, address: 44 } as const
const ROW_BYTES = AT.address + ADDRESS_BYTES_MAX
const ROWS_FIRST = 4

export class PeerTable {
  readonly #limit: number
  #rows = new Uint8Array(0)
  readonly #retryAt: Micros[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#retryAt.length
  }

  get full(): boolean {
    return this.#retryAt.length >= this.#limit
  }

  /** The entry of a public key, −1 if there is none. */
  find(key: Uint8Array): number {
    for (let index = 0; index < this.size; index++) if (this.#hasKey(index, key)) return index
    return -1
  }

  /**
   * Adds a peer, in place of one that failed or else of any one if the table is full. Of a peer that is
   * known only the coordinates are taken, and the address if the known one failed: descriptors are
   * hearsay, and what works is not given up for it. Answers the entry.
   */
  put(peer: Descriptor, dice: Dice): number {
    const known = this.find(peer.key)
    if (known >= 0) {
      this.#rows.set(peer.coordinates, known * ROW_BYTES + AT.coordinates)
      if (this.failures(known) > 0) this.#setAddress(known, peer)
      return known
    }
    if (this.full) this.remove(this.#victim(dice))
    const index = this.size
    this.#grow(index + 1)
    const row = index * ROW_BYTES
    this.#rows.set(peer.key, row + AT.key)
    this.#rows.set(peer.coordinates, row + AT.coordinates)
    this.#rows[row + AT.failures] = 0
    this.#setAddress(index, peer)
    this.#retryAt.push(0)
    return index
  }

  /** The last entry takes the place of the removed one. */
  remove(index: number): void {
    const last = this.size - 1
    this.#rows.copyWithin(index * ROW_BYTES, last * ROW_BYTES, (last + 1) * ROW_BYTES)
    this.#retryAt[index] = this.#retryAt[last] as Micros
    this.#retryAt.pop()
  }

  /** Views into the table: to be copied if kept beyond its next change. Only relays are in it. */
  descriptor(index: number): Descriptor {
    return {
      key: this.key(index),
      reach: this.reach(index),
      relay: true,
      coordinates: this.coordinates(index),
      address: this.address(index),
    }
  }

  key(index: number): Uint8Array {
    return this.#view(index, AT.key, 32)
  }

  coordinates(index: number): Uint8Array {
    return this.#view(index, AT.coordinates, 8)
  }

  address(index: number): Uint8Array {
    return this.#view(index, AT.address, this.#rows[index * ROW_BYTES + AT.addressLength] as number)
  }

  reach(index: number): Reachability {
    return this.#rows[index * ROW_BYTES + AT.reach] as Reachability
  }

  /** Failed dials since the last that worked. */
  failures(index: number): number {
    return this.#rows[index * ROW_BYTES + AT.failures] as number
  }

  /** The peer is not to be dialled before. */
  retryAt(index: number): Micros {
    return this.#retryAt[index] as Micros
  }

  delay(index: number, retryAt: Micros, failures: number): void {
    this.#retryAt[index] = retryAt
    this.#rows[index * ROW_BYTES + AT.failures] = Math.min(failures, 0xff)
  }

  #victim(dice: Dice): number {
    for (let index = 0; index < this.size; index++) if (this.failures(index) > 0) return index
    return below(dice, this.size)
  }

  #setAddress(index: number, peer: Descriptor): void {
    const row = index * ROW_BYTES
    this.#rows[row + AT.reach] = peer.reach
    this.#rows[row + AT.addressLength] = peer.address.length
    this.#rows.set(peer.address, row + AT.address)
  }

  #hasKey(index: number, key: Uint8Array): boolean {
    const row = index * ROW_BYTES
    for (let byte = 0; byte < 32; byte++) if (this.#rows[row + byte] !== key[byte]) return false
    return true
  }

  #view(index: number, offset: number, length: number): Uint8Array {
    const start = index * ROW_BYTES + offset
    return this.#rows.subarray(start, start + length)
  }

  /** Doubling from few rows: most tables of a large simulation never fill. */
  #grow(rows: number): void {
    if (rows * ROW_BYTES <= this.#rows.length) return
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(ROWS_FIRST, 2 * rows)) * ROW_BYTES)
    grown.set(this.#rows)
    this.#rows = grown
  }
}
