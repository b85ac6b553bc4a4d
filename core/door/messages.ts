/**
 * What is said in a door session, as bytes (sec:C4, C5, B11, B12). Knows the layouts, and neither who may
 * say what nor what it means. Each message is one kind, then exactly its fields.
 *
 *     ledger        a payload of the exchange of ledgers (core/ledger/exchange.ts)
 *     keyPackage    number 2 | KeyPackage                  number: the sender's, for the answer
 *     welcome       count 1, numbers 2 each | Welcome      one Welcome serves all KeyPackages of a commit
 *     notAdded      number 2 | reason 1
 *     logEntry      parent MLS-ID 16 | child MLS-ID 16 | commit
 *     logEnd        MLS-ID 16 of the head
 *     lineage       count 2, MLS-IDs 16 each, the newest first
 *     evidence      see Evidence
 */
import { concat } from '../ids.ts'
import { epochId, key } from '../ledger/fields.ts'
import { COMMIT_BYTES_MAX, KEY_PACKAGE_BYTES_MAX, TREE_BYTES_MAX } from '../mls/limits.ts'
import { Reader } from '../wire/cursor.ts'
import {
  type Decoded,
  encode,
  fixed,
  list,
  optional,
  type Schema,
  struct,
  u8,
  u16,
  u32,
} from '../wire/schema.ts'
import { ACKS_MAX, LINEAGE_MAX } from './limits.ts'

const MESSAGE = {
  ledger: 1,
  keyPackage: 2,
  welcome: 3,
  notAdded: 4,
  logEntry: 5,
  logEnd: 6,
  lineage: 7,
  evidence: 8,
} as const

/** Members that one commit adds (sec:B4). */
const NUMBERS_MAX = 64
/** An ack with what names its signer in the roster of the parent (core/ledger/acks.ts). */
const ack = struct({ leaf: u32, ack: fixed(84) })
/** Members of the head's roster that are shown: as many as a Welcome of 1 MiB has leaves. */
const ROSTER_MAX = 2_000

const branch = struct({
  /** The child of the fork parent that the branch begins with. */
  child: epochId,
  /** Member key of who committed it. */
  committer: key,
  /** Proposals in that commit. */
  proposals: u8,
  commitHash: fixed(32),
  acks: list(ack, ACKS_MAX),
})

const evidence = struct({
  head: epochId,
  /** Member keys in the head's roster. */
  roster: list(key, ROSTER_MAX),
  /** Distinct unrefused signers of cards in the last 60 s. */
  live: u16,
  /** Undefined if this end keeps nothing of the fork parent any more, or there is none. */
  branch: optional(branch),
})
/** What B6 and B11 weigh: what one branch can show for itself at a fork. */
export type Evidence = Decoded<typeof evidence>

const lineage = list(epochId, LINEAGE_MAX)
const numbers = list(u16, NUMBERS_MAX)
const logHead = struct({ parent: epochId, child: epochId })
const notAdded = struct({ number: u16, why: u8 })

export interface LogEntry {
  /** MLS-ID that the commit was made on, and the one it leads to. */
  readonly parent: Uint8Array
  readonly child: Uint8Array
  readonly commit: Uint8Array
}

/** A message read: fields are views of the message. */
export type Message =
  | { readonly kind: 'ledger'; readonly payload: Uint8Array }
  | { readonly kind: 'keyPackage'; readonly number: number; readonly keyPackage: Uint8Array }
  | { readonly kind: 'welcome'; readonly numbers: readonly number[]; readonly welcome: Uint8Array }
  | { readonly kind: 'notAdded'; readonly number: number; readonly why: number }
  | { readonly kind: 'logEntry'; readonly entry: LogEntry }
  | { readonly kind: 'logEnd'; readonly head: Uint8Array }
  | { readonly kind: 'lineage'; readonly ids: readonly Uint8Array[] }
  | { readonly kind: 'evidence'; readonly evidence: Evidence }

/** The bytes of a message. */
export function encodeMessage(message: Message): Uint8Array {
  const kind = Uint8Array.of(MESSAGE[message.kind])
  switch (message.kind) {
    case 'ledger':
      return concat(kind, message.payload)
    case 'keyPackage':
      return concat(kind, encode(u16, message.number), message.keyPackage)
    case 'welcome':
      return concat(kind, encode(numbers, message.numbers), message.welcome)
    case 'notAdded':
      return concat(kind, encode(notAdded, message))
    case 'logEntry':
      return concat(kind, encode(logHead, message.entry), message.entry.commit)
    case 'logEnd':
      return concat(kind, message.head)
    case 'lineage':
      return concat(kind, encode(lineage, message.ids))
    case 'evidence':
      return concat(kind, encode(evidence, message.evidence))
  }
}

/** Undefined for anything that is not exactly of one of these forms. Never throws. */
export function decodeMessage(given: Uint8Array): Message | undefined {
  const from = new Reader(given)
  switch (from.u8()) {
    case MESSAGE.ledger:
      return { kind: 'ledger', payload: given.subarray(1) }
    case MESSAGE.keyPackage: {
      const number = from.u16()
      const keyPackage = rest(from, KEY_PACKAGE_BYTES_MAX)
      return keyPackage && { kind: 'keyPackage', number, keyPackage }
    }
    case MESSAGE.welcome: {
      const named = numbers.read(from)
      const welcome = rest(from, TREE_BYTES_MAX)
      return welcome && { kind: 'welcome', numbers: named, welcome }
    }
    case MESSAGE.notAdded:
      return whole(from, notAdded, (fields) => ({ kind: 'notAdded', ...fields }))
    case MESSAGE.logEntry: {
      const { parent, child } = logHead.read(from)
      const commit = rest(from, COMMIT_BYTES_MAX)
      return commit && { kind: 'logEntry', entry: { parent, child, commit } }
    }
    case MESSAGE.logEnd:
      return whole(from, epochId, (head) => ({ kind: 'logEnd', head }))
    case MESSAGE.lineage:
      return whole(from, lineage, (ids) => ({ kind: 'lineage', ids }))
    case MESSAGE.evidence:
      return whole(from, evidence, (said) => ({ kind: 'evidence', evidence: said }))
    default:
      return undefined
  }
}

function whole<T>(from: Reader, schema: Schema<T>, make: (value: T) => Message): Message | undefined {
  const value = schema.read(from)
  return from.finished ? make(value) : undefined
}

/** What is left, at least one byte and at most `limit`. */
function rest(from: Reader, limit: number): Uint8Array | undefined {
  const bytes = from.take(from.bytes.length - from.offset)
  return from.failed || bytes.length === 0 || bytes.length > limit ? undefined : bytes
}
