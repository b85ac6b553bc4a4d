/**
 * Mesh graphs in the form of meshnet-lab: `{"links": [{"source", "target", "source_tq", "target_tq",
 * "type"}]}`, as taken from the maps of Freifunk communities. Names and places of routers, if the file has
 * any, belong to private persons and are not read.
 */
import { DataError } from './error.ts'
import { FULL_QUALITY, type Graph, type GraphEdge } from './graph.ts'

/**
 * Nodes are those that links name, in the order of the file: a list of nodes, where there is one, is neither
 * complete nor free of repetition, and what has no link has no use here. `type` becomes the edge's label.
 * Links without `source_tq` (cables, tunnels) have full quality. Throws DataError.
 */
export function readFreifunk(text: string, source: string): Graph {
  const indexOf = new Map<string, number>()
  const indexAt = (id: string): number => {
    const index = indexOf.get(id) ?? indexOf.size
    indexOf.set(id, index)
    return index
  }
  const edges = linksOf(text, source).map((link, index) => readLink(link, `links[${index}]`, source, indexAt))
  return { source, nodes: [...indexOf.keys()].map((id) => ({ id, label: id, place: undefined })), edges }
}

function linksOf(text: string, source: string): unknown[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new DataError(source, 'text', `is not JSON (${(error as Error).message}); export it again`)
  }
  const links = (value as { links?: unknown } | null)?.links
  if (!Array.isArray(links))
    throw new DataError(source, 'links', 'must be a list of links; is it the right file?')
  return links
}

function readLink(link: unknown, path: string, source: string, indexAt: (id: string) => number): GraphEdge {
  if (typeof link !== 'object' || link === null) {
    throw new DataError(
      source,
      path,
      `is ${JSON.stringify(link)}; a link is an object with source and target`,
    )
  }
  const fields = link as Record<string, unknown>
  const end = (key: string): number => indexAt(idOf(fields[key], `${path}.${key}`, source))
  const label = fields['type'] ?? ''
  if (typeof label !== 'string') throw new DataError(source, `${path}.type`, 'must be a text such as "wifi"')
  const measured = fields['source_tq'] !== undefined || fields['target_tq'] !== undefined
  const quality = measured
    ? {
        forward: share(fields, path, 'source_tq', source),
        backward: share(fields, path, 'target_tq', source),
      }
    : FULL_QUALITY
  return { from: end('source'), to: end('target'), label, speed: undefined, quality }
}

function idOf(value: unknown, path: string, source: string): string {
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  throw new DataError(source, path, `is ${JSON.stringify(value)}; a node is a number or a text; mend it`)
}

function share(fields: Record<string, unknown>, path: string, key: string, source: string): number {
  const value = fields[key]
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw new DataError(
    source,
    `${path}.${key}`,
    `is ${JSON.stringify(value)}; a link quality is 0 to 1; mend it`,
  )
}
