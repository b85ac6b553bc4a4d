/**
 * What verbs need of the node that they are carried out at: a simulated one, or the one behind the control
 * API. It is a seam and knows of neither.
 *
 * Whoever has a node gives commands to it, passes on what it notes once the step is over (`VlanVerbs.noted`),
 * and says when it started and stopped.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import type { Stored } from '../../core/group/events.ts'
import type { Mac } from '../../core/ids.ts'
import type { Command, Micros, NodeView, PeerHint, PortId } from '../../core/io.ts'
import type { Refused } from '../../core/ledger/refusals.ts'
import type { IssuerKeys } from '../../core/ledger/shapes.ts'
import type { VlanIdentity } from '../../core/member/identity.ts'

export interface ControlledNode {
  readonly crypto: Crypto
  readonly keys: Keys
  readonly book: VlanBook
  /** The host's monotonic clock, by which deadlines are reckoned. */
  now(): Micros
  /** Milliseconds since 1970; 0 while the clock is not set. */
  wallMillis(): number
  /** Runs once, when so much of the host's time has passed. */
  after(wait: Micros, run: () => void): void
  command(command: Command): void
  /** Undefined while it does not run. */
  view(): NodeView | undefined
  /** What is kept of the group at a port. */
  stored(port: PortId): Stored
  /** Whether anything is: without the head there is no group. */
  isKept(port: PortId): boolean
  /** The VLAN of that port was removed: nothing of it is to be kept. */
  erase(port: PortId): void
  /** Where the mesh has the token of a MAC in the VLAN of that port; `unknown` without this. */
  placeOf?(port: PortId, mac: Mac): Place
  /** Where whoever is invited may dial this node, or others that lead to it: at most three. */
  contacts(): readonly PeerHint[]
}

/** `below`: registered behind a link of this node. `nowhere`: neither there, nor could others have it. */
export type Place = 'below' | 'nowhere' | 'unknown'

/** The VLANs that a node is to be in, with all secrets: kept over restarts, readable by its owner alone. */
export interface VlanBook {
  load(): Kept
  /** Everything there is to keep now, in place of what was; kept when this returns. */
  save(kept: Kept): void
}

export interface Kept {
  readonly vlans: readonly KeptVlan[]
  /** Ports are given out once: a record that was on its way when a port closed is not another VLAN's. */
  readonly nextPort: number
  /** Keys of invitations that have not led in; none if not given. */
  readonly redeemed?: readonly KeptRedemption[]
}

/** See redeemed.ts. */
export interface KeptRedemption {
  /** Of the invitation's Grant. */
  readonly serial: Uint8Array
  readonly memberSeed: Uint8Array
  /** When the Grant is over. */
  readonly endsMillis: number
}

export interface KeptVlan {
  readonly port: PortId
  /** VLAN-ID in hex. */
  readonly vlan: string
  readonly identity: VlanIdentity
  /** The authority's keys, where they are at hand. */
  readonly authority: IssuerKeys | undefined
  readonly entered: 'founded' | 'invited'
  /** Why this member is out for good. */
  readonly over: Refused | undefined
  /** Its owner wants nothing of it for now: it stays a member, and the node does not enter. */
  readonly off?: boolean
}
