/**
 * Becoming somebody in a VLAN, before the node enters it: by founding it, or by redeeming an invitation. All
 * of it is done offline, and answers what is to be kept.
 */

import type { Crypto } from '../../core/crypto/ports.ts'
import { UsageError } from '../../core/errors.ts'
import { AUTHORITY_KEYS_MAX, hex, MAC_NONCE_BYTES, utf8 } from '../../core/ids.ts'
import type { Fact, Terms } from '../../core/ledger/facts.ts'
import { found, redeem } from '../../core/ledger/founding.ts'
import type { Invitation } from '../../core/ledger/invitation.ts'
import { SEED_BYTES } from '../../core/ledger/issue.ts'
import { severalKeys } from '../../core/ledger/policy.ts'
import type { IssuerKeys } from '../../core/ledger/shapes.ts'
import type { VlanIdentity } from '../../core/member/identity.ts'
import type { ControlledNode, KeptRedemption, KeptVlan } from './node.ts'

/** An authority of several keys; all are made here, and kept here. */
export interface Signers {
  readonly needed: number
  readonly of: number
}

export interface CreateOrder extends Omit<Terms, 'policy' | 'version' | 'settled'> {
  /** One key without. */
  readonly signers?: Signers | undefined
}

const MAC_NONCE = utf8('peertap mac nonce v1\0')

type Becoming = Omit<KeptVlan, 'port' | 'over'>

/** A UsageError for terms that no VLAN can have. */
export function becomeFounder(node: ControlledNode, { signers, ...terms }: CreateOrder): Becoming {
  const issuer = signers && newSigners(node, signers)
  const { crypto, keys } = node
  const founding = found(crypto, keys, { terms, now: node.wallMillis(), ...(issuer && { issuer }) })
  const { doorKey, memberSeed, grant, facts, charter } = founding
  const { policy, label } = charter
  return {
    vlan: hex(founding.vlan),
    identity: { policy, label, doorKey, memberSeed, serial: grant.id, facts: bytesOf(facts) },
    authority: founding.issuer,
    entered: 'founded',
  }
}

/**
 * With a member key of its own, or with that which the invitation was redeemed with before; its secret is not
 * needed any more.
 */
export function becomeGuest(
  { crypto, keys }: ControlledNode,
  invitation: Invitation,
  before: KeptRedemption | undefined,
): Becoming {
  const seeds = before === undefined ? keys : { bytes: () => before.memberSeed.slice() }
  const { memberSeed, facts } = redeem(crypto, seeds, invitation)
  const { policy, label, doorKey, grant, floor, issuer } = invitation
  const expected = { floor, issuer: issuer?.id }
  return {
    vlan: hex(invitation.vlan),
    identity: { policy, label, doorKey, memberSeed, serial: grant.id, facts: bytesOf(facts), expected },
    authority: undefined,
    entered: 'invited',
  }
}

/**
 * What a member's own MAC begins with, 16 bytes: the same at every start, as those who keep it in tables of
 * addresses expect. From the secret, so that it tells nothing of the member key's other VLANs.
 */
export function macNonceOf({ hash }: Crypto, { memberSeed }: VlanIdentity): Uint8Array {
  return hash.keyed32(memberSeed, MAC_NONCE).slice(0, MAC_NONCE_BYTES)
}

function newSigners({ crypto, keys }: ControlledNode, { needed, of }: Signers): IssuerKeys {
  if (!Number.isInteger(of) || of < 1 || of > AUTHORITY_KEYS_MAX)
    throw new UsageError(`an authority of ${of} keys; it must have 1 to ${AUTHORITY_KEYS_MAX}`)
  const seeds = Array.from({ length: of }, () => keys.bytes(SEED_BYTES))
  const publicKeys = seeds.map((seed) => crypto.signatures.publicKey(seed))
  return { kind: 'authority', policy: severalKeys(needed, publicKeys), seeds }
}

function bytesOf(facts: readonly Fact[]): Uint8Array[] {
  return facts.map(({ bytes }) => bytes)
}
