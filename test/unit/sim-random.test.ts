import seedrandom from 'seedrandom'
import { describe, expect, it } from 'vitest'
import { keysFrom, type Random, Streams } from '../../sim/random.ts'

const PINNED = {
  u32: [1549446043, 3080515397, 3682804526, 2530614916],
  unit: 0.7736634401015057,
  normal: 0.07366389619505198,
  fork: 427607232,
}

function draws(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.u32())
}

/** Chi-square of counts against an even spread, in standard deviations of its distribution. */
function unevenness(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  const degrees = counts.length - 1
  return Math.abs(chi - degrees) / Math.sqrt(2 * degrees)
}

describe('a stream', () => {
  it("is seedrandom's alea under seed and name", () => {
    const reference = seedrandom.alea('41/node/5/links')
    const stream = new Streams(41).stream('node/5/links')
    for (let draw = 0; draw < 10_000; draw++) expect(stream.u32()).toBe(reference.int32() >>> 0)
  })

  it('keeps its draws for ever: these are part of what a seed means', () => {
    const stream = new Streams(7).stream('churn/3')
    expect(draws(stream, 4)).toEqual(PINNED.u32)
    expect(stream.unit()).toBe(PINNED.unit)
    expect(stream.normal()).toBe(PINNED.normal)
    expect(stream.fork('dither').u32()).toBe(PINNED.fork)
  })

  it('depends on seed and name alone', () => {
    const alone = draws(new Streams('a').stream('x'), 100)
    const streams = new Streams('a')
    const before = streams.stream('before')
    const stream = streams.stream('x')
    const mixed = Array.from({ length: 100 }, () => {
      before.u32()
      streams.stream('another').u32()
      return stream.u32()
    })
    expect(mixed).toEqual(alone)
    expect(draws(new Streams('b').stream('x'), 100)).not.toEqual(alone)
    expect(draws(new Streams('a').stream('y'), 100)).not.toEqual(alone)
  })

  it('forks by name: the fork neither sees nor moves its parent', () => {
    const parent = new Streams(1).stream('node')
    const early = draws(parent.fork('jitter'), 10)
    const rest = draws(parent, 10)
    expect(draws(parent.fork('jitter'), 10)).toEqual(early)
    expect(draws(new Streams(1).stream('node/jitter'), 10)).toEqual(early)
    expect(draws(new Streams(1).stream('node'), 10)).toEqual(rest)
  })

  it('takes numbers and texts as seeds', () => {
    expect(new Streams(12).stream('x').u32()).toBe(new Streams('12').stream('x').u32())
    expect(() => new Streams(0.5)).toThrow(/seed: 0.5 is not a safe integer/)
  })
})

describe('draws', () => {
  const random = new Streams(3).stream('quality')

  it('fill 32 bits evenly, high and low', () => {
    const high = new Array<number>(256).fill(0)
    const low = new Array<number>(256).fill(0)
    for (const draw of draws(random, 200_000)) {
      high[draw >>> 24] = (high[draw >>> 24] as number) + 1
      low[draw & 255] = (low[draw & 255] as number) + 1
    }
    expect(unevenness(high)).toBeLessThan(4)
    expect(unevenness(low)).toBeLessThan(4)
  })

  it('are even over the first draws of many streams with like names', () => {
    const streams = new Streams(1)
    const counts = new Array<number>(64).fill(0)
    let last = 0
    let product = 0
    const count = 50_000
    for (let node = 0; node < count; node++) {
      const draw = streams.stream(`node/${node}/links`).unit()
      counts[Math.floor(draw * 64)] = (counts[Math.floor(draw * 64)] as number) + 1
      product += (draw - 0.5) * (last - 0.5)
      last = draw
    }
    expect(unevenness(counts)).toBeLessThan(4)
    // Correlation of neighbours, in standard deviations.
    expect(Math.abs((product * 12) / Math.sqrt(count))).toBeLessThan(4)
  })

  it('unit() lies in [0, 1) and uses 53 bits', () => {
    const units = Array.from({ length: 10_000 }, () => random.unit())
    expect(units.every((unit) => unit >= 0 && unit < 1)).toBe(true)
    expect(units.some((unit) => (unit * 2 ** 32) % 1 !== 0)).toBe(true)
    expect(units.reduce((sum, unit) => sum + unit, 0) / 10_000).toBeCloseTo(0.5, 1)
  })

  it('below() reaches every number below the bound and no other', () => {
    const counts = new Array<number>(7).fill(0)
    for (let draw = 0; draw < 70_000; draw++) {
      const value = random.below(7)
      counts[value] = (counts[value] as number) + 1
    }
    expect(counts).toHaveLength(7)
    expect(unevenness(counts)).toBeLessThan(4)
    expect(random.below(1)).toBe(0)
  })

  it('normal() has mean 0, deviation 1 and normal tails', () => {
    const values = Array.from({ length: 100_000 }, () => random.normal())
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.015)
    expect(Math.abs(variance - 1)).toBeLessThan(0.02)
    expect(values.filter((value) => Math.abs(value) > 1.959964).length / values.length).toBeCloseTo(0.05, 2)
  })

  it('chance() comes true as often as asked', () => {
    const hits = Array.from({ length: 20_000 }, () => random.chance(0.3)).filter(Boolean).length
    expect(hits / 20_000).toBeCloseTo(0.3, 1)
    expect(random.chance(0)).toBe(false)
    expect(random.chance(1)).toBe(true)
  })
})

describe('keys', () => {
  it('are fresh bytes from the stream', () => {
    const bytes = keysFrom(new Streams(5).stream('keys')).bytes(1_000)
    expect(bytes).toHaveLength(1_000)
    expect(new Set(bytes).size).toBeGreaterThan(200)
    expect(keysFrom(new Streams(5).stream('keys')).bytes(1_000)).toEqual(bytes)
    const keys = keysFrom(new Streams(5).stream('keys'))
    expect(keys.bytes(32)).not.toEqual(keys.bytes(32))
    expect(keys.bytes(0)).toHaveLength(0)
  })

  it('take the four bytes of a word, lowest first', () => {
    const word = new Streams(5).stream('keys').u32()
    expect([...keysFrom(new Streams(5).stream('keys')).bytes(4)]).toEqual([
      word & 255,
      (word >>> 8) & 255,
      (word >>> 16) & 255,
      word >>> 24,
    ])
  })
})
