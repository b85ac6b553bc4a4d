/**
 * One sealed datagram (sec:S11): how it is written, sealed and opened. Knows bytes and keys, not whose they
 * are.
 *
 *     type 1 | receiver's index 4 | counter 8 | ciphertext n | tag 16        all integers big-endian
 *
 * AES-256-GCM; the nonce is four zeros and the counter, the associated data the first 13 bytes. The type is
 * in clear and covered by the tag. The plaintext of data is the hop (3 bytes, mesh:M9) and the packet, of a
 * piece what pieces.ts writes, of the others a token of 8 bytes, padded with zeros where a path's size is
 * asked about.
 */
import { type Aead, NONCE_BYTES, TAG_BYTES } from '../../core/crypto/ports.ts'
import { readU32, writeU32 } from '../../core/wire/cursor.ts'

export const DATAGRAM = { data: 1, piece: 2, challenge: 3, answer: 4, end: 5 } as const

const INDEX_AT = 1
const COUNTER_AT = 5
const HEADER_BYTES = 13
/** What a datagram has beyond its plaintext. */
export const OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES
/** UDP payload in an IPv6 packet of 1,500 bytes: 1,420 of a packet, its hop and the overhead (mesh:M10). */
export const PAYLOAD_MAX = 1_452
/** The same of 1,280 bytes, which every path of IPv6 carries (RFC 8200, section 5). */
export const PAYLOAD_MIN = 1_232
/** The same of 576 bytes with the longest header of IPv4, which every host of it takes (RFC 791). */
export const PAYLOAD_FLOOR = 508
export const HOP_BYTES = 3
export const TOKEN_BYTES = 8

/** The shortest datagram: nothing is sent that says nothing. */
export const DATAGRAM_BYTES_MIN = OVERHEAD_BYTES + HOP_BYTES

// HOT PATH
export function indexAt(memory: Uint8Array, at: number): number {
  return readU32(memory, at + INDEX_AT)
}

// HOT PATH
/** −1 for a counter that no key gets to: it is retired at 2^32 (sec:S4). */
export function counterAt(memory: Uint8Array, at: number): number {
  return readU32(memory, at + COUNTER_AT) === 0 ? readU32(memory, at + COUNTER_AT + 4) : -1
}

/**
 * The bench on which one thread seals and opens. What is to be sealed is written into `plain`; what was
 * opened stands in `opened` until the next. Views of all lengths are made once, when first needed: a datagram
 * makes none.
 */
export class Bench {
  readonly plain = new Uint8Array(PAYLOAD_MAX)
  readonly opened = new Uint8Array(PAYLOAD_MAX)
  readonly #aead: Aead
  readonly #memory: Uint8Array
  readonly #header = new Uint8Array(HEADER_BYTES)
  readonly #nonce = new Uint8Array(NONCE_BYTES)
  readonly #out = new Uint8Array(PAYLOAD_MAX)
  readonly #plains: Uint8Array[] = []
  readonly #outs: Uint8Array[] = []
  readonly #sealed: Uint8Array[] = []
  readonly #openeds: Uint8Array[] = []
  readonly #packets: Uint8Array[] = []

  /** `memory`: where datagrams are received; its first PAYLOAD_MAX bytes are this bench's own. */
  constructor(aead: Aead, memory: Uint8Array) {
    this.#aead = aead
    this.#memory = memory
  }

  // HOT PATH
  /** The first bytes of `opened`. */
  openedOf(length: number): Uint8Array {
    return this.#openeds[length] ?? viewOf(this.#openeds, this.opened, 0, length)
  }

  // HOT PATH
  /** Of a datagram of data with so many bytes of plaintext: its packet, in `opened`. */
  packetOf(length: number): Uint8Array {
    return this.#packets[length] ?? viewOf(this.#packets, this.opened, HOP_BYTES, length)
  }

  // HOT PATH
  /** Seals the first `length` bytes of `plain`; the length of the datagram. */
  seal(
    key: Uint8Array,
    type: number,
    index: number,
    counter: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): number {
    const header = this.#header
    header[0] = type
    writeU32(header, INDEX_AT, index)
    writeU32(header, COUNTER_AT, 0)
    writeU32(header, COUNTER_AT + 4, counter)
    this.#nonceOf(header)
    const sealed = length + TAG_BYTES
    const out = this.#outs[sealed] ?? viewOf(this.#outs, this.#out, 0, sealed)
    const plain = this.#plains[length] ?? viewOf(this.#plains, this.plain, 0, length)
    this.#aead.seal(key, this.#nonce, header, plain, out)
    into.set(header, at)
    into.set(out, at + HEADER_BYTES)
    return HEADER_BYTES + sealed
  }

  // HOT PATH
  /** False if it was not sealed with that key; else `opened` has the plaintext. */
  open(key: Uint8Array, at: number, length: number): boolean {
    const memory = this.#memory
    const header = this.#header
    for (let index = 0; index < HEADER_BYTES; index++) header[index] = memory[at + index] as number
    this.#nonceOf(header)
    const sealed = length - HEADER_BYTES
    memory.copyWithin(0, at + HEADER_BYTES, at + length)
    const view = this.#sealed[sealed] ?? viewOf(this.#sealed, this.#memory, 0, sealed)
    return this.#aead.open(key, this.#nonce, header, view, this.openedOf(sealed - TAG_BYTES))
  }

  // HOT PATH
  #nonceOf(header: Uint8Array): void {
    for (let index = 0; index < NONCE_BYTES - 4; index++)
      this.#nonce[4 + index] = header[COUNTER_AT + index] as number
  }
}

function viewOf(views: Uint8Array[], bytes: Uint8Array, from: number, to: number): Uint8Array {
  const view = bytes.subarray(from, to)
  views[to] = view
  return view
}
