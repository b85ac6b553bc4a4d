/**
 * What one link may make this node do, of a kind of work that costs time. A link has an allowance of its
 * own, all links together draw on one of the node, and each link gets a little even when that is used up.
 *
 * The node's part is needed because a link's own allowance begins full: a peer that hangs up and comes back
 * would have a new burst each time, and many liars have many (as for signatures in tree/state.ts). The
 * reserve is needed because they could then use up the node's part and so shut everybody else out. It begins
 * empty, so that coming back gains nothing there either.
 */
import type { Micros } from '../io.ts'
import { Bucket } from './storm.ts'

/** Amounts a second and at once: of a link, of the node, and of a link when the node's part is used up. */
export interface AllowanceLimits {
  readonly linkPerSecond: number
  readonly linkBurst: number
  readonly nodePerSecond: number
  readonly nodeBurst: number
  readonly reservePerSecond: number
  readonly reserveBurst: number
}

/** The node's part: one for all links. */
export function sharedBucket(now: Micros, limits: AllowanceLimits): Bucket {
  return new Bucket(now, limits.nodePerSecond, limits.nodeBurst)
}

export class Allowance {
  readonly #own: Bucket
  readonly #shared: Bucket
  readonly #reserve: Bucket

  constructor(now: Micros, limits: AllowanceLimits, shared: Bucket) {
    this.#own = new Bucket(now, limits.linkPerSecond, limits.linkBurst)
    this.#shared = shared
    this.#reserve = new Bucket(now, limits.reservePerSecond, limits.reserveBurst)
    this.#reserve.charge(now, limits.reserveBurst)
  }

  /** Takes the amount if the link may. */
  take(now: Micros, amount: number): boolean {
    if (!this.#own.take(now, amount)) return false
    if (this.#shared.take(now, amount) || this.#reserve.take(now, amount)) return true
    this.#own.charge(now, -amount)
    return false
  }

  /** Takes the amount for what is done in any case; what is missing is made up first. */
  charge(now: Micros, amount: number): void {
    this.#own.charge(now, amount)
    this.#shared.charge(now, amount)
  }

  /** When the link may take so much at the earliest. */
  readyAt(now: Micros, amount: number): Micros {
    const beyond = Math.min(this.#shared.readyAt(now, amount), this.#reserve.readyAt(now, amount))
    return Math.max(this.#own.readyAt(now, amount), beyond)
  }
}
