/**
 * How peers hear of peers: the walk of a joiner through the mesh, and shuffles (HyParView, sections 4.2
 * and 4.4). Feeds the passive view; dials nobody and makes nobody a neighbour.
 *
 * Two departures from the paper. A walk's last node does not dial whom it learns of but answers with
 * itself and a few others, and the joiner dials: it alone knows how many neighbours it lacks, and it may
 * be behind a NAT that nobody can dial into. And answers travel back over the walk's own links, because
 * a connection for one answer costs a dial and often cannot be made at all.
 */

import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { type Dice, shuffled } from '../dice.ts'
import { sameBytes } from '../ids.ts'
import { type LinkId, type Micros, REACHABILITY } from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import { KIND } from '../wire/kinds.ts'
import { decodeControl, encodeControl } from '../wire/schema.ts'
import {
  JOIN_WALKS,
  REPLACED_BURST,
  REPLACED_RATE,
  REPLY_ACTIVE,
  REPLY_PASSIVE,
  SHUFFLE_ACTIVE,
  SHUFFLE_PASSIVE,
  SHUFFLES_BURST,
  SHUFFLES_RATE,
} from './limits.ts'
import { type Descriptor, forwardJoin, shuffle, shuffleReply } from './messages.ts'
import type { PeerTable } from './peer-table.ts'
import { type Bucket, describe, isCrowd, type Peering, type Roster, take } from './roster.ts'
import type { Self } from './self.ts'
import type { Unreached } from './unreached.ts'
import { Walks } from './walks.ts'

export class Exchange {
  readonly #context: Context
  readonly #dice: Dice
  readonly #links: LinkPort
  readonly #roster: Roster
  readonly #passive: PeerTable
  readonly #self: Self
  readonly #unreached: Unreached
  readonly #walks = new Walks()
  readonly #strangers: Bucket = { tokens: REPLACED_BURST, at: 0 }

  constructor(
    context: Context,
    dice: Dice,
    links: LinkPort,
    roster: Roster,
    passive: PeerTable,
    self: Self,
    unreached: Unreached,
  ) {
    this.#context = context
    this.#dice = dice
    this.#links = links
    this.#roster = roster
    this.#passive = passive
    this.#self = self
    this.#unreached = unreached
  }

  /** Sends a joiner's descriptor on walks through distinct neighbours; it expects that many answers. */
  startJoin(now: Micros, joiner: Peering): void {
    const others = this.#roster.neighbours().filter((peering) => peering !== joiner && isCrowd(peering.link))
    const hops = this.#context.config.activeWalk
    for (const { link } of shuffled(this.#dice, others).slice(0, JOIN_WALKS)) {
      const walk = this.#dice.u32()
      this.#remember(now, walk, joiner.link.id, link.id)
      this.#links.control(
        now,
        link,
        encodeControl(KIND.forwardJoin, forwardJoin, { walk, hops, joiner: describe(joiner) }),
      )
    }
  }

  onForwardJoin(now: Micros, from: Peering, packet: Uint8Array): void {
    const message = decodeControl(forwardJoin, packet)
    if (message === undefined) {
      this.#context.counters.add(COUNT.dropMalformed)
      return
    }
    const { walk, joiner } = message
    const { activeWalk, passiveWalk } = this.#context.config
    const hops = Math.min(message.hops, activeWalk) - 1
    // 4.2, ii): with PRWL hops to go the joiner is put into the passive view.
    if (hops === passiveWalk) this.learn(now, [joiner], from)
    // 4.2, iii): else it goes on to a random neighbour that it did not come from.
    const onward = hops > 0 ? this.#roster.nextHop(this.#dice, from.link) : undefined
    if (onward !== undefined) {
      this.#remember(now, walk, from.link.id, onward.id)
      this.#links.control(now, onward, encodeControl(KIND.forwardJoin, forwardJoin, { walk, hops, joiner }))
      return
    }
    // 4.2, i): with no hops to go, or nobody else to go to, the paper puts the joiner into the active
    // view. Here the joiner is told whom it may dial.
    this.#answer(now, from.link, walk, joiner.key)
    this.learn(now, [joiner], from)
  }

  /** Sends a shuffle on its walk; false if there is no neighbour to send it to. */
  startShuffle(now: Micros): boolean {
    const link = this.#roster.nextHop(this.#dice, undefined)
    if (link === undefined) return false
    const walk = this.#dice.u32()
    this.#remember(now, walk, undefined, link.id)
    const hops = this.#context.config.activeWalk
    const peers = this.#withSelf(this.sample(SHUFFLE_ACTIVE, SHUFFLE_PASSIVE, link.key))
    this.#links.control(now, link, encodeControl(KIND.shuffle, shuffle, { walk, hops, peers }))
    return true
  }

  /** Tells all neighbours the own new address: a shuffle of one hop with nothing else in it. */
  announce(now: Micros): void {
    for (const { link } of this.#roster.neighbours()) this.echo(now, link)
  }

  /** A shuffle of one hop, to be answered at once; its number comes back from `onShuffleReply`. */
  echo(now: Micros, link: Link): number {
    const walk = this.#dice.u32()
    this.#remember(now, walk, undefined, link.id)
    const peers = this.#withSelf([])
    this.#links.control(now, link, encodeControl(KIND.shuffle, shuffle, { walk, hops: 1, peers }))
    return walk
  }

  onShuffle(now: Micros, from: Peering, packet: Uint8Array): void {
    const message = decodeControl(shuffle, packet)
    if (message === undefined) {
      this.#context.counters.add(COUNT.dropMalformed)
      return
    }
    if (!this.#mayShuffle(now, from)) return
    const { walk, peers } = message
    const hops = Math.min(message.hops, this.#context.config.activeWalk) - 1
    // 4.4: with hops to go and another neighbour to go to, it is passed on, but not what others say of this
    // node: from here that would look like its own word, so it says itself what is so.
    const onward = hops > 0 ? this.#roster.nextHop(this.#dice, from.link) : undefined
    if (onward !== undefined) {
      const { selfKey } = this.#context
      const mended = peers.flatMap((peer) => (sameBytes(peer.key, selfKey) ? this.#withSelf([]) : [peer]))
      this.#remember(now, walk, from.link.id, onward.id)
      this.#links.control(now, onward, encodeControl(KIND.shuffle, shuffle, { walk, hops, peers: mended }))
      return
    }
    // 4.4: otherwise it is accepted and answered with ourselves and random others.
    this.#answer(now, from.link, walk, undefined)
    // Whoever starts a walk names itself first.
    const [first] = peers
    if (first !== undefined && sameBytes(first.key, from.link.key)) from.address = first.address.slice()
    this.learn(now, peers, from)
  }

  /** Answers the number of a walk that began here and is over now. */
  onShuffleReply(now: Micros, from: Peering, packet: Uint8Array): number | undefined {
    const message = decodeControl(shuffleReply, packet)
    if (message === undefined) {
      this.#context.counters.add(COUNT.dropMalformed)
      return undefined
    }
    if (!this.#mayShuffle(now, from)) return undefined
    const way = this.#walks.take(now, message.walk, from.link.id)
    if (way.kind === 'link') {
      const back = this.#roster.get(way.link)
      if (back?.link.neighbour === true) this.#links.control(now, back.link, packet.slice())
    } else if (way.kind === 'here') {
      this.learn(now, message.peers, from)
      return message.walk
    } else if (from.answers > 0) {
      // A contact numbers the walks of who joined through it; these are their answers.
      from.answers -= 1
      this.learn(now, message.peers, from)
    } else {
      this.#context.counters.add(COUNT.dropUnexpected)
    }
    return undefined
  }

  /**
   * Hearsay of a neighbour into the passive view: only relays that can be dialled, are not linked and were
   * not given up.
   */
  learn(now: Micros, peers: readonly Descriptor[], from: Peering): void {
    for (const peer of peers) {
      if (this.#roster.byKey(peer.key) !== undefined) continue
      const useful = peer.relay && peer.reach !== REACHABILITY.private && peer.address.length > 0
      if (!useful || sameBytes(peer.key, this.#context.selfKey)) continue
      if (this.#unreached.isPaused(now, peer.key)) continue
      this.#put(now, peer, from.replaced)
    }
  }

  /** A peer that asked to be a neighbour and was refused. */
  learnOf(now: Micros, peering: Peering): void {
    const { link, address } = peering
    if (!isCrowd(link) || address === undefined || address.length === 0) return
    this.#put(now, describe(peering), this.#strangers)
  }

  /** Into the passive view; if another has to go for it, only within the limit on whose word that is. */
  #put(now: Micros, peer: Descriptor, limit: Bucket): void {
    if (this.#passive.full && this.#passive.find(peer.key) < 0) {
      const { counters } = this.#context
      if (!take(limit, now, REPLACED_RATE, REPLACED_BURST)) {
        counters.add(COUNT.boundHearsay)
        return
      }
      counters.add(COUNT.boundPassive)
    }
    this.#passive.put(peer, this.#dice)
  }

  /** So many random neighbours and so many passive peers, more of the ones if there are few of the others. */
  sample(active: number, passive: number, except: Uint8Array | undefined): Descriptor[] {
    const other = (key: Uint8Array): boolean => except === undefined || !sameBytes(key, except)
    const known = this.#roster
      .neighbours()
      .filter(({ link, address }) => isCrowd(link) && (address?.length ?? 0) > 0 && other(link.key))
    const entries: number[] = []
    for (let index = 0; index < this.#passive.size; index++) {
      // What failed here is not recommended to others: so the dead fade from the mesh.
      if (this.#passive.failures(index) === 0 && other(this.#passive.key(index))) entries.push(index)
    }
    const fromActive = active + Math.max(0, passive - entries.length)
    const peers = shuffled(this.#dice, known).slice(0, fromActive).map(describe)
    const room = active + passive - peers.length
    for (const index of shuffled(this.#dice, entries).slice(0, room))
      peers.push(this.#passive.descriptor(index))
    return peers
  }

  /** The end of a walk: ourselves and a few others. */
  #answer(now: Micros, to: Link, walk: number, except: Uint8Array | undefined): void {
    const peers = this.#withSelf(this.sample(REPLY_ACTIVE, REPLY_PASSIVE, except))
    this.#links.control(now, to, encodeControl(KIND.shuffleReply, shuffleReply, { walk, peers }))
  }

  #remember(now: Micros, walk: number, back: LinkId | undefined, forth: LinkId): void {
    if (!this.#walks.add(now, walk, back, forth)) this.#context.counters.add(COUNT.boundWalks)
  }

  #withSelf(peers: Descriptor[]): Descriptor[] {
    const self = this.#self.descriptor()
    return self === undefined ? peers : [self, ...peers]
  }

  #mayShuffle(now: Micros, from: Peering): boolean {
    if (take(from.shuffles, now, SHUFFLES_RATE, SHUFFLES_BURST)) return true
    this.#context.counters.add(COUNT.boundControlRate)
    return false
  }
}
