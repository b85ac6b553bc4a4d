/**
 * What each message does to the state of a tree, before the node decides anew (crst.ts). A handler answers
 * false for a packet that is not of its form; everything else that is wrong it counts by its reason.
 */
import { COUNT } from '../counters.ts'
import { type Micros, NEVER, TREE_ROLE } from '../io.ts'
import { KIND } from '../wire/kinds.ts'
import { decodeControl } from '../wire/schema.ts'
import { ASK_FIRST, askMissing, mayAnswer, repeatAll, sendPath, touch, updateHash } from './advertise.ts'
import { closeStale, reattach } from './attach.ts'
import { certificateSerial, NO_CERTIFICATE, serialAfter } from './certificates.ts'
import { issue } from './certify.ts'
import { PATH_GRACE } from './choice.ts'
import type { RootRecord } from './label.ts'
import {
  attach,
  type BeatPart,
  beat,
  type Claim,
  linkCertificate,
  path,
  pathRequest,
  UPDATE_FLAG,
  type Update,
  update,
  voidMessage,
  WANTED,
} from './messages.ts'
import { type Neighbour, PATH_STATE } from './neighbour.ts'
import { takeOwnCertificate, takeUpdatePath, takeVoid, takeWholePath } from './paths.ts'
import { findHash, passBeat, provenRank, takeBeat } from './roots.ts'
import { arm, mayFlip, setRole, type TreeState } from './state.ts'

export function dispatch(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  kind: number,
  packet: Uint8Array,
): boolean {
  switch (kind) {
    case KIND.linkCertificate:
      return onLinkCertificate(state, now, neighbour, packet)
    case KIND.beat:
      return onBeat(state, now, neighbour, packet)
    case KIND.update:
      return onUpdate(state, now, neighbour, packet)
    case KIND.pathRequest:
      return onPathRequest(state, now, neighbour, packet)
    case KIND.path:
      return onPath(state, now, neighbour, packet)
    case KIND.attach:
      return onAttach(state, now, neighbour, packet)
    case KIND.detach:
      return onDetach(state, now, neighbour, packet)
    case KIND.void:
      return onVoid(state, now, neighbour, packet)
    default:
      return false
  }
}

function onLinkCertificate(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(linkCertificate, packet)
  if (message === undefined) return false
  const { certificate } = neighbour
  const serial = certificateSerial(message.certificate)
  // LINKCERT: the serial grows with every link and renewal; an older one is a replay.
  if (certificate !== NO_CERTIFICATE && !serialAfter(serial, state.certificates.serial(certificate))) {
    state.context.counters.add(COUNT.dropUnexpected)
    return true
  }
  if (takeOwnCertificate(state, now, neighbour, message.certificate)) {
    state.changed = true
    askMissing(state, now, neighbour)
  }
  return true
}

function onBeat(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(beat, packet)
  if (message === undefined) return false
  const before = state.root?.beat
  const record = takeBeat(state, now, neighbour, message)
  if (record === undefined) return true
  // Only bytes that were verified just now go on as they came; else the record's own are sent.
  const isVerified = record === state.root && record.beat !== before && record.beat === message.beat
  noteUpperBeat(state, now, neighbour, record, message, isVerified ? packet : undefined)
  return true
}

/** R10: beats come down open links. One of a newer seq is passed on with the UPDATE that takes it up. */
function noteUpperBeat(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  record: RootRecord,
  part: BeatPart,
  packet?: Uint8Array,
): void {
  if (neighbour !== state.upper || record !== state.root || state.label === undefined) return
  if (!serialAfter(part.beat, state.passedBeat) || serialAfter(part.beat, record.beat)) return
  state.upperBeatAt = now
  state.passedBeat = part.beat
  if (record.seq > state.label.seq) return
  passBeat(state, now, packet)
}

function onUpdate(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(update, packet)
  if (message === undefined) return false
  state.changed = true
  neighbour.receivedHash = updateHash(packet)
  // What is missing now is another thing than what was asked for before.
  neighbour.heard = true
  neighbour.quietUntil = 0
  neighbour.askDue = NEVER
  neighbour.askWait = ASK_FIRST
  for (const part of message.voids) takeVoid(state, now, neighbour, part)
  if (message.beat !== undefined) {
    const record = takeBeat(state, now, neighbour, message.beat)
    if (record !== undefined) noteUpperBeat(state, now, neighbour, record, message.beat)
  }
  neighbour.generation = message.generation
  // R5: the lower's half stands only while the upper's last UPDATE has the generation that was echoed.
  closeStale(state, now, neighbour)
  takeClaim(state, neighbour, message.label)
  takeUpdatePath(state, now, neighbour, message)
  startGrace(state, now, neighbour)
  takeFlags(state, now, neighbour, message)
  askMissing(state, now, neighbour)
  return true
}

/** The label that the neighbour claims; its root only if a verified beat proves rank and seq (R1). */
function takeClaim(state: TreeState, neighbour: Neighbour, label: Claim | undefined): void {
  if (label === undefined) {
    neighbour.claimed = undefined
    neighbour.root = undefined
    return
  }
  const record = findHash(state.roots, label)
  const proven = record === undefined ? undefined : provenRank(record, label.class, label.priority)
  const isProven = record !== undefined && proven !== undefined && label.seq <= record.seq
  neighbour.root = isProven ? record : undefined
  const { class: rankClass, priority, hash0, hash1, hash2, hash3, seq, metric } = label
  const rank = proven ?? { class: rankClass, priority, hash0, hash1, hash2, hash3 }
  neighbour.claimed = { rank, seq, metric }
}

/** An unverified path of the own upper in an unchanged generation has 2 s; then the upper is lost (R8). */
function startGrace(state: TreeState, now: Micros, neighbour: Neighbour): void {
  const isWaiting =
    neighbour === state.upper && neighbour.claimed !== undefined && neighbour.pathState === PATH_STATE.unknown
  if (!isWaiting) neighbour.unknownSince = NEVER
  else if (neighbour.unknownSince === NEVER) {
    neighbour.unknownSince = now
    arm(state, now + PATH_GRACE)
  }
}

function takeFlags(state: TreeState, now: Micros, neighbour: Neighbour, message: Update): void {
  // A DETACH was lost: the lower says that this node is no upper of its. Its ATTACH came before any `mine`.
  if (neighbour.role === TREE_ROLE.lower && (message.flags & UPDATE_FLAG.mine) === 0) {
    setRole(state, now, neighbour, TREE_ROLE.none)
    touch(state, now, neighbour)
  }
  // ATTACH: the `yours` bit acknowledges. One that is taken back means attaching anew.
  const isYours = (message.flags & UPDATE_FLAG.yours) !== 0
  const wasYours = neighbour.yours
  neighbour.yours = isYours
  if (neighbour.role !== TREE_ROLE.upper) return
  if (isYours) neighbour.attachDue = NEVER
  else if (wasYours) reattach(state, now, neighbour)
}

function onPathRequest(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(pathRequest, packet)
  if (message === undefined || message.wanted === 0) return false
  if (!mayAnswer(state, now, neighbour)) return true
  const { wanted } = message
  if ((wanted & WANTED.certificate) !== 0) issue(state, now, neighbour)
  const isNamed =
    neighbour.sentPath && neighbour.sentPathHigh === state.pathHigh && neighbour.sentPathLow === state.pathLow
  // A path that no UPDATE has named yet would be taken for a stale one: then the UPDATE itself is wanted.
  if ((wanted & WANTED.update) !== 0 || ((wanted & WANTED.path) !== 0 && !isNamed))
    repeatAll(state, neighbour)
  else if ((wanted & WANTED.path) !== 0) sendPath(state, now, neighbour)
  return true
}

function onPath(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(path, packet)
  if (message === undefined) return false
  const { claimed, pathHigh, pathLow, pathState } = neighbour
  const isWanted = claimed !== undefined && pathState === PATH_STATE.unknown
  if (!isWanted || message.pathHigh !== pathHigh || message.pathLow !== pathLow) {
    state.context.counters.add(COUNT.dropUnexpected)
    return true
  }
  state.changed = true
  const record = takeBeat(state, now, neighbour, message.beat)
  const { rank, seq, metric } = claimed
  takeClaim(state, neighbour, { ...rank, seq, metric, depth: neighbour.depth, pathHigh, pathLow })
  if (record === undefined || neighbour.root !== record) {
    state.context.counters.add(COUNT.dropUnproven)
    return true
  }
  noteUpperBeat(state, now, neighbour, record, message.beat)
  takeWholePath(state, now, neighbour, record, message.certificates)
  startGrace(state, now, neighbour)
  askMissing(state, now, neighbour)
  return true
}

function onAttach(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(attach, packet)
  if (message === undefined) return false
  // R5: refused from any own upper, while detached, and by a leaf; the echo must be the present generation.
  const isRefused =
    neighbour.role === TREE_ROLE.upper ||
    state.label === undefined ||
    state.left ||
    !state.context.config.relay ||
    message.generation !== state.generation
  // Beyond its rate it is not heard, and says it again later.
  if (!isRefused && (neighbour.role === TREE_ROLE.lower || mayFlip(state, now, neighbour)))
    setRole(state, now, neighbour, TREE_ROLE.lower)
  // Acknowledged or told the present state, either way: a repeated ATTACH shows that the first word was lost.
  touch(state, now, neighbour)
  return true
}

function onDetach(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(attach, packet)
  if (message === undefined) return false
  if (neighbour.role !== TREE_ROLE.lower || message.generation !== state.generation) return true
  setRole(state, now, neighbour, TREE_ROLE.none)
  // The last UPDATE says `yours`: unless that is taken back, a lost ATTACH would look acknowledged.
  touch(state, now, neighbour)
  return true
}

function onVoid(state: TreeState, now: Micros, neighbour: Neighbour, packet: Uint8Array): boolean {
  const message = decodeControl(voidMessage, packet)
  if (message === undefined) return false
  if (takeVoid(state, now, neighbour, message)) state.changed = true
  return true
}
