/**
 * Which of several children of one epoch everybody prefers (sec:B6). A comparison over evidence and nothing
 * else: two members with the same evidence prefer the same child, whoever told them what in which order.
 *
 * In order: a clean head, more witnesses in powers of two, a commit that does something, the rank of its
 * committer, the hash of the commit. Only the last can be ground, and it decides only between commits of
 * one member for one parent, which is that member's offence already (sec:M3, S17).
 *
 * Cleanness asks the facts alone, without a lineage: who lost a double redemption depends on the branch,
 * and asking that here would make the preference depend on the branch one is on.
 */
import type { Hash } from '../crypto/ports.ts'
import { compareBytes } from '../ids.ts'
import { MILLISECOND, type Micros } from '../io.ts'
import type { AckTally } from './acks.ts'
import type { Ledger } from './ledger.ts'
import { rankOf } from './rank.ts'

/** After adopting a child a member keeps it for so long, unless a cleaner one comes (sec:B6). */
export const HOLD: Micros = 300 * MILLISECOND

/** A child of the epoch in question, and the head of the branch that begins with it. */
export interface Child {
  /** MLS-ID of the child. */
  readonly mlsId: Uint8Array
  /** Member keys in the roster of the branch's head. */
  readonly headRoster: readonly Uint8Array[]
  /** Proposals in the commit that made the child. */
  readonly proposals: number
  /** Member key of who committed. */
  readonly committer: Uint8Array
  /** H32 of the commit. */
  readonly commitHash: Uint8Array
}

/** What decides between two children. */
export const CLAUSE = {
  clean: 'clean',
  witnesses: 'witnesses',
  proposals: 'proposals',
  rank: 'rank',
  hash: 'hash',
  same: 'same',
} as const
export type Clause = (typeof CLAUSE)[keyof typeof CLAUSE]

/** A child as the comparison sees it: less is preferred, in the order of the fields. */
export interface Weight {
  /**
   * Refused keys in the head's roster, 0 for a clean one. By how many, beyond sec:B6: while each branch has
   * one whose removal is yet to come, nobody goes back to the one that has another still.
   */
  readonly dirt: number
  /** `supportClass` of unrefused witnesses; more is preferred. */
  readonly support: number
  /** 0 with proposals, 1 without. */
  readonly emptiness: 0 | 1
  readonly rank: Uint8Array
  readonly commitHash: Uint8Array
}

/** ⌊log2(1 + acks)⌋: one ack more or less seldom decides, or what was adopted would change too often. */
export function supportClass(acks: number): number {
  return 31 - Math.clz32(1 + acks)
}

/** Weighs a child of `parent` by what the ledger and the acks say now. */
export function weigh(hash: Hash, parent: Uint8Array, child: Child, ledger: Ledger, acks: AckTally): Weight {
  const isRefused = (member: Uint8Array): boolean => ledger.refused(member) !== undefined
  return {
    dirt: child.headRoster.filter(isRefused).length,
    support: supportClass(acks.count(child.mlsId, isRefused)),
    emptiness: child.proposals > 0 ? 0 : 1,
    rank: rankOf(hash, parent, child.committer),
    commitHash: child.commitHash,
  }
}

export interface Comparison {
  /** Negative if the left one is preferred, positive if the right one, 0 for the same commit. */
  readonly order: number
  readonly clause: Clause
}

export function compareWeights(left: Weight, right: Weight): Comparison {
  if (left.dirt !== right.dirt) return { order: left.dirt - right.dirt, clause: CLAUSE.clean }
  if (left.support !== right.support) return { order: right.support - left.support, clause: CLAUSE.witnesses }
  if (left.emptiness !== right.emptiness)
    return { order: left.emptiness - right.emptiness, clause: CLAUSE.proposals }
  const rank = compareBytes(left.rank, right.rank)
  if (rank !== 0) return { order: rank, clause: CLAUSE.rank }
  const order = compareBytes(left.commitHash, right.commitHash)
  return { order, clause: order === 0 ? CLAUSE.same : CLAUSE.hash }
}

/** The child that everybody with this evidence prefers; undefined for none at all. */
export function preferred(
  hash: Hash,
  parent: Uint8Array,
  children: readonly Child[],
  ledger: Ledger,
  acks: AckTally,
): Child | undefined {
  let best: { readonly child: Child; readonly weight: Weight } | undefined
  for (const child of children) {
    const weight = weigh(hash, parent, child, ledger, acks)
    if (best === undefined || compareWeights(weight, best.weight).order < 0) best = { child, weight }
  }
  return best?.child
}

/** Whether a member that adopted a child at `adoptedAt` may leave it now for one preferred by `clause`. */
export function maySwitch(clause: Clause, adoptedAt: Micros, now: Micros): boolean {
  return clause === CLAUSE.clean || now >= adoptedAt + HOLD
}
