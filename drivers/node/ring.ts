/**
 * A bounded queue of records between two threads, one of which writes and one reads, in shared memory. A
 * packet crosses as a copy of its bytes, without an object or a message for it; what does not fit into bytes
 * goes through a port of messages beside it, and a record in the ring keeps its place in the order.
 *
 * A record is a kind, two numbers and some bytes. Reading and writing never wait: whoever sleeps is woken by
 * other means (pipe.ts), and a ring that is full refuses.
 */
import { assert, InvariantError } from '../../core/errors.ts'

/** Words before the records: how far was read and how far was written, in words, counts that wrap. */
const AT = { head: 0, tail: 1 } as const
/** On different cache lines, so that the two threads do not take them from each other. */
const STRIDE = 32
const HEADER_WORDS = 2 * STRIDE
/** Length in bytes, kind, two numbers of the record's own. */
const RECORD_WORDS = 4
const WORD = 4
/** Stands for a length where the rest of the ring up to its end is left out. */
const SKIP = -1
const BYTES_MIN = 1_024
/** A record's bytes at most: more than any packet has (core/wire/kinds.ts). */
const RECORD_BYTES_MAX = 131_072

export type OnRecord = (kind: number, first: number, second: number, bytes: Uint8Array) => void

export class Ring {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  /** Words for records, a power of two. */
  readonly #size: number
  /** What a reader is lent: code that computes with it then meets one kind of memory only. */
  readonly #lent: Uint8Array

  /** The writer's end or the reader's of what `create` made. */
  constructor(shared: SharedArrayBuffer) {
    this.shared = shared
    this.#words = new Int32Array(shared)
    this.#size = this.#words.length - HEADER_WORDS
    this.#bytes = new Uint8Array(shared, HEADER_WORDS * WORD)
    this.#lent = new Uint8Array(Math.min(RECORD_BYTES_MAX, this.#size * WORD))
  }

  /** `bytes`: for records with their headers; a power of two. */
  static create(bytes: number): Ring {
    assert(bytes >= BYTES_MIN && Number.isInteger(Math.log2(bytes)), `a ring of ${bytes} bytes`)
    return new Ring(new SharedArrayBuffer(HEADER_WORDS * WORD + bytes))
  }

  get isEmpty(): boolean {
    return this.#load(AT.head) === this.#load(AT.tail)
  }

  /** For the writer: whether half of it is free. */
  get isBelowHalf(): boolean {
    return ((this.#load(AT.tail) - this.#load(AT.head)) | 0) * 2 < this.#size
  }

  /**
   * Writer only. False if there is no room, or would be less than `reserve` bytes after it: so much is kept
   * for what must not be lost.
   */
  // HOT PATH
  push(kind: number, first: number, second: number, bytes: Uint8Array, reserve = 0): boolean {
    if (bytes.length > this.#lent.length) throw new InvariantError(`a record of ${bytes.length} bytes`)
    const words = recordWords(bytes.length)
    const tail = this.#load(AT.tail)
    const used = (tail - this.#load(AT.head)) | 0
    let at = tail & (this.#size - 1)
    const toEnd = this.#size - at
    const skipped = words > toEnd ? toEnd : 0
    if (used + skipped + words + reserve / WORD > this.#size) return false
    if (skipped > 0) {
      this.#words[HEADER_WORDS + at] = SKIP
      at = 0
    }
    const record = HEADER_WORDS + at
    this.#words[record] = bytes.length
    this.#words[record + 1] = kind
    this.#words[record + 2] = first
    this.#words[record + 3] = second
    this.#bytes.set(bytes, (at + RECORD_WORDS) * WORD)
    Atomics.store(this.#words, AT.tail * STRIDE, (tail + skipped + words) | 0)
    return true
  }

  /**
   * Reader only. Takes at most `limit` records in order; answers how many there were. The bytes are lent
   * until `take` returns.
   */
  // HOT PATH
  drain(limit: number, take: OnRecord): number {
    const tail = this.#load(AT.tail)
    let head = this.#load(AT.head)
    let count = 0
    while (head !== tail && count < limit) {
      let at = head & (this.#size - 1)
      if (this.#words[HEADER_WORDS + at] === SKIP) {
        head = (head + this.#size - at) | 0
        at = 0
      }
      const record = HEADER_WORDS + at
      const length = this.#words[record] as number
      const kind = this.#words[record + 1] as number
      const first = this.#words[record + 2] as number
      const second = this.#words[record + 3] as number
      const from = (at + RECORD_WORDS) * WORD
      const lent = this.#lent.subarray(0, length)
      lent.set(this.#bytes.subarray(from, from + length))
      head = (head + recordWords(length)) | 0
      // Before it is taken: whoever takes it may write into the other ring for long.
      Atomics.store(this.#words, AT.head * STRIDE, head)
      count += 1
      take(kind, first, second, lent)
    }
    return count
  }

  #load(which: number): number {
    return Atomics.load(this.#words, which * STRIDE)
  }
}

function recordWords(bytes: number): number {
  return RECORD_WORDS + Math.ceil(bytes / WORD)
}
