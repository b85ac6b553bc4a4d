import { describe, expect, it } from 'vitest'
import {
  checkDistribution,
  type Distribution,
  meanOf,
  quantileOf,
  sample,
  sampleByLength,
  shareBelow,
} from '../../sim/distributions.ts'
import { Streams } from '../../sim/random.ts'
import { ksDistance } from '../../sim/statistics.ts'

const ALL: readonly Distribution[] = [
  { kind: 'uniform', low: 2, high: 5 },
  { kind: 'exponential', mean: 3 },
  { kind: 'weibull', shape: 0.64, scale: 10.86 },
  { kind: 'weibull', shape: 5.85, scale: 181 },
  { kind: 'lognormal', mu: 1.6, sigma: 0.8 },
  { kind: 'pareto', minimum: 1.55, alpha: 4 },
  { kind: 'gamma', shape: 1.7, scale: 85.2 },
  { kind: 'gamma', shape: 0.4, scale: 2 },
  { kind: 'normal', mean: 100, deviation: 15 },
]
const COUNT = 40_000
/** The 0.1 % point of the Kolmogorov distance of one sample. */
const KS_LIMIT = 1.95 / Math.sqrt(COUNT)

function samples(distribution: Distribution, draw = sample, count = COUNT): number[] {
  const random = new Streams(1).stream(JSON.stringify(distribution))
  return Array.from({ length: count }, () => draw(distribution, random))
}

function distanceTo(distribution: Distribution, values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  let largest = 0
  for (const [index, value] of sorted.entries()) {
    const share = shareBelow(distribution, value)
    largest = Math.max(largest, Math.abs(share - index / sorted.length))
  }
  return largest
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe.each(ALL)('$kind $shape', (distribution) => {
  it('samples what its shares say', () => {
    expect(distanceTo(distribution, samples(distribution))).toBeLessThan(KS_LIMIT)
  })

  it('has the mean of its samples', () => {
    const ratio = mean(samples(distribution, sample, 200_000)) / meanOf(distribution)
    expect(Math.abs(ratio - 1)).toBeLessThan(0.02)
  })

  it('has quantiles that undo its shares', () => {
    for (const share of [0.001, 0.1, 0.5, 0.9, 0.999]) {
      expect(shareBelow(distribution, quantileOf(distribution, share))).toBeCloseTo(share, 9)
    }
  })
})

describe.each(ALL.filter(({ kind }) => kind !== 'normal'))('$kind $shape as lengths', (distribution) => {
  it('draws by length in proportion to length', () => {
    // P(L* < x) = E[L; L < x] / E[L], here against the plain samples weighted by hand.
    const plain = samples(distribution, sample, 200_000)
    const byLength = samples(distribution, sampleByLength)
    const total = plain.reduce((sum, value) => sum + value, 0)
    for (const share of [0.2, 0.5, 0.8]) {
      const x = quantileOf(distribution, share)
      const expected = plain.reduce((sum, value) => sum + (value < x ? value : 0), 0) / total
      const found = byLength.filter((value) => value < x).length / byLength.length
      expect(Math.abs(found - expected)).toBeLessThan(0.015)
    }
  })
})

describe('constant and empirical', () => {
  const measured: Distribution = { kind: 'empirical', values: [1, 2, 2, 10] }

  it('are what they say', () => {
    const random = new Streams(1).stream('x')
    expect(sample({ kind: 'constant', value: 4 }, random)).toBe(4)
    expect(meanOf({ kind: 'constant', value: 4 })).toBe(4)
    expect(meanOf(measured)).toBe(3.75)
    expect(shareBelow(measured, 2.5)).toBe(0.75)
    expect(quantileOf(measured, 0.8)).toBe(10)
    expect(samples(measured).filter((value) => value === 2).length / COUNT).toBeCloseTo(0.5, 1)
    expect(samples(measured, sampleByLength).filter((value) => value === 10).length / COUNT).toBeCloseTo(
      2 / 3,
      1,
    )
  })
})

describe('draws', () => {
  it('are the same for the same stream and differ between streams', () => {
    const distribution: Distribution = { kind: 'weibull', shape: 0.6, scale: 2 }
    expect(samples(distribution)).toEqual(samples(distribution))
    const other = new Streams(2).stream('x')
    const others = Array.from({ length: COUNT }, () => sample(distribution, other))
    expect(ksDistance(others, samples(distribution))).toBeLessThan(2 * KS_LIMIT)
    expect(others).not.toEqual(samples(distribution))
  })
})

describe('mistakes', () => {
  it.each<[Distribution, RegExp]>([
    [{ kind: 'weibull', shape: 0, scale: 1 }, /churn\.on\.shape: 0 must be above 0 in a weibull/],
    [{ kind: 'exponential', mean: -1 }, /churn\.on\.mean: -1 must be above 0/],
    [{ kind: 'lognormal', mu: Number.NaN, sigma: 1 }, /churn\.on\.mu: NaN is not a finite number/],
    [{ kind: 'uniform', low: 3, high: 2 }, /churn\.on: high 2 lies below low 3; swap them/],
    [{ kind: 'empirical', values: [] }, /churn\.on\.values: is empty/],
    [{ kind: 'empirical', values: [2, 1] }, /churn\.on\.values\[1\]: 1 is below the value before it; sort/],
    [{ kind: 'pareto', minimum: 0, alpha: 1 }, /churn\.on\.minimum: 0 must be above 0/],
  ])('are named: %j', (distribution, message) => {
    expect(() => checkDistribution(distribution, 'churn.on')).toThrow(message)
  })

  it('are not seen where there are none', () => {
    for (const distribution of ALL) checkDistribution(distribution, 'x')
    checkDistribution({ kind: 'lognormal', mu: -2, sigma: 1 }, 'x')
    checkDistribution({ kind: 'constant', value: 0 }, 'x')
  })

  it('include lengths that have no mean or sign', () => {
    const random = new Streams(1).stream('x')
    expect(() => sampleByLength({ kind: 'pareto', minimum: 1, alpha: 1 }, random)).toThrow(/finite mean/)
    expect(() => sampleByLength({ kind: 'normal', mean: 1, deviation: 1 }, random)).toThrow(/finite mean/)
    expect(meanOf({ kind: 'pareto', minimum: 1, alpha: 1 })).toBe(Number.POSITIVE_INFINITY)
  })
})
