import { describe, expect, it } from 'vitest'
import { CHANNEL, MILLISECOND, SECOND } from '../../core/io.ts'
import { type CompiledConditions, compileConditions } from '../../sim/links/conditions.ts'
import { AccessLine, DROP, Lane, LaneShared } from '../../sim/links/lane.ts'
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

const bernoulli = (probability: number) => ({ loss: { kind: 'bernoulli', probability } })

describe('rate and queue', () => {
  // 1 Mbit/s: 1,250 bytes take 10 ms.
  const slow = { upMbits: 1, queueMillis: 100 }

  it('carries the rate and drops at the tail', () => {
    const lane = laneWith(slow)
    const draws = random()
    let [carried, latest, longest] = [0, 0, 0]
    for (let now = 0; now < 100 * SECOND; now += 5 * MILLISECOND) {
      if (lane.data(now, 1_250, draws) === 0) {
        expect(lane.dropReason).toBe(DROP.queue)
        continue
      }
      carried++
      expect(lane.first).toBeGreaterThanOrEqual(latest + 10 * MILLISECOND)
      latest = lane.first
      longest = Math.max(longest, latest - now - ONE_WAY)
    }
    expect(Math.abs((carried * 1_250 * 8) / 100 - 1_000_000)).toBeLessThan(10_000)
    expect(longest).toBeGreaterThan(100 * MILLISECOND)
    expect(longest).toBeLessThanOrEqual(110 * MILLISECOND)
  })

  it('belongs to the machine: two lanes share one line', () => {
    const line = new AccessLine()
    const shared = new LaneShared(compiled(slow))
    const [near, far] = [new Lane(ONE_WAY, shared, line), new Lane(3 * ONE_WAY, shared, line)]
    near.data(0, 1_250, random())
    far.data(0, 1_250, random())
    expect(far.first).toBe(20 * MILLISECOND + 3 * ONE_WAY)
    line.reset()
    near.data(MILLISECOND, 1_250, random())
    expect(near.first).toBe(11 * MILLISECOND + ONE_WAY)
  })

  it('makes control wait but never drops it, and says when to go on', () => {
    const lane = laneWith(slow)
    const draws = random()
    for (let index = 0; index < 30; index++) {
      expect(lane.control(0, 1_250, draws)).toBe((index + 1) * 10 * MILLISECOND + ONE_WAY)
    }
    // 300 ms wait; half of the queue is free when 50 ms are left.
    expect(lane.readyAt(0, CHANNEL.control)).toBe(250 * MILLISECOND)
    expect(lane.readyAt(0, CHANNEL.data)).toBe(0)
    expect(lane.readyAt(200 * MILLISECOND, CHANNEL.control)).toBe(200 * MILLISECOND)
  })

  it('takes the down line from whoever calls it at the arrival', () => {
    const { downPerByte, upPerByte } = compiled({ upMbits: 10, downMbits: 40 })
    expect([upPerByte, downPerByte]).toEqual([0.8, 0.2])
    const line = new AccessLine()
    expect(line.pass(100, 50, downPerByte)).toBe(110)
    expect(line.pass(101, 50, downPerByte)).toBe(120)
    expect(line.backlog(110)).toBe(10)
    expect(line.backlog(500)).toBe(0)
  })
})

describe('order and copies of datagrams', () => {
  const rough = { jitter: { share: 1, correlation: 0.3 } }

  it('keeps the order without `reorder`, however rough the path', () => {
    const lane = laneWith({ ...rough, duplicate: 0.1, ...bernoulli(0.1) })
    const draws = random()
    let last = 0
    for (let index = 0; index < 50_000; index++) {
      const copies = lane.data(index * 100, BYTES, draws)
      if (copies === 0) continue
      expect(lane.first).toBeGreaterThanOrEqual(last)
      last = copies === 2 ? lane.second : lane.first
    }
  })

  it('lets the stated share be overtaken', () => {
    const lane = laneWith({ reorder: 0.05 })
    const draws = random()
    const count = 100_000
    const arrivals: number[] = []
    for (let index = 0; index < count; index++) {
      lane.data(index * 100, BYTES, draws)
      arrivals.push(lane.first)
    }
    const overtaken = arrivals.filter(
      (at, index) => (arrivals[index + 10] ?? 0) > 0 && at > (arrivals[index + 10] as number),
    )
    // Some of those that might overtake are late themselves.
    expect(overtaken.length / count).toBeGreaterThan(0.045)
    expect(overtaken.length / count).toBeLessThan(0.055)
    const late = arrivals.map((at, index) => at - index * 100 - ONE_WAY).filter((each) => each > 0)
    expect(Math.min(...late)).toBeGreaterThanOrEqual(MILLISECOND)
    expect(Math.max(...late)).toBeLessThanOrEqual(MILLISECOND + ONE_WAY)
  })

  it('duplicates and corrupts the stated shares', () => {
    const lane = laneWith({ duplicate: 0.1, corrupt: 0.05 })
    const draws = random()
    const count = 100_000
    let [twice, corrupted] = [0, 0]
    for (let index = 0; index < count; index++) {
      const now = index * 10 * MILLISECOND
      if (lane.data(now, BYTES, draws) === 2) {
        twice++
        expect(lane.second).toBeGreaterThanOrEqual(lane.first)
        expect(lane.second).toBeLessThanOrEqual(lane.first + MILLISECOND)
      }
      if (lane.corrupted) corrupted++
    }
    expect(Math.abs(twice / count - 0.1)).toBeLessThan(slack(0.1, count))
    expect(Math.abs(corrupted / count - 0.05)).toBeLessThan(slack(0.05, count))
  })

  it('forgets that the packet before was corrupted', () => {
    const shared = new LaneShared(compiled({ corrupt: 1 }))
    const lane = new Lane(ONE_WAY, shared)
    lane.data(0, BYTES, random())
    expect(lane.corrupted).toBe(true)
    shared.conditions = compiled()
    lane.data(1, BYTES, random())
    expect(lane.corrupted).toBe(false)
  })
})

describe('a data channel that is a stream', () => {
  it.each([CHANNEL.control, CHANNEL.data])('turns all trouble into delay on channel %i', (channel) => {
    const lane = laneWith({ ...bernoulli(0.03), reorder: 0.1, duplicate: 0.3, corrupt: 0.02, data: 'stream' })
    const draws = random()
    const send = (now: number): number => {
      if (channel === CHANNEL.control) return lane.control(now, BYTES, draws)
      expect([lane.data(now, BYTES, draws), lane.corrupted]).toEqual([1, false])
      return lane.first
    }
    const count = 20_000
    let [last, failed, late] = [0, 0, 0]
    for (let index = 0; index < count; index++) {
      const now = index * 10 * SECOND
      const at = send(now)
      if (at >= now + ONE_WAY + 200 * MILLISECOND) failed++
      else if (at > now + ONE_WAY) late++
      // One close behind waits for it.
      const next = send(now + 5 * MILLISECOND)
      expect(Math.min(at - last, next - at)).toBeGreaterThanOrEqual(0)
      last = next
    }
    const loss = 1 - 0.97 * 0.98
    expect(Math.abs(failed / count - loss)).toBeLessThan(slack(loss, count))
    expect(Math.abs(late / count - 0.1 * (1 - loss))).toBeLessThan(slack(0.1, count))
  })

  it('is told to wait when the line is full, and loses what is sent nonetheless', () => {
    const lane = laneWith({ upMbits: 1, queueMillis: 100, data: 'stream' })
    const draws = random()
    let sent = 0
    while (lane.data(0, 1_250, draws) === 1) sent++
    expect(sent).toBe(11)
    expect(lane.dropReason).toBe(DROP.queue)
    expect(lane.readyAt(0, CHANNEL.data)).toBe(60 * MILLISECOND)
  })
})

describe('faults', () => {
  it('clogs the control channel, or both', () => {
    const lane = laneWith()
    const draws = random()
    lane.clog(5 * SECOND, false)
    expect(lane.control(SECOND, BYTES, draws)).toBe(5 * SECOND + ONE_WAY)
    expect(lane.data(SECOND, BYTES, draws)).toBe(1)
    expect(lane.readyAt(SECOND, CHANNEL.control)).toBe(5 * SECOND)
    expect(lane.readyAt(SECOND, CHANNEL.data)).toBe(SECOND)
    lane.clog(6 * SECOND, true)
    expect(lane.data(SECOND, BYTES, draws)).toBe(0)
    expect(lane.dropReason).toBe(DROP.clogged)
    expect(lane.readyAt(SECOND, CHANNEL.data)).toBe(6 * SECOND)
    lane.clog(2 * SECOND, true)
    expect(lane.readyAt(SECOND, CHANNEL.data)).toBe(6 * SECOND)
    expect(lane.readyAt(SECOND, CHANNEL.control)).toBe(6 * SECOND)
    expect(lane.control(7 * SECOND, BYTES, draws)).toBe(7 * SECOND + ONE_WAY)
    expect(lane.data(7 * SECOND, BYTES, draws)).toBe(1)
  })

  it('changes the conditions of all lanes by one assignment', () => {
    const shared = new LaneShared(compiled())
    const lanes = [new Lane(ONE_WAY, shared), new Lane(ONE_WAY, shared)]
    const draws = random()
    expect(lanes.map((lane) => lane.data(0, BYTES, draws))).toEqual([1, 1])
    shared.conditions = compiled(bernoulli(1))
    expect(lanes.map((lane) => lane.data(1, BYTES, draws))).toEqual([0, 0])
    shared.conditions = compiled({ duplicate: 1 })
    expect(lanes.map((lane) => lane.data(2, BYTES, draws))).toEqual([2, 2])
  })
})

describe('determinism', () => {
  const everything = {
    jitter: { share: 0.3, correlation: 0.8 },
    loss: { kind: 'gilbert-elliott', goodMillis: 900, badMillis: 100, goodLoss: 0.01, badLoss: 0.5 },
    reorder: 0.05,
    duplicate: 0.05,
    corrupt: 0.02,
    upMbits: 5,
    downMbits: 50,
  }

  /** Decisions for machine b, while machine a sends `busy` messages between each two of b's. */
  function decisions(seed: number, busy: number): number[] {
    const shared = new LaneShared(compiled(everything))
    const streams = new Streams(seed)
    const [ofA, ofB] = [streams.stream('links/0'), streams.stream('links/1')]
    const [a, b] = [new Lane(ONE_WAY, shared), new Lane(ONE_WAY, shared)]
    const result: number[] = []
    for (let index = 0; index < 2_000; index++) {
      const now = index * 20 * MILLISECOND
      for (let extra = 0; extra < busy; extra++) a.data(now + extra, BYTES, ofA)
      result.push(b.control(now, BYTES, ofB), b.data(now, BYTES, ofB), b.first, b.dropReason)
    }
    return result
  }

  it('repeats itself from the seed and from nothing else', () => {
    expect(decisions(7, 0)).toEqual(decisions(7, 0))
    expect(decisions(7, 0)).not.toEqual(decisions(8, 0))
  })

  it('is not shifted by what another machine sends', () => {
    const pick = (values: number[]) => values.filter((_, index) => index % 4 < 2)
    expect(pick(decisions(7, 3))).toEqual(pick(decisions(7, 0)))
  })
})
