/**
 * A nearer neighbour in place of a farther one: X-BOT (Leitão, Marques, Pereira, Rodrigues, SRDS 2009) as
 * far as two nodes can do it alone. The candidate is chosen by coordinates, asked only once its round trip
 * is measured, and the farther neighbour is let go only when the candidate accepts.
 *
 * X-BOT has the two peers that lose a link join each other. Here each looks for another if it falls below
 * its target: four nodes need not agree, and a lost message leaves nothing half done.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { CLOSE, type LinkId, MILLISECOND, type Micros, type PeerId } from '../io.ts'
import type { LinkPort } from '../links/link.ts'
import type { Admission } from './admission.ts'
import type { Dialler } from './dialler.ts'
import { SWAP_GAIN, SWAP_PAUSE } from './limits.ts'
import { PARTING } from './messages.ts'
import type { PeerTable } from './peer-table.ts'
import { type Peering, PURPOSE, type Roster } from './roster.ts'
import type { Self } from './self.ts'

/** The parts of membership that a swap works on. */
export interface SwapParts {
  readonly context: Context
  readonly links: LinkPort
  readonly roster: Roster
  readonly passive: PeerTable
  readonly self: Self
  readonly dialler: Dialler
  readonly admission: Admission
}

export class Swap {
  readonly #parts: SwapParts
  /** The one swap under way. One that comes to nothing is forgotten when the next begins. */
  #current: { readonly peer: PeerId; readonly against: LinkId } | undefined

  constructor(parts: SwapParts) {
    this.#parts = parts
  }

  /** Dials the passive peer that seems nearest, if that promises enough. Never below the target. */
  start(now: Micros): void {
    const { context, roster, passive, self, dialler } = this.#parts
    const { neighbours } = roster.census()
    const { activeTarget, linkLimit } = context.config
    if (dialler.busy || neighbours < activeTarget || neighbours >= linkLimit) return
    const worst = roster.farthest(self.reach, context.selfKey)
    if (worst === undefined) return
    let nearest = -1
    let least = (SWAP_GAIN * worst.link.rtt) / MILLISECOND
    for (let index = 0; index < passive.size; index++) {
      const estimate = self.coordinates.estimate(passive.coordinates(index))
      if (passive.retryAt(index) > now || estimate === undefined || estimate > least) continue
      nearest = index
      least = estimate
    }
    if (nearest < 0) return
    const peer = dialler.dialEntry(now, nearest, PURPOSE.optimise)
    if (peer !== undefined) this.#current = { peer, against: worst.link.id }
  }

  /** The round trip to the candidate was measured: whether it is to be asked. If not, it is hung up. */
  measured(now: Micros, candidate: Peering): boolean {
    const target = this.#target(candidate.link.peer)
    if (target !== undefined && candidate.link.rtt <= SWAP_GAIN * target.link.rtt) return true
    this.refused(now, candidate)
    return false
  }

  /** The candidate became a neighbour: the farther one goes. */
  accepted(now: Micros, peer: PeerId): void {
    const { context, roster, self, admission } = this.#parts
    const target = this.#target(peer)
    this.#current = undefined
    if (target === undefined || roster.census().neighbours <= context.config.activeTarget) return
    // A tree may have come to use it, or it may be the last public one by now.
    if (!roster.expendable(self.reach).includes(target)) return
    context.counters.add(COUNT.neighboursSwapped)
    admission.part(now, target, PARTING.replaced)
  }

  refused(now: Micros, candidate: Peering): void {
    const { links, dialler } = this.#parts
    this.#current = undefined
    links.hangUp(now, candidate.link, CLOSE.refused)
    dialler.putOff(now, candidate.link.peer, SWAP_PAUSE)
  }

  /** The neighbour that the peer would replace, if it is still there. */
  #target(peer: PeerId): Peering | undefined {
    if (this.#current?.peer !== peer) return undefined
    const target = this.#parts.roster.get(this.#current.against)
    return target?.link.neighbour === true ? target : undefined
  }
}
