/** The topology of a moment as GraphML and DOT, for other programs. Text only. */
import { escaped } from '../paint/svg.ts'
import { type About, NODE, type Picture } from '../source/source.ts'

interface Edge {
  readonly a: number
  readonly b: number
  /** `tree` goes from a to b, upwards; `trunk` has no direction. */
  readonly kind: 'tree' | 'trunk'
  readonly isCut: boolean
}

function edgesOf({ links, uppers, cut }: Picture): Edge[] {
  return [...cut].map((isCut, place) => {
    const [a, b] = [links[place * 2] as number, links[place * 2 + 1] as number]
    if (uppers[a] === b) return { a, b, kind: 'tree', isCut: isCut === 1 }
    if (uppers[b] === a) return { a: b, b: a, kind: 'tree', isCut: isCut === 1 }
    return { a, b, kind: 'trunk', isCut: isCut === 1 }
  })
}

function roleOf(picture: Picture, node: number): string {
  const state = picture.states[node] as number
  if ((state & NODE.up) === 0) return 'down'
  if (picture.root === node) return 'root'
  return (state & NODE.relay) !== 0 ? 'relay' : 'leaf'
}

export function graphmlOf(picture: Picture, about: About): string {
  const key = (id: string, what: string, type: string): string =>
    `  <key id="${id}" for="${what}" attr.name="${id}" attr.type="${type}"/>`
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    key('role', 'node', 'string'),
    key('side', 'node', 'int'),
    key('kind', 'edge', 'string'),
    key('cut', 'edge', 'boolean'),
    `  <graph id="${escaped(about.name)}" edgedefault="undirected">`,
  ]
  for (let node = 0; node < about.nodes; node++) {
    const role = roleOf(picture, node)
    const data = `<data key="role">${role}</data><data key="side">${picture.sides[node]}</data>`
    lines.push(`    <node id="n${node}">${data}</node>`)
  }
  for (const { a, b, kind, isCut } of edgesOf(picture)) {
    const data = `<data key="kind">${kind}</data><data key="cut">${isCut}</data>`
    const directed = kind === 'tree' ? ' directed="true"' : ''
    lines.push(`    <edge source="n${a}" target="n${b}"${directed}>${data}</edge>`)
  }
  return `${[...lines, '  </graph>', '</graphml>'].join('\n')}\n`
}

export function dotOf(picture: Picture, about: About): string {
  const lines = [`digraph "${about.name.replaceAll('"', '')}" {`, '  node [shape=circle];']
  for (let node = 0; node < about.nodes; node++) lines.push(`  ${node} [role=${roleOf(picture, node)}];`)
  for (const { a, b, kind, isCut } of edgesOf(picture)) {
    const look = [
      kind === 'tree' ? 'kind=tree' : 'kind=trunk, dir=none, color=gray',
      ...(isCut ? ['style=dashed'] : []),
    ]
    lines.push(`  ${a} -> ${b} [${look.join(', ')}];`)
  }
  return `${[...lines, '}'].join('\n')}\n`
}
