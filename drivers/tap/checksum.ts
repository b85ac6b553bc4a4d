/**
 * The checksum of IP, TCP and UDP (RFC 1071): the one's complement of the one's complement sum of 16-bit
 * words. Knows arithmetic alone.
 *
 * A sum here is a number that was not folded yet. It may be made of words in either order of bytes, since
 * carries go round (RFC 1071, section 2 B): long stretches are read as the machine has them and turned at the
 * end.
 */

/** Twice: a carry may make another. Sums stay below 2^31 words of 16 bits. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum - (sum & 0xffff)) / 0x1_0000
  const twice = (once & 0xffff) + (once >>> 16)
  return (twice & 0xffff) + (twice >>> 16)
}

/** Memory whose stretches are summed: views of it, made once. */
export class Summable {
  readonly view: DataView
  readonly #words: Int32Array

  /** From the first byte of the buffer on; the last ones may be left over. */
  constructor(buffer: ArrayBuffer) {
    this.view = new DataView(buffer)
    this.#words = new Int32Array(buffer, 0, buffer.byteLength >> 2)
  }

  // HOT PATH
  /**
   * The folded sum of the bytes, as of words in the order of the network; an odd last byte has a zero after
   * it. 0.4 µs for 1,228 bytes where `at` is a multiple of four, as the payload of TCP mostly is here; half
   * as much again where it is not.
   */
  sum(at: number, length: number): number {
    const whole = length & ~3
    const words = (at & 3) === 0 ? this.#aligned(at >> 2, whole >> 2) : this.#anywhere(at, whole)
    const { view } = this
    let rest = 0
    if ((length & 2) !== 0) rest += view.getUint16(at + whole, true)
    if ((length & 1) !== 0) rest += view.getUint8(at + length - 1)
    const sum = fold(words + rest)
    return (sum >>> 8) | ((sum & 0xff) << 8)
  }

  /** Halves are summed apart, in integers: sums of 64 KiB stay below 2^30, and words below 2^31 as numbers
   * would have to become doubles, which takes five times as long. */
  #aligned(from: number, count: number): number {
    const words = this.#words
    const pairs = from + (count & ~1)
    let low = 0
    let high = 0
    for (let at = from; at < pairs; at += 2) {
      const one = words[at] as number
      const two = words[at + 1] as number
      low = (low + (one & 0xffff) + (two & 0xffff)) | 0
      high = (high + (one >>> 16) + (two >>> 16)) | 0
    }
    if ((count & 1) === 0) return low + high
    const last = words[pairs] as number
    return low + (last & 0xffff) + high + (last >>> 16)
  }

  #anywhere(from: number, length: number): number {
    const { view } = this
    const end = from + length
    let low = 0
    let high = 0
    for (let at = from; at < end; at += 4) {
      low = (low + view.getUint16(at, true)) | 0
      high = (high + view.getUint16(at + 2, true)) | 0
    }
    return low + high
  }
}
