/**
 * Whom to dial, and when again: contacts from bootstrap lists, which are never forgotten, and the
 * passive view, which is. Knows reachability and failures; what a link is for is settled in
 * membership.ts once it is open.
 *
 * Fresh peers come before those that failed, and of these the contacts before hearsay: an operator knows
 * better than strangers who can be reached from here. Where hearsay fails all the time contacts come first.
 *
 * Never stuck: as long as one contact or one passive peer is known, a node short of neighbours dials,
 * at most three at once and each peer at most once in its growing pause.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { below, type Dice, unit } from '../dice.ts'
import { parsePeerId, peerIdOf, peerKey } from '../ids.ts'
import {
  type Address,
  CLOSE,
  type CloseReason,
  type Micros,
  NEVER,
  type PeerHint,
  type PeerId,
  REACHABILITY,
  type Reachability,
} from '../io.ts'
import type { LinkPort } from '../links/link.ts'
import {
  CONTACTS_MAX,
  DIAL_LIMIT,
  DIAL_PATIENCE,
  DIALS_AT_ONCE,
  FAILURES_DOUBTFUL,
  FAILURES_MAX,
  HEARSAY_PATIENCE,
  JOINS_OWED,
  LEFT_PAUSE,
  REFUSED_LONGEST,
  REFUSED_PAUSE,
  REPLACED_PAUSE,
  RETRY_FIRST,
  RETRY_ISOLATED,
  RETRY_LONGEST,
  STEADY_AFTER,
} from './limits.ts'
import type { PeerTable } from './peer-table.ts'
import {
  type Census,
  describe,
  isCrowd,
  type Peering,
  PURPOSE,
  type Purpose,
  type Roster,
  relaysWanted,
} from './roster.ts'
import { checkAddress } from './self.ts'
import type { Unreached } from './unreached.ts'

/** Which peers will do: any, any but public ones first, or public ones only. */
export type Wish = 'any' | 'publicFirst' | 'public'

interface Dial {
  readonly purpose: Purpose
  /** Later than this, success is unlikely enough to dial another beside it. */
  readonly patientUntil: Micros
  readonly due: Micros
  readonly address: Address | undefined
}

interface Contact {
  readonly peer: PeerId
  readonly addresses: readonly Address[]
  readonly reach: Reachability
  failures: number
  retryAt: Micros
}

/** Copies, checked: a wrong hint is the caller's mistake and says so. */
export function checkHints(hints: readonly PeerHint[]): PeerHint[] {
  return hints.map(({ peer, addresses, reach }) => ({
    peer: parsePeerId(peer),
    addresses: addresses.map(checkAddress),
    reach,
  }))
}

export class Dialler {
  readonly #context: Context
  readonly #dice: Dice
  readonly #links: LinkPort
  readonly #roster: Roster
  readonly #passive: PeerTable
  readonly #unreached: Unreached
  readonly #contacts: Contact[] = []
  readonly #dials = new Map<PeerId, Dial>()
  /** Contacts still to be joined since the start or since the last relay neighbour was lost. */
  #joinsOwed = 0
  /** Peers known from hearsay alone that were dialled in vain since the last that was reached. */
  #hearsayFailures = 0

  constructor(
    context: Context,
    dice: Dice,
    links: LinkPort,
    roster: Roster,
    passive: PeerTable,
    unreached: Unreached,
  ) {
    this.#context = context
    this.#dice = dice
    this.#links = links
    this.#roster = roster
    this.#passive = passive
    this.#unreached = unreached
  }

  /** Of a list with a wrong hint in it nothing is kept. */
  addContacts(hints: readonly PeerHint[]): void {
    for (const { peer, addresses, reach } of checkHints(hints)) {
      if (peer === this.#context.self || this.#contact(peer) !== undefined) continue
      if (this.#contacts.length >= CONTACTS_MAX) {
        this.#context.counters.add(COUNT.boundDials)
        return
      }
      this.#contacts.push({ peer, addresses, reach, failures: 0, retryAt: 0 })
      this.#joinsOwed = JOINS_OWED
    }
  }

  /** No further dial may start now. */
  get busy(): boolean {
    return this.#dials.size >= DIALS_AT_ONCE
  }

  /** Dials that will probably end in a further neighbour. */
  promising(now: Micros): number {
    let count = 0
    for (const dial of this.#dials.values()) {
      if (dial.purpose !== PURPOSE.optimise && dial.patientUntil > now) count += 1
    }
    return count
  }

  /** Starts one dial for a further neighbour; false if nobody known may be dialled now. */
  next(now: Micros, wish: Wish, census: Census): boolean {
    const publicOnly = wish === 'public'
    if (this.#joinsOwed > census.joining + this.#joinDials() && this.#dialContact(now, publicOnly))
      return true
    // Asked as any peer, a contact may refuse: a JOIN it would accept at another's cost.
    const dialContact = (): boolean => this.#dialContact(now, publicOnly, PURPOSE.neighbour)
    if (this.#isHearsayDoubtful && dialContact()) return true
    if (wish === 'publicFirst' && this.#dialPassive(now, true, false)) return true
    if (this.#dialPassive(now, publicOnly, false)) return true
    return dialContact() || this.#dialPassive(now, publicOnly, true)
  }

  /** When next somebody may be dialled who may not be now. */
  retryAt(now: Micros, wish: Wish): Micros {
    let at = NEVER
    for (const contact of this.#contacts) {
      if (contact.retryAt > now && this.#suits(contact.reach, wish)) at = Math.min(at, contact.retryAt)
    }
    for (let index = 0; index < this.#passive.size; index++) {
      const retryAt = this.#passive.retryAt(index)
      if (retryAt > now && this.#suits(this.#passive.reach(index), wish)) at = Math.min(at, retryAt)
    }
    return at
  }

  /** Dials an entry of the passive view and answers whom, unless that peer is linked or being dialled. */
  dialEntry(now: Micros, index: number, purpose: Purpose): PeerId | undefined {
    const peer = peerIdOf(this.#passive.key(index))
    if (this.#taken(peer)) return undefined
    this.#start(now, peer, [this.#passive.address(index).slice()], purpose)
    return peer
  }

  /** Dials a contact that is not linked, or a peer that was lost, to tie parts of the mesh together. */
  dialAnchor(now: Micros): void {
    if (this.busy) return
    const lost: number[] = []
    for (let index = 0; index < this.#passive.size; index++) {
      if (this.#passive.failures(index) > 0 && this.#passive.retryAt(index) <= now) lost.push(index)
    }
    const index = lost[below(this.#dice, lost.length)]
    if (index !== undefined && unit(this.#dice) < 0.5) this.dialEntry(now, index, PURPOSE.neighbour)
    else this.#dialContact(now, false, PURPOSE.neighbour)
  }

  /** A link to the peer came up: what it was dialled for, undefined if nobody here waits for it. */
  arrived(peer: PeerId): Dial | undefined {
    const dial = this.#dials.get(peer)
    this.#dials.delete(peer)
    return dial
  }

  /** A contact answered a JOIN, whatever it said. */
  joined(): void {
    if (this.#joinsOwed > 0) this.#joinsOwed -= 1
  }

  /** No link came of it, or one that died before anybody became a neighbour. */
  failed(now: Micros, peer: PeerId): void {
    this.#dials.delete(peer)
    const isolated = this.#roster.census().relays === 0
    const contact = this.#contact(peer)
    if (contact !== undefined) {
      contact.failures += 1
      contact.retryAt = now + this.#pause(contact.failures, this.#contactPatience())
    }
    const index = this.#passive.find(peerKey(peer))
    if (index < 0) return
    const failures = this.#passive.failures(index) + 1
    if (failures === 1 && contact === undefined) this.#hearsayFailures += 1
    const known = this.#isHearsayDoubtful || this.#unreached.has(peer)
    if (failures >= (known ? FAILURES_DOUBTFUL : FAILURES_MAX) && !isolated) {
      this.#passive.remove(index)
      this.#unreached.note(now, peer)
    } else this.#passive.delay(index, now + this.#pause(failures, RETRY_LONGEST), failures)
  }

  /** Alive but unwilling: not to be asked again for a while, longer if others were unwilling too. */
  refused(now: Micros, peer: PeerId, refusals: number): void {
    const doubled = REFUSED_PAUSE * (1 << Math.min(refusals >> 2, 10))
    this.putOff(now, peer, Math.min(doubled, REFUSED_LONGEST))
  }

  /** Reached, and not to be dialled for about that long, for no fault of its own. */
  putOff(now: Micros, peer: PeerId, pause: Micros): void {
    this.#reached(peer)
    const retryAt = now + this.#spread(pause)
    const contact = this.#contact(peer)
    if (contact !== undefined) contact.retryAt = retryAt
    const index = this.#passive.find(peerKey(peer))
    if (index >= 0) this.#passive.delay(index, retryAt, 0)
  }

  /** A neighbour is in the active view, so not in the passive one. */
  succeeded(peering: Peering): void {
    const { peer, dialled } = peering.link
    // That it dialled us does not say that we can dial it.
    if (dialled) this.#reached(peer)
    const contact = this.#contact(peer)
    if (contact !== undefined) contact.retryAt = 0
    const index = this.#passive.find(peering.link.key)
    if (index >= 0) this.#passive.remove(index)
  }

  /** A neighbour was lost: back to the passive view, with a pause that depends on why. */
  lost(now: Micros, peering: Peering, reason: CloseReason): void {
    const { link, address } = peering
    const contact = this.#contact(link.peer)
    const gone = reason === CLOSE.leaving || reason === CLOSE.misbehaved || reason === CLOSE.version
    if (contact !== undefined) {
      contact.failures = now - peering.since < STEADY_AFTER ? contact.failures + 1 : 1
      contact.retryAt = now + (gone ? LEFT_PAUSE : this.#pause(contact.failures, this.#contactPatience()))
    }
    if (!isCrowd(link) || address === undefined || address.length === 0) return
    const index = this.#passive.put(describe(peering), this.#dice)
    if (gone) {
      this.#passive.delay(index, now + LEFT_PAUSE, 1)
    } else if (reason === CLOSE.replaced || reason === CLOSE.refused) {
      this.#passive.delay(index, now + this.#spread(REPLACED_PAUSE), 0)
    } else {
      this.#passive.delay(index, now + this.#pause(1, RETRY_LONGEST), 1)
    }
  }

  /** The last relay neighbour is gone: contacts count as fresh again, spread over the first pause. */
  isolated(now: Micros): void {
    this.#joinsOwed = JOINS_OWED
    for (const contact of this.#contacts) {
      contact.failures = 0
      contact.retryAt = Math.min(contact.retryAt, now + Math.round(RETRY_FIRST * unit(this.#dice)))
    }
    this.moved()
  }

  /** The node's own place in the network may be another: what it could not reach before, it may now. */
  moved(): void {
    this.#unreached.clear()
    this.#hearsayFailures = 0
  }

  /** All failures and pauses were long ago: everybody known may be dialled. */
  refresh(now: Micros): void {
    this.isolated(now)
    for (let index = 0; index < this.#passive.size; index++) this.#passive.delay(index, now, 0)
  }

  /** Nobody waits for the dials under way any more. */
  forgetDials(): void {
    this.#dials.clear()
  }

  /** Gives up dials of which the world never said anything. */
  expire(now: Micros): void {
    for (const [peer, dial] of [...this.#dials]) if (dial.due <= now) this.failed(now, peer)
  }

  /** When next a dial is late or given up. */
  due(now: Micros): Micros {
    let due = NEVER
    for (const dial of this.#dials.values()) {
      due = Math.min(due, dial.patientUntil > now ? dial.patientUntil : dial.due)
    }
    return due
  }

  #dialContact(now: Micros, publicOnly: boolean, purpose: Purpose = PURPOSE.join): boolean {
    const ready = this.#contacts.filter(
      (contact) =>
        contact.retryAt <= now &&
        this.#suits(contact.reach, publicOnly ? 'public' : 'any') &&
        !this.#taken(contact.peer),
    )
    const fewest = Math.min(...ready.map(({ failures }) => failures))
    const best = ready.filter(({ failures }) => failures === fewest)
    const contact = best[below(this.#dice, best.length)]
    if (contact === undefined) return false
    this.#start(now, contact.peer, contact.addresses, purpose)
    return true
  }

  /** Dials one of those that never failed, or of those that did. */
  #dialPassive(now: Micros, publicOnly: boolean, failed: boolean): boolean {
    const ready: number[] = []
    for (let index = 0; index < this.#passive.size; index++) {
      const due = this.#passive.retryAt(index) <= now && this.#passive.failures(index) > 0 === failed
      if (due && this.#suits(this.#passive.reach(index), publicOnly ? 'public' : 'any')) ready.push(index)
    }
    while (ready.length > 0) {
      const [index] = ready.splice(below(this.#dice, ready.length), 1)
      if (this.dialEntry(now, index as number, PURPOSE.neighbour) !== undefined) return true
    }
    return false
  }

  #start(now: Micros, peer: PeerId, addresses: readonly Address[], purpose: Purpose): void {
    this.#context.counters.add(COUNT.dialsStarted)
    this.#dials.set(peer, {
      purpose,
      patientUntil: now + DIAL_PATIENCE,
      due: now + DIAL_LIMIT,
      address: addresses[0],
    })
    this.#context.out.dial(peer, addresses)
  }

  /** Linked, open or not, or being dialled. */
  #taken(peer: PeerId): boolean {
    return this.#dials.has(peer) || this.#links.byPeer(peer) !== undefined
  }

  /** Nobody can dial a private peer: it is for it to dial. */
  #suits(reach: Reachability, wish: Wish): boolean {
    return wish === 'public' ? reach === REACHABILITY.public : reach !== REACHABILITY.private
  }

  get #isHearsayDoubtful(): boolean {
    return this.#hearsayFailures >= HEARSAY_PATIENCE
  }

  /** A node that is short of relays may hang on its contacts alone, and two of them on those of both. */
  #contactPatience(): Micros {
    const isShort = this.#roster.census().relays < relaysWanted(this.#context.config)
    return isShort ? RETRY_ISOLATED : RETRY_LONGEST
  }

  /** A dial got through, whatever came of it. */
  #reached(peer: PeerId): void {
    this.#unreached.forget(peer)
    if (this.#contact(peer) === undefined) this.#hearsayFailures = 0
  }

  #joinDials(): number {
    let count = 0
    for (const dial of this.#dials.values()) if (dial.purpose === PURPOSE.join) count += 1
    return count
  }

  #contact(peer: PeerId): Contact | undefined {
    return this.#contacts.find((contact) => contact.peer === peer)
  }

  /** Doubling from the first retry to the longest, spread so that many who failed together part. */
  #pause(failures: number, longest: Micros): Micros {
    return this.#spread(Math.min(longest, RETRY_FIRST * (1 << Math.min(failures - 1, 10))))
  }

  /** Half to one and a half times. */
  #spread(pause: Micros): Micros {
    return Math.round(pause * (0.5 + unit(this.#dice)))
  }
}
