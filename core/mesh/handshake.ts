/**
 * How a link becomes a neighbour, and of two links to one peer which stays: JOIN, NEIGHBOUR, their answer
 * and DISCONNECT (HyParView, sections 4.2 and 4.3). The end that dialled asks, the other answers; the one
 * holds the link for a neighbour when it accepts, the other when it hears so.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import type { Dice } from '../dice.ts'
import { CLOSE, type Micros, NEVER } from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import { KIND } from '../wire/kinds.ts'
import { decodeControl, encodeControl } from '../wire/schema.ts'
import type { Admission } from './admission.ts'
import type { Dialler } from './dialler.ts'
import type { Exchange } from './exchange.ts'
import { JOIN_SAMPLE, JOIN_WALKS, REFUSAL_SAMPLE, REFUSALS_PATIENCE, SIMULTANEOUS } from './limits.ts'
import { disconnect, join, neighbour, neighbourReply, PARTING, PRIORITY } from './messages.ts'
import type { PeerTable } from './peer-table.ts'
import { type Peering, PURPOSE, type Roster, relaysWanted } from './roster.ts'
import type { Self } from './self.ts'
import type { Swap } from './swap.ts'

/** The parts of membership that a handshake works on. */
export interface HandshakeParts {
  readonly context: Context
  readonly dice: Dice
  readonly links: LinkPort
  readonly roster: Roster
  readonly passive: PeerTable
  readonly self: Self
  readonly dialler: Dialler
  readonly exchange: Exchange
  readonly admission: Admission
  readonly swap: Swap
}

export interface HandshakeListener {
  /** The link is a neighbour at this end from now on. */
  settled(now: Micros, link: Link): void
}

export class Handshake {
  readonly #parts: HandshakeParts
  readonly #listener: HandshakeListener
  /** Refusals since the last acceptance. */
  #refusals = 0

  constructor(parts: HandshakeParts, listener: HandshakeListener) {
    this.#parts = parts
    this.#listener = listener
  }

  get refusals(): number {
    return this.#refusals
  }

  // Messages.

  onJoin(now: Micros, from: Peering, packet: Uint8Array): void {
    const message = decodeControl(join, packet)
    if (message === undefined) {
      this.#parts.context.counters.add(COUNT.dropMalformed)
      return
    }
    // Only the end that dialled asks, and once.
    if (from.link.dialled || from.asked) {
      this.#parts.context.counters.add(COUNT.dropUnexpected)
      return
    }
    from.asked = true
    from.address = message.address.slice()
    // Refused or not, the joiner gets peers to go on with: a crowd needs them most.
    const inTime = this.#parts.admission.hasTimeFor(now, from)
    const accepted = inTime && this.#parts.admission.accepts(now, from, PRIORITY.high)
    this.#answer(now, from, accepted, JOIN_SAMPLE)
    // 4.2: the contact sends the joiner's name on random walks through its other neighbours.
    if (inTime) this.#parts.exchange.startJoin(now, from)
  }

  onNeighbour(now: Micros, from: Peering, packet: Uint8Array): void {
    const message = decodeControl(neighbour, packet)
    if (message === undefined) {
      this.#parts.context.counters.add(COUNT.dropMalformed)
      return
    }
    // Only the end that dialled asks, and once.
    if (from.link.dialled || from.asked) {
      this.#parts.context.counters.add(COUNT.dropUnexpected)
      return
    }
    from.asked = true
    from.address = message.address.slice()
    // 4.3: a request of high priority is accepted even if another neighbour has to go, one of low priority
    // only if there is a free place.
    const { admission, swap } = this.#parts
    const inTime = admission.hasTimeFor(now, from)
    const isFree = inTime && admission.accepts(now, from, message.priority)
    const mayTry = inTime && !isFree && message.priority === PRIORITY.optimise && !swap.busy
    const rival = mayTry ? admission.rivalOf(from) : undefined
    const accepted = isFree || rival !== undefined
    this.#answer(now, from, accepted, accepted ? 0 : REFUSAL_SAMPLE)
    if (rival !== undefined && from.link.neighbour) swap.try(now, from, rival)
  }

  onNeighbourReply(now: Micros, from: Peering, packet: Uint8Array): void {
    const message = decodeControl(neighbourReply, packet)
    if (message === undefined) {
      this.#parts.context.counters.add(COUNT.dropMalformed)
      return
    }
    const { link, purpose } = from
    if (!link.dialled || !from.asked || link.neighbour) {
      this.#parts.context.counters.add(COUNT.dropUnexpected)
      return
    }
    this.#parts.exchange.learn(now, message.peers, from)
    if (purpose === PURPOSE.join) {
      this.#parts.dialler.joined()
      from.answers = JOIN_WALKS
    }
    if (!message.accepted) {
      if (purpose === PURPOSE.optimise) {
        this.#parts.swap.refused(now, from)
        return
      }
      this.#refusals += 1
      this.#parts.links.hangUp(now, link, CLOSE.refused)
      return
    }
    this.#refusals = 0
    // Others may have come in the meantime.
    if (this.#parts.roster.census().neighbours >= this.#parts.context.config.linkLimit) {
      this.#parts.context.counters.add(COUNT.boundLinks)
      this.#parts.links.hangUp(now, link, CLOSE.refused)
      return
    }
    this.#becomeNeighbour(now, from)
    if (purpose === PURPOSE.optimise && link.neighbour) this.#parts.swap.accepted(now, from)
  }

  onDisconnect(now: Micros, from: Peering, packet: Uint8Array): void {
    const message = decodeControl(disconnect, packet)
    if (message === undefined) {
      this.#parts.context.counters.add(COUNT.dropMalformed)
      return
    }
    // 4.2: the sender goes from the active to the passive view. linkClosed does that, with a pause before
    // it is dialled again that depends on the reason.
    this.#parts.links.hangUp(
      now,
      from.link,
      message.reason === PARTING.leaving ? CLOSE.leaving : CLOSE.replaced,
    )
  }

  // Settling a link.

  /** Sends the request for which the link was dialled. */
  ask(now: Micros, peering: Peering): void {
    peering.asked = true
    const { address } = this.#parts.self
    if (peering.purpose === PURPOSE.join) {
      this.#parts.links.control(now, peering.link, encodeControl(KIND.join, join, { address }))
      return
    }
    const { relays } = this.#parts.roster.census()
    const patient = this.#refusals < REFUSALS_PATIENCE || relays >= relaysWanted(this.#parts.context.config)
    const pressing = relays === 0 || !patient
    const priority =
      peering.purpose === PURPOSE.optimise ? PRIORITY.optimise : pressing ? PRIORITY.high : PRIORITY.low
    this.#parts.links.control(
      now,
      peering.link,
      encodeControl(KIND.neighbour, neighbour, { priority, address }),
    )
  }

  #answer(now: Micros, from: Peering, accepted: boolean, sample: number): void {
    const { link } = from
    const peers = this.#parts.exchange.sample(sample >> 1, sample - (sample >> 1), link.key)
    this.#parts.links.control(
      now,
      link,
      encodeControl(KIND.neighbourReply, neighbourReply, { accepted, peers }),
    )
    if (accepted) {
      this.#becomeNeighbour(now, from)
    } else {
      this.#parts.context.counters.add(COUNT.neighboursRefused)
      // May still be worth dialling later: the dialling end hangs up.
      this.#parts.exchange.learnOf(now, from)
    }
  }

  #becomeNeighbour(now: Micros, peering: Peering): void {
    const { link } = peering
    // Sending the answer may have ended the link.
    if (this.#parts.roster.get(link.id) !== peering) return
    peering.due = NEVER
    peering.since = now
    link.neighbour = true
    this.#parts.dialler.succeeded(peering)
    this.#listener.settled(now, link)
  }

  /**
   * Whether the link is a second one to its peer and hung up for it; otherwise an older one may be. Both
   * ends decide alike: of simultaneous dials the one by the lower PeerId stays (mesh:S11), else the newer.
   */
  isSecond(now: Micros, link: Link): boolean {
    const other = this.#parts.roster.byPeer(link.peer)
    if (other === undefined) return false
    const simultaneous = other.link.dialled !== link.dialled && now - other.link.openedAt <= SIMULTANEOUS
    const lowerIsSelf = this.#parts.context.self < link.peer
    const keepsNew = !simultaneous || link.dialled === lowerIsSelf
    this.#parts.links.hangUp(now, keepsNew ? other.link : link, CLOSE.duplicate)
    return !keepsNew
  }
}
