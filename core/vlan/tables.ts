/**
 * The registrations of one tree: VLANs by id, links by slot, and the consequences that every change of
 * a token's row has above and below. It decides nothing: who may register, which upper is chosen and
 * what is said stands in registry.ts, uphill.ts and downhill.ts.
 *
 * Messages are paced (mesh:M15): a registration with something to say stands in its link's queue, each
 * turn of which gives one message, so VLANs come before the second batch of any of them. A step sends
 * at most 64 on a link and 1,024 in all, and chooses uppers for at most 256 VLANs; the rest waits a
 * millisecond. Neighbours decide how much there is to do, so without that they could fill the outbox.
 */
import { ByteTable, tableSecret } from '../bytetable.ts'
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { jittered } from '../dice.ts'
import { type LinkId, MILLISECOND, MINUTE, type Micros, NEVER, TREE_ROLE } from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import type { Tree } from '../tree/tree.ts'
import { Allowance, type AllowanceLimits, sharedBucket } from './allowance.ts'
import { BATCH } from './messages.ts'
import { CompiledPolicy } from './policy.ts'
import { FLAG, type Peer, type Registration, ROW, SLOTS, type Upper, Vlan } from './state.ts'
import { Bucket, Ration } from './storm.ts'

/** Messages on one link in one step, and how long the rest waits (mesh:M15). */
const LINK_MESSAGES = 64
const STEP_MESSAGES = 1_024
/** VLANs for which uppers are chosen in one step: each may be worth a note, and a look at all its rows. */
const STEP_CHOICES = 256
const STEP_PAUSE: Micros = MILLISECOND
/**
 * Changes that a link may make (mesh text (b)). The node's part is that of sixteen links: 5 % of a core at
 * worst (3 microseconds each with what goes up), and at once twice what the root of 10,000 nodes takes in
 * after the loss of the one before (text (c)). The reserve is what an idle lower ever says. Guesses.
 */
const CHANGES: AllowanceLimits = {
  linkPerSecond: 1_000,
  linkBurst: 8_192,
  nodePerSecond: 16_000,
  nodeBurst: 131_072,
  reservePerSecond: 100,
  reserveBurst: 1_000,
}
/** A sender keeps a tenth below: jitter refuses nothing. */
const OWN_SHARE = 0.9
/**
 * New proofs checked for one link (sec:M12) and for all: 20 % of a core at worst. What exceeds either stands
 * and is checked in its turn. Guesses, but for the first.
 */
const VERIFICATIONS: AllowanceLimits = {
  linkPerSecond: 200,
  linkBurst: 200,
  nodePerSecond: 1_000,
  nodeBurst: 4_000,
  reservePerSecond: 10,
  reserveBurst: 50,
}
/** B3: period of the set hash. */
const HASH_PERIOD: Micros = MINUTE
/** Timers of VLANs share instants, so that many VLANs cost few wakes. */
const TIMER_GRAIN: Micros = 20 * MILLISECOND

/** A token's first answer from above takes a round trip for each level: seconds at worst. Guess. */
export const FRESH_TURN: Micros = 2_000 * MILLISECOND

/** Says one message of a registration; true while it has more to say. */
export interface Speaker {
  speak(now: Micros, registration: Registration): boolean
}

export class Tables {
  readonly context: Context
  readonly links: LinkPort
  readonly tree: Tree
  readonly states: (Vlan | undefined)[] = []
  readonly slots: (Peer | undefined)[] = []
  policy: CompiledPolicy
  /** Rows of all VLANs. */
  tokens = 0
  vlanCount = 0
  /** Secret words for tables and for what else must not be guessed. */
  readonly secret: Uint32Array
  /** When some VLAN has something due. */
  due: Micros = NEVER
  /** VLANs whose upper is to be chosen again; some may have been served meanwhile. */
  readonly toChoose: Vlan[] = []
  /** Of the last full set begun on any link. */
  serial = 0
  /** Links that are gone although the tree, in the middle of a step, still gives them a role. Mostly none. */
  #departed: Set<LinkId> | undefined
  /** Choices of uppers in this step. */
  readonly choices = new Ration(STEP_CHOICES)
  readonly #messages = new Ration(STEP_MESSAGES)
  readonly #changes = sharedBucket(0, CHANGES)
  readonly #verifications = sharedBucket(0, VERIFICATIONS)
  readonly #index: ByteTable
  readonly #peers = new Map<LinkId, Peer>()
  #waiting: Peer[] = []

  constructor(context: Context, links: LinkPort, tree: Tree) {
    this.context = context
    this.links = links
    this.tree = tree
    this.secret = tableSecret(context.keys)
    this.policy = new CompiledPolicy(context.config.policy)
    this.#index = new ByteTable(this.secret, 0)
  }

  // HOT PATH
  /** The VLAN whose 16-byte id stands at `offset`. */
  find(bytes: Uint8Array, offset = 0): Vlan | undefined {
    const index = this.#index.find(bytes, offset)
    return index < 0 ? undefined : this.states[index]
  }

  /** A VLAN that `find` does not find. Its upper is still to be chosen. */
  create(now: Micros, id: Uint8Array): Vlan {
    const index = this.#index.add(id, 0)
    const vlan = new Vlan(index, id.slice(), this.secret)
    vlan.carried = this.policy.carries(id, false)
    vlan.tickAt = this.nextTick(now)
    this.states[index] = vlan
    this.vlanCount += 1
    this.askChoice(vlan)
    this.lower(vlan, vlan.tickAt)
    return vlan
  }

  /** The VLAN's upper is to be chosen again. It gets in line once. */
  askChoice(vlan: Vlan): void {
    if (vlan.rechoose) return
    vlan.rechoose = true
    this.toChoose.push(vlan)
  }

  /** B3. When the set hash is next to be said, and soft state to be looked at. */
  nextTick(now: Micros): Micros {
    return now + jittered(this.context.dice, HASH_PERIOD)
  }

  /** The VLAN is nobody's business here any more. */
  forget(vlan: Vlan): void {
    if (this.states[vlan.index] !== vlan) return
    this.states[vlan.index] = undefined
    this.#index.remove(vlan.index)
    this.vlanCount -= 1
    this.tokens -= vlan.tokens.size
  }

  // HOT PATH
  peer(link: LinkId): Peer | undefined {
    return this.#peers.get(link)
  }

  /** The link's record, made at need; undefined if all slots are taken, which the limit of links prevents. */
  meet(now: Micros, link: Link): Peer | undefined {
    const known = this.#peers.get(link.id)
    if (known !== undefined) return known
    if (this.#departed?.has(link.id)) return undefined
    let slot = 0
    while (this.slots[slot] !== undefined) slot += 1
    if (slot >= SLOTS) {
      this.context.counters.add(COUNT.boundLinks)
      return undefined
    }
    const peer: Peer = {
      link,
      slot,
      low: slot < 32 ? 1 << slot : 0,
      high: slot < 32 ? 0 : 1 << (slot - 32),
      gone: false,
      vlans: 0,
      tokens: 0,
      changes: new Allowance(now, CHANGES, this.#changes),
      verifications: new Allowance(now, VERIFICATIONS, this.#verifications),
      pending: 0,
      queue: [],
      waiting: false,
      served: false,
      sends: new Bucket(now, CHANGES.linkPerSecond * OWN_SHARE, CHANGES.linkBurst * OWN_SHARE),
    }
    this.slots[slot] = peer
    this.#peers.set(link.id, peer)
    return peer
  }

  /** The link has no role any more: its slot may be another's. What hung on it was taken off before. */
  part(peer: Peer): void {
    if (peer.gone) return
    peer.gone = true
    peer.queue = []
    this.slots[peer.slot] = undefined
    this.#peers.delete(peer.link.id)
    for (const vlan of this.states) {
      if (vlan === undefined) continue
      vlan.refusedLow &= ~peer.low
      vlan.refusedHigh &= ~peer.high
      vlan.setMeter(peer.slot, undefined)
    }
  }

  /** The link is gone. Should the tree still give it a role, that counts for nothing until it says more. */
  depart(link: LinkId): void {
    if (this.tree.role(link) === TREE_ROLE.none) return
    this.#departed ??= new Set()
    this.#departed.add(link)
  }

  /** The tree has a new say about the link. */
  recover(link: LinkId): void {
    this.#departed?.delete(link)
  }

  isUpper(peer: Peer): boolean {
    return !peer.gone && this.tree.role(peer.link.id) === TREE_ROLE.upper
  }

  /** Wakes the VLAN no later than at that time. */
  lower(vlan: Vlan, at: Micros): void {
    if (at >= vlan.due) return
    vlan.due = at === NEVER ? NEVER : Math.ceil(at / TIMER_GRAIN) * TIMER_GRAIN
    if (vlan.due >= this.due) return
    this.due = vlan.due
    this.context.deadline.lower(vlan.due)
  }

  /** Takes a row for a token that has none. */
  addToken(now: Micros, vlan: Vlan, token: Uint8Array): number {
    const index = vlan.tokens.add(token, 0)
    this.tokens += 1
    this.freshen(now, vlan, index, FLAG.fresh)
    return index
  }

  /** Sets `fresh` or `held` for two to four seconds: two turns of one timer for the whole VLAN. */
  freshen(now: Micros, vlan: Vlan, index: number, flag: number): void {
    if ((vlan.flags(index) & flag) !== 0) return
    vlan.mark(index, flag)
    vlan.fresh.push(index)
    if (vlan.freshUntil !== NEVER) return
    vlan.freshUntil = now + FRESH_TURN
    this.lower(vlan, vlan.freshUntil)
  }

  /** A row changed: whoever is to hear of it gets in line. The row is dropped if it says nothing more. */
  touched(vlan: Vlan, index: number): void {
    if (vlan.upper !== undefined) this.#touchedAbove(vlan.upper, index)
    if (vlan.next !== undefined) this.#touchedAbove(vlan.next, index)
    this.touchedBelow(vlan, index)
    this.dropSpent(vlan, index)
  }

  /** The same for lowers alone: what they were told may no longer hold. */
  touchedBelow(vlan: Vlan, index: number): void {
    const others = vlan.othersFor(index)
    const low = (others ? vlan.word(index, ROW.setLow) : 0) ^ vlan.word(index, ROW.toldLow)
    const high = (others ? vlan.word(index, ROW.setHigh) : 0) ^ vlan.word(index, ROW.toldHigh)
    if ((low | high) === 0) return
    vlan.downQueue.push(index)
    for (const lower of vlan.lowers) {
      if (((low & lower.peer.low) | (high & lower.peer.high)) !== 0) this.schedule(lower)
    }
  }

  dropSpent(vlan: Vlan, index: number): void {
    if (!vlan.spent(index)) return
    vlan.tokens.remove(index)
    this.tokens -= 1
  }

  /** The registration has something to say: it gets in line once. */
  schedule(registration: Registration): void {
    const { peer } = registration
    if (registration.queued || peer.gone) return
    registration.queued = true
    peer.queue.push(registration)
    if (peer.waiting) return
    peer.waiting = true
    this.#waiting.push(peer)
  }

  /** Sends what is in line, as much as one step may; asks to be woken for the rest. */
  flush(now: Micros, speaker: Speaker): void {
    const peers = this.#waiting
    if (peers.length === 0 && this.toChoose.length === 0) return
    this.#waiting = []
    const served: Peer[] = []
    for (const peer of peers) {
      const all = peer.gone || this.#flushPeer(now, peer, speaker)
      peer.waiting = peer.queue.length > 0
      if (peer.waiting) (all ? served : this.#waiting).push(peer)
    }
    // Links that the step had nothing left for come first in the next one.
    this.#waiting.push(...served)
    this.context.deadline.lower(this.nextFlush(now))
  }

  /** When the rest may be done; NEVER if nothing is in line. */
  nextFlush(now: Micros): Micros {
    return this.#waiting.length > 0 || this.toChoose.length > 0 ? now + STEP_PAUSE : NEVER
  }

  /** False if the step's messages were used up before the link had its share. */
  #flushPeer(now: Micros, peer: Peer, speaker: Speaker): boolean {
    let done = 0
    let all = true
    // Who has more to say gets in line again behind the others. Speaking may end the link, which
    // empties its queue.
    for (; done < LINK_MESSAGES && done < peer.queue.length; done++) {
      all = this.#messages.take(now)
      if (!all) break
      const registration = peer.queue[done] as Registration
      registration.queued = false
      if (speaker.speak(now, registration)) this.schedule(registration)
    }
    peer.queue.splice(0, done)
    return all
  }

  #touchedAbove(upper: Upper, index: number): void {
    if (!upper.vlan.unsaid(index, upper)) return
    // Where the upper takes no more for a while the same rows come again and again.
    if (upper.queue.length > 2 * upper.vlan.tokens.end + BATCH) upper.queue = [...new Set(upper.queue)]
    upper.queue.push(index)
    this.schedule(upper)
  }
}
