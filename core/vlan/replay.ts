/**
 * Which counters of one sender were already taken: a window of 8,192 (sec:A4) that costs nothing while
 * packets come in order, and grows from 64 bits only as far as the oldest counter still missing.
 *
 * Counters are whole numbers below 2^32. Asking changes nothing, so that a packet is asked about before
 * it is opened and marked only after: junk never moves the window.
 */

/** How far below the highest counter a late packet is still taken (sec:A4). */
export const REPLAY_WINDOW = 8_192
const WINDOW_MIN = 64

const NO_BITS = new Uint32Array(0)

/** For a window that opens before anything was heard. */
export const REPLAY_NOTHING_HEARD = false

export class ReplayWindow {
  /** The highest counter marked. */
  #top: number
  /** The lowest counter not marked and not given up: everything below is refused. */
  #missing: number
  /** The counter first heard: what was sent before it may come in disorder, but is not waited for. */
  readonly #first: number
  /** A ring with one bit for each counter from #missing to #top; empty while there is no gap. */
  #bits = NO_BITS

  /**
   * Opens with the first counter heard of the sender, already marked; or, with `heard` false, with nothing
   * marked and a floor: counters below `first` are refused, all from it on are waited for.
   */
  constructor(first: number, heard = true) {
    this.#first = first
    if (!heard) {
      this.#top = first - 1
      this.#missing = first
      return
    }
    this.#top = first
    // Nothing can come before the first counter of all, so there is no gap to keep bits for.
    this.#missing = first === 0 ? 1 : Math.max(0, first - WINDOW_MIN + 1)
    if (first === 0) return
    this.#bits = new Uint32Array(WINDOW_MIN / 32)
    this.#set(first)
  }

  // HOT PATH
  /** False if the counter was marked before or is too old to tell. */
  accepts(counter: number): boolean {
    if (counter > this.#top) return true
    return counter >= this.#missing && !this.#has(counter)
  }

  // HOT PATH
  /** Takes a counter for which `accepts` is true. */
  mark(counter: number): void {
    if (counter === this.#missing && counter === this.#top + 1) {
      // In order and nothing missing: the common case keeps no bits.
      this.#top = counter
      this.#missing = counter + 1
      return
    }
    if (counter > this.#top) this.#advance(counter)
    this.#set(counter)
    if (counter === this.#missing) this.#skipMarked()
  }

  /** Bytes held beyond the object itself: what a test of memory looks at. */
  get windowBytes(): number {
    return this.#bits.byteLength
  }

  #advance(counter: number): void {
    // Before the first counter heard, only the smallest window is searched: a late joiner stays small.
    const patience = Math.min(this.#first, counter - WINDOW_MIN + 1)
    this.#missing = Math.max(this.#missing, patience, counter - REPLAY_WINDOW + 1)
    this.#reserve(counter - this.#missing + 1)
    const from = Math.max(this.#top + 1, this.#missing)
    this.#clear(from, counter)
    this.#top = counter
    this.#skipMarked()
  }

  /** Makes room for so many counters from #missing on, keeping what is marked. */
  #reserve(span: number): void {
    const old = this.#bits
    if (span <= old.length * 32) return
    let size = WINDOW_MIN
    while (size < span) size *= 2
    const oldMask = old.length * 32 - 1
    this.#bits = new Uint32Array(size / 32)
    for (let counter = this.#missing; counter <= this.#top; counter++) {
      const slot = (counter & oldMask) >>> 0
      if (((old[slot >>> 5] as number) >>> (slot & 31)) & 1) this.#set(counter)
    }
  }

  #skipMarked(): void {
    while (this.#missing <= this.#top && this.#has(this.#missing)) this.#missing++
  }

  #has(counter: number): boolean {
    const slot = (counter & (this.#bits.length * 32 - 1)) >>> 0
    return (((this.#bits[slot >>> 5] as number) >>> (slot & 31)) & 1) === 1
  }

  #set(counter: number): void {
    const slot = (counter & (this.#bits.length * 32 - 1)) >>> 0
    this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] as number) | (1 << (slot & 31))
  }

  /** By whole words (RFC 6479), so that nobody gains by leaving counters out. */
  #clear(from: number, to: number): void {
    const mask = this.#bits.length * 32 - 1
    for (let counter = from; counter < to; ) {
      const slot = (counter & mask) >>> 0
      if ((slot & 31) === 0 && to - counter >= 32) {
        this.#bits[slot >>> 5] = 0
        counter += 32
      } else {
        this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] as number) & ~(1 << (slot & 31))
        counter += 1
      }
    }
  }
}
