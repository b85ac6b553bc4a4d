/**
 * Which job is next, and where its outcome goes. One is in flight at a time, so the order here is what is
 * urgent: to be in the epoch where the others are comes before what this member has to add.
 */
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { makeCredential } from '../ledger/certificate.ts'
import type { MlsJob, MlsOutcome } from '../mls/engine.ts'
import { beginLine } from './branches.ts'
import { planCommit } from './commits.ts'
import { joined, judgeJoined, madeKeyPackage, planJoin, planKeyPackage, stuck } from './entry.ts'
import { epochOfRoster, firstSalts, WISHES } from './epoch.ts'
import { planProcess, processed } from './following.ts'
import { CAUTIOUS_ALONE, LIVE_AGAIN_WITHIN } from './limits.ts'
import { decodeHandshake } from './messages.ts'
import { madeCommit, publish, storeCommit } from './publishing.ts'
import { encodeHead } from './record.ts'
import type { GroupState, Rival } from './state.ts'
import type { Task } from './tasks.ts'
import { wholeWay } from './way.ts'

/** So many states wait to be dropped before that comes first: engines hold sixteen. */
const DROPS_URGENT = 4

interface Planned {
  readonly job: MlsJob
  readonly task: Task
}

/** Starts the next job, if none is in flight and there is one. */
export function pump(group: GroupState, now: Micros): void {
  if (group.task !== undefined) return
  judgeJoined(group, now)
  const planned = plan(group, now)
  if (planned !== undefined) start(group, now, planned)
}

function start(group: GroupState, now: Micros, { job, task }: Planned): void {
  group.jobs += 1
  group.task = task
  group.taskSince = now
  group.out.start(group.jobs, job)
}

function plan(group: GroupState, now: Micros): Planned | undefined {
  if (group.drops.length >= DROPS_URGENT || group.phase === 'over') return planDrop(group)
  return (
    planRestore(group) ??
    planJoin(group) ??
    planProcess(group, now) ??
    planEncode(group) ??
    planCommit(group, now) ??
    planKeyPackage(group, now) ??
    planFound(group, now) ??
    planDrop(group)
  )
}

function planDrop(group: GroupState): Planned | undefined {
  if (group.drops.length === 0) return undefined
  const states = group.drops
  group.drops = []
  return { job: { kind: 'drop', group: group.mlsGroup, states }, task: { kind: 'drop' } }
}

/** The head in bytes, whenever it is another than the stored one. */
function planEncode(group: GroupState): Planned | undefined {
  const { head } = group
  if (head === undefined || group.storedHead === head.name || group.headStore !== undefined) return undefined
  return {
    job: { kind: 'encode', group: group.mlsGroup, state: head.state },
    task: { kind: 'encodeHead', name: head.name },
  }
}

function planFound(group: GroupState, now: Micros): Planned | undefined {
  const isDue = group.isFounding || group.foundAt <= now
  const terms = isDue && group.phase === 'outside' ? group.terms() : undefined
  if (terms === undefined) return undefined
  group.isFounding = false
  const { keys, crypto } = group.ports
  const leafSeed = keys.bytes(32)
  const joinNumber = Math.max(group.joinNumber + 1, group.wall() ?? 0)
  group.joinNumber = joinNumber
  const leafKey = crypto.signatures.publicKey(leafSeed)
  const { vlan } = group.ledger
  const credential = makeCredential(crypto.signatures, vlan, group.seed, {
    serial: group.serial,
    joinNumber,
    leafKey,
  })
  const into = group.freshState()
  const base = { kind: 'create', group: group.mlsGroup, groupId: vlan, entropy: keys.bytes(32) } as const
  return {
    job: { ...base, ...terms, credential, leafSeed, into, wishes: WISHES },
    task: { kind: 'create', into, leafSeed },
  }
}

function planRestore(group: GroupState): Planned | undefined {
  const { restoring } = group
  if (restoring === undefined) return undefined
  const slot = restoring.isHeadThere ? 'next' : 'head'
  const stored = slot === 'head' ? restoring.head.state : restoring.next?.state
  if (stored === undefined) {
    group.restoring = undefined
    return undefined
  }
  const into = group.freshState()
  return {
    job: { kind: 'restore', group: group.mlsGroup, into, stored, wishes: WISHES },
    task: { kind: 'restore', slot, into },
  }
}

/** An outcome came back; whether it is still wanted is for each to see. */
export function finish(group: GroupState, now: Micros, outcome: MlsOutcome): void {
  const { task } = group
  if (task === undefined) return
  group.task = undefined
  switch (task.kind) {
    case 'drop':
      return
    case 'create':
      founded(group, now, task, outcome)
      return
    case 'restore':
      restored(group, now, task, outcome)
      return
    case 'keyPackage':
      madeKeyPackage(group, now, task, outcome)
      return
    case 'join':
      joined(group, now, task, outcome)
      return
    case 'process':
      processed(group, now, task, outcome)
      return
    case 'commit': {
      const next = madeCommit(group, task, outcome)
      if (next === undefined) return
      const { state } = next.made.epoch
      start(group, now, { job: { kind: 'encode', group: group.mlsGroup, state }, task: next })
      return
    }
    case 'encodeNext':
      storeCommit(group, task, outcome)
      return
    case 'encodeHead':
      storeHead(group, now, task.name, outcome)
      return
  }
}

function founded(
  group: GroupState,
  now: Micros,
  task: Extract<Task, { kind: 'create' }>,
  outcome: MlsOutcome,
): void {
  const wall = group.wall() ?? 0
  const made =
    outcome.ok && outcome.kind === 'epoch' && group.phase === 'outside'
      ? epochOfRoster(group.ports.crypto.hash, outcome.epoch, {
          state: task.into,
          leafSeed: task.leafSeed,
          salts: firstSalts(outcome.epoch, wall),
        })
      : undefined
  if (made === undefined) {
    group.ports.counts.add('jobFailed')
    group.drops.push(task.into)
    return
  }
  group.entry = undefined
  beginLine(group, now, made, 'entered')
  group.note({ kind: 'founded', mlsId: made.epoch.name })
}

function storeHead(group: GroupState, now: Micros, name: string, outcome: MlsOutcome): void {
  const { head } = group
  if (!outcome.ok || outcome.kind !== 'encoded') {
    group.ports.counts.add('jobFailed')
    if (!outcome.ok && head?.name === name) stuck(group, now, 'stateLost')
    return
  }
  if (head?.name !== name) {
    group.ports.counts.add('jobUnwanted')
    return
  }
  const { ackCounter, joinNumber } = group
  const { leafSeed, salts } = head
  const way = wholeWay(group, head.name)
  const record = { ackCounter, joinNumber, leafSeed, salts, way, state: outcome.stored }
  group.stores += 1
  group.headStore = { id: group.stores, name }
  group.out.store(group.stores, 'head', encodeHead(record))
}

/** A stored state is back: first the head, then an own commit that was stored and perhaps sent (sec:B8). */
function restored(
  group: GroupState,
  now: Micros,
  task: Extract<Task, { kind: 'restore' }>,
  outcome: MlsOutcome,
): void {
  const { restoring } = group
  if (restoring === undefined) return
  const { head, next } = restoring
  const source = task.slot === 'head' ? head : next
  const isGood = outcome.ok && outcome.kind === 'epoch' && source !== undefined
  const made = isGood
    ? epochOfRoster(group.ports.crypto.hash, outcome.epoch, {
        state: task.into,
        leafSeed: source.leafSeed,
        salts: source.salts,
      })
    : undefined
  if (made === undefined) {
    group.ports.counts.add('jobFailed')
    group.restoring = undefined
    return
  }
  if (task.slot === 'head') {
    beginLine(group, now, made, 'restored', head.way)
    if (group.liveBy !== NEVER) group.liveBy = now + LIVE_AGAIN_WITHIN
    if (made.epoch.roster.size === 1)
      group.cautiousUntil = Math.min(group.cautiousUntil, now + CAUTIOUS_ALONE)
    group.storedHead = made.epoch.name
    const follows = next !== undefined && sameBytes(next.parent, made.epoch.mlsId)
    group.restoring = follows ? { ...restoring, isHeadThere: true } : undefined
    if (follows) group.committedFor.add(made.epoch.name)
    return
  }
  group.restoring = undefined
  const rival = rivalOf(group, next?.message ?? new Uint8Array(0), made)
  if (rival !== undefined && next !== undefined) publish(group, now, rival, next)
}

function rivalOf(
  group: GroupState,
  message: Uint8Array,
  made: NonNullable<Rival['made']>,
): Rival | undefined {
  const said = decodeHandshake(message)
  const parent = group.head
  if (said?.kind !== 'commit' || parent === undefined) return undefined
  const { proposals, removes, commit } = said
  const { mlsId: child, name: childName } = made.epoch
  const hash = group.hash32(commit)
  const { key: committer } = group
  const step = {
    parent: parent.mlsId,
    committer,
    proposals,
    commitHash: hash,
    addsOnly: removes.length === 0 && proposals > 0,
    removes: removes.length > 0,
    added: new Set<string>(),
  }
  const base = { parent: parent.name, child, childName, committer, proposals, removes, commit, hash, message }
  return { ...base, missing: [], verdict: 'open', made: { ...made, epoch: { ...made.epoch, step } } }
}
