import { describe, expect, it } from 'vitest'
import { Histogram, ksDistance, quantile, studentT975, summarise } from '../../sim/statistics.ts'

describe('summarise', () => {
  it('knows a sample by heart', () => {
    const summary = summarise([4, 1, 3, 2, 5])
    expect(summary).toMatchObject({ count: 5, mean: 3, min: 1, p50: 3, p90: 4.6, p99: 4.96, max: 5 })
    expect(summary.deviation).toBeCloseTo(Math.sqrt(2.5), 14)
    // t(4) × s / √5, from a table.
    expect(summary.half).toBeCloseTo((2.776445 * Math.sqrt(2.5)) / Math.sqrt(5), 12)
  })

  it('leaves its argument alone', () => {
    const values = [3, 1, 2]
    summarise(values)
    expect(values).toEqual([3, 1, 2])
  })

  it('takes nothing and one', () => {
    expect(summarise([])).toMatchObject({ count: 0, mean: 0, deviation: 0, half: 0, p50: 0, max: 0 })
    expect(summarise([7])).toMatchObject({ count: 1, mean: 7, deviation: 0, half: 0, p50: 7, max: 7 })
  })

  it('covers the mean in 95 of 100 samples', () => {
    let state = 1
    const uniform = () => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
    let covered = 0
    for (let trial = 0; trial < 2_000; trial++) {
      const { mean, half } = summarise(Array.from({ length: 8 }, uniform))
      if (Math.abs(mean - 0.5) <= half) covered++
    }
    expect(covered / 2_000).toBeGreaterThan(0.93)
    expect(covered / 2_000).toBeLessThan(0.97)
  })
})

describe('quantile', () => {
  it('lies between neighbours', () => {
    expect(quantile([10, 20], 0.25)).toBe(12.5)
    expect(quantile([10, 20, 30], 0.5)).toBe(20)
    expect(quantile([10, 20, 30], -1)).toBe(10)
    expect(quantile([10, 20, 30], 2)).toBe(30)
  })
})

describe('studentT975', () => {
  it.each([
    [1, 12.706205],
    [5, 2.570582],
    [30, 2.042272],
    [31, 2.039513],
    [60, 2.000298],
    [200, 1.971896],
    [1e9, 1.959964],
  ])('at %d degrees of freedom', (degrees, value) => {
    expect(studentT975(degrees)).toBeCloseTo(value, 5)
  })
})

describe('ksDistance', () => {
  it('is 0 for the same, 1 for disjoint samples, and counts ties once', () => {
    expect(ksDistance([1, 2, 3], [3, 2, 1])).toBe(0)
    expect(ksDistance([1, 2], [3, 4])).toBe(1)
    expect(ksDistance([1, 1, 1, 2], [1, 2, 2, 2])).toBe(0.5)
  })
})

describe('Histogram', () => {
  it('is exact for small integers', () => {
    const histogram = new Histogram()
    for (let value = 0; value <= 200; value++) histogram.add(value)
    expect(histogram.quantile(0.5)).toBe(100)
    expect(histogram.quantile(0)).toBe(0)
    expect(histogram.quantile(1)).toBe(200)
    expect(histogram).toMatchObject({ count: 201, min: 0, max: 200 })
  })

  it('is within 0.4 % for all others', () => {
    for (const scale of [300, 12_345, 6e8, 1e14]) {
      const histogram = new Histogram()
      const values = Array.from({ length: 1_000 }, (_, index) => Math.round(scale * (1 + index / 100)))
      for (const value of values) histogram.add(value)
      for (const share of [0.01, 0.25, 0.5, 0.9, 0.99]) {
        const exact = values[Math.ceil(share * 1_000) - 1] as number
        expect(Math.abs(histogram.quantile(share) / exact - 1)).toBeLessThan(0.004)
      }
    }
  })

  it('never answers beyond what it saw', () => {
    const histogram = new Histogram()
    for (let count = 0; count < 3; count++) histogram.add(1_000_001)
    expect([0, 0.5, 0.9, 1].map((share) => histogram.quantile(share))).toEqual(new Array(4).fill(1_000_001))
  })

  it('is empty at first, and takes the extremes', () => {
    const histogram = new Histogram()
    expect(histogram).toMatchObject({ count: 0, min: 0, max: 0 })
    expect(histogram.quantile(0.5)).toBe(0)
    for (const value of [0, 0.5, Number.MAX_SAFE_INTEGER, 1e300]) histogram.add(value)
    expect(histogram.count).toBe(4)
    expect(histogram.quantile(1)).toBe(1e300)
    expect(histogram.quantile(0.5)).toBe(0)
  })
})
