/**
 * The state of one tree at one node, as mesh text (a) lists it, and the few ways in which every rule
 * changes it. Plain data: no closure, no promise; neighbours in the order in which they came.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import type { Dice } from '../dice.ts'
import { sameBytes } from '../ids.ts'
import { type LinkId, type Micros, NEVER, SECOND, TREE_ROLE, type TreeRole } from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import { CertificateTable } from './certificates.ts'
import type { Label, Rank, RootRecord } from './label.ts'
import { type Allowance, type Neighbour, NO_PATH, spend, spendFlip, spendVerify } from './neighbour.ts'
import type { TreeListener } from './tree.ts'
import { VoidTable } from './voids.ts'

/**
 * Rules that can be taken away, for tests only. Without one of the three safety rules cycles arise, and a
 * checker that finds none in these mutants would prove nothing about the real rules (mesh:N4, M1).
 */
export interface SafetyRules {
  /** R5, R8: regressing starts a new generation, which closes the half-links of all lowers. */
  readonly generations: boolean
  /** R2: only labels below the own height are adopted. */
  readonly heights: boolean
  /** R3: before the height falls, further uppers that are not below it are detached. */
  readonly closeOnFall: boolean
  /** R10's damping as mended (damping.ts); without it as first written, which takes a mesh apart. */
  readonly damping: boolean
}

export const ALL_RULES: SafetyRules = { generations: true, heights: true, closeOnFall: true, damping: true }

export interface TreeState {
  readonly context: Context
  readonly links: LinkPort
  readonly listener: TreeListener
  readonly dice: Dice
  readonly rules: SafetyRules
  readonly tree: number

  neighbours: readonly Neighbour[]
  readonly byLink: Map<LinkId, Neighbour>
  /** Neighbour slots in use, low and high word. */
  slotsLow: number
  slotsHigh: number

  // Where the node hangs.
  generation: number
  /** Undefined: infinite. Never grows within a generation. */
  height: Label | undefined
  /** Undefined: detached. */
  label: Label | undefined
  /** The root of the own label; the own record while leading. */
  root: RootRecord | undefined
  rootSince: Micros
  upper: Neighbour | undefined
  /** Key of the upper end of the link that the own path lost last, and when: ways through it are doubted. */
  lostUpper: Uint8Array | undefined
  doubtSince: Micros
  /** When an upper was last taken that was not the one before. */
  tookAt: Micros
  /** When an upper was last lost that gave no sign of life. */
  silentAt: Micros
  further: readonly Neighbour[]
  /** One of `further`, under which the node will move when registrations have gone over (mesh:B4). */
  coming: Neighbour | undefined
  /** Since when the node wants to move, under whomever; NEVER if it does not. */
  comingSince: Micros
  /** About to leave: links through this node are as dear as can be. */
  retiring: boolean
  /** Certificates root … self. */
  path: readonly number[]
  pathHigh: number
  pathLow: number
  /** `uppers()`, made when asked for after a change. */
  uppers: readonly Link[] | undefined

  // As a root.
  /** Undefined for a leaf. */
  rank: Rank | undefined
  own: RootRecord | undefined
  seqCount: number
  beatDue: Micros
  seqDue: Micros
  /** It carries any VLAN for others. */
  open: boolean
  reachable: boolean
  /** First step of this tree; -1 before. */
  startedAt: Micros

  // Detached, or waiting for something.
  detachedAt: Micros
  holdUntil: Micros

  // Roots known and lost (R10).
  roots: readonly RootRecord[]
  /** The root that the node hung in last, also while it is detached. */
  lastRoot: RootRecord | undefined
  /** When this node last lost a root, and the time before that; NEVER if not yet. */
  lossAt: Micros
  dampedUntil: Micros
  /** When the upper last passed on a newer beat, or became the upper. */
  upperBeatAt: Micros
  passedBeat: number

  readonly certificates: CertificateTable
  readonly voids: VoidTable
  serialCount: number
  /** Further uppers wanted whatever the upper says of itself. */
  furtherWanted: number

  /** The earliest timer of this tree. */
  due: Micros
  /** Something that decisions rest on is not what it was: the end of the step decides anew. */
  changed: boolean
  /** Some UPDATE is due within this step. */
  flushNow: boolean
  /** An input is being handled: a link that ends meanwhile waits in `lost`. */
  busy: boolean
  readonly lost: Neighbour[]
  left: boolean

  // Signatures that all neighbours together may make this tree check (`mayVerify`).
  readonly verify: Allowance
}

/**
 * Signatures checked for all neighbours together: a peer that comes back has a new allowance of its own, and
 * many liars have many. Guesses: 14 % of a core at worst, and no honest storm in the simulator comes near.
 */
const VERIFY_BURST = 4_000
const VERIFY_PER_SECOND = 1_000

/** Who is asked for a sign of life gives it within this time and a round trip. Guess. */
export const ANSWERED: Micros = SECOND / 4
/** No round trip counts for more: what a peer's answers let it seem is its own making. Guess. */
const ROUND_MOST: Micros = SECOND / 4
/** Who gives none is asked again, first after so long. Guess. */
const ASK_AGAIN: Micros = SECOND

/** By then the allowance has one more (neighbour.ts). */
const FLIP_PAUSE: Micros = SECOND

export function newState(
  context: Context,
  links: LinkPort,
  listener: TreeListener,
  tree: number,
  rules: SafetyRules,
): TreeState {
  return {
    context,
    links,
    listener,
    rules,
    tree,
    dice: context.dice.fork(`tree ${tree}`),
    neighbours: [],
    byLink: new Map(),
    slotsLow: 0,
    slotsHigh: 0,
    generation: 1,
    height: undefined,
    label: undefined,
    root: undefined,
    rootSince: 0,
    upper: undefined,
    lostUpper: undefined,
    doubtSince: 0,
    tookAt: 0,
    silentAt: NEVER,
    further: [],
    coming: undefined,
    comingSince: NEVER,
    retiring: false,
    path: NO_PATH,
    pathHigh: 0,
    pathLow: 0,
    uppers: undefined,
    rank: undefined,
    own: undefined,
    seqCount: 0,
    beatDue: NEVER,
    seqDue: NEVER,
    reachable: false,
    open: context.config.policy.mode === 'open',
    startedAt: -1,
    detachedAt: 0,
    holdUntil: 0,
    roots: [],
    lastRoot: undefined,
    lossAt: NEVER,
    dampedUntil: 0,
    upperBeatAt: 0,
    passedBeat: 0,
    certificates: new CertificateTable(),
    voids: new VoidTable(),
    serialCount: 0,
    furtherWanted: 0,
    due: NEVER,
    changed: true,
    flushNow: false,
    busy: false,
    lost: [],
    left: false,
    verify: { tokens: VERIFY_BURST, at: 0 },
  }
}

/** A timer was set: the tree wants to be woken at that time at the latest. */
export function arm(state: TreeState, at: Micros): void {
  if (at >= state.due) return
  state.due = at
  state.context.deadline.lower(at)
}

/** A timer that matters only if it lies ahead. */
export function armLater(state: TreeState, now: Micros, at: Micros): void {
  if (at > now) arm(state, at)
}

export function send(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): void {
  if (!neighbour.gone) state.links.control(now, neighbour.link, packet)
}

export function isLeading(state: TreeState): boolean {
  return state.root !== undefined && state.root === state.own
}

/** R5: this end's half of the link. One role always ends before another begins. */
export function setRole(state: TreeState, now: Micros, neighbour: Neighbour, role: TreeRole): void {
  if (neighbour.role === role) return
  if (neighbour.role !== TREE_ROLE.none && role !== TREE_ROLE.none)
    setRole(state, now, neighbour, TREE_ROLE.none)
  // An upper that is lost again and again is none for a while: each time all that is below has to move.
  if (neighbour.role === TREE_ROLE.upper && !mayFlip(state, now, neighbour)) {
    neighbour.avoidUntil = Math.max(neighbour.avoidUntil, now + FLIP_PAUSE)
    arm(state, neighbour.avoidUntil)
  }
  neighbour.role = role
  state.links.setTreeUse(now, neighbour.link, role !== TREE_ROLE.none)
  state.uppers = undefined
  const { id } = neighbour.link
  state.context.out.note({ kind: 'treeLink', tree: state.tree, link: id, role })
  state.listener.roleChanged(now, state.tree, neighbour.link, role)
}

/** Whether one more signature may be checked for the neighbour now; counted if not. */
export function mayVerify(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  if (spendVerify(neighbour, now) && spend(state.verify, now, VERIFY_PER_SECOND, VERIFY_BURST)) return true
  state.context.counters.add(COUNT.boundVerify)
  return false
}

/** Whether this end's half of the link may change once more on the neighbour's account; counted if not. */
export function mayFlip(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  if (spendFlip(neighbour, now)) return true
  state.context.counters.add(COUNT.boundControlRate)
  return false
}

/** Replaces a list of slots, holding the new ones before the old are let go. */
export function holdPath(state: TreeState, fresh: readonly number[], stale: readonly number[]): void {
  for (const slot of fresh) state.certificates.hold(slot)
  for (const slot of stale) state.certificates.release(slot)
}

/**
 * The path was lost below that node, which may have died in silence, and others with it: where the mesh was
 * cut, links without traffic stay for 20 s and more. So all are asked whether they are there (choice.ts).
 */
export function doubt(state: TreeState, now: Micros, upperKey: Uint8Array): void {
  state.lostUpper = upperKey.slice()
  state.doubtSince = now
  for (const neighbour of state.neighbours) doubtOne(state, now, neighbour)
}

/**
 * Somebody lost its link to that node. If it is a neighbour here it is asked too: whoever hangs below it
 * without traffic, or has it below, would find out 15 s later that it is dead, and is the way of others till
 * then. True if that is news.
 */
export function suspect(state: TreeState, now: Micros, key: Uint8Array): boolean {
  for (const neighbour of state.neighbours)
    if (sameBytes(neighbour.link.key, key)) return doubtOne(state, now, neighbour)
  return false
}

/** False if it was asked already. */
function doubtOne(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  const { gone, doubtedAt, lifeAskedAt, link } = neighbour
  const isAsked = doubtedAt !== NEVER && link.heardAt < doubtedAt
  // Who has answered just now counts as heard: whatever is lost here, nobody is asked more often.
  const isProven = now < lifeAskedAt + ANSWERED && link.heardAt >= lifeAskedAt
  if (gone || isAsked || isProven) return false
  neighbour.doubtedAt = now
  askLife(state, now, neighbour)
  armLater(state, now, silentFrom(neighbour))
  return true
}

/** Who was asked for a sign of life has given it by then. */
export function answerBy({ doubtedAt, link }: Neighbour): Micros {
  return doubtedAt + ANSWERED + 2 * roundOf(link)
}

/** A round trip, as far as it counts. */
export function roundOf(link: Link): Micros {
  return Math.min(link.rtt, ROUND_MOST)
}

/** The longest round trip of a link that is of use, by satellite and through long queues. Guess. */
const ROUND_SLOWEST: Micros = 2 * SECOND

/** When it is no way any more, if it gave no sign of life: a slow link has its time. */
function silentFrom({ doubtedAt, link }: Neighbour): Micros {
  return doubtedAt + ANSWERED + 2 * Math.min(link.rtt, ROUND_SLOWEST)
}

/** It was asked for a sign of life and its time is up: until it gives one it is no way to anywhere. */
export function isSilent(now: Micros, neighbour: Neighbour): boolean {
  const { doubtedAt, link } = neighbour
  return doubtedAt !== NEVER && link.heardAt < doubtedAt && now >= silentFrom(neighbour)
}

/**
 * Asks for a sign of life, and again after an eighth of the time for which there was none: the link may be
 * whole again long before its next HELLO is due.
 */
function askLife(state: TreeState, now: Micros, neighbour: Neighbour): void {
  state.links.ask(now, neighbour.link)
  neighbour.lifeAskedAt = now
  neighbour.lifeDue = now + Math.max(ASK_AGAIN, Math.round((now - neighbour.doubtedAt) / 8))
  arm(state, neighbour.lifeDue)
}

/** It may have given one: whoever needs an upper, or a better root, may look at it again. */
export function believe(state: TreeState, neighbour: Neighbour): void {
  if (neighbour.doubtedAt === NEVER || neighbour.link.heardAt < neighbour.doubtedAt) return
  neighbour.doubtedAt = NEVER
  neighbour.lifeDue = NEVER
  state.changed = true
}

/** Those who gave no sign of life are asked again when it is time. */
export function tendLife(state: TreeState, now: Micros, neighbour: Neighbour): void {
  if (neighbour.doubtedAt !== NEVER) armLater(state, now, silentFrom(neighbour))
  if (neighbour.lifeDue > now) {
    arm(state, neighbour.lifeDue)
    return
  }
  // It may have said anything but a HELLO.
  believe(state, neighbour)
  if (neighbour.doubtedAt !== NEVER) askLife(state, now, neighbour)
}
