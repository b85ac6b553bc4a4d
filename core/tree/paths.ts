/**
 * Paths as lists of verified certificates: rebuilding a neighbour's from its UPDATE or PATH, judging it
 * (R1), and voids, which end every path that names the link (R9).
 */
import { signAs, verifyFrom } from '../context.ts'
import { COUNT } from '../counters.ts'
import { signedBytes } from '../crypto/signed.ts'
import { concat } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { KIND } from '../wire/kinds.ts'
import { encodeControl } from '../wire/schema.ts'
import { Scratch } from '../wire/slab.ts'
import {
  CERTIFICATE_BYTES,
  certificateBody,
  certificateId,
  certificateSerial,
  certificateSignature,
  isCertificateForm,
  NO_CERTIFICATE,
  sameBytes,
} from './certificates.ts'
import type { RootRecord } from './label.ts'
import { SIGNED, type Update, type VoidPart, voidBody, voidMessage } from './messages.ts'
import { type Neighbour, NO_PATH, PATH_STATE, type PathState, spendSuspicion } from './neighbour.ts'
import { doubt, holdPath, mayVerify, send, suspect, type TreeState } from './state.ts'

const scratch = new Scratch(256)

/** Why a certificate was not taken in. */
const REFUSED = { forged: -1, later: -2 } as const

/**
 * The slot of a certificate, verified now if it is new. `forged`: never good. `later`: no more may be
 * verified for this neighbour now, or the table is full.
 */
function takeCertificate(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  from: Uint8Array,
  wire: Uint8Array,
): number {
  const { certificates, context, tree } = state
  const id = certificateId(context.crypto.hash, from, wire)
  const known = certificates.lookup(id, from, wire)
  if (known !== NO_CERTIFICATE) {
    certificates.setKnown(known, neighbour.slot, true)
    return known
  }
  if (!isCertificateForm(wire)) {
    context.counters.add(COUNT.dropMalformed)
    return REFUSED.forged
  }
  if (!mayVerify(state, now, neighbour)) return REFUSED.later
  const message = signedBytes(SIGNED.certificate, certificateBody(tree, from, wire))
  if (!verifyFrom(context, from, message, certificateSignature(wire))) return REFUSED.forged
  const slot = certificates.insert(now, id, from, wire)
  if (slot === NO_CERTIFICATE) {
    context.counters.add(COUNT.boundCertificates)
    return REFUSED.later
  }
  certificates.setKnown(slot, neighbour.slot, true)
  const gone = state.voids.find(now, from, certificates.to(slot), certificateSerial(wire))
  if (gone >= 0) {
    certificates.markVoid(slot)
    // The void came before the path that it is about: now it occurs, and others may need it.
    state.voids.markOccurring(gone)
  }
  return slot
}

/** Eight bytes that name a path: of BLAKE3-128(root key ‖ ids). Agreement only; nothing is trusted for it. */
function pathHash(
  state: TreeState,
  rootKey: Uint8Array,
  slots: readonly number[],
): readonly [number, number] {
  const input = scratch.take(rootKey.length + 4 * slots.length)
  input.set(rootKey, 0)
  for (let index = 0; index < slots.length; index++) {
    writeU32(input, rootKey.length + 4 * index, state.certificates.id(slots[index] as number))
  }
  const digest = state.context.crypto.hash.hash16(input)
  return [readU32(digest, 0), readU32(digest, 4)]
}

/** Takes the path of an UPDATE into the neighbour's record; its claim and root are there already. */
export function takeUpdatePath(state: TreeState, now: Micros, neighbour: Neighbour, message: Update): void {
  const { label, ids } = message
  if (label === undefined) {
    setPath(state, neighbour, NO_PATH, PATH_STATE.unknown)
    return
  }
  const samePath = label.pathHigh === neighbour.pathHigh && label.pathLow === neighbour.pathLow
  neighbour.pathHigh = label.pathHigh
  neighbour.pathLow = label.pathLow
  neighbour.depth = label.depth
  if (neighbour.root === undefined) {
    setPath(state, neighbour, NO_PATH, PATH_STATE.unknown)
  } else if (samePath && neighbour.pathState !== PATH_STATE.unknown) {
    if (neighbour.pathState === PATH_STATE.good) judgePath(state, neighbour)
  } else if (ids === undefined || ids.length !== label.depth) {
    setPath(state, neighbour, NO_PATH, PATH_STATE.unknown)
  } else {
    resolve(state, now, neighbour, neighbour.root, ids, message.certificates)
  }
}

/** Walks the ids from the root; the certificates that came along fill the gaps. */
function resolve(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  root: RootRecord,
  ids: readonly number[],
  brought: Update['certificates'],
): void {
  const { certificates } = state
  const slots: number[] = []
  let from = root.key
  let next = 0
  for (let place = 0; place < ids.length; place++) {
    const candidate = brought[next]
    let slot: number
    if (candidate !== undefined && candidate.place === place) {
      next += 1
      slot = takeCertificate(state, now, neighbour, from, candidate.certificate)
    } else {
      slot = certificates.find(ids[place] as number, from)
    }
    if (slot < 0) {
      const forged = candidate?.place === place && slot === REFUSED.forged
      dropHeld(state, slots)
      setPath(state, neighbour, NO_PATH, forged ? PATH_STATE.bad : PATH_STATE.unknown)
      return
    }
    certificates.setKnown(slot, neighbour.slot, true)
    certificates.hold(slot)
    slots.push(slot)
    from = certificates.to(slot).slice()
  }
  finish(state, neighbour, root, slots, PATH_STATE.unknown)
}

/** A whole path in answer to a request: what is wrong now stays wrong. */
export function takeWholePath(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  root: RootRecord,
  wires: readonly Uint8Array[],
): void {
  const { certificates } = state
  const slots: number[] = []
  let from = root.key
  for (const wire of wires) {
    const slot = takeCertificate(state, now, neighbour, from, wire)
    if (slot < 0) {
      dropHeld(state, slots)
      setPath(state, neighbour, NO_PATH, slot === REFUSED.forged ? PATH_STATE.bad : PATH_STATE.unknown)
      return
    }
    certificates.hold(slot)
    slots.push(slot)
    from = wire.subarray(0, 32)
  }
  finish(state, neighbour, root, slots, PATH_STATE.bad)
}

/** All certificates are there and held: is it the path that was named, and may it be used? */
function finish(
  state: TreeState,
  neighbour: Neighbour,
  root: RootRecord,
  slots: readonly number[],
  otherwise: PathState,
): void {
  const [high, low] = pathHash(state, root.key, slots)
  const isNamed = high === neighbour.pathHigh && low === neighbour.pathLow && slots.length === neighbour.depth
  const isRepeating = repeatsNode(state, root.key, slots)
  const isGood = isNamed && !isRepeating
  const found = isGood ? PATH_STATE.good : isNamed ? PATH_STATE.bad : otherwise
  setPath(state, neighbour, isRepeating ? NO_PATH : slots, found)
  dropHeld(state, slots)
  if (isGood) judgePath(state, neighbour)
  else state.context.counters.add(COUNT.dropPath)
}

/** Two liars can certify each other in turns, A to B to A to B; no honest path names a node twice. */
function repeatsNode(state: TreeState, rootKey: Uint8Array, slots: readonly number[]): boolean {
  const keys = [rootKey, ...slots.map((slot) => state.certificates.to(slot))]
  return keys.some((key, place) => keys.slice(0, place).some((above) => sameBytes(above, 0, key, 32)))
}

/** While a path is being put together its certificates are held, or one could displace another. */
function dropHeld(state: TreeState, slots: readonly number[]): void {
  for (const slot of slots) state.certificates.release(slot)
}

function setPath(
  state: TreeState,
  neighbour: Neighbour,
  slots: readonly number[],
  pathState: PathState,
): void {
  holdPath(state, slots, neighbour.path)
  neighbour.path = slots
  neighbour.pathState = pathState
  if (slots.length === 0) {
    neighbour.pathCost = 0
    neighbour.pathExpires = NEVER
  }
}

export function clearPath(state: TreeState, neighbour: Neighbour): void {
  setPath(state, neighbour, NO_PATH, PATH_STATE.unknown)
}

/** R1: ends at the neighbour, does not contain this node, nothing in it void, metric = sum of the costs. */
function judgePath(state: TreeState, neighbour: Neighbour): void {
  const { certificates, context } = state
  let cost = 0
  let expires = NEVER
  let isVoid = false
  let throughSelf = sameBytes((neighbour.root as RootRecord).key, 0, context.selfKey, 32)
  let end = (neighbour.root as RootRecord).key
  for (const slot of neighbour.path) {
    cost += certificates.cost(slot)
    expires = Math.min(expires, certificates.expires(slot))
    isVoid ||= certificates.isVoid(slot)
    end = certificates.to(slot)
    throughSelf ||= sameBytes(end, 0, context.selfKey, 32)
  }
  neighbour.pathCost = cost
  neighbour.pathExpires = expires
  const isLie = cost !== neighbour.claimed?.metric || !sameBytes(end, 0, neighbour.link.key, 32)
  if (isLie) context.counters.add(COUNT.dropPath)
  if (isLie || isVoid || throughSelf) neighbour.pathState = PATH_STATE.bad
}

/** Verifies a void that a neighbour sent, once; true if something here may have to change. */
export function takeVoid(state: TreeState, now: Micros, neighbour: Neighbour, part: VoidPart): boolean {
  const { context, voids } = state
  const known = voids.find(now, part.from, part.to, part.serial)
  if (known >= 0) {
    voids.setKnown(known, neighbour.slot, true)
    return false
  }
  if (!mayVerify(state, now, neighbour)) return false
  const message = signedBytes(SIGNED.void, voidBody(state.tree, part.from, part.to, part.serial))
  if (!verifyFrom(context, part.to, message, part.signature)) return false
  return spreadVoid(state, now, neighbour, part)
}

/**
 * R9: "passed on once, to all other neighbours, if it occurs in the own path or in any neighbour's".
 * Of others a few are kept, for paths that come later, and not passed on until then; but one that raises
 * doubts about a neighbour is, so that all around a node that died in silence hear of it, however they hang
 * together: the first of them to notice is often one whose void occurs in no path. True if it occurred.
 */
function spreadVoid(state: TreeState, now: Micros, source: Neighbour | undefined, part: VoidPart): boolean {
  const { certificates, context, voids } = state
  const occurs = certificates.applyVoid(part.from, part.to, part.serial) || source === undefined
  const isBelieved = source === undefined || spendSuspicion(source, now)
  const raisesDoubts = isBelieved && suspect(state, now, part.from)
  if (isOnPath(state, part)) doubt(state, now, part.from)
  const { index, evicted } = voids.add(now, part, occurs)
  if (evicted) context.counters.add(COUNT.boundVoids)
  if (source !== undefined) voids.setKnown(index, source.slot, true)
  if (!occurs && !raisesDoubts) return false
  context.counters.add(COUNT.treeVoid)
  const packet = encodeControl(KIND.void, voidMessage, { tree: state.tree, ...part })
  for (const neighbour of state.neighbours) {
    if (neighbour.pathState === PATH_STATE.good && neighbour.path.some((slot) => certificates.isVoid(slot))) {
      neighbour.pathState = PATH_STATE.bad
    }
    if (voids.isKnown(index, neighbour.slot)) continue
    voids.setKnown(index, neighbour.slot, true)
    send(state, now, neighbour, packet)
  }
  return occurs
}

/** Whether the own path is void by it: one of an older serial says nothing. */
function isOnPath({ certificates, path }: TreeState, { from, to }: VoidPart): boolean {
  return path.some(
    (slot) =>
      certificates.isVoid(slot) &&
      sameBytes(certificates.to(slot), 0, to, 32) &&
      sameBytes(certificates.from(slot), 0, from, 32),
  )
}

/** R9: whoever loses the link to its upper, or in silence to any other neighbour, signs a VOID first. */
export function voidLink(state: TreeState, now: Micros, neighbour: Neighbour): void {
  const { context, tree } = state
  if (neighbour.certificate === NO_CERTIFICATE) return
  const serial = state.certificates.serial(neighbour.certificate)
  const from = neighbour.link.key
  const to = context.selfKey
  const signature = signAs(context, signedBytes(SIGNED.void, voidBody(tree, from, to, serial)))
  spreadVoid(state, now, undefined, { from, to, serial, signature })
}

/** The path root … self: the upper's and its certificate for this node. */
export function adoptPath(state: TreeState, slots: readonly number[], rootKey: Uint8Array): void {
  holdPath(state, slots, state.path)
  state.path = slots
  const [high, low] = pathHash(state, rootKey, slots)
  state.pathHigh = high
  state.pathLow = low
}

/** A certificate for the link from that neighbour to this node; false if it is not one. */
export function takeOwnCertificate(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  wire: Uint8Array,
): boolean {
  const { context } = state
  if (wire.length !== CERTIFICATE_BYTES || !sameBytes(wire, 0, context.selfKey, 32)) {
    context.counters.add(COUNT.dropUnexpected)
    return false
  }
  const slot = takeCertificate(state, now, neighbour, neighbour.link.key, wire)
  if (slot < 0 || slot === neighbour.certificate) return false
  const before = neighbour.certificate
  holdPath(state, [slot], before === NO_CERTIFICATE ? NO_PATH : [before])
  neighbour.certificate = slot
  return true
}

/** The certificate as it travels, of our making. */
export function signCertificate(state: TreeState, head: Uint8Array): Uint8Array {
  const { context, tree } = state
  const body = certificateBody(tree, context.selfKey, head)
  return concat(head, signAs(context, signedBytes(SIGNED.certificate, body)))
}
