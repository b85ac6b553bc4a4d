/**
 * What goes into a run beside the scenario, what comes out of it, and how its numbers are called, judged
 * and written. It knows neither files nor clocks: wall time, memory and the manifest are measured and
 * added by the driver that runs a simulation.
 *
 * Names of metrics are camelCase with the percentile before the unit and the unit last
 * (`latencyP99Millis`, `outageP50Seconds`, `controlBytesPerNodeSecond`, `reachableShare`). Shares are
 * 0 to 1. A metric that is split by reason or kind is a record (`drops: { dropStorm: 3 }`). What was not
 * measured is left out: zero means that zero was measured.
 */
import type { Crypto } from '../core/crypto/ports.ts'
import type { NodeEvent } from '../core/io.ts'
import type { CreateTree } from '../core/node.ts'
import type { MlsEngines } from './mls/engines.ts'
import type { BoundName, Limit, Scenario } from './scenario.ts'
import type { Visitors } from './visitors.ts'

/** Data files by their name relative to the data directory, unpacked. Throws UsageError when missing. */
export interface DataFiles {
  text(name: string): string
  /** Where it lies, for messages. */
  placeOf?(name: string): string
}

export interface Progress {
  readonly simulatedSeconds: number
  /** Where the run ends. */
  readonly totalSeconds: number
  /** Where the scenario says that it ends; healing may go on for longer. */
  readonly scenarioSeconds: number
  readonly aliveNodes: number
  /** Packets that links have carried so far. */
  readonly messages: number
  /** Effects folded into the digest so far. */
  readonly events: number
}

export interface RunOptions {
  readonly seed: number
  readonly data: DataFiles
  /** False: the instants of a trace are taken as they stand. */
  readonly dither?: boolean
  /** Called about once for every simulated second. False ends the run there. */
  readonly onProgress?: (progress: Progress) => boolean | undefined
  /** Called for every effect with a readable line; slow. */
  readonly trace?: (line: string) => void
  /** The cryptography of a scenario that asks for the real one: by default that of plain JavaScript. */
  readonly realCrypto?: Crypto | undefined
  /** The engines of a scenario that asks for ts-mls; nothing here can be in their place. */
  readonly mlsEngines?: MlsEngines | undefined
  /** Another tree protocol in CRST's place, to compare them; also the mutants that checkers are tried on. */
  readonly createTree?: CreateTree | undefined
  /** People at its machines (sim/live.ts). */
  readonly visitors?: Visitors | undefined
  /** Somebody who watches: the run is the same with it and without. */
  readonly onlooker?: Onlooker | undefined
}

/** Told within the step in which it happens; it only looks. Nodes are numbers. */
export interface Onlooker {
  started(node: number): void
  stopped(node: number): void
  noted(node: number, event: NodeEvent): void
}

/** Something that must never happen. */
export interface Violation {
  readonly kind: string
  readonly atSeconds: number
  readonly node: number
  readonly detail: string
}

/** Whom a fault of the scenario has hit. */
export interface FaultHits {
  readonly kind: string
  readonly atSeconds: number
  /** That were up then; one that is hit again counts again. */
  readonly nodes: number
}

export interface BoundResult {
  readonly name: BoundName
  /** Null: the run did not measure it, which fails the bound. */
  readonly value: number | null
  readonly limit: Limit
  readonly ok: boolean
}

export type Metric = number | Readonly<Record<string, number>>
export type Metrics = Readonly<Record<string, Metric>>

/** A pure function of the program, the scenario and the seed. */
export interface RunResult {
  readonly scenario: string
  readonly seed: number
  /** 16 hex digits over everything that happened. */
  readonly digest: string
  /** No violation, and all bounds hold. */
  readonly ok: boolean
  readonly violations: readonly Violation[]
  readonly bounds: readonly BoundResult[]
  readonly metrics: Metrics
  /** In the order of the scenario. */
  readonly faults: readonly FaultHits[]
  /** What to know before believing the figures, in sentences: a fault that hit nobody, nobody to test. */
  readonly remarks: readonly string[]
  readonly events: number
  readonly messages: number
  readonly simulatedSeconds: number
}

/** A run under way. */
export interface Simulation {
  /** Goes on until this time, or to the end if that is earlier. */
  step(untilSeconds: number): void
  readonly done: boolean
  result(): RunResult
  /** The digest of what has happened so far, 16 hex digits. */
  readonly digest: string
  /** Effects folded into the digest so far. */
  readonly effects: number
  /** One word of the digest after each whole chunk of effects. */
  readonly digests: readonly number[]
  /** Runs again from the start and describes the effects from `fromEffect` up to before `toEffect`. */
  record(fromEffect: number, toEffect: number): string[]
}

/** What makes a result repeatable: written beside it. */
export interface Manifest {
  readonly scenario: string
  /** SHA-256 in hex of the scenario as canonical JSON, defaults written out. */
  readonly scenarioHash: string
  readonly seeds: readonly number[]
  readonly peertap: string
  /** SHA-256 in hex over all sources that a simulation consists of, and its dependencies' versions. */
  readonly codeHash: string
  /** Of the checkout, where it is one; its files may have been changed since: codeHash tells. */
  readonly commit?: string
  readonly runtime: string
  /** What was asked for on the command line, as it was given. */
  readonly flags: readonly string[]
  readonly dither: boolean
  /** SHA-256 in hex of each data file as it lies on the disk, by name. */
  readonly data: Readonly<Record<string, string>>
}

/** A run with what only its driver can know. */
export interface RunReport extends RunResult {
  readonly wallSeconds: number
  readonly messagesPerSecond: number
  /** The largest memory of the whole process so far. */
  readonly peakRssBytes: number
}

/** Judges what was measured; a value that is missing or not a number fails its bound. */
export function compareBounds(bounds: Scenario['bounds'], metrics: Metrics): BoundResult[] {
  const results: BoundResult[] = []
  for (const [key, limit] of Object.entries(bounds)) {
    if (limit === undefined) continue
    const measured = metrics[key]
    const value = typeof measured === 'number' && Number.isFinite(measured) ? measured : null
    results.push({ name: key as BoundName, value, limit, ok: value !== null && within(value, limit) })
  }
  return results
}

function within(value: number, limit: Limit): boolean {
  return (limit.min === undefined || value >= limit.min) && (limit.max === undefined || value <= limit.max)
}

/** Metrics as one flat list: the parts of a record become `drops.dropStorm`. */
export function flatMetrics(metrics: Metrics): Map<string, number> {
  const flat = new Map<string, number>()
  for (const [name, metric] of Object.entries(metrics)) {
    if (typeof metric === 'number') flat.set(name, metric)
    else for (const [part, value] of Object.entries(metric)) flat.set(`${name}.${part}`, value)
  }
  return flat
}

/** What people read first stands first; a metric belongs to the first group that fits its name. */
const GROUPS: readonly { readonly title: string; readonly fits: RegExp }[] = [
  {
    title: 'delivery',
    fits: /^(delivery|arrivedShare|frames|copies|reachable|attachedShare|connectedShare|storm|member)/,
  },
  { title: 'latency', fits: /^(latency|stretch)/ },
  { title: 'outages', fits: /^(outage|converge|attachSeconds|falseLinkDeaths)/ },
  { title: 'control bytes', fits: /^(control|dataBytes)/ },
  { title: 'drops by reason', fits: /^drop/ },
  { title: 'tree and trunks', fits: /^(tree|cycles|dials|trunks)/ },
  { title: 'other', fits: /^/ },
]

/** Groups of metrics by title, in the order above; empty ones are left out. */
export function groupMetrics<T>(metrics: ReadonlyMap<string, T>): Map<string, [name: string, value: T][]> {
  const groups = new Map<string, [string, T][]>(GROUPS.map(({ title }) => [title, []]))
  for (const entry of metrics) {
    const group = GROUPS.find(({ fits }) => fits.test(entry[0]))
    groups.get(group?.title ?? '')?.push(entry)
  }
  for (const [title, entries] of groups) if (entries.length === 0) groups.delete(title)
  return groups
}

/** A unit by the end of a metric's name; the first that fits. */
const UNITS: readonly { readonly end: RegExp; readonly unit: string }[] = [
  { end: /BytesPerNodeSecond$/, unit: 'B/s per node' },
  { end: /BytesPerSecond$/, unit: 'B/s' },
  { end: /PerNodeSecond$/, unit: '/s per node' },
  { end: /PerNodeHour$/, unit: '/h per node' },
  { end: /PerSecond$/, unit: '/s' },
  { end: /Bytes$/, unit: 'B' },
  { end: /Seconds$/, unit: 's' },
  { end: /Millis$/, unit: 'ms' },
  { end: /Micros$/, unit: 'µs' },
]

/** The unit of a metric, of a part of one (`latencyMillis.p99`) or of one that is split (`bytesByKind`). */
export function unitOf(name: string): string {
  const whole = (name.split('.')[0] as string).replace(/By[A-Z]\w*$/, '')
  return UNITS.find(({ end }) => end.test(whole))?.unit ?? ''
}

/**
 * A number as people read it: digits grouped in whole numbers, four significant digits otherwise. Near
 * one, six decimals, so that a delivery of 0.99996 or 1.0004 copies do not read as 1.
 */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return 'not measured'
  if (Number.isInteger(value)) return group(value)
  const size = Math.abs(value)
  if (size > 0.99 && size < 1.01) return value.toFixed(6).replace(/0+$/, '')
  if (size >= 1e12 || size < 1e-4) return value.toExponential(3)
  if (size >= 1_000) return group(Math.round(value))
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 5)
}

function group(value: number): string {
  const digits = String(Math.abs(value))
  if (digits.includes('e')) return String(value)
  return (value < 0 ? '-' : '') + digits.replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `at least 0.9995`, `at most 150`, `0.999 to 1.001`: numbers as their author wrote them. */
export function formatLimit(limit: Limit): string {
  const { min, max } = limit
  const text = (value: number): string => (Number.isInteger(value) ? group(value) : String(value))
  if (min !== undefined && max !== undefined) return `${text(min)} to ${text(max)}`
  if (min !== undefined) return `at least ${text(min)}`
  return max === undefined ? 'any' : `at most ${text(max)}`
}
