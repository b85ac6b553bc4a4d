/**
 * Making facts: what the authority, an admin, an invited joiner and a leaving member sign (sec:C2). Wrong
 * calls are UsageErrors. What is made here is still judged by every ledger, one's own first.
 *
 * An m-of-n authority signs in steps at several machines: `issue` the body with the seeds that are here, or
 * hand the body round, collect a `makePart` (policy.ts) from each signer, and `approvedFact` (facts.ts).
 */
import { type Crypto, PUBLIC_KEY_BYTES, type Signatures } from '../crypto/ports.ts'
import { signNamed } from '../crypto/signed.ts'
import type { Keys } from '../dice.ts'
import { UsageError } from '../errors.ts'
import {
  ALL_STAND,
  approvedFact,
  type Charter,
  charterBody,
  type Fact,
  type Grant,
  type GrantTerms,
  grantBody,
  KEPT_MAX,
  type Leave,
  leaveBody,
  type Redemption,
  type Revocation,
  redemptionBody,
  revocationBody,
  SIGNED_AS,
  signedFact,
  type Target,
  type Terms,
} from './facts.ts'
import { FACT_ID_BYTES, FOREVER, sortedSet, type WallMillis } from './fields.ts'
import type { Ledger } from './ledger.ts'
import { type Approval, joinParts, makePart } from './policy.ts'
import type { IssuerKeys } from './shapes.ts'

export const SEED_BYTES = 32

export type { IssuerKeys } from './shapes.ts'

/** A Charter: only the authority makes one, and `settled` never speaks of what still matters. */
export function makeCharter(crypto: Crypto, issuer: IssuerKeys, vlan: Uint8Array, terms: Terms): Charter {
  if (issuer.kind !== 'authority') throw new UsageError('a Charter by an admin; only the authority makes one')
  const body = charterBody(vlan, terms)
  return approvedFact(
    crypto.hash,
    body,
    approve(crypto.signatures, issuer, SIGNED_AS.charter, body),
  ) as Charter
}

export interface GrantOrder {
  readonly holderKind: GrantTerms['holderKind']
  /** Member key or invitation key, 32 bytes. */
  readonly holder: Uint8Array
  readonly role: GrantTerms['role']
  readonly end: WallMillis
}

/** A Grant; its id is the serial, random through 16 bytes from `keys`. */
export function makeGrant(
  crypto: Crypto,
  keys: Keys,
  issuer: IssuerKeys,
  vlan: Uint8Array,
  order: GrantOrder,
): Grant {
  checkGrant(issuer, order)
  const random = keys.bytes(FACT_ID_BYTES)
  const body = grantBody(vlan, { ...order, random, issuer: serialOf(issuer) })
  return approvedFact(crypto.hash, body, approve(crypto.signatures, issuer, SIGNED_AS.grant, body)) as Grant
}

function checkGrant(issuer: IssuerKeys, { holder, role, holderKind, end }: GrantOrder): void {
  if (holder.length !== PUBLIC_KEY_BYTES)
    throw new UsageError(`a holder's key of ${holder.length} bytes; it must have ${PUBLIC_KEY_BYTES}`)
  if (!Number.isSafeInteger(end) || end < 0 || end > FOREVER)
    throw new UsageError(`a Grant that ends at ${end}; it must be wall time in whole ms from 0 to ${FOREVER}`)
  if (role === 'admin' && issuer.kind === 'admin')
    throw new UsageError('an admin makes an admin; only the authority may')
  if (role === 'admin' && holderKind === 'invitation')
    throw new UsageError('an invitation for an admin; invite a member, then grant its member key the role')
}

export interface RevocationOrder {
  readonly target: Target
  /** One more than the newest of the issuer: `ledger.floor(issuer) + 1`. */
  readonly number: number
  /** If the target is an admin; see `fallOfAdmin`. */
  readonly standing?: number
  readonly kept?: readonly Uint8Array[]
}

export function makeRevocation(
  crypto: Crypto,
  issuer: IssuerKeys,
  vlan: Uint8Array,
  order: RevocationOrder,
): Revocation {
  const { target, number, standing = ALL_STAND, kept = [] } = order
  if (!Number.isInteger(number) || number < 1 || number > ALL_STAND)
    throw new UsageError(`revocation number ${number}; they count from 1`)
  if (kept.length > KEPT_MAX) {
    throw new UsageError(
      `${kept.length} kept serials; one Revocation holds ${KEPT_MAX}: make several, what one keeps stays`,
    )
  }
  if (issuer.kind === 'admin' && (kept.length > 0 || standing !== ALL_STAND))
    throw new UsageError('an admin says what stands of another admin; only the authority may')
  const terms = { target, number, standing, kept: sortedSet(kept), issuer: serialOf(issuer) }
  const body = revocationBody(vlan, terms)
  return approvedFact(
    crypto.hash,
    body,
    approve(crypto.signatures, issuer, SIGNED_AS.revocation, body),
  ) as Revocation
}

/** A Redemption: the invitation key says which member key it gives the Grant to, and that key agrees. */
export function makeRedemption(
  crypto: Crypto,
  grant: Grant,
  invitationSeed: Uint8Array,
  memberSeed: Uint8Array,
): Redemption {
  const { signatures } = crypto
  const body = redemptionBody(grant.vlan, grant.id, signatures.publicKey(memberSeed))
  return signedFact(
    crypto.hash,
    body,
    signNamed(signatures, invitationSeed, SIGNED_AS.redemption, body),
    signNamed(signatures, memberSeed, SIGNED_AS.redeemer, body),
  ) as Redemption
}

/** A Leave; final for this member key. */
export function makeLeave(
  crypto: Crypto,
  vlan: Uint8Array,
  serial: Uint8Array,
  memberSeed: Uint8Array,
): Leave {
  const body = leaveBody(vlan, serial, crypto.signatures.publicKey(memberSeed))
  return signedFact(
    crypto.hash,
    body,
    signNamed(crypto.signatures, memberSeed, SIGNED_AS.leave, body),
  ) as Leave
}

/**
 * What the revocation of an admin should keep, by what this ledger knows: all Grants it issued that stand,
 * but those named, and all its revocations so far. Read it before it is signed: what a thief of the key
 * issued in the meantime is among it.
 */
export function fallOfAdmin(
  ledger: Ledger,
  serial: Uint8Array,
  butNot: readonly Uint8Array[] = [],
): { readonly standing: number; readonly kept: readonly Uint8Array[] } {
  const dropped = new Set(butNot.map((each) => each.join()))
  const isKept = (fact: Fact): fact is Grant =>
    'holderKind' in fact && fact.issuer?.join() === serial.join() && !dropped.has(fact.id.join())
  const kept = ledger.facts().filter(isKept)
  return { standing: ledger.newestNumber(serial), kept: kept.map((grant) => grant.id) }
}

function approve(signatures: Signatures, issuer: IssuerKeys, name: string, body: Uint8Array): Approval {
  if (issuer.kind === 'admin')
    return { kind: 'one', signature: signNamed(signatures, issuer.seed, name, body) }
  const { policy, seeds } = issuer
  return joinParts(
    policy,
    seeds.map((seed) => makePart(signatures, policy, seed, name, body)),
  )
}

function serialOf(issuer: IssuerKeys): Uint8Array | undefined {
  return issuer.kind === 'admin' ? issuer.serial : undefined
}
