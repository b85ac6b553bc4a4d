/**
 * A node's registrations with those above it: which upper carries the VLAN (B1), what it is told (B2,
 * B3), and moves to another upper without a gap (B4).
 *
 * Mended against the letter of B2 and B4, each because a frame was lost in a run:
 *
 * - Until an answer came, the VLAN and a new token count as present above. "Starts as no" would cut a
 *   stream that was passing by as soon as somebody here joined its group.
 * - What the last upper said of a token is believed for two to four seconds after a move: others do not
 *   vanish because this node moved.
 * - A move is over when the new upper's answer is sure, and the old one keeps its entries half a second
 *   longer, in which the registration climbs on. Members drop what comes twice.
 * - A registration that is not answered is said again: an upper whose half of the link opens later than
 *   the lower's has not heard it.
 */
import { COUNT } from '../counters.ts'
import { MILLISECOND, MINUTE, type Micros, NEVER, SECOND } from '../io.ts'
import type { Downhill } from './downhill.ts'
import {
  OTHERS,
  type Others,
  type OthersMessage,
  REFUSAL,
  REFUSAL_NAMES,
  type RegisterRefused,
} from './messages.ts'
import { FLAG, groupFlags, type Peer, type Upper, type Vlan } from './state.ts'
import type { Tables } from './tables.ts'
import { registerAgain, registerWith, sayAll, sayFarewell, tendUpper, tokenRefused } from './upper.ts'

/** B4: a new upper that is not sure of its answer by then is taken anyway. */
const MOVE_LIMIT: Micros = 2 * SECOND
/**
 * How long the old upper keeps its entries after a move: the time of a registration to where the ways
 * meet. Moved at depth 4 under load, of 3,600 frames 19 were lost without it at 100 ms a hop, 9 with
 * 100 ms and none with 250; each second of it brings the moved members all their frames twice.
 */
const MOVE_LINGER: Micros = 500 * MILLISECOND
/** B1: uppers beside the tree's own, for VLANs that it refused by quota. */
const FURTHER_UPPERS = 2
/**
 * They are kept for so long after the last such refusal. Who refused is asked again every five minutes, and
 * while it still has no room the way through another must not end. Guess.
 */
const FURTHER_TIME: Micros = 8 * MINUTE

export class Uphill {
  readonly #tables: Tables
  readonly #downhill: Downhill
  /** Until then the tree is asked for further uppers; NEVER while it is not. */
  #furtherUntil: Micros = NEVER

  constructor(tables: Tables, downhill: Downhill) {
    this.#tables = tables
    this.#downhill = downhill
  }

  /** Chooses for the VLANs that ask for it, as many as one step may. */
  chooseAll(now: Micros): void {
    const { states, toChoose, choices } = this.#tables
    let done = 0
    for (; done < toChoose.length; done++) {
      const vlan = toChoose[done] as Vlan
      if (!vlan.rechoose || states[vlan.index] !== vlan) continue
      if (!choices.take(now)) break
      this.choose(now, vlan)
    }
    toChoose.splice(0, done)
  }

  choose(now: Micros, vlan: Vlan): void {
    vlan.rechoose = false
    const best = this.#best(now, vlan)
    if (best === undefined) {
      this.#cut(vlan)
      return
    }
    if (vlan.upper === undefined) {
      vlan.upper = this.#register(now, vlan, best)
      return
    }
    if (vlan.next !== undefined && vlan.next.peer !== best) this.#cancelNext(vlan)
    if (vlan.upper.peer !== best && vlan.next === undefined) vlan.next = this.#register(now, vlan, best)
  }

  /** The link is no upper any more: what hung on it is gone at both ends. */
  lost(now: Micros, peer: Peer): void {
    // Of a lower there is nothing to look for, and it comes and goes as it likes.
    if (!peer.served) return
    peer.served = false
    for (const vlan of this.#tables.states) if (vlan !== undefined) this.#lostBy(now, vlan, peer)
  }

  /** The upper's half opened anew, so it has forgotten what it was told. */
  reopened(now: Micros, peer: Peer): void {
    for (const vlan of this.#tables.states) {
      for (const upper of vlan === undefined ? [] : [vlan.upper, vlan.next]) {
        if (upper?.peer === peer) registerAgain(this.#tables, now, upper)
      }
    }
  }

  /** If nobody here is in the VLAN any more, all uppers are told and it is forgotten. */
  retire(vlan: Vlan): void {
    if (vlan.members.length > 0 || vlan.lowers.length > 0) return
    for (const upper of [vlan.upper, vlan.next, vlan.former])
      if (upper !== undefined) sayFarewell(this.#tables, upper)
    vlan.upper = undefined
    vlan.next = undefined
    vlan.former = undefined
    this.#tables.forget(vlan)
  }

  onOthers(now: Micros, peer: Peer, message: OthersMessage): void {
    const vlan = this.#tables.find(message.vlan)
    const upper = vlan === undefined ? undefined : registrationWith(vlan, peer, message.serial)
    // Late answers, and those of an upper that was left, are nothing.
    if (vlan === undefined || upper === undefined) return
    upper.heard = true
    upper.retryAt = NEVER
    vlan.cut = false
    const before = upper.others
    if (message.state !== OTHERS.unknown) upper.others = message.state as Others
    // B2. From or to `no`, the whole set of tokens goes or comes.
    const turned = before !== upper.others && (before === OTHERS.no || upper.others === OTHERS.no)
    if (turned || message.resend !== 0) sayAll(this.#tables, now, upper)
    if (message.resend !== 0) this.#tables.context.counters.add(COUNT.registrationResent)
    this.#takeFlags(vlan, upper, message)
    if (upper === vlan.next && upper.others !== OTHERS.unknown) this.#move(now, vlan)
    if (before !== upper.others) this.#downhill.review(vlan)
  }

  onRefused(now: Micros, peer: Peer, message: RegisterRefused): void {
    const vlan = this.#tables.find(message.vlan)
    const upper = vlan === undefined ? undefined : registrationWith(vlan, peer, message.serial)
    if (vlan === undefined || upper === undefined) return
    if (message.tokens.length > 0) {
      for (const token of message.tokens) tokenRefused(this.#tables, upper, token)
      return
    }
    const reason = REFUSAL_NAMES[message.reason] as (typeof REFUSAL_NAMES)[number]
    this.#tables.context.out.note({ kind: 'vlanRefused', vlan: vlan.text, link: peer.link.id, reason })
    vlan.refusedLow |= peer.low
    vlan.refusedHigh |= peer.high
    if (message.reason === REFUSAL.quota) this.#wantFurther(now)
    this.#lostBy(now, vlan, peer)
    this.choose(now, vlan)
  }

  /** Does what is due for all VLANs together and answers when something next is. */
  wake(now: Micros): Micros {
    if (this.#furtherUntil <= now) {
      this.#furtherUntil = NEVER
      this.#tables.tree.wantFurtherUppers(now, 0)
    }
    return this.#furtherUntil
  }

  /** Once a minute: the set hash, and now and then another try with those who refused. */
  tick(vlan: Vlan, retryRefused: boolean): void {
    const { upper } = vlan
    if (upper !== undefined) {
      upper.poke = true
      this.#tables.schedule(upper)
    }
    if (!retryRefused) return
    if ((vlan.refusedLow | vlan.refusedHigh) !== 0) {
      vlan.refusedLow = 0
      vlan.refusedHigh = 0
      // In its turn: after a sleep, thousands of VLANs tick at once.
      this.#tables.askChoice(vlan)
    }
    if (upper === undefined) return
    const refused = FLAG.refused << upper.shift
    for (let index = 0; index < vlan.tokens.end; index++) {
      if (!vlan.tokens.has(index) || (vlan.flags(index) & refused) === 0) continue
      vlan.unmark(index, refused)
      this.#tables.touched(vlan, index)
    }
  }

  /** Does what is due for the VLAN above and asks to be woken for the rest. */
  due(now: Micros, vlan: Vlan): void {
    // B4. The new upper has had its time.
    if (vlan.next !== undefined && vlan.next.startedAt + MOVE_LIMIT <= now) this.#move(now, vlan)
    if (vlan.former !== undefined && vlan.formerUntil <= now) {
      sayFarewell(this.#tables, vlan.former)
      vlan.former = undefined
    }
    for (const upper of [vlan.upper, vlan.next]) {
      if (upper !== undefined) tendUpper(this.#tables, now, upper)
    }
    if (vlan.next !== undefined) this.#tables.lower(vlan, vlan.next.startedAt + MOVE_LIMIT)
    if (vlan.former !== undefined) this.#tables.lower(vlan, vlan.formerUntil)
  }

  /** B1. The tree's own upper if it accepts the VLAN, else the nearest further one that does. */
  #best(now: Micros, vlan: Vlan): Peer | undefined {
    for (const link of this.#tables.tree.uppers()) {
      const peer = this.#tables.meet(now, link)
      if (peer === undefined || !this.#tables.isUpper(peer)) continue
      if (((vlan.refusedLow & peer.low) | (vlan.refusedHigh & peer.high)) === 0) return peer
    }
    return undefined
  }

  #wantFurther(now: Micros): void {
    if (this.#furtherUntil === NEVER) this.#tables.tree.wantFurtherUppers(now, FURTHER_UPPERS)
    this.#furtherUntil = now + FURTHER_TIME
    this.#tables.context.deadline.lower(this.#furtherUntil)
  }

  /** Nobody above takes the VLAN. That is news unless there is nobody above: the root is every VLAN's top. */
  #cut(vlan: Vlan): void {
    if (vlan.upper === undefined && this.#tables.tree.uppers().length > 0 && !vlan.cut) {
      vlan.cut = true
      this.#tables.context.out.note({ kind: 'vlanUphillRefused', vlan: vlan.text })
    }
    this.#downhill.review(vlan)
  }

  #register(now: Micros, vlan: Vlan, peer: Peer): Upper {
    // Back to the one just left: the new set replaces the old, and no farewell may follow it.
    if (vlan.former?.peer === peer) vlan.former = undefined
    this.#tables.lower(vlan, now + MOVE_LIMIT)
    peer.served = true
    return registerWith(this.#tables, now, vlan, peer)
  }

  #takeFlags(vlan: Vlan, upper: Upper, message: OthersMessage): void {
    const flag = FLAG.others << upper.shift
    for (const token of message.yes) {
      const index = vlan.tokens.find(token, 0)
      if (index < 0) continue
      vlan.mark(index, flag)
      this.#tables.touchedBelow(vlan, index)
    }
    for (const token of message.no) {
      const index = vlan.tokens.find(token, 0)
      if (index < 0) continue
      vlan.unmark(index, upper === vlan.upper ? flag | FLAG.held : flag)
      this.#tables.touchedBelow(vlan, index)
    }
  }

  #lostBy(now: Micros, vlan: Vlan, peer: Peer): void {
    if (vlan.former?.peer === peer) vlan.former = undefined
    if (vlan.next?.peer === peer) {
      const { shift } = vlan.next
      vlan.next = undefined
      this.#clearGroup(vlan, shift)
    }
    if (vlan.upper?.peer !== peer) return
    const old = vlan.upper
    vlan.upper = vlan.next
    vlan.next = undefined
    this.#tables.askChoice(vlan)
    this.#carry(now, vlan, old)
  }

  #cancelNext(vlan: Vlan): void {
    const next = vlan.next as Upper
    sayFarewell(this.#tables, next)
    vlan.next = undefined
    this.#clearGroup(vlan, next.shift)
  }

  /** B4. The new upper is in use from now on; the old one is told a little later. */
  #move(now: Micros, vlan: Vlan): void {
    const old = vlan.upper as Upper
    vlan.upper = vlan.next
    vlan.next = undefined
    if (vlan.former !== undefined) sayFarewell(this.#tables, vlan.former)
    vlan.former = old
    vlan.formerUntil = now + MOVE_LINGER
    this.#tables.lower(vlan, vlan.formerUntil)
    this.#carry(now, vlan, old)
    this.#downhill.review(vlan)
  }

  /** What the old upper said of tokens is believed a little longer; its group of flags becomes free. */
  #carry(now: Micros, vlan: Vlan, old: Upper): void {
    const said = (FLAG.others | FLAG.refused) << old.shift
    for (let index = 0; index < vlan.tokens.end; index++) {
      if (!vlan.tokens.has(index)) continue
      if ((vlan.flags(index) & said) !== 0) this.#tables.freshen(now, vlan, index, FLAG.held)
    }
    this.#clearGroup(vlan, old.shift)
  }

  #clearGroup(vlan: Vlan, shift: Upper['shift']): void {
    for (let index = 0; index < vlan.tokens.end; index++) {
      if (!vlan.tokens.has(index)) continue
      vlan.unmark(index, groupFlags(shift))
      this.#tables.touchedBelow(vlan, index)
      this.#tables.dropSpent(vlan, index)
    }
  }
}

/** The registration that an answer of the peer is about. */
function registrationWith(vlan: Vlan, peer: Peer, serial: number): Upper | undefined {
  const upper = vlan.upper?.peer === peer ? vlan.upper : vlan.next
  return upper?.peer === peer && upper.serial === serial ? upper : undefined
}
