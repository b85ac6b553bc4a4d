/**
 * The five facts of which a VLAN's ledger consists, as bytes and as values (sec:C2). It knows forms and
 * ids, and nothing of who may sign what: that is admit.ts.
 *
 *     fact = body | signatures          body = VLAN-ID 16 | kind 1 | fields          id = H16(body)
 *
 *     charter     policy | label | privacy 1 | suite 2 | version 4 | MTU 2 | sign 1 | padding 1 |
 *                 settled 4                                                           | approval
 *     grant       random 16 | holder kind 1 | holder key 32 | role 1 | end 6 | issuer | approval
 *     redemption  serial 16 | member key 32              | by the invitation key 64 | by the member 64
 *     revocation  target kind 1 | serial 16 or member key 32 | issuer | number 4 | standing 4 |
 *                 kept serials, ascending                                             | approval
 *     leave       serial 16 | member key 32                                           | by the member 64
 *
 *     issuer      0x00: the authority        0x01 | serial 16: the admin of that Grant
 *
 * Departures from that text, each because its first form could be turned against members:
 *
 * - The id covers what is signed and not the signatures. A signer can make any number of good signatures
 *   under one body, and m of n signers many sets of them; each would have been another fact to carry.
 * - A serial is the id of its Grant, random through the 16 bytes within, and not a number that the issuer
 *   picks. Otherwise an admin could issue a Grant of its own under the serial of anybody's, another
 *   admin's too, and burn that by revoking "its" serial. It also names the bytes to fetch.
 * - A Leave names the member key: it is judged by its own signature, and of two keys that redeemed one
 *   invitation only the one that signed leaves.
 * - A Revocation says up to which number the revocations of a revoked admin stand. Dates prove nothing, so
 *   otherwise either a stolen admin key goes on evicting members after it was revoked, or revoking an
 *   admin readmits everybody whom it rightly evicted.
 * - A Charter says which of the authority's revocations are settled (what they concerned ended more than 30
 *   days ago): they may be dropped and no floor asks for them. Dropped one by one by local clocks they
 *   would leave gaps in what a joiner can check.
 */
import { type Hash, SIGNATURE_BYTES } from '../crypto/ports.ts'
import { assert } from '../errors.ts'
import { compareBytes, concat, utf8, VLAN_ID_BYTES } from '../ids.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import { type Decoded, encode, fixed, optional, type Schema, struct, u16, u32, u48 } from '../wire/schema.ts'
import { ascending, FACT_ID_BYTES, factId, key, label, named } from './fields.ts'
import { type Approval, approval, policy } from './policy.ts'
import { REFUSAL, type Refusal } from './refusals.ts'

export const FACT = { charter: 1, grant: 2, redemption: 3, revocation: 4, leave: 5 } as const
export type FactKind = (typeof FACT)[keyof typeof FACT]

/** Names under which the signatures stand (see core/crypto/signed.ts). */
export const SIGNED_AS = {
  charter: 'charter',
  grant: 'grant',
  /** By the invitation key. */
  redemption: 'redemption',
  /** By the member key, over the same body. */
  redeemer: 'redemption member',
  revocation: 'revocation',
  leave: 'leave',
} as const

/**
 * Kept serials in one Revocation. An admin with more is revoked by several: what one of them keeps, stays.
 * Guess: 16 kB is about what one admin looks after.
 */
export const KEPT_MAX = 1_024
/** Longest fact: a Revocation with all kept serials and sixteen signatures has 17.6 kB. */
export const FACT_BYTES_MAX = 18_432
/** For a Revocation whose target issued no revocations that could fall with it. */
export const ALL_STAND = 0xffff_ffff

const issuer = optional(factId)

/** What a Charter fixes for good; its hash is the group's extension 0xF001 (sec:C2). */
const fixedTerms = { policy, label, privacy: named(['spec', 'private']), suite: u16 } as const
/** What a later version may change. */
const openTerms = {
  /** The newest counts. */
  version: u32,
  /** Of the VLAN's interfaces, in bytes. */
  mtu: u16,
  /** Which packets members sign: those that sec:A6 demands, or all. */
  sign: named(['group', 'all']),
  padding: named(['none', 'small', 'all']),
  /** The authority's revocations up to this number need not be kept or shown any more. */
  settled: u32,
} as const
const charterFields = struct({ ...fixedTerms, ...openTerms })
const fixedPart = struct(fixedTerms)
export type Terms = Decoded<typeof charterFields>
export type FixedTerms = Decoded<typeof fixedPart>

const grantFields = struct({
  random: factId,
  holderKind: named(['member', 'invitation']),
  holder: key,
  role: named(['member', 'admin']),
  /** Wall time from which the Grant is over. */
  end: u48,
  issuer,
})
export type GrantTerms = Decoded<typeof grantFields>

const redemptionFields = struct({ serial: factId, member: key })
const leaveFields = redemptionFields

/** Whom a Revocation is about. */
export type Target =
  | { readonly kind: 'serial'; readonly bytes: Uint8Array }
  | { readonly kind: 'key'; readonly bytes: Uint8Array }

const targetKind = named(['serial', 'key'])
const target: Schema<Target> = {
  size: (value) => 1 + value.bytes.length,
  write: (to, value) => {
    targetKind.write(to, value.kind)
    const form = value.kind === 'serial' ? factId : key
    form.write(to, value.bytes)
  },
  read: (from) => {
    const kind = targetKind.read(from)
    return { kind, bytes: kind === 'serial' ? factId.read(from) : key.read(from) }
  },
}

const revocationFields = struct({
  target,
  issuer,
  /** From 1, without gaps for each issuer. */
  number: u32,
  /** If the target is an admin: its own revocations up to this number stand. */
  standing: u32,
  /** If the target is an admin: Grants it issued that stay. */
  kept: ascending(factId, KEPT_MAX),
})
export type RevocationTerms = Decoded<typeof revocationFields>

const signature = fixed(SIGNATURE_BYTES)
const approved = struct({ approval })
const redeemed = struct({ byInvitation: signature, byMember: signature })
const left = struct({ byMember: signature })

interface Common {
  /** H16 of the body, 16 bytes. */
  readonly id: Uint8Array
  readonly vlan: Uint8Array
  /** All of it, as it travels. */
  readonly bytes: Uint8Array
  /** What the signatures cover. */
  readonly body: Uint8Array
}
interface Approved {
  readonly approval: Approval
}
export type Charter = Common & Terms & Approved & { readonly kind: typeof FACT.charter }
export type Grant = Common & GrantTerms & Approved & { readonly kind: typeof FACT.grant }
export type Redemption = Common &
  Decoded<typeof redemptionFields> &
  Decoded<typeof redeemed> & { readonly kind: typeof FACT.redemption }
export type Revocation = Common & RevocationTerms & Approved & { readonly kind: typeof FACT.revocation }
export type Leave = Common &
  Decoded<typeof leaveFields> &
  Decoded<typeof left> & { readonly kind: typeof FACT.leave }
export type Fact = Charter | Grant | Redemption | Revocation | Leave

type AnySchema = Schema<object>
const FORMS: Readonly<Record<FactKind, { readonly fields: AnySchema; readonly signatures: AnySchema }>> = {
  [FACT.charter]: { fields: charterFields as AnySchema, signatures: approved as AnySchema },
  [FACT.grant]: { fields: grantFields as AnySchema, signatures: approved as AnySchema },
  [FACT.redemption]: { fields: redemptionFields as AnySchema, signatures: redeemed as AnySchema },
  [FACT.revocation]: { fields: revocationFields as AnySchema, signatures: approved as AnySchema },
  [FACT.leave]: { fields: leaveFields as AnySchema, signatures: left as AnySchema },
}

/**
 * A fact of exactly one of the five forms, or why it is none. The values are views of `bytes`, which must
 * not change any more. Never throws.
 */
export function decodeFact(hash: Hash, bytes: Uint8Array): Fact | Refusal {
  if (bytes.length > FACT_BYTES_MAX) return REFUSAL.tooLong
  const from = new Reader(bytes)
  const vlan = from.take(VLAN_ID_BYTES)
  const kind = from.u8()
  const form = FORMS[kind as FactKind]
  if (from.failed) return REFUSAL.malformed
  if (form === undefined) return REFUSAL.unknownKind
  const fields = form.fields.read(from)
  const body = bytes.subarray(0, from.offset)
  const signatures = form.signatures.read(from)
  if (!from.finished) return REFUSAL.malformed
  return { id: hash.hash16(body), vlan, kind, bytes, body, ...fields, ...signatures } as Fact
}

export function charterBody(vlan: Uint8Array, terms: Terms): Uint8Array {
  return bodyOf(vlan, FACT.charter, charterFields, terms)
}

export function grantBody(vlan: Uint8Array, terms: GrantTerms): Uint8Array {
  return bodyOf(vlan, FACT.grant, grantFields, terms)
}

export function redemptionBody(vlan: Uint8Array, serial: Uint8Array, member: Uint8Array): Uint8Array {
  return bodyOf(vlan, FACT.redemption, redemptionFields, { serial, member })
}

export function revocationBody(vlan: Uint8Array, terms: RevocationTerms): Uint8Array {
  return bodyOf(vlan, FACT.revocation, revocationFields, terms)
}

export function leaveBody(vlan: Uint8Array, serial: Uint8Array, member: Uint8Array): Uint8Array {
  return bodyOf(vlan, FACT.leave, leaveFields, { serial, member })
}

/** A Charter, Grant or Revocation whose body was signed. */
export function approvedFact(hash: Hash, body: Uint8Array, given: Approval): Fact {
  return ownFact(hash, body, encode(approved, { approval: given }))
}

/** A Redemption or Leave whose body was signed; signatures in the order of the layout. */
export function signedFact(hash: Hash, body: Uint8Array, ...signatures: readonly Uint8Array[]): Fact {
  return ownFact(hash, body, concat(...signatures))
}

function ownFact(hash: Hash, body: Uint8Array, signatures: Uint8Array): Fact {
  const fact = decodeFact(hash, concat(body, signatures))
  assert(typeof fact !== 'string', `an own fact is not of its form: ${String(fact)}`)
  return fact
}

function bodyOf<T>(vlan: Uint8Array, kind: FactKind, fields: Schema<T>, value: T): Uint8Array {
  const to = new Writer(VLAN_ID_BYTES + 1 + fields.size(value))
  to.put(vlan)
  to.u8(kind)
  fields.write(to, value)
  return to.bytes
}

/** Order in which each fact comes after what it rests on, so that little has to wait; then by id. */
export function compareFacts(left: Fact, right: Fact): number {
  return layerOf(left) - layerOf(right) || compareBytes(left.id, right.id)
}

function layerOf(fact: Fact): number {
  const isFirst = fact.kind === FACT.charter || (fact.kind === FACT.grant && fact.role === 'admin')
  return isFirst ? 0 : fact.kind
}

const FIXED_LABEL = utf8('peertap charter v1\0')

/** Extension 0xF001 of the VLAN's groups: H32 over the VLAN-ID and the Charter's fixed terms. */
export function fixedHash(hash: Hash, vlan: Uint8Array, terms: FixedTerms): Uint8Array {
  return hash.hash32(concat(FIXED_LABEL, vlan, encode(fixedPart, terms)))
}

/** The id of the Redemption of that serial by that member: nothing in it is random. */
export function redemptionId(
  hash: Hash,
  vlan: Uint8Array,
  serial: Uint8Array,
  member: Uint8Array,
): Uint8Array {
  assert(serial.length === FACT_ID_BYTES, `a serial of ${serial.length} bytes`)
  return hash.hash16(redemptionBody(vlan, serial, member))
}
