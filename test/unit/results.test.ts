import { describe, expect, it } from 'vitest'
import {
  compareBounds,
  flatMetrics,
  formatLimit,
  formatNumber,
  groupMetrics,
  unitOf,
} from '../../sim/results.ts'

describe('bounds', () => {
  it('hold at their limits and fail beyond', () => {
    const bounds = { delivery: { min: 0.9 }, copiesPerMember: { min: 0.999, max: 1.001 } }
    const judged = (delivery: number, copiesPerMember: number) =>
      compareBounds(bounds, { delivery, copiesPerMember }).map(({ ok }) => ok)
    expect(judged(0.9, 1.001)).toEqual([true, true])
    expect(judged(0.8999, 1.0011)).toEqual([false, false])
  })

  it('fail when the value is missing, split or no number', () => {
    const judged = (metrics: Record<string, number | Record<string, number>>) =>
      compareBounds({ delivery: { min: 0 } }, metrics)[0]
    for (const metrics of [{}, { delivery: Number.NaN }, { delivery: { p50: 1 } }]) {
      expect(judged(metrics)).toMatchObject({ name: 'delivery', value: null, ok: false })
    }
  })
})

describe('numbers for people', () => {
  it.each([
    [0, '0'],
    [1_234_567, '1,234,567'],
    [-12_345, '-12,345'],
    [12_345.6, '12,346'],
    [143.62, '143.6'],
    [14.362, '14.36'],
    [1.5, '1.500'],
    [0.5, '0.50000'],
    [0.99996, '0.99996'],
    [1.0004, '1.0004'],
    [0.00001234, '1.234e-5'],
    [Number.NaN, 'not measured'],
  ])('%d reads %s', (value, text) => {
    expect(formatNumber(value)).toBe(text)
  })

  it('limits are said in words', () => {
    expect(formatLimit({ min: 0.9995 })).toBe('at least 0.9995')
    expect(formatLimit({ max: 150 })).toBe('at most 150')
    expect(formatLimit({ min: 0.999, max: 1.001 })).toBe('0.999 to 1.001')
  })
})

describe('names of metrics', () => {
  it.each([
    ['latencyP99Millis', 'ms'],
    ['latencyMillis.p50', 'ms'],
    ['controlBytesPerNodeSecond', 'B/s per node'],
    ['controlBytesPerNodeSecondByNode', 'B/s per node'],
    ['controlBytesPerNodeSecondByKind.hello', 'B/s per node'],
    ['falseLinkDeathsPerNodeHour', '/h per node'],
    ['outageP50Seconds', 's'],
    ['delivery', ''],
  ])('%s is in "%s"', (name, unit) => {
    expect(unitOf(name)).toBe(unit)
  })

  it('are flat with a dot', () => {
    expect([...flatMetrics({ a: 1, b: { x: 2, y: 3 } })]).toEqual([
      ['a', 1],
      ['b.x', 2],
      ['b.y', 3],
    ])
  })

  it('stand in groups, delivery first, and none gets lost', () => {
    const metrics = new Map(
      ['nodesUp', 'drops', 'outages', 'delivery', 'stretchP50', 'strange'].map((name) => [name, 1]),
    )
    expect(
      [...groupMetrics(metrics)].map(([title, entries]) => [title, entries.map(([name]) => name)]),
    ).toEqual([
      ['delivery', ['delivery']],
      ['latency', ['stretchP50']],
      ['outages', ['outages']],
      ['drops by reason', ['drops']],
      ['other', ['nodesUp', 'strange']],
    ])
  })
})
