/**
 * Whether a member's start is to be believed (sec:A11, M15): which card takes up a new life, which is news
 * of a known one, which is a replay. Knows lives and cards; what follows (keys, sessions, MACs, requests)
 * is done by others, by the verdict.
 *
 * Beyond sec:A11: an epoch that was made after this member's life began proves that whatever is sealed under
 * it is of after that, and such are all that come from a group which this process founded, or from a Welcome
 * for a KeyPackage that it had made itself. So the first contact with each member of a group just entered
 * needs no echo, which a crowd that enters would need of all for all, and for a newcomer no wall clock can
 * spare. A second start of a member is believed as before: one epoch may see both.
 */
import { COUNT } from '../counters.ts'
import { sameBytes } from '../ids.ts'
import type { Micros } from '../io.ts'
import type { Card } from './cards.ts'
import { isFreshCard, millisOf } from './clock.ts'
import type { SealContext } from './context.ts'
import type { Epoch } from './epoch.ts'
import type { GroupKeys } from './group-keys.ts'
import { LIVES_MAX } from './limits.ts'
import { Life, type Peer } from './peers.ts'

/**
 * `news`: of the current life. `started`: of a life that is current from now on. `unproven`: it may be a
 * replay, so a card is to be asked for. `stale`: it is one. `twice`: a boot that was left answers the
 * newest challenge, so two processes speak for one member (sec:M13).
 */
export type CardVerdict = 'news' | 'started' | 'unproven' | 'stale' | 'twice'

export class Contacts {
  readonly #context: SealContext
  readonly #groupKeys: GroupKeys

  constructor(context: SealContext, groupKeys: GroupKeys) {
    this.#context = context
    this.#groupKeys = groupKeys
  }

  /** Whether a card says nothing new: asked before its signature is paid for. */
  isStale(peer: Peer, card: Card): boolean {
    const life = peer.lives.find(({ boot }) => sameBytes(boot, card.boot))
    if (life !== undefined) return card.number <= life.cardNumber
    return this.#hasLeft(peer, card.boot) && card.wallMillis <= peer.wallMillis
  }

  /** A card whose signature was verified, sealed in `epoch` at `sentMillis` of its sender. */
  take(now: Micros, epoch: Epoch, peer: Peer, card: Card, sentMillis: number): CardVerdict {
    if (this.#hasLeft(peer, card.boot)) return this.#answers(peer, card) ? 'twice' : 'unproven'
    const known = this.find(now, peer, card.boot)
    if (known !== undefined && card.number <= known.cardNumber) return 'stale'
    if (known !== undefined && (known === peer.current || peer.current === undefined)) {
      return this.#accept(peer, known, card)
    }
    if (!this.#isFresh(now, epoch, peer, card)) return 'unproven'
    const life = known ?? this.#takeUp(now, epoch, peer, card, sentMillis)
    // Others are over if they were heard of before the last start was believed: this card is of after that.
    // One that was heard of since, by an INIT, may be the later of the two, for cards are overtaken.
    this.leave(peer, (other) => other !== life && other.after < peer.starts)
    return this.#accept(peer, life, card)
  }

  /**
   * The life of an INIT (sec:A8), which is made for a frame key of this life of ours and so is proof by
   * itself; undefined for a boot that was left, or if more lives are heard of than one member can have.
   */
  ofInit(now: Micros, peer: Peer, boot: Uint8Array, sentMillis: number): Life | undefined {
    const known = this.find(now, peer, boot)
    if (known !== undefined) return known
    if (this.#hasLeft(peer, boot) || peer.lives.length >= LIVES_MAX) return undefined
    const life = new Life(peer, boot.slice(), sentMillis)
    life.offset.note(millisOf(now), sentMillis)
    peer.lives.push(life)
    this.#groupKeys.take(now, life, undefined, 0)
    return life
  }

  /** Whether an INIT of this boot and number can be none but a replay: asked before its signature. */
  isStaleInit(peer: Peer, boot: Uint8Array, number: number): boolean {
    const life = peer.lives.find((each) => sameBytes(each.boot, boot))
    return life === undefined ? this.#hasLeft(peer, boot) : number <= life.initNumber
  }

  /** The life that this boot belongs to, turned to it if it is the life's next one. */
  find(now: Micros, peer: Peer, boot: Uint8Array): Life | undefined {
    for (const life of peer.lives) {
      if (sameBytes(life.boot, boot)) return life
      if (life.previous !== undefined && sameBytes(life.previous, boot)) return life
    }
    for (const life of peer.lives) {
      if (!this.#groupKeys.isNext(life, boot)) continue
      this.#groupKeys.turn(now, life)
      return life
    }
    return undefined
  }

  /** Ends those lives of a peer for which `goes` is true: their boots are not taken up again. */
  leave(peer: Peer, goes: (life: Life) => boolean): void {
    const gone = peer.lives.filter(goes)
    if (gone.length === 0) return
    peer.lives = peer.lives.filter((life) => !goes(life))
    for (const life of gone) {
      if (life.previous !== undefined) peer.leaveBoot(life.previous)
      peer.leaveBoot(life.boot)
    }
    for (const { life, root } of peer.receiving) if (gone.includes(life)) root.fill(0)
    peer.receiving = peer.receiving.filter(({ life }) => !gone.includes(life))
    this.#groupKeys.drop(gone)
  }

  #accept(peer: Peer, life: Life, card: Card): CardVerdict {
    const started = peer.current !== life
    if (started) peer.starts += 1
    peer.current = life
    peer.card = card
    peer.wallMillis = Math.max(peer.wallMillis, card.wallMillis)
    life.cardNumber = card.number
    this.#context.counters.add(COUNT.cardsTaken)
    return started ? 'started' : 'news'
  }

  /**
   * A new life. If it began after our own did, by a clock that can be believed, nothing of it can have
   * reached an earlier life of ours, and all of it is taken; else what was sealed before the card is not,
   * but for epochs that our own life is older than.
   */
  #takeUp(now: Micros, epoch: Epoch, peer: Peer, card: Card, sentMillis: number): Life {
    const whole = !this.#echoes(peer, card) && this.#isFreshBy(now, peer, card, sentMillis)
    const life = new Life(peer, card.boot, whole ? 0 : sentMillis)
    life.offset.note(millisOf(now), sentMillis)
    peer.lives.push(life)
    this.#groupKeys.take(now, life, epoch, whole || epoch.isAfterStart ? 0 : card.groupCounter)
    return life
  }

  #isFresh(now: Micros, epoch: Epoch, peer: Peer, card: Card): boolean {
    if (epoch.isAfterStart && peer.starts === 0) return true
    return this.#echoes(peer, card) || this.#isFreshBy(now, peer, card, 0)
  }

  /** By wall clocks, as of so many milliseconds before the card was made. */
  #isFreshBy(now: Micros, peer: Peer, card: Card, beforeMillis: number): boolean {
    const { own } = this.#context
    const uptimeMillis = millisOf(now - own.startedAt) - beforeMillis
    return isFreshCard(card.wallMillis, own.wallMillis(), uptimeMillis, peer.wallMillis)
  }

  /** Whether a card echoes what the peer alone was asked, or, at first contact, what all were asked. */
  #echoes(peer: Peer, card: Card): boolean {
    if (this.#answers(peer, card)) return true
    const { challenge } = this.#context.own
    return peer.starts === 0 && card.echoes.some((echo) => sameBytes(echo, challenge))
  }

  #answers(peer: Peer, card: Card): boolean {
    if (card.echoes.length === 0) return false
    const challenge = this.#context.own.challengeFor(peer.leaf, peer.starts)
    return card.echoes.some((echo) => sameBytes(echo, challenge))
  }

  #hasLeft(peer: Peer, boot: Uint8Array): boolean {
    return peer.left.some((left) => sameBytes(left, boot))
  }
}
