/** Why a member is out of a VLAN for good, in words: the reasons themselves are for programs. */
import type { Refused as Reason } from '../../core/ledger/refusals.ts'

const WORDS: Readonly<Record<Reason, string>> = {
  revoked: 'it was revoked',
  left: 'it left',
  void: 'its invitation is void, since the admin who issued it was revoked',
  lost: 'another member redeemed its invitation first',
}

export function whyOut(reason: Reason): string {
  return WORDS[reason]
}

/** What this node is told of its own member. */
export function ownMemberOut(label: string, reason: Reason | undefined): string {
  // The core may be done with the group before its reason was noted here.
  const why = reason === undefined ? 'for good' : `because ${whyOut(reason)}`
  return `this member is out of ${label}, ${why}; remove the VLAN from this node`
}
