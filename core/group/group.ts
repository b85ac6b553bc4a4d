/**
 * The logic of one membership's MLS group, with no server (sec:B): who is in it by the facts of a ledger,
 * which commit to follow, whose turn it is to make one, what may be said under which epoch, how branches
 * find together again. It knows facts, rosters, acks and times; it knows nothing of links, tokens, frames
 * and keys that seal them, and of MLS nothing but jobs and outcomes (core/mls/engine.ts).
 *
 * A pure machine. To drive it: call one input, `drain`, then read `nextDeadline`. Inputs that carry bytes
 * lend them until then. Its parts, each functions over `state.ts`:
 *
 *     jobs        which job is next                     following   commits of others
 *     branches    the line of epochs, adopting, states  rivals      which of several (B6)
 *     commits     own commits: when and what            publishing  stored, sent, Welcomes (B8)
 *     entry       getting in                            offers      those who want in
 *     facts       gossip of the ledger                  refused     who is out (B9)
 *     doors       door sessions                         forks       which branch folds (B11)
 *     evidence    acks                                  presence    who is there
 *
 * What it needs of its surroundings, beside the effects (effects.ts): a sealing layer that opens channel
 * packets, verifies who sent them, keeps those of an unknown epoch for 2 s and says when that was in vain
 * (`foreign`); cards (`heard`); an engine; three slots of storage; and a door (DoorPort below).
 */
import { UsageError } from '../errors.ts'
import { hex, sameBytes, unhex } from '../ids.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'
import { makeLeave } from '../ledger/issue.ts'
import type { Expectation } from '../ledger/joining.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Lineage } from '../ledger/standing.ts'
import type { MlsGroup, MlsOutcome } from '../mls/engine.ts'
import { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import { letGoSettled } from './branches.ts'
import {
  doorClosed,
  doorMessage,
  doorOpened,
  doorsDue,
  foreign,
  lookSoon,
  onFoldOffers,
  postponeMeeting,
  sayOffers,
} from './doors.ts'
import type { ChannelKind, GroupEffects, Purpose } from './effects.ts'
import { cancelEntry, entryDue, foundLater, offer, startEntry, takeWelcome } from './entry.ts'
import type { Epoch } from './epoch.ts'
import type { Stored } from './events.ts'
import { forkOf, takeAck } from './evidence.ts'
import { factsDue, onLedger, passOn, spread, takeFacts } from './facts.ts'
import { followLog, noteChild, onCommit, onWant, repairsDue, unseenDue } from './following.ts'
import { onFold, onWitnessed } from './forks.ts'
import { finish, pump } from './jobs.ts'
import { decodeHandshake } from './messages.ts'
import { takeOffer } from './offers.ts'
import { hear, keepers } from './presence.ts'
import { publishingDue, storedCommit } from './publishing.ts'
import { decodeHead, decodeLedger, decodeNext, encodeLedger } from './record.ts'
import { turnedAway } from './refused.ts'
import { senderAt } from './say.ts'
import { type GroupPorts, GroupState, type OwnMember } from './state.ts'
import { updateSoon } from './updates.ts'

/** Who was restored or slept makes no commit for so long, unless it hears before that it is not behind. */
const CAUTIOUS: Micros = 60 * SECOND
/** What acks of before a crash may have counted beyond what was stored. Guess: one ack for each epoch. */
const ACKS_UNSTORED = 1_024
/** Entries of the set of events that were told once. */
const TOLD_MAX = 4_096

/**
 * What a door is to the group: where members of different epochs meet (sec:C4). The group asks with the
 * effect `knock`; the door proves who is at the other side, delivers in order, and tells the end.
 *
 * - `join`, `rejoin`: answered by any members (with `head`: of that branch, if they are there).
 * - `catchUp`: answered by any members, with `head` by those that are in another epoch.
 * - `merge`: answered by members that `knows(head)`, and by no others: the request names it. It may be some
 *   epochs old by then, so the adopted one alone would not do.
 *
 * A door gives a `route` at its start and whenever it changes: at most 64 bytes by which any member's door
 * can bring a Welcome here.
 */
export interface DoorPort {
  route(now: Micros, route: Uint8Array): void
  doorOpened(now: Micros, session: number, peer: Uint8Array, purpose: Purpose, isInitiator: boolean): void
  doorMessage(now: Micros, session: number, message: Uint8Array): void
  doorClosed(now: Micros, session: number): void
  /** A door at which this member asked to be let in did not open, for a reason of core/door/refusals.ts. */
  turnedAway(now: Micros, by: Uint8Array, why: string): void
  welcome(now: Micros, message: Uint8Array): void
}

export interface GroupOptions {
  readonly ports: GroupPorts
  /** Shared with the door; facts are added through this machine alone. */
  readonly ledger: Ledger
  readonly own: OwnMember
  readonly mlsGroup: MlsGroup
  /** From the invitation. */
  readonly expected?: Expectation
}

export type GroupCommand =
  /** Founds a lineage now; the ledger must have the Charter and this member's Grant. */
  | { readonly kind: 'found' }
  /** Asks to be let in. `mayFound`: founds a lineage when no door answers for 60 s (sec:C7). */
  | { readonly kind: 'join'; readonly mayFound: boolean }
  /** Facts made or learnt here. */
  | { readonly kind: 'facts'; readonly facts: readonly Uint8Array[] }
  /** A key update, before the next one would be due. */
  | { readonly kind: 'update' }
  /** Says goodbye: for good, as far as this member key goes. */
  | { readonly kind: 'leave' }
  /** Goes on from what was stored. The first command, or none. */
  | { readonly kind: 'restore'; readonly stored: Stored }

export interface GroupMember {
  readonly leaf: number
  readonly memberKey: Uint8Array
  /** Wall time of its join in milliseconds, made to rise. */
  readonly joinNumber: number
  /** Undefined for this member itself, and for one that was not heard yet. */
  readonly heardAt: Micros | undefined
}

export interface GroupView {
  readonly phase: string
  readonly mlsId: string | undefined
  readonly epoch: number
  readonly members: number
  /** Kept states, the head's among them. */
  readonly kept: number
  readonly frozen: boolean
  readonly offers: number
  readonly sessions: number
  readonly facts: number
  readonly salt: string | undefined
}

export class Group implements DoorPort {
  readonly #state: GroupState

  constructor({ ports, ledger, own, mlsGroup, expected }: GroupOptions) {
    const reached = { floor: { authority: 0, issuer: 0 }, issuer: undefined }
    this.#state = new GroupState(ports, ledger, own, mlsGroup, expected ?? reached)
  }

  // Inputs from the channel.

  /**
   * A channel packet that was opened and whose signature is good. `isToAll`: many others hear it too, so it
   * is enough if few of them answer.
   */
  channelPacket(
    now: Micros,
    mlsId: Uint8Array,
    senderLeaf: number,
    kind: ChannelKind,
    payload: Uint8Array,
    isToAll: boolean,
  ): void {
    const group = this.#state
    const epoch = group.known(mlsId)
    if (epoch === undefined || group.phase !== 'member') {
      group.ports.counts.add('unknownEpoch')
      return
    }
    const sender = senderAt(group, epoch, senderLeaf)
    if (sender === undefined) return
    hear(group, now, sender)
    if (kind === PAYLOAD_KIND.ledger) onLedger(group, now, epoch.mlsId, sender, payload, isToAll)
    else this.#handshake(now, epoch, sender, payload, isToAll)
    this.#settle(now)
  }

  /** A verified card, or other proof of life, of a member: under which epoch, and which one it adopted. */
  heard(now: Micros, memberKey: Uint8Array, under: Uint8Array, head: Uint8Array): void {
    const group = this.#state
    if (group.isRefused(hex(memberKey))) {
      group.ports.counts.add('senderRefused')
      return
    }
    hear(group, now, memberKey)
    const own = group.head
    if (own === undefined || !sameBytes(under, own.mlsId)) return
    if (!sameBytes(head, own.mlsId)) noteChild(group, now, own, head, memberKey)
    else if (group.cautiousUntil > now && 2 * group.heard.size >= own.roster.size - 1) {
      // One or a few may have been away as well: what most show is no epoch that was left.
      group.cautiousUntil = now
    } else return
    this.#settle(now)
  }

  /** Packets under this MLS-ID were held in vain: nobody here has that epoch. */
  foreign(now: Micros, mlsId: Uint8Array): void {
    foreign(this.#state, now, mlsId)
    this.#settle(now)
  }

  /** Others can be reached, for the first time or again: whoever may be behind asks those who are not. */
  present(now: Micros): void {
    const { phase, head, cautiousUntil, out } = this.#state
    if (phase === 'member' && head !== undefined && now < cautiousUntil) out.knock('catchUp', head.mlsId)
  }

  /** Parts of the mesh came together: another branch may be within reach, and a few look for it. */
  met(now: Micros): void {
    lookSoon(this.#state, now)
  }

  /** The machine slept, and the others may have gone on: this member makes no commit before it knows. */
  resumed(now: Micros): void {
    const group = this.#state
    // Whoever is alone has nobody to hear of.
    if (group.phase !== 'member' || group.head?.roster.size === 1) return
    group.cautiousUntil = now + CAUTIOUS
    group.turnedAwayBy.clear()
    // Whom it heard before it slept says nothing of who is there now.
    group.heard.clear()
    group.newSince = now
    this.#settle(now)
  }

  // Inputs from the door.

  route(now: Micros, route: Uint8Array): void {
    this.#state.route = route.slice()
    this.#settle(now)
  }

  doorOpened(now: Micros, session: number, peer: Uint8Array, purpose: Purpose, isInitiator: boolean): void {
    doorOpened(this.#state, now, session, peer, purpose, isInitiator)
    this.#settle(now)
  }

  doorMessage(now: Micros, session: number, message: Uint8Array): void {
    doorMessage(this.#state, now, session, message)
    this.#settle(now)
  }

  doorClosed(now: Micros, session: number): void {
    doorClosed(this.#state, session)
    this.#settle(now)
  }

  turnedAway(now: Micros, by: Uint8Array, why: string): void {
    turnedAway(this.#state, now, by, why)
    this.#settle(now)
  }

  welcome(now: Micros, message: Uint8Array): void {
    takeWelcome(this.#state, now, message)
    this.#settle(now)
  }

  // Inputs from this machine.

  jobDone(now: Micros, job: number, outcome: MlsOutcome): void {
    const group = this.#state
    if (group.task === undefined || job !== group.jobs) {
      group.ports.counts.add('jobUnwanted')
      return
    }
    finish(group, now, outcome)
    offer(group)
    this.#settle(now)
  }

  stored(now: Micros, id: number, ok: boolean): void {
    const group = this.#state
    if (group.storing?.id === id) storedCommit(group, now, ok)
    else if (group.headStore?.id === id) {
      if (ok) group.storedHead = group.headStore.name
      else group.ports.counts.add('storeFailed')
      group.headStore = undefined
    }
    this.#settle(now)
  }

  /** A UsageError for what cannot be done from where the group is. */
  command(now: Micros, command: GroupCommand): void {
    const group = this.#state
    switch (command.kind) {
      case 'facts':
        spread(group, now, takeFacts(group, now, command.facts))
        break
      case 'found':
        this.#mustBeOutside(command.kind)
        if (group.terms() === undefined)
          throw new UsageError('the ledger has no Charter; add it before founding')
        group.isFounding = true
        break
      case 'join':
        this.#mustBeOutside(command.kind)
        startEntry(group, now, 'join')
        if (command.mayFound) foundLater(group, now)
        break
      case 'restore':
        this.#mustBeOutside(command.kind)
        this.#restore(now, command.stored)
        break
      case 'update':
        updateSoon(group, now)
        break
      case 'leave': {
        if (group.phase === 'over') throw new UsageError('this member is out already')
        const { vlan } = group.ledger
        const leave = makeLeave(group.ports.crypto, vlan, group.serial, group.seed)
        spread(group, now, takeFacts(group, now, [leave.bytes]))
        break
      }
    }
    this.#settle(now)
  }

  /** Ends at once and without a word; what engines hold is dropped by a last job. */
  close(now: Micros): void {
    if (this.#state.phase !== 'over') this.#end()
    this.#settle(now)
  }

  wake(now: Micros): void {
    const group = this.#state
    group.deadline = NEVER
    this.#settle(now)
    letGoSettled(group, now)
    const due = [publishingDue, unseenDue, repairsDue, factsDue, entryDue, doorsDue, storeLedgerDue]
    for (const each of due) group.wakeBy(each(group, now))
    if (group.endAt <= now) this.#end()
    else group.wakeBy(group.endAt)
    for (const at of [group.refreshAt, group.updateAt, group.meetAt]) if (at > now) group.wakeBy(at)
    this.#settle(now)
  }

  // Outputs.

  drain(effects: GroupEffects): void {
    this.#state.out.drain(effects)
  }

  nextDeadline(): Micros {
    return this.#state.deadline
  }

  /** Whether the epoch is one of the own line, as far as that is remembered: what a `merge` asks for. */
  knows(mlsId: Uint8Array): boolean {
    return this.#state.lineage.includes(hex(mlsId))
  }

  // What a door must know.

  /** MLS-ID of the adopted epoch. */
  head(): Uint8Array | undefined {
    return this.#state.head?.mlsId
  }

  /** Whether others may be let in here: not while this member asks itself, or may have missed epochs. */
  mayLetIn(now: Micros): boolean {
    const { entry, cautiousUntil } = this.#state
    return entry === undefined && now >= cautiousUntil
  }

  /** Whether this member has the commits that lead on from an epoch: it was there. */
  leadsOn(mlsId: Uint8Array): boolean {
    return this.#state.log.some(({ parent }) => sameBytes(parent, mlsId))
  }

  /** Who was added when in the adopted line (sec:C5). */
  lineage(): Lineage {
    return this.#state.spent
  }

  /** MLS-IDs of the adopted line, the newest first. */
  lineageIds(): readonly Uint8Array[] {
    return this.#state.lineage.toReversed().map(unhex)
  }

  /** Member keys of those that keep the door now (presence.ts). */
  keepers(now: Micros): readonly Uint8Array[] {
    return keepers(this.#state, now).map(unhex)
  }

  /** A fact that somebody showed outside the channel; new ones are passed on. */
  learn(now: Micros, fact: Uint8Array): 'added' | 'known' {
    const added = takeFacts(this.#state, now, [fact])
    passOn(this.#state, now, added)
    this.#settle(now)
    return added.length > 0 ? 'added' : 'known'
  }

  /** Members of the adopted epoch by leaf, and when each was last heard. */
  members(): readonly GroupMember[] {
    const { head, heard } = this.#state
    return [...(head?.roster ?? [])].map(([leaf, { identity }]) => {
      const { memberKey, joinNumber } = identity
      return { leaf, memberKey, joinNumber, heardAt: heard.get(hex(memberKey)) }
    })
  }

  view(): GroupView {
    const { phase, head, line, offers, sessions, ledger } = this.#state
    return {
      phase,
      mlsId: head?.name,
      epoch: head?.number ?? -1,
      members: head?.roster.size ?? 0,
      kept: line.length,
      frozen: head !== undefined && this.#state.isDirty(head),
      offers: offers.size,
      sessions: sessions.size,
      facts: ledger.size,
      salt: head && hex(head.salts.current),
    }
  }

  // Within.

  #handshake(now: Micros, under: Epoch, sender: Uint8Array, payload: Uint8Array, isToAll: boolean): void {
    const group = this.#state
    const said = decodeHandshake(payload)
    if (said === undefined) {
      group.ports.counts.add('malformed')
      return
    }
    switch (said.kind) {
      case 'commit':
        onCommit(group, now, under, sender, said, payload)
        return
      case 'ack':
        this.#ack(now, under, sender, said.ack)
        return
      case 'want':
        onWant(group, now, under, sender, said.children, isToAll)
        return
      case 'offers':
        takeFacts(group, now, said.facts)
        for (const each of said.offers) takeOffer(group, now, each)
        postponeMeeting(group, now)
        return
      case 'foldOffers':
        onFoldOffers(group, now, said.offers)
        return
      case 'fold':
        postponeMeeting(group, now)
        onFold(group, now, under, sender, said)
        return
      case 'witnessed':
        onWitnessed(group, now, said)
        return
    }
  }

  #ack(now: Micros, under: Epoch, sender: Uint8Array, bytes: Uint8Array): void {
    const group = this.#state
    const ack = takeAck(group, forkOf(group, under), hex(sender), bytes)
    if (ack === undefined) return
    noteChild(group, now, under, ack.child, sender)
    letGoSettled(group, now)
    if (group.welcomes.length > 0) group.wakeBy(now)
  }

  /** What every input ends with: what can be done now is done, what is due later is noted. */
  #settle(now: Micros): void {
    const group = this.#state
    followLog(group, now)
    if (group.sponsored.size > 0) sayOffers(group, now)
    pump(group, now)
    if (group.twice.size > TOLD_MAX) group.twice.clear()
  }

  #mustBeOutside(what: string): void {
    const { phase, entry, task } = this.#state
    if (phase === 'outside' && entry === undefined && task === undefined) return
    throw new UsageError(`'${what}' in phase '${phase}'; it is for a group that is not in an epoch yet`)
  }

  #restore(now: Micros, { head, next, ledger }: Stored): void {
    const group = this.#state
    if (ledger !== undefined) takeFacts(group, now, decodeLedger(ledger))
    const record = head && decodeHead(head)
    if (record === undefined) throw new UsageError('no stored head that can be read; join instead')
    group.ackCounter = record.ackCounter + ACKS_UNSTORED
    group.joinNumber = record.joinNumber
    group.restoring = { head: record, next: next && decodeNext(next), isHeadThere: false }
    group.cautiousUntil = now + CAUTIOUS
    group.out.knock('catchUp', undefined)
  }

  #end(): void {
    const group = this.#state
    group.phase = 'over'
    group.endAt = NEVER
    cancelEntry(group)
    for (const { state } of group.line) group.drops.push(state)
    for (const session of group.sessions.keys()) group.out.doorClose(session)
    group.sessions.clear()
    group.line = []
    group.out.end()
  }
}

function storeLedgerDue(group: GroupState, now: Micros): Micros {
  if (group.ledgerStoreAt > now) return group.ledgerStoreAt
  group.ledgerStoreAt = NEVER
  group.stores += 1
  group.out.store(group.stores, 'ledger', encodeLedger(group.ledger.facts()))
  return NEVER
}
