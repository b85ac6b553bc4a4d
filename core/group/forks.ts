/**
 * Two branches that met, and which of them is to fold into the other (sec:B11): by the same comparison as
 * rivals for one parent where they have a parent in common, by how many are there where they have none.
 */
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { compareBytes, hex, sameBytes, unhex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { compareWeights, type Weight } from '../ledger/preference.ts'
import { rankOf } from '../ledger/rank.ts'
import { startEntry } from './entry.ts'
import type { Epoch } from './epoch.ts'
import { takeAck } from './evidence.ts'
import { FOLD_AGAIN } from './limits.ts'
import { type Evidence, encodeEvidence, type Fold, foldBody } from './messages.ts'
import { countThere } from './presence.ts'
import { say } from './say.ts'
import type { GroupState } from './state.ts'

const FOLD = 'fold'

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
  const acks: { witness: Uint8Array; ack: Uint8Array }[] = []
  for (const [witness, { bytes }] of fork?.acks ?? []) acks.push({ witness: unhex(witness), ack: bytes })
  const { parent: at, child } = fork ?? {}
  return {
    head: head.mlsId,
    dirty: group.isDirty(head),
    heard: Math.min(0xffff, countThere(group, now)),
    child: at === undefined || child === undefined ? undefined : { parent: at, ...child },
    acks,
  }
}

/** Whether the first of two sides is preferred, for everybody who has both. */
export function prefers(group: GroupState, left: Evidence, right: Evidence): boolean {
  if (
    left.child !== undefined &&
    right.child !== undefined &&
    sameBytes(left.child.parent, right.child.parent)
  ) {
    for (const side of [left, right]) takeAcks(group, side.child?.parent as Uint8Array, side)
    const parent = left.child.parent
    const { order } = compareWeights(weightOf(group, parent, left), weightOf(group, parent, right))
    if (order !== 0) return order < 0
  }
  if (left.dirty !== right.dirty) return !left.dirty
  if (left.heard !== right.heard) return left.heard > right.heard
  return compareBytes(left.head, right.head) < 0
}

function takeAcks(group: GroupState, parent: Uint8Array, { acks }: Evidence): void {
  const fork = group.forks.get(hex(parent))
  if (fork === undefined) return
  for (const { witness, ack } of acks) takeAck(group, fork, hex(witness), ack)
}

function weightOf(group: GroupState, parent: Uint8Array, { dirty, child }: Evidence): Weight {
  const { mlsId, committer, proposals, commitHash } = child as NonNullable<Evidence['child']>
  const tally = group.forks.get(hex(parent))?.tally
  const count = tally?.count(mlsId, (member) => group.ledger.refused(member) !== undefined) ?? 0
  return {
    dirt: dirty ? 1 : 0,
    support: 31 - Math.clz32(1 + count),
    emptiness: proposals > 0 ? 0 : 1,
    rank: rankOf(group.ports.crypto.hash, parent, committer),
    commitHash,
  }
}

/** Tells all of the own branch to fold, and begins oneself; this member's session leads to the winner. */
export function sayFold(group: GroupState, now: Micros, winner: Evidence, loser: Evidence): void {
  const { head } = group
  if (head === undefined || now < group.foldNotBefore || group.endAt !== NEVER) return
  group.foldNotBefore = now + FOLD_AGAIN
  const body = foldBody(winner.head, hashOf(group, winner, loser))
  const signature = signNamed(group.ports.crypto.signatures, head.leafSeed, FOLD, body)
  if (!say(group, head, { kind: 'fold', head: winner.head, signature, winner, loser })) return
  group.ports.counts.add('foldsSaid')
  group.note({ kind: 'folding', into: hex(winner.head) })
  startEntry(group, now, 'rejoin', { via: group.keyName, head: winner.head.slice() })
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
    return
  }
  if (now < group.foldNotBefore || group.endAt !== NEVER) return
  group.foldNotBefore = now + FOLD_AGAIN
  counts.add('foldsFollowed')
  group.note({ kind: 'folding', into: hex(fold.head) })
  startEntry(group, now, 'rejoin', { via: hex(sender), head: fold.head.slice() })
}

function hashOf(group: GroupState, winner: Evidence, loser: Evidence): Uint8Array {
  return group.hash32(encodeEvidence(winner), encodeEvidence(loser))
}
