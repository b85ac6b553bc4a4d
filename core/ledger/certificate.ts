/**
 * What stands in a leaf of the group: the MLS credential of a member (sec:C1), and the chain of facts that
 * certifies it (sec:C4). It knows the ledger and the member's signature, and nothing of MLS but the leaf key.
 *
 *     credential    member key 32 | serial 16 | join number 6 | signature 64               118 bytes
 *     signature     sign(member, "leaf", VLAN-ID | serial | join number | leaf key)
 *     chain         count 1 | Grant | [Redemption] | [Grant of the issuing admin], each length 2 | fact
 *
 * The join number is the wall time of the join in ms, made to rise: an old KeyPackage cannot displace the
 * member that made a newer one.
 */
import { SIGNATURE_BYTES, type Signatures } from '../crypto/ports.ts'
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { concat } from '../ids.ts'
import { Writer } from '../wire/cursor.ts'
import { bytes, decode, encode, fixed, list, struct, u48 } from '../wire/schema.ts'
import { FACT_BYTES_MAX } from './facts.ts'
import { factId, key } from './fields.ts'
import type { Ledger } from './ledger.ts'
import type { Refused } from './refusals.ts'
import { type Certificate, type Lineage, NO_LINEAGE } from './standing.ts'

const LEAF = 'leaf'

/** What a leaf says of its member. */
export interface Identity {
  readonly memberKey: Uint8Array
  readonly serial: Uint8Array
  readonly joinNumber: number
}

const credential = struct({
  memberKey: key,
  serial: factId,
  joinNumber: u48,
  signature: fixed(SIGNATURE_BYTES),
})

/**
 * Why a leaf is not taken for a member's: its form, its signature, no Grant of that serial for that key, no
 * standing certificate, or a refused key.
 */
export const LEAF_REFUSAL = {
  malformed: 'malformedCredential',
  signature: 'badLeafSignature',
  unknown: 'unknownCertificate',
} as const
export type LeafRefusal = (typeof LEAF_REFUSAL)[keyof typeof LEAF_REFUSAL] | Refused

/** The credential of 118 bytes for a leaf key of 32, by the member's seed. */
export function makeCredential(
  signatures: Signatures,
  vlan: Uint8Array,
  seed: Uint8Array,
  member: { readonly serial: Uint8Array; readonly joinNumber: number; readonly leafKey: Uint8Array },
): Uint8Array {
  const identity = { ...member, memberKey: signatures.publicKey(seed) }
  const body = leafBody(vlan, identity, member.leafKey)
  return encode(credential, { ...identity, signature: signNamed(signatures, seed, LEAF, body) })
}

/** What the credential says, unverified; undefined if it is not exactly of its form. */
export function readCredential(given: Uint8Array): Identity | undefined {
  return decode(credential, given)
}

/** The identity if the member signed for the leaf key; what the ledger says of it is asked elsewhere. */
export function verifyCredential(
  signatures: Signatures,
  vlan: Uint8Array,
  given: Uint8Array,
  leafKey: Uint8Array,
): Identity | LeafRefusal {
  const said = decode(credential, given)
  if (said === undefined) return LEAF_REFUSAL.malformed
  const body = leafBody(vlan, said, leafKey)
  if (!verifyNamed(signatures, said.memberKey, LEAF, body, said.signature)) return LEAF_REFUSAL.signature
  return { memberKey: said.memberKey, serial: said.serial, joinNumber: said.joinNumber }
}

/** Whether the ledger certifies the identity: `certified`, or why not. Asks no clock (sec:M9). */
export function judgeIdentity(
  ledger: Ledger,
  identity: Identity,
  lineage: Lineage = NO_LINEAGE,
): 'certified' | LeafRefusal {
  const refused = ledger.refused(identity.memberKey, lineage)
  if (refused !== undefined) return refused.why
  // The serial may be of an older Grant than the one that stands: a renewal changes no leaf (sec:C7).
  return ledger.holds(identity.memberKey, identity.serial) ? 'certified' : LEAF_REFUSAL.unknown
}

function leafBody(vlan: Uint8Array, identity: Omit<Identity, 'memberKey'>, leafKey: Uint8Array): Uint8Array {
  const joinNumber = new Writer(6)
  joinNumber.u48(identity.joinNumber)
  return concat(vlan, identity.serial, joinNumber.bytes, leafKey)
}

const chain = list(bytes(FACT_BYTES_MAX), 3)

/** The facts of a certificate as they are shown at a door. */
export function encodeChain(certificate: Certificate): Uint8Array {
  const { grant, redemption, issuer } = certificate
  const facts = [grant, redemption, issuer].filter((fact) => fact !== undefined)
  return encode(
    chain,
    facts.map((fact) => fact.bytes),
  )
}

/**
 * The facts of a chain, to be added to the ledger one by one, the admin's Grant first; undefined if it is
 * not exactly of its form. They may be anything: what they are worth says the ledger.
 */
export function decodeChain(given: Uint8Array): readonly Uint8Array[] | undefined {
  return decode(chain, given)?.toReversed()
}
