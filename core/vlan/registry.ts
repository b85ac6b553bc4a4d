/**
 * Per-VLAN registrations in one tree (mesh text (b), B1–B4): what lowers and local members register,
 * against policy and quotas, and when each part has its turn. The table that results is what forward.ts
 * reads; this file never sees a data packet.
 *
 * Every input ends in `settle`, which chooses uppers and says what is to be said. Saying something may
 * end a link (its queue is full), so changes of roles that come meanwhile wait for their turn.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { jittered } from '../dice.ts'
import { type Micros, MINUTE, NEVER, SECOND, TREE_ROLE, type TreeRole } from '../io.ts'
import { isRelay, type Link, type LinkPort } from '../links/link.ts'
import type { Tree } from '../tree/tree.ts'
import { readU32 } from '../wire/cursor.ts'
import { Claims } from './claims.ts'
import { Downhill } from './downhill.ts'
import { encodeRefused, type OthersMessage, OTHERS, REFUSAL, type Refusal, type Register, REGISTER_FLAG, type RegisterRefused } from './messages.ts'
import type { CompiledPolicy } from './policy.ts'
import { FLAG, type Lower, type Member, type Peer, type Registration, ROW, type Vlan } from './state.ts'
import { FRESH_TURN, Tables } from './tables.ts'
import { Uphill } from './uphill.ts'

// Quotas of mesh text (b).
const LEAF_VLANS = 64
const LEAF_TOKENS = 1_024
const RELAY_VLANS = 16_384
const RELAY_TOKENS = 131_072
const NODE_VLANS = 65_536
const NODE_TOKENS = 1_048_576
/** B3. */
const HASH_PERIOD: Micros = MINUTE
const SOFT_STATE: Micros = 5 * MINUTE
/** Uppers and tokens that were refused are tried again after so many periods of the set hash. */
const RETRY_TICKS = 5
/** A full set is asked for at most this often: two ends that differ for good must not talk without end. */
const RESEND_PAUSE: Micros = 10 * SECOND

export class Registry {
  readonly tables: Tables
  readonly #context: Context
  readonly #claims: Claims
  readonly #downhill: Downhill
  readonly #uphill: Uphill
  readonly #roles: { readonly link: Link; readonly role: TreeRole; readonly gone: boolean }[] = []
  /** Between the start of an input and the end of its settling: changes of roles have to wait. */
  #inside = false

  constructor(context: Context, links: LinkPort, tree: Tree) {
    this.#context = context
    this.tables = new Tables(context, links, tree)
    this.#claims = new Claims(this.tables)
    this.#downhill = new Downhill(this.tables)
    this.#uphill = new Uphill(this.tables, this.#downhill)
  }

  // Local members. After one or more of these: settle.

  /** `certified`: the VLAN is private, which only a member can know. */
  join(now: Micros, id: Uint8Array, member: Member, certified: boolean): Vlan {
    const vlan = this.tables.find(id) ?? this.#create(now, id)
    vlan.members.push(member)
    vlan.certified ||= certified
    this.#membersChanged(vlan)
    return vlan
  }

  leave(vlan: Vlan, member: Member): void {
    vlan.members.splice(vlan.members.indexOf(member), 1)
    vlan.certified &&= vlan.members.length > 0
    this.#membersChanged(vlan)
    this.#closeIfIdle(vlan)
  }

  /** A member listens on the token, or shows a renewed proof for it. */
  hold(now: Micros, vlan: Vlan, token: Uint8Array, proof: Uint8Array | undefined): void {
    this.#inside = true
    const found = vlan.tokens.find(token, 0)
    const index = found < 0 ? this.tables.addToken(now, vlan, token) : found
    vlan.mark(index, FLAG.self)
    if (proof !== undefined) this.#claims.keep(now, vlan, index, proof)
    this.tables.touched(vlan, index)
  }

  /** A member listens no longer; another port of this node may. */
  release(vlan: Vlan, token: Uint8Array): void {
    const index = vlan.tokens.find(token, 0)
    if (index < 0 || vlan.members.some((member) => member.holds(token))) return
    vlan.unmark(index, FLAG.self)
    this.tables.touched(vlan, index)
  }

  // Neighbours.

  roleChanged(now: Micros, link: Link, role: TreeRole): void {
    this.#queueRole(now, link, role, false)
  }

  linkDown(now: Micros, link: Link): void {
    this.#queueRole(now, link, TREE_ROLE.none, true)
  }

  onRegister(now: Micros, link: Link, message: Register): void {
    const peer = this.tables.tree.role(link.id) === TREE_ROLE.lower ? this.tables.meet(now, link) : undefined
    if (peer === undefined) {
      this.#context.counters.add(COUNT.dropLinkNotOpen)
      return
    }
    this.#inside = true
    this.#register(now, peer, message)
    this.settle(now)
  }

  onOthers(now: Micros, link: Link, message: OthersMessage): void {
    const peer = this.tables.peer(link.id)
    this.#inside = true
    if (peer !== undefined && this.tables.isUpper(peer)) this.#uphill.onOthers(now, peer, message)
    this.settle(now)
  }

  onRefused(now: Micros, link: Link, message: RegisterRefused): void {
    const peer = this.tables.peer(link.id)
    this.#inside = true
    if (peer !== undefined && this.tables.isUpper(peer)) this.#uphill.onRefused(now, peer, message)
    this.settle(now)
  }

  // The node itself.

  setPolicy(now: Micros, policy: CompiledPolicy): void {
    this.#inside = true
    this.tables.policy = policy
    for (const vlan of this.tables.states) if (vlan !== undefined) this.#judge(vlan)
    this.settle(now)
  }

  /** Chooses uppers and says what there is to say, as far as one step may. */
  settle(now: Micros): void {
    this.#inside = true
    do {
      this.#takeRoles(now)
      if (this.tables.rechoose) this.#uphill.chooseAll(now)
      this.tables.flush(now, this)
    } while (this.#roles.length > 0 || this.tables.rechoose)
    this.#inside = false
  }

  /** Does what is due; answers when something next is. */
  wake(now: Micros): Micros {
    this.#inside = true
    if (this.tables.due <= now) this.#scan(now)
    const checked = this.#claims.wake(now)
    this.settle(now)
    return Math.min(this.tables.due, checked, this.tables.nextFlush(now))
  }

  /** For the pacing of tables.ts. */
  speak(now: Micros, registration: Registration): boolean {
    if (registration.end === 'upper') return this.#uphill.speak(now, registration)
    return this.#downhill.speak(now, registration)
  }

  #queueRole(now: Micros, link: Link, role: TreeRole, gone: boolean): void {
    this.#roles.push({ link, role, gone })
    if (this.#inside) return
    this.#takeRoles(now)
    // The tree may have more to tell in this step: uppers are chosen when all is said.
    this.#context.deadline.lower(now)
  }

  #create(now: Micros, id: Uint8Array): Vlan {
    const vlan = this.tables.create(id)
    vlan.rechoose = true
    this.tables.rechoose = true
    vlan.tickAt = now + jittered(this.#context.dice, HASH_PERIOD)
    this.tables.lower(vlan, vlan.tickAt)
    return vlan
  }

  #closeIfIdle(vlan: Vlan): void {
    if (vlan.members.length > 0 || vlan.lowers.length > 0) return
    this.#uphill.withdraw(vlan)
    this.tables.forget(vlan)
  }

  #membersChanged(vlan: Vlan): void {
    this.#judge(vlan)
    this.#downhill.review(vlan)
  }

  /** Carries out the policy for a VLAN: whom it shuts out is told. */
  #judge(vlan: Vlan): void {
    vlan.carried = this.tables.policy.carries(vlan.id, vlan.members.length > 0)
    if (vlan.carried) return
    for (const lower of [...vlan.lowers]) {
      this.#context.counters.add(COUNT.registrationsRefused)
      lower.refusal = REFUSAL.policy
      this.tables.schedule(lower)
      this.#dropLower(vlan, lower)
    }
  }

  #register(now: Micros, peer: Peer, message: Register): void {
    const vlan = this.tables.find(message.vlan)
    const known = vlan?.lowerOf(peer)
    if ((message.flags & REGISTER_FLAG.leave) !== 0) {
      if (vlan !== undefined && known !== undefined) this.#dropLower(vlan, known)
      return
    }
    const lower = known ?? this.#admit(now, peer, vlan, message)
    if (lower === undefined) return
    lower.heardAt = now
    lower.answer = true
    this.#takeSet(now, lower, message)
    this.tables.schedule(lower)
  }

  /** A new registration of a VLAN by a lower, or the refusal of it. */
  #admit(now: Micros, peer: Peer, vlan: Vlan | undefined, message: Register): Lower | undefined {
    const carried = vlan?.carried ?? this.tables.policy.carries(message.vlan, false)
    const refusal = carried ? this.#quota(now, peer, vlan) : REFUSAL.policy
    if (refusal !== undefined) {
      this.#context.counters.add(COUNT.registrationsRefused)
      const packet = encodeRefused({ vlan: message.vlan, tree: this.tables.tree.id, reason: refusal, tokens: [] })
      this.tables.links.control(now, peer.link, packet)
      return undefined
    }
    const home = vlan ?? this.#create(now, message.vlan)
    const lower: Lower = {
      end: 'lower', vlan: home, peer, heardAt: now, told: OTHERS.unknown, answer: false, resend: false, quietUntil: 0,
      seen: undefined, cursor: home.downQueue.length, refusal: undefined, hashLow: 0, hashHigh: 0, tokens: 0, queued: false,
    }
    home.lowers.push(lower)
    home.lowersLow |= peer.low
    home.lowersHigh |= peer.high
    peer.vlans += 1
    this.#downhill.review(home)
    return lower
  }

  /** Excess is refused, never evicts. */
  #quota(now: Micros, peer: Peer, vlan: Vlan | undefined): Refusal | undefined {
    const { counters } = this.#context
    const limit = isRelay(peer.link) ? RELAY_VLANS : LEAF_VLANS
    if (peer.vlans >= limit || (vlan === undefined && this.tables.vlanCount >= NODE_VLANS)) {
      counters.add(COUNT.boundVlans)
      return REFUSAL.quota
    }
    if (peer.changes.take(now, 1)) return undefined
    counters.add(COUNT.boundRegRate)
    return REFUSAL.quota
  }

  /** B3. Registering adds; only the same link withdraws. */
  #takeSet(now: Micros, lower: Lower, message: Register): void {
    const { vlan, peer } = lower
    if ((message.flags & REGISTER_FLAG.begin) !== 0) lower.seen = new Uint8Array(0)
    for (const token of message.removed) {
      const index = vlan.tokens.find(token, 0)
      if (index >= 0) this.#claims.end(lower, index)
    }
    const refused: Uint8Array[] = []
    for (const { token, proof } of message.added) {
      if (!this.#claim(now, lower, token, proof)) refused.push(token)
    }
    if ((message.flags & REGISTER_FLAG.end) !== 0 && lower.seen !== undefined) this.#sweep(lower)
    if (refused.length > 0) this.#claims.refuse(now, vlan, peer, refused, REFUSAL.quota)
    if (lower.seen === undefined) this.#compare(now, lower, message.setHash)
  }

  #claim(now: Micros, lower: Lower, token: Uint8Array, proof: Uint8Array | undefined): boolean {
    const { vlan, peer } = lower
    let index = vlan.tokens.find(token, 0)
    const had = index >= 0 && vlan.hasBit(index, ROW.setLow, peer)
    if (!had && !this.#room(now, peer, index < 0)) return false
    const verdict = this.#claims.judge(now, vlan, index, peer, token, proof)
    if (verdict === 'refused') return false
    // What is as it was needs no look at who would have to hear of it.
    if (!had || proof !== undefined) {
      if (index < 0) index = this.tables.addToken(now, vlan, token)
      this.#claims.take(now, lower, index, verdict, proof)
    }
    if (lower.seen !== undefined) lower.seen = withBit(lower.seen, index)
    return true
  }

  /** Whether the link may register one more token. */
  #room(now: Micros, peer: Peer, newRow: boolean): boolean {
    const { counters } = this.#context
    const limit = isRelay(peer.link) ? RELAY_TOKENS : LEAF_TOKENS
    if (peer.tokens >= limit || (newRow && this.tables.tokens >= NODE_TOKENS)) {
      counters.add(COUNT.boundTokens)
      return false
    }
    if (peer.changes.take(now, 1)) return true
    counters.add(COUNT.boundRegRate)
    return false
  }

  /** The full set is in: what was not in it is withdrawn. */
  #sweep(lower: Lower): void {
    const { vlan, peer } = lower
    const seen = lower.seen as Uint8Array
    lower.seen = undefined
    for (let index = 0; index < vlan.tokens.end; index++) {
      const again = ((seen[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
      if (!again && vlan.tokens.has(index) && vlan.hasBit(index, ROW.setLow, peer)) this.#claims.end(lower, index)
    }
  }

  /** B3. A set hash that does not fit asks for the full set. */
  #compare(now: Micros, lower: Lower, setHash: Uint8Array): void {
    if (readU32(setHash, 0) === lower.hashLow && readU32(setHash, 4) === lower.hashHigh) return
    if (now < lower.quietUntil) return
    lower.quietUntil = now + RESEND_PAUSE
    lower.resend = true
  }

  /** B3. A link that closed or withdrew takes its entries with it at once. */
  #dropLower(vlan: Vlan, lower: Lower): void {
    const { peer } = lower
    const at = vlan.lowers.indexOf(lower)
    if (vlan.members.length === 0 && vlan.lowers.length === 1) {
      // Nobody is left: the rows need no farewell of their own.
      peer.tokens -= lower.tokens
    } else {
      for (let index = 0; index < vlan.tokens.end; index++) {
        if (vlan.tokens.has(index)) this.#claims.end(lower, index)
      }
    }
    vlan.lowers.splice(at, 1)
    vlan.lowersLow &= ~peer.low
    vlan.lowersHigh &= ~peer.high
    peer.vlans -= 1
    this.#downhill.review(vlan)
    this.#closeIfIdle(vlan)
  }

  #takeRoles(now: Micros): void {
    for (const { link, role, gone } of this.#roles.splice(0)) {
      if (!gone) this.tables.departed.delete(link.id)
      else if (this.tables.tree.role(link.id) !== TREE_ROLE.none) this.tables.departed.add(link.id)
      const peer = role === TREE_ROLE.none ? this.tables.peer(link.id) : this.tables.meet(now, link)
      if (peer === undefined) continue
      if (role !== TREE_ROLE.lower) this.#dropAllOf(peer)
      if (role === TREE_ROLE.upper) this.#uphill.reopened(now, peer)
      else this.#uphill.lost(now, peer)
      if (gone) this.tables.part(peer)
      // B1. Whom to register with may be another question now.
      if (role === TREE_ROLE.lower) continue
      for (const vlan of this.tables.states) if (vlan !== undefined) vlan.rechoose = true
      this.tables.rechoose = true
    }
  }

  #dropAllOf(peer: Peer): void {
    if (peer.vlans === 0) return
    for (const vlan of this.tables.states) {
      const lower = vlan?.lowerOf(peer)
      if (vlan !== undefined && lower !== undefined) this.#dropLower(vlan, lower)
    }
  }

  #scan(now: Micros): void {
    this.tables.due = NEVER
    for (const vlan of this.tables.states) {
      if (vlan === undefined) continue
      if (vlan.due > now) {
        this.tables.due = Math.min(this.tables.due, vlan.due)
        continue
      }
      vlan.due = NEVER
      if (vlan.tickAt <= now) this.#tick(now, vlan)
      if (this.tables.states[vlan.index] !== vlan) continue
      this.tables.lower(vlan, vlan.tickAt)
      if (vlan.freshUntil <= now) this.#age(now, vlan)
      this.tables.lower(vlan, vlan.freshUntil)
      this.#uphill.due(now, vlan)
    }
  }

  #tick(now: Micros, vlan: Vlan): void {
    vlan.tickAt = now + jittered(this.#context.dice, HASH_PERIOD)
    vlan.ticks += 1
    for (const lower of [...vlan.lowers]) if (lower.heardAt + SOFT_STATE < now) this.#dropLower(vlan, lower)
    this.#claims.expire(now, vlan)
    this.#uphill.tick(now, vlan, vlan.cut || vlan.ticks % RETRY_TICKS === 0)
  }

  /** Ends `fresh` and `held` of what was marked a full turn ago. */
  #age(now: Micros, vlan: Vlan): void {
    for (const index of vlan.aging) {
      if (!vlan.tokens.has(index)) continue
      vlan.unmark(index, FLAG.fresh | FLAG.held)
      this.tables.touchedBelow(vlan, index)
    }
    vlan.aging = vlan.fresh
    vlan.fresh = []
    vlan.freshUntil = vlan.aging.length > 0 ? now + FRESH_TURN : NEVER
  }
}

/** The bit set, in a larger array if it needs one. */
function withBit(bits: Uint8Array, index: number): Uint8Array {
  let result = bits
  if (index >> 3 >= bits.length) {
    result = new Uint8Array(Math.max(16, (index >> 3) * 2))
    result.set(bits)
  }
  result[index >> 3] = (result[index >> 3] as number) | (1 << (index & 7))
  return result
}
