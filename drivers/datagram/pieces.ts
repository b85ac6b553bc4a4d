/**
 * A packet that is longer than a path carries, in numbered pieces on that one trunk (mesh:M10): cut below the
 * packet's own seal, each piece sealed as a datagram of its own, put together by the other end of the trunk.
 *
 *     hop 3 | packet's number 2 | piece 1 | pieces 1 | bytes
 *
 * All pieces but the last are of one length. Memory is bounded by the longest of a few packets per trunk, and
 * used again: a packet that newer ones push out before its pieces are there is lost, as any datagram may be.
 */
import type { Hop } from '../../core/io.ts'
import { readU24, writeU24 } from '../../core/wire/cursor.ts'
import { PACKET_BYTES_MAX } from '../../core/wire/packet.ts'

export const PIECE_HEADER_BYTES = 7
/** The longest packet over the narrowest path: 148. */
export const PIECES_MAX = 160
const HOP_AT = 0
const NUMBER_AT = 3
const PIECE_AT = 5
const COUNT_AT = 6
/** Packets that are put together at once: pieces of two travel mixed where paths reorder. */
const OPEN_MAX = 4
/** The memory that a packet is put together in grows by steps of so much, as larger packets come. */
const STEP_BYTES = 8_192
const NO_BYTES = new Uint8Array(0)

/** Writes what stands before a piece's bytes. */
export function writePiece(into: Uint8Array, hop: Hop, number: number, piece: number, count: number): void {
  writeU24(into, HOP_AT, hop)
  into[NUMBER_AT] = number >>> 8
  into[NUMBER_AT + 1] = number
  into[PIECE_AT] = piece
  into[COUNT_AT] = count
}

/** A packet that is put together. Its memory is used again for others: pieces make no garbage. */
class Open {
  number = 0
  count = 0
  hop: Hop = 0
  isFree = true
  missing = 0
  /** Length of each piece but the last; of the last. Zero while not known. */
  #size = 0
  #lastSize = 0
  readonly #has = new Uint8Array(PIECES_MAX)
  #bytes = NO_BYTES

  begin(number: number, count: number, hop: Hop): void {
    this.number = number
    this.count = count
    this.hop = hop
    this.isFree = false
    this.missing = count
    this.#size = 0
    this.#lastSize = 0
    this.#has.fill(0, 0, count)
  }

  has(index: number): boolean {
    return this.#has[index] === 1
  }

  /** False if its length does not fit the others', or the packet would be longer than any. */
  place(index: number, piece: Uint8Array): boolean {
    const size = piece.length - PIECE_HEADER_BYTES
    const isLast = index === this.count - 1
    if (isLast) {
      if (this.#size !== 0 && size > this.#size) return false
      this.#lastSize = size
      // Where the last is the first to come, it waits at the front of memory until its place is known.
      if (this.#size === 0) this.#reserve(size, 0)
    } else if (this.#size === 0) {
      if (!this.#sizeIs(size)) return false
    } else if (this.#size !== size) return false
    this.#bytes.set(piece.subarray(PIECE_HEADER_BYTES), index * this.#size)
    this.#has[index] = 1
    this.missing -= 1
    return true
  }

  /** The whole packet, valid until the next piece is placed; undefined if it is longer than any. */
  get packet(): Uint8Array | undefined {
    const length = (this.count - 1) * this.#size + this.#lastSize
    return length > PACKET_BYTES_MAX ? undefined : this.#bytes.subarray(0, length)
  }

  get memoryBytes(): number {
    return this.#bytes.length
  }

  /** The length of pieces is known now. */
  #sizeIs(size: number): boolean {
    const before = (this.count - 1) * size
    // The last has a byte at least.
    if (before + 1 > PACKET_BYTES_MAX || this.#lastSize > size) return false
    this.#size = size
    this.#reserve(before + size, this.#lastSize)
    this.#bytes.copyWithin(before, 0, this.#lastSize)
    return true
  }

  #reserve(bytes: number, kept: number): void {
    if (bytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES)
    grown.set(this.#bytes.subarray(0, kept))
    this.#bytes = grown
  }
}

export class Joiner {
  /** Those at the end are the newest. */
  readonly #open: Open[] = Array.from({ length: OPEN_MAX }, () => new Open())
  /** The packet that `take` has completed; valid until the next call. */
  packet: Uint8Array = NO_BYTES
  hop: Hop = 0
  /** Packets that were given up. */
  lost = 0

  /** `done`: `packet` and `hop` are a whole packet. `wrong`: no honest end cuts so. */
  take(piece: Uint8Array): 'done' | 'more' | 'wrong' {
    const [index, count] = [piece[PIECE_AT] as number, piece[COUNT_AT] as number]
    const size = piece.length - PIECE_HEADER_BYTES
    if (size < 1 || count < 2 || count > PIECES_MAX || index >= count) return 'wrong'
    const hop = readU24(piece, HOP_AT)
    const number = ((piece[NUMBER_AT] as number) << 8) | (piece[NUMBER_AT + 1] as number)
    const open = this.#find(number, count, hop)
    if (open === undefined) return 'wrong'
    if (open.has(index)) return 'more'
    if (!open.place(index, piece)) {
      open.isFree = true
      return 'wrong'
    }
    if (open.missing > 0) return 'more'
    open.isFree = true
    const { packet } = open
    if (packet === undefined) return 'wrong'
    this.packet = packet
    this.hop = open.hop
    return 'done'
  }

  /** Bytes that are held: what a test of memory looks at. */
  get memoryBytes(): number {
    return this.#open.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  }

  #find(number: number, count: number, hop: Hop): Open | undefined {
    const found = this.#open.find((each) => !each.isFree && each.number === number)
    if (found !== undefined) return found.count === count && found.hop === hop ? found : undefined
    const place = Math.max(
      0,
      this.#open.findIndex(({ isFree }) => isFree),
    )
    const open = this.#open.splice(place, 1)[0] as Open
    if (!open.isFree) this.lost += 1
    open.begin(number, count, hop)
    this.#open.push(open)
    return open
  }
}
