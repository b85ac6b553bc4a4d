/**
 * What a joiner demands of the group it is let into, as far as facts can tell (sec:C6): that it is the VLAN
 * it was invited to, with the Charter of the authority, a ledger that hides no revocation below the floor,
 * and members only. That the Welcome answers its own request, and the salt, are asked elsewhere.
 */
import type { Crypto } from '../crypto/ports.ts'
import { hex, sameBytes } from '../ids.ts'
import { judgeIdentity, type LeafRefusal, verifyCredential } from './certificate.ts'
import { fixedHash } from './facts.ts'
import type { Ledger } from './ledger.ts'
import type { Expectation } from './shapes.ts'

/** What a Welcome shows of its group. */
export interface OfferedGroup {
  /** MLS group id. */
  readonly groupId: Uint8Array
  /** Extension 0xF001. */
  readonly fixedHash: Uint8Array
  /** MLS cipher suite. */
  readonly suite: number
  /** By leaf index. */
  readonly leaves: ReadonlyMap<number, { readonly credential: Uint8Array; readonly leafKey: Uint8Array }>
  /** Leaf index of who signed the GroupInfo. */
  readonly signer: number
}

export type { Expectation } from './shapes.ts'

export const WELCOME_REFUSAL = {
  otherVlan: 'otherVlan',
  noCharter: 'noCharter',
  otherFixedTerms: 'otherFixedTerms',
  otherSuite: 'otherSuite',
  /** The ledger shown has a gap below the floor, or ends under it. */
  belowFloor: 'belowFloor',
  signerUnknown: 'signerUnknown',
  keyTwice: 'keyTwice',
} as const
export type WelcomeRefusal = (typeof WELCOME_REFUSAL)[keyof typeof WELCOME_REFUSAL]

export type WelcomeVerdict =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: WelcomeRefusal }
  /** A leaf that is no member's, as far as this ledger goes. */
  | { readonly kind: 'refused'; readonly reason: LeafRefusal; readonly leaf: number }

/** Judges after the sponsor's ledger was added to the joiner's own. Never throws. */
export function judgeWelcome(
  crypto: Crypto,
  ledger: Ledger,
  expected: Expectation,
  group: OfferedGroup,
): WelcomeVerdict {
  const refusal = judgeGroup(crypto, ledger, expected, group)
  if (refusal !== undefined) return { kind: 'refused', reason: refusal }
  for (const [leaf, { credential, leafKey }] of group.leaves) {
    const identity = verifyCredential(crypto.signatures, ledger.vlan, credential, leafKey)
    const judged = typeof identity === 'string' ? identity : judgeIdentity(ledger, identity)
    if (judged !== 'certified') return { kind: 'refused', reason: judged, leaf }
  }
  return { kind: 'accepted' }
}

function judgeGroup(
  crypto: Crypto,
  ledger: Ledger,
  { floor, issuer }: Expectation,
  group: OfferedGroup,
): WelcomeRefusal | undefined {
  // The ledger computed its VLAN-ID from the pinned authority key and label, and judged the Charter by them.
  if (!sameBytes(group.groupId, ledger.vlan)) return WELCOME_REFUSAL.otherVlan
  const charter = ledger.charter()
  if (charter === undefined) return WELCOME_REFUSAL.noCharter
  if (!sameBytes(fixedHash(crypto.hash, ledger.vlan, charter), group.fixedHash))
    return WELCOME_REFUSAL.otherFixedTerms
  if (charter.suite !== group.suite) return WELCOME_REFUSAL.otherSuite
  const isReached =
    ledger.floor() >= floor.authority && (issuer === undefined || ledger.floor(issuer) >= floor.issuer)
  if (!isReached) return WELCOME_REFUSAL.belowFloor
  if (!group.leaves.has(group.signer)) return WELCOME_REFUSAL.signerUnknown
  return hasKeyTwice(group) ? WELCOME_REFUSAL.keyTwice : undefined
}

/** Whether a member key or leaf key stands at two places of the group. */
function hasKeyTwice({ leaves }: OfferedGroup): boolean {
  const keys = new Set<string>()
  for (const { credential, leafKey } of leaves.values()) {
    // The member key is the first field of a credential; a malformed one is refused for that later.
    keys.add(hex(credential.subarray(0, 32))).add(hex(leafKey))
  }
  return keys.size !== 2 * leaves.size
}
