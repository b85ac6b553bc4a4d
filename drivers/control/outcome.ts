/**
 * What comes of a verb: a result, or a refusal with a name that programs go by and a sentence for people. A
 * verb whose outcome hangs on others is pending until they answered or its deadline has come.
 */

/** Why a verb was not done: a closed set. */
export const REFUSAL = {
  // Whom it concerns.
  /** No VLAN of that name or number at this node. */
  noSuchVlan: 'noSuchVlan',
  noSuchMember: 'noSuchMember',
  /** An invitation or another grant that the ledger does not have. */
  noSuchGrant: 'noSuchGrant',
  /** The beginning of several keys or VLAN-IDs, or a label that several VLANs have. */
  ambiguous: 'ambiguous',
  /** The node is in this VLAN, or was and has not removed it. */
  alreadyHere: 'alreadyHere',
  /** The node asks to be let in to this VLAN with another invitation. */
  asksAlready: 'asksAlready',
  /** Another VLAN at this node is called so. */
  labelTaken: 'labelTaken',
  /** Still asks to be let in. */
  notInYet: 'notInYet',
  /** Switched off by its owner. */
  off: 'off',
  /** This member is out for good: it left, was revoked, or lost a double redemption. */
  over: 'over',
  /** In the VLAN, which has to be left first. */
  stillIn: 'stillIn',
  ownKey: 'ownKey',
  /** The authority's keys would be lost, which has to be said yes to. */
  authorityHere: 'authorityHere',
  /** An admin is put out by its key, because it must be said what stays of what it issued. */
  adminGrant: 'adminGrant',
  /** Revoked or gone already. */
  alreadyOut: 'alreadyOut',
  // What it takes.
  /** Neither the authority's keys are here nor is this member an admin, or not for this. */
  notAuthorised: 'notAuthorised',
  clockNotSet: 'clockNotSet',
  /** The invitation's time is over, by this node's clock. */
  invitationOver: 'invitationOver',
  /** The ledger does not take the fact; the sentence has its word for why. */
  ledgerRefused: 'ledgerRefused',
  /** Verbs that wait, or VLANs, are as many as there may be. */
  tooMany: 'tooMany',
  // What others did, or did not in time.
  notFounded: 'notFounded',
  /** No member answered at the door. */
  noDoor: 'noDoor',
  /** Members answered and did not let this one in. */
  notAdmitted: 'notAdmitted',
  /** Let in to a group that is not what was invited to. */
  welcomeRefused: 'welcomeRefused',
  notInvited: 'notInvited',
  notLeft: 'notLeft',
  /** The revocation stands; nobody has carried it out yet. */
  notRemoved: 'notRemoved',
  /** The node stopped, or the VLAN was removed, meanwhile. */
  stopped: 'stopped',
  // Frames.
  /** Its MAC is not known yet: no card of it came. */
  macUnknown: 'macUnknown',
  noAnswer: 'noAnswer',
  // The node itself.
  nodeDown: 'nodeDown',
  /** It was told to stop, and runs on. */
  notStopped: 'notStopped',
  /** Somebody has a port, a socket or a directory that a node is to have, or there is no room on the disk. */
  notNow: 'notNow',
} as const
export type RefusalName = (typeof REFUSAL)[keyof typeof REFUSAL]

export interface Refused {
  readonly ok: false
  readonly refusal: RefusalName
  /** What is the matter, the rule, and the mend. */
  readonly message: string
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | Refused

export function done<T>(value: T): Outcome<T> {
  return { ok: true, value }
}

export function refused(refusal: RefusalName, message: string): Refused {
  return { ok: false, refusal, message }
}

/** A verb that was begun. Its outcome comes once and never changes. */
export class Pending<T> {
  #outcome: Outcome<T> | undefined

  /** One whose outcome is there at once. */
  static of<T>(outcome: Outcome<T>): Pending<T> {
    const pending = new Pending<T>()
    pending.settle(outcome)
    return pending
  }

  /** Undefined while it is under way. */
  get outcome(): Outcome<T> | undefined {
    return this.#outcome
  }

  /** The first outcome counts. */
  settle(outcome: Outcome<T>): void {
    this.#outcome ??= outcome
  }
}
