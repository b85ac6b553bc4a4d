/**
 * Churn drawn from distributions that were fitted to a population.
 *
 * A renewal process from pooled fits is wrong in three ways that matter to an overlay (measured on the
 * Skype trace): nodes differ, so it loses the stable core; nodes are born and die, so it has half again
 * too many online; and people sleep. The model therefore has, for each node:
 *
 * - a class: always on, seen once, or coming and going;
 * - a rate of its own for stays and one for absences, which go against each other;
 * - stays (absences) that resemble the one before;
 * - a birth and a death, apart from its sessions;
 * - a day, by which stays end sooner at night and absences by day.
 *
 * Lengths are drawn through normal scores (a Gaussian copula): the score of a length is the node's own
 * score and that of the moment, weighted so that it is standard normal again. So over a long time all lengths
 * together follow the fitted distribution, whatever the weights.
 *
 * A run begins in the middle of things. The interval that holds the first instant is drawn in proportion
 * to its length, as is its state, and the node's own score is drawn given that interval; thus the state
 * at the start is the stationary one and needs no time to settle.
 */
import { UsageError } from '../../core/errors.ts'
import { SECOND } from '../../core/io.ts'
import {
  checkDistribution,
  type Distribution,
  meanOf,
  quantileOf,
  sample,
  sampleByLength,
  shareBelow,
} from '../distributions.ts'
import { normalQuantile, normalShare } from '../math.ts'
import type { Random, Streams } from '../random.ts'
import { afterWorking, type Daily } from './daily.ts'
import {
  type Churn,
  checkAbove,
  checkManner,
  checkNode,
  checkShare,
  LEAST_STAY,
  type Manner,
  transitions,
} from './schedule.ts'

const HOUR_SECONDS = 3_600

/** One side of a node's life, on or off. */
export interface Lengths {
  /** Hours, over all intervals of all nodes. */
  readonly hours: Distribution
  /** Share of the variance of the scores that lies between nodes rather than within one, 0 to 1. */
  readonly nodeShare: number
  /** Of the scores of successive intervals, over all nodes: at least nodeShare, below 1. */
  readonly correlation: number
}

export interface ChurnModel {
  readonly on: Lengths
  readonly off: Lengths
  /** Correlation of a node's own scores for on and off: below 0, long stays go with short absences. */
  readonly balance: number
  /** Nodes that never go. */
  readonly alwaysShare: number
  /** Nodes that are seen for one stay in all of `spanHours`, and how long it is. */
  readonly onceShare: number
  readonly onceHours: Distribution
  /** Nodes born within `spanHours`, at a time drawn evenly; all others are there before. */
  readonly bornShare: number
  /** The time over which the population was watched. */
  readonly spanHours: number
  /** Mean time to the death of a node, from the start or its birth, exponential; undefined: none dies. */
  readonly lifetimeHours: number | undefined
  readonly daily: Daily | undefined
}

export interface FittedChurn extends Manner {
  readonly model: ChurnModel
  readonly streams: Streams
  readonly nodes: number
  /** Length of the run in simulated time. */
  readonly seconds: number
  /** Model seconds for each simulated second. */
  readonly compress: number
}

/** Throws UsageError. */
export function fittedChurn(options: FittedChurn): Churn {
  const { model, nodes, seconds, compress, streams } = options
  checkModel(model)
  checkManner(options)
  checkAbove(compress, 0, 'compress')
  checkAbove(seconds, 0, 'seconds')
  const microsPerHour = (HOUR_SECONDS * SECOND) / compress
  const windowHours = (seconds * compress) / HOUR_SECONDS
  const leastHours = LEAST_STAY / microsPerHour
  return {
    nodes,
    schedule(node) {
      checkNode(node, nodes)
      const stream = streams.stream(`churn/fitted/${node}`)
      const edges = life(model, windowHours, leastHours, stream.fork('life')).map(
        (hours) => hours * microsPerHour,
      )
      return transitions(node, edges, seconds * SECOND, options, stream)
    },
  }
}

function checkModel(model: ChurnModel): void {
  for (const kind of ['on', 'off'] as const) {
    const { hours, nodeShare, correlation } = model[kind]
    checkDistribution(hours, `churn: ${kind}.hours`)
    const mean = meanOf(hours)
    if (!(mean > 0 && mean < Number.POSITIVE_INFINITY)) {
      throw new UsageError(
        `churn: ${kind}.hours has the mean ${mean}; it must be finite and above 0; take another`,
      )
    }
    checkShare(nodeShare, `${kind}.nodeShare`)
    if (!(correlation >= nodeShare && correlation < 1) && nodeShare < 1) {
      const rule = `what nodes keep of their own alone gives ${nodeShare}; it must lie between that and 1`
      throw new UsageError(`churn: ${kind}.correlation is ${correlation}; ${rule}`)
    }
  }
  checkDistribution(model.onceHours, 'churn: onceHours')
  checkShare(model.alwaysShare, 'alwaysShare')
  checkShare(model.onceShare, 'onceShare')
  checkShare(model.alwaysShare + model.onceShare, 'alwaysShare + onceShare')
  checkShare(model.bornShare, 'bornShare')
  checkShare(Math.abs(model.balance), '|balance|')
  if (model.lifetimeHours !== undefined) checkAbove(model.lifetimeHours, 0, 'lifetimeHours')
  if (model.daily !== undefined && !(model.daily.depth >= 0 && model.daily.depth < 1)) {
    throw new UsageError(`churn: daily.depth is ${model.daily.depth}; it must be at least 0 and below 1`)
  }
}

/** Up, down, up … in hours from the start, until past the window. */
function life(model: ChurnModel, windowHours: number, leastHours: number, random: Random): number[] {
  const draw = random.unit()
  const spanHours = Math.max(model.spanHours, windowHours)
  if (draw < model.alwaysShare) return [0]
  if (draw < model.alwaysShare + model.onceShare) {
    const birth = spanHours * random.unit()
    return [birth, birth + sample(model.onceHours, random)]
  }
  const bornInside = random.unit() < model.bornShare
  const birth = bornInside ? spanHours * random.unit() : 0
  const lifetime = { kind: 'exponential', mean: model.lifetimeHours ?? 0 } as const
  const death =
    model.lifetimeHours === undefined ? Number.POSITIVE_INFINITY : birth + sample(lifetime, random)
  if (birth >= windowHours) return []
  return sessions(model, { birth, bornInside, death }, windowHours, leastHours, random)
}

/** Days before the start from which a node with a day is followed, until it has forgotten that it began. */
const DAYS_BEFORE = 3

interface Span {
  readonly birth: number
  readonly bornInside: boolean
  readonly death: number
}

function sessions(
  model: ChurnModel,
  { birth, bornInside, death }: Span,
  windowHours: number,
  leastHours: number,
  random: Random,
): number[] {
  const node = new NodeRates(model, random)
  const until = Math.min(death, windowHours)
  const edges: number[] = []
  // Who is born comes up. Whoever was there before is somewhere in the middle of an interval.
  let up = bornInside || node.upFirst
  let left = node.upFirst === up ? node.firstHours : node.next(up)
  if (!bornInside) left *= random.unit()
  // The balance that is drawn is that of the whole day, not of the hour at which the run begins.
  let now = bornInside || model.daily === undefined ? birth : -24 * DAYS_BEFORE
  if (up) edges.push(now)
  while (now < until) {
    now = Math.min(afterWorking(model.daily, now, Math.max(left, leastHours), up), death)
    if (now === death && !up) break
    edges.push(now)
    up = !up
    left = node.next(up)
  }
  return edges
}

/** A node's own scores, and the last score of each kind. */
class NodeRates {
  /** State and length of the interval that a random instant falls into. */
  readonly upFirst: boolean
  readonly firstHours: number
  readonly #model: ChurnModel
  readonly #random: Random
  readonly #own: { readonly on: number; readonly off: number }
  /** The momentary part of the last score, standard normal. */
  readonly #moment: { on: number; off: number }

  constructor(model: ChurnModel, random: Random) {
    this.#model = model
    this.#random = random
    const meanOn = meanOf(model.on.hours)
    this.upFirst = random.unit() * (meanOn + meanOf(model.off.hours)) < meanOn
    const side = this.upFirst ? model.on : model.off
    this.firstHours = sampleByLength(side.hours, random)
    const score = scoreOf(side.hours, this.firstHours)
    const own = Math.sqrt(side.nodeShare) * score + Math.sqrt(1 - side.nodeShare) * random.normal()
    const moment =
      side.nodeShare < 1 ? (score - Math.sqrt(side.nodeShare) * own) / Math.sqrt(1 - side.nodeShare) : 0
    const other = model.balance * own + Math.sqrt(1 - model.balance * model.balance) * random.normal()
    this.#own = this.upFirst ? { on: own, off: other } : { on: other, off: own }
    this.#moment = this.upFirst ? { on: moment, off: random.normal() } : { on: random.normal(), off: moment }
  }

  /** Hours of the next interval of that kind. */
  next(up: boolean): number {
    const kind = up ? 'on' : 'off'
    const { hours, nodeShare, correlation } = this.#model[kind]
    const memory = nodeShare < 1 ? (correlation - nodeShare) / (1 - nodeShare) : 0
    const moment = memory * this.#moment[kind] + Math.sqrt(1 - memory * memory) * this.#random.normal()
    this.#moment[kind] = moment
    return hoursOf(hours, Math.sqrt(nodeShare) * this.#own[kind] + Math.sqrt(1 - nodeShare) * moment)
  }
}

/** Keeps shares off 0 and 1, whose scores are infinite. */
const LEAST_SHARE = 1e-15

function scoreOf(distribution: Distribution, hours: number): number {
  const share = shareBelow(distribution, hours)
  return normalQuantile(Math.min(1 - LEAST_SHARE, Math.max(LEAST_SHARE, share)))
}

function hoursOf(distribution: Distribution, score: number): number {
  return quantileOf(distribution, Math.min(1 - LEAST_SHARE, Math.max(LEAST_SHARE, normalShare(score))))
}
