/** Why a packet, a proof, a message or a group is not accepted at a door: one closed set, and its counts. */

export const DOOR_REFUSAL = {
  // The packet, at either end.
  /** More packets for the door than are opened in a second. */
  openRate: 'openRate',
  /** Not sealed under the door key: of outsiders, or damaged. */
  notSealed: 'notSealed',
  /** Sealed, and not exactly of the form of any kind. */
  malformed: 'malformed',
  /** Of a session that is not, or no longer, here. */
  unknownSession: 'unknownSession',
  /** Not sealed by the other end of its session. */
  notOfSession: 'notOfSession',
  /** A packet of a session that was here before. */
  replayed: 'replayed',
  /** The pieces of a message do not fit each other, or are longer than it may be. */
  badPieces: 'badPieces',
  /** A message that this end does not expect, or not exactly of its form. */
  badMessage: 'badMessage',

  // Calls (D1), at a member.
  callRate: 'callRate',
  /** The key of the call was used before. */
  repeatedCall: 'repeatedCall',
  /** This member is in no group, or has no certificate to show. */
  doorShut: 'doorShut',
  /** A key with which no secret can be agreed, on either side. */
  badKey: 'badKey',

  // Proofs (D3), at a member.
  proofRate: 'proofRate',
  /** Belongs to no call that was answered here. */
  unasked: 'unasked',
  /** The call was followed before: a replay, or a copy. */
  proofTwice: 'proofTwice',
  /** The box does not open: cut together from two handshakes, or of somebody without the call's secret. */
  badBox: 'badBox',
  /** The facts in a box are no certificate by their form. */
  badChain: 'badChain',
  /** A certificate of this very member's. */
  ownKey: 'ownKey',
  revoked: 'revoked',
  left: 'left',
  /** The admin who issued the Grant was revoked. */
  void: 'void',
  lost: 'lost',
  /** Another member has joined by the invitation (sec:C5). */
  serialSpent: 'serialSpent',
  /** The Grant is over, by this member's clock. */
  grantOver: 'grantOver',
  badSignature: 'badSignature',
  /** The ledger does not take the facts for a certificate. */
  uncertified: 'uncertified',
  sessionsFull: 'sessionsFull',

  // Requests, at a member.
  /** As many Welcomes as may be are on their way. */
  deliveriesFull: 'deliveriesFull',
  /** The group cannot take the request now. */
  busy: 'busy',
  /** The log does not reach back to there: rejoin. */
  notInLog: 'notInLog',
  /** The group refused the KeyPackage, or could not add its member. */
  notAdded: 'notAdded',

  // At the caller.
  answerRate: 'answerRate',
  /** An answer while none is waited for. */
  unexpectedAnswer: 'unexpectedAnswer',
  /** From a member that failed or lied before. */
  shunned: 'shunned',
  /** No sign of the sponsor after the proof, or in the session. */
  silent: 'silent',
  /** The other end closed the session. */
  closed: 'closed',
  /** No Welcome in time. */
  noWelcome: 'noWelcome',
  /** A Welcome that answers no request of this session, or the second one (sec:C6, S16). */
  welcomeUnasked: 'welcomeUnasked',
  /** The MLS engine refused the Welcome. */
  welcomeRefused: 'welcomeRefused',
  /** The group in the Welcome is not the VLAN's (see WELCOME_REFUSAL and LEAF_REFUSAL of the ledger). */
  groupRefused: 'groupRefused',
  /** The Welcome carries no salts. */
  noSalts: 'noSalts',
  /** Another member's card names another salt than the Welcome (sec:C6). */
  wrongSalt: 'wrongSalt',
  /** No live card of another member: a dead branch, or a group of the sponsor's own (sec:B8, S16). */
  noLiveCard: 'noLiveCard',
  /** The engine made no KeyPackage. */
  noKeyPackage: 'noKeyPackage',
} as const
export type DoorRefusal = (typeof DOOR_REFUSAL)[keyof typeof DOOR_REFUSAL]

const NAMES = Object.values(DOOR_REFUSAL)
const INDEX: ReadonlyMap<DoorRefusal, number> = new Map(NAMES.map((name, index) => [name, index]))

/** The number by which a refusal travels; 0 stands for a session that ended well. */
export function refusalNumber(refusal: DoorRefusal): number {
  return 1 + (INDEX.get(refusal) as number)
}

/** Undefined for a number without a name: a later version's. */
export function refusalOf(number: number): DoorRefusal | undefined {
  return NAMES[number - 1]
}

/** How often each refusal happened at one door. */
export class DoorTally {
  readonly #counts = new Float64Array(NAMES.length)

  add(refusal: DoorRefusal): void {
    const at = INDEX.get(refusal) as number
    this.#counts[at] = (this.#counts[at] as number) + 1
  }

  get(refusal: DoorRefusal): number {
    return this.#counts[INDEX.get(refusal) as number] as number
  }

  /** All that are not zero, by name. */
  view(): Record<string, number> {
    const result: Record<string, number> = {}
    for (const [at, name] of NAMES.entries()) if (this.#counts[at]) result[name] = this.#counts[at] as number
    return result
  }
}
