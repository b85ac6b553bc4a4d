/** The recorded data as a whole: each file against the figures that came with it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readAvt } from '../../sim/data/avt.ts'
import { readFreifunk } from '../../sim/data/freifunk.ts'
import { readGml } from '../../sim/data/gml.ts'
import { readAgeTable, readChurnTable } from '../../sim/data/gpd.ts'
import type { Graph } from '../../sim/data/graph.ts'
import { readGraphml } from '../../sim/data/graphml.ts'
import { readMatrix } from '../../sim/data/matrix.ts'
import { quantile } from '../../sim/statistics.ts'
import { requires } from '../support/requirements.ts'

const data = requires.data()

function textOf(path: string): string {
  const bytes = readFileSync(join(data as string, path))
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
}

const median = (values: readonly number[]) => quantile(Float64Array.from(values).sort(), 0.5)

describe.skipIf(!data)('recorded churn', () => {
  it('Skype: 2,081 nodes, 29,217 sessions of 16.27 h', () => {
    const trace = readAvt(textOf('churn-skype-2005/SKYPE.avt'), 'SKYPE.avt')
    const stays = trace.intervals.flatMap((times) => {
      return Array.from({ length: times.length / 2 }, (_, index) => {
        return ((times[2 * index + 1] as number) - (times[2 * index] as number)) / 3_600
      })
    })
    expect(trace.names).toHaveLength(2_081)
    expect(trace.endSeconds).toBe(2_478_200)
    expect(stays).toHaveLength(29_217)
    expect(stays.reduce((sum, stay) => sum + stay, 0) / stays.length).toBeCloseTo(16.269, 3)
    expect(median(stays)).toBeCloseTo(5.1, 1)
  })

  it('Bitcoin: turnover of 0.76 and 0.77 per connection and hour, a quarter older than a week', () => {
    const { rows, dropped } = readChurnTable(textOf('churn-bitcoin-kit/N_churn0.gpd.gz'), 'churn0')
    expect(rows.length + dropped).toBe(14_885)
    expect(median(rows.map((row) => row.connections))).toBe(23_892)
    const perHour = (key: 'opened' | 'closed') => {
      return median(
        rows.map((row) => (row[key] / row.connections / (row.endSeconds - row.startSeconds)) * 3_600),
      )
    }
    for (const key of ['opened', 'closed'] as const) {
      expect(perHour(key)).toBeGreaterThan(0.75)
      expect(perHour(key)).toBeLessThan(0.78)
    }
    const ages = readAgeTable(textOf('churn-bitcoin-kit/N_ot10-v.gpd.gz'), 'ot10')
    expect(ages.rows.length + ages.dropped).toBe(14_856)
    expect(ages.dropped).toBe(59)
    const older = [0, 1, 2, 3].map((index) => median(ages.rows.map((row) => row.shares[index] as number)))
    for (const [index, share] of [0.993, 0.962, 0.646, 0.25].entries()) {
      expect(Math.abs((older[index] as number) - share)).toBeLessThan(0.0015)
    }
  })
})

describe.skipIf(!data)('recorded latencies', () => {
  it.each([
    ['PlanetLabData_1.gz', 135, 324.9],
    ['median18_upper_ms.csv.gz', 133.9, 326],
  ])('%s: 490 nodes', (file, p50, p95) => {
    const { n, roundTripMillis } = readMatrix(textOf(`latency-planetlab-490/${file}`), file)
    expect(n).toBe(490)
    const pairs: number[] = []
    for (let i = 0; i < n; i++) {
      expect(roundTripMillis[i * n + i]).toBe(0)
      for (let j = i + 1; j < n; j++) pairs.push(roundTripMillis[i * n + j] as number)
    }
    expect(pairs).toHaveLength(119_805)
    expect(median(pairs)).toBeCloseTo(p50, 0)
    expect(quantile(Float64Array.from(pairs).sort(), 0.95)).toBeCloseTo(p95, 0)
  })
})

describe.skipIf(!data)('recorded topologies', () => {
  it.each([
    ['altdorf', 660, 1_348],
    ['bielefeld', 246, 483],
    ['leipzig', 210, 413],
    ['ulm', 217, 447],
  ])('Freifunk %s: %d nodes, %d links', (name, nodes, links) => {
    const file = `topology-freifunk-mesh-2020/freifunk-${name}.json.gz`
    const graph = readFreifunk(textOf(file), file)
    expect(graph.nodes).toHaveLength(nodes)
    expect(graph.edges).toHaveLength(links)
  })

  it('the Topology Zoo says the same in GML and in GraphML', () => {
    const plain = ({ nodes, edges }: Graph) => ({
      nodes: nodes.map((node) => JSON.stringify(node)).sort(),
      edges: edges
        .map(({ from, to, label, speed }) => [nodes[from]?.id, nodes[to]?.id, label, speed].join())
        .sort(),
    })
    const names = readdirSync(join(data as string, 'topology-zoo/gml')).map((file) =>
      file.replace('.gml', ''),
    )
    expect(names).toHaveLength(11)
    for (const name of names) {
      const gml = readGml(textOf(`topology-zoo/gml/${name}.gml`), name)
      expect(plain(readGraphml(textOf(`topology-zoo/graphml/${name}.graphml`), name))).toEqual(plain(gml))
    }
  })

  it.each([
    ['Abilene', 11, 14, 11, 0],
    ['Geant2012', 40, 61, 37, 39],
    ['Kdl', 754, 899, 726, 0],
    ['Garr201201', 61, 89, 48, 77],
  ])('%s', (name, nodes, edges, places, speeds) => {
    const graph = readGml(textOf(`topology-zoo/gml/${name}.gml`), name)
    expect(graph.nodes).toHaveLength(nodes)
    expect(graph.edges).toHaveLength(edges)
    expect(graph.nodes.filter(({ place }) => place !== undefined)).toHaveLength(places)
    expect(graph.edges.filter(({ speed }) => speed !== undefined)).toHaveLength(speeds)
  })
})
