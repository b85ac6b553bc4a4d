/**
 * The table of roots and their beats. A record exists only for a root whose signed BEAT was seen: it is
 * what proves the rank and the seq of a label, and that the root lives. Which roots are refused is
 * decided in damping.ts.
 */
import { signAs, verifyFrom } from '../context.ts'
import { COUNT } from '../counters.ts'
import { signedBytes } from '../crypto/signed.ts'
import { jittered } from '../dice.ts'
import { MINUTE, type Micros, NEVER, SECOND, TREE_ROLE } from '../io.ts'
import { KIND } from '../wire/kinds.ts'
import { encodeControl } from '../wire/schema.ts'
import { sameBytes, serialAfter } from './certificates.ts'
import { compareRanks, RANK_CLASS, type Rank, type RootRecord, rankOf, sameHash } from './label.ts'
import { type BeatPart, beat, beatBody, type Claim, SIGNED } from './messages.ts'
import type { Neighbour } from './neighbour.ts'
import { arm, mayVerify, send, type TreeState } from './state.ts'

/** Mesh text (a): the table of roots. */
const ROOTS_MAX = 16
/** A root beats every 10 s; faster beats of one reign are waste or an attack. */
const BEAT_SPACING: Micros = SECOND
/**
 * A root that no label names and under which this node hardly hung is forgotten after this long: at the
 * start of a mesh every relay is a root for a moment, and each record costs a kilobyte. Guess.
 */
const PASSING_ROOT: Micros = MINUTE
/** A record of a root not heard of for this long makes room first. Guess. */
const ROOT_FORGOTTEN: Micros = 30 * MINUTE
/** Mesh text (a): seq +1 every 10 min. */
const SEQ_PERIOD: Micros = 10 * MINUTE
/** Reigns and seqs of one boot: the low half of the seq. 455 days of one reign. */
const SEQS_OF_BOOT = 65_536
/** Beats within one seq: one number then orders beats over restarts too. 10 min hold at most 67. */
const BEATS_OF_SEQ = 128
/** mesh:M4: a relay is of class 1 once it was up for an hour. */
const PROVEN_AFTER: Micros = 60 * MINUTE

/** A beat newer than the one kept: a newer reign, or later in the same one. */
function isNewer(record: RootRecord, seq: number, count: number): boolean {
  return seq > record.seq || (seq === record.seq && serialAfter(count, record.beat))
}

/**
 * Takes in a beat that a neighbour sent or passed on. Answers the record of its root, undefined if the
 * beat proves nothing.
 */
export function takeBeat(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  part: BeatPart,
): RootRecord | undefined {
  const { counters } = state.context
  // Class 0 needs an operator's certificate, and this version knows no operator's key: nobody has one.
  if (part.class === RANK_CLASS.certified) {
    counters.add(COUNT.dropRootClass)
    return undefined
  }
  if (part.class > RANK_CLASS.closed || !isBeatOfSeq(part)) {
    counters.add(COUNT.dropMalformed)
    return undefined
  }
  const record = findKey(state.roots, part.key)
  if (record !== undefined) {
    if (record === state.own) return record
    if (isNewer(record, part.seq, part.beat) && verifyBeat(state, now, neighbour, part, record)) {
      renew(state, now, record, part)
    }
    noteKnown(neighbour, record, part.seq, part.beat)
    return record
  }
  if (sameBytes(part.key, 0, state.context.selfKey, 32)) return undefined
  if (!verifyBeat(state, now, neighbour, part, undefined)) return undefined
  const fresh = newRecord(state, now, part)
  if (!addRecord(state, now, fresh)) return undefined
  noteKnown(neighbour, fresh, part.seq, part.beat)
  return fresh
}

function isBeatOfSeq(part: BeatPart): boolean {
  return part.beat >>> 7 === (part.seq & 0x1ff_ffff)
}

function verifyBeat(
  state: TreeState,
  now: Micros,
  neighbour: Neighbour,
  part: BeatPart,
  record: RootRecord | undefined,
): boolean {
  const { context } = state
  if (record !== undefined && part.seq === record.seq && now < record.beatAt + BEAT_SPACING) {
    context.counters.add(COUNT.boundControlRate)
    return false
  }
  if (!mayVerify(state, now, neighbour)) return false
  return verifyFrom(context, part.key, signedBytes(SIGNED.beat, beatBody(state.tree, part)), part.signature)
}

/** The neighbour has this beat: it sent it, or is sent it now. */
export function noteKnown(neighbour: Neighbour, record: RootRecord, seq: number, count: number): void {
  if (neighbour.knownRoot === record && !serialAfter(count, neighbour.knownBeat)) return
  neighbour.knownRoot = record
  neighbour.knownSeq = seq
  neighbour.knownBeat = count
}

function renew(state: TreeState, now: Micros, record: RootRecord, part: BeatPart): void {
  if (part.class !== record.rank.class || part.priority !== record.rank.priority) {
    record.former = record.rank
    record.rank = { ...record.rank, class: part.class, priority: part.priority }
    state.changed = true
  }
  if (part.seq > record.seq) {
    record.seq = part.seq
    record.seqAt = now
    state.changed = true
  }
  record.beat = part.beat
  record.beatAt = now
  record.signature.set(part.signature)
}

function newRecord(state: TreeState, now: Micros, part: BeatPart): RootRecord {
  const key = part.key.slice()
  return {
    key,
    rank: rankOf(state.context.crypto.hash, state.tree, key, part.class, part.priority),
    former: undefined,
    seq: part.seq,
    seqAt: now,
    beat: part.beat,
    beatAt: now,
    signature: part.signature.slice(),
    firstSeen: now,
    proven: false,
    lostAt: NEVER,
    refusedSeq: -1,
    refusedUntil: 0,
  }
}

/** False if the table is full of roots that labels still name. */
function addRecord(state: TreeState, now: Micros, record: RootRecord): boolean {
  if (state.roots.length < ROOTS_MAX) {
    state.roots = [...state.roots, record]
    return true
  }
  state.context.counters.add(COUNT.boundRoots)
  const victim = leastWorth(state, now)
  if (victim === undefined) return false
  state.roots = [...state.roots.filter((other) => other !== victim), record]
  for (const neighbour of state.neighbours)
    if (neighbour.knownRoot === victim) neighbour.knownRoot = undefined
  return true
}

/**
 * Of the roots that no label names: one long silent, else the newest. Keys are free, so a flood of fresh
 * roots must not push out those that damping knows for long.
 */
function leastWorth(state: TreeState, now: Micros): RootRecord | undefined {
  let victim: RootRecord | undefined
  for (const record of state.roots) {
    if (isNamed(state, record)) continue
    if (record.beatAt + ROOT_FORGOTTEN < now) return record
    if (victim === undefined || record.firstSeen >= victim.firstSeen) victim = record
  }
  return victim
}

function isNamed(state: TreeState, record: RootRecord): boolean {
  if (record === state.own || record === state.root || record === state.lastRoot) return true
  return state.neighbours.some((neighbour) => neighbour.root === record)
}

/** Called at wakes: forgets the roots that only passed by. */
export function forgetRoots(state: TreeState, now: Micros): void {
  const isPassing = (record: RootRecord) =>
    !record.proven &&
    now >= Math.max(record.beatAt + PASSING_ROOT, record.refusedUntil) &&
    !isNamed(state, record)
  if (!state.roots.some(isPassing)) return
  const gone = state.roots.filter(isPassing)
  state.roots = state.roots.filter((record) => !gone.includes(record))
  for (const neighbour of state.neighbours) {
    if (neighbour.knownRoot !== undefined && gone.includes(neighbour.knownRoot))
      neighbour.knownRoot = undefined
  }
}

function findKey(roots: readonly RootRecord[], key: Uint8Array): RootRecord | undefined {
  return roots.find((record) => sameBytes(record.key, 0, key, 32))
}

export function findHash(roots: readonly RootRecord[], rank: Rank | Claim): RootRecord | undefined {
  return roots.find((record) => sameHash(record.rank, rank))
}

/** The record's own rank object if it proves that class and priority, so that comparing is cheap. */
export function provenRank(record: RootRecord, rankClass: number, priority: number): Rank | undefined {
  const { rank, former } = record
  if (rank.class === rankClass && rank.priority === priority) return rank
  return former !== undefined && former.class === rankClass && former.priority === priority
    ? former
    : undefined
}

export function beatPartOf(record: RootRecord): BeatPart {
  const { key, rank, seq, signature } = record
  return { key, class: rank.class, priority: rank.priority, seq, beat: record.beat, signature }
}

/**
 * Passes the newest beat on to every lower that has not seen it. `packet` is that beat as it came, if it
 * just did: what is relayed unchanged is not copied.
 */
export function passBeat(state: TreeState, now: Micros, packet?: Uint8Array): void {
  const record = state.root
  if (record === undefined) return
  state.passedBeat = record.beat
  let bytes = packet
  for (const neighbour of state.neighbours) {
    if (neighbour.role !== TREE_ROLE.lower || hasBeat(neighbour, record)) continue
    bytes ??= encodeControl(KIND.beat, beat, { tree: state.tree, ...beatPartOf(record) })
    noteKnown(neighbour, record, record.seq, record.beat)
    send(state, now, neighbour, bytes)
  }
}

function hasBeat(neighbour: Neighbour, record: RootRecord): boolean {
  return neighbour.knownRoot === record && !serialAfter(record.beat, neighbour.knownBeat)
}

/** The own rank, undefined for a leaf. Class 1: open to all, proved reachable, up for an hour (mesh:M4). */
export function ownRank(state: TreeState, now: Micros): Rank | undefined {
  const { config, crypto, selfKey } = state.context
  if (!config.relay) return undefined
  const eligible = state.reachable && state.open && state.startedAt >= 0
  const isProven = eligible && now >= state.startedAt + PROVEN_AFTER
  const rankClass = isProven ? RANK_CLASS.proven : state.open ? RANK_CLASS.other : RANK_CLASS.closed
  if (eligible && !isProven) arm(state, state.startedAt + PROVEN_AFTER)
  const { rank } = state
  if (rank?.class === rankClass && rank.priority === config.rootPriority) return rank
  return rankOf(crypto.hash, state.tree, selfKey, rankClass, config.rootPriority)
}

/** A new reign or a further seq of it: larger than any before, also than those of earlier boots. */
export function nextSeq(state: TreeState, now: Micros): RootRecord {
  const { boot, selfKey } = state.context
  state.seqCount = Math.min(state.seqCount + 1, SEQS_OF_BOOT - 1)
  const seq = (boot * SEQS_OF_BOOT + state.seqCount) % 4_294_967_296
  const rank = state.rank as Rank
  if (state.own === undefined) {
    state.own = {
      key: selfKey,
      rank,
      former: undefined,
      seq,
      seqAt: now,
      beat: 0,
      beatAt: now,
      signature: selfKey,
      firstSeen: now,
      proven: false,
      lostAt: NEVER,
      refusedSeq: -1,
      refusedUntil: 0,
    }
    addRecord(state, now, state.own)
  }
  const { own } = state
  if (compareRanks(own.rank, rank) !== 0) own.former = own.rank
  own.rank = rank
  own.seq = seq
  own.seqAt = now
  own.beat = (seq * BEATS_OF_SEQ) % 4_294_967_296
  signBeat(state, now)
  state.seqDue = now + SEQ_PERIOD
  arm(state, state.seqDue)
  return own
}

/** The next beat of the same seq. */
export function nextBeat(state: TreeState, now: Micros): void {
  const own = state.own as RootRecord
  // At the end of its numbers a seq beats no more; the next seq is due long before.
  if ((own.beat & (BEATS_OF_SEQ - 1)) < BEATS_OF_SEQ - 1) own.beat = (own.beat + 1) >>> 0
  signBeat(state, now)
}

function signBeat(state: TreeState, now: Micros): void {
  const own = state.own as RootRecord
  own.beatAt = now
  own.signature = signAs(state.context, signedBytes(SIGNED.beat, beatBody(state.tree, beatPartOf(own))))
  state.beatDue = now + jittered(state.dice, state.context.config.beatPeriod)
  arm(state, state.beatDue)
}
