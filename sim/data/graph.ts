/**
 * What all readers of topologies come to: nodes by number, edges between them, and the delay that a
 * distance on the globe costs.
 */
import type { Micros } from '../../core/io.ts'
import { asin, cos, sin } from '../math.ts'
import { decimal, refuse, shown } from './error.ts'

export interface GraphNode {
  /** As the file names it. */
  readonly id: string
  readonly label: string
  /** Where it is, if the file says so. */
  readonly place: GeoPoint | undefined
}

/** Degrees; north and east are positive. */
export interface GeoPoint {
  readonly latitude: number
  readonly longitude: number
}

/** Undirected. Graphs may have several edges between two nodes, and edges from a node to itself. */
export interface GraphEdge {
  /** Indices of nodes. */
  readonly from: number
  readonly to: number
  readonly label: string
  /** Bits per second, if the file says so. */
  readonly speed: number | undefined
  /** Share of frames that get through in each direction, 0 … 1; 1 where the file does not say. */
  readonly quality: { readonly forward: number; readonly backward: number }
}

export interface Graph {
  readonly source: string
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

export const FULL_QUALITY = { forward: 1, backward: 1 } as const

/** A node or an edge as a reader found it: fields as text, and the line where it begins. */
export interface RawItem {
  readonly line: number
  readonly fields: ReadonlyMap<string, string>
}

/**
 * Nodes carry `id`, `label`, `Latitude`, `Longitude`, edges `source`, `target`, `LinkLabel`,
 * `LinkSpeedRaw` (bits per second), as in the Internet Topology Zoo; all but ids and ends may be absent.
 */
export function buildGraph(source: string, nodes: readonly RawItem[], edges: readonly RawItem[]): Graph {
  const indexOf = new Map<string, number>()
  const built = nodes.map((item, index) => {
    const id = item.fields.get('id')
    if (id === undefined) refuse({ source, line: item.line }, 'the node has no id; give it one')
    if (indexOf.has(id))
      refuse({ source, line: item.line }, `node ${id} is there already; ids must differ; rename it`)
    indexOf.set(id, index)
    return { id, label: item.fields.get('label') ?? id, place: placeOf(item, source) }
  })
  const end = (item: RawItem, key: 'source' | 'target'): number => {
    const id = item.fields.get(key)
    const index = indexOf.get(id ?? '')
    if (index !== undefined) return index
    const what = `the edge's ${key} is ${shown(id)}; it must be the id of a node; mend or remove the edge`
    return refuse({ source, line: item.line }, what)
  }
  return {
    source,
    nodes: built,
    edges: edges.map((item) => ({
      from: end(item, 'source'),
      to: end(item, 'target'),
      label: item.fields.get('LinkLabel') ?? '',
      speed: numberOf(item, 'LinkSpeedRaw', source),
      quality: FULL_QUALITY,
    })),
  }
}

function placeOf(item: RawItem, source: string): GeoPoint | undefined {
  const latitude = numberOf(item, 'Latitude', source)
  const longitude = numberOf(item, 'Longitude', source)
  if (latitude === undefined || longitude === undefined) return undefined
  if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) {
    const rule = 'latitude is -90 to 90 and longitude -180 to 180 degrees'
    refuse({ source, line: item.line }, `the node lies at ${latitude}, ${longitude}; ${rule}; mend it`)
  }
  return { latitude, longitude }
}

function numberOf(item: RawItem, key: string, source: string): number | undefined {
  const text = item.fields.get(key)
  if (text === undefined) return undefined
  const value = decimal(text)
  if (value === undefined)
    refuse({ source, line: item.line }, `${key} is ${shown(text)}; it must be a number; mend it`)
  return value
}

const ENTITIES: Readonly<Record<string, string>> = { quot: '"', amp: '&', lt: '<', gt: '>', apos: "'" }
const ENTITY = /&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g

/** Text with its entities resolved, as both GML and XML write them: `&#233;`, `&amp;`. Unknown ones stay. */
export function plainText(text: string): string {
  return text.replace(ENTITY, (whole, digits?: string, hex?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? whole
    const code = digits === undefined ? Number.parseInt(hex as string, 16) : Number(digits)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

const EARTH_RADIUS_KM = 6_371.0088
/** Two thirds of the speed of light in vacuum, km per microsecond: light in fibre. */
const FIBRE_KM_PER_MICROS = (0.299792458 * 2) / 3
/**
 * Real paths over the great circle: median of measured round trips over the least possible. Between
 * 1.4 and 4.4 for nine of ten pairs.
 */
const DETOUR = 2

/** Great-circle distance by the haversine formula. */
export function distanceKm(a: GeoPoint, b: GeoPoint): number {
  const radians = Math.PI / 180
  const north = sin(((b.latitude - a.latitude) * radians) / 2)
  const east = sin(((b.longitude - a.longitude) * radians) / 2)
  const shrink = cos(a.latitude * radians) * cos(b.latitude * radians)
  const chord = Math.min(1, north * north + shrink * east * east)
  return 2 * EARTH_RADIUS_KM * asin(Math.sqrt(chord))
}

/** One-way delay between two places: distance at two thirds of c, times the detour of real paths. */
export function oneWayMicros(a: GeoPoint, b: GeoPoint, detour = DETOUR): Micros {
  return Math.round((distanceKm(a, b) / FIBRE_KM_PER_MICROS) * detour)
}
