/**
 * Packets on a stream: length (3 bytes, of the packet alone), hop (3 bytes), packet; big-endian. Lengths
 * that no packet has are words of the carrier to its other end, and nothing follows them.
 *
 * The reader hands out packets where they lie; one that came in pieces is put together first. So each byte
 * is copied once at most. It takes nothing on trust: a length beyond the maximum or an unknown word ends it.
 */
import { CLOSE, type CloseReason, type Hop } from '../../core/io.ts'
import { readU24, writeU24 } from '../../core/wire/cursor.ts'
import { PACKET_BYTES_MAX } from '../../core/wire/packet.ts'

export const HEADER_BYTES = 6
export const WORD_BYTES = 3
/** The longest packet that any channel carries. */
export const FRAME_BYTES_MAX = PACKET_BYTES_MAX

/** Lengths from here on are words. */
const FIRST_WORD = 0xffff00
/** From the accepting end: both channels are in use. */
export const READY_WORD = FIRST_WORD
/** The last word of an end that hangs up says why: this and the reason's place in the list. Append only. */
const FIRST_REASON_WORD = FIRST_WORD + 1
const REASONS: readonly CloseReason[] = [
  CLOSE.leaving,
  CLOSE.refused,
  CLOSE.replaced,
  CLOSE.dead,
  CLOSE.clogged,
  CLOSE.version,
  CLOSE.duplicate,
  CLOSE.misbehaved,
  CLOSE.lost,
]

export function reasonWord(reason: CloseReason): number {
  return FIRST_REASON_WORD + REASONS.indexOf(reason)
}

/** Undefined if the word gives no reason. */
export function wordReason(word: number): CloseReason | undefined {
  return REASONS[word - FIRST_REASON_WORD]
}

function isWord(word: number): boolean {
  return word === READY_WORD || wordReason(word) !== undefined
}

// HOT PATH
/** Writes a packet and what stands before it; the caller has made sure of the room. Returns its end. */
export function writeFrame(into: Uint8Array, at: number, hop: Hop, packet: Uint8Array): number {
  const { length } = packet
  writeU24(into, at, length)
  writeU24(into, at + 3, hop)
  into.set(packet, at + HEADER_BYTES)
  return at + HEADER_BYTES + length
}

export function wordBytes(word: number): Uint8Array {
  return Uint8Array.of(word >> 16, word >> 8, word)
}

export interface FrameSink {
  /** The bytes are lent until this returns. */
  packet(hop: Hop, bytes: Uint8Array): void
  word(word: number): void
}

export class FrameReader {
  readonly #sink: FrameSink
  /** A header that has come in part. */
  readonly #header = new Uint8Array(HEADER_BYTES)
  #headerBytes = 0
  /** A packet that has come in part, as long as it will be. */
  #partial: Uint8Array | undefined
  #partialBytes = 0
  #stopped = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** Nothing is handed out any more, not even from the chunk at hand. */
  stop(): void {
    this.#stopped = true
    this.#partial = undefined
  }

  // HOT PATH
  /** False if these bytes cannot have come from a node that follows the rules; the reader has stopped. */
  read(bytes: Uint8Array): boolean {
    // Transports hand out Buffers, whose `slice` is no copy: who keeps a slice of one keeps lent bytes.
    const chunk = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    while (at < chunk.length && !this.#stopped) {
      const rest = chunk.length - at
      if (this.#partial !== undefined) at += this.#fill(this.#partial, chunk, at)
      else if (this.#headerBytes > 0 || rest < HEADER_BYTES) {
        const taken = this.#takeHeader(chunk, at)
        if (taken < 0) return false
        at += taken
      } else {
        const length = readU24(chunk, at)
        if (length >= FIRST_WORD) {
          if (!this.#onWord(length)) return false
          at += WORD_BYTES
        } else if (length > FRAME_BYTES_MAX) return this.#refuse()
        else if (rest < HEADER_BYTES + length) {
          this.#expect(length, chunk, at)
          at += HEADER_BYTES
        } else {
          const start = at + HEADER_BYTES
          this.#sink.packet(readU24(chunk, at + 3), chunk.subarray(start, start + length))
          at = start + length
        }
      }
    }
    return true
  }

  /** One byte more of a header in pieces; returns how many were taken, −1 if the header breaks the rules. */
  #takeHeader(chunk: Uint8Array, at: number): number {
    this.#header[this.#headerBytes++] = chunk[at] as number
    if (this.#headerBytes === WORD_BYTES) {
      const length = readU24(this.#header, 0)
      if (length >= FIRST_WORD) {
        this.#headerBytes = 0
        return this.#onWord(length) ? 1 : -1
      }
      if (length > FRAME_BYTES_MAX) {
        this.#refuse()
        return -1
      }
    }
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0
      const length = readU24(this.#header, 0)
      if (length === 0) this.#sink.packet(readU24(this.#header, 3), EMPTY)
      else this.#expect(length, this.#header, 0)
    }
    return 1
  }

  #expect(length: number, header: Uint8Array, at: number): void {
    this.#header.set(header.subarray(at, at + HEADER_BYTES))
    this.#partial = new Uint8Array(length)
    this.#partialBytes = 0
  }

  #fill(partial: Uint8Array, chunk: Uint8Array, at: number): number {
    const taken = Math.min(partial.length - this.#partialBytes, chunk.length - at)
    partial.set(chunk.subarray(at, at + taken), this.#partialBytes)
    this.#partialBytes += taken
    if (this.#partialBytes === partial.length) {
      this.#partial = undefined
      this.#sink.packet(readU24(this.#header, 3), partial)
    }
    return taken
  }

  #onWord(word: number): boolean {
    if (!isWord(word)) return this.#refuse()
    this.#sink.word(word)
    return true
  }

  #refuse(): false {
    this.stop()
    return false
  }
}

const EMPTY = new Uint8Array(0)
