/**
 * Two branches that met, and which of them is to fold into the other (sec:B11): by the same comparison as
 * rivals for one parent where they have a parent in common, by how many are there where they have none.
 */
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { compareBytes, hex, sameBytes, unhex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { compareWeights, supportClass, type Weight } from '../ledger/preference.ts'
import { rankOf, WITNESSES } from '../ledger/rank.ts'
import { cancelEntry, startEntry } from './entry.ts'
import type { Epoch } from './epoch.ts'
import { takeAck } from './evidence.ts'
import { FOLD_AGAIN, OBJECT_AGAIN } from './limits.ts'
import {
  decodeHandshake,
  type Evidence,
  encodeEvidence,
  type Fold,
  foldBody,
  type Witnessed,
} from './messages.ts'
import { countThere, isOneOfFew } from './presence.ts'
import { takeRival, wouldLead } from './rivals.ts'
import { say } from './say.ts'
import type { Folding, Fork, GroupState } from './state.ts'
import { acksOf } from './way.ts'

const FOLD = 'fold'
const NOTHING = new Uint8Array(0)

/** The last epoch of the own line that is also in the other's, or undefined. */
export function forkParent(group: GroupState, theirs: readonly Uint8Array[]): string | undefined {
  const others = new Set(theirs.map(hex))
  return group.lineage.findLast((name) => others.has(name))
}

/** What this member knows about its own side of a fork. */
export function evidenceOf(
  group: GroupState,
  now: Micros,
  head: Epoch,
  parent: string | undefined,
): Evidence {
  const fork = parent === undefined ? undefined : group.forks.get(parent)
  return {
    head: head.mlsId,
    dirty: group.isDirty(head),
    heard: Math.min(0xffff, countThere(group, now)),
    child: fork?.child && {
      parent: fork.parent,
      ...fork.child,
      acks: acksOf(group, fork, fork.child.mlsId),
    },
    acks: signedAcks(fork),
  }
}

function signedAcks(fork: Fork | undefined): Evidence['acks'] {
  return [...(fork?.acks ?? [])].map(([witness, { bytes }]) => ({ witness: unhex(witness), ack: bytes }))
}

/** Evidence outlives the message that it came in. */
export function copyOf({ head, dirty, heard, child, acks }: Evidence): Evidence {
  return {
    head: head.slice(),
    dirty,
    heard,
    child: child && {
      ...child,
      parent: child.parent.slice(),
      mlsId: child.mlsId.slice(),
      committer: child.committer.slice(),
      commitHash: child.commitHash.slice(),
    },
    acks: acks.map(({ witness, ack }) => ({ witness: witness.slice(), ack: ack.slice() })),
  }
}

/** Whether the first of two sides is preferred, for everybody who has both. */
export function prefers(group: GroupState, left: Evidence, right: Evidence): boolean {
  if (
    left.child !== undefined &&
    right.child !== undefined &&
    sameBytes(left.child.parent, right.child.parent)
  ) {
    for (const side of [left, right]) takeAcks(group, left.child.parent, side.acks)
    const { order } = compareWeights(weightOf(group, left, right), weightOf(group, right, left))
    if (order !== 0) return order < 0
  }
  if (left.dirty !== right.dirty) return !left.dirty
  if (left.heard !== right.heard) return left.heard > right.heard
  return compareBytes(left.head, right.head) < 0
}

function takeAcks(group: GroupState, parent: Uint8Array, acks: Evidence['acks']): void {
  const fork = group.forks.get(hex(parent))
  // Who came in later cannot tell whose they are.
  if (fork === undefined || fork.witnesses.size === 0) return
  for (const { witness, ack } of acks) takeAck(group, fork, hex(witness), ack)
}

function weightOf(group: GroupState, side: Evidence, other: Evidence): Weight {
  const { parent, committer, proposals, commitHash } = side.child as NonNullable<Evidence['child']>
  return {
    dirt: side.dirty ? 1 : 0,
    support: supportClass(supportOf(group, side, other)),
    emptiness: proposals > 0 ? 0 : 1,
    rank: rankOf(group.ports.crypto.hash, parent, committer),
    commitHash,
  }
}

/**
 * How many witnesses went that way. A branch may have nobody left who can show their acks: then its word
 * counts, but for witnesses whose acks for the other way are here.
 */
function supportOf(group: GroupState, side: Evidence, other: Evidence): number {
  const { parent, mlsId, acks } = side.child as NonNullable<Evidence['child']>
  const fork = group.forks.get(hex(parent))
  if (fork === undefined || fork.witnesses.size === 0) return Math.min(acks, WITNESSES)
  const against = acksOf(group, fork, (other.child as NonNullable<Evidence['child']>).mlsId)
  return Math.max(acksOf(group, fork, mlsId), Math.min(acks, fork.witnesses.size - against))
}

/**
 * Tells all of the own branch to fold, and begins oneself; this member's session leads to the winner.
 * `commit`: the handshake with the one by which the winner parted, if it is here.
 */
export function sayFold(
  group: GroupState,
  now: Micros,
  winner: Evidence,
  loser: Evidence,
  commit: Uint8Array = NOTHING,
): void {
  const { head } = group
  if (head === undefined || now < group.foldNotBefore || group.endAt !== NEVER) return
  if (goesInto(group, winner)) return
  const body = foldBody(winner.head, hashOf(group, winner, loser))
  const signature = signNamed(group.ports.crypto.signatures, head.leafSeed, FOLD, body)
  const fold = { kind: 'fold', head: winner.head, signature, winner, loser } as const
  // With a long commit it may not fit: then all are added anew.
  const said = [commit, NOTHING].find((each) => say(group, head, { ...fold, commit: each }))
  if (said === undefined) return
  group.foldNotBefore = now + FOLD_AGAIN
  group.ports.counts.add('foldsSaid')
  goOver(group, now, { winner, loser }, group.keyName, said)
}

/**
 * Goes over to the preferred branch: back to where it parted and on by its commit, which is there, if that
 * state is kept; else it is asked to be added there, through the member that met it.
 */
function goOver(
  group: GroupState,
  now: Micros,
  sides: Folding['sides'],
  via: string,
  commit: Uint8Array,
): void {
  const { child } = sides.winner
  const parent = child && group.kept(child.parent)
  const said = decodeHandshake(commit)
  const rival = parent && said?.kind === 'commit' ? takeRival(group, parent, said, commit) : undefined
  const leads = rival?.verdict === 'open' && child !== undefined && sameBytes(rival.child, child.mlsId)
  if (leads && rival.missing.length === 0 && wouldLead(group, rival)) {
    rival.isFold = true
    cancelEntry(group)
    group.ports.counts.add('foldsBack')
    group.wakeBy(now)
    return
  }
  // An ambassador that went back is not there any more to lead others over.
  const isGone = commit.length > 0 && via !== group.keyName
  startEntry(group, now, 'rejoin', { via: isGone ? undefined : via, sides })
}

/** Whether this member is on its way into that branch, at whatever epoch: its KeyPackage waits there. */
function goesInto({ entry }: GroupState, winner: Evidence): boolean {
  const into = entry?.keyPackage === undefined ? undefined : entry.fold?.sides.winner
  if (into === undefined) return false
  if (sameBytes(into.head, winner.head)) return true
  const [ours, theirs] = [into.child, winner.child]
  return ours !== undefined && theirs !== undefined && sameBytes(ours.mlsId, theirs.mlsId)
}

/** Follows an ambassador's word, if its evidence says the same here. */
export function onFold(group: GroupState, now: Micros, under: Epoch, sender: Uint8Array, fold: Fold): void {
  const { counts, crypto } = group.ports
  const leafKey = under.roster.get(under.leafOf.get(hex(sender)) as number)?.leafKey
  const body = foldBody(fold.head, hashOf(group, fold.winner, fold.loser))
  const isSigned =
    leafKey !== undefined && verifyNamed(crypto.signatures, leafKey, FOLD, body, fold.signature)
  const isOurs = group.lineage.includes(hex(fold.loser.head)) && !group.lineage.includes(hex(fold.head))
  const isMeant = isSigned && isOurs && sameBytes(fold.head, fold.winner.head)
  // Who came in after the branches parted cannot check whose acks these are: the ambassador's word counts.
  const { child } = fold.winner
  const canJudge = child === undefined || group.forks.has(hex(child.parent))
  if (!isMeant || (canJudge && !prefers(group, fold.winner, fold.loser))) {
    counts.add('foldRefused')
    if (isMeant && child !== undefined) object(group, now, under, child.parent)
    return
  }
  if (now < group.foldNotBefore || group.endAt !== NEVER || goesInto(group, fold.winner)) return
  group.foldNotBefore = now + FOLD_AGAIN
  counts.add('foldsFollowed')
  goOver(group, now, { winner: copyOf(fold.winner), loser: copyOf(fold.loser) }, hex(sender), fold.commit)
}

/**
 * Beyond sec:B11: an ambassador that was cut off when the branches parted has not heard all who were
 * witnesses of it, and would go over with those who heard as little. A few of those who judge by more say
 * what they have.
 */
function object(group: GroupState, now: Micros, under: Epoch, parent: Uint8Array): void {
  const fork = group.forks.get(hex(parent))
  if (fork === undefined || fork.acks.size === 0 || now < group.objectNotBefore) return
  group.objectNotBefore = now + OBJECT_AGAIN
  if (!isOneOfFew(group, countThere(group, now))) return
  say(group, under, { kind: 'witnessed', parent, acks: signedAcks(fork) })
}

/** More is known of who witnessed what: a fold that it speaks against is called off. */
export function onWitnessed(group: GroupState, now: Micros, { parent, acks }: Witnessed): void {
  takeAcks(group, parent, acks)
  const { sides } = group.entry?.fold ?? {}
  const { child } = sides?.loser ?? {}
  if (sides === undefined || child === undefined || !sameBytes(child.parent, parent)) return
  // Who came in later followed one member's word; that of another with more to show stops it.
  const isBlind = (group.forks.get(hex(parent))?.witnesses.size ?? 0) === 0
  if (isBlind ? acks.length <= child.acks : prefers(group, sides.winner, sides.loser)) return
  cancelEntry(group)
  group.foldNotBefore = now
  group.ports.counts.add('foldsCalledOff')
  for (const session of group.sessions.values())
    if (session.theirEvidence !== undefined && sameBytes(session.theirEvidence.head, sides.winner.head))
      session.leadsToWinner = false
}

function hashOf(group: GroupState, winner: Evidence, loser: Evidence): Uint8Array {
  return group.hash32(encodeEvidence(winner), encodeEvidence(loser))
}
