import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { MILLISECOND, REACHABILITY, type Reachability, SECOND } from '../../core/io.ts'
import { DIAL_TIMEOUT, DialModel, TARGET } from '../../sim/links/dial.ts'
import { DialGraph } from '../../sim/links/graph.ts'
import { latencyModel } from '../../sim/links/latency.ts'
import { Streams } from '../../sim/random.ts'

const ONE_WAY = 25 * MILLISECOND
const ROUND_TRIP = 2 * ONE_WAY
const { public: open, punchable, private: closed } = REACHABILITY

function dials(seed = 1, graph?: DialGraph): DialModel {
  const streams = new Streams(seed)
  const latency = latencyModel({ kind: 'constant', oneWayMillis: 25 }, 1_000, streams)
  return new DialModel({ latency, streams, graph })
}

function random(name = 'links/1') {
  return new Streams(1).stream(name)
}

/** Share of pairs of nodes between which a dial succeeds. */
function share(from: Reachability, to: Reachability, count: number): number {
  const model = dials()
  const draws = random()
  let ok = 0
  for (let node = 1; node <= count; node++) if (model.plan(0, node, from, to, TARGET.answers, draws).ok) ok++
  return ok / count
}

describe('who reaches whom', () => {
  it.each([
    [open, open, 1],
    [open, punchable, 1],
    [open, closed, 0],
    [punchable, open, 1],
    [punchable, closed, 0],
    [closed, open, 1],
    [closed, closed, 0],
  ])('class %i to class %i: share %f', (from, to, expected) => {
    expect(share(from, to, 100)).toBe(expected)
  })

  it.each([
    [punchable, 0.7],
    [closed, 0.35],
  ])('class %i punches to a punchable node with share %f', (from, expected) => {
    const count = 10_000
    const error = 4 * Math.sqrt((expected * (1 - expected)) / count)
    expect(Math.abs(share(from, punchable, count) - expected)).toBeLessThan(error)
  })

  it('is a property of the pair: the same each time and from either end', () => {
    const model = dials()
    let [able, unable] = [0, 0]
    for (let node = 1; node < 200; node++) {
      const reaches = model.reaches(0, node, punchable, punchable)
      if (reaches) able++
      else unable++
      expect(model.reaches(node, 0, punchable, punchable)).toBe(reaches)
      expect(model.reaches(0, node, punchable, punchable)).toBe(reaches)
    }
    expect([able > 0, unable > 0]).toEqual([true, true])
  })

  it('needs a relay unless the target is public', () => {
    const model = dials()
    expect(model.plan(0, 1, open, punchable, TARGET.answers, random(), false)).toEqual({
      ok: false,
      duration: DIAL_TIMEOUT,
    })
    expect(model.plan(0, 1, closed, open, TARGET.answers, random(), false).ok).toBe(true)
  })
})

describe('how long a dial takes', () => {
  it('is 3 to 4 round trips and 5 ms, two more through a relay', () => {
    const model = dials()
    const draws = random()
    const direct: number[] = []
    const relayed: number[] = []
    for (let index = 0; index < 1_000; index++) {
      direct.push(model.plan(0, 1, open, open, TARGET.answers, draws).duration)
      relayed.push(model.plan(0, 1, open, punchable, TARGET.answers, draws).duration)
    }
    expect(Math.min(...direct)).toBeGreaterThanOrEqual(3 * ROUND_TRIP + 5 * MILLISECOND)
    expect(Math.max(...direct)).toBeLessThanOrEqual(4 * ROUND_TRIP + 5 * MILLISECOND)
    expect(Math.max(...direct) - Math.min(...direct)).toBeGreaterThan(0.95 * ROUND_TRIP)
    expect(Math.min(...relayed)).toBeGreaterThanOrEqual(5 * ROUND_TRIP + 5 * MILLISECOND)
    expect(Math.max(...relayed)).toBeLessThanOrEqual(6 * ROUND_TRIP + 5 * MILLISECOND)
  })

  it('is a round trip to be refused, and the timeout where nobody answers', () => {
    const model = dials()
    const failure = (to: number, reach: Reachability, target: 0 | 1) =>
      model.plan(0, to, open, reach, target, random())
    expect(failure(1, open, TARGET.refuses)).toEqual({ ok: false, duration: ROUND_TRIP })
    expect(failure(1, punchable, TARGET.refuses)).toEqual({ ok: false, duration: DIAL_TIMEOUT })
    expect(failure(1, open, TARGET.gone)).toEqual({ ok: false, duration: DIAL_TIMEOUT })
    expect(failure(-1, open, TARGET.gone)).toEqual({ ok: false, duration: DIAL_TIMEOUT })
  })

  it('grows with loss, up to the timeout', () => {
    const model = dials()
    const draws = random()
    model.loss = 0.1
    const count = 5_000
    const plans = Array.from({ length: count }, () => model.plan(0, 1, open, open, TARGET.answers, draws))
    // An exchange fails when either packet does: 19 %; a first failure costs a second.
    const late = plans.filter(({ ok, duration }) => !ok || duration > SECOND).length / count
    expect(Math.abs(late - 0.19)).toBeLessThan(4 * Math.sqrt((0.19 * 0.81) / count))
    expect(Math.max(...plans.map(({ duration }) => duration))).toBe(DIAL_TIMEOUT)
    for (const { ok, duration } of plans) expect(ok).toBe(duration < DIAL_TIMEOUT)
  })

  it('repeats itself from the seed', () => {
    const durations = (seed: number) => {
      const draws = new Streams(seed).stream('links/0')
      const model = dials(seed)
      return Array.from({ length: 50 }, (_, node) =>
        model.plan(0, node + 1, punchable, punchable, TARGET.answers, draws),
      )
    }
    expect(durations(4)).toEqual(durations(4))
    expect(durations(4)).not.toEqual(durations(5))
  })
})

describe('a fixed graph', () => {
  const graph = new DialGraph(5, [
    [0, 1],
    [1, 2],
    [3, 1],
    [2, 1],
    [4, 4],
  ])

  it('knows its edges both ways, once each', () => {
    expect([...graph.neighbours(1)]).toEqual([0, 2, 3])
    expect([...graph.neighbours(2)]).toEqual([1])
    expect([...graph.neighbours(4)]).toEqual([])
    for (let a = 0; a < 5; a++) {
      for (let b = 0; b < 5; b++) expect(graph.has(a, b)).toBe([...graph.neighbours(a)].includes(b))
    }
  })

  it('refuses an edge into nothing', () => {
    expect(() => new DialGraph(2, [[0, 2]])).toThrow(UsageError)
  })

  it('limits who can be dialled, at once', () => {
    const model = dials(1, graph)
    expect(model.plan(0, 1, open, open, TARGET.answers, random()).ok).toBe(true)
    expect(model.plan(0, 2, open, open, TARGET.answers, random())).toEqual({
      ok: false,
      duration: MILLISECOND,
    })
  })
})
