/**
 * The seam between a node and what carries its trunks: libp2p for the real node, lanes in the simulator.
 * A carrier dials, accepts, authenticates peers by their node keys, and moves packets over the two channels
 * of a link (mesh:M14). It knows nothing of what the packets say.
 *
 * A link is up when both its channels can be used in both directions, and is numbered once for all time.
 * What a listener is told never comes inside a call to the carrier: a dial that fails at once is told later.
 */
import type { Address, Channel, CloseReason, Hop, LinkId, PeerId, Reachability } from '../../core/io.ts'

export interface TrunkListener {
  /** `dialled`: this node opened the link. */
  linkUp(link: LinkId, peer: PeerId, dialled: boolean): void
  /** Once for each link that was up, also after `hangUp`. */
  linkDown(link: LinkId, reason: CloseReason): void
  /** False: what is sent on the channel now waits or is lost; true when there is room again. */
  linkReady(link: LinkId, channel: Channel, ready: boolean): void
  /** All of a dial's addresses were tried in vain. */
  dialFailed(peer: PeerId): void
  addressesChanged(addresses: readonly Address[], reach: Reachability): void
  /** The bytes are lent until this returns. */
  packet(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void
}

/** How a trunk gets there, for people. */
export interface TrunkView {
  readonly link: LinkId
  readonly peer: PeerId
  readonly dialled: boolean
  /** `quic-v1`, `tcp`, `ws`, `wss`, `memory`, `simulated`. */
  readonly transport: string
  /** As a multiaddr. */
  readonly remote: string
  /** Through a circuit relay of libp2p. */
  readonly relayed: boolean
  /** Of packets with their framing, without the transport's own. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Data packets lost here because the channel was full. */
  readonly dropped: number
}

export interface Carrier {
  start(listener: TrunkListener): Promise<void>
  /** Ends in `linkUp` (with this peer) or `dialFailed`, once. */
  dial(peer: PeerId, addresses: readonly Address[]): void
  hangUp(link: LinkId, reason: CloseReason): void
  /** The bytes are copied before this returns. A link that is not up: counted and dropped. */
  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void
  view(): readonly TrunkView[]
  /** Hangs up all links, without telling, and frees all sockets. */
  stop(): Promise<void>
}
