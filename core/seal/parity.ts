/**
 * Parity over the pieces of what is said to many: of each stripe, every so manieth piece, the XOR of its
 * pieces, which mends one that is lost (interleaved XOR parity, as in RFC 8627): as many in a row as there
 * are stripes. Beyond sec:A12: a relay that drops one packet of a commit takes it from all members behind it,
 * and all of these then waited for the whole commit to be said again.
 */

/** Pieces that one parity piece stands for at most. Guess: a storm takes one or two packets of a commit. */
const STRIPE_PIECES = 8
/** What is cut into fewer pieces is said again as soon as it is mended. Guess. */
const PARITY_FROM = 4
/** Of the longest payload in packets of a quarter of what trunks carry; smaller pieces have no parity. */
const STRIPES_MAX = 32

/** Parity pieces of a whole of `total` bytes in pieces of `room` bytes; 0 for one that has none. */
export function stripesOf(total: number, room: number): number {
  const pieces = Math.ceil(total / room)
  const stripes = Math.ceil(pieces / STRIPE_PIECES)
  return pieces < PARITY_FROM || stripes > STRIPES_MAX ? 0 : stripes
}

/** XOR of the pieces stripe, stripe + stripes, …, each as if zeros followed it up to `room` bytes. */
export function parityOf(whole: Uint8Array, room: number, stripe: number, skipped = -1): Uint8Array {
  const parity = new Uint8Array(room)
  const stripes = stripesOf(whole.length, room)
  for (let start = stripe * room; start < whole.length; start += stripes * room) {
    if (start === skipped) continue
    const end = Math.min(start + room, whole.length)
    for (let at = start; at < end; at++)
      parity[at - start] = (parity[at - start] as number) ^ (whole[at] as number)
  }
  return parity
}

/** Where the pieces of a stripe begin. */
export function* piecesOf(total: number, room: number, stripe: number): Generator<number> {
  const step = stripesOf(total, room) * room
  for (let start = stripe * room; start < total; start += step) yield start
}

/** Writes the piece that begins at `start` into the whole, of which the others of its stripe are there. */
export function mend(
  whole: Uint8Array,
  room: number,
  stripe: number,
  start: number,
  parity: Uint8Array,
): void {
  const others = parityOf(whole, room, stripe, start)
  const end = Math.min(start + room, whole.length)
  for (let at = start; at < end; at++)
    whole[at] = (parity[at - start] as number) ^ (others[at - start] as number)
}
