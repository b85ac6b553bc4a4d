/**
 * One registration with an upper: what is to be said of it and in which messages (B2, B3). Which upper a
 * VLAN has, and when it gets another, is decided in uphill.ts.
 */
import { COUNT } from '../counters.ts'
import { MILLISECOND, type Micros, NEVER } from '../io.ts'
import { writeU32 } from '../wire/cursor.ts'
import { BATCH, encodeRegister, OTHERS, REGISTER_FLAG, type Register, SET_HASH_BYTES } from './messages.ts'
import { FLAG, groupFlags, type Peer, tokenHashHigh, tokenHashLow, type Upper, type Vlan } from './state.ts'
import type { Tables } from './tables.ts'

/** An upper that does not answer is told again, with twice the patience each time. Guess. */
const RETRY_FIRST: Micros = 250 * MILLISECOND
const RETRY_LAST: Micros = 8_000 * MILLISECOND

interface Batch {
  readonly added: Register['added'][number][]
  readonly removed: Uint8Array[]
}

/** A registration that is about to be said. It uses the group of flags that the present upper does not. */
export function registerWith(tables: Tables, now: Micros, vlan: Vlan, peer: Peer): Upper {
  const upper: Upper = {
    end: 'upper',
    vlan,
    peer,
    shift: vlan.upper?.shift === 0 ? 4 : 0,
    startedAt: now,
    serial: 0,
    heard: false,
    others: OTHERS.unknown,
    queue: [],
    begin: true,
    full: false,
    poke: false,
    leaving: false,
    hashLow: 0,
    hashHigh: 0,
    tokens: 0,
    retryAt: NEVER,
    retryWait: RETRY_FIRST,
    resumeAt: NEVER,
    queued: false,
  }
  sayAll(tables, now, upper)
  return upper
}

/** The upper has forgotten what it was told. */
export function registerAgain(tables: Tables, now: Micros, upper: Upper): void {
  upper.heard = false
  upper.retryAt = NEVER
  upper.retryWait = RETRY_FIRST
  sayAll(tables, now, upper)
}

/**
 * B3. All of the set is said from the start, or none of it where tokens stay here. The upper answers
 * from the start too, so what it said of tokens is believed only for a while longer.
 */
export function sayAll(tables: Tables, now: Micros, upper: Upper): void {
  const { vlan, shift } = upper
  const stay = upper.others === OTHERS.no
  const forget = stay ? groupFlags(shift) : (FLAG.sent | FLAG.proofSent | FLAG.others) << shift
  tables.serial = (tables.serial + 1) & 0xffff
  upper.serial = tables.serial
  upper.queue = []
  upper.begin = true
  upper.full = false
  upper.hashLow = 0
  upper.hashHigh = 0
  upper.tokens = 0
  for (let index = 0; index < vlan.tokens.end; index++) {
    if (!vlan.tokens.has(index)) continue
    const shared = (vlan.flags(index) & (FLAG.others << shift)) !== 0
    vlan.unmark(index, forget)
    if (vlan.wanted(index, upper)) {
      upper.queue.push(index)
      tables.freshen(now, vlan, index, shared ? FLAG.held : FLAG.fresh)
    }
    if (stay) tables.touchedBelow(vlan, index)
    tables.dropSpent(vlan, index)
  }
  tables.schedule(upper)
}

/** The upper is to be told that the VLAN is withdrawn; nothing else is said to it any more. */
export function sayFarewell(tables: Tables, upper: Upper): void {
  upper.leaving = true
  tables.schedule(upper)
}

/** One REG; true while there is more to say. */
export function speakUp(tables: Tables, now: Micros, upper: Upper): boolean {
  const { vlan } = upper
  const { links, tree, context } = tables
  const message = { vlan: vlan.id, tree: tree.id, serial: upper.serial }
  if (upper.leaving) {
    const setHash = new Uint8Array(SET_HASH_BYTES)
    const packet = encodeRegister({ ...message, flags: REGISTER_FLAG.leave, added: [], removed: [], setHash })
    links.control(now, upper.peer.link, packet)
    return false
  }
  if (vlan.upper !== upper && vlan.next !== upper) return false
  const batch: Batch = { added: [], removed: [] }
  if (upper.begin) upper.full = true
  fill(tables, now, upper, batch)
  const drained = upper.queue.length === 0
  const end = upper.full && drained
  if (!upper.begin && !end && !upper.poke && batch.added.length + batch.removed.length === 0) return false
  const flags = (upper.begin ? REGISTER_FLAG.begin : 0) | (end ? REGISTER_FLAG.end : 0)
  if (end) upper.full = false
  upper.begin = false
  upper.poke = false
  if (!upper.heard && upper.retryAt === NEVER) {
    upper.retryAt = now + upper.retryWait
    tables.lower(vlan, upper.retryAt)
  }
  context.counters.add(COUNT.registrations)
  links.control(
    now,
    upper.peer.link,
    encodeRegister({ ...message, flags, ...batch, setHash: setHashOf(upper) }),
  )
  return !drained && upper.resumeAt === NEVER
}

/** Says again what was not answered, and goes on where the upper would take no more for a while. */
export function tendUpper(tables: Tables, now: Micros, upper: Upper): void {
  if (upper.retryAt <= now) {
    upper.poke = true
    upper.retryWait = Math.min(RETRY_LAST, upper.retryWait * 2)
    upper.retryAt = now + upper.retryWait
    tables.schedule(upper)
  }
  if (upper.resumeAt <= now) {
    upper.resumeAt = NEVER
    tables.schedule(upper)
  }
  tables.lower(upper.vlan, Math.min(upper.retryAt, upper.resumeAt))
}

/** The upper did not take the token. */
export function tokenRefused(tables: Tables, upper: Upper, token: Uint8Array): void {
  const { vlan, shift } = upper
  const index = vlan.tokens.find(token, 0)
  if (index < 0 || (vlan.flags(index) & (FLAG.sent << shift)) === 0) return
  count(upper, index, -1)
  vlan.unmark(index, (FLAG.sent | FLAG.proofSent) << shift)
  vlan.mark(index, FLAG.refused << shift)
  tables.touched(vlan, index)
}

/** Takes rows from the queue until the batch is full or the upper would take no more. */
function fill(tables: Tables, now: Micros, upper: Upper, batch: Batch): void {
  const { vlan, shift, queue } = upper
  while (queue.length > 0 && batch.added.length + batch.removed.length < BATCH) {
    const index = queue[queue.length - 1] as number
    if (!vlan.tokens.has(index) || !vlan.unsaid(index, upper)) {
      queue.pop()
      continue
    }
    if (!upper.peer.sends.take(now, 1)) {
      upper.resumeAt = upper.peer.sends.readyAt(now, BATCH)
      tables.lower(vlan, upper.resumeAt)
      return
    }
    queue.pop()
    const token = vlan.tokens.key(index)
    if (!vlan.wanted(index, upper)) {
      count(upper, index, -1)
      vlan.unmark(index, (FLAG.sent | FLAG.proofSent) << shift)
      batch.removed.push(token)
      tables.dropSpent(vlan, index)
      continue
    }
    const flags = vlan.flags(index)
    const showProof = (flags & FLAG.proof) !== 0 && (flags & (FLAG.proofSent << shift)) === 0
    if ((flags & (FLAG.sent << shift)) === 0) count(upper, index, 1)
    vlan.mark(index, (FLAG.sent | (showProof ? FLAG.proofSent : 0)) << shift)
    batch.added.push({ token, proof: showProof ? vlan.proof(index) : undefined })
  }
}

/** Keeps the set hash: the sum over the tokens that the upper was told of. */
function count(upper: Upper, index: number, sign: 1 | -1): void {
  const { tokens } = upper.vlan
  upper.hashLow = (upper.hashLow + sign * tokenHashLow(tokens, index)) >>> 0
  upper.hashHigh = (upper.hashHigh + sign * tokenHashHigh(tokens, index)) >>> 0
  upper.tokens += sign
}

function setHashOf(upper: Upper): Uint8Array {
  const hash = new Uint8Array(SET_HASH_BYTES)
  writeU32(hash, 0, upper.hashLow)
  writeU32(hash, 4, upper.hashHigh)
  return hash
}
