import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../core/io.ts'
import { afterWorking } from '../../sim/churn/daily.ts'
import { type ChurnModel, fittedChurn } from '../../sim/churn/fitted.ts'
import { diurnal, flashCrowd, rollingRestart } from '../../sim/churn/patterns.ts'
import { CHURN_PRESETS, type ChurnPresetName } from '../../sim/churn/presets.ts'
import { type Churn, LEAST_STAY, type Transition } from '../../sim/churn/schedule.ts'
import { SKYPE_DITHER_SECONDS, traceChurn } from '../../sim/churn/trace.ts'
import { type AvailabilityTrace, readAvt } from '../../sim/data/avt.ts'
import { Streams } from '../../sim/random.ts'
import { ksDistance, quantile } from '../../sim/statistics.ts'
import { requires } from '../support/requirements.ts'

const MANNER = { gracefulShare: 0.5, newIdentityShare: 0 }
/** Of the Skype trace. */
const SKYPE_NODES = 2_081
const SKYPE_SECONDS = 2_478_200

function all(churn: Churn): Transition[][] {
  return Array.from({ length: churn.nodes }, (_, node) => churn.schedule(node))
}

/** What every schedule promises. */
function expectOrderly(churn: Churn, seconds: number): void {
  for (const [node, list] of all(churn).entries()) {
    for (const [index, each] of list.entries()) {
      expect(each.node).toBe(node)
      expect(each.up).toBe(index % 2 === 0)
      expect(Number.isSafeInteger(each.at)).toBe(true)
      expect(each.at).toBeGreaterThanOrEqual(0)
      expect(each.at).toBeLessThan(seconds * SECOND)
      const before = list[index - 1]
      if (before !== undefined) expect(each.at - before.at).toBeGreaterThanOrEqual(LEAST_STAY)
    }
  }
}

/** On and off times in seconds, closed at the end of the run. */
function intervals(churn: Churn, seconds: number): number[][] {
  return all(churn).map((list) => {
    const times = list.map(({ at }) => at / SECOND)
    return times.length % 2 === 0 ? times : [...times, seconds]
  })
}

interface Population {
  readonly availability: number[]
  readonly stayHours: number[]
  readonly gapHours: number[]
  readonly sessions: number[]
  /** Nodes on, every ten minutes. */
  readonly online: number[]
}

function measure(nodes: readonly ArrayLike<number>[], seconds: number): Population {
  const stayHours: number[] = []
  const gapHours: number[] = []
  const step = 600
  const online = new Array<number>(Math.floor(seconds / step)).fill(0)
  const availability = nodes.map((times) => {
    let on = 0
    for (let index = 0; index < times.length; index += 2) {
      const [from, to] = [times[index] as number, times[index + 1] as number]
      on += to - from
      stayHours.push((to - from) / 3_600)
      if (index > 0) gapHours.push((from - (times[index - 1] as number)) / 3_600)
      for (let slot = Math.ceil(from / step); slot * step < to && slot < online.length; slot++) {
        online[slot] = (online[slot] as number) + 1
      }
    }
    return on / seconds
  })
  return { availability, stayHours, gapHours, sessions: nodes.map((times) => times.length / 2), online }
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const at = (values: readonly number[], share: number) => quantile(Float64Array.from(values).sort(), share)

/** Correlation of the logarithms of successive stays of a node. */
function stayCorrelation(nodes: readonly ArrayLike<number>[]): number {
  const pairs: [number, number][] = []
  for (const times of nodes) {
    const logs: number[] = []
    for (let index = 0; index < times.length; index += 2) {
      logs.push(Math.log((times[index + 1] as number) - (times[index] as number)))
    }
    for (let index = 1; index < logs.length; index++)
      pairs.push([logs[index - 1] as number, logs[index] as number])
  }
  const [mx, my] = [mean(pairs.map(([x]) => x)), mean(pairs.map(([, y]) => y))]
  const product = mean(pairs.map(([x, y]) => (x - mx) * (y - my)))
  const [vx, vy] = [mean(pairs.map(([x]) => (x - mx) ** 2)), mean(pairs.map(([, y]) => (y - my) ** 2))]
  return product / Math.sqrt(vx * vy)
}

/** Half the distance between the fullest and the emptiest hour of the day, over the mean. */
function dailySwing(online: readonly number[]): number {
  const hours = Array.from({ length: 24 }, (_, hour) => {
    return mean(online.filter((_count, slot) => Math.floor(slot / 6) % 24 === hour))
  })
  return (Math.max(...hours) - Math.min(...hours)) / 2 / mean(online)
}

function skype(seed: number): Churn {
  return fittedChurn({
    ...MANNER,
    model: CHURN_PRESETS['skype-2005'].model,
    streams: new Streams(seed),
    nodes: SKYPE_NODES,
    seconds: SKYPE_SECONDS,
    compress: 1,
  })
}

describe('the Skype preset', () => {
  const nodes = [1, 2, 3].flatMap((seed) => intervals(skype(seed), SKYPE_SECONDS))
  const made = measure(nodes, SKYPE_SECONDS)

  it('has the availability of its nodes: mean 0.33, median 0.23, 95th percentile 0.97', () => {
    expect(Math.abs(mean(made.availability) - 0.332)).toBeLessThan(0.02)
    expect(Math.abs(at(made.availability, 0.5) - 0.229)).toBeLessThan(0.05)
    expect(Math.abs(at(made.availability, 0.95) - 0.972)).toBeLessThan(0.02)
  })

  it('has its sessions and gaps', () => {
    expect(Math.abs(mean(made.sessions) - 14.04)).toBeLessThan(1)
    expect(Math.abs(mean(made.stayHours) - 16.27)).toBeLessThan(1.2)
    expect(Math.abs(at(made.stayHours, 0.5) - 5.1)).toBeLessThan(0.6)
    expect(Math.abs(mean(made.gapHours) - 14.31)).toBeLessThan(1.2)
    expect(Math.abs(stayCorrelation(nodes) - 0.45)).toBeLessThan(0.05)
  })

  it('has its day: a swing of about 11 % of the number online', () => {
    expect(Math.abs(dailySwing(made.online) - 0.11)).toBeLessThan(0.035)
  })

  it('begins as it goes on: as many online in the first hour as on the first days', () => {
    const first = mean(made.online.slice(0, 6))
    // The same hour of the next three days, so that the daily cycle cancels.
    const later = mean([1, 2, 3].flatMap((day) => made.online.slice(day * 144, day * 144 + 6)))
    expect(Math.abs(first / later - 1)).toBeLessThan(0.06)
  })

  const data = requires.data()
  describe.skipIf(!data)('beside the trace', () => {
    const read = () => readFileSync(join(data as string, 'churn-skype-2005/SKYPE.avt'), 'utf8')

    it('differs little: Kolmogorov distances', () => {
      const real = measure(readAvt(read(), 'SKYPE.avt').intervals, SKYPE_SECONDS)
      expect(ksDistance(made.availability, real.availability)).toBeLessThan(0.1)
      expect(ksDistance(made.stayHours, real.stayHours)).toBeLessThan(0.08)
      expect(ksDistance(made.sessions, real.sessions)).toBeLessThan(0.07)
      // The probe grid: a fifth of the gaps are one probe long, which no continuous distribution has.
      expect(ksDistance(made.gapHours, real.gapHours)).toBeLessThan(0.2)
      expect(Math.abs(mean(made.online) / 3 / mean(real.online) - 1)).toBeLessThan(0.06)
    })

    it('is played from the trace itself, spread over the probing interval', () => {
      const trace = readAvt(read(), 'SKYPE.avt')
      const options = {
        ...MANNER,
        trace,
        nodes: SKYPE_NODES,
        fromSeconds: 864_000,
        seconds: 21_600,
        compress: 1,
      }
      const instants = (ditherSeconds: number) => {
        const churn = traceChurn({ ...options, streams: new Streams(1), ditherSeconds })
        expectOrderly(churn, 21_600)
        const times = all(churn).flatMap((list) => list.filter((each) => each.at > 0).map(({ at }) => at))
        return { events: times.length, distinct: new Set(times).size }
      }
      const raw = instants(0)
      const spread = instants(SKYPE_DITHER_SECONDS)
      expect(raw.distinct).toBeLessThan(20)
      expect(raw.events).toBeGreaterThan(250)
      expect(spread.distinct).toBeGreaterThan(0.99 * spread.events)
      expect(Math.abs(spread.events / raw.events - 1)).toBeLessThan(0.25)
    })
  })
})

describe('every preset', () => {
  it.each(Object.keys(CHURN_PRESETS) as ChurnPresetName[])('%s plays, and starts in its balance', (name) => {
    const { model, source } = CHURN_PRESETS[name]
    expect(source.length).toBeGreaterThan(20)
    const hours = 6
    const options = { ...MANNER, model, nodes: 1_000, seconds: hours * 3_600, compress: 1 }
    const churn = fittedChurn({ ...options, streams: new Streams(1) })
    expectOrderly(churn, hours * 3_600)
    const { online } = measure(intervals(churn, hours * 3_600), hours * 3_600)
    const [start, end] = [mean(online.slice(0, 6)), mean(online.slice(-6))]
    expect(start).toBeGreaterThan(100)
    expect(Math.abs(end - start)).toBeLessThan(80)
  })
})

const PLAIN: ChurnModel = {
  on: { hours: { kind: 'exponential', mean: 2 }, nodeShare: 0, correlation: 0 },
  off: { hours: { kind: 'exponential', mean: 3 }, nodeShare: 0, correlation: 0 },
  balance: 0,
  alwaysShare: 0,
  onceShare: 0,
  onceHours: { kind: 'constant', value: 1 },
  bornShare: 0,
  spanHours: 0,
  lifetimeHours: undefined,
  daily: undefined,
}

function plain(changes: Partial<ChurnModel>, seconds = 360_000, nodes = 1_000): Churn {
  const model = { ...PLAIN, ...changes }
  return fittedChurn({ ...MANNER, model, nodes, seconds, compress: 1, streams: new Streams(9) })
}

describe('a fitted model', () => {
  it('without differences is a renewal process', () => {
    const made = measure(intervals(plain({}), 360_000), 360_000)
    expect(Math.abs(mean(made.availability) - 0.4)).toBeLessThan(0.01)
    expect(Math.abs(mean(made.stayHours) - 2)).toBeLessThan(0.1)
    expect(Math.abs(mean(made.gapHours) - 3)).toBeLessThan(0.1)
  })

  it.each([
    ['weibull', { kind: 'weibull', shape: 0.6, scale: 4 }],
    ['gamma', { kind: 'gamma', shape: 2, scale: 2 }],
    ['pareto', { kind: 'pareto', minimum: 1, alpha: 3 }],
  ] as const)('keeps the fit of all stays together however nodes differ: %s', (_name, hours) => {
    const on = { hours, nodeShare: 0.5, correlation: 0.6 }
    const play = (on: ChurnModel['on']) => intervals(plain({ on }, 3e6, 500), 3e6)
    const [even, uneven] = [play({ hours, nodeShare: 0, correlation: 0 }), play(on)]
    const [evenly, unevenly] = [measure(even, 3e6), measure(uneven, 3e6)]
    expect(ksDistance(evenly.stayHours, unevenly.stayHours)).toBeLessThan(0.03)
    const spread = ({ availability }: Population) => at(availability, 0.9) - at(availability, 0.1)
    expect(spread(unevenly)).toBeGreaterThan(2 * spread(evenly))
    expect(Math.abs(stayCorrelation(uneven) - 0.6)).toBeLessThan(0.12)
  })

  it('has classes of nodes', () => {
    const always = all(plain({ alwaysShare: 1 }))
    expect(always.every((list) => list.length === 1 && list[0]?.at === 0 && list[0].up)).toBe(true)
    const once = all(plain({ onceShare: 1, spanHours: 100 }))
    expect(once.every((list) => list.length <= 2)).toBe(true)
    expect(once.filter((list) => list.length === 2).length).toBeGreaterThan(900)
    // A run of a tenth of the time sees a tenth of them.
    const tenth = all(plain({ onceShare: 1, spanHours: 1_000 })).filter((list) => list.length > 0)
    expect(Math.abs(tenth.length - 100)).toBeLessThan(40)
  })

  it('lets nodes be born and die', () => {
    const { online } = measure(intervals(plain({ lifetimeHours: 50 }), 360_000), 360_000)
    expect(Math.abs(mean(online.slice(-30)) / mean(online.slice(0, 30)) - Math.exp(-95 / 50))).toBeLessThan(
      0.05,
    )
    const born = measure(intervals(plain({ bornShare: 1, spanHours: 100 }), 360_000), 360_000)
    expect(mean(born.online.slice(0, 6))).toBeLessThan(30)
    expect(mean(born.online.slice(-30))).toBeGreaterThan(330)
  })

  it('is quicker when compressed: the same life in less time', () => {
    const options = { ...MANNER, model: PLAIN, nodes: 50, streams: new Streams(1) }
    const slow = all(fittedChurn({ ...options, seconds: 36_000, compress: 1 }))
    const fast = all(fittedChurn({ ...options, seconds: 3_600, compress: 10 }))
    const scaledDown = slow.map((list) => list.map(({ at }) => Math.round(at / 10)))
    const distances = fast.flatMap((list, node) =>
      list.map(({ at }, index) => at - (scaledDown[node]?.[index] ?? -1)),
    )
    expect(distances.length).toBeGreaterThan(100)
    // Stays below a second are stretched, which shifts what follows.
    expect(Math.max(...distances.map(Math.abs))).toBeLessThan(10 * SECOND)
  })

  it('gives a node the same life whoever asks, how often, and however many others there are', () => {
    const few = plain({}, 36_000, 10)
    const many = plain({}, 36_000, 1_000)
    many.schedule(900)
    expect(many.schedule(7)).toEqual(few.schedule(7))
    expect(many.schedule(7)).toEqual(many.schedule(7))
    expect(many.schedule(8)).not.toEqual(many.schedule(7))
  })

  it('leaves and returns in the manner asked for', () => {
    const manner = { gracefulShare: 0.25, newIdentityShare: 0.4 }
    const options = { model: PLAIN, nodes: 500, seconds: 360_000, compress: 1, streams: new Streams(1) }
    const lists = all(fittedChurn({ ...options, ...manner }))
    const downs = lists.flatMap((list) => list.filter(({ up }) => !up))
    const returns = lists.flatMap((list) => list.filter(({ up }) => up).slice(1))
    expect(downs.filter(({ graceful }) => graceful).length / downs.length).toBeCloseTo(0.25, 1)
    expect(returns.filter(({ sameIdentity }) => !sameIdentity).length / returns.length).toBeCloseTo(0.4, 1)
    expect(lists.every((list) => list[0]?.sameIdentity !== false)).toBe(true)
    // The manner changes no times.
    const others = all(fittedChurn({ ...options, ...MANNER }))
    expect(others.map((list) => list.map(({ at }) => at))).toEqual(
      lists.map((list) => list.map(({ at }) => at)),
    )
  })

  it('names mistakes', () => {
    const options = { ...MANNER, model: PLAIN, nodes: 5, seconds: 10, compress: 1, streams: new Streams(1) }
    expect(() => fittedChurn({ ...options, compress: 0 })).toThrow(/compress is 0; it must be .* above 0/)
    expect(() => fittedChurn({ ...options, gracefulShare: 2 })).toThrow(
      /gracefulShare is 2; a share is 0 to 1/,
    )
    expect(() => fittedChurn(options).schedule(5)).toThrow(/there is no node 5; nodes are numbered 0 to 4/)
    const on = { ...PLAIN.on, nodeShare: 0.5, correlation: 0.2 }
    expect(() => fittedChurn({ ...options, model: { ...PLAIN, on } })).toThrow(
      /on\.correlation is 0\.2.*0\.5/,
    )
    const negative: ChurnModel = { ...PLAIN, on: { ...PLAIN.on, hours: { kind: 'exponential', mean: -1 } } }
    expect(() => fittedChurn({ ...options, model: negative })).toThrow(/on\.hours\.mean: -1 must be above 0/)
  })
})

describe('the clock of the day', () => {
  const daily = { depth: 0.5, peakHour: 9 }

  it('keeps the right time over whole days', () => {
    for (const up of [true, false]) expect(afterWorking(daily, 5, 48, up)).toBeCloseTo(53, 9)
  })

  it('is fast for absences at the peak, and slow for stays', () => {
    expect(afterWorking(daily, 8.5, 1, false)).toBeCloseTo(8.5 + 1 / 1.5, 1)
    expect(afterWorking(daily, 8.5, 1, true)).toBeCloseTo(8.5 + 1 / 0.5, 0)
    expect(afterWorking(daily, 21, 1, false)).toBeGreaterThan(22.5)
  })

  it('solves its own integral, in parts as well as at once', () => {
    for (const up of [true, false]) {
      for (const [from, length] of [
        [0, 3],
        [17.3, 40],
        [1_000.7, 0.01],
      ] as const) {
        const half = afterWorking(daily, from, length / 2, up)
        expect(afterWorking(daily, half, length / 2, up)).toBeCloseTo(
          afterWorking(daily, from, length, up),
          9,
        )
      }
    }
  })

  it('can be left out', () => {
    expect(afterWorking(undefined, 3, 4, true)).toBe(7)
  })
})

describe('a trace', () => {
  const trace: AvailabilityTrace = readAvt('aa 2 0 100 200 1000\nbb 1 300 600\ncc 1 50 150\n', 'tiny.avt')
  const options = {
    ...MANNER,
    trace,
    nodes: 3,
    fromSeconds: 0,
    seconds: 1_000,
    compress: 1,
    ditherSeconds: 0,
  }
  const play = (changes: object) => all(traceChurn({ ...options, streams: new Streams(1), ...changes }))
  const times = (list: readonly Transition[] | undefined) => list?.map(({ at }) => at / SECOND)

  it('is played as it is without dither', () => {
    const lists = play({})
    expect(lists.map(times)).toEqual([
      [0, 100, 200],
      [300, 600],
      [50, 150],
    ])
    expect(lists[0]?.map(({ up }) => up)).toEqual([true, false, true])
  })

  it('is cut to a window, who is on then comes up at its start', () => {
    expect(play({ fromSeconds: 320, seconds: 300 }).map(times)).toEqual([[0], [0, 280], []])
  })

  it('is compressed', () => {
    expect(play({ compress: 20, seconds: 50 }).map(times)).toEqual([
      [0, 5, 10],
      [15, 30],
      [2.5, 7.5],
    ])
  })

  it('is moved by the dither alone, in order and not at its ends', () => {
    const lists = play({ ditherSeconds: 90 })
    const [first, second] = lists
    expect(first?.[0]?.at).toBe(0)
    const moved = times(second) as number[]
    expect(moved).not.toEqual([300, 600])
    expect(Math.abs((moved[0] as number) - 300)).toBeLessThanOrEqual(90)
    expect(Math.abs((moved[1] as number) - 600)).toBeLessThanOrEqual(90)
    // The window does not change where a transition has moved to.
    const windowed = play({ ditherSeconds: 90, fromSeconds: 200, seconds: 700 })
    expect((times(windowed[1]) as number[]).map((time) => time + 200)).toEqual(
      moved.map((time) => expect.closeTo(time, 5)),
    )
  })

  it('stays in order under a dither far larger than its stays', () => {
    for (let seed = 0; seed < 50; seed++) {
      expectOrderly(traceChurn({ ...options, streams: new Streams(seed), ditherSeconds: 5_000 }), 1_000)
    }
  })

  it.each([
    [{ nodes: 4 }, /tiny\.avt has 3 nodes, and nodes\.count is 4; take fewer/],
    [{ fromSeconds: 500, seconds: 600 }, /^tiny\.avt ends at 1000 s, and seconds .* is 500 to 1100 s;/],
    [{ ditherSeconds: -1 }, /ditherSeconds is -1; it must not be negative/],
  ])('refuses %j', (changes, message) => {
    expect(() => play(changes)).toThrow(message)
  })
})

describe('patterns', () => {
  const base = { ...MANNER, streams: new Streams(4), nodes: 2_000, seconds: 600 }

  it('a flash crowd joins within its time, evenly or in a burst', () => {
    const joins = (shape: 'uniform' | 'exponential') => {
      const churn = flashCrowd({ ...base, atSeconds: 100, withinSeconds: 60, shape })
      expectOrderly(churn, 600)
      return all(churn).map((list) => (list[0] as Transition).at / SECOND)
    }
    for (const shape of ['uniform', 'exponential'] as const) {
      expect(Math.min(...joins(shape))).toBeGreaterThanOrEqual(100)
      expect(Math.max(...joins(shape))).toBeLessThanOrEqual(160)
    }
    const within = (times: number[], seconds: number) =>
      times.filter((time) => time < 100 + seconds).length / 2_000
    expect(within(joins('uniform'), 20)).toBeCloseTo(1 / 3, 1)
    expect(within(joins('exponential'), 20)).toBeCloseTo((1 - Math.exp(-1)) / (1 - Math.exp(-3)), 1)
  })

  it('a flash crowd may leave again', () => {
    const stay = { kind: 'constant', value: 30 } as const
    const churn = flashCrowd({ ...base, atSeconds: 0, withinSeconds: 60, shape: 'uniform', stay })
    for (const list of all(churn)) expect((list[1]?.at ?? 0) - (list[0]?.at ?? 0)).toBe(30 * SECOND)
  })

  it('a rolling restart takes each node down once, batch by batch', () => {
    const options = { atSeconds: 50, everySeconds: 2, downSeconds: 5, batch: 10 }
    const churn = rollingRestart({ ...base, nodes: 100, ...options })
    expectOrderly(churn, 600)
    const lists = all(churn)
    expect(lists.every((list) => list.length === 3 && list[0]?.at === 0)).toBe(true)
    const downs = new Map<number, number>()
    for (const list of lists) downs.set(list[1]?.at as number, (downs.get(list[1]?.at as number) ?? 0) + 1)
    expect([...downs.keys()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 10 }, (_, batch) => (50 + 2 * batch) * SECOND),
    )
    expect([...downs.values()]).toEqual(new Array(10).fill(10))
    // Not simply by number.
    expect(lists.slice(0, 10).every((list) => list[1]?.at === 50 * SECOND)).toBe(false)
    expect(() => rollingRestart({ ...base, ...options, batch: 0 })).toThrow(/batch is 0/)
  })

  it('a day comes and goes', () => {
    const day = {
      daySeconds: 600,
      upShare: 0.4,
      peakSeconds: 300,
      nodeSpreadSeconds: 40,
      daySpreadSeconds: 10,
    }
    const churn = diurnal({ ...base, ...day, seconds: 1_800, nodes: 500 })
    expectOrderly(churn, 1_800)
    const times = intervals(churn, 1_800)
    const onAt = (second: number) => {
      return times.filter((list) =>
        list.some((from, index) => index % 2 === 0 && from <= second && second < (list[index + 1] as number)),
      ).length
    }
    for (const start of [0, 600, 1_200]) {
      expect(onAt(start + 300)).toBeGreaterThan(480)
      expect(onAt(start + 1)).toBeLessThan(20)
    }
    expect(mean(measure(times, 1_800).availability)).toBeCloseTo(0.4, 1)
  })

  it('a day may be cut by midnight', () => {
    const day = { daySeconds: 600, upShare: 0.5, peakSeconds: 0, nodeSpreadSeconds: 0, daySpreadSeconds: 0 }
    const churn = diurnal({ ...base, ...day, nodes: 3, seconds: 1_200 })
    expect(churn.schedule(0).map(({ at }) => at / SECOND)).toEqual([0, 150, 450, 750, 1_050])
  })
})
