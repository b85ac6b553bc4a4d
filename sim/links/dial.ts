/**
 * What becomes of a dial, and when. It knows classes of reachability, round trips and, where a scenario
 * fixes one, the graph of possible trunks. It does not know who is up: the caller says so, and checks
 * again when the time has come.
 *
 * Who reaches whom, as shares of pairs (rows: the dialler):
 *
 *                public   punchable   private
 *     public      1         1           0       punchable: asked through a relay, it dials back
 *     punchable   1         0.7         0       hole punching: 70 % ± 7 of 4.4 million attempts of DCUtR
 *     private     1         0.35        0       half of that: the far NAT must not filter by port. Guess
 *
 * Whether a pair can punch is a property of its two NATs: 97.6 % of the successes measured came at the
 * first attempt (arXiv 2510.27500). So it is drawn once for each pair, and dialling again is no use.
 * Asking and punching go through a relay: both ends must be attached somewhere.
 */
import { MILLISECOND, type Micros, REACHABILITY, type Reachability, SECOND } from '../../core/io.ts'
import type { Random, Streams } from '../random.ts'
import type { DialGraph } from './graph.ts'
import type { LatencyModel } from './latency.ts'

/** mesh:S11. */
export const DIAL_TIMEOUT: Micros = 3 * SECOND
/** mesh:S13: transport, security and multiplexer take 3 to 4 round trips and this much computing. */
const ROUND_TRIPS_AT_LEAST = 3
const COMPUTING: Micros = 5 * MILLISECOND
/** CONNECT both ways through the relay, then SYNC and the punch: about two round trips more. Guess. */
const ROUND_TRIPS_BY_RELAY = 2
/** Waiting for the answer to a first packet (RFC 6298, section 2.1); doubled each time. */
const FIRST_RETRY: Micros = SECOND
/** The machine itself knows that no path leads there. */
const NO_ROUTE: Micros = MILLISECOND

const PUNCH_SHARE = 0.7
const PRIVATE_PUNCH_SHARE = 0.35

/** What is at the address that is dialled. */
export const TARGET = {
  /** Nobody, or a machine that is down: only silence. */
  gone: 0,
  /** A machine that lives, but not the node that is asked for. */
  refuses: 1,
  answers: 2,
} as const
export type Target = (typeof TARGET)[keyof typeof TARGET]

export interface DialPlan {
  readonly ok: boolean
  /** From the dial to the trunk, or to the news that there is none. */
  readonly duration: Micros
}

export interface DialOptions {
  readonly latency: LatencyModel
  readonly streams: Streams
  /** Only its edges can be dialled; without it everybody. */
  readonly graph?: DialGraph | undefined
}

export class DialModel {
  /** Share of packets that paths lose (`meanLoss`): handshakes take longer for it. Assign when it changes. */
  loss = 0
  readonly #latency: LatencyModel
  readonly #graph: DialGraph | undefined
  readonly #streams: Streams

  constructor(options: DialOptions) {
    this.#latency = options.latency
    this.#graph = options.graph
    this.#streams = options.streams
  }

  /**
   * Plans a dial from node `from` to node `to` (-1 where the address leads nowhere). `relayed`: both have
   * a trunk to somebody. Draws from the dialler's stream.
   */
  plan(
    from: number,
    to: number,
    fromReach: Reachability,
    toReach: Reachability,
    target: Target,
    random: Random,
    relayed = true,
  ): DialPlan {
    if (to < 0) return { ok: false, duration: DIAL_TIMEOUT }
    if (this.#graph !== undefined && !this.#graph.has(from, to)) return { ok: false, duration: NO_ROUTE }
    const direct = toReach === REACHABILITY.public
    const roundTrip = this.#latency.oneWay(from, to) + this.#latency.oneWay(to, from)
    if (direct && target === TARGET.refuses) return { ok: false, duration: roundTrip }
    const open = direct || (relayed && this.reaches(from, to, fromReach, toReach))
    if (!open || target !== TARGET.answers) return { ok: false, duration: DIAL_TIMEOUT }
    const trips = ROUND_TRIPS_AT_LEAST + random.unit() + (direct ? 0 : ROUND_TRIPS_BY_RELAY)
    const duration = COMPUTING + Math.round(trips * roundTrip) + this.#retries(roundTrip, random)
    if (duration > DIAL_TIMEOUT) return { ok: false, duration: DIAL_TIMEOUT }
    return { ok: true, duration }
  }

  /** Whether this pair of nodes can have a trunk that `from` asks for, given a relay. Always the same. */
  reaches(from: number, to: number, fromReach: Reachability, toReach: Reachability): boolean {
    if (toReach === REACHABILITY.public) return true
    if (toReach === REACHABILITY.private) return false
    if (fromReach === REACHABILITY.public) return true
    const share = fromReach === REACHABILITY.punchable ? PUNCH_SHARE : PRIVATE_PUNCH_SHARE
    const pair = from < to ? `dials/${from}-${to}` : `dials/${to}-${from}`
    return this.#streams.stream(pair).chance(share)
  }

  /** Time lost by exchanges of the handshake that the path swallowed. */
  #retries(roundTrip: Micros, random: Random): Micros {
    if (this.loss === 0) return 0
    const exchangeLoss = 1 - (1 - this.loss) * (1 - this.loss)
    let total = 0
    for (let exchange = 0; exchange < ROUND_TRIPS_AT_LEAST; exchange++) {
      let wait = exchange === 0 ? FIRST_RETRY : Math.max(200 * MILLISECOND, 2 * roundTrip)
      while (total <= DIAL_TIMEOUT && random.chance(exchangeLoss)) {
        total += wait
        wait *= 2
      }
    }
    return total
  }
}
