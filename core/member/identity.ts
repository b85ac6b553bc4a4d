/** What a node is told of a membership: plain data. */
import type { Stored } from '../group/events.ts'
import type { Expectation, Policy } from '../ledger/shapes.ts'

/** Who this node is in a VLAN: made offline (core/ledger/founding.ts). */
export interface VlanIdentity {
  /** What the VLAN-ID is computed from. */
  readonly policy: Policy
  readonly label: string
  /** 32 bytes, known to all members and all invited. */
  readonly doorKey: Uint8Array
  /** Ed25519 seed of the member key, 32 bytes: a secret. */
  readonly memberSeed: Uint8Array
  /** Of the Grant that admits it, 16 bytes. */
  readonly serial: Uint8Array
  /** What certifies it, as facts travel, each after what it rests on; a founder's Charter too. */
  readonly facts: readonly Uint8Array[]
  /**
   * What its own MAC begins with (sec:S7), 16 bytes; drawn anew at each start if not given. Machines keep for
   * long who is behind an address, so a node that starts again had better be the same to them.
   */
  readonly macNonce?: Uint8Array | undefined
  /** What the group that lets it in must show (sec:C6): from the invitation. */
  readonly expected?: Expectation | undefined
}

/** How a port enters its VLAN. */
export type Entrance =
  /** With the Charter and a Grant among its facts. */
  | { readonly kind: 'found' }
  /** `mayFound`: a lineage of its own if no door answers for 60 s (sec:C7). */
  | { readonly kind: 'join'; readonly mayFound: boolean }
  | { readonly kind: 'restore'; readonly stored: Stored }
