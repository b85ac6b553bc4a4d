import { describe, expect, it } from 'vitest'
import { MILLISECOND, NEVER, SECOND } from '../../core/io.ts'
import { type CompiledConditions, compileConditions, meanLoss } from '../../sim/links/conditions.ts'
import { DEAD_AFTER, DROP, Lane, LaneShared } from '../../sim/links/lane.ts'
import { type Random, Streams } from '../../sim/random.ts'
import { conditions } from '../../sim/scenario/links.ts'

const ONE_WAY = 20 * MILLISECOND
const BYTES = 250
/** Streams are seeded, so a run always gives the same; bounds are 4 standard deviations wide. */
const SIGMAS = 4

/** Conditions without jitter but for what is asked. */
function compiled(changes: object = {}): CompiledConditions {
  return compileConditions(conditions.parse({ jitter: { share: 0, correlation: 0 }, ...changes }))
}

function laneWith(changes: object = {}): Lane {
  return new Lane(ONE_WAY, new LaneShared(compiled(changes)))
}

function random(): Random {
  return new Streams(1).stream('lane')
}

/** Four standard deviations of a share p measured over n independent tries. */
function slack(p: number, n: number): number {
  return SIGMAS * Math.sqrt((p * (1 - p)) / n)
}

function correlation(values: readonly number[], lag: number): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  let product = 0
  let square = 0
  values.forEach((value, index) => {
    square += (value - mean) ** 2
    if (index >= lag) product += (value - mean) * ((values[index - lag] as number) - mean)
  })
  return product / square
}

const bernoulli = (probability: number) => ({ loss: { kind: 'bernoulli', probability } })

describe('a lane without conditions', () => {
  it('delivers both channels after the base delay and draws nothing', () => {
    const lane = laneWith()
    const draws = random()
    expect(lane.control(1_000, BYTES, draws)).toBe(1_000 + ONE_WAY)
    expect(lane.data(2_000, BYTES, draws)).toBe(1)
    expect(lane.first).toBe(2_000 + ONE_WAY)
    expect(lane.corrupted).toBe(false)
    expect(draws.u32()).toBe(random().u32())
  })
})

describe('jitter', () => {
  const share = 0.25

  function delays(rho: number, count: number): number[] {
    const lane = laneWith({ jitter: { share, correlation: rho } })
    const draws = random()
    return Array.from({ length: count }, (_, index) => {
      const now = index * SECOND
      lane.data(now, BYTES, draws)
      return lane.first - now - ONE_WAY
    })
  }

  it.each([0, 0.5, 0.8, 0.95])('has the mean, the deviation and the correlation %f', (rho) => {
    const count = 200_000
    const values = delays(rho, count)
    const scale = share * ONE_WAY
    // Neighbours tell the same, so fewer draws count in full.
    const error = SIGMAS * Math.sqrt((1 + rho) / (1 - rho) / count)
    const mean = values.reduce((sum, value) => sum + value, 0) / count
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count)
    expect(Math.min(...values.slice(0, 50_000))).toBeGreaterThanOrEqual(0)
    expect(Math.abs(mean / scale - 1)).toBeLessThan(error)
    expect(Math.abs(deviation / scale - 1)).toBeLessThan(2 * error)
    expect(Math.abs(correlation(values, 1) - rho)).toBeLessThan(0.02)
    expect(Math.abs(correlation(values, 2) - rho * rho)).toBeLessThan(0.03)
  })

  it('takes one draw for each message', () => {
    const draws = random()
    const lane = laneWith({ jitter: { share, correlation: 0.8 } })
    for (let index = 0; index < 100; index++) lane.data(index * SECOND, BYTES, draws)
    const fresh = random()
    for (let index = 0; index < 100; index++) fresh.u32()
    expect(draws.u32()).toBe(fresh.u32())
  })
})

describe('loss of datagrams', () => {
  it.each([0.001, 0.1, 0.6])('has the rate %f of Bernoulli trials', (probability) => {
    const lane = laneWith(bernoulli(probability))
    const draws = random()
    const count = 200_000
    let lost = 0
    for (let index = 0; index < count; index++) {
      if (lane.data(index, BYTES, draws) > 0) continue
      lost++
      expect(lane.dropReason).toBe(DROP.loss)
    }
    expect(Math.abs(lost / count - probability)).toBeLessThan(slack(probability, count))
  })

  it('comes in bursts of the stated lengths', () => {
    const lane = laneWith({
      loss: { kind: 'gilbert-elliott', goodMillis: 900, badMillis: 100, goodLoss: 0, badLoss: 1 },
    })
    const draws = random()
    const count = 2_000_000
    let [lost, bursts, previous] = [0, 0, 1]
    for (let index = 0; index < count; index++) {
      const copies = lane.data(index * MILLISECOND, BYTES, draws)
      if (copies === 0) lost++
      if (copies === 0 && previous > 0) bursts++
      previous = copies
    }
    // 2,000 cycles of a second: both figures are good to some per cent.
    expect(lost / count).toBeGreaterThan(0.09)
    expect(lost / count).toBeLessThan(0.11)
    // Looking each millisecond misses the shortest gaps: (1 - e^-dt/100) leaves 100.5 looks on average.
    expect(lost / bursts).toBeGreaterThan(92)
    expect(lost / bursts).toBeLessThan(109)
  })

  it('forgets its state in silence and keeps the mean rate', () => {
    const spec = { kind: 'gilbert-elliott', goodMillis: 300, badMillis: 100, goodLoss: 0.01, badLoss: 0.5 }
    const lane = laneWith({ loss: spec })
    const draws = random()
    const count = 100_000
    const losses = Array.from({ length: count }, (_, index) =>
      lane.data(index * 10 * SECOND, BYTES, draws) === 0 ? 1 : 0,
    )
    const expected = meanLoss(compiled({ loss: spec }))
    expect(expected).toBeCloseTo(0.1325, 12)
    const rate = losses.reduce<number>((sum, value) => sum + value, 0) / count
    expect(Math.abs(rate - expected)).toBeLessThan(slack(expected, count))
    expect(Math.abs(correlation(losses, 1))).toBeLessThan(SIGMAS / Math.sqrt(count))
  })

  it('adds what the lane itself loses', () => {
    const lane = laneWith(bernoulli(0.1))
    lane.addLoss(0.5)
    const draws = random()
    const count = 100_000
    let lost = 0
    for (let index = 0; index < count; index++) if (lane.data(index, BYTES, draws) === 0) lost++
    expect(Math.abs(lost / count - 0.55)).toBeLessThan(slack(0.55, count))
  })
})

describe('the control channel under loss', () => {
  it('stays in order and loses nothing', () => {
    // One in 10^9 messages fails seven times in 10 s and takes the lane with it.
    const lane = laneWith({ ...bernoulli(0.05), jitter: { share: 0.5, correlation: 0.5 }, reorder: 0.1 })
    const draws = random()
    let last = 0
    for (let index = 0; index < 20_000; index++) {
      const now = index * 50 * MILLISECOND
      const at = lane.control(now, BYTES, draws)
      expect(at).toBeGreaterThanOrEqual(Math.max(last, now + ONE_WAY))
      last = at
    }
    expect(lane.deadAt).toBe(NEVER)
  })

  it.each([
    [20 * MILLISECOND, 200 * MILLISECOND],
    [100 * MILLISECOND, 400 * MILLISECOND],
  ])('with %i µs one way sends again after %i µs, doubling', (oneWay, wait) => {
    const shared = new LaneShared(compiled(bernoulli(0.3)))
    const draws = random()
    const count = 50_000
    const times = new Map<number, number>()
    for (let index = 0; index < count; index++) {
      const late = new Lane(oneWay, shared).control(0, BYTES, draws) - oneWay
      times.set(late, (times.get(late) ?? 0) + 1)
    }
    for (const [tries, late] of [0, wait, 3 * wait, 7 * wait].entries()) {
      const share = 0.7 * 0.3 ** tries
      expect(Math.abs((times.get(late) ?? 0) / count - share)).toBeLessThan(slack(share, count))
    }
  })

  it('holds later messages up behind a lost one, and data does not wait for control', () => {
    const shared = new LaneShared(compiled(bernoulli(0.5)))
    const draws = random()
    let lane = new Lane(ONE_WAY, shared)
    let head = lane.control(0, BYTES, draws)
    while (head === ONE_WAY || head === NEVER) {
      lane = new Lane(ONE_WAY, shared)
      head = lane.control(0, BYTES, draws)
    }
    shared.conditions = compiled()
    expect(lane.control(1, BYTES, draws)).toBe(head)
    expect(lane.data(1, BYTES, draws)).toBe(1)
    expect(lane.first).toBe(1 + ONE_WAY)
    expect(lane.control(head, BYTES, draws)).toBe(head + ONE_WAY)
  })

  it('makes the last attempt when 10 s are up', () => {
    const shared = new LaneShared(compiled(bernoulli(0.8)))
    const draws = random()
    const count = 20_000
    const seconds = [0, 0.2, 0.6, 1.4, 3, 6.2, 10]
    const late = Array.from({ length: count }, () => new Lane(ONE_WAY, shared).control(0, BYTES, draws))
    expect([...new Set(late)].sort((a, b) => a - b)).toEqual([
      ...seconds.map((at) => at * SECOND + ONE_WAY),
      NEVER,
    ])
    const dead = late.filter((at) => at === NEVER).length / count
    expect(Math.abs(dead - 0.8 ** seconds.length)).toBeLessThan(slack(0.8 ** seconds.length, count))
  })

  it('does not tell packets of now what later attempts saw', () => {
    const spec = { kind: 'gilbert-elliott', goodMillis: 1_000, badMillis: 1_000, goodLoss: 0, badLoss: 1 }
    const shared = new LaneShared(compiled({ loss: spec }))
    const draws = random()
    let held = 0
    for (let index = 0; index < 1_000; index++) {
      const lane = new Lane(ONE_WAY, shared)
      if (lane.control(SECOND, BYTES, draws) === SECOND + ONE_WAY) continue
      held++
      // The path was bad at that instant, so it still is.
      expect(lane.data(SECOND + 1, BYTES, draws)).toBe(0)
    }
    expect(held).toBeGreaterThan(400)
  })

  it('is dead after 10 s without success; datagrams are not', () => {
    const shared = new LaneShared(compiled(bernoulli(1)))
    const lane = new Lane(ONE_WAY, shared)
    const draws = random()
    expect(lane.control(SECOND, BYTES, draws)).toBe(NEVER)
    expect(lane.deadAt).toBe(SECOND + DEAD_AFTER)
    shared.conditions = compiled()
    expect(lane.control(2 * SECOND, BYTES, draws)).toBe(NEVER)
    expect(lane.data(2 * SECOND, BYTES, draws)).toBe(1)
    shared.conditions = compiled({ data: 'stream' })
    expect(lane.data(2 * SECOND, BYTES, draws)).toBe(0)
    expect(lane.dropReason).toBe(DROP.dead)
  })

  it('counts corruption as loss', () => {
    const shared = new LaneShared(compiled({ corrupt: 0.3 }))
    const draws = random()
    const count = 20_000
    let late = 0
    for (let index = 0; index < count; index++) {
      if (new Lane(ONE_WAY, shared).control(0, BYTES, draws) > ONE_WAY) late++
    }
    expect(Math.abs(late / count - 0.3)).toBeLessThan(slack(0.3, count))
  })
})
