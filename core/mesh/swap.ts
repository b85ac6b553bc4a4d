/**
 * A nearer neighbour in place of a farther one: X-BOT (Leitão, Marques, Pereira, Rodrigues, SRDS 2009) as
 * far as two nodes can do it alone. The candidate is chosen by coordinates and asked only once its HELLOs
 * promise a shorter round trip; the farther neighbour is let go only when the candidate has proved it.
 *
 * Both the coordinates and the HELLOs are the candidate's word, since it says itself for how long it held a
 * stamp that it echoes. So whoever would part with a neighbour for it, whichever end asked, first tries it: a
 * shuffle of one hop with a number that nobody can guess, and the time until that comes back. A peer can
 * make it longer and not shorter. What remains a matter of trust is the farther neighbour's own round trip,
 * by which that could only keep itself.
 *
 * X-BOT has the two peers that lose a link join each other. Here each looks for another if it falls below
 * its target: four nodes need not agree, and a lost message leaves nothing half done.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { CLOSE, type LinkId, MILLISECOND, type Micros, NEVER, type PeerId } from '../io.ts'
import type { LinkPort } from '../links/link.ts'
import type { Admission } from './admission.ts'
import type { Dialler } from './dialler.ts'
import type { Exchange } from './exchange.ts'
import { SWAP_GAIN, SWAP_PAUSE, TRIALS_MAX } from './limits.ts'
import { PARTING } from './messages.ts'
import type { PeerTable } from './peer-table.ts'
import { type Peering, PURPOSE, type Roster } from './roster.ts'
import type { Self } from './self.ts'

/** A peer that has become a neighbour in place of another, and has to prove that it is nearer. */
interface Trial {
  readonly candidate: Peering
  readonly against: Peering
  /** What it has to send back. */
  readonly walk: number
  readonly at: Micros
  /** As long as the farther neighbour's answer takes: from then on it is no nearer. */
  readonly due: Micros
}

/** The parts of membership that a swap works on. */
export interface SwapParts {
  readonly context: Context
  readonly links: LinkPort
  readonly roster: Roster
  readonly passive: PeerTable
  readonly self: Self
  readonly dialler: Dialler
  readonly admission: Admission
  readonly exchange: Exchange
}

export class Swap {
  readonly #parts: SwapParts
  /** The one swap under way. One that comes to nothing is forgotten when the next begins. */
  #current: { readonly peer: PeerId; readonly against: LinkId } | undefined
  #trials: Trial[] = []

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

  /** Nobody else who asks is tried now. */
  get busy(): boolean {
    return this.#trials.length >= TRIALS_MAX
  }

  /** Somebody is being tried: there is one neighbour more than there will be. */
  get trying(): boolean {
    return this.#trials.length > 0
  }

  /** When the next trial has failed. */
  due(): Micros {
    return this.#trials.reduce((due, trial) => Math.min(due, trial.due), NEVER)
  }

  /** HELLOs said how far the candidate is: whether it is to be asked. If not, it is hung up. */
  measured(now: Micros, candidate: Peering): boolean {
    const target = this.#target(candidate.link.peer)
    if (target !== undefined && candidate.link.rtt <= SWAP_GAIN * target.link.rtt) return true
    this.refused(now, candidate)
    return false
  }

  /** The candidate accepted and became a neighbour. */
  accepted(now: Micros, candidate: Peering): void {
    const target = this.#target(candidate.link.peer)
    this.#current = undefined
    if (target !== undefined) this.try(now, candidate, target)
  }

  /** The candidate, by now a neighbour, has to prove that it is nearer than the other. */
  try(now: Micros, candidate: Peering, against: Peering): void {
    const walk = this.#parts.exchange.echo(now, candidate.link)
    // Sending may have ended the link.
    if (!candidate.link.neighbour) return
    this.#trials.push({ candidate, against, walk, at: now, due: now + against.link.rtt })
  }

  /** A number came back on the link: if it is that of a trial, one of the two goes. */
  echoed(now: Micros, from: Peering, walk: number): void {
    const trial = this.#trials.find((each) => each.candidate === from && each.walk === walk)
    if (trial === undefined) return
    this.#trials = this.#trials.filter((each) => each !== trial)
    if (now >= trial.due) this.#failed(now, trial)
    else this.#proved(now, trial)
  }

  /** Ends trials that took too long. */
  expire(now: Micros): void {
    for (const trial of [...this.#trials]) {
      if (trial.due > now || !this.#trials.includes(trial)) continue
      this.#trials = this.#trials.filter((each) => each !== trial)
      this.#failed(now, trial)
    }
  }

  /** The link is gone, and with it what it was tried for. */
  ended(peering: Peering): void {
    if (this.#trials.length > 0) this.#trials = this.#trials.filter((each) => each.candidate !== peering)
  }

  refused(now: Micros, candidate: Peering): void {
    const { links, dialler } = this.#parts
    this.#current = undefined
    links.hangUp(now, candidate.link, CLOSE.refused)
    dialler.putOff(now, candidate.link.peer, SWAP_PAUSE)
  }

  #proved(now: Micros, { against }: Trial): void {
    const { context, roster, self, admission } = this.#parts
    if (roster.census().neighbours <= context.config.activeTarget) return
    // It may be gone, a tree may have come to use it, or it may be the last public one by now.
    if (!roster.expendable(self.reach).includes(against)) return
    context.counters.add(COUNT.neighboursSwapped)
    admission.part(now, against, PARTING.replaced)
  }

  #failed(now: Micros, { candidate }: Trial): void {
    const { admission, context, dialler } = this.#parts
    context.counters.add(COUNT.swapsFailed)
    admission.part(now, candidate, PARTING.replaced)
    if (candidate.purpose === PURPOSE.optimise) dialler.putOff(now, candidate.link.peer, SWAP_PAUSE)
  }

  /** The neighbour that the peer would replace, if it is still there. */
  #target(peer: PeerId): Peering | undefined {
    if (this.#current?.peer !== peer) return undefined
    const target = this.#parts.roster.get(this.#current.against)
    return target?.link.neighbour === true ? target : undefined
  }
}
