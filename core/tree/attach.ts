/**
 * Adopting, leading and regressing: R3 and R5 to R9. Everything that makes an open link or moves the
 * height is here, and the order within each function is the safety proof: what must be closed is closed
 * before the height falls, and what opens opens last.
 *
 * Why there is never a cycle: within one generation the height never grows. At attach, height(lower) >
 * label(upper) >= height(upper); later changes of the upper's label leave its height at or below that
 * value; the lower's height falls only to its own label, which is above its upper's, and further uppers
 * that are not below it are closed first. A growing height means a new generation, and that closes the
 * half-links of all lowers without any message. So open links always lead strictly down in height.
 */
import { COUNT } from '../counters.ts'
import { peerIdOf } from '../ids.ts'
import { type Micros, NEVER, SECOND, TREE_ROLE } from '../io.ts'
import { CAPABILITY } from '../links/link.ts'
import { KIND } from '../wire/kinds.ts'
import { encodeControl } from '../wire/schema.ts'
import { ANNOUNCE, announce, touch } from './advertise.ts'
import { renewLowers } from './certify.ts'
import {
  answersBy,
  checksBy,
  choose,
  isFeasible,
  isInGrace,
  isSameGeneration,
  isUsable,
  mayStay,
  metricBelow,
} from './choice.ts'
import { armDamping, noteReign, noteRoot, SEQ_WAIT } from './damping.ts'
import { compareRanks, isBelow, type Label, type RootRecord } from './label.ts'
import { attach } from './messages.ts'
import { type Neighbour, NO_PATH, PATH_STATE } from './neighbour.ts'
import { adoptPath } from './paths.ts'
import { nextSeq } from './roots.ts'
import { ANSWERED, arm, holdPath, isLeading, isSilent, send, setRole, type TreeState } from './state.ts'

/** Text (a): ATTACH is repeated after 200 ms, doubling to 5 s. Not before an answer can be there. */
const ATTACH_FIRST: Micros = SECOND / 5
const ATTACH_SLOWEST: Micros = 5 * SECOND
/** Text (a): further uppers, for VLANs that the upper does not carry. */
const FURTHER_MAX = 2
/** While a move lasts, the next upper or the former one has a place beside those that VLANs need. */
const FURTHER_MOVING = FURTHER_MAX + 1
/**
 * How long the next upper is held as a further one before the node moves under it: what B4 allows a
 * registration for its move. Without it a move that lowers the height closed the old upper (R3) before the
 * new one had heard of any token, and each move for a few milliseconds' gain cost frames.
 */
const PREPARE: Micros = 2 * SECOND
/**
 * The same for one that is a further upper already. No role changes then, so registrations learn of the new
 * order only when they next look, which is every 2 s, and have their 2 s from there.
 */
const PREPARE_OPEN: Micros = 4_500_000
/** Share of R9's second. Guess. */
const SILENT_SHARE = 0.7
/** A way that is lost so soon after the one before was dead already. */
const LOST_AGAIN: Micros = 2 * SECOND
/** Candidates that take turns, each before the other's time is up, hold a move up so long and no longer. */
const PREPARE_MOST: Micros = 10 * SECOND
/** A former upper stays on for mesh:B4's 2 s, a confirmation's round trip and some slack. */
const LINGER: Micros = 5 * SECOND

/**
 * The one place where a node decides where it hangs; called after every change of what it is decided by.
 * A node that holds after regressing decides nothing (R8).
 */
export function decide(state: TreeState, now: Micros): void {
  if (state.left || (state.label === undefined && now < state.holdUntil)) return
  const { upper } = state
  const stay = upper !== undefined && mayStay(state, now, upper) ? upper : undefined
  if (stay === undefined && upper !== undefined && isSilent(now, upper)) state.silentAt = now
  const wish = choose(state, now, stay)
  const best = isPrepared(state, now, wish, stay) ? wish : stay
  const isCutOff = state.label !== undefined && stay === undefined && !isLeading(state)
  // Others are asked whether they are there, and one of them may be the next upper.
  const answersAt = best === undefined && !isLeading(state) ? answersBy(state, now) : NEVER
  if (answersAt !== NEVER) {
    arm(state, answersAt)
    return
  }
  if (best !== undefined && isBetterThanSelf(state, best, stay)) {
    // In its grace the upper is what it was: nothing is adopted of a path that nobody verified.
    if (best === stay && best.pathState !== PATH_STATE.good) return
    if (isCutOff && best !== upper) state.context.counters.add(COUNT.treeAlternate)
    adopt(state, now, best, isCutOff)
  } else if (state.rank !== undefined && mayLead(state)) {
    if (isLeading(state)) return
    const waitsUntil = state.detachedAt + leadsAfter(state, best)
    if (state.label !== undefined || now >= waitsUntil) lead(state, now)
    else arm(state, Math.min(waitsUntil, checksBy(state, now)))
  } else if (state.label !== undefined) {
    regress(state, now)
  } else {
    const checks = checksBy(state, now)
    if (checks !== NEVER) arm(state, checks)
  }
}

/**
 * R9 says a second. Who lost its upper in silence has waited two already, so it stands up sooner, and at once
 * for a worse root, which waited for it; and so does who took another way that proved as dead. After other
 * losses the whole second is better: 0.7 s for all made far more nodes regress (test/sim/leave.test.ts).
 */
function leadsAfter(state: TreeState, best: Neighbour | undefined): Micros {
  const { detachedAt, doubtSince, lostUpper, silentAt, tookAt } = state
  const { detachedRoot } = state.context.config
  const heldFor = detachedAt - doubtSince
  const tookAnother = lostUpper !== undefined && tookAt >= doubtSince && tookAt < detachedAt
  const isLostAgain = tookAnother && heldFor >= ANSWERED / 2 && heldFor < LOST_AGAIN
  if (silentAt !== detachedAt && !isLostAgain) return detachedRoot
  return best === undefined ? Math.round(SILENT_SHARE * detachedRoot) : 0
}

/**
 * A move that nothing forces is made before the break: the next upper is first attached as a further one,
 * which R2 allows, registrations move over (`uppers` names it first), and only then does the height fall.
 * A better root is adopted at once (R10), and so is anything when the present upper is lost.
 */
function isPrepared(
  state: TreeState,
  now: Micros,
  wish: Neighbour | undefined,
  stay: Neighbour | undefined,
): boolean {
  const isFree = wish !== undefined && stay !== undefined && wish !== stay
  if (!isFree || state.label === undefined || (wish.claimed as Label).rank !== state.label.rank) {
    endComing(state)
    return true
  }
  if (state.comingSince === NEVER) state.comingSince = now
  if (state.coming !== wish || wish.role !== TREE_ROLE.upper) prepare(state, now, wish)
  const due = comingDue(state, wish)
  if (now < due) {
    arm(state, due)
    return false
  }
  endComing(state)
  return true
}

/** When the move under that neighbour is ready, or has waited long enough. */
export function comingDue(state: TreeState, wish: Neighbour): Micros {
  return Math.min(wish.comingUntil, state.comingSince + PREPARE_MOST)
}

/** Names it first. A candidate that was named before, for the same move, goes on from where it was. */
function prepare(state: TreeState, now: Micros, wish: Neighbour): void {
  const isOpen = wish.role === TREE_ROLE.upper && isSameGeneration(state, wish)
  if (!state.further.includes(wish)) {
    if (state.further.length >= FURTHER_MOVING) closeLeftover(state, now)
    state.further = [...state.further, wish]
  }
  state.coming = wish
  state.uppers = undefined
  openUpper(state, now, wish)
  if (wish.comingUntil === NEVER) wish.comingUntil = now + (isOpen ? PREPARE_OPEN : PREPARE)
  wish.lingerUntil = Math.max(wish.lingerUntil, wish.comingUntil + SECOND, now + PREPARE + SECOND)
}

/** The move is made, or there is none to make any more. */
function endComing(state: TreeState): void {
  if (state.comingSince === NEVER) return
  state.comingSince = NEVER
  for (const further of state.further) further.comingUntil = NEVER
  if (state.coming === undefined) return
  state.coming = undefined
  state.uppers = undefined
}

/** R10: a node is root itself only while no usable label has a better rank. */
function isBetterThanSelf(state: TreeState, best: Neighbour, stay: Neighbour | undefined): boolean {
  if (state.rank === undefined) return true
  const { rank } =
    best === stay && best.pathState !== PATH_STATE.good ? (state.label as Label) : (best.claimed as Label)
  return compareRanks(rank, state.rank) < 0
}

/** R2 for the own label: a node whose height is below what it would be as a root must regress first. */
function mayLead(state: TreeState): boolean {
  if (state.rank === undefined) return false
  if (isLeading(state)) return true
  const seq = Number.MAX_SAFE_INTEGER
  return isBelow({ rank: state.rank, seq, metric: 0 }, state.height)
}

/** R3, R7: hangs the node below the neighbour, or follows the upper's new label. */
function adopt(state: TreeState, now: Micros, upper: Neighbour, urgent: boolean): void {
  const label: Label = {
    rank: (upper.claimed as Label).rank,
    seq: (upper.claimed as Label).seq,
    metric: metricBelow(state, upper),
  }
  const before = state.upper
  const wasDetached = state.label === undefined
  if (before === upper && upper.role === TREE_ROLE.upper && isSameGeneration(state, upper)) {
    follow(state, now, upper, label)
    return
  }
  const height = lowered(state, label)
  state.upper = undefined
  // First, so that its place is free for the one that is left.
  state.further = state.further.filter((other) => other !== upper)
  if (before !== undefined && before !== upper) leaveUpper(state, now, before, height)
  closeAbove(state, now, height, upper)
  setPlace(state, now, label, upper)
  state.upper = upper
  if (before !== upper) state.tookAt = now
  state.upperBeatAt = now
  noteRoot(state, now, upper.root as RootRecord, wasDetached)
  changeRoot(state, now, upper.root as RootRecord)
  openUpper(state, now, upper)
  state.context.out.note({ kind: 'upperChanged', tree: state.tree, link: upper.link.id })
  announce(state, now, urgent ? ANNOUNCE.atOnce : ANNOUNCE.paced)
}

/** R6: the upper is the same and so is its generation; only the label or the path moved. */
function follow(state: TreeState, now: Micros, upper: Neighbour, label: Label): void {
  const before = state.label as Label
  const isSameLabel = before.rank === label.rank && before.seq === label.seq && before.metric === label.metric
  const { pathHigh, pathLow } = state
  const base = state.path.length - 1
  if (isSameLabel && base === upper.path.length && isPathOf(state, upper)) return
  closeAbove(state, now, lowered(state, label), upper)
  setPlace(state, now, label, upper)
  changeRoot(state, now, upper.root as RootRecord)
  state.lastRoot = state.root
  if (!isSameLabel) announce(state, now, ANNOUNCE.paced)
  else if (pathHigh !== state.pathHigh || pathLow !== state.pathLow) {
    // Certificates were renewed above: renewing below at once makes it one wave instead of one for each hop.
    renewLowers(state, now)
    announce(state, now, ANNOUNCE.lazy)
  }
}

function isPathOf(state: TreeState, upper: Neighbour): boolean {
  const last = state.path.length - 1
  return (
    state.path[last] === upper.certificate && upper.path.every((slot, index) => state.path[index] === slot)
  )
}

/** R3: the smaller of the height and a label to be taken on. */
function lowered(state: TreeState, label: Label): Label {
  return isBelow(label, state.height) ? label : (state.height as Label)
}

/** R3: label, height and path; what the fall of the height rules out was closed before. */
function setPlace(state: TreeState, now: Micros, label: Label, upper: Neighbour): void {
  state.height = lowered(state, label)
  state.label = label
  adoptPath(state, [...upper.path, upper.certificate], (upper.root as RootRecord).key)
  const { root } = upper
  if (root !== undefined && root.seq > label.seq) arm(state, Math.max(now + 1, root.seqAt + SEQ_WAIT))
}

/** R3: before the height falls, every further upper whose last label is not smaller than the new one goes. */
function closeAbove(state: TreeState, now: Micros, height: Label, except: Neighbour | undefined): void {
  if (!state.rules.closeOnFall) return
  for (const further of state.further) {
    if (further === except || (further.claimed !== undefined && isBelow(further.claimed, height))) continue
    closeUpper(state, now, further)
    touch(state, now, further)
  }
  state.further = state.further.filter((further) => further.role === TREE_ROLE.upper)
}

/** A former upper that may stay as a further one does, for a while: registrations move over it (mesh:B4). */
function leaveUpper(state: TreeState, now: Micros, upper: Neighbour, height: Label): void {
  const isKept =
    upper.role === TREE_ROLE.upper &&
    state.further.length < FURTHER_MOVING &&
    isUsable(state, now, upper) &&
    isSameGeneration(state, upper) &&
    isBelow(upper.claimed as Label, height)
  if (!isKept) {
    closeUpper(state, now, upper)
    return
  }
  upper.lingerUntil = now + LINGER
  arm(state, upper.lingerUntil)
  state.further = [...state.further, upper]
  state.uppers = undefined
}

/** R5, the lower's half. A link that is open already, as a further upper's, stays so. */
function openUpper(state: TreeState, now: Micros, upper: Neighbour): void {
  state.uppers = undefined
  if (upper.role === TREE_ROLE.upper && isSameGeneration(state, upper)) return
  setRole(state, now, upper, TREE_ROLE.none)
  upper.attachedGeneration = upper.generation
  upper.comingUntil = NEVER
  upper.yours = false
  upper.attachWait = Math.max(ATTACH_FIRST, 2 * upper.link.rtt)
  sendAttach(state, now, upper)
  setRole(state, now, upper, TREE_ROLE.upper)
}

export function sendAttach(state: TreeState, now: Micros, upper: Neighbour): void {
  state.context.counters.add(COUNT.treeAttach)
  upper.attachDue = now + upper.attachWait
  upper.attachWait = Math.min(ATTACH_SLOWEST, upper.attachWait * 2)
  // After many deaths at once an alternate may be as dead as the upper was: it has 1.5 s to say anything.
  state.links.expect(now, upper.link)
  arm(state, upper.attachDue)
  send(
    state,
    now,
    upper,
    encodeControl(KIND.attach, attach, { tree: state.tree, generation: upper.attachedGeneration }),
  )
}

/** The upper does not hold our ATTACH any more, or never got it: say it again, with the first patience. */
export function reattach(state: TreeState, now: Micros, upper: Neighbour): void {
  upper.attachWait = Math.max(ATTACH_FIRST, 2 * upper.link.rtt)
  sendAttach(state, now, upper)
}

function closeUpper(state: TreeState, now: Micros, upper: Neighbour): void {
  upper.attachDue = NEVER
  if (upper.role !== TREE_ROLE.upper) return
  setRole(state, now, upper, TREE_ROLE.none)
  send(
    state,
    now,
    upper,
    encodeControl(KIND.detach, attach, { tree: state.tree, generation: upper.attachedGeneration }),
  )
}

/** R5: the upper is in a new generation; this end's half is gone until it is attached anew. */
export function closeStale(state: TreeState, now: Micros, upper: Neighbour): void {
  if (upper.role !== TREE_ROLE.upper || isSameGeneration(state, upper)) return
  upper.attachDue = NEVER
  setRole(state, now, upper, TREE_ROLE.none)
  state.further = state.further.filter((further) => further !== upper)
}

/** R10: the node stands up as a root. Its height allows it (mayLead). */
function lead(state: TreeState, now: Micros): void {
  const wasDetached = state.label === undefined
  const { upper } = state
  const own = nextSeq(state, now)
  const label: Label = { rank: own.rank, seq: own.seq, metric: 0 }
  state.upper = undefined
  if (upper !== undefined) closeUpper(state, now, upper)
  closeAbove(state, now, lowered(state, label), undefined)
  state.height = lowered(state, label)
  state.label = label
  adoptPath(state, NO_PATH, own.key)
  noteRoot(state, now, own, wasDetached)
  changeRoot(state, now, own)
  state.context.counters.add(COUNT.treeRoot)
  if (upper !== undefined) state.context.out.note({ kind: 'upperChanged', tree: state.tree, link: undefined })
  announce(state, now, ANNOUNCE.paced)
}

/** A root's own label after its seq or its rank got better: smaller than before, so it only falls. */
export function relead(state: TreeState, now: Micros): void {
  const own = nextSeq(state, now)
  const label: Label = { rank: own.rank, seq: own.seq, metric: 0 }
  closeAbove(state, now, lowered(state, label), undefined)
  state.height = lowered(state, label)
  state.label = label
  announce(state, now, ANNOUNCE.paced)
}

/**
 * R8: nothing feasible is left. A new generation closes all lowers without a message, the height is
 * infinite again, and for the hold nothing is adopted, so that voids overtake stale labels.
 */
export function regress(state: TreeState, now: Micros): void {
  const { config, counters, out } = state.context
  counters.add(COUNT.treeRegress)
  noteReign(state, now)
  const { upper } = state
  const hadUpper = state.label !== undefined && !isLeading(state)
  state.upper = undefined
  if (upper !== undefined) closeUpper(state, now, upper)
  for (const further of state.further) closeUpper(state, now, further)
  state.further = []
  if (state.rules.generations) {
    state.generation = (state.generation + 1) >>> 0
    for (const neighbour of state.neighbours) {
      if (neighbour.role === TREE_ROLE.lower) setRole(state, now, neighbour, TREE_ROLE.none)
    }
  }
  state.coming = undefined
  state.comingSince = NEVER
  state.height = undefined
  state.label = undefined
  state.root = undefined
  holdPath(state, NO_PATH, state.path)
  state.path = NO_PATH
  state.uppers = undefined
  let rtt = 0
  for (const neighbour of state.neighbours) rtt = Math.max(rtt, neighbour.link.rtt)
  state.detachedAt = now
  state.holdUntil = now + Math.min(config.holdCeiling, Math.max(config.holdFloor, 2 * rtt))
  arm(state, state.holdUntil)
  arm(state, now + config.detachedRoot)
  armDamping(state, now)
  if (hadUpper) out.note({ kind: 'upperChanged', tree: state.tree, link: undefined })
  out.note({ kind: 'detached', tree: state.tree })
  announce(state, now, ANNOUNCE.atOnce)
}

function changeRoot(state: TreeState, now: Micros, root: RootRecord): void {
  if (state.root === root) return
  noteReign(state, now)
  state.root = root
  state.rootSince = now
  state.passedBeat = root.beat
  state.upperBeatAt = Math.max(state.upperBeatAt, root.beatAt)
  state.context.out.note({
    kind: 'rootChanged',
    tree: state.tree,
    root: peerIdOf(root.key),
    self: root === state.own,
  })
  state.listener.rootChanged(now, state.tree)
}

/**
 * Keeps the further uppers: those still usable stay, up to two are added while they are wanted. An upper
 * that carries every VLAN makes them needless (mesh:M3), and each costs HELLOs at the shorter period.
 */
export function tendFurther(state: TreeState, now: Micros): void {
  const { upper } = state
  // Who waits for answers to find its next upper keeps what VLANs hang on meanwhile.
  if (upper === undefined && state.label !== undefined && !isLeading(state)) return
  const wanted = upper === undefined || isInGrace(state, now, upper) ? 0 : furtherWanted(state, upper)
  for (const further of state.further) {
    const isWanted = wanted > 0 || now < further.lingerUntil
    const isKept = isWanted && isUsable(state, now, further) && !isSilent(now, further)
    if (isKept) continue
    closeUpper(state, now, further)
    touch(state, now, further)
  }
  if (state.further.some((further) => further.role !== TREE_ROLE.upper)) {
    state.further = state.further.filter((further) => further.role === TREE_ROLE.upper)
  }
  const isSettled = state.further.every((further) => now >= further.lingerUntil)
  if (state.further.length > FURTHER_MAX && isSettled) closeLeftover(state, now)
  if (upper === undefined || upper.role !== TREE_ROLE.upper) return
  while (state.further.length < wanted) {
    const next = nextFurther(state, now)
    if (next === undefined) return
    state.further = [...state.further, next]
    openUpper(state, now, next)
  }
}

/** One too many: what a move brought goes, since VLANs may have no other way than through the rest. */
function closeLeftover(state: TreeState, now: Micros): void {
  let [leftover] = state.further as [Neighbour]
  for (const further of state.further) if (further.lingerUntil > leftover.lingerUntil) leftover = further
  closeUpper(state, now, leftover)
  touch(state, now, leftover)
  state.further = state.further.filter((further) => further !== leftover)
}

function furtherWanted(state: TreeState, upper: Neighbour): number {
  const carriesAll = (upper.link.capabilities & CAPABILITY.openRelay) !== 0
  return Math.max(state.furtherWanted, carriesAll ? 0 : FURTHER_MAX)
}

/** The feasible neighbour of least metric that has no role yet; those that carry every VLAN first. */
function nextFurther(state: TreeState, now: Micros): Neighbour | undefined {
  let best: Neighbour | undefined
  let bestValue = 0
  for (const neighbour of state.neighbours) {
    if (neighbour.role !== TREE_ROLE.none || !isFeasible(state, now, neighbour)) continue
    if (isSilent(now, neighbour)) continue
    const isOpen = (neighbour.link.capabilities & CAPABILITY.openRelay) !== 0
    const value = metricBelow(state, neighbour) + (isOpen ? 0 : 0xffff_ffff)
    if (best !== undefined && value >= bestValue) continue
    best = neighbour
    bestValue = value
  }
  return best
}
