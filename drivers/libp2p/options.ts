/** What a node's owner says about its trunks, as plain data. */
import type { PeerId } from '../../core/io.ts'
import type { TransportKind } from './transports.ts'

/** Of one peer: what a configuration names. */
export const PEER_ADDRESSES_MAX = 16

export interface RelayOptions {
  /** Carries connections between others that cannot reach each other, without limit. */
  readonly serve?: boolean
  /** Where no address answers, tries relays that are connected; and keeps a place at some to be reached. */
  readonly use?: boolean
}

export interface TrunkOptions {
  /** Of the node key, 32 bytes, secret: Ed25519 (RFC 8032). */
  readonly seed: Uint8Array
  readonly transports: readonly TransportKind[]
  /** Multiaddrs, `/ip4/0.0.0.0/udp/4001/quic-v1`; none: the node only dials. */
  readonly listen: readonly string[]
  /** Multiaddrs that others can use beside those found, such as a forwarded port. */
  readonly announce?: readonly string[]
  /** `auto` if not given: public only if that is known. */
  readonly reachability?: 'auto' | 'public' | 'punchable' | 'private'
  readonly mdns?: boolean
  readonly relay?: RelayOptions
  /** Connections accepted from one address, each second; and from all that are not yet authenticated. */
  readonly inboundPerSecond?: number
  readonly pendingInbound?: number
  /** IP addresses of this machine, asked for every few seconds; by default those of its interfaces. */
  readonly hosts?: () => readonly string[]
  /**
   * Whether no trunk may lead to that IP address or come from there: those in the networks that trunks carry,
   * or a trunk would run through another one.
   */
  readonly avoids?: (host: string) => boolean
  /** A peer that is connected says where it can be dialled: multiaddrs, any of which may be wrong. */
  readonly announced?: (peer: PeerId, addresses: readonly string[]) => void
  /** A node of ours on the local network, by mDNS; addresses as multiaddrs. */
  readonly discovered?: (peer: PeerId, addresses: readonly string[]) => void
}
