/**
 * What is looked at as the part of an address behind its `#`, and back: whoever opens it sees the same.
 * It knows no page; what it reads is somebody else's text, so all of it is checked and bounded.
 */
import { pack, unpack } from './pack.ts'
import { readSecond, type Second, writeSecond } from './second.ts'

export const LAYERS = ['trunks', 'tree', 'numbers', 'down'] as const
export type Layer = (typeof LAYERS)[number]

export const COLOURS = ['role', 'latency', 'loss', 'load', 'epoch'] as const
/** By what links or nodes are coloured. */
export type Colour = (typeof COLOURS)[number]

export interface Place {
  /** The name of a scenario that comes with PeerTap, or `edited`. */
  readonly scenario: string
  /** The scenario file itself, where it is no one that comes with PeerTap. */
  readonly edited: string | undefined
  readonly seed: number
  /** False: the instants of a trace are taken as they stand. */
  readonly dither: boolean
  /** It was seen in a recording, which need not be where the address is opened. */
  readonly isRecorded: boolean
  /** In seconds. */
  readonly at: number
  readonly layers: readonly Layer[]
  readonly colour: Colour
  /** −1: none. */
  readonly vlan: number
  /** −1: none. */
  readonly node: number
  /** The run beside it. */
  readonly second: Second | undefined
  /** Of the program that made the address. */
  readonly version: string
}

export const EDITED = 'edited'
const SEED_MAX = 4_294_967_295

export const DEFAULT_LAYERS: readonly Layer[] = ['trunks', 'tree']

export async function writePlace(place: Place): Promise<string> {
  const parts = new URLSearchParams()
  parts.set('scenario', place.scenario)
  parts.set('seed', String(place.seed))
  parts.set('at', place.at.toFixed(6).replace(/\.?0+$/, ''))
  parts.set('layers', place.layers.join('.'))
  if (!place.dither) parts.set('dither', 'no')
  if (place.isRecorded) parts.set('recording', 'yes')
  if (place.colour !== 'role') parts.set('colour', place.colour)
  if (place.vlan >= 0) parts.set('vlan', String(place.vlan))
  if (place.node >= 0) parts.set('node', String(place.node))
  if (place.second !== undefined) await writeSecond(parts, place.second)
  parts.set('version', place.version)
  if (place.edited !== undefined) parts.set('file', await pack(place.edited))
  return parts.toString()
}

/** Undefined for an empty address. Throws Error with what is wrong and how to mend it. */
export async function readPlace(hash: string): Promise<Place | undefined> {
  const text = hash.replace(/^#/, '')
  if (text === '') return undefined
  const parts = new URLSearchParams(text)
  const scenario = parts.get('scenario') ?? ''
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(scenario))
    throw new Error(
      `scenario is "${scenario}" in this address; it must be a scenario's name: choose one below`,
    )
  const file = parts.get('file')
  if (scenario === EDITED && file === null)
    throw new Error('this address lacks its file, which holds the scenario; ask for the whole address')
  const layers = (parts.get('layers') ?? DEFAULT_LAYERS.join('.')).split('.')
  return {
    scenario,
    edited: file === null ? undefined : await unpack(file, 'file'),
    seed: whole(parts, 'seed', 0, SEED_MAX, 1),
    dither: parts.get('dither') !== 'no',
    isRecorded: parts.get('recording') === 'yes',
    at: seconds(parts.get('at') ?? '0'),
    layers: LAYERS.filter((layer) => layers.includes(layer)),
    colour: COLOURS.find((colour) => colour === parts.get('colour')) ?? 'role',
    vlan: whole(parts, 'vlan', -1, 1_000_000, -1),
    node: whole(parts, 'node', -1, 10_000_000, -1),
    second: await readSecond(parts),
    version: parts.get('version') ?? '',
  }
}

function whole(parts: URLSearchParams, name: string, min: number, max: number, otherwise: number): number {
  const text = parts.get(name)
  if (text === null) return otherwise
  const value = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new Error(
    `${name} is "${text.slice(0, 40)}" in this address; it must be a whole number from ${min} to ${max}`,
  )
}

function seconds(text: string): number {
  const value = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN
  if (Number.isFinite(value)) return value
  throw new Error(`at is "${text.slice(0, 40)}" in this address; it must be a time in seconds, as 12.5`)
}
