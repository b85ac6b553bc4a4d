/**
 * What is stored of a group, as bytes: the head, an own commit before it is sent, the ledger (sec:B8, M13).
 * Layouts only. All of it is secret; a backup of it is a copy of the member.
 *
 * Not stored are rollback states and keys that seal data (sec:M6, N8), and what others will tell again:
 * acks, offers, the log. Serials that were spent by members who are gone are forgotten with the process:
 * revocations and leaves burn them in the ledger anyway.
 */
import { concat } from '../ids.ts'
import { epochId } from '../ledger/fields.ts'
import { TREE_BYTES_MAX } from '../mls/limits.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import { bytes, type Decoded, fixed, list, type Schema, struct, u32, u48 } from '../wire/schema.ts'
import { FORKS_MAX, LINEAGE_MAX, OFFERS_IN_ONE_MAX, ROUTE_BYTES_MAX } from './limits.ts'
import { waySchema } from './messages.ts'

const VERSION = 2

/** A byte string with four bytes of length. */
const long: Schema<Uint8Array> = {
  size: (value) => 4 + value.length,
  write: (to, value) => {
    to.u32(value.length)
    to.put(value)
  },
  read: (from) => {
    const length = from.u32()
    if (length > 2 * TREE_BYTES_MAX) from.fail()
    return from.take(from.failed ? 0 : length)
  },
}

const salts = struct({ current: fixed(32), previous: fixed(32), since: u48 })

const headRecord = struct({
  ackCounter: u32,
  joinNumber: u48,
  leafSeed: fixed(32),
  salts,
  way: waySchema(LINEAGE_MAX, FORKS_MAX),
  state: long,
})
export type HeadRecord = Decoded<typeof headRecord>

const nextRecord = struct({
  parent: epochId,
  leafSeed: fixed(32),
  salts,
  state: long,
  /** The handshake with the commit, as it is sent. */
  message: long,
  welcome: long,
  routes: list(bytes(ROUTE_BYTES_MAX), OFFERS_IN_ONE_MAX),
})
/** An own commit with all that belongs to it. */
export type NextRecord = Decoded<typeof nextRecord>

export function encodeHead(record: HeadRecord): Uint8Array {
  return sealed(headRecord, record)
}

export function decodeHead(given: Uint8Array): HeadRecord | undefined {
  return opened(headRecord, given)
}

export function encodeNext(record: NextRecord): Uint8Array {
  return sealed(nextRecord, record)
}

export function decodeNext(given: Uint8Array): NextRecord | undefined {
  return opened(nextRecord, given)
}

/** Facts one after the other, each with its length. */
export function encodeLedger(facts: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  const parts = facts.map((fact) => {
    const to = new Writer(long.size(fact.bytes))
    long.write(to, fact.bytes)
    return to.bytes
  })
  return concat(Uint8Array.of(VERSION), ...parts)
}

/** The facts up to the first that is cut short. */
export function decodeLedger(given: Uint8Array): Uint8Array[] {
  const from = new Reader(given)
  const facts: Uint8Array[] = []
  if (from.u8() !== VERSION) return facts
  while (!from.finished && !from.failed) {
    const fact = long.read(from)
    if (!from.failed) facts.push(fact)
  }
  return facts
}

function sealed<T>(schema: Schema<T>, value: T): Uint8Array {
  const to = new Writer(1 + schema.size(value))
  to.u8(VERSION)
  schema.write(to, value)
  return to.bytes
}

/** In own bytes; undefined if it is not exactly of its form. */
function opened<T>(schema: Schema<T>, given: Uint8Array): T | undefined {
  const from = new Reader(given.slice())
  if (from.u8() !== VERSION) return undefined
  const value = schema.read(from)
  return from.finished ? value : undefined
}
