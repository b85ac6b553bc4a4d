/**
 * Per-VLAN registrations in one tree (mesh text (b), B1–B4): the parts of it and when each has its turn.
 * The table that results is what forward.ts reads; no data packet ever comes here.
 *
 *     lowers.ts   what those below register, quotas      claims.ts   proofs of their claims
 *     uphill.ts   the choice of an upper, moves          upper.ts    what an upper is told
 *     downhill.ts what those below are told              tables.ts   the state, and who gets in line
 *
 * Every input ends in `settle`, which chooses uppers and says what is to be said. Saying something may
 * end a link (its queue is full), so changes of roles that come meanwhile wait for their turn.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { type LinkId, MINUTE, type Micros, NEVER, SECOND, TREE_ROLE, type TreeRole } from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import type { Tree } from '../tree/tree.ts'
import { Claims } from './claims.ts'
import { Downhill } from './downhill.ts'
import { Lowers } from './lowers.ts'
import { type OthersMessage, REFUSAL, type Register, type RegisterRefused } from './messages.ts'
import type { CompiledPolicy } from './policy.ts'
import { FLAG, type Member, type Registration, type Vlan } from './state.ts'
import { FRESH_TURN, Tables } from './tables.ts'
import { Uphill } from './uphill.ts'
import { speakUp } from './upper.ts'

/** B3. A lower that said nothing for so long is forgotten. */
const SOFT_STATE: Micros = 5 * MINUTE
/** Uppers and tokens that were refused are tried again after so many periods of the set hash. */
const RETRY_TICKS = 5
/**
 * While there are several uppers, how often to see which one the tree prefers: a change among open links
 * is no change of roles, and the tree keeps a former upper for five seconds.
 */
const PREFERENCE_PERIOD: Micros = 2 * SECOND

export class Registry {
  readonly tables: Tables
  readonly #context: Context
  readonly #claims: Claims
  readonly #downhill: Downhill
  readonly #uphill: Uphill
  readonly #lowers: Lowers
  readonly #roles: { readonly link: Link; readonly role: TreeRole; readonly gone: boolean }[] = []
  /** Between the start of an input and the end of its settling: changes of roles have to wait. */
  #inside = false
  /** The upper that the tree named first when it was last asked. */
  #preferred: LinkId | undefined

  constructor(context: Context, links: LinkPort, tree: Tree) {
    this.#context = context
    this.tables = new Tables(context, links, tree)
    this.#claims = new Claims(this.tables)
    this.#downhill = new Downhill(this.tables)
    this.#uphill = new Uphill(this.tables, this.#downhill)
    this.#lowers = new Lowers(this.tables, this.#claims, this.#downhill, this.#uphill)
  }

  // Local members. After one or more of these: settle.

  /** `certified`: the VLAN is private, which only a member can know. */
  join(now: Micros, id: Uint8Array, member: Member, certified: boolean): Vlan {
    const vlan = this.tables.find(id) ?? this.tables.create(now, id)
    vlan.members.push(member)
    vlan.certified ||= certified
    this.#membersChanged(vlan)
    return vlan
  }

  leave(vlan: Vlan, member: Member): void {
    vlan.members.splice(vlan.members.indexOf(member), 1)
    vlan.certified &&= vlan.members.length > 0
    this.#membersChanged(vlan)
    this.#uphill.retire(vlan)
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
    this.#lowers.register(now, peer, message)
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
      this.#uphill.chooseAll(now)
      this.tables.flush(now, this)
    } while (this.#roles.length > 0)
    this.#inside = false
  }

  /** Does what is due; answers when something next is. */
  wake(now: Micros): Micros {
    this.#inside = true
    const preference = this.#preference(now)
    if (this.tables.due <= now) this.#scan(now)
    const checked = this.#claims.wake(now)
    const further = this.#uphill.wake(now)
    this.settle(now)
    return Math.min(this.tables.due, checked, preference, further, this.tables.nextFlush(now))
  }

  /** For the pacing of tables.ts. */
  speak(now: Micros, registration: Registration): boolean {
    if (registration.end === 'upper') return speakUp(this.tables, now, registration)
    return this.#downhill.speak(now, registration)
  }

  #queueRole(now: Micros, link: Link, role: TreeRole, gone: boolean): void {
    this.#roles.push({ link, role, gone })
    if (this.#inside) return
    this.#takeRoles(now)
    // The tree may have more to tell in this step: uppers are chosen when all is said.
    this.#context.deadline.lower(now)
  }

  #membersChanged(vlan: Vlan): void {
    this.#judge(vlan)
    this.#downhill.review(vlan)
  }

  /** Carries out the policy for a VLAN: whom it shuts out is told. */
  #judge(vlan: Vlan): void {
    vlan.carried = this.tables.policy.carries(vlan.id, vlan.members.length > 0)
    if (vlan.carried) return
    for (const lower of [...vlan.lowers]) this.#lowers.refuse(vlan, lower, REFUSAL.policy)
  }

  #takeRoles(now: Micros): void {
    for (const { link, role, gone } of this.#roles.splice(0)) {
      if (gone) this.tables.depart(link.id)
      else this.tables.recover(link.id)
      const peer = role === TREE_ROLE.none ? this.tables.peer(link.id) : this.tables.meet(now, link)
      if (peer === undefined) continue
      if (role !== TREE_ROLE.lower) this.#lowers.dropAllOf(peer)
      if (role === TREE_ROLE.upper) this.#uphill.reopened(now, peer)
      else this.#uphill.lost(now, peer)
      if (gone) this.tables.part(peer)
      // B1. Whom to register with is another question now; who lost an upper asks in any case.
      if (role === TREE_ROLE.upper) this.#rechooseAll()
    }
  }

  #rechooseAll(): void {
    for (const vlan of this.tables.states) if (vlan !== undefined) this.tables.askChoice(vlan)
  }

  /** B1. The tree's own upper comes first: when that is another link, VLANs move to it. */
  #preference(now: Micros): Micros {
    const uppers = this.tables.tree.uppers()
    const first = uppers[0]?.id
    if (first !== this.#preferred) this.#rechooseAll()
    this.#preferred = first
    return uppers.length > 1 && this.tables.vlanCount > 0 ? now + PREFERENCE_PERIOD : NEVER
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
    vlan.tickAt = this.tables.nextTick(now)
    vlan.ticks += 1
    for (const lower of [...vlan.lowers]) if (lower.heardAt + SOFT_STATE < now) this.#lowers.drop(vlan, lower)
    this.#claims.expire(now, vlan)
    this.#uphill.tick(vlan, vlan.cut || vlan.ticks % RETRY_TICKS === 0)
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
