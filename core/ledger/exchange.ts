/**
 * How two ledgers find what the one has and the other has not, in payloads of kind 5 (sec:A5, B1). It knows
 * sorted ids and sizes of messages, and nothing of what facts mean or how payloads travel.
 *
 *     payload     1 | facts: count 1, each length 2 | fact
 *              or 2 | turn 1 | ranges: count 2, each below | wanted ids: count 2, each 16
 *     range       depth 1 | prefix, depth / 2 bytes rounded up | 0 | H16 over the ids within
 *                                                              or 1 | count 1 | the ids within
 *
 * A range is all ids that begin with `depth` hex digits of the prefix. Who begins sends the range of
 * everything. Who gets a hash that differs from its own answers with the sixteen ranges one digit deeper,
 * or with the ids themselves where they are few. Who gets ids sends the facts that the other lacks and asks
 * for those that it lacks itself. This is range-based set reconciliation (Meyer 2022) over hex digits.
 *
 * Every message is bounded; what has no room is left to the next exchange, which finds it because the parts
 * before agree by then. Unless they do not: one side may refuse what the other keeps, by its clock or
 * because something is full. So after an exchange that brought nothing the next begins with another `turn`,
 * and the room goes to other parts.
 */
import type { Hash } from '../crypto/ports.ts'
import { concat, hex } from '../ids.ts'
import type { Reader } from '../wire/cursor.ts'
import { bytes, decode, encode, fixed, list, type Schema, struct, u8 } from '../wire/schema.ts'
import { FACT, FACT_BYTES_MAX, type Fact } from './facts.ts'
import { FACT_ID_BYTES, factId } from './fields.ts'
import type { Ledger } from './ledger.ts'

/** Ids that are sent as they are and not hashed: as long as about thirty hashes. Guess. */
const RANGE_IDS_MAX = 32
/** Ranges of one message: all of two digits, 4.8 kB, so that eight thousand ids differ in one exchange. */
const RANGES_MAX = 256
/** Ids in the ranges of one message: 32 kB. */
const IDS_MAX = 2_048
/** Ids asked for in one message: 8 kB. */
const WANTED_MAX = 512
/** Facts of one payload, and facts given in answer to one message; the rest is found again. Guess: 64 kB. */
const FACTS_MAX = 255
/** Bytes of facts in one payload: it must stay below the largest that is cut into fragments (sec:A12). */
const FACTS_BYTES_MAX = 60_000
const DIGITS_MAX = 2 * FACT_ID_BYTES
const FINGERPRINT_BYTES = 16

/** The hash of what is in a range, or the ids themselves. */
export interface Range {
  /** Hex digits of the prefix that count. */
  readonly depth: number
  /** Digits beyond `depth` are zero. */
  readonly prefix: Uint8Array
  readonly inside:
    | { readonly kind: 'hash'; readonly hash: Uint8Array }
    | { readonly kind: 'ids'; readonly ids: readonly Uint8Array[] }
}

export interface Exchange {
  /** Which parts come first where not all have room; from 0 to 255. */
  readonly turn: number
  readonly ranges: readonly Range[]
  readonly wanted: readonly Uint8Array[]
}

export type LedgerPayload =
  | { readonly kind: 'facts'; readonly facts: readonly Uint8Array[] }
  | ({ readonly kind: 'exchange' } & Exchange)

/** What to do about a message: a message to send back, and facts to send. */
export interface Answer {
  readonly reply: Exchange | undefined
  readonly facts: readonly Fact[]
}

const PAYLOAD = { facts: 1, exchange: 2 } as const
const INSIDE = { hash: 0, ids: 1 } as const

const rangeHash = fixed(FINGERPRINT_BYTES)
const rangeIds = list(factId, RANGE_IDS_MAX)
const range: Schema<Range> = {
  size: ({ depth, inside }) =>
    2 + bytesOf(depth) + (inside.kind === 'hash' ? FINGERPRINT_BYTES : rangeIds.size(inside.ids)),
  write: (to, { depth, prefix, inside }) => {
    to.u8(depth)
    to.put(prefix)
    to.u8(INSIDE[inside.kind])
    if (inside.kind === 'hash') rangeHash.write(to, inside.hash)
    else rangeIds.write(to, inside.ids)
  },
  read: (from) => {
    const depth = from.u8()
    if (depth > DIGITS_MAX) from.fail()
    const prefix = from.take(bytesOf(depth))
    if (depth % 2 === 1 && ((prefix[prefix.length - 1] ?? 0) & 0x0f) !== 0) from.fail()
    return { depth, prefix, inside: readInside(from) }
  },
}

function readInside(from: Reader): Range['inside'] {
  const kind = from.u8()
  if (kind === INSIDE.hash) return { kind: 'hash', hash: rangeHash.read(from) }
  if (kind !== INSIDE.ids) from.fail()
  return { kind: 'ids', ids: rangeIds.read(from) }
}

const exchange = struct({ turn: u8, ranges: list(range, RANGES_MAX), wanted: list(factId, WANTED_MAX) })
const factList = list(bytes(FACT_BYTES_MAX), FACTS_MAX)

export function encodeExchange(message: Exchange): Uint8Array {
  return concat(Uint8Array.of(PAYLOAD.exchange), encode(exchange, message))
}

/** Payloads that carry the facts, as many as their sizes need. */
export function encodeFacts(facts: readonly Fact[]): Uint8Array[] {
  const payloads: Uint8Array[] = []
  let batch: Uint8Array[] = []
  let size = 0
  for (const fact of facts) {
    if (batch.length >= FACTS_MAX || size + fact.bytes.length > FACTS_BYTES_MAX) {
      payloads.push(factPayload(batch))
      batch = []
      size = 0
    }
    batch.push(fact.bytes)
    size += fact.bytes.length + 2
  }
  if (batch.length > 0) payloads.push(factPayload(batch))
  return payloads
}

function factPayload(batch: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(PAYLOAD.facts), encode(factList, batch))
}

/** Undefined for anything that is not exactly of these forms. Fields are views of the payload. */
export function decodeLedgerPayload(payload: Uint8Array): LedgerPayload | undefined {
  const body = payload.subarray(1)
  if (payload[0] === PAYLOAD.facts) {
    const facts = decode(factList, body)
    return facts === undefined ? undefined : { kind: 'facts', facts }
  }
  const message = payload[0] === PAYLOAD.exchange ? decode(exchange, body) : undefined
  return message === undefined ? undefined : { kind: 'exchange', ...message }
}

/**
 * The message that begins an exchange: everything as one range, and what facts here are waiting for. The
 * turn is that of the last exchange, one more if it brought nothing though there was a difference.
 */
export function openExchange(hash: Hash, ledger: Ledger, turn = 0): Exchange {
  const whole = { depth: 0, prefix: new Uint8Array(0) }
  const inside = { kind: 'hash', hash: fingerprint(hash, ledger.ids()) } as const
  return { turn: turn & 0xff, ranges: [{ ...whole, inside }], wanted: ledger.wanted().slice(0, WANTED_MAX) }
}

/** What to answer. No reply and no facts: the two agree, as far as the message went. */
export function answerExchange(hash: Hash, ledger: Ledger, message: Exchange): Answer {
  const ranges: Range[] = []
  const wanted = new Map<string, Uint8Array>()
  const facts = new Map<string, Fact>()
  for (const id of message.wanted) give(facts, ledger.behind(id))
  for (const theirs of message.ranges) {
    const own = within(ledger.ids(), theirs)
    if (theirs.inside.kind === 'ids') compare(ledger, own, theirs.inside.ids, wanted, facts)
    else if (hex(fingerprint(hash, own)) !== hex(theirs.inside.hash))
      ranges.push(...describe(hash, own, theirs))
  }
  // Only beside something else, or two that both miss what nobody has would ask each other for ever.
  if (ranges.length > 0 || wanted.size > 0) for (const id of ledger.wanted()) wanted.set(hex(id), id)
  const { turn } = message
  const reply = { turn, ranges: fitting(ranges, turn), wanted: [...wanted.values()].slice(0, WANTED_MAX) }
  const isSaid = reply.ranges.length > 0 || reply.wanted.length > 0
  return {
    reply: isSaid ? reply : undefined,
    facts: turned(inOrder(facts), FACTS_MAX, turn).slice(0, FACTS_MAX),
  }
}

/** As many ranges as have room. */
function fitting(ranges: readonly Range[], turn: number): Range[] {
  const fit: Range[] = []
  let ids = 0
  for (const each of turned(ranges, RANGES_MAX, turn)) {
    if (each.inside.kind === 'ids') ids += each.inside.ids.length
    if (fit.length >= RANGES_MAX || ids > IDS_MAX) break
    fit.push(each)
  }
  return fit
}

/** Beginning further along with each turn, round and round, if there are more than `room`. */
function turned<T>(items: readonly T[], room: number, turn: number): readonly T[] {
  if (items.length <= room) return items
  const start = (turn * (room - 1)) % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

/** Each after what it rests on, so that little has to wait at the other end. */
function inOrder(facts: ReadonlyMap<string, Fact>): Fact[] {
  return [...facts.values()].sort((a, b) => layerOf(a) - layerOf(b))
}

function layerOf(fact: Fact): number {
  if (fact.kind === FACT.charter || (fact.kind === FACT.grant && fact.role === 'admin')) return 0
  return fact.kind
}

/** The ids of a range if they are few, else the sixteen ranges within it. */
function describe(hash: Hash, own: readonly Uint8Array[], { depth, prefix }: Range): Range[] {
  if (own.length <= RANGE_IDS_MAX || depth === DIGITS_MAX)
    return [{ depth, prefix, inside: { kind: 'ids', ids: own.slice(0, RANGE_IDS_MAX) } }]
  const deeper: Range[] = []
  for (let digit = 0; digit < 16; digit++) {
    const child = { depth: depth + 1, prefix: extend(prefix, depth, digit) }
    deeper.push({ ...child, inside: { kind: 'hash', hash: fingerprint(hash, within(own, child)) } })
  }
  return deeper
}

function compare(
  ledger: Ledger,
  own: readonly Uint8Array[],
  theirs: readonly Uint8Array[],
  wanted: Map<string, Uint8Array>,
  facts: Map<string, Fact>,
): void {
  const ownNames = new Set(own.map(hex))
  const theirNames = new Set(theirs.map(hex))
  for (const id of theirs) if (!ownNames.has(hex(id))) wanted.set(hex(id), id)
  for (const id of own) if (!theirNames.has(hex(id))) give(facts, ledger.behind(id))
}

function give(facts: Map<string, Fact>, more: readonly Fact[]): void {
  for (const fact of more) facts.set(hex(fact.id), fact)
}

function fingerprint(hash: Hash, ids: readonly Uint8Array[]): Uint8Array {
  return hash.hash16(concat(...ids))
}

/** Those of the sorted ids that begin with the prefix. */
function within(
  ids: readonly Uint8Array[],
  part: { readonly depth: number; readonly prefix: Uint8Array },
): readonly Uint8Array[] {
  return ids.slice(firstFrom(ids, part, 0), firstFrom(ids, part, 1))
}

/** Index of the first id whose beginning compares with the prefix as `least` (0 or 1) or more. */
function firstFrom(
  ids: readonly Uint8Array[],
  part: { readonly depth: number; readonly prefix: Uint8Array },
  least: number,
): number {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBeginning(ids[middle] as Uint8Array, part.prefix, part.depth) < least) low = middle + 1
    else high = middle
  }
  return low
}

/** −1, 0 or 1: the first `depth` digits of the id against those of the prefix. */
function compareBeginning(id: Uint8Array, prefix: Uint8Array, depth: number): number {
  for (let digit = 0; digit < depth; digit++) {
    const difference = digitAt(id, digit) - digitAt(prefix, digit)
    if (difference !== 0) return Math.sign(difference)
  }
  return 0
}

function digitAt(from: Uint8Array, digit: number): number {
  const byte = from[digit >> 1] as number
  return digit % 2 === 0 ? byte >> 4 : byte & 0x0f
}

function extend(prefix: Uint8Array, depth: number, digit: number): Uint8Array {
  const longer = new Uint8Array(bytesOf(depth + 1))
  longer.set(prefix)
  const at = depth >> 1
  longer[at] = (longer[at] as number) | (depth % 2 === 0 ? digit << 4 : digit)
  return longer
}

function bytesOf(digits: number): number {
  return (digits + 1) >> 1
}
