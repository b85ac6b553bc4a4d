/**
 * What a node tells its neighbours: UPDATE with its pacing, and the requests that mend what was lost
 * (R11). Only the latest state is ever sent; nothing is queued here.
 */
import { COUNT } from '../counters.ts'
import { type Micros, NEVER, SECOND, TREE_ROLE } from '../io.ts'
import { fingerprint } from '../wire/fingerprint.ts'
import { KIND } from '../wire/kinds.ts'
import { encodeControl } from '../wire/schema.ts'
import { NO_CERTIFICATE } from './certificates.ts'
import type { Label, RootRecord } from './label.ts'
import {
  type Claim,
  PATH_MAX,
  path,
  pathRequest,
  UPDATE_FLAG,
  UPDATE_VOIDS_MAX,
  type Update,
  update,
  WANTED,
} from './messages.ts'
import { type Neighbour, PATH_STATE } from './neighbour.ts'
import { beatPartOf, noteKnown } from './roots.ts'
import { arm, send, type TreeState } from './state.ts'

/** How soon a change must be told. */
export const ANNOUNCE = {
  /** Detaching, or after a lost upper. */
  atOnce: 0,
  /** One to a link and 100 ms. */
  paced: 1,
  /** Only certificates were renewed, and the old ones still hold for minutes: joins what else happens. */
  lazy: 2,
} as const
export type Announce = (typeof ANNOUNCE)[keyof typeof ANNOUNCE]

/** How long a lazy change waits for company. Guess. */
const LAZY_WAIT: Micros = SECOND
/** What is missing is asked for again after this long, doubling to the second. Guesses. */
export const ASK_FIRST: Micros = SECOND / 2
const ASK_SLOWEST: Micros = 5 * SECOND
/** At most one answer to a neighbour in this time: answers are up to 5 kB. */
const ANSWER_SPACING: Micros = SECOND / 10
/** A certificate of the neighbour's that ends this soon was not renewed: ask. */
const CERTIFICATE_LATE: Micros = 120 * SECOND

/** The own state changed: every neighbour is told, each at its time. */
export function announce(state: TreeState, now: Micros, how: Announce): void {
  for (const neighbour of state.neighbours) {
    // What lies above it is no news to the own upper: such a label runs through it and is of no use to it.
    if (neighbour === state.upper && neighbour.sentMine && state.label !== undefined) continue
    schedule(state, now, neighbour, how)
  }
}

/** Something changed for this neighbour alone. */
export function touch(state: TreeState, now: Micros, neighbour: Neighbour): void {
  schedule(state, now, neighbour, ANNOUNCE.paced)
}

function schedule(state: TreeState, now: Micros, neighbour: Neighbour, how: Announce): void {
  const paced = Math.max(now, neighbour.updateSentAt + state.context.config.updatePace)
  const at = how === ANNOUNCE.atOnce ? now : how === ANNOUNCE.paced ? paced : Math.max(paced, now + LAZY_WAIT)
  if (at >= neighbour.updateDue) return
  neighbour.updateDue = at
  if (at <= now) state.flushNow = true
  else arm(state, at)
}

/** At the end of a step: whoever is due gets one UPDATE with all that the step changed. */
export function flush(state: TreeState, now: Micros): void {
  if (!state.flushNow) return
  state.flushNow = false
  for (const neighbour of state.neighbours) {
    if (neighbour.updateDue <= now) sendUpdate(state, now, neighbour)
  }
}

function sendUpdate(state: TreeState, now: Micros, neighbour: Neighbour): void {
  // A leaf has no lowers: it tells nobody where it hangs.
  const label = state.context.config.relay ? state.label : undefined
  const message: Update = {
    tree: state.tree,
    generation: state.generation,
    flags:
      (neighbour.role === TREE_ROLE.lower ? UPDATE_FLAG.yours : 0) |
      (neighbour.role === TREE_ROLE.upper ? UPDATE_FLAG.mine : 0),
    label: label === undefined ? undefined : claim(state, label),
    ids: label === undefined ? undefined : idsFor(state, neighbour),
    certificates: label === undefined ? [] : certificatesFor(state, neighbour),
    voids: voidsFor(state, now, neighbour),
    beat: label === undefined ? undefined : beatFor(state.root as RootRecord, label, neighbour),
  }
  const packet = encodeControl(KIND.update, update, message)
  state.context.counters.add(COUNT.treeUpdate)
  neighbour.updateDue = NEVER
  neighbour.updateSentAt = now
  neighbour.sentHash = updateHash(packet)
  neighbour.sentMine = neighbour === state.upper && neighbour.role === TREE_ROLE.upper
  send(state, now, neighbour, packet)
}

function claim(state: TreeState, label: Label): Claim {
  const { rank, seq, metric } = label
  return {
    class: rank.class,
    priority: rank.priority,
    hash0: rank.hash0,
    hash1: rank.hash1,
    hash2: rank.hash2,
    hash3: rank.hash3,
    seq,
    metric,
    depth: state.path.length,
    pathHigh: state.pathHigh,
    pathLow: state.pathLow,
  }
}

function idsFor(state: TreeState, neighbour: Neighbour): number[] | undefined {
  const { pathHigh, pathLow } = state
  if (neighbour.sentPath && neighbour.sentPathHigh === pathHigh && neighbour.sentPathLow === pathLow)
    return undefined
  neighbour.sentPath = true
  neighbour.sentPathHigh = pathHigh
  neighbour.sentPathLow = pathLow
  return state.path.map((slot) => state.certificates.id(slot))
}

/** Those of the path that neither end has sent to the other on this link. */
function certificatesFor(state: TreeState, neighbour: Neighbour): Update['certificates'] {
  const { certificates } = state
  const missing: { place: number; certificate: Uint8Array }[] = []
  for (let place = 0; place < state.path.length; place++) {
    const slot = state.path[place] as number
    if (certificates.isKnown(slot, neighbour.slot)) continue
    certificates.setKnown(slot, neighbour.slot, true)
    missing.push({ place, certificate: certificates.wire(slot) })
  }
  return missing
}

function voidsFor(state: TreeState, now: Micros, neighbour: Neighbour): Update['voids'] {
  const { voids } = state
  if (voids.size === 0) return []
  return voids.unknownTo(now, neighbour.slot, UPDATE_VOIDS_MAX).map((index) => {
    voids.setKnown(index, neighbour.slot, true)
    return voids.part(index)
  })
}

function beatFor(root: RootRecord, label: Label, neighbour: Neighbour): Update['beat'] {
  if (neighbour.knownRoot === root && neighbour.knownSeq >= label.seq) return undefined
  noteKnown(neighbour, root, root.seq, root.beat)
  return beatPartOf(root)
}

/** R11: something did not arrive; the next UPDATE says everything again. */
export function repeatAll(state: TreeState, neighbour: Neighbour): void {
  neighbour.sentPath = false
  neighbour.knownRoot = undefined
  for (const slot of state.path) state.certificates.setKnown(slot, neighbour.slot, false)
  neighbour.updateDue = 0
  state.flushNow = true
}

/** What this node lacks of the neighbour's state, as flags of PATH_REQUEST. */
function missing(state: TreeState, now: Micros, neighbour: Neighbour): number {
  if (!neighbour.heard) return WANTED.update
  if (neighbour.claimed === undefined) return 0
  const isLate =
    neighbour.certificate === NO_CERTIFICATE ||
    state.certificates.expires(neighbour.certificate) < now + CERTIFICATE_LATE
  return (isLate ? WANTED.certificate : 0) | (neighbour.pathState === PATH_STATE.unknown ? WANTED.path : 0)
}

/** Asks for what is missing, if anything; asks again with growing patience. */
export function askMissing(state: TreeState, now: Micros, neighbour: Neighbour): void {
  const wanted = missing(state, now, neighbour)
  if (wanted === 0) {
    neighbour.askDue = NEVER
    neighbour.askWait = ASK_FIRST
    return
  }
  const isDue = neighbour.askDue === NEVER || neighbour.askDue <= now
  if (isDue && now < neighbour.askedAt + ANSWER_SPACING) {
    // Sooner it would not be answered.
    neighbour.askDue = neighbour.askedAt + ANSWER_SPACING
  } else if (isDue) {
    ask(state, now, neighbour, wanted)
    neighbour.askDue = now + Math.max(neighbour.askWait, 2 * neighbour.link.rtt)
    neighbour.askWait = Math.min(ASK_SLOWEST, neighbour.askWait * 2)
  }
  arm(state, neighbour.askDue)
}

/** Sooner than the spacing it would not be answered, and whoever makes us ask shall not set the pace. */
export function ask(state: TreeState, now: Micros, neighbour: Neighbour, wanted: number): void {
  if (now < neighbour.askedAt + ANSWER_SPACING) return
  neighbour.askedAt = now
  send(state, now, neighbour, encodeControl(KIND.pathRequest, pathRequest, { tree: state.tree, wanted }))
}

/** Whether the neighbour may be answered now; counted if it asks too often. */
export function mayAnswer(state: TreeState, now: Micros, neighbour: Neighbour): boolean {
  if (now < neighbour.answeredAt + ANSWER_SPACING) {
    state.context.counters.add(COUNT.boundPathRequests)
    return false
  }
  neighbour.answeredAt = now
  return true
}

/** The whole path of the last UPDATE; nothing if that one is stale, since a newer UPDATE is due then. */
export function sendPath(state: TreeState, now: Micros, neighbour: Neighbour): void {
  const { root, label } = state
  if (root === undefined || label === undefined || !state.context.config.relay) return
  if (state.path.length > PATH_MAX) return
  for (const slot of state.path) state.certificates.setKnown(slot, neighbour.slot, true)
  const message = {
    tree: state.tree,
    pathHigh: state.pathHigh,
    pathLow: state.pathLow,
    beat: beatPartOf(root),
    certificates: state.path.map((slot) => state.certificates.wire(slot)),
  }
  send(state, now, neighbour, encodeControl(KIND.path, path, message))
}

/** What HELLO says of an UPDATE, never 0: only to notice what got lost. */
export function updateHash(packet: Uint8Array): number {
  return fingerprint(packet) >>> 0 || 1
}
