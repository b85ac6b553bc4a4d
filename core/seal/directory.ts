/**
 * Which member a MAC is behind (sec:S7): own MACs and bridged ones that cards claim, and bridged ones that
 * frames showed. The first live claimant holds a MAC. Knows cards and times; not how frames are sent.
 */
import { COUNT } from '../counters.ts'
import { compareBytes, type Mac, ownMac } from '../ids.ts'
import type { Micros } from '../io.ts'
import type { Card } from './cards.ts'
import type { SealContext } from './context.ts'
import { CLAIMS_MAX, LEARNT_AGE, MEMBER_LIVE, MOVE_QUIET } from './limits.ts'
import type { Peer } from './peers.ts'

/** Nobody that is known. */
export const NO_LEAF = -1

interface Claim {
  leaf: number
  /** A card says so; else only frames did. */
  claimed: boolean
  until: Micros
  /** Who else claimed it last, so that a conflict is told once. */
  rival: number
  /** Moves are not told again until then: a loop of bridges makes one with each frame. */
  quietUntil: Micros
}

export class Directory {
  readonly #context: SealContext
  readonly #claims = new Map<Mac, Claim>()
  /** Who else claimed what is behind this member, last: a conflict is told once. */
  readonly #rivals = new Map<Mac, number>()

  constructor(context: SealContext) {
    this.#context = context
  }

  get size(): number {
    return this.#claims.size
  }

  // HOT PATH
  /** Leaf index of the member that a MAC is behind, or NO_LEAF. */
  holder(now: Micros, mac: Mac): number {
    const claim = this.#claims.get(mac)
    return claim !== undefined && claim.until > now ? claim.leaf : NO_LEAF
  }

  /** Whether the nonce of a card gives its MAC for this member. */
  ownsMac(memberKey: Uint8Array, card: Card): boolean {
    const { crypto, vlan } = this.#context
    return ownMac(crypto.hash, memberKey, vlan, card.macNonce) === card.mac
  }

  /**
   * Takes the claims of a card of a member's present life, made `sentMillis` after its start; true if this
   * member is to say anew what it claims: it lost its own MAC and has another one now, or keeps one that the
   * card claims too.
   */
  take(now: Micros, peer: Peer, card: Card, sentMillis: number): boolean {
    let isNews = this.#meetsOwn(peer, card, sentMillis)
    this.#release(peer.leaf, card)
    for (const mac of [card.mac, ...card.foreign]) {
      const outcome = this.#meetsStation(peer, card, mac, sentMillis)
      if (outcome === 'free' || outcome === 'yields') this.#claim(now, mac, peer.leaf, true)
      isNews ||= outcome === 'kept'
    }
    return isNews
  }

  /** Whether a member other than this one claims a MAC by card. */
  isClaimed(now: Micros, mac: Mac): boolean {
    const claim = this.#claims.get(mac)
    return claim?.claimed === true && claim.until > now
  }

  /** A frame of a member has a source that is not its own MAC: it is bridged. */
  learn(now: Micros, leaf: number, mac: Mac): void {
    this.#claim(now, mac, leaf, false)
  }

  // HOT PATH
  /** Whether a member may send frames with this source: not if another live one claims it by card. */
  maySend(now: Micros, leaf: number, mac: Mac): boolean {
    if (mac === this.#context.own.mac) return false
    const claim = this.#claims.get(mac)
    return claim === undefined || claim.leaf === leaf || !claim.claimed || claim.until <= now
  }

  forget(leaf: number): void {
    for (const [mac, claim] of this.#claims) if (claim.leaf === leaf) this.#claims.delete(mac)
  }

  clear(): void {
    this.#claims.clear()
    this.#rivals.clear()
  }

  /** What a member's card does not name any more is free. */
  #release(leaf: number, { mac: own, foreign }: Card): void {
    for (const [mac, claim] of this.#claims)
      if (claim.leaf === leaf && claim.claimed && mac !== own && !foreign.includes(mac))
        this.#claims.delete(mac)
  }

  /**
   * A card may name a MAC that is behind this member, if both claimed it before they had heard of each other.
   * A member's own MAC is proven, and goes before one that was set; otherwise the later of the two starts
   * yields, as for own MACs. `kept` the first time, `known` afterwards.
   */
  #meetsStation(peer: Peer, card: Card, mac: Mac, sentMillis: number): 'free' | 'yields' | 'kept' | 'known' {
    const { own, out } = this.#context
    if (!own.profile.foreign.includes(mac)) {
      if (mac !== own.mac) this.#rivals.delete(mac)
      return 'free'
    }
    const self = this.#context.epochs.current?.self ?? NO_LEAF
    const yields = mac === card.mac || this.#isLater(peer, card, sentMillis)
    const [holder, claimant] = yields ? [peer.leaf, self] : [self, peer.leaf]
    const isTold = this.#isRival(mac, peer.leaf)
    if (!isTold) out.note({ kind: 'macConflict', mac, holder, claimant })
    if (yields) return 'yields'
    return isTold ? 'known' : 'kept'
  }

  #claim(now: Micros, mac: Mac, leaf: number, claimed: boolean): void {
    const { own, out } = this.#context
    // What is ours was first heard by us; take() settles who has to change.
    if (mac === own.mac) return
    const until = now + (claimed ? MEMBER_LIVE : LEARNT_AGE)
    const known = this.#claims.get(mac)
    if (known === undefined) {
      this.#add(now, mac, { leaf, claimed, until, rival: NO_LEAF, quietUntil: 0 })
      return
    }
    if (known.leaf === leaf) {
      known.claimed ||= claimed
      if (claimed || !known.claimed) known.until = Math.max(known.until, until)
      return
    }
    // What only frames showed moves at once; what a card claims stays while its member is live.
    if (known.until > now && known.claimed) {
      if (claimed && known.rival !== leaf) {
        known.rival = leaf
        out.note({ kind: 'macConflict', mac, holder: known.leaf, claimant: leaf })
      }
      return
    }
    if (now >= known.quietUntil) out.note({ kind: 'macMoved', mac, from: known.leaf, to: leaf })
    known.quietUntil = now + MOVE_QUIET
    known.leaf = leaf
    known.claimed = claimed
    known.until = until
    known.rival = NO_LEAF
  }

  #add(now: Micros, mac: Mac, claim: Claim): void {
    if (this.#claims.size >= CLAIMS_MAX) {
      for (const [each, { until }] of this.#claims) if (until <= now) this.#claims.delete(each)
      if (this.#claims.size >= CLAIMS_MAX) {
        this.#context.counters.add(COUNT.boundClaims)
        return
      }
    }
    this.#claims.set(mac, claim)
  }

  /** The later of (start by own wall clock, member key) takes another MAC. True if that is news. */
  #meetsOwn(peer: Peer, card: Card, sentMillis: number): boolean {
    const { own, out } = this.#context
    if (card.mac !== own.mac) return false
    const self = this.#context.epochs.current?.self ?? NO_LEAF
    const yields = this.#isLater(peer, card, sentMillis)
    const isTold = this.#isRival(card.mac, peer.leaf)
    const [holder, claimant] = yields ? [peer.leaf, self] : [self, peer.leaf]
    if (!isTold) out.note({ kind: 'macConflict', mac: card.mac, holder, claimant })
    if (!yields) return !isTold
    own.drawMac()
    out.note({ kind: 'ownMac', mac: own.mac })
    return true
  }

  /** Whether that member claimed it last, as from now on. */
  #isRival(mac: Mac, leaf: number): boolean {
    const isKnown = this.#rivals.get(mac) === leaf
    if (this.#rivals.size >= CLAIMS_MAX) this.#rivals.clear()
    this.#rivals.set(mac, leaf)
    return isKnown
  }

  #isLater(peer: Peer, card: Card, sentMillis: number): boolean {
    const { own } = this.#context
    const theirs = card.wallMillis - sentMillis
    return own.startedWallMillis !== theirs
      ? own.startedWallMillis > theirs
      : compareBytes(own.memberKey, peer.entry.memberKey) > 0
  }
}
