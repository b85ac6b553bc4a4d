/**
 * Which neighbour may be an upper and which one is: R1 usable, R2 feasible, R4 choice, R6 stay. Reads the
 * state and changes nothing.
 */
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER, SECOND, TREE_ROLE } from '../io.ts'
import { CAPABILITY } from '../links/link.ts'
import { NO_CERTIFICATE } from './certificates.ts'
import { isRootAllowed, SEQ_WAIT } from './damping.ts'
import { compareRanks, isBelow, type Label } from './label.ts'
import { PATH_MAX } from './messages.ts'
import { type Neighbour, PATH_STATE } from './neighbour.ts'
import { ANSWERED, answerBy, isSilent, roundOf, type TreeState } from './state.ts'

/** Text (a): the own upper may name a path that is not verified yet for so long. */
export const PATH_GRACE: Micros = 2 * SECOND
/** R4: the present upper is valued at 0.8 × metric − 10 ms, so that small differences move nobody. */
const STAY_FACTOR = 0.8
const STAY_BONUS = 10
/**
 * A relay that is not open to all is taken as an upper only where open ones are this much dearer: it refuses
 * VLANs of others, and what it refuses needs a further upper or is cut (mesh:M3). Milliseconds. Guess.
 */
const NOT_OPEN = 300

/**
 * A way that leads through the node below which the own path was just lost is taken only if there is no
 * other: if that died in silence, whoever hangs below it without traffic notices 15 s later, and an upper
 * there costs another 2.3 s until it does. Milliseconds, more than any path costs. In relay-crash-silent p99
 * is 3.0 s with this (eight seeds); without it, or knowing only of the own upper's loss, 4 to 5 s.
 */
const DOUBTED = 60_000

/** Three HELLOs missed and three probes (text (c)): by then whoever was below a lost upper knows it. */
const DOUBT: Micros = 17 * SECOND
/** A HELLO that comes so much later than its period is missed: 10 % of jitter and a slow way are within. */
const HELLO_PATIENCE = 1.2

/** R1, all but the root's seq and refusals. */
function isPathUsable(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  return (
    neighbour.claimed !== undefined &&
    neighbour.pathState === PATH_STATE.good &&
    neighbour.path.length < PATH_MAX &&
    neighbour.certificate !== NO_CERTIFICATE &&
    now < neighbour.pathExpires &&
    now < state.certificates.expires(neighbour.certificate) &&
    now >= neighbour.avoidUntil
  )
}

/**
 * R1 for the root: a verified beat proved the claimed rank and seq when they came (`root` is set only
 * then); the seq is at most one behind the best known. The present upper has R4's 2 s to come up with one.
 */
function isRootUsable(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  const { claimed, root } = neighbour
  if (claimed === undefined || root === undefined || !isRootAllowed(state, now, root, claimed.seq))
    return false
  if (claimed.seq >= root.seq - 1) return true
  return neighbour === state.upper && now < root.seqAt + SEQ_WAIT
}

/** R1 "usable". */
export function isUsable(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  return isPathUsable(state, now, neighbour) && isRootUsable(state, now, neighbour)
}

/** R2: usable and strictly smaller than the height. */
export function isFeasible(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  if (!isUsable(state, now, neighbour)) return false
  return !state.rules.heights || isBelow(neighbour.claimed as Label, state.height)
}

/** R5 and R7: the half of the link stands on the neighbour's present generation. */
export function isSameGeneration(state: TreeState, neighbour: Neighbour): boolean {
  return !state.rules.generations || neighbour.attachedGeneration === neighbour.generation
}

/** R6: while the upper's generation is unchanged a lower may stay whatever the metric does. */
export function mayStay(state: TreeState, now: Micros, upper: Neighbour): boolean {
  if (upper.role !== TREE_ROLE.upper || !isSameGeneration(state, upper) || isSilent(now, upper)) return false
  return isUsable(state, now, upper) || isInGrace(state, now, upper)
}

/** The own upper in an unchanged generation whose new path is merely not known yet. */
export function isInGrace(state: TreeState, now: Micros, upper: Neighbour): boolean {
  return (
    upper === state.upper &&
    upper.claimed !== undefined &&
    upper.pathState === PATH_STATE.unknown &&
    upper.unknownSince !== NEVER &&
    now < upper.unknownSince + PATH_GRACE
  )
}

/** When a way that is not taken because it may lead to nowhere will be; NEVER if there is none. */
export function checksBy(state: TreeState, now: Micros): Micros {
  let at: Micros = NEVER
  for (const neighbour of state.neighbours) {
    const by = checkedBy(state, neighbour)
    if (now < by && leadsThroughLost(state, now, neighbour)) at = Math.min(at, by)
  }
  return at
}

/** What the node's label would be below that neighbour. */
export function metricBelow(state: TreeState, neighbour: Neighbour): number {
  return (neighbour.claimed as Label).metric + state.certificates.cost(neighbour.certificate)
}

interface Candidate {
  readonly neighbour: Neighbour
  readonly label: Label
  readonly value: number
}

/**
 * R4: best rank of root, then least metric; the present upper (`stay`) at a discount. A newer seq alone
 * counts only when the present upper has not come up with it for 2 s.
 */
export function choose(state: TreeState, now: Micros, stay: Neighbour | undefined): Neighbour | undefined {
  const root = stay === undefined ? undefined : state.root
  const seqIsLate = root !== undefined && now >= root.seqAt + SEQ_WAIT
  let best: Candidate | undefined
  for (const neighbour of state.neighbours) {
    const candidate = neighbour === stay ? staying(state, neighbour) : arriving(state, now, neighbour)
    if (candidate !== undefined && (best === undefined || isBetter(candidate, best, seqIsLate)))
      best = candidate
  }
  return best?.neighbour
}

function arriving(state: TreeState, now: Micros, neighbour: Neighbour): Candidate | undefined {
  if (!isFeasible(state, now, neighbour) || isUnheard(now, neighbour)) return undefined
  const mayBeGone = isSuspect(state, now, neighbour)
  // To look anew from scratch takes half a second, to find out that an upper is dead five times as long.
  if (mayBeGone && state.label !== undefined) return undefined
  const isThroughLost = leadsThroughLost(state, now, neighbour)
  // Who hangs nowhere can wait for that; else it is cheaper to follow, or to lose again, what is taken now.
  if (isThroughLost && state.label === undefined && now < checkedBy(state, neighbour)) return undefined
  const isDoubted = mayBeGone || isThroughLost
  const value = metricBelow(state, neighbour) + reserve(neighbour) + (isDoubted ? DOUBTED : 0)
  return { neighbour, label: neighbour.claimed as Label, value }
}

/** It was asked for a sign of life and has given none so far, nor did it a round trip before. */
function isUnheard(now: Micros, neighbour: Neighbour): boolean {
  const { doubtedAt, link } = neighbour
  return (
    isSilent(now, neighbour) || (doubtedAt !== NEVER && link.heardAt < doubtedAt - ANSWERED - roundOf(link))
  )
}

/**
 * By when the first of those who could be the upper should have answered, a second at most. NEVER if nobody
 * is waited for: who has no upper now does better to wait for a round trip than to find out later that the
 * next one is dead. Beyond R8, where the node regresses at once; label and height stay what they were
 * meanwhile, so nothing opens that the proof in attach.ts does not know.
 */
export function answersBy(state: TreeState, now: Micros): Micros {
  let at: Micros = NEVER
  for (const neighbour of state.neighbours) {
    if (!isUnheard(now, neighbour) || isSuspect(state, now, neighbour)) continue
    if (!isFeasible(state, now, neighbour)) continue
    const until = answerBy(neighbour)
    if (now < until) at = Math.min(at, until)
  }
  return at
}

/** It may be gone, as far as is known without asking. */
function isSuspect(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  return isOverdue(state, now, neighbour) || mayBeLost(state, now, neighbour)
}

/** It missed a HELLO: it may be gone, and a link without traffic is given up only after three. */
function isOverdue({ context }: TreeState, now: Micros, { link }: Neighbour): boolean {
  const { helloTreePeriod, helloOtherPeriod } = context.config
  const period = link.treeUse ? helloTreePeriod : helloOtherPeriod
  return now > link.heardAt + HELLO_PATIENCE * period
}

/** The own path was lost below it, and nothing came from it since. */
function mayBeLost(state: TreeState, now: Micros, { link }: Neighbour): boolean {
  return link.heardAt <= state.doubtSince && isLost(state, now, link.key)
}

/** Whether the own path ended below that node of late. */
function isLost({ doubtSince, lostUpper }: TreeState, now: Micros, key: Uint8Array): boolean {
  return lostUpper !== undefined && now < doubtSince + DOUBT && sameBytes(key, lostUpper)
}

function leadsThroughLost(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  const { certificates } = state
  if (state.lostUpper === undefined) return false
  return neighbour.path.some((slot) => isLost(state, now, certificates.from(slot)))
}

/** Who hangs below the lost node too has found out by then whether it is there, and said so (suspect). */
function checkedBy({ doubtSince }: TreeState, { link }: Neighbour): Micros {
  return doubtSince + 2 * (ANSWERED + roundOf(link))
}

/** While its new path is unknown the present upper is what it was. */
function staying(state: TreeState, upper: Neighbour): Candidate {
  const isKnown = upper.pathState === PATH_STATE.good
  const label = isKnown ? (upper.claimed as Label) : (state.label as Label)
  const metric = isKnown ? metricBelow(state, upper) : label.metric
  return { neighbour: upper, label, value: metric * STAY_FACTOR - STAY_BONUS + reserve(upper) }
}

/** What speaks against an upper beyond its metric. */
function reserve(neighbour: Neighbour): number {
  return (neighbour.link.capabilities & CAPABILITY.openRelay) === 0 ? NOT_OPEN : 0
}

function isBetter(left: Candidate, right: Candidate, seqIsLate: boolean): boolean {
  const rank = compareRanks(left.label.rank, right.label.rank)
  if (rank !== 0) return rank < 0
  if (seqIsLate && left.label.seq !== right.label.seq) return left.label.seq > right.label.seq
  return left.value < right.value
}
