/**
 * Ranks and labels: the one order that every node shares (mesh text (a)). All comparisons are
 * lexicographic and smaller is better. The proof that open links form a directed acyclic graph needs a
 * total order and nothing else of it, so nothing here wraps around: sequence numbers compare as plain
 * numbers.
 */
import type { Hash } from '../crypto/ports.ts'
import { concat, utf8 } from '../ids.ts'
import type { Micros } from '../io.ts'
import { readU32 } from '../wire/cursor.ts'

/** Classes of rank (mesh:M4). Leaves have none. */
export const RANK_CLASS = {
  /** Certified by the mesh's operator. */
  certified: 0,
  /** Relay open to all, reach proved, up for an hour: claimed by the root itself, nobody can check it. */
  proven: 1,
  /** Any other relay open to all. */
  other: 2,
  /**
   * A relay that is not open to all, as a last resort: what it refuses is cut in two below it, and a root
   * must be open (mesh:M3). Beyond the text's classes, which have no place for it.
   */
  closed: 3,
} as const

/** Who is preferred as a root: class, priority, then BLAKE3-128("peertap rank" ‖ tree ‖ key) in words. */
export interface Rank {
  readonly class: number
  readonly priority: number
  readonly hash0: number
  readonly hash1: number
  readonly hash2: number
  readonly hash3: number
}

/** Where a node hangs: under which root, in which of its reigns, how far down (sum of link costs). */
export interface Label {
  readonly rank: Rank
  readonly seq: number
  readonly metric: number
}

/** What is known of one root: made by roots.ts from its beats. */
export interface RootRecord {
  /** 32 bytes. */
  readonly key: Uint8Array
  rank: Rank
  /** The rank before the last change: labels that still carry it are on their way out. */
  former: Rank | undefined
  seq: number
  seqAt: Micros
  beat: number
  beatAt: Micros
  /** Of the newest beat. */
  signature: Uint8Array
  readonly firstSeen: Micros
  /** This node hung under it for a while (damping.ts): only such roots are kept when no label names them. */
  proven: boolean
  /** When this node lost it without a better one at hand; NEVER if not. */
  lostAt: Micros
  /** Labels of this seq or an older one are refused until then (R10). */
  refusedSeq: number
  refusedUntil: Micros
}

export function rankOf(hash: Hash, tree: number, key: Uint8Array, rankClass: number, priority: number): Rank {
  const digest = hash.hash16(concat(utf8('peertap rank'), Uint8Array.of(tree), key))
  return {
    class: rankClass,
    priority,
    hash0: readU32(digest, 0),
    hash1: readU32(digest, 4),
    hash2: readU32(digest, 8),
    hash3: readU32(digest, 12),
  }
}

/** Negative if `left` is better. Records intern their ranks, so most calls end at the first line. */
export function compareRanks(left: Rank, right: Rank): number {
  if (left === right) return 0
  return (
    left.class - right.class ||
    left.priority - right.priority ||
    left.hash0 - right.hash0 ||
    left.hash1 - right.hash1 ||
    left.hash2 - right.hash2 ||
    left.hash3 - right.hash3
  )
}

/** Negative if `left` is better: rank of the root, then the newer seq, then the smaller metric. */
export function compareLabels(left: Label, right: Label): number {
  return compareRanks(left.rank, right.rank) || right.seq - left.seq || left.metric - right.metric
}

/** R2: strictly smaller than a height, where an undefined height is the infinite one. */
export function isBelow(label: Label, height: Label | undefined): boolean {
  return height === undefined || compareLabels(label, height) < 0
}

export function sameHash(left: Rank, right: Rank): boolean {
  return (
    left.hash0 === right.hash0 &&
    left.hash1 === right.hash1 &&
    left.hash2 === right.hash2 &&
    left.hash3 === right.hash3
  )
}
