/**
 * Rows of eight numbers for what a world has many of and touches at every message: lanes and machines. As
 * fields of an object each number that is no small integer would lie elsewhere in memory, and of a large
 * world hardly anything is in a cache when its turn comes; a row is one place.
 */

/** Numbers of a row: 64 bytes, what one access brings in. */
export const ROW = 8
/** Rows of one array: few, so that long-lived rows do not keep many dead ones in memory. */
const CHUNK = 64

/** Hands out rows and takes them back. */
export class Rows {
  #chunk: Float64Array = new Float64Array(0)
  #used = 0
  readonly #freeNumbers: Float64Array[] = []
  readonly #freeAt: number[] = []
  /** The array of the row that `take` found, whose place it answered. */
  numbers: Float64Array = this.#chunk

  /** The row's place in `numbers`; what it holds is undefined. */
  take(): number {
    const free = this.#freeNumbers.pop()
    if (free !== undefined) {
      this.numbers = free
      return this.#freeAt.pop() as number
    }
    if (this.#used === this.#chunk.length) {
      this.#chunk = new Float64Array(CHUNK * ROW)
      this.#used = 0
    }
    this.numbers = this.#chunk
    const at = this.#used
    this.#used += ROW
    return at
  }

  give(numbers: Float64Array, at: number): void {
    this.#freeNumbers.push(numbers)
    this.#freeAt.push(at)
  }
}
