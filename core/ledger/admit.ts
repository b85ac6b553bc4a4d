/**
 * Whether a fact is what it says: its place in this VLAN, its issuer's right to issue it, its signatures
 * (sec:B1, C2, S9). Never the time, never what other facts say against it: a Grant of a revoked admin is a
 * true fact that counts for nothing (standing.ts). So the answer for a fact is the same whenever it comes,
 * but for "not yet": some signatures can be judged only with a fact that names the key.
 */
import type { Crypto } from '../crypto/ports.ts'
import { verifyNamed } from '../crypto/signed.ts'
import { sameBytes } from '../ids.ts'
import {
  ALL_STAND,
  type Charter,
  FACT,
  type Fact,
  fixedHash,
  type Grant,
  type Leave,
  type Redemption,
  type Revocation,
  redemptionId,
  SIGNED_AS,
} from './facts.ts'
import { checkApproval, isSamePolicy, type Policy } from './policy.ts'
import { REFUSAL, type Refusal } from './refusals.ts'

/** What is pinned of a VLAN: everything in it is verified against this and never against its id (sec:N2). */
export interface Pinned {
  readonly policy: Policy
  readonly label: string
  readonly vlan: Uint8Array
  /** Extension 0xF001 of the group, once this member is in one. */
  readonly fixedHash: Uint8Array | undefined
}

/** What the facts known so far say about two questions. */
export interface Known {
  grantOf(serial: Uint8Array): Grant | undefined
  /** Whether the invitation was redeemed by the member key. */
  isRedeemed(serial: Uint8Array, member: Uint8Array): boolean
}

/** `missing` is the id of the fact without which nothing can be said. */
export type Admission = 'valid' | Refusal | { readonly missing: Uint8Array }

export function admit(crypto: Crypto, pinned: Pinned, known: Known, fact: Fact): Admission {
  if (!sameBytes(fact.vlan, pinned.vlan)) return REFUSAL.wrongVlan
  switch (fact.kind) {
    case FACT.charter:
      return admitCharter(crypto, pinned, fact)
    case FACT.grant:
      return admitGrant(crypto, pinned, known, fact)
    case FACT.redemption:
      return admitRedemption(crypto, known, fact)
    case FACT.revocation:
      return admitRevocation(crypto, pinned, known, fact)
    case FACT.leave:
      return admitLeave(crypto, known, fact)
  }
}

function admitCharter(crypto: Crypto, pinned: Pinned, fact: Charter): Admission {
  if (!isSamePolicy(fact.policy, pinned.policy)) return REFUSAL.wrongPolicy
  if (fact.label !== pinned.label) return REFUSAL.wrongLabel
  if (pinned.fixedHash !== undefined) {
    if (!sameBytes(fixedHash(crypto.hash, fact.vlan, fact), pinned.fixedHash))
      return REFUSAL.fixedTermsChanged
  }
  return checkApproval(crypto.signatures, pinned.policy, SIGNED_AS.charter, fact.body, fact.approval)
}

function admitGrant(crypto: Crypto, pinned: Pinned, known: Known, fact: Grant): Admission {
  if (fact.role === 'admin') {
    if (fact.issuer !== undefined) return REFUSAL.adminByAdmin
    // Its key would be known only from a Redemption, which the chains of its members do not carry (sec:C4).
    if (fact.holderKind === 'invitation') return REFUSAL.adminByInvitation
  }
  const issuer = issuerOf(known, pinned.policy, fact.issuer)
  if ('missing' in issuer || 'refusal' in issuer) return admissionOf(issuer)
  // So nothing that an admin issues outlives its own Grant, and an old stolen admin key makes old Grants only.
  if (fact.end > issuer.end) return REFUSAL.outlivesIssuer
  return checkApproval(crypto.signatures, issuer.policy, SIGNED_AS.grant, fact.body, fact.approval)
}

function admitRevocation(crypto: Crypto, pinned: Pinned, known: Known, fact: Revocation): Admission {
  if (fact.number === 0) return REFUSAL.numberZero
  if (fact.issuer !== undefined && (fact.kept.length > 0 || fact.standing !== ALL_STAND))
    return REFUSAL.keepsAsAdmin
  const issuer = issuerOf(known, pinned.policy, fact.issuer)
  if ('missing' in issuer || 'refusal' in issuer) return admissionOf(issuer)
  return checkApproval(crypto.signatures, issuer.policy, SIGNED_AS.revocation, fact.body, fact.approval)
}

function admitRedemption(crypto: Crypto, known: Known, fact: Redemption): Admission {
  const { signatures } = crypto
  if (!verifyNamed(signatures, fact.member, SIGNED_AS.redeemer, fact.body, fact.byMember))
    return REFUSAL.badSignature
  const grant = known.grantOf(fact.serial)
  if (grant === undefined) return { missing: fact.serial }
  if (grant.holderKind !== 'invitation') return REFUSAL.notInvitation
  if (sameBytes(grant.holder, fact.member)) return REFUSAL.invitationKeyReused
  const good = verifyNamed(signatures, grant.holder, SIGNED_AS.redemption, fact.body, fact.byInvitation)
  return good ? 'valid' : REFUSAL.badSignature
}

function admitLeave(crypto: Crypto, known: Known, fact: Leave): Admission {
  if (!verifyNamed(crypto.signatures, fact.member, SIGNED_AS.leave, fact.body, fact.byMember))
    return REFUSAL.badSignature
  const grant = known.grantOf(fact.serial)
  if (grant === undefined) return { missing: fact.serial }
  if (grant.holderKind === 'member') return sameBytes(grant.holder, fact.member) ? 'valid' : REFUSAL.notHolder
  if (known.isRedeemed(fact.serial, fact.member)) return 'valid'
  return { missing: redemptionId(crypto.hash, fact.vlan, fact.serial, fact.member) }
}

/** By which policy an issuer signs, and until when what it grants may last. */
type IssuerView =
  | { readonly policy: Policy; readonly end: number }
  | { readonly missing: Uint8Array }
  | { readonly refusal: Refusal }

function issuerOf(known: Known, authority: Policy, serial: Uint8Array | undefined): IssuerView {
  if (serial === undefined) return { policy: authority, end: Number.MAX_SAFE_INTEGER }
  const grant = known.grantOf(serial)
  if (grant === undefined) return { missing: serial }
  if (grant.role !== 'admin') return { refusal: REFUSAL.issuerNotAdmin }
  return { policy: { kind: 'one', key: grant.holder }, end: grant.end }
}

function admissionOf(issuer: { readonly missing: Uint8Array } | { readonly refusal: Refusal }): Admission {
  return 'missing' in issuer ? { missing: issuer.missing } : issuer.refusal
}
