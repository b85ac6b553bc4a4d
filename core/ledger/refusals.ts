/**
 * Why a fact is not taken in, and why a member is refused: closed sets of names with what they mean. A
 * refusal is an answer, never an exception.
 */

/** Every way in which a fact can be wrong. */
export const REFUSAL = {
  // Its form.
  /** Longer than any fact. */
  tooLong: 'tooLong',
  /** Cut short, with bytes behind its end, or with a field outside its limits. */
  malformed: 'malformed',
  unknownKind: 'unknownKind',
  // What stands in it.
  /** Begins with another VLAN-ID than that of the authority and label that were pinned. */
  wrongVlan: 'wrongVlan',
  /** A Charter with another policy than the pinned one, whatever its VLAN-ID (sec:N2). */
  wrongPolicy: 'wrongPolicy',
  wrongLabel: 'wrongLabel',
  /** A Charter whose fixed terms differ from those in the group's extension 0xF001. */
  fixedTermsChanged: 'fixedTermsChanged',
  /** Admins are members whose key the authority knows: a URL that leaks must not make one. */
  adminByInvitation: 'adminByInvitation',
  /** Only the authority makes admins: one level (sec:S9). */
  adminByAdmin: 'adminByAdmin',
  /** Its issuer's Grant is there and its role is not admin. */
  issuerNotAdmin: 'issuerNotAdmin',
  /** A Grant ends later than that of the admin who issued it. */
  outlivesIssuer: 'outlivesIssuer',
  /** Redeems a Grant that is no invitation. */
  notInvitation: 'notInvitation',
  /** The member key of a Redemption is the invitation key, which everybody who saw the URL has. */
  invitationKeyReused: 'invitationKeyReused',
  /** A Leave by a key that the Grant does not belong to. */
  notHolder: 'notHolder',
  /** Revocations are numbered from 1. */
  numberZero: 'numberZero',
  /** Only the authority says what stands when an admin falls. */
  keepsAsAdmin: 'keepsAsAdmin',
  // Its signatures.
  /** Too few or too many signatures, in the wrong order, or of a key that the policy does not have. */
  wrongSigners: 'wrongSigners',
  badSignature: 'badSignature',
  // Its time.
  /** A newer Charter is known. */
  superseded: 'superseded',
  /** A revocation that the newest Charter calls settled. */
  settled: 'settled',
  /** The Grant it concerns ended more than 30 days ago. */
  over: 'over',
  // Its number.
  /** The issuer has as many Grants, or as many Revocations, as one may have. */
  issuerFull: 'issuerFull',
  /** The invitation was redeemed by as many keys as are kept. */
  serialFull: 'serialFull',
} as const
export type Refusal = (typeof REFUSAL)[keyof typeof REFUSAL]

/** Why a member key is refused ("refused" of the security protocol), strongest first. */
export const REFUSED = {
  revoked: 'revoked',
  left: 'left',
  /** All its Grants came from an admin who was revoked, and none was kept. */
  void: 'void',
  /** Another key redeemed the same invitation earlier in the lineage. */
  lost: 'lost',
} as const
export type Refused = (typeof REFUSED)[keyof typeof REFUSED]
