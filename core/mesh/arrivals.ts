/**
 * How many who want to be let in this node handles: a crowd may come at once, and a single peer may pretend
 * to be one. Says yes or no and knows nothing of what is asked.
 *
 * Those who come themselves (JOIN, NEIGHBOUR) and those whom neighbours tell of (FORWARD_JOIN) have a limit
 * each, so that no neighbour keeps joiners out with invented ones. Of the first, one peer that comes again
 * and again is held to a rate of its own before it costs the others anything; who makes a key for each
 * attempt gets past that, and only the carrier, which sees addresses, can hold him (mesh:N5). Of the second,
 * each neighbour has a reserve when the others have used up what there is.
 */
import type { Micros, PeerId } from '../io.ts'
import {
  ARRIVALS_BURST,
  ARRIVALS_OF_PEER_BURST,
  ARRIVALS_OF_PEER_RATE,
  ARRIVALS_PEERS_MAX,
  ARRIVALS_RATE,
  FORWARDS_RESERVE_BURST,
  FORWARDS_RESERVE_RATE,
} from './limits.ts'
import { type Bucket, type Peering, take } from './roster.ts'

export class Arrivals {
  readonly #came: Bucket = { tokens: ARRIVALS_BURST, at: 0 }
  readonly #toldOf: Bucket = { tokens: ARRIVALS_BURST, at: 0 }
  /** Who came lately, in the order of their last attempts. */
  readonly #peers = new Map<PeerId, Bucket>()

  /** Whether one more request of the peer itself is to be handled. */
  came(now: Micros, peer: PeerId): boolean {
    const bucket = this.#peers.get(peer) ?? { tokens: ARRIVALS_OF_PEER_BURST, at: now }
    this.#peers.delete(peer)
    this.#peers.set(peer, bucket)
    if (this.#peers.size > ARRIVALS_PEERS_MAX) this.#forgetOldest()
    return (
      take(bucket, now, ARRIVALS_OF_PEER_RATE, ARRIVALS_OF_PEER_BURST) &&
      take(this.#came, now, ARRIVALS_RATE, ARRIVALS_BURST)
    )
  }

  /** Whether one more joiner that the neighbour tells of is to be handled. */
  toldOf(now: Micros, by: Peering): boolean {
    return (
      take(this.#toldOf, now, ARRIVALS_RATE, ARRIVALS_BURST) ||
      take(by.forwards, now, FORWARDS_RESERVE_RATE, FORWARDS_RESERVE_BURST)
    )
  }

  #forgetOldest(): void {
    for (const peer of this.#peers.keys()) {
      this.#peers.delete(peer)
      return
    }
  }
}
