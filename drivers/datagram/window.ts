/**
 * Which counters of a key were already taken (sec:S11), by whole words (RFC 6479): a jump clears as many as
 * there are at most, so that a neighbour gains nothing by leaving counters out. The core's window, which is
 * as long, holds less memory for the thousands of senders that it has; keys of trunks are few.
 *
 * Counters are whole numbers below 2^32. Asking changes nothing: junk never moves the window.
 */

/** How far below the highest counter a late datagram is still taken. */
export const WINDOW = 8_192
/** Twice the window, so that what is cleared ahead of it is never part of it. */
const WORDS = (2 * WINDOW) / 32
const WORD_MASK = WORDS - 1

export class CounterWindow {
  readonly #words = new Uint32Array(WORDS)
  #top = -1
  #topWord = -1

  // HOT PATH
  /** False if the counter was marked before or is too old to tell. */
  accepts(counter: number): boolean {
    if (counter > this.#top) return true
    if (counter <= this.#top - WINDOW) return false
    return (((this.#words[(counter >>> 5) & WORD_MASK] as number) >>> (counter & 31)) & 1) === 0
  }

  // HOT PATH
  /** Takes a counter for which `accepts` is true. */
  mark(counter: number): void {
    const word = counter >>> 5
    if (counter > this.#top) {
      const cleared = Math.min(word - this.#topWord, WORDS)
      for (let each = word - cleared + 1; each <= word; each++) this.#words[each & WORD_MASK] = 0
      this.#top = counter
      this.#topWord = word
    }
    const at = word & WORD_MASK
    this.#words[at] = (this.#words[at] as number) | (1 << (counter & 31))
  }
}
