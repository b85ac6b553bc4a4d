/**
 * The verbs of CryptoVLANs at one node: each becomes commands of the core, and what the core notes becomes
 * their results. It knows what an owner may ask and what that takes; it knows neither words, files nor
 * sockets, and of time only what the node's host says.
 *
 * To drive it: `start` when the node runs, `noted` for each of its events once the step is over, `stop` when
 * it has stopped. Every verb answers with something pending; those that need nobody else are settled at once.
 */
import { hex, type Mac, sameBytes } from '../../core/ids.ts'
import { MILLISECOND, type Micros, type NodeEvent, type PortId, SECOND } from '../../core/io.ts'
import { hintsOf, type Invitation, parseInvitation } from '../../core/ledger/invitation.ts'
import { isFinal, notLetIn, turnedAway } from './admission.ts'
import { type Certified, type CertifyOrder, certify } from './certify.ts'
import { becomeFounder, becomeGuest, type CreateOrder, macNonceOf } from './enter.ts'
import { type Evicted, type EvictOrder, evict, type GrantRevoked, revokeGrant } from './evict.ts'
import type { HeldVlan, Tools } from './held.ts'
import { type Invited, type InviteOrder, invite } from './invite.ts'
import { checkLabel, checkNewLabel, macWritten, type Preference, resolveVlan, short } from './names.ts'
import type { ControlledNode, KeptVlan, Place } from './node.ts'
import { ownMemberOut } from './out.ts'
import { done, type Outcome, Pending, REFUSAL, type Refused, refused } from './outcome.ts'
import { Shelf } from './shelf.ts'
import {
  type GrantRow,
  grantRows,
  type MemberRow,
  memberRows,
  type VlanDetails,
  vlanDetails,
} from './views.ts'
import { Waits } from './waits.ts'

/** VLANs of one node. Guess: each costs a port with tables of its own. */
const VLANS_MAX = 64
/** A group is created and stored well within a second. */
const FOUND_WITHIN: Micros = 30 * SECOND
/** Some seconds are usual; but a member that was just restored lets nobody in for a minute (sec:M13). */
export const JOIN_WITHIN: Micros = 120 * SECOND
/**
 * Who says no may err, as its clock may, or lie: others are asked meanwhile, and let a joiner in within this,
 * in a crowd too. Where two say it there is less to hope for.
 */
const SECOND_OPINION: Micros = 15 * SECOND
const THIRD_OPINION: Micros = 3 * SECOND
/** A farewell takes two seconds. */
const LEAVE_WITHIN: Micros = 30 * SECOND
const LEAVE_LOOK: Micros = 250 * MILLISECOND

export interface Entered {
  /** VLAN-ID and own member key in hex. */
  readonly vlan: string
  readonly label: string
  readonly member: string
  readonly port: PortId
  readonly mac: string | undefined
  readonly members: number
  readonly seconds: number
}
export interface Gone {
  readonly vlan: string
  readonly label: string
  /** Was never let in: it only asked. */
  readonly asked: boolean
  readonly seconds: number
}
export interface Granted {
  readonly label: string
  /** Why this member is out, if it is: the grants are those that it knew of. */
  readonly over: string | undefined
  readonly grants: readonly GrantRow[]
}
export interface VlanRow {
  readonly vlan: string
  readonly label: string
  readonly phase: 'outside' | 'member' | 'over'
  /** Was never let in. */
  readonly asking: boolean
  readonly role: 'authority' | 'admin' | 'member'
  readonly epoch: number
  readonly members: number
  readonly mac: string | undefined
  readonly port: PortId
  readonly over: string | undefined
  /** Its owner switched it off. */
  readonly off: boolean
}
export interface Switched {
  readonly vlan: string
  readonly label: string
  readonly off: boolean
}

export class VlanVerbs {
  readonly #node: ControlledNode
  readonly #waits: Waits
  readonly #shelf: Shelf

  constructor(node: ControlledNode) {
    this.#node = node
    this.#waits = new Waits(node)
    this.#shelf = new Shelf(node)
  }

  // What the node does.

  /** The node runs, again or for the first time: it goes back into the VLANs that are kept. */
  start(): void {
    this.#shelf.load()
    for (const { kept, off } of this.#shelf.held) if (kept.over === undefined && !off) this.#enter(kept)
  }

  stop(): void {
    this.#waits.stop('the node stopped before it was done; start it, and ask again')
  }

  /** To be told after the step in which it happened. */
  noted(event: NodeEvent): void {
    if (!('port' in event)) return
    const held = this.#shelf.held.find(({ kept }) => kept.port === event.port)
    if (held === undefined) return
    const change = event.kind === 'group' ? event.event : undefined
    if (change?.kind === 'ended') held.kept = { ...held.kept, over: change.why }
    else if (change?.kind === 'welcomeRefused') held.welcomeRefused = change.why
    // Before it is kept, which a full disk prevents: it is so all the same.
    this.#waits.noted(event.port, event)
    if (change?.kind === 'ended') this.#shelf.save()
  }

  // Verbs: getting in and out.

  /** A new VLAN with this node as its first member. A UsageError for terms that no VLAN can have. */
  create(order: CreateOrder): Pending<Entered> {
    if (this.#node.wallMillis() === 0) return Pending.of<Entered>(clockNotSet())
    checkNewLabel(order.label)
    const no = this.#full() ?? this.#isTaken(order.label)
    if (no !== undefined) return Pending.of<Entered>(no)
    const held = this.#shelf.add(becomeFounder(this.#node, order))
    const pending = this.#untilIn(held, FOUND_WITHIN, 'founded', () =>
      refused(
        REFUSAL.notFounded,
        `VLAN ${held.label} was not founded in ${FOUND_WITHIN / SECOND} s; remove it`,
      ),
    )
    this.#enter(held.kept)
    return pending
  }

  /**
   * Redeems an invitation and waits to be let in; what did not lead in before goes on with the key that it
   * had. While this node asks with one invitation it takes no other: it would be two members that wish in.
   * A UsageError for a text that is none.
   */
  join(text: string, within: Micros = JOIN_WITHIN): Pending<Entered> {
    const invitation = parseInvitation(this.#node.crypto, text)
    checkLabel(invitation.label)
    const known = this.#shelf.held.find(({ kept }) => kept.vlan === hex(invitation.vlan))
    if (known?.off === true) return Pending.of<Entered>(switchedOff(known))
    if (known !== undefined) {
      const isOther = hex(known.kept.identity.serial) !== hex(invitation.grant.id)
      const isIn = known.phase() !== 'over' && !known.isAsking()
      if (isIn || !isOther) return this.#joinAgain(known, within)
    }
    const no = this.#isOver(invitation) ?? (known === undefined ? this.#full() : this.#waits.full())
    if (no !== undefined) return Pending.of<Entered>(no)
    if (known?.isAsking() && !invitationEnded(known, this.#node.wallMillis()))
      return Pending.of<Entered>(asksWithAnother(known))
    const before = this.#shelf.redemption(invitation.grant.id)
    // The new one takes the place of one that has led out again, or never in.
    const held = this.#shelf.add(becomeGuest(this.#node, invitation, before), known)
    if (known !== undefined) this.#close(known)
    const { contacts } = invitation
    if (contacts.length > 0) this.#node.command({ kind: 'bootstrap', peers: hintsOf(contacts) })
    const pending = this.#untilLetIn(held, within)
    this.#enter(held.kept)
    return pending
  }

  /**
   * Says goodbye for good, or gives up asking to be let in, and removes the VLAN from this node. `yes`: even
   * with the authority's keys, which are nowhere else that this node knows of.
   */
  leave(name: string, yes = false): Pending<Gone> {
    return this.#with('living', name, (held) => {
      if (held.isAsking()) {
        const what = gone(held)
        this.#giveUpAsking(held)
        return Pending.of(done(what))
      }
      const out = notIn(held) ?? this.#waits.full()
      if (out !== undefined) return Pending.of<Gone>(out)
      if (held.kept.authority !== undefined && !yes) return Pending.of<Gone>(authorityHere(held))
      // Nobody is told of what could not be struck from the book, and would be back after a start.
      const unkept = this.#shelf.whyUnkept()
      if (unkept !== undefined) return Pending.of<Gone>(unkept)
      const began = this.#node.now()
      const { port } = held.kept
      const pending = this.#waits.for<Gone>({
        port,
        within: LEAVE_WITHIN,
        hear: () => undefined,
        late: () =>
          refused(
            REFUSAL.notLeft,
            `this member has not ended in ${LEAVE_WITHIN / SECOND} s; ask again, or remove it`,
          ),
      })
      this.#node.command({ kind: 'leaveVlan', port })
      // The others are still being told for a while.
      const look = (): void => {
        if (pending.outcome !== undefined) return
        if (held.view()?.phase !== 'over') {
          this.#node.after(LEAVE_LOOK, look)
          return
        }
        const left = gone(held, (this.#node.now() - began) / SECOND)
        const kept = this.#shelf.whyUnkept(() => this.#shelf.strike(held, false))
        pending.settle(kept === undefined ? done(left) : leftAndKept(held, kept))
        if (kept === undefined) this.#close(held)
      }
      this.#node.after(LEAVE_LOOK, look)
      return pending
    })
  }

  /** Forgets a VLAN with all its keys and tells nobody; with `force` even while its member. */
  remove(name: string, force = false): Pending<Gone> {
    const removed = (held: HeldVlan): Pending<Gone> => {
      // Just after a start it is a member that is not in again yet.
      if (held.phase() !== 'over' && !held.isAsking() && !force) {
        const message = `this node is in ${held.label}; leave it, or remove it with --force and tell nobody`
        return Pending.of<Gone>(refused(REFUSAL.stillIn, message))
      }
      const what = gone(held)
      this.#forget(held)
      return Pending.of(done(what))
    }
    return this.#with('over', name, removed)
  }

  /** Its interface goes, and all that this node does for the VLAN; it stays a member, over restarts too. */
  switchOff(name: string): Pending<Switched> {
    return this.#with('living', name, (held) => {
      if (held.phase() === 'over') return Pending.of<Switched>(overHere(held))
      if (!held.off) {
        this.#switch(held, true)
        this.#shut(held, `VLAN ${held.label} was switched off meanwhile`)
      }
      return Pending.of(done(switched(held)))
    })
  }

  /** Goes back in, as after a start of the node; that others let it takes some seconds more. */
  switchOn(name: string): Pending<Switched> {
    return this.#with('living', name, (held) => {
      if (held.phase() === 'over') return Pending.of<Switched>(overHere(held))
      if (held.off) {
        this.#switch(held, false)
        this.#enter(held.kept)
      }
      return Pending.of(done(switched(held)))
    })
  }

  // Verbs: who may be in.

  /** As many invitations as persons, one for each. */
  invite(name: string, order: InviteOrder): Pending<Invited> {
    return this.#asIssuer(name, (tools) => invite(tools, order))
  }

  /** Puts a member out: nobody who heard of it seals anything for it any more. */
  evict(name: string, member: string, order: EvictOrder): Pending<Evicted> {
    return this.#asIssuer(name, (tools) => evict(tools, member, order))
  }

  /** Takes a Grant back: an invitation that is not to be redeemed. */
  revokeGrant(name: string, serial: string): Pending<GrantRevoked> {
    return this.#asIssuer(name, (tools) => Pending.of(revokeGrant(tools, serial)))
  }

  /** A new Grant for a member: to renew the one it has, or to make it an admin. */
  certify(name: string, member: string, order: CertifyOrder): Pending<Certified> {
    return this.#asIssuer(name, (tools) => Pending.of(certify(tools, member, order)))
  }

  // Verbs: what is.

  list(): Pending<{ readonly vlans: readonly VlanRow[] }> {
    return Pending.of(done({ vlans: this.#shelf.held.map(rowOf) }))
  }

  /** For what only somebody in a VLAN can do, at this machine. */
  which(name: string): Outcome<VlanRow> {
    const found = resolveVlan(this.#shelf.held, name, 'in')
    return found.ok ? done(rowOf(found.value)) : found
  }

  show(name: string): Pending<VlanDetails> {
    return this.#with('living', name, (held) => Pending.of(done(vlanDetails(held))))
  }

  members(
    name: string,
  ): Pending<{ readonly label: string; readonly epoch: number; readonly members: readonly MemberRow[] }> {
    return this.#with('in', name, (held) => {
      const placeOf = (mac: Mac): Place => this.#node.placeOf?.(held.kept.port, mac) ?? 'unknown'
      const members = memberRows(held, this.#node.now(), placeOf)
      return Pending.of(done({ label: held.label, epoch: held.view()?.epoch ?? -1, members }))
    })
  }

  grants(name: string): Pending<Granted> {
    return this.#with('in', name, (held) => {
      const grants = grantRows(held, this.#node.wallMillis())
      return Pending.of(done({ label: held.label, over: held.kept.over, grants }))
    })
  }

  // Within.

  #with<T>(prefers: Preference, name: string, verb: (held: HeldVlan) => Pending<T>): Pending<T> {
    const found = resolveVlan(this.#shelf.held, name, prefers)
    return found.ok ? verb(found.value) : Pending.of<T>(found)
  }

  #asIssuer<T>(name: string, verb: (tools: Tools) => Pending<T>): Pending<T> {
    const asIssuer = (held: HeldVlan): Pending<T> => {
      const out = notIn(held)
      if (out !== undefined) return Pending.of<T>(out)
      if (this.#node.wallMillis() === 0) return Pending.of<T>(clockNotSet())
      const issuer = held.issuer()
      const unkept = issuer && this.#shelf.whyUnkept()
      if (unkept !== undefined) return Pending.of<T>(unkept)
      if (issuer !== undefined) return verb({ node: this.#node, waits: this.#waits, held, issuer })
      const message = `this node is neither the authority of ${held.label} nor an admin; ask one of them`
      return Pending.of<T>(refused(REFUSAL.notAuthorised, message))
    }
    return this.#with('in', name, asIssuer)
  }

  #joinAgain(held: HeldVlan, within: Micros): Pending<Entered> {
    const full = this.#waits.full()
    if (full !== undefined) return Pending.of<Entered>(full)
    if (held.isAsking()) return this.#untilLetIn(held, within)
    const mend = held.phase() === 'over' ? 'remove it first' : 'there is nothing to do'
    return Pending.of<Entered>(
      refused(REFUSAL.alreadyHere, `this node has VLAN ${held.label} already; ${mend}`),
    )
  }

  #untilLetIn(held: HeldVlan, within: Micros): Pending<Entered> {
    const before = held.view()?.counters ?? {}
    return this.#untilIn(held, within, 'joined', () => notLetIn(held, before, within))
  }

  /** Turned away for good: what would be left could only be removed. */
  #turnedAway<T>(held: HeldVlan, why: string, pending: Pending<T>): void {
    if (pending.outcome !== undefined || !held.isAsking()) return
    // Before it is forgotten, which a full disk prevents: it is so all the same.
    pending.settle(turnedAway(held.label, why))
    this.#giveUpAsking(held)
  }

  /** The same once the core has drawn that conclusion itself, if it was not removed meanwhile. */
  #dropDead(held: HeldVlan): void {
    if (this.#shelf.held.includes(held)) this.#giveUpAsking(held)
  }

  /** Until the group is there and the port can be used. */
  #untilIn(
    held: HeldVlan,
    within: Micros,
    sign: 'founded' | 'joined',
    late: () => Refused,
  ): Pending<Entered> {
    const began = this.#node.now()
    const { port, vlan } = held.kept
    const parts = new Set<string>()
    const refusing = new Set<string>()
    const pending: Pending<Entered> = this.#waits.for<Entered>({
      port,
      within,
      late,
      hear: (event) => {
        if (event.kind === 'group' && event.event.kind === 'turnedAway' && isFinal(event.event.why)) {
          const { by, why } = event.event
          refusing.add(by)
          const after = refusing.size > 1 ? THIRD_OPINION : SECOND_OPINION
          this.#node.after(after, () => this.#turnedAway(held, why, pending))
          return 'part'
        }
        if (event.kind === 'group' && event.event.kind === 'ended') {
          const { why } = event.event
          if (!held.neverIn()) return refused(REFUSAL.over, ownMemberOut(held.label, why))
          this.#node.after(0, () => this.#dropDead(held))
          return turnedAway(held.label, why)
        }
        const part = event.kind === 'group' ? event.event.kind : event.kind
        if (part !== sign && part !== 'portUp') return undefined
        if (parts.add(part).size < 2) return 'part'
        const view = held.view()
        return done({
          vlan,
          label: held.label,
          member: held.self,
          port,
          mac: macWritten(view?.mac),
          members: view?.members.length ?? 0,
          seconds: (this.#node.now() - began) / SECOND,
        })
      },
    })
    return pending
  }

  #enter(kept: KeptVlan): void {
    const { port, entered } = kept
    const identity = { ...kept.identity, macNonce: macNonceOf(this.#node.crypto, kept.identity) }
    const stored = this.#node.stored(port)
    const entrance =
      stored.head !== undefined
        ? ({ kind: 'restore', stored } as const)
        : entered === 'founded'
          ? ({ kind: 'found' } as const)
          : ({ kind: 'join', mayFound: false } as const)
    this.#node.command({ kind: 'enter', port, identity, entrance })
  }

  /** The book without it comes first: what follows is made up for at the next start, if this was the last. */
  #forget(held: HeldVlan): void {
    this.#shelf.strike(held, false)
    this.#close(held)
  }

  /** Forgets all but the key: with another one the invitation may be spent. */
  #giveUpAsking(held: HeldVlan): void {
    this.#shelf.strike(held, true)
    this.#close(held)
  }

  #switch(held: HeldVlan, off: boolean): void {
    const { off: before, ...kept } = held.kept
    held.kept = off ? { ...kept, off } : kept
    try {
      this.#shelf.save()
    } catch (error) {
      held.kept = before === undefined ? kept : { ...kept, off: before }
      throw error
    }
  }

  #close(held: HeldVlan): void {
    const { port, identity } = held.kept
    this.#shut(held, `VLAN ${held.label} was removed from this node meanwhile`)
    this.#node.erase(port)
    identity.memberSeed.fill(0)
  }

  #shut(held: HeldVlan, why: string): void {
    const { port } = held.kept
    // One that was over or off at the start was not entered.
    if (held.view() !== undefined) this.#node.command({ kind: 'closePort', port })
    this.#waits.stop(why, port)
  }

  #full(): Refused | undefined {
    if (this.#shelf.held.length < VLANS_MAX) return this.#waits.full()
    return refused(REFUSAL.tooMany, `this node has ${VLANS_MAX} VLANs, the most there may be; remove one`)
  }

  /** Whoever founds may choose; who is invited takes the label as it is, and names the VLAN by digits. */
  #isTaken(label: string): Refused | undefined {
    const taken = this.#shelf.held.find((held) => held.label === label)
    if (taken === undefined) return undefined
    const which = short(taken.kept.vlan)
    return refused(
      REFUSAL.labelTaken,
      `this node has a VLAN '${label}' (${which}) already; choose another label, or remove that one first`,
    )
  }

  #isOver({ grant, label }: Invitation): Refused | undefined {
    const now = this.#node.wallMillis()
    if (now === 0 || now < grant.end) return undefined
    const ended = new Date(grant.end).toISOString()
    return refused(
      REFUSAL.invitationOver,
      `the invitation to ${label} was good until ${ended}; ask for a new one`,
    )
  }
}

function rowOf(held: HeldVlan): VlanRow {
  const view = held.view()
  const issuer = held.issuer()
  return {
    vlan: held.kept.vlan,
    label: held.label,
    phase: held.phase(),
    asking: held.isAsking(),
    role: issuer === undefined ? 'member' : issuer.kind,
    epoch: view?.epoch ?? -1,
    members: view?.members.length ?? 0,
    mac: macWritten(view?.mac),
    port: held.kept.port,
    over: held.kept.over,
    off: held.off,
  }
}

function notIn(held: HeldVlan): Refused | undefined {
  const phase = held.phase()
  if (phase === 'member') return undefined
  if (phase === 'over') return overHere(held)
  if (held.off) return switchedOff(held)
  const message = held.isAsking()
    ? `this node still asks to be let in to ${held.label}; wait until it is in, or leave to give that up`
    : `this node is on its way back into ${held.label}; ask again in a moment`
  return refused(REFUSAL.notInYet, message)
}

/** Whether what it asks with can lead in no more. */
function invitationEnded(held: HeldVlan, wallMillis: number): boolean {
  const { serial } = held.kept.identity
  const grant = held.grants().find(({ id }) => sameBytes(id, serial))
  return grant !== undefined && wallMillis >= grant.end
}

function asksWithAnother(held: HeldVlan): Refused {
  const { label, kept } = held
  const which = `with invitation ${short(hex(kept.identity.serial))}`
  const mend = `"vlan leave ${short(kept.vlan)}" gives that up, and then this one can be joined with`
  return refused(REFUSAL.asksAlready, `this node asks to be let in to ${label} already, ${which}; ${mend}`)
}

/** The others know that it left; the keys could not be removed from here. */
function leftAndKept({ label, kept }: HeldVlan, { message }: Refused): Refused {
  const mend = `"vlan remove ${short(kept.vlan)}" forgets its keys then`
  return refused(REFUSAL.notNow, `this node left ${label}, whose keys are still kept: ${message}; ${mend}`)
}

function overHere(held: HeldVlan): Refused {
  return refused(REFUSAL.over, ownMemberOut(held.label, held.kept.over))
}

function switchedOff({ label }: HeldVlan): Refused {
  return refused(REFUSAL.off, `${label} is switched off at this node; switch it on first`)
}

function switched({ kept: { vlan }, label, off }: HeldVlan): Switched {
  return { vlan, label, off }
}

/** Of one that is still there. */
function gone(held: HeldVlan, seconds = 0): Gone {
  return { vlan: held.kept.vlan, label: held.label, asked: held.isAsking(), seconds }
}

/** What goes with the keys of the authority, which the node that founded has. */
function authorityHere(held: HeldVlan): Refused {
  const { label } = held
  const others = (held.view()?.members.length ?? 1) - 1
  const lost =
    others === 0
      ? `${label} has no other member, and ends`
      : 'nobody can make admins or put them out any more; where there are none, nobody is let in or put out'
  const mend = 'make a backup, or an admin by "vlan admin", before; --yes leaves all the same'
  const message = `the authority's keys of ${label} are here alone, and would be forgotten: ${lost}; ${mend}`
  return refused(REFUSAL.authorityHere, message)
}

function clockNotSet(): Refused {
  return refused(REFUSAL.clockNotSet, 'the clock is not set, and grants have an end; set the clock')
}
