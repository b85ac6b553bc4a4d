/**
 * An open-addressing table with keys of 16 bytes: VLAN-IDs and forwarding tokens. It knows bytes and
 * words, nothing of what they mean. No string, object or BigInt is made by a look-up.
 *
 * Each entry is a row of 32-bit words in one dense array: the key in four, its hash in one (never zero
 * while the row is taken), then as many as the owner asked for. A row keeps its index until it is
 * removed, and rows are iterated by index, so order never depends on the hash.
 *
 * The keys come from strangers, so the hash must not be theirs to choose: multilinear hashing over
 * 16-bit pieces with secret words. Its upper 17 bits are strongly universal (two given keys collide with
 * the chance of drawn numbers); the slot is taken from the top.
 */
import type { Keys } from './dice.ts'
import { readU32, writeU32 } from './wire/cursor.ts'

const KEY_WORDS = 4
/** The owner's first word of a row. */
export const FIRST_WORD = KEY_WORDS + 1
const HASH_WORD = KEY_WORDS
/** One secret word for each 16-bit piece of a key, and one more. */
const SECRET_WORDS = 9
const SLOTS_MIN = 8
const EMPTY_ROWS = new Uint32Array(0)
const EMPTY_SLOTS = new Int32Array(0)

/** Secret words for the tables of one node. */
export function tableSecret(keys: Keys): Uint32Array {
  const bytes = keys.bytes(SECRET_WORDS * 4)
  const secret = new Uint32Array(SECRET_WORDS)
  for (let index = 0; index < SECRET_WORDS; index++) secret[index] = readU32(bytes, index * 4)
  return secret
}

export class ByteTable {
  /** All rows, `stride` words each; replaced when the table grows, so not to be kept. */
  rows: Uint32Array = EMPTY_ROWS
  /** Words of a row, key and hash included. */
  readonly stride: number
  /** Rows taken. */
  size = 0
  /** Rows from here on were never taken. */
  end = 0
  readonly #secret: Uint32Array
  /** Row index + 1, or 0 for an empty slot. Empty until the first entry comes. */
  #slots: Int32Array = EMPTY_SLOTS
  /** 32 less the number of bits of a slot index: the slot is the top of the hash. */
  #shift = 32
  /** First of the chain of removed rows, each naming the next in its first word; −1 ends it. */
  #free = -1

  constructor(secret: Uint32Array, ownWords: number) {
    this.#secret = secret
    this.stride = FIRST_WORD + ownWords
  }

  // HOT PATH
  /** Index of the row of the 16 bytes at `offset`, or −1. */
  find(bytes: Uint8Array, offset: number): number {
    if (this.size === 0) return -1
    const a = readU32(bytes, offset)
    const b = readU32(bytes, offset + 4)
    const c = readU32(bytes, offset + 8)
    const d = readU32(bytes, offset + 12)
    const { rows, stride } = this
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = this.#hash(a, b, c, d) >>> this.#shift
    for (let entry = slots[slot] as number; entry !== 0; entry = slots[slot] as number) {
      const row = (entry - 1) * stride
      if (rows[row] === a && rows[row + 1] === b && rows[row + 2] === c && rows[row + 3] === d)
        return entry - 1
      slot = (slot + 1) & mask
    }
    return -1
  }

  /** Takes a row for a key that `find` does not find; the owner's words are zero. */
  add(bytes: Uint8Array, offset: number): number {
    if (this.size >= this.#slots.length - (this.#slots.length >> 2)) this.#grow()
    const index = this.#takeRow()
    const row = index * this.stride
    const { rows } = this
    for (let word = 0; word < KEY_WORDS; word++) rows[row + word] = readU32(bytes, offset + word * 4)
    const hash = this.#hash(
      rows[row] as number,
      rows[row + 1] as number,
      rows[row + 2] as number,
      rows[row + 3] as number,
    )
    rows[row + HASH_WORD] = hash
    rows.fill(0, row + FIRST_WORD, row + this.stride)
    this.size += 1
    this.#link(index, hash)
    return index
  }

  /** Gives back a row that is taken; its index may be used again at once. */
  remove(index: number): void {
    const row = index * this.stride
    this.#unlink(index, this.rows[row + HASH_WORD] as number)
    this.rows[row + HASH_WORD] = 0
    this.rows[row] = this.#free + 1
    this.#free = index
    this.size -= 1
  }

  /** Whether the row is taken; any index may be asked about. */
  has(index: number): boolean {
    return index < this.end && this.rows[index * this.stride + HASH_WORD] !== 0
  }

  /** The 16 bytes of a row's key, in a fresh array. */
  key(index: number): Uint8Array {
    const key = new Uint8Array(KEY_WORDS * 4)
    const row = index * this.stride
    for (let word = 0; word < KEY_WORDS; word++) writeU32(key, word * 4, this.rows[row + word] as number)
    return key
  }

  // HOT PATH
  /** The lowest bit is set so that no hash is zero; slots are taken from the other end. */
  #hash(a: number, b: number, c: number, d: number): number {
    const secret = this.#secret
    const high =
      Math.imul(secret[0] as number, a >>> 16) +
      Math.imul(secret[1] as number, b >>> 16) +
      Math.imul(secret[2] as number, c >>> 16) +
      Math.imul(secret[3] as number, d >>> 16)
    const low =
      Math.imul(secret[4] as number, a & 0xffff) +
      Math.imul(secret[5] as number, b & 0xffff) +
      Math.imul(secret[6] as number, c & 0xffff) +
      Math.imul(secret[7] as number, d & 0xffff)
    return ((high + low + (secret[8] as number)) | 1) >>> 0
  }

  #takeRow(): number {
    if (this.#free < 0) return this.end++
    const index = this.#free
    this.#free = (this.rows[index * this.stride] as number) - 1
    return index
  }

  #link(index: number, hash: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = hash >>> this.#shift
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = index + 1
  }

  /** Empties the slot and moves up what had to step past it (Knuth 6.4, algorithm R): no tombstones. */
  #unlink(index: number, hash: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let hole = hash >>> this.#shift
    while (slots[hole] !== index + 1) hole = (hole + 1) & mask
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const row = ((slots[slot] as number) - 1) * this.stride
      const home = (this.rows[row + HASH_WORD] as number) >>> this.#shift
      // The entry may move to the hole unless its home lies behind the hole, cyclically.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      slots[hole] = slots[slot] as number
      hole = slot
    }
    slots[hole] = 0
  }

  #grow(): void {
    const count = Math.max(SLOTS_MIN, this.#slots.length * 2)
    const rows = new Uint32Array((count - (count >> 2)) * this.stride)
    rows.set(this.rows)
    this.rows = rows
    this.#slots = new Int32Array(count)
    this.#shift = Math.clz32(count) + 1
    for (let index = 0; index < this.end; index++) {
      const hash = rows[index * this.stride + HASH_WORD] as number
      if (hash !== 0) this.#link(index, hash)
    }
  }
}
