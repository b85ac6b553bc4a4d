/**
 * What members of a group say to each other, as bytes: handshakes (kind 4) under a channel key, and what
 * goes through a door session. Layouts only; strict, one form for each content.
 *
 *     handshake   1 | child 16 | committer's leaf 4 | proposals 1 | removed leaves, each 4 | commit
 *              or 2 | ack (core/ledger/acks.ts)
 *              or 3 | children wanted, each 16
 *              or 4 | offers, facts that certify who they are of
 *              or 5 | offers of members that fold
 *              or 6 | winner's head 16 | signature 64 | evidence of both branches | commit that parted them
 *              or 7 | parent 16 | acks of its witnesses
 *     offer       route | credential 118 | leaf key 32 | KeyPackage
 *
 * A commit shows to nobody but its parent's members who made it and what it does, and to them only after it
 * was processed. So it comes with claims: they let a member choose which of several to process, and a
 * commit whose claims turn out false is dropped.
 */
import { SIGNATURE_BYTES } from '../crypto/ports.ts'
import { concat } from '../ids.ts'
import { FACT_BYTES_MAX } from '../ledger/facts.ts'
import { epochId, key } from '../ledger/fields.ts'
import { WITNESSES } from '../ledger/rank.ts'
import { CREDENTIAL_BYTES, KEY_PACKAGE_BYTES_MAX, REMOVES_MAX } from '../mls/limits.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import {
  bytes,
  type Decoded,
  encode,
  fixed,
  flag,
  list,
  optional,
  type Schema,
  struct,
  u8,
  u16,
  u32,
} from '../wire/schema.ts'
import {
  LINEAGE_MAX,
  LINEAGE_TOLD,
  OFFERS_IN_ONE_MAX,
  ROUTE_BYTES_MAX,
  STEPS_TOLD,
  UNSEEN_MAX,
  WELCOME_FACTS_MAX,
} from './limits.ts'

const ACK_BYTES = 84

/** Everything up to the end of the message. */
const rest: Schema<Uint8Array> = {
  size: (value) => value.length,
  write: (to, value) => to.put(value),
  read: (from) => from.take(Math.max(0, from.bytes.length - from.offset)),
}

const commitMessage = struct({
  child: epochId,
  committer: u32,
  proposals: u8,
  removes: list(u32, REMOVES_MAX),
  commit: rest,
})
export type CommitMessage = Decoded<typeof commitMessage>

const wanted = list(epochId, UNSEEN_MAX)

const offer = struct({
  route: bytes(ROUTE_BYTES_MAX),
  credential: fixed(CREDENTIAL_BYTES),
  leafKey: key,
  keyPackage: bytes(KEY_PACKAGE_BYTES_MAX),
})
/** A KeyPackage to be added with, and where the Welcome is to go. */
export type Offer = Decoded<typeof offer>
const offers = list(offer, OFFERS_IN_ONE_MAX)

/** How an epoch came from its parent. */
const step = struct({
  committer: key,
  proposals: u8,
  commitHash: fixed(32),
  /** Witnesses of the parent that were known to have gone there. */
  acks: u8,
})

/** The way of a branch (way.ts): MLS-IDs, the newest last, and for the last of them how each came. */
export function waySchema(lineageMax: number, stepsMax: number): Schema<Way> {
  return struct({ lineage: list(epochId, lineageMax), steps: list(step, stepsMax) })
}
export interface Way {
  readonly lineage: readonly Uint8Array[]
  readonly steps: readonly Decoded<typeof step>[]
}

/** What witnesses of one epoch said, signed by themselves. */
const evidenceAcks = list(struct({ witness: key, ack: fixed(ACK_BYTES) }), WITNESSES)

/**
 * One side of a fork, as it is told to the other side and compared by both (sec:B6, B11). What is not signed
 * is the word of a certified member; who lies about it makes members rejoin a branch, and no more: whether
 * that branch is clean, each of them sees by its Welcome.
 */
const evidence = struct({
  head: epochId,
  /** Whether a refused member is in the head's roster. */
  dirty: flag,
  /** Unrefused members heard in the last 60 s: what counts where the branches have no epoch in common. */
  heard: u16,
  /** The child of the last common epoch that leads to the head; none if there is no common epoch. */
  child: optional(
    struct({
      parent: epochId,
      mlsId: epochId,
      committer: key,
      proposals: u8,
      commitHash: fixed(32),
      /** Witnesses that went there: those whose acks follow, or as many as its branch tells newcomers. */
      acks: u8,
    }),
  ),
  /** What witnesses of the common epoch said, whatever they preferred. */
  acks: evidenceAcks,
})
export type Evidence = Decoded<typeof evidence>

/** What witnesses of an epoch said, for one who heard less of it. */
const witnessed = struct({ parent: epochId, acks: evidenceAcks })
export type Witnessed = Decoded<typeof witnessed>

const fold = struct({
  head: epochId,
  signature: fixed(SIGNATURE_BYTES),
  winner: evidence,
  loser: evidence,
  /** The handshake with the commit by which the winner parted, for those who can go back; or nothing. */
  commit: rest,
})
export type Fold = Decoded<typeof fold>

export type Handshake =
  | ({ readonly kind: 'commit' } & CommitMessage)
  | { readonly kind: 'ack'; readonly ack: Uint8Array }
  | { readonly kind: 'want'; readonly children: readonly Uint8Array[] }
  | { readonly kind: 'offers'; readonly offers: readonly Offer[]; readonly facts: readonly Uint8Array[] }
  | { readonly kind: 'foldOffers'; readonly offers: readonly Offer[] }
  | ({ readonly kind: 'fold' } & Fold)
  | ({ readonly kind: 'witnessed' } & Witnessed)

const branch = struct({
  head: epochId,
  digest: fixed(32),
  /** Of the sender's line up to the head, newest first, the head among them. */
  lineage: list(epochId, LINEAGE_MAX),
})
export type Branch = Decoded<typeof branch>

const logEntry = struct({ parent: epochId, child: epochId, message: rest })
export type LogPart = Decoded<typeof logEntry>
const refusal = struct({ why: list(u8, 32) })

export type DoorMessage =
  /** An exchange of ledgers (core/ledger/exchange.ts). */
  | { readonly kind: 'ledger'; readonly payload: Uint8Array }
  | { readonly kind: 'offers'; readonly offers: readonly Offer[] }
  | ({ readonly kind: 'branch' } & Branch)
  /** A commit that leads on from the other side's head. */
  | ({ readonly kind: 'log' } & LogPart)
  /** The other side is behind, by more than the log holds. */
  | { readonly kind: 'tooOld' }
  | ({ readonly kind: 'evidence' } & Evidence)
  /** Nothing will come of it; the reason is for people. */
  | { readonly kind: 'refused'; readonly why: string }

const toldWay = waySchema(LINEAGE_TOLD, STEPS_TOLD)
const welcome = struct({ facts: list(bytes(FACT_BYTES_MAX), WELCOME_FACTS_MAX), welcome: rest })
/** A Welcome as it is stored with its commit, with the facts that certify those added by it. */
export type WelcomeMessage = Decoded<typeof welcome>

interface Form<Message> {
  readonly type: number
  readonly schema: Schema<Message>
}
/** One byte that names the form, then the form. */
class Forms<Message extends { readonly kind: string }> {
  readonly #byKind: ReadonlyMap<string, Form<Message>>
  readonly #byType: ReadonlyMap<number, Schema<Message>>

  constructor(forms: Readonly<Record<Message['kind'], Form<Message>>>) {
    const entries = Object.entries<Form<Message>>(forms)
    this.#byKind = new Map(entries)
    this.#byType = new Map(entries.map(([, form]) => [form.type, form.schema]))
  }

  encode(message: Message): Uint8Array {
    const form = this.#byKind.get(message.kind) as Form<Message>
    const to = new Writer(1 + form.schema.size(message))
    to.u8(form.type)
    form.schema.write(to, message)
    return to.bytes
  }

  decode(given: Uint8Array): Message | undefined {
    const schema = this.#byType.get(given[0] ?? 0)
    if (schema === undefined) return undefined
    const from = new Reader(given, 1)
    const message = schema.read(from)
    return from.finished ? message : undefined
  }
}

/** A schema whose values carry the kind beside the fields. */
function form<Message>(type: number, kind: string, fields: Schema<never>): Form<Message> {
  const inner = fields as unknown as Schema<object>
  const schema: Schema<object> = {
    size: (value) => inner.size(value),
    write: (to, value) => inner.write(to, value),
    read: (from) => ({ kind, ...inner.read(from) }),
  }
  return { type, schema: schema as unknown as Schema<Message> }
}

const ackFields = struct({ ack: fixed(ACK_BYTES) })
const wantFields = struct({ children: wanted })
const offersFields = struct({ offers })
const offeredFields = struct({ offers, facts: list(bytes(FACT_BYTES_MAX), WELCOME_FACTS_MAX) })
const handshakes = new Forms<Handshake>({
  commit: form(1, 'commit', commitMessage as Schema<never>),
  ack: form(2, 'ack', ackFields as Schema<never>),
  want: form(3, 'want', wantFields as Schema<never>),
  offers: form(4, 'offers', offeredFields as Schema<never>),
  foldOffers: form(5, 'foldOffers', offersFields as Schema<never>),
  fold: form(6, 'fold', fold as Schema<never>),
  witnessed: form(7, 'witnessed', witnessed as Schema<never>),
})

type Framed =
  | Exclude<DoorMessage, { kind: 'refused' }>
  | { readonly kind: 'refused'; readonly why: readonly number[] }
const doorMessages = new Forms<Framed>({
  ledger: form(1, 'ledger', struct({ payload: rest }) as Schema<never>),
  offers: form(2, 'offers', offersFields as Schema<never>),
  branch: form(3, 'branch', branch as Schema<never>),
  log: form(4, 'log', logEntry as Schema<never>),
  tooOld: form(5, 'tooOld', struct({}) as Schema<never>),
  evidence: form(6, 'evidence', evidence as Schema<never>),
  refused: form(7, 'refused', refusal as Schema<never>),
})

export function encodeHandshake(message: Handshake): Uint8Array {
  return handshakes.encode(message)
}

/** Undefined for anything that is not exactly of one of the forms. Fields are views. */
export function decodeHandshake(payload: Uint8Array): Handshake | undefined {
  return handshakes.decode(payload)
}

export function encodeDoor(message: DoorMessage): Uint8Array {
  if (message.kind !== 'refused') return doorMessages.encode(message)
  const why = [...message.why].slice(0, 32).map((letter) => letter.charCodeAt(0) & 0x7f)
  return doorMessages.encode({ kind: 'refused', why })
}

/** Undefined for anything that is not exactly of one of the forms. Fields are views. */
export function decodeDoor(message: Uint8Array): DoorMessage | undefined {
  const said = doorMessages.decode(message)
  if (said?.kind !== 'refused') return said
  return { kind: 'refused', why: String.fromCharCode(...said.why.map((byte) => byte & 0x7f)) }
}

export function encodeWelcome(message: WelcomeMessage): Uint8Array {
  return encode(welcome, message)
}

/** A stored Welcome as it leaves: behind the way to its epoch, which is known by then. */
export function sendWelcome(way: Way, message: Uint8Array): Uint8Array {
  return concat(encode(toldWay, way), message)
}

/** One that arrived. */
export function decodeWelcome(given: Uint8Array): (WelcomeMessage & { readonly way: Way }) | undefined {
  const from = new Reader(given)
  const way = toldWay.read(from)
  const message = welcome.read(from)
  return from.finished ? { ...message, way } : undefined
}

/** What a fold is signed over, beside the branch's own names (sec:B11). */
export function foldBody(head: Uint8Array, evidenceHash: Uint8Array): Uint8Array {
  return concat(head, evidenceHash)
}

export function encodeEvidence(value: Evidence): Uint8Array {
  return encode(evidence, value)
}
