import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { MILLISECOND } from '../../core/io.ts'
import type { LatencyMatrix } from '../../sim/data/matrix.ts'
import { type LatencyModel, latencyModel } from '../../sim/links/latency.ts'
import { LIBP2P_8 } from '../../sim/links/regions.ts'
import { Streams } from '../../sim/random.ts'
import type { LatencySpec } from '../../sim/scenario.ts'

const NODES = 400

/** Place i lies at i milliseconds on a line; round trips are distances. */
const ROWS = 50
const LINE: LatencyMatrix = {
  source: 'line.csv',
  n: ROWS,
  roundTripMillis: Float64Array.from({ length: ROWS * ROWS }, (_, at) =>
    Math.abs(Math.floor(at / ROWS) - (at % ROWS)),
  ),
}

const SPECS: Record<string, LatencySpec> = {
  constant: { kind: 'constant', oneWayMillis: 12.5 },
  distribution: { kind: 'distribution', roundTripMillis: { kind: 'gamma', shape: 1.7, scale: 85.2 } },
  regions: { kind: 'regions', preset: 'libp2p-8' },
  coordinates: {
    kind: 'coordinates',
    spanMillis: 200,
    accessMillis: { kind: 'exponential', mean: 4 },
  },
  matrix: { kind: 'matrix', file: 'line.csv' },
}

function model(name: string, seed = 1, nodes = NODES): LatencyModel {
  return latencyModel(SPECS[name] as LatencySpec, nodes, new Streams(seed), LINE)
}

/** All one-way delays from lower to higher node numbers. */
function pairs(latency: LatencyModel): number[] {
  const result: number[] = []
  for (let a = 0; a < NODES; a++) for (let b = a + 1; b < NODES; b += 7) result.push(latency.oneWay(a, b))
  return result
}

describe.each(Object.keys(SPECS))('latency by %s', (name) => {
  it('is symmetric, in whole microseconds, and depends on seed and pair alone', () => {
    const [latency, again, larger] = [model(name), model(name), model(name, 1, 2 * NODES)]
    for (let a = NODES - 1; a >= 0; a -= 3) {
      for (let b = 0; b < a; b += 5) {
        const there = latency.oneWay(a, b)
        expect(Number.isSafeInteger(there) && there >= 50).toBe(true)
        expect(Math.abs(again.oneWay(b, a) - there)).toBeLessThanOrEqual(name === 'regions' ? 5_000 : 0)
        expect(larger.oneWay(a, b)).toBe(there)
      }
    }
  })

  it('differs between seeds', () => {
    const same = JSON.stringify(pairs(model(name, 1))) === JSON.stringify(pairs(model(name, 2)))
    expect(same).toBe(name === 'constant')
  })
})

describe('latency by distribution', () => {
  it('has the mean of half the round trips', () => {
    const values = pairs(model('distribution'))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    // Standard deviation over mean is 1 / sqrt(1.7).
    expect(Math.abs(mean / (72.42 * MILLISECOND) - 1)).toBeLessThan(4 / Math.sqrt(1.7 * values.length))
  })

  it('stays within what a network can have', () => {
    const wild = latencyModel(
      { kind: 'distribution', roundTripMillis: { kind: 'pareto', minimum: 0.001, alpha: 0.05 } },
      NODES,
      new Streams(1),
    )
    const values = pairs(wild)
    expect(Math.min(...values)).toBe(50)
    expect(Math.max(...values)).toBe(10_000 * MILLISECOND)
  })
})

describe('latency by regions', () => {
  it('places nodes by weight', () => {
    const nodes = 40_000
    const latency = model('regions', 3, nodes)
    const counts = new Map<string, number>()
    for (let node = 0; node < nodes; node++) {
      const region = latency.region(node) as string
      counts.set(region, (counts.get(region) ?? 0) + 1)
    }
    const total = LIBP2P_8.weights.reduce((sum, weight) => sum + weight, 0)
    expect(total).toBe(11_326)
    LIBP2P_8.names.forEach((name, index) => {
      const share = (LIBP2P_8.weights[index] as number) / total
      const error = 4 * Math.sqrt((share * (1 - share)) / nodes)
      expect(Math.abs((counts.get(name) ?? 0) / nodes - share)).toBeLessThan(error)
    })
  })

  it('has the delays of the preset', () => {
    const latency = model('regions', 3, 40_000)
    const first = (name: string, skip = 0): number => {
      for (let node = skip; ; node++) if (latency.region(node) === name) return node
    }
    const between = (a: string, b: string) => latency.oneWay(first(a), first(b)) / MILLISECOND
    expect(between('europe', 'na_east')).toBe(70)
    expect(between('europe', 'east_asia')).toBe(125)
    expect(between('na_west', 'na_east')).toBe(60)
    expect(between('south_africa', 'australia')).toBe(220)
    expect(between('south_america', 'south_africa')).toBe(195)
    expect(between('south_africa', 'south_america')).toBe(190)
    expect(latency.oneWay(first('europe'), first('europe', 100))).toBe(2 * MILLISECOND)
  })

  it('is symmetric in the source but for one pair', () => {
    const table = LIBP2P_8.oneWayMillis
    const lopsided = table.flatMap((row, a) =>
      row.flatMap((delay, b) =>
        a < b && delay !== table[b]?.[a] ? [`${LIBP2P_8.names[a]} ${LIBP2P_8.names[b]}`] : [],
      ),
    )
    expect(lopsided).toEqual(['south_africa south_america'])
  })

  it('is the only one with regions', () => {
    for (const name of Object.keys(SPECS)) {
      expect(model(name).region(5) === undefined).toBe(name !== 'regions')
    }
  })
})

describe('latency by coordinates', () => {
  it('is at most the span and both access lines, and never breaks the triangle', () => {
    const latency = latencyModel(
      { kind: 'coordinates', spanMillis: 200, accessMillis: { kind: 'constant', value: 3 } },
      NODES,
      new Streams(1),
    )
    const values = pairs(latency)
    expect(Math.max(...values)).toBeLessThanOrEqual(106 * MILLISECOND)
    expect(Math.max(...values)).toBeGreaterThan(85 * MILLISECOND)
    expect(Math.min(...values)).toBeGreaterThanOrEqual(6 * MILLISECOND)
    for (let a = 0; a + 2 < NODES; a++) {
      const around = latency.oneWay(a, a + 1) + latency.oneWay(a + 1, a + 2)
      expect(latency.oneWay(a, a + 2)).toBeLessThanOrEqual(around)
    }
  })
})

describe('latency by matrix', () => {
  it('puts every node at a row, evenly, and halves round trips', () => {
    const latency = model('matrix')
    // Farthest node from all others lies at an end of the line; its distances tell everybody's row.
    let end = 0
    for (let node = 0; node < NODES; node++) if (latency.oneWay(0, node) > latency.oneWay(0, end)) end = node
    const counts = new Array<number>(ROWS).fill(0)
    for (let node = 0; node < NODES; node++) {
      const halfMillis = latency.oneWay(end, node) / 500
      expect(Number.isInteger(halfMillis)).toBe(true)
      // 2 is the same row (1 ms) or two rows away: both at this end.
      counts[halfMillis] = (counts[halfMillis] ?? 0) + 1
    }
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(NODES)
    expect(Math.max(...counts)).toBeLessThan(NODES / ROWS + 4 * Math.sqrt((2 * NODES) / ROWS))
    expect(counts.filter((count) => count === 0).length).toBeLessThan(5)
  })

  it('has 1 ms between two nodes at one row', () => {
    const one: LatencyMatrix = { source: 'one.csv', n: 1, roundTripMillis: new Float64Array(1) }
    const latency = latencyModel(SPECS.matrix as LatencySpec, 2, new Streams(1), one)
    expect(latency.oneWay(0, 1)).toBe(MILLISECOND)
  })

  it('asks for the matrix', () => {
    expect(() => latencyModel(SPECS.matrix as LatencySpec, 2, new Streams(1))).toThrow(UsageError)
  })
})
