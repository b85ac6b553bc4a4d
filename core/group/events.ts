/** What a group tells its owner, and what it is given back after a restart: plain data. */

/** What people, or checkers, want to know. `member`: a member key in hex. */
export type GroupEvent =
  | { readonly kind: 'joined'; readonly mlsId: string; readonly members: number }
  | { readonly kind: 'epoch'; readonly mlsId: string; readonly number: number; readonly members: number }
  /** A preferred sibling replaced an adopted child. */
  | { readonly kind: 'switched'; readonly from: string; readonly to: string }
  | { readonly kind: 'memberAdded'; readonly member: string }
  | { readonly kind: 'memberRemoved'; readonly member: string }
  /** The ledger refuses somebody who is in the roster: nothing is sealed for it from here on (sec:B9). */
  | { readonly kind: 'memberRefused'; readonly member: string }
  /** This member is refused by the ledger; nothing more is sent or received. */
  | { readonly kind: 'ended'; readonly why: 'revoked' | 'left' | 'void' | 'lost' }
  /** A member of the group did not let this one in; `why` is one of core/door/refusals.ts. */
  | { readonly kind: 'turnedAway'; readonly by: string; readonly why: string }
  /** Two keys redeemed one invitation; only the first of this branch stays (sec:C5). */
  | { readonly kind: 'invitationUsedTwice'; readonly serial: string; readonly refused: string }
  /** A member made two commits for one parent, and signed both (sec:S17). */
  | { readonly kind: 'equivocation'; readonly member: string }
  /** This member cannot follow its group and asks to be added again (sec:B12). */
  | { readonly kind: 'stuck'; readonly why: StuckReason }
  | { readonly kind: 'folding'; readonly into: string }
  | { readonly kind: 'founded'; readonly mlsId: string }
  /** A Welcome was not accepted; the reason is one of core/ledger/joining.ts or core/mls/refusal.ts. */
  | { readonly kind: 'welcomeRefused'; readonly why: string }

export type StuckReason =
  | 'unprocessable'
  | 'removedWithoutFact'
  | 'catchUpFailed'
  | 'stateLost'
  | 'noLiveMember'

/** What was stored, by slot. */
export interface Stored {
  readonly head: Uint8Array | undefined
  readonly next: Uint8Array | undefined
  readonly ledger: Uint8Array | undefined
}
