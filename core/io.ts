/**
 * The seam between the protocol and the world.
 *
 * A node is a machine: inputs are method calls that carry the time, effects collect in an outbox and
 * are drained after the step, one deadline comes out and one wake goes in. The machine knows no clock,
 * no socket, no timer and no source of randomness of its own, so the simulator, the browser and the
 * real node run the same objects.
 *
 * To drive it: call exactly one input, then `drain`, then read `nextDeadline`. `Host` (core/host.ts)
 * does this and is the only run loop there is.
 *
 * Bytes given to an input are borrowed until that step is drained. The machine copies what it keeps;
 * effects may alias input bytes; nobody writes them meanwhile. A relayed packet is never copied: what
 * changes per hop travels beside it, in the `Hop`.
 */
import type { GroupEvent } from './group/events.ts'
import type { IssuerKeys } from './ledger/shapes.ts'
import type { Entrance, VlanIdentity } from './member/identity.ts'
import type { MlsJob, MlsOutcome } from './mls/engine.ts'

/** Integer microseconds on a monotonic clock. Zero is arbitrary. */
export type Micros = number
/** Later than any real deadline. Not Infinity: JSON has no way to write that. */
export const NEVER: Micros = Number.MAX_SAFE_INTEGER
export const MILLISECOND: Micros = 1_000
export const SECOND: Micros = 1_000_000
export const MINUTE: Micros = 60 * SECOND

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** One live trunk. Never reused within a run, so a stale id can only miss. */
export type LinkId = Branded<number, 'LinkId'>
/** The node's Ed25519 public key as 64 lower-case hex digits. */
export type PeerId = Branded<string, 'PeerId'>
/** A local Ethernet interface of this node: one member of one VLAN. */
export type PortId = Branded<number, 'PortId'>
export type JobId = Branded<number, 'JobId'>
export type StoreId = Branded<number, 'StoreId'>

/** The two channels of a link: control is reliable and in order, data may be lost or reordered. */
export const CHANNEL = { control: 0, data: 1 } as const
export type Channel = (typeof CHANNEL)[keyof typeof CHANNEL]

/**
 * The three bytes of the trunk header as one integer, big-endian: version and kind, tree and class,
 * hop limit (mesh:M9). See core/wire/trunk.ts. Only this changes from hop to hop.
 */
export type Hop = number

/** How a peer can be reached by a dial (mesh:S11). */
export const REACHABILITY = { public: 0, punchable: 1, private: 2 } as const
export type Reachability = (typeof REACHABILITY)[keyof typeof REACHABILITY]

/** Where a peer may be dialled: at most 32 bytes, opaque to the core (mesh:S12). */
export type Address = Uint8Array

/** Why a link ended or is to be ended. */
export const CLOSE = {
  leaving: 'leaving',
  refused: 'refused',
  replaced: 'replaced',
  dead: 'dead',
  clogged: 'clogged',
  version: 'version',
  duplicate: 'duplicate',
  misbehaved: 'misbehaved',
  lost: 'lost',
} as const
export type CloseReason = (typeof CLOSE)[keyof typeof CLOSE]

/** Work too slow for a step, as plain data: so far all of it belongs to MLS groups. */
export type Job = MlsJob
export type JobOutcome = MlsOutcome

/** Everything that can happen to a node. Times never go backwards. */
export interface Inputs {
  // Data plane: called per frame or packet, allocates nothing.
  frame(now: Micros, port: PortId, frame: Uint8Array): void
  packet(now: Micros, link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void
  // Control plane.
  /** `dialled`: this node opened the link. */
  linkUp(now: Micros, link: LinkId, peer: PeerId, dialled: boolean): void
  linkDown(now: Micros, link: LinkId, reason: CloseReason): void
  linkReady(now: Micros, link: LinkId, channel: Channel, ready: boolean): void
  dialFailed(now: Micros, peer: PeerId): void
  addressesChanged(now: Micros, addresses: readonly Address[], reach: Reachability): void
  stored(now: Micros, id: StoreId, ok: boolean): void
  jobDone(now: Micros, job: JobId, outcome: JobOutcome): void
  command(now: Micros, command: Command): void
  wake(now: Micros): void
}

/** Everything a node can ask for, in the order asked. */
export interface Effects {
  deliver(port: PortId, frame: Uint8Array): void
  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void
  dial(peer: PeerId, addresses: readonly Address[]): void
  hangUp(link: LinkId, reason: CloseReason): void
  start(job: JobId, work: Job): void
  store(id: StoreId, record: Uint8Array): void
  /** Observation only: a world that ignores notes behaves the same. */
  note(event: NodeEvent): void
}

export interface Machine extends Inputs {
  /** Carries out the effects of the last input in order. Nothing may be put in meanwhile. */
  drain(effects: Effects): void
  /** The earliest time at which wake() may have something to do; NEVER if none. */
  nextDeadline(): Micros
  /** Plain data for people and checkers; costs, so not for the hot path. */
  view(): NodeView
  /** What it counted so far, by name (core/counters.ts): the same as in its view, for less. */
  counts(): Readonly<Record<string, number>>
  /** Where a frame from that port to a MAC would go now; a UsageError if the port is not open. */
  wayTo(now: Micros, port: PortId, mac: number): WayView
}

/** A peer worth dialling, from configuration, an invitation or the mesh. */
export interface PeerHint {
  readonly peer: PeerId
  readonly addresses: readonly Address[]
  readonly reach: Reachability
}

/** What a VLAN is to a member that holds a static group key (until groups come from MLS). */
export interface VlanMembership {
  /** 32 bytes: see design, section 2 "authority". */
  readonly authorityKey: Uint8Array
  readonly label: string
  readonly privacy: 'spec' | 'private'
  /** The 32-byte secret that all members share: the GroupInitKey and every other key derive from it. */
  readonly groupKey: Uint8Array
  /** 32 bytes, secret of the branch; unicast tokens (and all tokens of private VLANs) depend on it. */
  readonly salt: Uint8Array
  /** This member's public key in this VLAN, 32 bytes. */
  readonly memberKey: Uint8Array
}

/** Which VLANs a relay carries for others: the first rule that matches decides (design, section 6). */
export type RelayPolicy =
  | { readonly mode: 'open' }
  /** Only VLANs that this node is a member of. */
  | { readonly mode: 'restricted' }
  /** Patterns over the VLAN-ID in hex; `*` stands for any run of digits. Deny wins over allow. */
  | { readonly mode: 'patterns'; readonly allow: readonly string[]; readonly deny: readonly string[] }

/** What the node's owner may ask of it. A wrong call is a UsageError. */
export type Command =
  | { readonly kind: 'bootstrap'; readonly peers: readonly PeerHint[] }
  | { readonly kind: 'openPort'; readonly port: PortId; readonly vlan: VlanMembership }
  /** A port of a VLAN whose group MLS keeps: it is up when the event `portUp` says so. */
  | {
      readonly kind: 'enter'
      readonly port: PortId
      readonly identity: VlanIdentity
      readonly entrance: Entrance
    }
  /** For ports that entered: facts made elsewhere, as they travel. */
  | { readonly kind: 'facts'; readonly port: PortId; readonly facts: readonly Uint8Array[] }
  /** Revokes a member key, 32 bytes. */
  | {
      readonly kind: 'revoke'
      readonly port: PortId
      readonly issuer: IssuerKeys
      readonly target: Uint8Array
    }
  /** For one person and by the event `invitation`; with at most three contacts. */
  | {
      readonly kind: 'invite'
      readonly port: PortId
      readonly issuer: IssuerKeys
      readonly doorKey: Uint8Array
      readonly contacts: readonly PeerHint[]
      /** How long it may be redeemed and its member stays; by default 90 days. */
      readonly lifeMillis?: number
    }
  /** New keys from this member, when its turn has come among all who want them (sec:B2). */
  | { readonly kind: 'rekey'; readonly port: PortId }
  /** Says goodbye to the group, for good as far as this member key goes; the port stays until closed. */
  | { readonly kind: 'leaveVlan'; readonly port: PortId }
  | { readonly kind: 'closePort'; readonly port: PortId }
  | { readonly kind: 'joinGroup'; readonly port: PortId; readonly mac: number }
  | { readonly kind: 'leaveGroup'; readonly port: PortId; readonly mac: number }
  | { readonly kind: 'policy'; readonly policy: RelayPolicy }
  /**
   * Lets those below find other uppers for some seconds, then says goodbye to all neighbours, hangs up and
   * notes `left`; the node does nothing more.
   */
  | { readonly kind: 'leave' }

/** What an operator or a checker may want to know, as it happens. Every kind is reached in tests. */
export type NodeEvent =
  | { readonly kind: 'neighbourUp'; readonly link: LinkId; readonly peer: PeerId }
  | {
      readonly kind: 'neighbourDown'
      readonly link: LinkId
      readonly peer: PeerId
      readonly reason: CloseReason
    }
  | {
      readonly kind: 'versionRefused'
      readonly link: LinkId
      readonly ours: readonly [number, number]
      readonly theirs: readonly [number, number]
    }
  | { readonly kind: 'rootChanged'; readonly tree: number; readonly root: PeerId; readonly self: boolean }
  | { readonly kind: 'upperChanged'; readonly tree: number; readonly link: LinkId | undefined }
  | { readonly kind: 'detached'; readonly tree: number }
  /** A half of a tree link opened or closed at this end: what the cycle checker watches. */
  | { readonly kind: 'treeLink'; readonly tree: number; readonly link: LinkId; readonly role: TreeRole }
  | {
      readonly kind: 'vlanRefused'
      readonly vlan: string
      readonly link: LinkId
      readonly reason: 'policy' | 'quota' | 'proof'
    }
  /** No neighbour of lower height carries the VLAN: it is cut here (mesh:M3). */
  | { readonly kind: 'vlanUphillRefused'; readonly vlan: string }
  /** The machine had slept for at least so long: its links are given up and it joins again (mesh:S15). */
  | { readonly kind: 'resumed'; readonly asleepMicros: Micros }
  | { readonly kind: 'portUp'; readonly port: PortId; readonly vlan: string; readonly mac: number }
  /** The port's own MAC was another member's too, and is this one now: for its interface to take. */
  | { readonly kind: 'macChanged'; readonly port: PortId; readonly mac: number }
  /**
   * A MAC is behind two members at once. `kept`: it stays with this port, else with the other one, and
   * frames from and to it are dropped here for as long as that one uses it. `other`: a member key in hex.
   */
  | {
      readonly kind: 'macConflict'
      readonly port: PortId
      readonly mac: number
      readonly kept: boolean
      readonly other: string
    }
  /** What became of the group of a port that entered. */
  | { readonly kind: 'group'; readonly port: PortId; readonly event: GroupEvent }
  /** A secret until it is redeemed. */
  | { readonly kind: 'invitation'; readonly port: PortId; readonly text: string }
  /** All neighbours have been told and all links hung up: the node does nothing more. */
  | { readonly kind: 'left' }
  | { readonly kind: 'dropped'; readonly reason: string; readonly vlan: string | undefined }

/** What a link is to this node in a tree, by its own half alone (mesh text (a), R5). */
export const TREE_ROLE = { none: 0, upper: 1, lower: 2 } as const
export type TreeRole = (typeof TREE_ROLE)[keyof typeof TREE_ROLE]

export interface LinkView {
  readonly link: LinkId
  readonly peer: PeerId
  readonly neighbour: boolean
  readonly rttMicros: number
  readonly jitterMicros: number
  readonly loss: number
  readonly load: number
  readonly role: TreeRole
}

export interface TreeView {
  readonly tree: number
  readonly root: PeerId | undefined
  readonly detached: boolean
  readonly depth: number
  readonly metric: number
  readonly upper: LinkId | undefined
  readonly furtherUppers: readonly LinkId[]
  readonly lowers: readonly LinkId[]
  readonly generation: number
}

export interface VlanView {
  readonly vlan: string
  readonly member: boolean
  readonly upper: LinkId | undefined
  readonly lowers: readonly LinkId[]
  readonly tokens: number
}

/** Where the packets of a token go from here. */
export interface WayView {
  /** In hex; undefined while the port has no tokens: it is in no epoch. */
  readonly token: string | undefined
  /** A port of this node is member of it. */
  readonly here: boolean
  /** Lower links behind which it is registered. */
  readonly lowers: readonly LinkId[]
  /** The link up, if packets of this token climb: who has it is not known to be here or below alone. */
  readonly upper: LinkId | undefined
}

export interface MemberView {
  /** Its key in hex. */
  readonly member: string
  /** Wall time of its join in milliseconds. */
  readonly joinedMillis: number
  /** By its card; undefined before the first. */
  readonly mac: number | undefined
  /** When it was last heard; undefined if never, and for this member itself. */
  readonly heardAt: Micros | undefined
}

/** A port that entered a VLAN whose group MLS keeps. */
export interface MembershipView {
  readonly port: PortId
  /** VLAN-ID and own member key in hex. */
  readonly vlan: string
  readonly self: string
  /** `outside`: asks to be let in. `member`: in an epoch. `over`: out for good. */
  readonly phase: string
  /** MLS-ID of the adopted epoch in hex, and its number, −1 without one. */
  readonly mlsId: string | undefined
  readonly epoch: number
  readonly mac: number
  /** Of the adopted epoch, by leaf. */
  readonly members: readonly MemberView[]
  /** Its ledger as facts travel, each after what it rests on. */
  readonly facts: readonly Uint8Array[]
  /** Its share of those of the node. */
  readonly counters: Readonly<Record<string, number>>
}

export interface NodeView {
  readonly self: PeerId
  readonly links: readonly LinkView[]
  readonly trees: readonly TreeView[]
  readonly vlans: readonly VlanView[]
  readonly memberships: readonly MembershipView[]
  readonly passivePeers: number
  readonly counters: Readonly<Record<string, number>>
}
