/**
 * Churn as it was recorded: the sessions of a trace, played at their own speed or faster.
 *
 * Traces come from probing at intervals, so transitions of many nodes fall on the same second (the
 * Skype trace has 11 to 15 distinct instants in six hours). That would be a herd that never was:
 * every transition is moved by a random time within the probing interval (mesh:M19), from a stream of the
 * node's own, the whole trace through, so that it moves alike whatever window is played and how fast.
 */
import { UsageError } from '../../core/errors.ts'
import { type Micros, SECOND } from '../../core/io.ts'
import type { AvailabilityTrace } from '../data/avt.ts'
import type { Random, Streams } from '../random.ts'
import {
  type Churn,
  checkAbove,
  checkManner,
  checkNode,
  LEAST_STAY,
  type Manner,
  transitions,
} from './schedule.ts'

/** Half of the Skype trace's probing interval of 1,835 s, rounded down. */
export const SKYPE_DITHER_SECONDS = 917

export interface TraceChurn extends Manner {
  readonly trace: AvailabilityTrace
  readonly streams: Streams
  /** The first so many lines of the trace. */
  readonly nodes: number
  /** Where in the trace the run begins. */
  readonly fromSeconds: number
  /** Length of the run in simulated time. */
  readonly seconds: number
  /** Trace seconds for each simulated second. */
  readonly compress: number
  /** Each transition is moved by up to this many trace seconds, before or after; 0 leaves all as they are. */
  readonly ditherSeconds: number
}

/** Throws UsageError if the trace has too few nodes or the window does not lie in it. */
export function traceChurn(options: TraceChurn): Churn {
  const { trace, nodes, fromSeconds, seconds, compress, ditherSeconds } = options
  checkManner(options)
  checkAbove(compress, 0, 'compress')
  checkAbove(seconds, 0, 'seconds')
  if (!(ditherSeconds >= 0))
    throw new UsageError(`churn: ditherSeconds is ${ditherSeconds}; it must not be negative`)
  if (nodes > trace.names.length) {
    const found = `${trace.source} has ${trace.names.length} nodes, and nodes.count is ${nodes}`
    throw new UsageError(`${found}; take fewer nodes or another trace`)
  }
  const untilSeconds = fromSeconds + seconds * compress
  if (fromSeconds < 0 || untilSeconds > trace.endSeconds) {
    const wanted = `${fromSeconds} to ${untilSeconds} s`
    const window = `seconds times churn.compress from churn.fromHours on is ${wanted}`
    const found = `${trace.source} ends at ${trace.endSeconds} s, and ${window}`
    throw new UsageError(`${found}; begin earlier or run shorter`)
  }
  const end = seconds * SECOND
  return {
    nodes,
    schedule(node) {
      checkNode(node, nodes)
      const times = trace.intervals[node] as Float64Array
      const stream = options.streams.stream(`churn/trace/${node}`)
      const edges = dithered(times, trace.endSeconds, ditherSeconds, stream.fork('dither'))
      for (const [index, edge] of edges.entries()) edges[index] = scaled(edge, fromSeconds, compress)
      return transitions(node, edges, end, options, stream)
    },
  }
}

function scaled(seconds: number, fromSeconds: number, compress: number): Micros {
  return ((seconds - fromSeconds) / compress) * SECOND
}

/** The times moved, still in their order. What the start and the end of the trace cut off stays there. */
function dithered(
  times: Float64Array,
  endSeconds: number,
  ditherSeconds: number,
  random: Random,
): Float64Array {
  const result = new Float64Array(times.length)
  const least = LEAST_STAY / SECOND
  let last = Number.NEGATIVE_INFINITY
  for (const [index, time] of times.entries()) {
    const shift = (2 * random.unit() - 1) * ditherSeconds
    const cut = time === 0 || time === endSeconds
    const moved = cut ? time : Math.max(0, Math.min(endSeconds, time + shift))
    last = ditherSeconds === 0 ? time : Math.max(moved, last + least)
    result[index] = last
  }
  return result
}
