/**
 * Availability traces: when each node of a measured population was on. Three forms that papers use come
 * out as one; what a simulation makes of them is sim/churn/trace.ts.
 */
import { atLeastZero, count, DataError, refuse, rows, shown } from './error.ts'

export interface AvailabilityTrace {
  readonly source: string
  /** One for each node, in the order of the file. */
  readonly names: readonly string[]
  /** For each node: on, off, on, off … in seconds, strictly rising, an even number of them. */
  readonly intervals: readonly Float64Array[]
  /** Latest time of any node, seconds. A node that is on then has its last off here. */
  readonly endSeconds: number
}

/**
 * Godfrey's form: `<hex id> <n> <on 1> <off 1> … <on n> <off n>` a line, blanks or tabs between, seconds
 * from the start of the trace (Godfrey, Shenker, Stoica, SIGCOMM 2006). Throws DataError.
 */
export function readAvt(text: string, source: string): AvailabilityTrace {
  const seen = new Map<string, number>()
  const intervals: Float64Array[] = []
  for (const { line, fields } of rows(text)) {
    const place = { source, line }
    const id = fields[0] as string
    if (!/^[0-9a-fA-F]+$/.test(id)) {
      refuse(place, `the node id is ${shown(id)}; it must be hexadecimal; mend or remove the line`)
    }
    const earlier = seen.get(id)
    if (earlier !== undefined) {
      refuse(place, `node ${id} stands already in line ${earlier}; ids must differ; join the two lines`)
    }
    seen.set(id, line)
    const expected = count(fields[1], 'the number of intervals', place)
    const found = fields.length - 2
    if (found !== 2 * expected) {
      const rule = `${expected} intervals need ${2 * expected} times`
      refuse(place, `${found} times follow; ${rule}; mend the number or remove the line`)
    }
    intervals.push(risingTimes(fields.slice(2), place))
  }
  return finished(source, [...seen.keys()], intervals)
}

/** On and off times, checked to rise. `place` is that of the line they stand in. */
function risingTimes(fields: readonly string[], place: { source: string; line: number }): Float64Array {
  const times = new Float64Array(fields.length)
  let last = -1
  for (const [index, field] of fields.entries()) {
    const interval = `on-interval ${(index >> 1) + 1}`
    const edge = (index & 1) === 0 ? 'starts' : 'ends'
    const time = atLeastZero(field, `the time at which ${interval} ${edge}`, place)
    if (time <= last) {
      const before = (index & 1) === 0 ? `on-interval ${index >> 1} ends` : 'it starts'
      const word = time < last ? 'before' : 'as'
      const rule = 'times must rise; remove or mend the line'
      refuse(place, `${interval} ${edge} at ${time} ${word} ${before} at ${last}; ${rule}`)
    }
    times[index] = time
    last = time
  }
  return times
}

/**
 * The form of SPLAY's churn generator: one node a line, times in seconds, on first, then in turn. A node
 * with an odd number of times stays on; here that is until the last time in the file. Throws DataError.
 */
export function readSplay(text: string, source: string): AvailabilityTrace {
  const intervals: Float64Array[] = []
  const names: string[] = []
  for (const { line, fields } of rows(text)) {
    intervals.push(risingTimes(fields, { source, line }))
    names.push(`line ${line}`)
  }
  const end = lastOf(intervals)
  return finished(
    source,
    names,
    intervals.map((times) => closedAt(times, end)),
  )
}

function closedAt(times: Float64Array, end: number): Float64Array {
  if (times.length % 2 === 0) return times
  // Whoever comes on at the very end is never seen on.
  if (times.at(-1) === end) return times.slice(0, -1)
  const closed = new Float64Array(times.length + 1)
  closed.set(times)
  closed[times.length] = end
  return closed
}

/** Columns of the Failure Trace Archive's event table that are used here. */
const FTA = { node: 2, type: 5, start: 6, stop: 7 } as const

/**
 * The Failure Trace Archive's event table: tab-separated event_id, component_id, node_id, platform_id,
 * node_name, event_type, start, stop, reason; type 1 is available, 0 is not; Unix seconds. Lines that
 * begin with # or the word event_id are heads. Times come out from the earliest start. Throws DataError.
 */
export function readFta(text: string, source: string): AvailabilityTrace {
  const spans = new Map<string, { start: number; stop: number; line: number }[]>()
  let origin = Number.POSITIVE_INFINITY
  for (const { line, fields } of rows(text, /\t/)) {
    if (fields[0]?.startsWith('#') || fields[0] === 'event_id') continue
    const place = { source, line }
    if (fields.length <= FTA.stop) {
      refuse(
        place,
        `has ${fields.length} columns; an event has at least ${FTA.stop + 1}; separate them by tabs`,
      )
    }
    const type = fields[FTA.type]
    if (type !== '0' && type !== '1') {
      refuse(
        place,
        `the event type is ${shown(type)}; it must be 1 (available) or 0; mend or remove the line`,
      )
    }
    const start = atLeastZero(fields[FTA.start], 'the start', place)
    const stop = atLeastZero(fields[FTA.stop], 'the stop', place)
    if (stop <= start)
      refuse(place, `stops at ${stop}, not after its start at ${start}; remove or mend the line`)
    origin = Math.min(origin, start)
    const node = fields[FTA.node] as string
    if (!spans.has(node)) spans.set(node, [])
    if (type === '1') spans.get(node)?.push({ start, stop, line })
  }
  const intervals = [...spans.values()].map((list) => joined(list, origin, source))
  return finished(source, [...spans.keys()], intervals)
}

/** Spans in order of time, those that touch made one; overlaps are refused. */
function joined(
  list: { start: number; stop: number; line: number }[],
  origin: number,
  source: string,
): Float64Array {
  list.sort((a, b) => a.start - b.start || a.line - b.line)
  const times: number[] = []
  for (const { start, stop, line } of list) {
    const last = times.at(-1)
    if (last !== undefined && start - origin < last) {
      const what = `starts at ${start} before the node's earlier event stops at ${last + origin}`
      refuse({ source, line }, `${what}; events of a node must not overlap; remove or mend the line`)
    }
    if (last !== undefined && start - origin === last) times[times.length - 1] = stop - origin
    else times.push(start - origin, stop - origin)
  }
  return Float64Array.from(times)
}

function lastOf(intervals: readonly Float64Array[]): number {
  return intervals.reduce((latest, times) => Math.max(latest, times.at(-1) ?? 0), 0)
}

function finished(
  source: string,
  names: readonly string[],
  intervals: readonly Float64Array[],
): AvailabilityTrace {
  if (names.length === 0) {
    throw new DataError(source, 'line 1', 'holds no node; a trace has one node a line; is it the right file?')
  }
  return { source, names, intervals, endSeconds: lastOf(intervals) }
}
