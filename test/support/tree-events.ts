/** What drives the world of trees: events in the order of time and of scheduling, and dice. */
import type { Dice } from '../../core/dice.ts'
import type { Micros } from '../../core/io.ts'

/** Thirty-two bits of state, mixed as in splitmix32: enough for tests. */
export class TestDice implements Dice {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e37_79b9) >>> 0
  }

  u32(): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }

  fork(): Dice {
    return new TestDice(this.u32())
  }
}

interface Event {
  readonly at: Micros
  readonly order: number
  readonly run: () => void
}

/** A binary heap of events. */
export class EventHeap {
  now: Micros = 0
  readonly #heap: Event[] = []
  #order = 0

  after(delay: Micros, run: () => void): void {
    pushEvent(this.#heap, { at: this.now + Math.round(delay), order: this.#order++, run })
  }

  runFor(duration: Micros): void {
    const until = this.now + duration
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      popEvent(this.#heap)
      this.now = next.at
      next.run()
    }
    this.now = until
  }
}

function isBefore(left: Event, right: Event): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order)
}

function pushEvent(heap: Event[], event: Event): void {
  let index = heap.length
  heap.push(event)
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (isBefore(heap[parent] as Event, event)) break
    heap[index] = heap[parent] as Event
    index = parent
  }
  heap[index] = event
}

function popEvent(heap: Event[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  for (;;) {
    let child = 2 * index + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1
    if (isBefore(last, heap[child] as Event)) break
    heap[index] = heap[child] as Event
    index = child
  }
  heap[index] = last
}
