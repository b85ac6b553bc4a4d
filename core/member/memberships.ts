/**
 * All memberships of a node: opens their ports, and brings jobs and records to whom they belong. Numbers of
 * jobs are unique in the node's life; numbers of records name a slot of a port for ever, so that a driver
 * can keep them, and what is under way for one slot ends in the order in which it began.
 */
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import type { Slot } from '../group/effects.ts'
import type { GroupEvent } from '../group/events.ts'
import type { WallClock } from '../group/state.ts'
import { hex, type Mac } from '../ids.ts'
import {
  type JobId,
  type JobOutcome,
  type LinkId,
  type MembershipView,
  type Micros,
  NEVER,
  type NodeEvent,
  type PeerHint,
  type PortId,
  SECOND,
  type StoreId,
  TREE_ROLE,
  type TreeRole,
} from '../io.ts'
import { invite } from '../ledger/founding.ts'
import { contactOf, invitationText } from '../ledger/invitation.ts'
import { type IssuerKeys, makeRevocation } from '../ledger/issue.ts'
import type { MlsJob } from '../mls/engine.ts'
import type { Vlans } from '../vlan/vlans.ts'
import type { Entrance, VlanIdentity } from './identity.ts'
import { type MemberHost, Membership } from './membership.ts'
import { FIRST_RECORD, recordOf } from './records.ts'

/** From a first link or another root to when others can be reached: a few round trips. Guess. */
const REGISTERED_AFTER: Micros = SECOND

export class Memberships implements MemberHost {
  readonly wall: WallClock
  readonly #context: Context
  readonly #vlans: Vlans
  readonly #members = new Map<PortId, Membership>()
  /** Jobs under way: at most one of each membership, and those of ports that closed meanwhile. */
  readonly #jobs = new Map<JobId, { readonly member: Membership; readonly job: number }>()
  readonly #stores = new Map<StoreId, { readonly member: Membership; readonly id: number }[]>()
  /** Links with a role in a tree. */
  readonly #treeLinks = new Set<LinkId>()
  #presentAt: Micros = NEVER
  /** When parts of the mesh that came together can reach each other. */
  #metAt: Micros = NEVER
  #lastJob = 0
  /** What memberships counted whose ports have closed. */
  readonly #closed: Record<string, number> = {}
  /** Ports may be closed and opened again; what engines hold of the one before is not the next one's. */
  #lastGroup = 0

  constructor(context: Context, vlans: Vlans, wall: WallClock) {
    this.#context = context
    this.#vlans = vlans
    this.wall = wall
  }

  // Commands.

  open(now: Micros, id: PortId, identity: VlanIdentity, entrance: Entrance): void {
    const member = new Membership(now, this.#context, this, id, ++this.#lastGroup, identity)
    const port = this.#vlans.openSealed(now, id, member)
    this.#members.set(id, member)
    member.attach(now, port)
    member.command(now, entrance)
  }

  /** The port has closed. */
  closed(now: Micros, id: PortId): void {
    const member = this.#members.get(id)
    if (member === undefined) return
    member.close(now)
    addCounts(this.#closed, member.counters())
    this.#members.delete(id)
  }

  closeAll(now: Micros): void {
    for (const id of [...this.#members.keys()]) this.closed(now, id)
  }

  learn(now: Micros, id: PortId, facts: readonly Uint8Array[]): void {
    this.#member(id).command(now, { kind: 'facts', facts })
  }

  rekey(now: Micros, id: PortId): void {
    this.#member(id).command(now, { kind: 'update' })
  }

  leave(now: Micros, id: PortId): void {
    this.#member(id).command(now, { kind: 'leave' })
  }

  /** Revokes a member key, 32 bytes; all members hear of it, this one at once. */
  revoke(now: Micros, id: PortId, issuer: IssuerKeys, target: Uint8Array): void {
    const { ledger, vlan } = this.#member(id)
    const number = ledger.newestNumber(issuer.kind === 'admin' ? issuer.serial : undefined) + 1
    const order = { target: { kind: 'key', bytes: target }, number } as const
    this.learn(now, id, [makeRevocation(this.#context.crypto, issuer, vlan, order).bytes])
  }

  /** An invitation for one person: its text is noted, and its Grant known to all members. */
  invite(
    now: Micros,
    id: PortId,
    issuer: IssuerKeys,
    order: {
      readonly doorKey: Uint8Array
      readonly contacts: readonly PeerHint[]
      readonly lifeMillis?: number
    },
  ): void {
    const millis = this.wall.millis()
    if (millis === 0) throw new UsageError('an invitation while the clock is not set; set it first')
    const { crypto, keys, out } = this.#context
    const contacts = order.contacts.map(contactOf)
    const { ledger } = this.#member(id)
    const draft = invite(crypto, keys, issuer, ledger, { ...order, contacts, now: millis })
    this.learn(now, id, [draft.grant.bytes])
    out.note({ kind: 'invitation', port: id, text: invitationText(crypto, draft) })
  }

  // What is.

  view(): readonly MembershipView[] {
    return [...this.#members.values()].map((member) => member.view())
  }

  /** Sums over all memberships of this node, ended ones too. */
  counters(): Readonly<Record<string, number>> {
    const sums = { ...this.#closed }
    for (const member of this.#members.values()) addCounts(sums, member.counters())
    return sums
  }

  // Inputs.

  jobDone(now: Micros, id: JobId, outcome: JobOutcome): void {
    const under = this.#jobs.get(id)
    if (under === undefined)
      throw new UsageError(`jobDone(${id}): this node has started no such job; report each job once`)
    this.#jobs.delete(id)
    // Those that closed meanwhile are told too: what the job made has to be dropped.
    under.member.jobDone(now, under.job, outcome)
  }

  /** True if the record is one of a membership. */
  stored(now: Micros, id: StoreId, ok: boolean): boolean {
    const under = this.#stores.get(id)?.shift()
    if (under === undefined) return id >= FIRST_RECORD
    if (this.#members.get(under.member.id) === under.member) under.member.stored(now, under.id, ok)
    return true
  }

  /** A link's role in a tree changed: with the first one after none, registrations are on their way. */
  roleChanged(now: Micros, link: LinkId, role: TreeRole): void {
    const wasAlone = this.#treeLinks.size === 0
    if (role === TREE_ROLE.none) this.#treeLinks.delete(link)
    else this.#treeLinks.add(link)
    if (!wasAlone || this.#treeLinks.size === 0 || this.#members.size === 0) return
    this.#presentAt = now + REGISTERED_AFTER
    this.#context.deadline.lower(this.#presentAt)
  }

  /** A tree has a root again, or another: whom this node's members parted from may be within reach. */
  rootChanged(now: Micros): void {
    // Not put off by roots that follow each other.
    if (this.#members.size === 0 || this.#metAt !== NEVER) return
    this.#metAt = now + REGISTERED_AFTER
    this.#context.deadline.lower(this.#metAt)
  }

  resumed(now: Micros): void {
    for (const member of this.#members.values()) member.resumed(now)
  }

  wake(now: Micros): Micros {
    if (this.#presentAt <= now) {
      this.#presentAt = NEVER
      for (const member of this.#members.values()) member.present(now)
    }
    if (this.#metAt <= now) {
      this.#metAt = NEVER
      for (const member of this.#members.values()) member.met(now)
    }
    let next = Math.min(this.#presentAt, this.#metAt)
    for (const member of this.#members.values()) next = Math.min(next, member.wake(now))
    return next
  }

  // For memberships.

  start(member: Membership, job: number, work: MlsJob): void {
    this.#lastJob += 1
    const id = this.#lastJob as JobId
    this.#jobs.set(id, { member, job })
    this.#context.out.start(id, work)
  }

  store(member: Membership, id: number, slot: Slot, record: Uint8Array): void {
    const name = recordOf(member.id, slot)
    const waiting = this.#stores.get(name) ?? []
    waiting.push({ member, id })
    this.#stores.set(name, waiting)
    this.#context.out.store(name, record)
  }

  event(member: Membership, event: GroupEvent): void {
    this.#context.out.note({ kind: 'group', port: member.id, event })
  }

  note(event: NodeEvent): void {
    this.#context.out.note(event)
  }

  isTaken(member: Membership, mac: Mac): boolean {
    return this.#vlans.isTaken(mac, member.vlan, member.id)
  }

  ready(member: Membership): void {
    this.#context.out.note({ kind: 'portUp', port: member.id, vlan: hex(member.vlan), mac: member.mac })
  }

  registered(now: Micros): void {
    this.#vlans.settle(now)
  }

  #member(id: PortId): Membership {
    const member = this.#members.get(id)
    if (member === undefined)
      throw new UsageError(`port ${id} is no membership in a group; open it by found, join or restore`)
    return member
  }
}

function addCounts(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
}
