/**
 * What people do with a ledger while nobody else is there: found a VLAN, admit, invite, redeem (sec:C, M5).
 * Everything happens offline and gives facts that any ledger judges by itself; whoever made them need not
 * be online when they are used.
 *
 * Secrets come from `Keys` and are handed back as seeds of 32 bytes: keep them as secrets.
 */
import type { Crypto } from '../crypto/ports.ts'
import type { Keys } from '../dice.ts'
import { UsageError } from '../errors.ts'
import { sameBytes, vlanId } from '../ids.ts'
import type { Charter, Fact, Grant, Redemption, Terms } from './facts.ts'
import type { WallMillis } from './fields.ts'
import { type Contact, DOOR_KEY_BYTES, type Invitation, type InvitationDraft } from './invitation.ts'
import { type IssuerKeys, makeCharter, makeGrant, makeRedemption, SEED_BYTES } from './issue.ts'
import type { Ledger } from './ledger.ts'
import { GRANT_LIFE } from './limits.ts'
import { authorityKeyOf, oneKey } from './policy.ts'

/** What a creator holds after founding. `facts` go into every member's ledger. */
export interface Founding {
  readonly issuer: IssuerKeys
  readonly vlan: Uint8Array
  readonly doorKey: Uint8Array
  readonly memberSeed: Uint8Array
  readonly charter: Charter
  /** The creator's own. */
  readonly grant: Grant
  readonly facts: readonly Fact[]
}

export interface FoundingOrder {
  /** Everything but the policy, which is the authority's. */
  readonly terms: Omit<Terms, 'policy' | 'version' | 'settled'>
  readonly now: WallMillis
  /** How long the creator's own Grant lasts; by default GRANT_LIFE. */
  readonly lifeMillis?: WallMillis
  /** An authority that exists already, with as many seeds as it needs; by default a new single key. */
  readonly issuer?: IssuerKeys
}

/** A new VLAN with its first member. */
export function found(crypto: Crypto, keys: Keys, order: FoundingOrder): Founding {
  const issuer = order.issuer ?? newAuthority(crypto, keys)
  if (issuer.kind !== 'authority') throw new UsageError('an admin founds a VLAN; only an authority can')
  const vlan = vlanId(crypto.hash, authorityKeyOf(crypto.hash, issuer.policy), order.terms.label)
  const terms = { ...order.terms, policy: issuer.policy, version: 1, settled: 0 }
  const charter = makeCharter(crypto, issuer, vlan, terms)
  const memberSeed = keys.bytes(SEED_BYTES)
  const grant = makeGrant(crypto, keys, issuer, vlan, {
    holderKind: 'member',
    holder: crypto.signatures.publicKey(memberSeed),
    role: 'member',
    end: order.now + (order.lifeMillis ?? GRANT_LIFE),
  })
  const doorKey = keys.bytes(DOOR_KEY_BYTES)
  return { issuer, vlan, doorKey, memberSeed, charter, grant, facts: [charter, grant] }
}

/** A new authority of one key. */
export function newAuthority(crypto: Crypto, keys: Keys): IssuerKeys {
  const seed = keys.bytes(SEED_BYTES)
  return { kind: 'authority', policy: oneKey(crypto.signatures.publicKey(seed)), seeds: [seed] }
}

export interface InvitationOrder {
  readonly doorKey: Uint8Array
  readonly now: WallMillis
  /** By default GRANT_LIFE; an admin's own end bounds it. */
  readonly lifeMillis?: WallMillis
  readonly contacts: readonly Contact[]
}

/**
 * An invitation for one member: add `grant` to the ledger and give it away as text. The floor is what this
 * ledger reaches without a gap. A UsageError without a Charter, or for an admin that the ledger does not
 * know.
 */
export function invite(
  crypto: Crypto,
  keys: Keys,
  issuer: IssuerKeys,
  ledger: Ledger,
  order: InvitationOrder,
): InvitationDraft {
  const charter = ledger.charter()
  if (charter === undefined)
    throw new UsageError('the ledger has no Charter; add the facts of the founding before inviting')
  const admin = issuer.kind === 'admin' ? adminGrant(crypto, ledger, issuer) : undefined
  const seed = keys.bytes(SEED_BYTES)
  const end = order.now + (order.lifeMillis ?? GRANT_LIFE)
  const grant = makeGrant(crypto, keys, issuer, ledger.vlan, {
    holderKind: 'invitation',
    holder: crypto.signatures.publicKey(seed),
    role: 'member',
    end: admin === undefined ? end : Math.min(end, admin.end),
  })
  const floor = { authority: ledger.floor(), issuer: admin === undefined ? 0 : ledger.floor(admin.id) }
  const { policy, label } = charter
  const { doorKey, contacts } = order
  return { policy, label, doorKey, seed, grant, issuer: admin, floor, contacts }
}

function adminGrant(crypto: Crypto, ledger: Ledger, issuer: IssuerKeys & { kind: 'admin' }): Grant {
  const fact = ledger.get(issuer.serial)
  const isOwn =
    fact !== undefined &&
    'holder' in fact &&
    fact.role === 'admin' &&
    sameBytes(fact.holder, crypto.signatures.publicKey(issuer.seed))
  if (!isOwn) throw new UsageError('the ledger knows no admin of this serial and key; add its Grant first')
  return fact
}

/** What a joiner has from an invitation before it has met anybody. */
export interface Redeemed {
  readonly memberSeed: Uint8Array
  readonly memberKey: Uint8Array
  readonly redemption: Redemption
  /** Its certificate, each fact after what it rests on. */
  readonly facts: readonly Fact[]
}

/** A member key of its own for this VLAN, and the Redemption that gives it the invitation's Grant. */
export function redeem(crypto: Crypto, keys: Keys, invitation: Invitation): Redeemed {
  const memberSeed = keys.bytes(SEED_BYTES)
  const redemption = makeRedemption(crypto, invitation.grant, invitation.seed, memberSeed)
  const { issuer, grant } = invitation
  const facts = issuer === undefined ? [grant, redemption] : [issuer, grant, redemption]
  return { memberSeed, memberKey: redemption.member, redemption, facts }
}
