/**
 * The line of epochs that this member went, and how it moves on: adopting a child, going back to a parent
 * for a preferred one, and letting go of states that cannot be gone back to any more (sec:B7, B10).
 */
import { jittered } from '../dice.ts'
import { hex } from '../ids.ts'
import type { Micros } from '../io.ts'
import type { AdoptedEpoch } from './effects.ts'
import type { Epoch, NewEpoch } from './epoch.ts'
import { acknowledge, forkOf, isSettled } from './evidence.ts'
import {
  LINEAGE_MAX,
  LIVE_WITHIN,
  LOG_BYTES_MAX,
  LOG_LIFE,
  LOG_MAX,
  LOOK_AROUND,
  RECENT_MAX,
  ROLLBACK_LEAST,
  ROLLBACK_LIFE,
  ROLLBACK_MAX,
} from './limits.ts'
import type { Way } from './messages.ts'
import { arrived, forgetAbsent } from './presence.ts'
import { judgeTwice, review } from './refused.ts'
import type { GroupState, LogEntry, Rival } from './state.ts'
import { planUpdate } from './updates.ts'
import { followWay, NO_WAY } from './way.ts'

/** Goes on from a kept epoch to one of its children; what came after it before is left. */
export function adoptChild(group: GroupState, now: Micros, rival: Rival, made: NewEpoch): void {
  const place = group.placeOf(rival.parent)
  const parent = group.line[place] as Epoch
  const before = group.head as Epoch
  const left = group.line.splice(place + 1)
  for (const epoch of left) letGo(group, parent, epoch)
  if (left.length > 0) {
    group.spent.rewind(parent.number)
    group.lineage.length = Math.max(0, group.lineage.lastIndexOf(parent.name) + 1)
    group.ports.counts.add('switches')
    group.note({ kind: 'switched', from: before.name, to: made.epoch.name })
  }
  spendAdded(group, parent, made.epoch)
  push(group, now, made, 'child', left.length === 0, rival.isLogged === true || rival.isFold === true)
  const { mlsId, step } = made.epoch
  arrived(group, made.epoch)
  const fork = forkOf(group, parent)
  if (step !== undefined) fork.child = { mlsId, ...step }
  remember(group, now, rival)
  acknowledge(group, parent, made.epoch)
  planUpdate(group, now, made.epoch)
  letGoSettled(group, now)
}

/** Begins a line: founded, joined, or restored. States of the line before are dropped, and its way. */
export function beginLine(
  group: GroupState,
  now: Micros,
  made: NewEpoch,
  origin: 'entered' | 'restored',
  way: Way = NO_WAY,
): void {
  for (const epoch of group.line) {
    group.drops.push(epoch.state)
    group.committedFor.delete(epoch.name)
    retire(group, epoch)
  }
  for (const rivals of group.rivals.values()) dropMade(group, rivals)
  group.rivals.clear()
  group.line = []
  group.log = []
  followWay(group, way, made.epoch.name)
  group.spent.rewind(-1)
  group.phase = 'member'
  group.newSince = now
  group.enteredWith = origin === 'entered' ? made.epoch.number : Number.NEGATIVE_INFINITY
  group.arrivals = []
  for (const { identity } of made.epoch.roster.values()) group.spent.spend(identity, made.epoch.number)
  push(group, now, made, origin, false)
  // Whoever is alone has nobody to wait for.
  if (made.epoch.roster.size > 1) {
    group.liveBy = now + LIVE_WITHIN
    group.wakeBy(group.liveBy)
  }
  planUpdate(group, now, made.epoch)
  group.lookAt = now + jittered(group.ports.dice, LOOK_AROUND)
  group.wakeBy(group.lookAt)
}

function push(
  group: GroupState,
  now: Micros,
  { epoch, facts }: NewEpoch,
  origin: AdoptedEpoch['origin'],
  isForward: boolean,
  isLate = false,
): void {
  const { counts } = group.ports
  epoch.adoptedAt = now
  group.line.push(epoch)
  if (group.lineage.at(-1) !== epoch.name) group.lineage.push(epoch.name)
  if (group.lineage.length > LINEAGE_MAX) group.lineage.splice(0, group.lineage.length - LINEAGE_MAX)
  group.unseen.delete(epoch.name)
  group.duty = undefined
  counts.add('epochsAdopted')
  forgetAbsent(group, now)
  review(group, now)
  const { mlsId, roster, ownLeaf, leafSeed, salts } = epoch
  const grace = isForward && epoch.step !== undefined && !epoch.step.removes
  const { suite } = facts
  // A copy: an own commit may be left and come back to, and whoever seals zeroes what it was given.
  const exporterSecret = facts.exporterSecret.slice()
  group.out.adopt({ mlsId, suite, roster, ownLeaf, leafSeed, exporterSecret, salts, grace, origin, isLate })
  group.note({ kind: 'epoch', mlsId: epoch.name, number: epoch.number, members: roster.size })
  while (group.line.length > ROLLBACK_MAX + 1) letGoOldest(group)
  group.wakeBy(now)
}

function spendAdded(group: GroupState, parent: Epoch, child: Epoch): void {
  for (const [leaf, { identity }] of child.roster) {
    const before = parent.roster.get(leaf)
    if (before?.identity === identity) continue
    group.spent.spend(identity, child.number)
    judgeTwice(group, identity.serial)
    if (!parent.leafOf.has(hex(identity.memberKey)))
      group.note({ kind: 'memberAdded', member: hex(identity.memberKey) })
  }
  if (child.step?.removes !== true) return
  for (const member of parent.leafOf.keys())
    if (!child.leafOf.has(member)) group.note({ kind: 'memberRemoved', member })
}

/** The commit by which the line went on, for those who come back (sec:B12). */
function remember(group: GroupState, now: Micros, { message, child, parent }: Rival): void {
  const at = group.line.at(-2)?.mlsId as Uint8Array
  // After a step back the log is no line any more from that parent on.
  const until = group.log.findIndex((entry) => hex(entry.parent) === parent)
  if (until >= 0) group.log.splice(until)
  group.log.push({ parent: at, child, message, at: now })
  let bytes = 0
  for (const entry of group.log) bytes += entry.message.length
  while (
    group.log.length > LOG_MAX ||
    bytes > LOG_BYTES_MAX ||
    (group.log[0] as LogEntry).at + LOG_LIFE < now
  )
    bytes -= (group.log.shift() as LogEntry).message.length
}

/** Drops what is settled or too old to go back to (sec:B7). */
export function letGoSettled(group: GroupState, now: Micros): void {
  for (let place = group.line.length - 2; place >= 0; place--) {
    const parent = group.line[place] as Epoch
    const child = group.line[place + 1] as Epoch
    const age = now - child.adoptedAt
    const isOver = age >= ROLLBACK_LIFE || (age >= ROLLBACK_LEAST && isSettled(group, now, parent, child))
    if (!isOver) {
      group.wakeBy(child.adoptedAt + (age < ROLLBACK_LEAST ? ROLLBACK_LEAST : ROLLBACK_LIFE))
      continue
    }
    for (let count = 0; count <= place; count++) letGoOldest(group)
    return
  }
}

function letGoOldest(group: GroupState): void {
  const epoch = group.line.shift() as Epoch
  group.drops.push(epoch.state)
  // Nothing can be committed on it any more.
  group.committedFor.delete(epoch.name)
  retire(group, epoch)
  const rivals = group.rivals.get(epoch.name)
  if (rivals !== undefined) dropMade(group, rivals)
  group.rivals.delete(epoch.name)
}

/** An epoch that was left. An own child of the parent waits as a rival: it cannot be made again (R11). */
function letGo(group: GroupState, parent: Epoch, epoch: Epoch): void {
  const rivals = group.rivals.get(epoch.name)
  if (rivals !== undefined) dropMade(group, rivals)
  group.rivals.delete(epoch.name)
  retire(group, epoch)
  const siblings = group.rivals.get(parent.name) ?? []
  if (!siblings.some(({ made }) => made?.epoch === epoch)) group.drops.push(epoch.state)
}

/** Its state goes; who its members were is known for as long as packets of it may come. */
function retire(group: GroupState, epoch: Epoch): void {
  group.recent.push(epoch)
  if (group.recent.length > RECENT_MAX) group.recent.shift()
}

/** What was made and is not in use. */
function dropMade(group: GroupState, rivals: readonly Rival[]): void {
  for (const { made } of rivals) {
    if (made === undefined) continue
    made.facts.exporterSecret.fill(0)
    if (!group.line.includes(made.epoch)) group.drops.push(made.epoch.state)
  }
}
