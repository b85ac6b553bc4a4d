import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NEVER } from '../../core/io.ts'
import { EventQueue } from '../../sim/queue.ts'
import { byBudget } from '../support/requirements.ts'

interface Event {
  time: number
  sequence: number
  kind: number
  a: number
  b: number
}

/** What the queue must do, in the plainest words: a list kept in order. */
class Model {
  readonly events: Event[] = []
  #sequence = 0

  push(time: number, kind: number, a: number, b: number): void {
    const event = { time, sequence: this.#sequence++, kind, a, b }
    let at = this.events.length
    while (at > 0 && (this.events[at - 1] as Event).time > time) at--
    this.events.splice(at, 0, event)
  }

  pop(): Event | undefined {
    return this.events.shift()
  }
}

function expectSamePop(queue: EventQueue, model: Model): void {
  const expected = model.pop()
  expect(queue.pop()).toBe(expected !== undefined)
  if (expected === undefined) return
  const { time, kind, a, b } = queue
  expect({ time, kind, a, b }).toEqual({
    time: expected.time,
    kind: expected.kind,
    a: expected.a,
    b: expected.b,
  })
}

/** One step: push a run of events with these distances from now, then pop so many. */
interface Step {
  readonly distances: readonly number[]
  readonly pops: number
}

/** Distances of all sizes, with many ties: what packets, timers and churn mix in one queue. */
const distance = fc.oneof(
  fc.constantFrom(0, 1, 1_000, 250_000),
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 100_000_000 }),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(1e12, NEVER),
  fc.integer({ min: -1_000, max: -1 }),
)
const steps = fc.array(
  fc.record({
    distances: fc.array(distance, { maxLength: 120 }),
    pops: fc.integer({ min: 0, max: 130 }),
  }),
  { maxLength: 30 },
)

function play(plan: readonly Step[]): void {
  const queue = new EventQueue()
  const model = new Model()
  let count = 1
  for (const { distances, pops } of plan) {
    for (const each of distances) {
      const time = each === NEVER ? NEVER : queue.time + each
      const [kind, a, b] = [count % 300, -count, count / 8]
      count++
      queue.push(time, kind, a, b)
      model.push(time, kind, a, b)
    }
    for (let pop = 0; pop < pops; pop++) {
      expect(queue.nextTime()).toBe(model.events[0]?.time ?? NEVER)
      expectSamePop(queue, model)
    }
    expect(queue.size).toBe(model.events.length)
  }
  while (model.events.length > 0) expectSamePop(queue, model)
  expect(queue.pop()).toBe(false)
}

describe('EventQueue', () => {
  it('does what a sorted list does', () => {
    fc.assert(fc.property(steps, play), { numRuns: byBudget(300, 20_000) })
  })

  it('keeps the order of pushing among equal times, however many', () => {
    const queue = new EventQueue()
    for (let index = 0; index < 20_000; index++) queue.push((index % 3) * 1e6, 1, index, 0)
    let last = -1
    let lastTime = -1
    for (let popped = 0; popped < 20_000; popped++) {
      expect(queue.pop()).toBe(true)
      expect(queue.time).toBeGreaterThanOrEqual(lastTime)
      if (queue.time === lastTime) expect(queue.a).toBeGreaterThan(last)
      last = queue.a
      lastTime = queue.time
    }
    expect(queue.size).toBe(0)
  })

  // Widths that break a calendar: almost all events in one of its buckets, at several scales at once.
  it.each([
    ['packets before far timers', (index: number) => (index % 1_000 === 0 ? 1e15 : 0) + (index % 97)],
    ['ever finer scales', (index: number) => 1 / (1 + (index % 50_000))],
    ['powers of two', (index: number) => 2 ** (index % 50)],
    ['descending', (index: number) => 1e9 - index],
  ])('sorts a hundred thousand: %s', (_name, timeOf) => {
    const queue = new EventQueue()
    const expected = Array.from({ length: 100_000 }, (_, index) => ({ time: timeOf(index), index }))
    for (const { time, index } of expected) queue.push(time, 0, index, 0)
    expected.sort((x, y) => x.time - y.time || x.index - y.index)
    const wrong = expected.findIndex(
      ({ time, index }) => !queue.pop() || queue.time !== time || queue.a !== index,
    )
    expect(wrong).toBe(-1)
  })

  it('holds a million events and keeps every payload through growth', () => {
    const queue = new EventQueue()
    const count = 1_000_000
    for (let index = 0; index < count; index++) {
      queue.push(Math.imul(index, 0x9e3779b1) >>> 0, index & 0x7fff, index, index + 0.5)
    }
    expect(queue.size).toBe(count)
    let last = -1
    let sum = 0
    let intact = true
    while (queue.pop()) {
      intact &&= queue.time >= last && queue.b === queue.a + 0.5 && queue.kind === (queue.a & 0x7fff)
      last = queue.time
      sum += queue.a
    }
    expect(intact).toBe(true)
    expect(sum).toBe((count * (count - 1)) / 2)
  })

  it('reuses its memory', () => {
    const queue = new EventQueue()
    for (let index = 0; index < 50_000; index++) queue.push(index * 7_919, 0, 0, 0)
    for (let hold = 0; hold < 200_000; hold++) {
      queue.pop()
      queue.push(queue.time + ((hold * 7_919) % 1_000_003), 0, 0, 0)
    }
    const { bytes } = queue
    for (let hold = 0; hold < 400_000; hold++) {
      queue.pop()
      queue.push(queue.time + ((hold * 7_919) % 1_000_003), 0, 0, 0)
    }
    expect(queue.bytes).toBe(bytes)
    expect(bytes).toBeLessThan(50_000 * 100)
  })

  it.each([
    ['time', [Number.NaN, 0, 0]],
    ['time', [Number.POSITIVE_INFINITY, 0, 0]],
    ['kind', [0, 0.5, 0]],
    ['first word', [0, 0, 2 ** 31]],
  ] as const)('refuses a wrong %s', (_what, [time, kind, a]) => {
    expect(() => new EventQueue().push(time, kind, a, 0)).toThrow(/an event needs a finite time/)
  })
})
