/**
 * Own commits: when one is due, whose turn it is, and what is in it (sec:B2 to B5). How it is stored and
 * sent is told by publishing.ts.
 */
import { type Micros, NEVER, SECOND } from '../io.ts'
import { ADDS_MAX, encodeCommitData } from '../ledger/commit-data.ts'
import { encodeFacts } from '../ledger/exchange.ts'
import type { Fact } from '../ledger/facts.ts'
import type { WallMillis } from '../ledger/fields.ts'
import { dueRemovals, type Removal } from '../ledger/proposals.ts'
import { stepInDelay } from '../ledger/rank.ts'
import { factsOf } from '../ledger/standing.ts'
import type { MlsJob } from '../mls/engine.ts'
import { REMOVES_MAX } from '../mls/limits.ts'
import { type Epoch, encodeSalts, rotates, WISHES } from './epoch.ts'
import {
  ADD_BATCH,
  ADD_BATCH_EACH,
  ADD_BATCH_MAX,
  COMMIT_COST_PER_ADD,
  COMMIT_COST_PER_MEMBER,
  EXPIRY_CHECK,
  KEEPERS_MAX,
  SALT_LIFE_MILLIS,
  SLOWNESS_MAX,
  UNURGENT,
} from './limits.ts'
import { type Addition, additions, forgetOffers, spanOfOffers } from './offers.ts'
import { isMajorityThere, placeAmong } from './presence.ts'
import { sayFacts, timeOfCommit } from './say.ts'
import type { GroupState } from './state.ts'
import type { Task } from './tasks.ts'
import { updateDue } from './updates.ts'

type CommitTask = Extract<Task, { kind: 'commit' }>

/** Whether anything is due on the head, and since when; NEVER for nothing. */
function dueSince(
  group: GroupState,
  now: Micros,
  head: Epoch,
): { readonly since: Micros; readonly isRemoval: boolean; readonly isUrgent: boolean } {
  if (group.isDirty(head)) return { since: now, isRemoval: true, isUrgent: true }
  forgetOffers(group, now, head)
  const { oldest, newest } = spanOfOffers(group)
  // A new epoch begins a batch of its own, or a crowd would cost an epoch for each that arrives.
  const begun = Math.max(oldest, head.adoptedAt)
  const batch = Math.min(ADD_BATCH_MAX, ADD_BATCH + ADD_BATCH_EACH * (group.offers.size - 1))
  // Once nobody comes any more there is nobody to wait for.
  const until = Math.min(begun + batch, Math.max(begun, newest) + ADD_BATCH)
  const adds = oldest === NEVER ? NEVER : group.offers.size >= ADDS_MAX ? begun : until
  const due = updateDue(group, now, head)
  const update = due === NEVER || isMajorityThere(group, now) ? due : NEVER
  // A key update of one's own is nobody else's to step in for.
  const keys = Math.min(group.refreshAt, saltDue(group, head), update)
  const people = Math.min(adds, expiredSince(group, now, head))
  // Keys are renewed along with whatever is done for people.
  const isUrgent = people !== NEVER
  return { since: isUrgent ? people : keys, isRemoval: false, isUrgent }
}

function saltDue(group: GroupState, head: Epoch): Micros {
  const wall = group.wall()
  return wall !== undefined && wall >= head.salts.since + SALT_LIFE_MILLIS ? head.adoptedAt : NEVER
}

/** Members whose Grants ended are looked for now and then; once found, they are found at each look. */
function expiredSince(group: GroupState, now: Micros, head: Epoch): Micros {
  const wall = group.wall()
  if (wall === undefined || now < group.expiryAt) return NEVER
  if (removalsOf(group, head, wall).length > 0) return group.expiryAt
  group.expiryAt = now + EXPIRY_CHECK
  return NEVER
}

/**
 * The commit to make now, where no other's is to be followed first (planProcess was asked before); undefined
 * if none is due, or it is not this member's turn yet. Whoever steps in waits longer by how long it took
 * itself to process the last commit, twice: what others make is on its way for as long (sec:B5 gives the wait
 * alone, in which a large group's commit cannot even be made).
 */
export function planCommit(
  group: GroupState,
  now: Micros,
): { readonly job: MlsJob; readonly task: CommitTask } | undefined {
  const { head } = group
  if (head === undefined || !mayCommit(group, now, head)) return undefined
  const { since, isRemoval, isUrgent } = dueSince(group, now, head)
  if (since === NEVER) {
    group.duty = undefined
    return undefined
  }
  const { duty } = group
  const isKnown = duty?.head === head.name && duty.isRemoval === isRemoval
  if (duty === undefined || !isKnown || (!isRemoval && duty.since !== since)) {
    const isOwnUpdate = !isRemoval && since === group.updateAt
    const place = isOwnUpdate ? 0 : placeAmong(group, now)
    const adds = Math.min(ADDS_MAX, group.offers.size)
    const expected =
      Math.max(group.slowness, COMMIT_COST_PER_MEMBER * head.roster.size) + COMMIT_COST_PER_ADD * adds
    // Those before may all be out of reach: the next of them does not begin while another's is on its way.
    const slowness = place === 0 ? 0 : Math.min(SLOWNESS_MAX, 2 * expected) + 3 * place * timeOfCommit(group)
    // What became due while this member was away is not its turn to do at once.
    const step = stepInDelay(place, isRemoval, group.ports.dice) * (isUrgent ? 1 : UNURGENT)
    const at = Math.max(since, now) + step + slowness
    group.duty = { head: head.name, isRemoval, since, at }
  }
  if (group.duty === undefined) return undefined
  if (group.duty.at > now) {
    group.wakeBy(group.duty.at)
    return undefined
  }
  return makeJob(group, now, head, isRemoval)
}

function mayCommit(group: GroupState, now: Micros, head: Epoch): boolean {
  if (group.phase !== 'member' || group.endAt !== NEVER || group.storing !== undefined) return false
  if (group.committedFor.has(head.name) || group.isRefused(group.keyName)) return false
  if (group.pendingLog.length > 0) return false
  // Others went on already, by a commit that is asked for: another one would part the group.
  const isBehind = [...group.unseen.values()].some(({ parent }) => parent === head.name)
  if (isBehind && !group.isDirty(head)) return false
  if (now < group.cautiousUntil) {
    group.wakeBy(group.cautiousUntil)
    return false
  }
  // Never two commits for one parent, even after a crash: the parent is stored first (record.ts).
  return group.storedHead === head.name
}

/** Leaves to remove, never the own one: that is for others to do. */
function removalsOf(group: GroupState, head: Epoch, wall: WallMillis): Removal[] {
  const due = dueRemovals(group.ledger, head.roster, group.spent, wall, REMOVES_MAX + 1)
  return due.filter(({ leaf }) => leaf !== head.ownLeaf).slice(0, REMOVES_MAX)
}

function makeJob(
  group: GroupState,
  now: Micros,
  head: Epoch,
  isRemoval: boolean,
): { readonly job: MlsJob; readonly task: CommitTask } | undefined {
  const wall = group.wall() ?? 0
  const removals = removalsOf(group, head, wall)
  const room = isRemoval ? 0 : Math.min(group.addsMax, REMOVES_MAX - removals.length)
  const removed = new Set(removals.map(({ leaf }) => leaf))
  const adds =
    room === 0
      ? []
      : additions(group, head, wall, room).filter(
          ({ replaces }) => replaces === undefined || !removed.has(replaces),
        )
  const removes = [...removals.map(({ leaf }) => leaf), ...adds.flatMap(({ replaces }) => replaces ?? [])]
  const facts = [
    ...removals.map((removal) => removal.facts),
    ...adds.filter(({ replaces }) => replaces !== undefined).map(() => []),
    ...adds.map((add) => add.facts),
  ]
  const data = { parent: head.mlsId, digest: group.ledger.digest(), wallTime: wall, facts }
  const isUpdate = Math.min(group.refreshAt, group.updateAt, saltDue(group, head)) <= now
  if (facts.length === 0 && !isUpdate) return undefined
  const into = group.freshState()
  const isRotating = rotates(head.salts, removals.length, removes.length, wall)
  const job = {
    kind: 'commit',
    group: group.mlsGroup,
    from: head.state,
    into,
    removes,
    adds: adds.map(({ pooled }) => pooled.offer.keyPackage),
    authenticatedData: encodeCommitData(data),
    welcomeData: encodeSalts(head.salts, isRotating ? wall : undefined),
    entropy: group.ports.keys.bytes(32),
    wishes: WISHES,
  } as const
  group.committedFor.add(head.name)
  sayFactsOf(group, head, adds)
  return {
    job,
    task: { kind: 'commit', into, parent: head.name, members: adds.map(({ name }) => name), removes },
  }
}

/**
 * What certifies those who are about to be added, unless all have heard it: only those who keep the door
 * have, and whoever came in with this epoch has not. Otherwise all who lack it would ask at once.
 */
function sayFactsOf(group: GroupState, head: Epoch, adds: readonly Addition[]): void {
  const facts: Fact[] = []
  for (const { pooled, replaces } of adds) {
    const isHeard = head.roster.size <= KEEPERS_MAX && pooled.since > head.adoptedAt + SECOND
    if (replaces !== undefined || isHeard) continue
    facts.push(...factsOf(group.ledger.chain(pooled.member, pooled.serial)))
  }
  for (const payload of encodeFacts(facts)) sayFacts(group, head.mlsId, payload)
}
