/**
 * A packet that is longer than a path carries, in numbered pieces on that one trunk (mesh:M10): cut below the
 * packet's own seal, each piece sealed as a datagram of its own, put together by the other end of the trunk.
 *
 *     hop 3 | packet's number 2 | piece 1 | pieces 1 | bytes
 *
 * All pieces but the last are of one length. Memory is bounded by a few packets per trunk: a packet that
 * newer ones push out before its pieces are there is lost, as any datagram may be.
 */
import type { Hop } from '../../core/io.ts'
import { readU24, writeU24 } from '../../core/wire/cursor.ts'
import { PACKET_BYTES_MAX } from '../../core/wire/packet.ts'

export const PIECE_HEADER_BYTES = 7
/** The longest packet over the narrowest path: 59. */
export const PIECES_MAX = 64
const HOP_AT = 0
const NUMBER_AT = 3
const PIECE_AT = 5
const COUNT_AT = 6
/** Packets that are put together at once: pieces of two travel mixed where paths reorder. */
const OPEN_MAX = 4
const NO_BYTES = new Uint8Array(0)

/** Writes what stands before a piece's bytes. */
export function writePiece(into: Uint8Array, hop: Hop, number: number, piece: number, count: number): void {
  writeU24(into, HOP_AT, hop)
  into[NUMBER_AT] = number >>> 8
  into[NUMBER_AT + 1] = number
  into[PIECE_AT] = piece
  into[COUNT_AT] = count
}

interface Open {
  number: number
  count: number
  hop: Hop
  /** Length of each piece but the last; of the last. Zero while not known. */
  size: number
  lastSize: number
  missing: number
  readonly has: Uint8Array
  bytes: Uint8Array
}

export class Joiner {
  /** Those at the end are the newest. */
  readonly #open: Open[] = []
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
    if (open.has[index] === 1) return 'more'
    if (!place(open, index, piece, size)) return this.#drop(open)
    if (open.missing > 0) return 'more'
    const length = (open.count - 1) * open.size + open.lastSize
    if (length > PACKET_BYTES_MAX || open.lastSize > open.size) return this.#drop(open)
    this.packet = open.bytes.subarray(0, length)
    this.hop = open.hop
    this.#open.splice(this.#open.indexOf(open), 1)
    return 'done'
  }

  #find(number: number, count: number, hop: Hop): Open | undefined {
    const found = this.#open.find((each) => each.number === number)
    if (found !== undefined) return found.count === count && found.hop === hop ? found : undefined
    if (this.#open.length >= OPEN_MAX) {
      this.#open.shift()
      this.lost += 1
    }
    const open: Open = {
      number,
      count,
      hop,
      size: 0,
      lastSize: 0,
      missing: count,
      has: new Uint8Array(count),
      bytes: NO_BYTES,
    }
    this.#open.push(open)
    return open
  }

  #drop(open: Open): 'wrong' {
    this.#open.splice(this.#open.indexOf(open), 1)
    return 'wrong'
  }
}

/** False if its length does not fit the others'. */
function place(open: Open, index: number, piece: Uint8Array, size: number): boolean {
  const isLast = index === open.count - 1
  if (!isLast && open.size !== 0 && open.size !== size) return false
  if (isLast) {
    open.lastSize = size
    if (open.size !== 0 && size > open.size) return false
    if (open.size === 0) {
      // Where the last is the first to come, it waits at the front of memory until its place is known.
      open.bytes = Uint8Array.from(piece.subarray(PIECE_HEADER_BYTES))
    } else open.bytes.set(piece.subarray(PIECE_HEADER_BYTES), index * open.size)
  } else {
    if (open.size === 0) begin(open, size)
    open.bytes.set(piece.subarray(PIECE_HEADER_BYTES), index * size)
  }
  open.has[index] = 1
  open.missing -= 1
  return true
}

/** The length of pieces is known now. */
function begin(open: Open, size: number): void {
  open.size = size
  const whole = new Uint8Array(open.count * size)
  if (open.lastSize > 0 && open.lastSize <= size)
    whole.set(open.bytes.subarray(0, open.lastSize), (open.count - 1) * size)
  open.bytes = whole
}
