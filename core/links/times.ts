/**
 * When things happened on each link of a node and when others are due, all links in one array. A wake looks
 * for what is due, and a HELLO moves most times of its link: as numbers in the link's own fields each would
 * lie elsewhere in memory, and of ten thousand nodes hardly any is in a cache when its turn comes.
 */
import { type Micros, NEVER } from '../io.ts'

/** Times of one link, besides when it is due: places in its row. */
export const TIME = {
  heard: 0,
  hello: 1,
  answer: 2,
  silence: 3,
  clogged: 4,
  stamp: 5,
  stampAt: 6,
  said: 7,
} as const
const ROW = Object.keys(TIME).length
/** Links that a node has room for at first: a usual number. */
const FIRST_CAPACITY = 12
const MORE = 8

export class LinkTimes {
  /** First the due time of each link, side by side; then their rows. */
  #times: Float64Array
  #capacity: number
  #size = 0

  constructor(capacity = FIRST_CAPACITY) {
    this.#capacity = capacity
    this.#times = new Float64Array(capacity * (1 + ROW))
  }

  get size(): number {
    return this.#size
  }

  /** Answers the place of a new link: one after the last. */
  add(now: Micros): number {
    if (this.#size === this.#capacity) this.#grow()
    const place = this.#size++
    const row = this.#row(place)
    this.#times[place] = NEVER
    this.#times.fill(NEVER, row, row + ROW)
    this.#times[row + TIME.heard] = now
    this.#times[row + TIME.said] = 0
    this.#times[row + TIME.stamp] = 0
    this.#times[row + TIME.stampAt] = 0
    return place
  }

  /** Those behind it move up by one place. */
  remove(place: number): void {
    const times = this.#times
    this.#size -= 1
    times.copyWithin(place, place + 1, this.#size + 1)
    times.copyWithin(this.#row(place), this.#row(place + 1), this.#row(this.#size + 1))
  }

  // HOT PATH
  due(place: number): Micros {
    return this.#times[place] as number
  }

  // HOT PATH
  setDue(place: number, at: Micros): void {
    this.#times[place] = at
  }

  // HOT PATH
  get(place: number, which: number): number {
    return this.#times[this.#capacity + place * ROW + which] as number
  }

  // HOT PATH
  set(place: number, which: number, at: number): void {
    this.#times[this.#capacity + place * ROW + which] = at
  }

  #row(place: number): number {
    return this.#capacity + place * ROW
  }

  #grow(): void {
    const capacity = this.#capacity + MORE
    const times = new Float64Array(capacity * (1 + ROW))
    times.set(this.#times.subarray(0, this.#capacity))
    times.set(this.#times.subarray(this.#capacity), capacity)
    this.#times = times
    this.#capacity = capacity
  }
}
