/**
 * What came to a machine while its processor was busy, in the order in which it came: each packet by its
 * slot and the end of the trunk it came to. A ring that grows: a machine that is never free for long needs
 * no more room than for what waits.
 */

const FIRST_CAPACITY = 16
const NOTHING = new Int32Array(0)

export class Inbox {
  /** Pairs; their number is a power of two. */
  #ring = NOTHING
  #head = 0
  size = 0

  add(end: number, slot: number): void {
    if (this.size * 2 === this.#ring.length) this.#grow()
    const at = this.#place(this.size)
    this.#ring[at] = end
    this.#ring[at + 1] = slot
    this.size += 1
  }

  /** Of the pair that waits longest; there must be one. */
  get end(): number {
    return this.#ring[this.#place(0)] as number
  }

  get slot(): number {
    return this.#ring[this.#place(0) + 1] as number
  }

  /** Takes the first pair out. */
  drop(): void {
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.size -= 1
  }

  #place(index: number): number {
    return ((this.#head + index) * 2) & (this.#ring.length - 1)
  }

  #grow(): void {
    const larger = new Int32Array(Math.max(FIRST_CAPACITY * 2, this.#ring.length * 2))
    for (let index = 0; index < this.size * 2; index++) {
      larger[index] = this.#ring[(this.#head * 2 + index) & (this.#ring.length - 1)] as number
    }
    this.#ring = larger
    this.#head = 0
  }
}
