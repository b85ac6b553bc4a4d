/**
 * Churn that nobody measured but everybody fears or plans: a crowd that arrives at once, an update rolled
 * out machine by machine, people who are there by day.
 */
import { shuffled } from '../../core/dice.ts'
import { UsageError } from '../../core/errors.ts'
import { SECOND } from '../../core/io.ts'
import { type Distribution, sample } from '../distributions.ts'
import { exp, log } from '../math.ts'
import type { Streams } from '../random.ts'
import {
  type Churn,
  checkAbove,
  checkManner,
  checkNode,
  checkShare,
  type Manner,
  transitions,
} from './schedule.ts'

interface Pattern extends Manner {
  readonly streams: Streams
  readonly nodes: number
  /** Length of the run. */
  readonly seconds: number
}

export interface FlashCrowd extends Pattern {
  readonly atSeconds: number
  /** All have come by then. */
  readonly withinSeconds: number
  /** Evenly, or most at once and ever fewer: 63 % within the first third. */
  readonly shape: 'uniform' | 'exponential'
  /** Seconds; without it they stay. */
  readonly stay?: Distribution | undefined
}

/** Means of the exponential that fit into the time; what lies beyond is cut off. */
const MEANS_WITHIN = 3

/** Every node joins once. */
export function flashCrowd(options: FlashCrowd): Churn {
  const { streams, nodes, seconds, atSeconds, withinSeconds, shape, stay } = options
  checkManner(options)
  checkAbove(withinSeconds, 0, 'withinSeconds')
  const cut = 1 - exp(-MEANS_WITHIN)
  return {
    nodes,
    schedule(node) {
      checkNode(node, nodes)
      const random = streams.stream(`churn/crowd/${node}`)
      const draw = random.unit()
      const delay = shape === 'uniform' ? draw : -log(1 - draw * cut) / MEANS_WITHIN
      const up = (atSeconds + delay * withinSeconds) * SECOND
      const edges = stay === undefined ? [up] : [up, up + sample(stay, random) * SECOND]
      return transitions(node, edges, seconds * SECOND, options, random)
    },
  }
}

export interface RollingRestart extends Pattern {
  readonly atSeconds: number
  /** From one batch to the next. */
  readonly everySeconds: number
  readonly downSeconds: number
  /** Nodes that restart together. */
  readonly batch: number
}

/** All nodes are on from the start; each goes down once, in an order drawn from the seed. */
export function rollingRestart(options: RollingRestart): Churn {
  const { streams, nodes, seconds, atSeconds, everySeconds, downSeconds, batch } = options
  checkManner(options)
  checkAbove(downSeconds, 0, 'downSeconds')
  if (!Number.isInteger(batch) || batch < 1) {
    throw new UsageError(`churn: batch is ${batch}; it must be a whole number of at least 1`)
  }
  const order = shuffled(
    streams.stream('churn/rolling'),
    Array.from({ length: nodes }, (_, node) => node),
  )
  const rank = new Int32Array(nodes)
  for (const [place, node] of order.entries()) rank[node] = place
  return {
    nodes,
    schedule(node) {
      checkNode(node, nodes)
      const down = atSeconds + Math.floor((rank[node] as number) / batch) * everySeconds
      const edges = [0, down * SECOND, (down + downSeconds) * SECOND]
      return transitions(node, edges, seconds * SECOND, options, streams.stream(`churn/rolling/${node}`))
    },
  }
}

export interface Diurnal extends Pattern {
  /** Length of a day; shorter than 86,400 to see several in a short run. */
  readonly daySeconds: number
  /** Share of the day that each node is on. */
  readonly upShare: number
  /** When in the day the middle of the stays lies, seconds. */
  readonly peakSeconds: number
  /** Standard deviation of a node's own middle about that: people differ, and live in time zones. */
  readonly nodeSpreadSeconds: number
  /** Standard deviation of each coming and going about the node's own hours. */
  readonly daySpreadSeconds: number
}

/** Every node is on once a day. */
export function diurnal(options: Diurnal): Churn {
  const { streams, nodes, seconds, daySeconds, upShare, peakSeconds } = options
  checkManner(options)
  checkShare(upShare, 'upShare')
  checkAbove(daySeconds, 0, 'daySeconds')
  return {
    nodes,
    schedule(node) {
      checkNode(node, nodes)
      const random = streams.stream(`churn/diurnal/${node}`)
      const middle = peakSeconds + options.nodeSpreadSeconds * random.normal()
      const edges: number[] = []
      // Half a day earlier than needed, for those that are on over midnight.
      const first = Math.floor(-middle / daySeconds) - 1
      for (let day = first; middle + (day - 1) * daySeconds < seconds; day++) {
        for (const side of [-0.5, 0.5]) {
          const hour = middle + (day + side * upShare) * daySeconds
          const edge = (hour + options.daySpreadSeconds * random.normal()) * SECOND
          edges.push(Math.max(edge, edges.at(-1) ?? edge))
        }
      }
      return transitions(node, edges, seconds * SECOND, options, random)
    },
  }
}
