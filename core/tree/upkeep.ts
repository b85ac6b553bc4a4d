/**
 * The life of a tree's neighbours and timers: links that come and go, what each HELLO shows (R11), and
 * what is due at a wake.
 */
import { COUNT } from '../counters.ts'
import { type Micros, NEVER, SECOND, TREE_ROLE } from '../io.ts'
import type { Link } from '../links/link.ts'
import { ASK_FIRST, ask, askMissing, repeatAll, touch } from './advertise.ts'
import { comingDue, reattach, regress, relead, sendAttach } from './attach.ts'
import { NO_CERTIFICATE } from './certificates.ts'
import { checkCost, isCostSteady, issue, tendCertificate } from './certify.ts'
import { metricBelow, PATH_GRACE } from './choice.ts'
import { armDamping, checkBeats, SEQ_WAIT } from './damping.ts'
import { compareRanks } from './label.ts'
import { WANTED } from './messages.ts'
import { type Neighbour, NO_PATH, newNeighbour } from './neighbour.ts'
import { clearPath, voidLink } from './paths.ts'
import { forgetRoots, nextBeat, ownRank, passBeat } from './roots.ts'
import {
  arm,
  armLater,
  doubt,
  holdPath,
  isLeading,
  isSilent,
  setRole,
  type TreeState,
  tendLife,
} from './state.ts'
import type { TreeSummary } from './tree.ts'

/** Text (c): links of a node. More neighbours than this have no bit in the tables and are not used. */
const NEIGHBOURS_MAX = 64
/** An UPDATE that was sent less than this ago may simply not have arrived when the peer said HELLO. */
const REFRESH_AFTER: Micros = SECOND

/** A certificate that ends is seen to by then: half of the time that is left to a superseded one. */
const QUIET: Micros = 60 * SECOND

/** The first lines of every input: the first of all starts the clock of the tree. */
export function begin(state: TreeState, now: Micros): void {
  state.busy = true
  if (state.startedAt >= 0) return
  state.startedAt = now
  state.detachedAt = now
  state.rank = ownRank(state, now)
  arm(state, now + state.context.config.detachedRoot)
}

export function addNeighbour(state: TreeState, now: Micros, link: Link): void {
  state.changed = true
  const slot = freeSlot(state)
  if (slot >= NEIGHBOURS_MAX) {
    state.context.counters.add(COUNT.boundLinks)
    return
  }
  useSlot(state, slot, true)
  const neighbour = newNeighbour(link, slot, now)
  state.byLink.set(link.id, neighbour)
  if (state.tree === 0) link.inTree = neighbour
  state.neighbours = [...state.neighbours, neighbour]
  // LINKCERT first: the label in the UPDATE that follows is of no use without it.
  issue(state, now, neighbour)
  neighbour.updateDue = now
  state.flushNow = true
  // The peer may have spoken before this end was ready to hear it.
  neighbour.askWait = ASK_FIRST
  neighbour.askDue = now + REFRESH_AFTER
  arm(state, neighbour.askDue)
}

/** R8 and R9 begin here: the void is signed before anything else is said. */
export function removeNeighbour(state: TreeState, now: Micros, neighbour: Neighbour): void {
  if (state.byLink.get(neighbour.link.id) !== neighbour) return
  neighbour.gone = true
  state.changed = true
  state.byLink.delete(neighbour.link.id)
  if (state.tree === 0) neighbour.link.inTree = undefined
  state.neighbours = state.neighbours.filter((other) => other !== neighbour)
  const isUpper = neighbour === state.upper
  // A leaf's link is in nobody's path, and neither are most others; but whoever fell silent may be the way of
  // others too, who do not know it yet.
  const isNews =
    neighbour.link.probes > 0 && neighbour.role !== TREE_ROLE.none && neighbour.doubtedAt === NEVER
  if (isNews || (isUpper && state.context.config.relay)) voidLink(state, now, neighbour)
  if (isUpper) {
    if (neighbour.link.probes > 0) state.silentAt = now
    state.upper = undefined
    doubt(state, now, neighbour.link.key)
  }
  state.further = state.further.filter((other) => other !== neighbour)
  if (state.coming === neighbour) state.coming = undefined
  state.uppers = undefined
  setRole(state, now, neighbour, TREE_ROLE.none)
  clearPath(state, neighbour)
  if (neighbour.certificate !== NO_CERTIFICATE) holdPath(state, NO_PATH, [neighbour.certificate])
  state.certificates.forgetNeighbour(neighbour.slot)
  state.voids.forgetNeighbour(neighbour.slot)
  useSlot(state, neighbour.slot, false)
}

/** Undefined if the link is none of the tree's. */
export function neighbourOf(state: TreeState, link: Link): Neighbour | undefined {
  return state.tree === 0 ? (link.inTree as Neighbour | undefined) : state.byLink.get(link.id)
}

function freeSlot(state: TreeState): number {
  if (state.slotsLow !== 0xffff_ffff) return Math.clz32(lowestBit(~state.slotsLow)) ^ 31
  if (state.slotsHigh !== 0xffff_ffff) return 32 + (Math.clz32(lowestBit(~state.slotsHigh)) ^ 31)
  return NEIGHBOURS_MAX
}

function lowestBit(word: number): number {
  return (word & -word) >>> 0
}

function useSlot(state: TreeState, slot: number, used: boolean): void {
  const bit = (1 << (slot & 31)) >>> 0
  if (slot < 32) state.slotsLow = (used ? state.slotsLow | bit : state.slotsLow & ~bit) >>> 0
  else state.slotsHigh = (used ? state.slotsHigh | bit : state.slotsHigh & ~bit) >>> 0
}

/**
 * R11: HELLO shows the hashes of the last UPDATEs. What the peer sent and this end did not get is certain,
 * since control is in order: it is asked for. What this end sent and the peer did not get may be under way
 * still, so only an older one is repeated, and a missing ATTACH with it.
 */
export function refresh(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  summary: Readonly<TreeSummary>,
): void {
  noteSummary(neighbour, summary)
  const { counters } = state.context
  if (summary.sentHash !== neighbour.receivedHash) {
    counters.add(COUNT.treeRefresh)
    ask(state, now, neighbour, WANTED.update)
  } else {
    askMissing(state, now, neighbour)
  }
  if (summary.receivedHash !== neighbour.sentHash && hasSettled(now, neighbour)) {
    counters.add(COUNT.treeRefresh)
    repeatAll(state, neighbour)
    if (neighbour.role === TREE_ROLE.upper && !neighbour.yours) reattach(state, now, neighbour)
  }
  checkCost(state, now, neighbour)
  const isQuiet = agrees(neighbour, summary) && neighbour.askDue === NEVER && isCostSteady(state, neighbour)
  neighbour.quietUntil = isQuiet ? now + QUIET : 0
}

/**
 * Most HELLOs find both ends agreed and nothing missing: then it is enough to note what they show. True if
 * this is one of them; only the neighbour's own record is looked at.
 */
export function isQuiet(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  summary: Readonly<TreeSummary>,
): boolean {
  if (now >= neighbour.quietUntil || !agrees(neighbour, summary)) return false
  if (!isCostSteady(state, neighbour)) return false
  noteSummary(neighbour, summary)
  return true
}

function noteSummary(neighbour: Neighbour, summary: Readonly<TreeSummary>): void {
  neighbour.summaryRoot = summary.rootHash
  neighbour.summaryBeat = summary.beat
}

function agrees(neighbour: Neighbour, summary: Readonly<TreeSummary>): boolean {
  return summary.sentHash === neighbour.receivedHash && summary.receivedHash === neighbour.sentHash
}

/** The last UPDATE should have arrived by now. */
function hasSettled(now: Micros, neighbour: Neighbour): boolean {
  return now - neighbour.updateSentAt > Math.max(REFRESH_AFTER, 2 * neighbour.link.rtt)
}

/** Does what is due and sets every timer anew. */
export function tend(state: TreeState, now: Micros): void {
  tendRank(state, now)
  if (state.label === undefined) {
    armLater(state, now, state.holdUntil)
    armLater(state, now, state.detachedAt + state.context.config.detachedRoot)
  }
  if (isLeading(state)) tendReign(state, now)
  else checkBeats(state, now)
  forgetRoots(state, now)
  state.certificates.trim(now)
  armDamping(state, now)
  armLater(state, now, state.dampedUntil)
  for (const root of state.roots) armLater(state, now, root.refusedUntil)
  if (state.root !== undefined && state.label !== undefined && state.root.seq > state.label.seq) {
    armLater(state, now, state.root.seqAt + SEQ_WAIT)
  }
  for (const neighbour of state.neighbours) tendNeighbour(state, now, neighbour)
}

/**
 * The machine slept, and every link is down. Ages counted by its clock mean nothing: roots, losses and what
 * was refused begin anew, as at a start, and so does the hour that a proven relay must have been up. What
 * expired is forgotten, so that the same certificates are verified and taken as new. The own seq, generation
 * and serials only grow, so nothing that others remember is said twice.
 */
export function forgetAsleep(state: TreeState, now: Micros): void {
  if (state.label !== undefined) regress(state, now)
  state.startedAt = now
  state.rank = ownRank(state, now)
  state.roots = state.own === undefined ? [] : [state.own]
  state.lastRoot = undefined
  state.lossAt = NEVER
  state.dampedUntil = 0
  state.certificates.trim(now)
  state.changed = true
}

/** The class of the own rank may change with time and reachability (mesh:M4). */
function tendRank(state: TreeState, now: Micros): void {
  const before = state.rank
  const after = ownRank(state, now)
  if (before === undefined || after === undefined || before === after) return
  state.rank = after
  if (!isLeading(state)) return
  // R10: a root whose rank worsens regresses; it may stand up again with the rank it has now.
  if (compareRanks(after, before) > 0) regress(state, now)
  else relead(state, now)
}

function tendReign(state: TreeState, now: Micros): void {
  if (now >= state.seqDue) {
    relead(state, now)
  } else if (now >= state.beatDue) {
    nextBeat(state, now)
    passBeat(state, now)
  }
  arm(state, state.seqDue)
  arm(state, state.beatDue)
}

function tendNeighbour(state: TreeState, now: Micros, neighbour: Neighbour): void {
  if (neighbour.updateDue <= now) state.flushNow = true
  else arm(state, neighbour.updateDue)
  if (neighbour.role === TREE_ROLE.upper && neighbour.attachDue <= now) sendAttach(state, now, neighbour)
  else if (neighbour.attachDue !== NEVER) arm(state, neighbour.attachDue)
  if (neighbour.askDue !== NEVER) askMissing(state, now, neighbour)
  if (neighbour.renewDue !== NEVER) tendCertificate(state, now, neighbour)
  armLater(state, now, neighbour.avoidUntil)
  tendLife(state, now, neighbour)
  // What is sent down to it goes nowhere, and may be wanted elsewhere. If it lives it attaches anew.
  if (neighbour.role === TREE_ROLE.lower && isSilent(now, neighbour)) {
    setRole(state, now, neighbour, TREE_ROLE.none)
    touch(state, now, neighbour)
  }
  if (neighbour.role !== TREE_ROLE.upper) return
  armLater(state, now, neighbour.lingerUntil)
  if (neighbour === state.coming) armLater(state, now, comingDue(state, neighbour))
  armLater(state, now, neighbour.pathExpires)
  armLater(state, now, state.certificates.expires(neighbour.certificate))
  if (neighbour.unknownSince !== NEVER) armLater(state, now, neighbour.unknownSince + PATH_GRACE)
}

/** Links whose upper half is open here: the tree's own first, then further ones by metric. */
export function upperLinks(state: TreeState): readonly Link[] {
  if (state.uppers !== undefined) return state.uppers
  const open: Neighbour[] = []
  const { coming, upper } = state
  if (coming?.role === TREE_ROLE.upper && state.further.includes(coming)) open.push(coming)
  if (upper?.role === TREE_ROLE.upper) open.push(upper)
  const further = state.further.filter(
    (each) => each.role === TREE_ROLE.upper && each.claimed !== undefined && each !== coming,
  )
  // Equals stay in the order in which they came.
  open.push(...further.sort((left, right) => metricBelow(state, left) - metricBelow(state, right)))
  state.uppers = open.map(({ link }) => link)
  return state.uppers
}

/** The link ended within a step: nothing is sent on it, and the end of the step removes it. */
export function lose(state: TreeState, neighbour: Neighbour): void {
  if (neighbour.gone) return
  neighbour.gone = true
  state.lost.push(neighbour)
}
