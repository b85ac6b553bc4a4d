/**
 * The way of an own commit from the engine to the others: made, put into bytes, stored with its Welcome, and
 * only then sent and adopted (sec:B8, M13). Welcomes leave when their epoch is sure (sec:S1).
 */
import { hex, sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { ADDS_MAX } from '../ledger/commit-data.ts'
import type { CandidateFacts, MlsOutcome } from '../mls/engine.ts'
import { MLS_REFUSAL } from '../mls/refusal.ts'
import { adoptChild } from './branches.ts'
import { childOf, type Epoch, type NewEpoch } from './epoch.ts'
import { forkOf, isDecided } from './evidence.ts'
import {
  ADDS_MORE,
  COMMIT_COST_PER_ADD,
  HANDSHAKE_BYTES_MAX,
  RESEND_AFTER,
  WELCOME_AFTER,
  WELCOME_AFTER_RIVALS,
  WELCOME_LIFE,
} from './limits.ts'
import { encodeHandshake, encodeWelcome, sendWelcome } from './messages.ts'
import { certifying } from './offers.ts'
import { encodeNext, type NextRecord } from './record.ts'
import { wouldLead } from './rivals.ts'
import { sayCommit, timeToSay } from './say.ts'
import type { GroupState, HeldWelcome, Rival } from './state.ts'
import type { Task } from './tasks.ts'
import { acksOf, wayTo } from './way.ts'

type CommitTask = Extract<Task, { kind: 'commit' }>
type EncodeTask = Extract<Task, { kind: 'encodeNext' }>

/** The engine made it: the next step is to have its state in bytes. Undefined if nothing came of it. */
export function madeCommit(group: GroupState, task: CommitTask, outcome: MlsOutcome): EncodeTask | undefined {
  const { counts, crypto } = group.ports
  const parent = group.line[group.placeOf(task.parent)]
  if (!outcome.ok && outcome.why === MLS_REFUSAL.tooLarge && outcome.add === undefined) {
    tooLarge(group, task)
    return undefined
  }
  if (!outcome.ok || outcome.kind !== 'committed') {
    group.committedFor.delete(task.parent)
    const bad = outcome.ok || outcome.add === undefined ? undefined : task.members[outcome.add]
    if (bad !== undefined) group.offers.delete(bad)
    counts.add(bad === undefined ? 'jobFailed' : 'offerUnmade')
    return undefined
  }
  const { candidate, commit, welcome } = outcome
  const liar = parent === undefined ? undefined : falseOffer(group, task, candidate)
  const made =
    parent && liar === undefined
      ? childOf(crypto.hash, parent, candidate, { state: task.into, commitHash: group.hash32(commit) })
      : undefined
  if (made === undefined) {
    if (liar !== undefined) group.offers.delete(liar)
    counts.add(liar === undefined ? 'jobUnwanted' : 'offerUnmade')
    group.committedFor.delete(task.parent)
    group.drops.push(task.into)
    return undefined
  }
  counts.add('commitsMade')
  group.addsMax = Math.min(ADDS_MAX, group.addsMax + ADDS_MORE)
  const { members, removes } = task
  return { kind: 'encodeNext', parent: task.parent, made, commit, welcome, members, removes }
}

/**
 * It does not fit what can be said at once: fewer are added with the next try. One that cannot add fewer is
 * left to somebody else, whose path may be shorter.
 */
function tooLarge(group: GroupState, { parent, members }: Pick<CommitTask, 'parent' | 'members'>): void {
  group.ports.counts.add('commitTooLarge')
  if (members.length < 2) return
  group.addsMax = members.length >> 1
  group.committedFor.delete(parent)
}

/** Of whom an offer's KeyPackage did not say what the offer said; undefined if all did. */
function falseOffer(
  group: GroupState,
  { members }: CommitTask,
  { proposals }: CandidateFacts,
): string | undefined {
  const adds = proposals.filter(({ kind }) => kind === 'add')
  return members.find((name, index) => {
    const leaf = adds[index]?.leaf
    const offer = group.offers.get(name)?.offer
    if (leaf === undefined) return true
    // An offer that was replaced meanwhile was checked when it was taken for this commit's Add.
    return (
      hex(leaf.credential.subarray(0, 32)) !== name ||
      (offer !== undefined && !sameBytes(leaf.signatureKey, offer.leafKey))
    )
  })
}

/** The new state is in bytes: stores it with commit and Welcome. */
export function storeCommit(group: GroupState, task: EncodeTask, outcome: MlsOutcome): void {
  const { made } = task
  const parent = group.line[group.placeOf(task.parent)]
  if (!outcome.ok || outcome.kind !== 'encoded' || parent === undefined) {
    group.ports.counts.add(outcome.ok ? 'jobUnwanted' : 'jobFailed')
    forgetMade(group, made)
    group.committedFor.delete(task.parent)
    return
  }
  const rival = rivalOf(group, parent, task)
  if (rival.message.length > HANDSHAKE_BYTES_MAX) {
    forgetMade(group, made)
    tooLarge(group, task)
    return
  }
  const record: NextRecord = {
    parent: parent.mlsId,
    leafSeed: made.epoch.leafSeed,
    message: rival.message,
    state: outcome.stored,
    salts: made.epoch.salts,
    ...welcomeOf(group, task),
  }
  group.stores += 1
  group.storing = { rival, id: group.stores, record }
  group.out.store(group.stores, 'next', encodeNext(record))
}

function rivalOf(group: GroupState, parent: Epoch, { made, commit, removes }: EncodeTask): Rival {
  const { mlsId: child, name: childName, step } = made.epoch
  const proposals = step?.proposals ?? 0
  const message = encodeHandshake({
    kind: 'commit',
    child,
    committer: parent.ownLeaf,
    proposals,
    removes,
    commit,
  })
  const { key: committer } = group
  const hash = group.hash32(commit)
  const base = { parent: parent.name, child, childName, committer, proposals, removes, commit, hash, message }
  return { ...base, missing: [], verdict: 'open', made }
}

function welcomeOf(
  group: GroupState,
  { welcome, members }: EncodeTask,
): Pick<NextRecord, 'welcome' | 'routes'> {
  if (welcome === undefined) return { welcome: new Uint8Array(0), routes: [] }
  const routes: Uint8Array[] = []
  const facts: Uint8Array[] = []
  for (const name of members) {
    const pooled = group.offers.get(name)
    if (pooled === undefined) continue
    routes.push(pooled.offer.route)
    facts.push(...certifying(group, pooled))
  }
  const charter = group.ledger.charter()
  if (charter !== undefined) facts.unshift(charter.bytes)
  return { welcome: encodeWelcome({ facts, welcome }), routes }
}

/** The store answered: from now on the commit is the one for its parent, if it is still wanted. */
export function storedCommit(group: GroupState, now: Micros, ok: boolean): void {
  const { storing } = group
  if (storing === undefined) return
  group.storing = undefined
  if (!ok) {
    group.ports.counts.add('storeFailed')
    group.committedFor.delete(storing.rival.parent)
    if (storing.rival.made !== undefined) forgetMade(group, storing.rival.made)
    return
  }
  publish(group, now, storing.rival, storing.record)
}

/** Sends an own stored commit and goes that way, unless others went a better one meanwhile. */
export function publish(group: GroupState, now: Micros, rival: Rival, record: NextRecord): void {
  const parent = group.line[group.placeOf(rival.parent)]
  const { made } = rival
  if (made === undefined) return
  if (parent === undefined || !wouldLead(group, rival)) {
    group.ports.counts.add('jobUnwanted')
    forgetMade(group, made)
    return
  }
  const rivals = group.rivals.get(parent.name) ?? []
  rivals.push(rival)
  group.rivals.set(parent.name, rivals)
  if (sayCommit(group, parent, rival)) group.ports.counts.add('commitsSent')
  const at = now + (RESEND_AFTER[0] as Micros) + timeToHear(group, rival)
  group.resend = { rival, at, turn: 0 }
  group.wakeBy(at)
  for (const route of record.routes) group.out.expectWelcome(route)
  if (record.routes.length > 0) {
    const { parent: parentName, childName: child } = rival
    group.welcomes.push({
      parent: parentName,
      child,
      routes: record.routes,
      message: record.welcome,
      since: now,
      seen: { rivals: 0, acks: 0, ours: 0, since: now },
    })
  }
  if (group.head === parent) adoptChild(group, now, rival, made)
}

function forgetMade(group: GroupState, { facts, epoch }: NewEpoch): void {
  facts.exporterSecret.fill(0)
  group.drops.push(epoch.state)
}

/** What of own commits is to be sent again, and which Welcomes may leave; answers when to look again. */
export function publishingDue(group: GroupState, now: Micros): Micros {
  return Math.min(resendDue(group, now), welcomesDue(group, now))
}

/** Until another witness shows that it arrived, or the parent can be sealed under no more. */
function resendDue(group: GroupState, now: Micros): Micros {
  const { resend } = group
  if (resend === undefined) return NEVER
  const parent = group.line[group.placeOf(resend.rival.parent)]
  const isHeard = (): boolean => {
    for (const { ack } of (parent && forkOf(group, parent).acks.values()) ?? [])
      if (hex(ack.witness) !== group.keyName && sameBytes(ack.child, resend.rival.child)) return true
    return false
  }
  if (parent === undefined || group.placeOf(resend.rival.childName) < 0 || isHeard()) {
    group.resend = undefined
    return NEVER
  }
  if (resend.at > now) return resend.at
  if (sayCommit(group, parent, resend.rival)) group.ports.counts.add('commitsResent')
  resend.turn += 1
  const wait = RESEND_AFTER[resend.turn]
  if (wait === undefined) group.resend = undefined
  else resend.at = now + wait + timeToHear(group, resend.rival)
  return group.resend?.at ?? NEVER
}

/** How long its packets take to leave, and those who hear it to go through it. */
function timeToHear(group: GroupState, { message, proposals }: Rival): Micros {
  return timeToSay(group, message.length) + COMMIT_COST_PER_ADD * proposals
}

function welcomesDue(group: GroupState, now: Micros): Micros {
  let next = NEVER
  const held: HeldWelcome[] = []
  for (const welcome of group.welcomes) {
    const at = welcomeDue(group, now, welcome)
    if (at === NEVER) continue
    held.push(welcome)
    next = Math.min(next, at)
  }
  group.welcomes = held
  return next
}

/** Whether nothing was said for another child of the parent, or nothing more for a while. */
function isQuiet(group: GroupState, now: Micros, welcome: HeldWelcome, parent: Epoch, child: Epoch): boolean {
  const fork = forkOf(group, parent)
  const rivals = (group.rivals.get(parent.name) ?? []).filter(
    ({ childName, verdict }) => childName !== child.name && verdict !== 'failed',
  ).length
  const acks = fork.acks.size
  const ours = acksOf(group, fork, child.mlsId)
  const { seen } = welcome
  if (rivals !== seen.rivals || acks !== seen.acks || ours !== seen.ours)
    welcome.seen = { rivals, acks, ours, since: now }
  if (rivals === 0) return welcome.since + WELCOME_AFTER <= now
  return welcome.seen.since + WELCOME_AFTER_RIVALS <= now
}

/** When to look at it again; NEVER if it is done with. */
function welcomeDue(group: GroupState, now: Micros, welcome: HeldWelcome): Micros {
  if (welcome.since + WELCOME_LIFE <= now) return NEVER
  const place = group.placeOf(welcome.parent)
  const parent = group.line[place]
  const child = group.line[place + 1]
  const isOurs = group.lineage.includes(welcome.child)
  if (parent === undefined || child === undefined) {
    // The parent's state is gone: the child was settled, or is lost for good.
    if (!isOurs) return NEVER
  } else {
    if (child.name !== welcome.child) return now + WELCOME_AFTER
    if (!isQuiet(group, now, welcome, parent, child) && !isDecided(group, now, parent, child))
      return now + WELCOME_AFTER / 4
  }
  const message = sendWelcome(wayTo(group, welcome.child), welcome.message)
  for (const route of welcome.routes) group.out.welcome(route, message)
  group.ports.counts.add('welcomesSent', welcome.routes.length)
  return NEVER
}
