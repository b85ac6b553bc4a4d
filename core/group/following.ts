/**
 * Following the commits of others: as they come, as they are asked for, and from the log of a member that
 * was there (sec:B3, B4, B12). What cannot be followed although others do is seen here too.
 *
 * A commit that was lost on its way is often missed by many. Whoever cannot ask one member alone asks all,
 * once for all who miss it, and one of those who have it says it again to all: by random waits, and by
 * keeping silent when somebody else was first (as in SRM, Floyd et al. 1995).
 */
import { below } from '../dice.ts'
import { hex, sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { decodeCommitData } from '../ledger/commit-data.ts'
import type { MlsJob, MlsOutcome } from '../mls/engine.ts'
import { MLS_REFUSAL } from '../mls/refusal.ts'
import { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import { adoptChild } from './branches.ts'
import { stuck } from './entry.ts'
import { childOf, type Epoch, WISHES } from './epoch.ts'
import { fetch, noticeDigest } from './facts.ts'
import {
  ANSWERERS,
  LOG_MAX,
  LOG_WITHIN,
  REPAIR_AGAIN,
  REPAIR_SPREAD,
  STUCK_AFTER,
  UNSEEN_MAX,
  WANT_AFTER,
  WANT_AGAIN,
  WANT_SPREAD,
  WANT_TURN,
} from './limits.ts'
import { type CommitMessage, decodeHandshake, encodeHandshake } from './messages.ts'
import { isAnswerer } from './presence.ts'
import { judgeRival, preferredRival, takeRival } from './rivals.ts'
import { say, sayCommit, timeOfCommit, timeToSay } from './say.ts'
import type { GroupState, LogEntry, Rival } from './state.ts'
import type { Task } from './tasks.ts'

type ProcessTask = Extract<Task, { kind: 'process' }>

/** A commit for an epoch; `sender` passed it on and may be another than who made it. */
export function onCommit(
  group: GroupState,
  now: Micros,
  under: Epoch,
  sender: Uint8Array,
  said: CommitMessage,
  message: Uint8Array,
): void {
  if (group.placeOf(under.name) < 0) {
    group.ports.counts.add('commitTooLate')
    return
  }
  const rival = takeRival(group, under, said, message)
  if (rival === undefined) return
  group.unseen.delete(rival.childName)
  if (group.repairs.get(rival.childName)?.isMine) {
    const at = now + repairAgain(group, message)
    group.repairs.set(rival.childName, { under: under.mlsId, child: rival.child, at, isMine: false })
    group.wakeBy(at)
  }
  if (rival.missing.length > 0) fetch(group, under.mlsId, sender, rival.missing, now)
  if (sameBytes(rival.committer, sender)) notePair(group, under, rival)
}

/** Two commits of one member for one parent, each in a packet that it signed (sec:S17). */
function notePair(group: GroupState, parent: Epoch, rival: Rival): void {
  const member = hex(rival.committer)
  const name = `${parent.name}/${member}`
  const others = (group.rivals.get(parent.name) ?? []).filter((each) => hex(each.committer) === member)
  if (others.length < 2 || group.twice.has(name)) return
  group.twice.add(name)
  group.note({ kind: 'equivocation', member })
}

/** The commit to process now, if any: one that is preferred to where this member is. */
export function planProcess(
  group: GroupState,
  now: Micros,
): { readonly job: MlsJob; readonly task: ProcessTask } | undefined {
  for (let rival = preferredRival(group, now); rival !== undefined; rival = preferredRival(group, now)) {
    if (rival.made !== undefined) {
      adoptChild(group, now, rival, rival.made)
      continue
    }
    const parent = group.line[group.placeOf(rival.parent)] as Epoch
    const into = group.freshState()
    const job = {
      kind: 'process',
      group: group.mlsGroup,
      from: parent.state,
      into,
      commit: rival.commit,
      wishes: WISHES,
    } as const
    return { job, task: { kind: 'process', into, parent: rival.parent, hash: hex(rival.hash) } }
  }
  return undefined
}

/** The engine has processed it: judges it and goes that way, if that is still wanted. */
export function processed(group: GroupState, now: Micros, task: ProcessTask, outcome: MlsOutcome): void {
  const { counts, crypto } = group.ports
  group.slowness = now - group.taskSince
  const parent = group.line[group.placeOf(task.parent)]
  const rival = group.rivals.get(task.parent)?.find(({ hash }) => hex(hash) === task.hash)
  if (!outcome.ok || outcome.kind !== 'candidate') {
    counts.add('commitRefused')
    if (rival !== undefined && !outcome.ok) failed(group, now, rival, outcome.why)
    return
  }
  const { candidate } = outcome
  const made =
    parent &&
    childOf(crypto.hash, parent, candidate, {
      state: task.into,
      commitHash: rival?.hash ?? new Uint8Array(32),
    })
  const drop = (): void => {
    candidate.exporterSecret.fill(0)
    group.drops.push(task.into)
  }
  if (parent === undefined || rival === undefined || made === undefined) {
    counts.add('jobUnwanted')
    drop()
    return
  }
  const verdict = judgeRival(group, parent, rival, candidate, made.epoch.mlsId)
  if (verdict === 'missing') {
    drop()
    return
  }
  if (verdict !== 'valid') {
    rival.verdict = 'failed'
    counts.add(verdict)
    drop()
    if (rival.isLogged === true) lost(group, now)
    return
  }
  if (preferredRival(group, now) !== rival) {
    counts.add('jobUnwanted')
    drop()
    return
  }
  adoptChild(group, now, rival, made)
  candidate.exporterSecret.fill(0)
  const data = decodeCommitData(candidate.authenticatedData)
  if (data !== undefined) noticeDigest(group, now, data.digest)
}

function failed(group: GroupState, now: Micros, rival: Rival, why: string): void {
  rival.verdict = 'failed'
  if (why === MLS_REFUSAL.stateLost || why === MLS_REFUSAL.unknownState) {
    stuck(group, now, 'stateLost')
    return
  }
  // A later life of this member made it: what was restored is old (R11).
  if (why === MLS_REFUSAL.ownCommit) {
    stuck(group, now, 'catchUpFailed')
    return
  }
  rival.isRemoval = why === MLS_REFUSAL.removed
}

/** Somebody follows a child of a kept epoch. If its commit is not here, it is asked for. */
export function noteChild(
  group: GroupState,
  now: Micros,
  parent: Epoch,
  child: Uint8Array,
  by: Uint8Array,
): void {
  const name = hex(child)
  const isKept = group.placeOf(parent.name) >= 0
  if (!isKept || group.lineage.includes(name) || group.entry !== undefined) return
  const rival = group.rivals.get(parent.name)?.find(({ childName }) => childName === name)
  if (rival?.verdict === 'open' || (rival !== undefined && parent !== group.head)) return
  const known = group.unseen.get(name)
  if (known !== undefined) {
    known.by = by
    return
  }
  if (group.unseen.size >= UNSEEN_MAX && !makeRoom(group, parent)) {
    group.ports.counts.add('boundUnseen')
    return
  }
  const turns = Math.min(WANT_SPREAD, WANT_TURN * parent.roster.size)
  const askAt = rival === undefined ? now + WANT_AFTER + below(group.ports.dice, turns) : NEVER
  group.unseen.set(name, { parent: parent.name, child: child.slice(), by, since: now, askAt })
  group.wakeBy(Math.min(askAt, now + stuckAfter(group)))
}

/** An answer may be on its way. */
function wantAgain(group: GroupState): Micros {
  return WANT_AGAIN + 3 * timeOfCommit(group)
}

/** It can be asked for twice, and heard. */
function stuckAfter(group: GroupState): Micros {
  return STUCK_AFTER + 6 * timeOfCommit(group)
}

/** Children of the head are what this member may be behind: siblings of its own way make room for these. */
function makeRoom(group: GroupState, parent: Epoch): boolean {
  if (parent !== group.head) return false
  for (const [name, unseen] of group.unseen)
    if (unseen.parent !== parent.name) return group.unseen.delete(name)
  return false
}

/** Asks for commits, or says that this member is stuck where asking is no use; answers when to look next. */
export function unseenDue(group: GroupState, now: Micros): Micros {
  const { head } = group
  const patience = stuckAfter(group)
  let next = NEVER
  for (const [name, unseen] of group.unseen) {
    if (head === undefined) break
    const parent = group.line[group.placeOf(unseen.parent)]
    if (parent === undefined || unseen.since + patience <= now) {
      group.unseen.delete(name)
      // Of a sibling of the own way nothing depends on this member: it may be no commit at all.
      if (parent !== head) continue
      const rival = group.rivals.get(head.name)?.find(({ childName }) => childName === name)
      if (rival === undefined) group.out.knock('catchUp', unseen.child)
      else {
        stuck(group, now, rival.isRemoval ? 'removedWithoutFact' : 'unprocessable')
        break
      }
      continue
    }
    if (unseen.askAt <= now) {
      const to = group.ports.reaches(unseen.by) ? unseen.by : undefined
      say(group, parent, { kind: 'want', children: [unseen.child] }, to)
      unseen.askAt = now + wantAgain(group)
    }
    next = Math.min(next, unseen.askAt, unseen.since + patience)
  }
  return next
}

/**
 * Somebody asks for commits of an epoch: those that led on are sent again, to it alone if it asked this
 * member alone, else to all, after a while and by few.
 */
export function onWant(
  group: GroupState,
  now: Micros,
  under: Epoch,
  sender: Uint8Array,
  children: readonly Uint8Array[],
  isToAll: boolean,
): void {
  for (const child of children) {
    const name = hex(child)
    const unseen = group.unseen.get(name)
    if (unseen !== undefined && isToAll) unseen.askAt = Math.max(unseen.askAt, now + wantAgain(group))
    const commit = commitTo(group, under, child)
    if (commit === undefined) continue
    // To say a commit to all for each who asks would be a storm.
    if (!isToAll && group.ports.reaches(sender)) sayCommit(group, under, commit, sender)
    else if (!group.repairs.has(name) && group.repairs.size < UNSEEN_MAX) {
      // Drawn once for all who ask within a while.
      const isMine = !isToAll || isAnswerer(group)
      // Who says it is heard when all of it is there: only then the others know that they need not.
      const spread = REPAIR_SPREAD + ANSWERERS * timeToSay(group, commit.message.length)
      const at = now + (isMine ? below(group.ports.dice, spread) : repairAgain(group, commit.message))
      group.repairs.set(name, { under: under.mlsId, child: child.slice(), at, isMine })
      group.wakeBy(at)
    }
  }
}

/** The commit that led from an epoch to that child, as it can be said again. */
function commitTo(
  group: GroupState,
  under: Epoch,
  child: Uint8Array,
): { readonly removes: readonly number[]; readonly message: Uint8Array } | undefined {
  const rival = group.rivals
    .get(under.name)
    ?.find((each) => sameBytes(each.child, child) && each.verdict === 'open')
  const message = rival?.message ?? group.log.find((entry) => sameBytes(entry.child, child))?.message
  const said = message && decodeHandshake(message)
  return message !== undefined && said?.kind === 'commit' ? { removes: said.removes, message } : undefined
}

/** What was said to all needs not be said again before it is heard and, by whom it helps, gone through. */
function repairAgain(group: GroupState, message: Uint8Array): Micros {
  return REPAIR_AGAIN + 2 * timeToSay(group, message.length)
}

/** Commits that all were asked for and nobody has said again meanwhile; answers when to look next. */
export function repairsDue(group: GroupState, now: Micros): Micros {
  let next = NEVER
  for (const [name, { under, child, at, isMine }] of group.repairs) {
    if (at > now) {
      next = Math.min(next, at)
      continue
    }
    const epoch = group.known(under)
    const commit = epoch && commitTo(group, epoch, child)
    if (!isMine || epoch === undefined || commit === undefined) {
      group.repairs.delete(name)
      continue
    }
    group.repairs.set(name, { under, child, at: now + repairAgain(group, commit.message), isMine: false })
    if (sayCommit(group, epoch, commit)) group.ports.counts.add('commitsRepaired')
  }
  return next
}

/**
 * The next commit of a log that a member behind was given. It is said again under its parent: others who
 * were away with this member are as far behind.
 */
export function followLog(group: GroupState, now: Micros): void {
  const { head } = group
  if (head === undefined || group.pendingLog.length === 0) return
  const at = group.pendingLog.findIndex(({ parent }) => sameBytes(parent, head.mlsId))
  if (at < 0) {
    // Where they come from was gone another way, or is gone already.
    const isBehind = group.pendingLog.every(({ child }) => group.lineage.includes(hex(child)))
    const isOver = (group.pendingLog[0] as LogEntry).at + LOG_WITHIN <= now
    if (isBehind || isOver || group.pendingLog.length >= LOG_MAX) group.pendingLog = []
    else group.wakeBy((group.pendingLog[0] as LogEntry).at + LOG_WITHIN)
    return
  }
  const [entry] = group.pendingLog.splice(0, at + 1).slice(-1)
  if (entry !== undefined) follow(group, now, head, entry)
}

/**
 * The log leads where this member does not go: a commit in it adds somebody, or is of somebody, who was
 * revoked since, and commits are judged by what is known today (sec:B4). It rejoins (sec:B12).
 */
function lost(group: GroupState, now: Micros): void {
  group.pendingLog = []
  group.ports.counts.add('logRefused')
  stuck(group, now, 'catchUpFailed')
}

function follow(group: GroupState, now: Micros, head: Epoch, { message }: LogEntry): void {
  const said = decodeHandshake(message)
  const rival = said?.kind === 'commit' ? takeRival(group, head, said, message) : undefined
  if (rival === undefined || said?.kind !== 'commit' || rival.verdict === 'failed') {
    lost(group, now)
    return
  }
  rival.isLogged = true
  // Where many were away, a few of them say it for the others.
  if (!isAnswerer(group)) return
  if (!group.isDirty(head)) group.out.send(head.mlsId, 'all', PAYLOAD_KIND.handshake, encodeHandshake(said))
  else sayCommit(group, head, rival)
}
