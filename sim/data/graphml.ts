/**
 * GraphML (Brandes and others, 2002) as the Internet Topology Zoo writes it: keys declared once, then
 * nodes and edges with their data. Only as much of XML is read as such files use; entities of a DTD,
 * nested graphs and hyperedges are not.
 */
import { DataError, refuse, shown } from './error.ts'
import { buildGraph, type Graph, plainText, type RawItem } from './graph.ts'

/** What is passed over; the inside of CDATA; or a tag: slash, name, attributes, slash of an empty element. */
const PASSED = /<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<!DOCTYPE[^>]*>/
const CDATA = /<!\[CDATA\[([\s\S]*?)\]\]>/
const TAG = /<(\/?)([\w:.-]+)((?:[^<>"']|"[^"]*"|'[^']*')*?)(\/?)>/
const MARKUP = new RegExp(`${PASSED.source}|${CDATA.source}|${TAG.source}`, 'g')
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

interface Open {
  readonly name: string
  readonly line: number
}

/** What is gathered while the tags go by. */
interface Reading {
  readonly source: string
  readonly open: Open[]
  /** Names of data by the id of their key. */
  readonly names: Map<string, string>
  readonly nodes: RawItem[]
  readonly edges: RawItem[]
  /** The node or edge that is open, and the key of its open data. */
  item: Map<string, string> | undefined
  key: string | undefined
  text: string
}

/** Throws DataError. */
export function readGraphml(text: string, source: string): Graph {
  const reading: Reading = {
    source,
    open: [],
    names: new Map(),
    nodes: [],
    edges: [],
    item: undefined,
    key: undefined,
    text: '',
  }
  let line = 1
  let from = 0
  let found = false
  for (const match of text.matchAll(MARKUP)) {
    const between = text.slice(from, match.index)
    if (between.includes('<')) break
    reading.text += plainText(between)
    line += newlines(between)
    from = match.index + match[0].length
    const [, cdata, slash, name, attributes, empty] = match
    if (cdata !== undefined) reading.text += cdata
    if (name !== undefined) {
      found ||= name === 'graph'
      if (slash === '') start(reading, name, attributesOf(attributes ?? ''), line)
      if (slash === '/' || empty === '/') end(reading, name, line)
    }
    line += newlines(match[0])
  }
  const rest = text.slice(from)
  if (rest.includes('<')) {
    line += newlines(rest.slice(0, rest.indexOf('<')))
    refuse({ source, line }, 'holds a "<" that begins no tag; write &lt; for the character, or close the tag')
  }
  const left = reading.open.at(-1)
  if (left !== undefined)
    refuse({ source, line: left.line }, `<${left.name}> is never closed; is the file cut off?`)
  if (!found) throw new DataError(source, 'line 1', 'holds no <graph>; is it a GraphML file?')
  return buildGraph(source, reading.nodes, reading.edges)
}

function start(reading: Reading, name: string, attributes: Map<string, string>, line: number): void {
  reading.open.push({ name, line })
  reading.text = ''
  switch (name) {
    case 'key':
      reading.names.set(attributes.get('id') ?? '', attributes.get('attr.name') ?? attributes.get('id') ?? '')
      break
    case 'node':
    case 'edge': {
      // A copy, since data of the same name must not hide the ends and the id.
      const fields = new Map<string, string>()
      for (const key of ['id', 'source', 'target']) {
        const value = attributes.get(key)
        if (value !== undefined) fields.set(key, value)
      }
      reading.item = fields
      ;(name === 'node' ? reading.nodes : reading.edges).push({ line, fields })
      break
    }
    case 'data':
      reading.key = dataName(reading, attributes.get('key'), line)
      break
    default:
      break
  }
}

function dataName(reading: Reading, key: string | undefined, line: number): string {
  const name = key === undefined ? undefined : reading.names.get(key)
  if (name === undefined) {
    refuse({ source: reading.source, line }, `the data's key is ${shown(key)}; no <key> declares it; add one`)
  }
  return name
}

function end(reading: Reading, name: string, line: number): void {
  const open = reading.open.pop()
  if (open?.name !== name) {
    const rule = open === undefined ? 'nothing is open' : `<${open.name}> of line ${open.line} is open`
    refuse({ source: reading.source, line }, `</${name}> closes nothing: ${rule}; mend the nesting`)
  }
  if (name === 'data') {
    if (reading.item !== undefined && reading.key !== undefined && !reading.item.has(reading.key)) {
      reading.item.set(reading.key, reading.text.trim())
    }
    reading.key = undefined
  }
  if (name === 'node' || name === 'edge') reading.item = undefined
  reading.text = ''
}

function attributesOf(text: string): Map<string, string> {
  const result = new Map<string, string>()
  for (const [, name, double, single] of text.matchAll(ATTRIBUTE)) {
    result.set(name as string, plainText(double ?? single ?? ''))
  }
  return result
}

function newlines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}
