import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { readAvt, readFta, readSplay } from '../../sim/data/avt.ts'
import { DataError } from '../../sim/data/error.ts'
import { readFreifunk } from '../../sim/data/freifunk.ts'
import { readGml } from '../../sim/data/gml.ts'
import { readAgeTable, readChurnTable } from '../../sim/data/gpd.ts'
import { distanceKm, oneWayMicros } from '../../sim/data/graph.ts'
import { readGraphml } from '../../sim/data/graphml.ts'
import { readMatrix, readPairs, readSquare } from '../../sim/data/matrix.ts'

type Reader = (text: string, source: string) => unknown

/** The message of the DataError that the text brings about. */
function complaint(read: Reader, text: string): string {
  try {
    read(text, 'file')
  } catch (error) {
    expect(error).toBeInstanceOf(DataError)
    expect(error).toBeInstanceOf(UsageError)
    return (error as DataError).message
  }
  throw new Error('no complaint')
}

describe('avt', () => {
  it('reads nodes with their intervals, tabs or blanks between', () => {
    const trace = readAvt('e0f4\t2\t 13929 64504 65650 67499\n\nB7 0\r\n0c1b 1 0.5 1e3\n', 'SKYPE.avt')
    expect(trace.names).toEqual(['e0f4', 'B7', '0c1b'])
    expect(trace.intervals.map((times) => [...times])).toEqual([
      [13929, 64504, 65650, 67499],
      [],
      [0.5, 1000],
    ])
    expect(trace.endSeconds).toBe(67499)
  })

  it.each([
    [
      'ab 1 0 10\ncd 1 700 500',
      /^file line 2: on-interval 1 ends at 500 before it starts at 700; times must rise;/,
    ],
    ['ab 2 0 10 5 20', /line 1: on-interval 2 starts at 5 before on-interval 1 ends at 10; times must rise/],
    ['ab 2 0 10 10 20', /on-interval 2 starts at 10 as on-interval 1 ends at 10; times must rise/],
    ['ab 2 0 10 20', /3 times follow; 2 intervals need 4 times; mend the number or remove the line/],
    ['ab 1 0 ten', /the time at which on-interval 1 ends is "ten"; it must be a decimal number/],
    ['ab 1 0 Infinity', /is "Infinity"; it must be a decimal number/],
    ['ab 1 -5 10', /the time at which on-interval 1 starts is -5; it must not be negative/],
    ['ab 0x1 0 10', /the number of intervals is "0x1"/],
    ['ab 1.5 0 10 20', /the number of intervals is 1.5; it must be a whole number/],
    ['ab', /the number of intervals is missing/],
    ['host-1 1 0 10', /the node id is "host-1"; it must be hexadecimal/],
    ['ab 1 0 10\nab 1 0 10', /line 2: node ab stands already in line 1; ids must differ/],
    ['\n\n', /holds no node/],
  ])('refuses %j', (text, message) => {
    expect(complaint(readAvt, text)).toMatch(message)
  })
})

describe('SPLAY traces', () => {
  it('alternate, and who has an odd number of times stays on to the end', () => {
    // The example of the generator's own manual.
    const trace = readSplay('50\n0 100 120 200\n0 130 150\n', 'splay')
    expect(trace.intervals.map((times) => [...times])).toEqual([
      [50, 200],
      [0, 100, 120, 200],
      [0, 130, 150, 200],
    ])
    expect(trace.endSeconds).toBe(200)
    expect(readSplay('0 10\n10\n', 'splay').intervals[1]).toHaveLength(0)
  })

  it('must rise', () => {
    expect(complaint(readSplay, '0 100\n0 100 90')).toMatch(/line 2: on-interval 2 starts at 90 before/)
  })
})

describe('FTA event tables', () => {
  const row = (node: string, type: string, start: string, stop: string) => {
    return ['1', '0', node, '0', 'name', type, start, stop, '0'].join('\t')
  }

  it('come out in order, from the earliest start, touching events joined', () => {
    const text = [
      '# event_id\tcomponent_id\tnode_id',
      row('7', '1', '1500', '1600'),
      row('7', '0', '1200', '1500'),
      row('7', '1', '1000', '1100'),
      row('7', '1', '1100', '1200'),
      row('8', '0', '1000', '2000'),
    ].join('\n')
    const trace = readFta(text, 'fta')
    expect(trace.names).toEqual(['7', '8'])
    expect(trace.intervals.map((times) => [...times])).toEqual([[0, 200, 500, 600], []])
  })

  it.each([
    [row('7', '2', '1', '2'), /the event type is "2"; it must be 1 \(available\) or 0/],
    [row('7', '1', '5', '5'), /stops at 5, not after its start at 5/],
    [
      `${row('7', '1', '0', '10')}\n${row('7', '1', '5', '20')}`,
      /line 2: starts at 5 before the node's earlier event stops at 10/,
    ],
    ['1 2 3', /has 1 columns; an event has at least 8; separate them by tabs/],
  ])('refuse %j', (text, message) => {
    expect(complaint(readFta, text)).toMatch(message)
  })
})

describe('tables of the Bitcoin monitor', () => {
  it('churn: rows without connections or length are dropped', () => {
    const text =
      '100\t200\t50\t20\t10\t1\t2\t#churn\n200 200 7 0 0 #churn\n200 300 0 5 5 #churn\n299 400 60 1 2\n'
    expect(readChurnTable(text, 'x')).toEqual({
      rows: [
        { startSeconds: 100, endSeconds: 200, connections: 50, opened: 20, closed: 10 },
        { startSeconds: 299, endSeconds: 400, connections: 60, opened: 1, closed: 2 },
      ],
      dropped: 2,
    })
  })

  it.each([
    ['100 200 5 1', /closed connections is missing/],
    ['100 200 5 1 -1', /closed connections is -1; it must not be negative/],
    [
      '100 200 5 1 1\n90 150 5 1 1',
      /line 2: the interval from 90 to 150 follows one that ends at 200; times must rise/,
    ],
    ['100 200 5.5 1 1', /connections is 5.5; it must be a whole number/],
  ])('churn refuses %j', (text, message) => {
    expect(complaint(readChurnTable, text)).toMatch(message)
  })

  it('ages: pairs of age and share; rows of nan are dropped', () => {
    const text =
      '100\t60\t0.99\t3600\t0.9\tonlinetimes1\n200 60 -nan 3600 -nan onlinetimes1\n300 60 1 3600 0\n'
    expect(readAgeTable(text, 'x')).toEqual({
      rows: [
        { endSeconds: 100, ages: [60, 3600], shares: [0.99, 0.9] },
        { endSeconds: 300, ages: [60, 3600], shares: [1, 0] },
      ],
      dropped: 1,
    })
  })

  it.each([
    ['100 60 0.9 3600', /3 columns follow the end; ages and shares come in pairs/],
    ['100 60 0.5 3600 0.6', /share "0.6" is too large; shares are 0 to 1 and fall with age/],
    ['100 60 0.5 30 0.4', /age 30 follows 60; ages must rise/],
  ])('ages refuse %j', (text, message) => {
    expect(complaint(readAgeTable, text)).toMatch(message)
  })
})

describe('matrices', () => {
  const square = '0 10 20\n12 0 30\n20 30 0\n'

  it('are square, and both directions of a pair are averaged', () => {
    const { n, roundTripMillis } = readSquare(square, 'm')
    expect(n).toBe(3)
    expect([...roundTripMillis]).toEqual([0, 11, 20, 11, 0, 30, 20, 30, 0])
    expect(readSquare('0,1\n1,0', 'm').n).toBe(2)
  })

  it('are read from the upper triangle', () => {
    const { n, roundTripMillis } = readPairs('i,j,rtt_ms\n0,1,11\n1,2,30\n0,2,20.5\n', 'm')
    expect(n).toBe(3)
    expect([...roundTripMillis]).toEqual([0, 11, 20.5, 11, 0, 30, 20.5, 30, 0])
  })

  it('tell their own form', () => {
    expect(readMatrix('i,j,rtt_ms\n0,1,11\n', 'm').n).toBe(2)
    expect(readMatrix(square, 'm').n).toBe(3)
  })

  it.each<[Reader, string, RegExp]>([
    [readSquare, '0 1\n1 0\n2 2', /line 3: 3 rows of 2 numbers; a matrix is square; add or remove rows/],
    [readSquare, '0 1\n1 0 5', /line 2: has 3 numbers; the first row has 2, and a matrix is square/],
    [readSquare, '0 -1\n1 0', /line 1: latency 2 is -1; it must not be negative/],
    [readSquare, '0 x\n1 0', /latency 2 is "x"; it must be a decimal number/],
    [readSquare, '0 1e308\n1e308 0', /latency 2 is 1e308; it must be milliseconds, at most 60000; convert/],
    [readPairs, '0,1,60001', /rtt_ms is 60001; it must be milliseconds, at most 60000; convert or mend it/],
    [readSquare, '0 1\n1 7', /line 2: latency 2, from this node to itself, is 7; it must be 0; mend it/],
    [readSquare, '', /0 rows of 0 numbers/],
    [readPairs, 'i,j,rtt_ms\n0,1,1\n0,2,1', /the pair 1,2 is missing; every pair of 3 nodes must be there/],
    [readPairs, '0,1,1\n0,1,2', /line 2: the pair 0,1 stands here again/],
    [readPairs, '1,0,1', /i is 1 and j is 0; i must be below j; swap or remove/],
    [readPairs, '0,1', /has 2 columns; rows are i,j,rtt_ms/],
    [readPairs, '0,1,-2', /rtt_ms is -2; it must not be negative/],
    [readPairs, '0,99999999,1', /at most 10000 nodes can be read/],
    [readPairs, 'i,j,rtt_ms\n', /holds no pair/],
  ])('%o refuses %j', (read, text, message) => {
    expect(complaint(read, text)).toMatch(message)
  })
})

describe('Freifunk graphs', () => {
  const link = { source: 2, target: 6, source_tq: 0.2, target_tq: 0.1, type: 'wifi' }
  const text = (links: unknown) => JSON.stringify({ links })

  it('have nodes by number or name, and qualities both ways', () => {
    const graph = readFreifunk(text([link, { source: 6, target: 'ic-0', type: 'vpn' }]), 'f.json')
    expect(graph.nodes.map(({ id }) => id)).toEqual(['2', '6', 'ic-0'])
    expect(graph.edges).toEqual([
      { from: 0, to: 1, label: 'wifi', speed: undefined, quality: { forward: 0.2, backward: 0.1 } },
      { from: 1, to: 2, label: 'vpn', speed: undefined, quality: { forward: 1, backward: 1 } },
    ])
  })

  it.each([
    ['{', /^file text: is not JSON/],
    ['null', /^file links: must be a list/],
    ['{"links":{}}', /^file links: must be a list/],
    [
      text([link, { ...link, source_tq: 1.5 }]),
      /^file links\[1\]\.source_tq: is 1.5; a link quality is 0 to 1/,
    ],
    [text([{ ...link, target_tq: undefined }]), /links\[0\]\.target_tq: is undefined/],
    [text([{ ...link, source: null }]), /links\[0\]\.source: is null; a node is a number or a text/],
    [text([5]), /links\[0\]: is 5; a link is an object/],
    [text([{ ...link, type: 1 }]), /links\[0\]\.type: must be a text/],
  ])('refuse %s', (json, message) => {
    expect(complaint(readFreifunk, json)).toMatch(message)
  })
})

const GML = `graph [
  label "Two"
  node [
    id 0
    label "K&#246;ln &quot;West&quot;"
    Latitude 50.94
    Longitude 6.96
    graphics [ x 1 node [ id 9 ] ]
  ]
  node [ id 7 ]
  edge [
    source 7
    target 0
    LinkLabel "10 [Gbps]"
    LinkSpeedRaw 10000000000.0
  ]
]
`
const GRAPHML = `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE graphml>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <!-- <node id="no"/> -->
  <key attr.name="label" attr.type="string" for="node" id="d0" /><key id="d1" attr.name='Latitude'/>
  <key id="d2" attr.name="Longitude"/><key id="d3" attr.name="LinkLabel"/>
  <key id="d4" attr.name="LinkSpeedRaw"/>
  <graph edgedefault="undirected">
    <data key="d0">the graph's own</data>
    <node id="0">
      <data key="d0">K&#xF6;ln &quot;West&quot;</data>
      <data key="d1">50.94</data><data key="d2">6.96</data>
    </node>
    <node id="7"/>
    <edge source="7" target="0"><data key="d3"><![CDATA[10 [Gbps]]]></data><data key="d4">1e10</data></edge>
  </graph>
</graphml>
`

describe.each<[string, typeof readGml, string]>([
  ['GML', readGml, GML],
  ['GraphML', readGraphml, GRAPHML],
])('%s', (_name, read, text) => {
  it('gives nodes with names and places, and edges', () => {
    const graph = read(text, 'two')
    expect(graph.nodes).toEqual([
      { id: '0', label: 'Köln "West"', place: { latitude: 50.94, longitude: 6.96 } },
      { id: '7', label: '7', place: undefined },
    ])
    expect(graph.edges).toEqual([
      { from: 1, to: 0, label: '10 [Gbps]', speed: 1e10, quality: { forward: 1, backward: 1 } },
    ])
  })

  it('refuses an edge to nowhere, a node twice, and a place off the globe', () => {
    const swapped = (from: string, to: string) => complaint(read, text.replace(from, to))
    const edge = read === readGml ? ['target 0', 'target 5'] : ['target="0"', 'target="5"']
    expect(swapped(edge[0] as string, edge[1] as string)).toMatch(
      /line 1\d: the edge's target is "5"; it must be the id of a node; mend or remove/,
    )
    const node = read === readGml ? ['id 7', 'id 0'] : ['id="7"', 'id="0"']
    expect(swapped(node[0] as string, node[1] as string)).toMatch(/node 0 is there already; ids must differ/)
    expect(swapped('50.94', '150.94')).toMatch(/the node lies at 150.94, 6.96; latitude is -90 to 90/)
    expect(swapped('50.94', 'north')).toMatch(/Latitude is "north"; it must be a number/)
  })
})

describe('GML that is none', () => {
  it.each([
    ['', /holds no "graph \[ … \]"/],
    ['<graphml/>', /is it a GML file/],
    ['graph [\n node [\n id 1\n', /line 2: opens a list that never ends/],
    ['graph [\n label "x\n ]', /line 2: opens a quoted text that never ends/],
    ['graph [ node [ id ] ]', /the key "id" has no value/],
    ['graph [ node [ label "a" ] ]', /the node has no id/],
    ['graph [ [ ] ]', /"\[" stands where a key must/],
  ])('refuses %j', (text, message) => {
    expect(complaint(readGml, text)).toMatch(message)
  })
})

describe('GraphML that is none', () => {
  it.each([
    ['', /holds no <graph>/],
    ['<graph>\n<node id="1">\n</graph>', /line 3: <\/graph> closes nothing: <node> of line 2 is open/],
    ['<graph>\n<node id="1"/>', /line 1: <graph> is never closed/],
    ['<graph>\n a < b </graph>', /line 2: holds a "<" that begins no tag/],
    [
      '<graph><node id="1"><data key="d9">x</data></node></graph>',
      /the data's key is "d9"; no <key> declares it/,
    ],
  ])('refuses %j', (text, message) => {
    expect(complaint(readGraphml, text)).toMatch(message)
  })
})

describe('distances', () => {
  const berlin = { latitude: 52.52, longitude: 13.405 }
  const sydney = { latitude: -33.8688, longitude: 151.2093 }

  it('are great circles', () => {
    expect(distanceKm(berlin, sydney)).toBeCloseTo(16_090, -2)
    expect(distanceKm({ latitude: 0, longitude: 0 }, { latitude: 0, longitude: 1 })).toBeCloseTo(111.195, 2)
    expect(distanceKm({ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 77 })).toBeCloseTo(
      20_015.1,
      0,
    )
    // Over the date line, not round the world.
    expect(distanceKm({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 })).toBeCloseTo(
      111.195,
      2,
    )
    expect(distanceKm(berlin, berlin)).toBe(0)
  })

  it('cost 5 µs a kilometre in fibre, twice that on real paths', () => {
    const kilometres = distanceKm(berlin, sydney)
    expect(oneWayMicros(berlin, sydney, 1) / kilometres).toBeCloseTo(5.0035, 3)
    expect(oneWayMicros(berlin, sydney)).toBeCloseTo(2 * oneWayMicros(berlin, sydney, 1), -1)
  })
})
