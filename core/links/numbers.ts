/**
 * Numbers of each link of a node, all links in one array: when things happened and are due, counts, what was
 * measured. A packet that comes in looks at most of one link's numbers and a wake at one of each link; as
 * fields of their own each would lie elsewhere in memory, and of ten thousand nodes hardly any is in a cache
 * when its turn comes.
 */
import { type LinkId, type Micros, NEVER } from '../io.ts'

/** Numbers of one link, besides its id and when it is due: places in its row. */
export const NUMBER = {
  heard: 0,
  silence: 1,
  answer: 2,
  hello: 3,
  said: 4,
  clogged: 5,
  stamp: 6,
  stampAt: 7,
  packetsIn: 8,
  packetsOut: 9,
  lossBaseIn: 10,
  lossBaseOut: 11,
  rtt: 12,
  jitter: 13,
  loss: 14,
  load: 15,
  coordinatesHigh: 16,
  coordinatesLow: 17,
  flush: 18,
  answeredIn: 19,
} as const
const ROW = Object.keys(NUMBER).length
/** Links that a node has room for at first: a usual number. */
const FIRST_CAPACITY = 10
const MORE = 8

export class LinkNumbers {
  /** First the due time of each link, side by side; then their ids; then their rows. */
  #numbers: Float64Array
  #capacity: number
  #size = 0

  constructor(capacity = FIRST_CAPACITY) {
    this.#capacity = capacity
    this.#numbers = new Float64Array(capacity * (2 + ROW))
  }

  get size(): number {
    return this.#size
  }

  // HOT PATH
  /** The place of the link of that id, −1 if there is none. */
  find(id: LinkId): number {
    const numbers = this.#numbers
    const from = this.#capacity
    for (let place = 0; place < this.#size; place++) if (numbers[from + place] === id) return place
    return -1
  }

  /** Answers the place of a new link: one after the last. */
  add(now: Micros, id: LinkId): number {
    if (this.#size === this.#capacity) this.#grow()
    const place = this.#size++
    const row = this.#row(place)
    const numbers = this.#numbers
    numbers[place] = NEVER
    numbers[this.#capacity + place] = id
    numbers.fill(0, row, row + ROW)
    numbers[row + NUMBER.heard] = now
    numbers[row + NUMBER.silence] = NEVER
    numbers[row + NUMBER.answer] = NEVER
    numbers[row + NUMBER.hello] = NEVER
    numbers[row + NUMBER.clogged] = NEVER
    numbers[row + NUMBER.flush] = NEVER
    return place
  }

  /** Those behind it move up by one place. */
  remove(place: number): void {
    const numbers = this.#numbers
    this.#size -= 1
    const size = this.#size
    for (const from of [0, this.#capacity])
      numbers.copyWithin(from + place, from + place + 1, from + size + 1)
    numbers.copyWithin(this.#row(place), this.#row(place + 1), this.#row(size + 1))
  }

  // HOT PATH
  due(place: number): Micros {
    return this.#numbers[place] as number
  }

  // HOT PATH
  setDue(place: number, at: Micros): void {
    this.#numbers[place] = at
  }

  // HOT PATH
  get(place: number, which: number): number {
    return this.#numbers[2 * this.#capacity + place * ROW + which] as number
  }

  // HOT PATH
  set(place: number, which: number, value: number): void {
    this.#numbers[2 * this.#capacity + place * ROW + which] = value
  }

  #row(place: number): number {
    return 2 * this.#capacity + place * ROW
  }

  #grow(): void {
    const before = this.#capacity
    const capacity = before + MORE
    const numbers = new Float64Array(capacity * (2 + ROW))
    numbers.set(this.#numbers.subarray(0, before))
    numbers.set(this.#numbers.subarray(before, 2 * before), capacity)
    numbers.set(this.#numbers.subarray(2 * before), 2 * capacity)
    this.#numbers = numbers
    this.#capacity = capacity
  }
}
