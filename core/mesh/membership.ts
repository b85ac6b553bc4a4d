/**
 * Which links are neighbours: HyParView (Leitão, Pereira, Rodrigues, DSN 2007) with reachability
 * classes (mesh:S11). The active view are the links with `neighbour` set; the passive view are peers that
 * may be dialled when a neighbour is missing. Knows links, not what flows over them: of trees it knows
 * only that a link in use by one is not to be given up.
 *
 * A node looks for `activeTarget` neighbours and accepts more, relays up to `linkLimit`: refusing those
 * who can reach only few would cut them off. Beyond 1.5 targets it refuses or sends away relays that have
 * other choices. A node without any relay neighbour asks its contacts for ever (dialler.ts).
 *
 * Of a dialled link its end that dialled asks (JOIN or NEIGHBOUR) and the other answers; it is a neighbour
 * at the one that accepts when it answers, at the other when the answer comes. Links are reliable and in
 * order, so both views agree but for what is on its way.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { type Dice, jittered, spread, unit } from '../dice.ts'
import {
  type Address,
  CLOSE,
  type CloseReason,
  MILLISECOND,
  type Micros,
  NEVER,
  type PeerHint,
  type PeerId,
  REACHABILITY,
  type Reachability,
  SECOND,
} from '../io.ts'
import { isRelay, type Link, type LinkPort } from '../links/link.ts'
import { readU32 } from '../wire/cursor.ts'
import { KIND } from '../wire/kinds.ts'
import { Admission } from './admission.ts'
import { Dialler, type Wish } from './dialler.ts'
import { Exchange } from './exchange.ts'
import { Handshake, type HandshakeListener } from './handshake.ts'
import {
  ANCHOR_FIRST,
  ANCHOR_LONGEST,
  HANDSHAKE_LIMIT,
  HUNGER_FIRST,
  SAMPLES_BURST,
  SAMPLES_RATE,
  TRIM_PERIOD,
} from './limits.ts'
import { PARTING } from './messages.ts'
import { PeerTable } from './peer-table.ts'
import { type Census, isPublic, PURPOSE, Roster, relaysWanted, take } from './roster.ts'
import { Self } from './self.ts'
import { Swap } from './swap.ts'
import { Unreached } from './unreached.ts'

/** Told within the step in which a link becomes a neighbour or ceases to be one. */
export interface NeighbourListener {
  neighbourUp(now: Micros, link: Link): void
  neighbourDown(now: Micros, link: Link, reason: CloseReason): void
}

/** When each thing is next done; NEVER until the first neighbour. */
interface Timers {
  /** A shuffle starts. */
  shuffle: Micros
  /** A nearer neighbour is looked for. */
  optimise: Micros
  /** One neighbour too many is sent away. */
  trim: Micros
  /** A contact or a lost peer is asked for a link, against splits. */
  anchor: Micros
  /** Neighbours are told a new address. */
  announce: Micros
}

/** Changes of address that come together are told together. Guess. */
const ANNOUNCE_DELAY: Micros = SECOND

export class Membership implements HandshakeListener {
  readonly #context: Context
  readonly #dice: Dice
  readonly #links: LinkPort
  readonly #listener: NeighbourListener
  readonly #self: Self
  readonly #roster = new Roster()
  readonly #passive: PeerTable
  readonly #dialler: Dialler
  readonly #exchange: Exchange
  readonly #admission: Admission
  readonly #swap: Swap
  readonly #handshake: Handshake
  readonly #timers: Timers = { shuffle: NEVER, optimise: NEVER, trim: NEVER, anchor: NEVER, announce: NEVER }
  /** The earliest of all that is due. */
  #due: Micros = NEVER
  #hunger: Micros = HUNGER_FIRST
  /** Neighbours were missing when it was last looked. */
  #isSeeking = true
  #anchorPause: Micros = ANCHOR_LONGEST
  #left = false
  #suspended = false

  constructor(context: Context, links: LinkPort, listener: NeighbourListener) {
    this.#context = context
    this.#dice = context.dice.fork('mesh')
    this.#links = links
    this.#listener = listener
    this.#self = new Self(context)
    this.#passive = new PeerTable(context.config.passiveLimit)
    const unreached = new Unreached()
    this.#dialler = new Dialler(context, this.#dice, links, this.#roster, this.#passive, unreached)
    this.#exchange = new Exchange(
      context,
      this.#dice,
      links,
      this.#roster,
      this.#passive,
      this.#self,
      unreached,
    )
    this.#admission = new Admission(context, this.#dice, links, this.#roster, this.#self)
    const parts = {
      context,
      dice: this.#dice,
      links,
      roster: this.#roster,
      passive: this.#passive,
      self: this.#self,
      dialler: this.#dialler,
      exchange: this.#exchange,
      admission: this.#admission,
    }
    this.#swap = new Swap(parts)
    this.#handshake = new Handshake({ ...parts, swap: this.#swap }, this)
  }

  // Inputs.

  /** Peers to join through; those of earlier calls are kept. */
  bootstrap(now: Micros, hints: readonly PeerHint[]): void {
    this.#dialler.addContacts(hints)
    this.#seek(now)
  }

  addressesChanged(now: Micros, addresses: readonly Address[], reach: Reachability): void {
    if (!this.#self.change(addresses, reach) || this.#left) return
    this.#dialler.moved()
    this.#timers.announce = Math.min(this.#timers.announce, now + jittered(this.#dice, ANNOUNCE_DELAY))
    this.#arm(this.#timers.announce)
    this.#seek(now)
  }

  /** Both ends' versions met. */
  linkOpen(now: Micros, link: Link): void {
    const dial = link.dialled ? this.#dialler.arrived(link.peer) : undefined
    if (this.#left) {
      this.#links.hangUp(now, link, CLOSE.leaving)
      return
    }
    if (!link.dialled) this.#self.wasDialled()
    if (this.#handshake.isSecond(now, link)) return
    // Nobody waits for it any more.
    if (link.dialled && dial === undefined && this.#wish(now, this.#roster.census()) === undefined) {
      this.#links.hangUp(now, link, CLOSE.refused)
      return
    }
    const purpose = link.dialled ? (dial?.purpose ?? PURPOSE.neighbour) : undefined
    const peering = this.#roster.add(link, purpose, dial?.address, now + HANDSHAKE_LIMIT)
    this.#arm(peering.due)
    // A swap waits for the measured round trip: see onHello.
    if (purpose === PURPOSE.join || purpose === PURPOSE.neighbour) this.#handshake.ask(now, peering)
  }

  /** Any link that this node had, open or not. */
  linkClosed(now: Micros, link: Link, reason: CloseReason): void {
    const peering = this.#roster.of(link)
    this.#roster.delete(link)
    if (peering === undefined) {
      if (link.dialled && this.#dialler.arrived(link.peer) !== undefined) this.dialFailed(now, link.peer)
      return
    }
    this.#swap.ended(peering)
    if (link.neighbour) {
      this.#listener.neighbourDown(now, link, reason)
      link.neighbour = false
    }
    // A second link to the same peer stays: nothing is lost.
    if (reason === CLOSE.duplicate && this.#links.byPeer(link.peer) !== undefined) return
    if (peering.due === NEVER) {
      this.#dialler.lost(now, peering, reason)
      this.#hunger = HUNGER_FIRST
      if (reason !== CLOSE.leaving && reason !== CLOSE.replaced) this.#suspectSplit(now)
      if (isRelay(link) && this.#roster.census().relays === 0) this.#dialler.isolated(now)
    } else if (peering.purpose !== undefined) {
      if (reason === CLOSE.refused) this.#dialler.refused(now, link.peer, this.#handshake.refusals)
      else this.#dialler.failed(now, link.peer)
    }
    this.#seek(now)
  }

  dialFailed(now: Micros, peer: PeerId): void {
    this.#dialler.failed(now, peer)
    this.#seek(now)
  }

  /** A HELLO came with a fresh round trip, now in `link.rtt`, and the peer's coordinates, 8 bytes at `at`. */
  onHello(now: Micros, link: Link, packet: Uint8Array, at: number): void {
    const peering = this.#roster.of(link)
    if (peering === undefined || this.#admission.endsTurncoat(now, peering)) return
    // A neighbour that cannot be dialled any more may have been the last that could.
    if (peering.isPublic !== isPublic(link)) {
      peering.isPublic = isPublic(link)
      this.#seek(now)
    }
    const high = readU32(packet, at)
    const low = readU32(packet, at + 4)
    link.coordinatesHigh = high
    link.coordinatesLow = low
    if (take(peering.samples, now, SAMPLES_RATE, SAMPLES_BURST))
      this.#self.coordinates.update(link.rtt / MILLISECOND, high, low, this.#dice)
    else this.#context.counters.add(COUNT.boundControlRate)
    if (peering.purpose !== PURPOSE.optimise || peering.asked) return
    if (this.#swap.measured(now, peering)) this.#handshake.ask(now, peering)
  }

  /** A control message of kind 10 to 16, header checked, body not. */
  onMessage(now: Micros, link: Link, kind: number, packet: Uint8Array): void {
    const from = this.#roster.of(link)
    if (from === undefined) {
      this.#context.counters.add(COUNT.dropUnexpected)
      return
    }
    if (this.#admission.endsTurncoat(now, from)) return
    if (kind === KIND.join) this.#handshake.onJoin(now, from, packet)
    else if (kind === KIND.neighbour) this.#handshake.onNeighbour(now, from, packet)
    else if (kind === KIND.neighbourReply) this.#handshake.onNeighbourReply(now, from, packet)
    else if (kind === KIND.disconnect) this.#handshake.onDisconnect(now, from, packet)
    else if (!link.neighbour) this.#context.counters.add(COUNT.dropNotNeighbour)
    else if (kind === KIND.forwardJoin) {
      if (this.#admission.hasTimeForJoiner(now, from)) this.#exchange.onForwardJoin(now, from, packet)
    } else if (kind === KIND.shuffle) this.#exchange.onShuffle(now, from, packet)
    else if (kind === KIND.shuffleReply) {
      const walk = this.#exchange.onShuffleReply(now, from, packet)
      if (walk !== undefined) this.#swap.echoed(now, from, walk)
    } else this.#context.counters.add(COUNT.dropUnknownKind)
    this.#arm(this.#swap.due())
    // Walks change nobody's neighbours: who has enough of them has nothing to look for.
    if (this.#isSeeking || !isWalk(kind)) this.#seek(now)
  }

  /** The machine slept: until `resume` links end without others being looked for, since all of them will. */
  suspend(): void {
    this.#suspended = true
    this.#dialler.forgetDials()
  }

  /** Everybody known is worth a dial again: what failed or was put off is long ago (mesh:S15). */
  resume(now: Micros): void {
    this.#suspended = false
    this.#hunger = HUNGER_FIRST
    this.#dialler.refresh(now)
    this.#seek(now)
  }

  /** Says goodbye and hangs up; from now on nothing is dialled and nobody accepted. */
  leave(now: Micros): void {
    this.#left = true
    for (const peering of this.#roster.all()) {
      if (peering.link.neighbour) this.#admission.part(now, peering, PARTING.leaving)
      else this.#links.hangUp(now, peering.link, CLOSE.leaving)
    }
  }

  /** Does what is due and answers when something next is. */
  wake(now: Micros): Micros {
    if (this.#left) return NEVER
    if (now < this.#due) return this.#due
    this.#due = NEVER
    this.#dialler.expire(now)
    for (const peering of this.#roster.all()) {
      // Nobody became a neighbour on it, or the other end said nothing.
      if (peering.due <= now) this.#links.hangUp(now, peering.link, CLOSE.refused)
      else this.#admission.endsTurncoat(now, peering)
    }
    this.#swap.expire(now)
    this.#runTimers(now)
    this.#seek(now)
    const { shuffle, optimise, trim, anchor, announce } = this.#timers
    this.#arm(Math.min(this.#dialler.due(now), this.#roster.due(), this.#swap.due()))
    this.#arm(Math.min(shuffle, optimise, trim, anchor, announce))
    return this.#due
  }

  // What the handshake tells.

  settled(now: Micros, link: Link): void {
    this.#hunger = HUNGER_FIRST
    this.#startTimers(now)
    this.#listener.neighbourUp(now, link)
  }

  // What the rest of the node asks.

  reach(): Reachability {
    return this.#self.reach
  }

  /** A peer dialled this node under its present address and the world calls it public (mesh:M4). */
  publicProved(): boolean {
    return this.#self.reach === REACHABILITY.public && this.#self.proved
  }

  /** Eight bytes for HELLO: the same array each time. */
  coordinates(): Uint8Array {
    return this.#self.coordinates.bytes()
  }

  view(): { readonly active: readonly PeerId[]; readonly passive: number } {
    return {
      active: this.#roster.neighbours().map((peering) => peering.link.peer),
      passive: this.#passive.size,
    }
  }

  // Looking for neighbours.

  /** Dials as long as neighbours are missing, peers known and dials allowed. */
  #seek(now: Micros): void {
    if (this.#left || this.#suspended) return
    for (;;) {
      const census = this.#roster.census()
      const wish = this.#wish(now, census)
      this.#isSeeking = wish !== undefined
      if (wish === undefined) return
      if (this.#dialler.busy) {
        this.#context.counters.add(COUNT.boundDials)
        return
      }
      if (!this.#dialler.next(now, wish, census)) {
        this.#arm(this.#dialler.retryAt(now, wish))
        this.#shuffleSooner(now, census)
        return
      }
      this.#arm(this.#dialler.due(now))
    }
  }

  /** Undefined if enough neighbours are there or on their way. */
  #wish(now: Micros, census: Census): Wish | undefined {
    const { config } = this.#context
    const coming = census.asking + this.#dialler.promising(now)
    if (census.neighbours + coming >= config.linkLimit) return undefined
    const missing = Math.max(config.activeTarget - census.neighbours, relaysWanted(config) - census.relays)
    const isShort = missing > coming
    if (isShort) return census.publics === 0 ? 'publicFirst' : 'any'
    // mesh:S11: who is not public itself keeps a public neighbour, whatever else it has.
    const hidden = this.#self.reach !== REACHABILITY.public
    return hidden && census.publics === 0 && coming === 0 ? 'public' : undefined
  }

  /** Short of neighbours and nobody to dial: neighbours may know somebody. */
  #shuffleSooner(now: Micros, census: Census): void {
    if (census.relays === 0 || this.#timers.shuffle <= now + this.#hunger) return
    this.#timers.shuffle = now + jittered(this.#dice, this.#hunger)
    this.#hunger = Math.min(2 * this.#hunger, this.#context.config.shufflePeriod)
    this.#arm(this.#timers.shuffle)
  }

  // Timers.

  #arm(at: Micros): void {
    if (at < this.#due) this.#due = at
    this.#context.deadline.lower(at)
  }

  /** The first neighbour starts the periods, each at a random phase. */
  #startTimers(now: Micros): void {
    const { shufflePeriod, optimisePeriod } = this.#context.config
    const timers = this.#timers
    if (timers.shuffle === NEVER) timers.shuffle = now + 1 + Math.round(shufflePeriod * unit(this.#dice))
    if (timers.optimise === NEVER) timers.optimise = now + 1 + Math.round(optimisePeriod * unit(this.#dice))
    if (timers.anchor === NEVER) timers.anchor = now + 1 + Math.round(ANCHOR_LONGEST * unit(this.#dice))
    if (timers.trim === NEVER && this.#admission.crowded) {
      timers.trim = now + jittered(this.#dice, TRIM_PERIOD)
    }
    this.#arm(Math.min(timers.shuffle, timers.optimise, timers.anchor, timers.trim))
  }

  /** What took one neighbour without a word may have cut the mesh in two. */
  #suspectSplit(now: Micros): void {
    this.#anchorPause = ANCHOR_FIRST
    this.#timers.anchor = Math.min(this.#timers.anchor, now + spread(this.#dice, ANCHOR_FIRST))
    this.#arm(this.#timers.anchor)
  }

  #runTimers(now: Micros): void {
    const timers = this.#timers
    const { shufflePeriod, optimisePeriod, relay } = this.#context.config
    if (timers.announce <= now) {
      timers.announce = NEVER
      this.#exchange.announce(now)
    }
    if (timers.shuffle <= now) {
      timers.shuffle = now + jittered(this.#dice, shufflePeriod)
      this.#exchange.startShuffle(now)
    }
    if (timers.optimise <= now) {
      timers.optimise = now + jittered(this.#dice, optimisePeriod)
      this.#swap.start(now)
    }
    if (timers.anchor <= now) {
      this.#anchorPause = Math.min(2 * this.#anchorPause, ANCHOR_LONGEST)
      timers.anchor = now + spread(this.#dice, this.#anchorPause)
      if (relay) this.#dialler.dialAnchor(now)
    }
    if (timers.trim <= now) {
      // One who is tried makes a crowd only until it is known who goes.
      if (!this.#swap.trying) this.#admission.trim(now)
      timers.trim = this.#admission.crowded ? now + jittered(this.#dice, TRIM_PERIOD) : NEVER
    }
  }
}

function isWalk(kind: number): boolean {
  return kind === KIND.forwardJoin || kind === KIND.shuffle || kind === KIND.shuffleReply
}
