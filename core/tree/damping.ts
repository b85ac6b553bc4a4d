/**
 * R10: when a root is taken for lost, and which roots a node refuses. Refusing is all that local policy
 * may do, since the order of roots must be the same everywhere (mesh:M4, M5).
 *
 * The rule as first written ("after two losses within 10 min adopt, for 10 min, only roots first seen
 * 10 min ago") breaks a mesh in which nothing is that old: after two honest crashes every node refuses
 * every other and the mesh falls apart for 10 min. test/property/tree-roots.test.ts keeps the run. Mended:
 *
 * - A damped node refuses a fresh root only while it has an old one: it hangs in one, or, for
 *   `OLD_ROOT_WAIT` after it was cut off, its table holds an old one that may stand up again. So fresh keys
 *   cannot take the mesh from its old root a third time, and it always ends in some tree.
 * - Old is a root first seen 10 min ago under which this node hung for a minute: at the start of a mesh
 *   every relay is a root for a moment, itself too, and that must not make it one to hold on to.
 * - A root counts as lost when a node that was cut off settles under another one, whatever its rank: an
 *   attacker's keys may get better each time.
 */
import { COUNT } from '../counters.ts'
import { MINUTE, type Micros, NEVER, SECOND, TREE_ROLE } from '../io.ts'
import { serialAfter } from './certificates.ts'
import type { RootRecord } from './label.ts'
import { RANK_CLASS } from './label.ts'
import type { Neighbour } from './neighbour.ts'
import { arm, armLater, isLeading, type TreeState } from './state.ts'

/** Mesh text (a), R10: within how much time two losses count, for how long they damp, and what is old. */
const DAMPING: Micros = 10 * MINUTE
/** Three beats and a half (R10). */
const BEATS_LOST: Micros = 35 * SECOND
/** R10: a lost root's seqs are refused for so long, and an upper that withholds beats is avoided. */
const REFUSED: Micros = 60 * SECOND
/** Long enough for an old root to stand up again (1 s) and to be heard of. Guess. */
const OLD_ROOT_WAIT: Micros = 5 * SECOND
/** How long a node must have hung under a root for it to count as old later. Guess. */
const REIGN_MIN: Micros = MINUTE
/** R4: a newer seq is awaited from the present upper for so long. */
export const SEQ_WAIT: Micros = 2 * SECOND

function isOld(state: TreeState, record: RootRecord, now: Micros): boolean {
  if (record.rank.class === RANK_CLASS.certified) return true
  return now >= record.firstSeen + DAMPING && (record.proven || isReigning(state, record, now))
}

/** The node hangs under it, for long enough; a root that nobody hangs under has proved nothing. */
function isReigning(state: TreeState, record: RootRecord, now: Micros): boolean {
  if (record !== state.root || now < state.rootSince + REIGN_MIN) return false
  return !isLeading(state) || state.neighbours.some(({ role }) => role === TREE_ROLE.lower)
}

/** Called before the node leaves its root: what is known of it by then is kept. */
export function noteReign(state: TreeState, now: Micros): void {
  const { root } = state
  if (root !== undefined && isReigning(state, root, now)) root.proven = true
}

function wasLost(record: RootRecord, now: Micros): boolean {
  return record.lostAt !== NEVER && now < record.lostAt + DAMPING
}

/**
 * R10, and R1 "root not refused": false for labels of this root and seq. While detached after a recent loss
 * the second loss counts as if it were certain: else a fresh key that stands ready is taken before.
 */
export function isRootAllowed(state: TreeState, now: Micros, record: RootRecord, seq: number): boolean {
  if (now < record.refusedUntil && seq <= record.refusedSeq) return false
  const { root, lastRoot } = state
  if (!state.rules.damping) {
    return now >= state.dampedUntil || now >= record.firstSeen + DAMPING || record === root
  }
  if (isOld(state, record, now) || record === root || record === lastRoot) return true
  if (now >= state.dampedUntil && (state.label !== undefined || !isRecentLoss(state, now))) return true
  if (root !== undefined && isOld(state, root, now)) return false
  if (now >= state.detachedAt + OLD_ROOT_WAIT) return true
  return !state.roots.some((other) => other !== lastRoot && isOld(state, other, now) && !wasLost(other, now))
}

function isRecentLoss(state: TreeState, now: Micros): boolean {
  return state.lossAt !== NEVER && now < state.lossAt + DAMPING
}

/** The node was cut off: it may want to decide anew when the wait for old roots ends. */
export function armDamping(state: TreeState, now: Micros): void {
  if (isRecentLoss(state, now) || now < state.dampedUntil)
    armLater(state, now, state.detachedAt + OLD_ROOT_WAIT)
}

/** The node found its place under a root. Coming from being cut off, another root than before is a loss. */
export function noteRoot(state: TreeState, now: Micros, record: RootRecord, wasDetached: boolean): void {
  const before = state.lastRoot
  state.lastRoot = record
  if (!wasDetached || before === undefined || before === record) return
  before.lostAt = now
  if (isRecentLoss(state, now)) {
    state.dampedUntil = now + DAMPING
    arm(state, state.dampedUntil)
    state.context.counters.add(COUNT.treeDamped)
  }
  state.lossAt = now
}

/**
 * R10, N8: no beat for 35 s. If some neighbour shows a newer one, the upper withholds them and is avoided;
 * if none does, the root is gone and its labels are refused. Either way the caller decides anew.
 */
export function checkBeats(state: TreeState, now: Micros): boolean {
  const { root, upper } = state
  if (root === undefined || upper === undefined || isLeading(state)) return false
  const due = state.upperBeatAt + BEATS_LOST
  if (now < due) {
    arm(state, due)
    return false
  }
  if (isNewerElsewhere(state, root, upper)) {
    upper.avoidUntil = now + REFUSED
    state.context.counters.add(COUNT.treeBeatWithheld)
  } else {
    root.refusedSeq = root.seq
    root.refusedUntil = now + REFUSED
    state.context.counters.add(COUNT.treeBeatLost)
  }
  arm(state, now + REFUSED)
  return true
}

/** A beat of this root that came by another way, or that another neighbour's HELLO shows. */
function isNewerElsewhere(state: TreeState, root: RootRecord, upper: Neighbour): boolean {
  if (serialAfter(root.beat, state.passedBeat)) return true
  return state.neighbours.some(
    (neighbour) =>
      neighbour !== upper &&
      neighbour.summaryRoot === root.rank.hash0 &&
      serialAfter(neighbour.summaryBeat, state.passedBeat),
  )
}
