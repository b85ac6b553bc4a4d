/**
 * Circuit relays of libp2p, for peers that no address reaches: a relay both are connected to joins a stream
 * of each. What is said over it is sealed between the two; the relay sees bytes.
 */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Engine } from './engine.ts'
import { isRelayed } from './transports.ts'

const HOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/hop'
const STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'
/** Relays that a dial tries. */
const RELAYS_MAX = 4

/** Addresses of a peer through the relays that this node is connected to. */
export async function relayedAddresses({ node }: Engine): Promise<Multiaddr[]> {
  const ways: Multiaddr[] = []
  for (const connection of node.getConnections()) {
    if (ways.length === RELAYS_MAX) break
    if (isRelayed(connection.remoteAddr) || !(await isRelay(node, connection))) continue
    ways.push(multiaddr(`${connection.remoteAddr}/p2p-circuit`))
  }
  return ways
}

async function isRelay(node: Libp2p, { remotePeer }: Connection): Promise<boolean> {
  try {
    return (await node.peerStore.get(remotePeer)).protocols.includes(HOP_PROTOCOL)
  } catch {
    return false
  }
}

/** Others' trunks go through this connection: it outlives its own trunk. */
export function carriesRelayed({ streams }: Connection): boolean {
  return streams.some(({ protocol }) => protocol === HOP_PROTOCOL || protocol === STOP_PROTOCOL)
}

/** Of the transport: where this node has a place. */
interface PlacesElsewhere {
  readonly reservationStore?: { hasReservation(peer: PeerId): boolean }
}

/** The peer is a relay that this node can be reached through, or the other way round. */
export function hasPlace({ parts, places }: Engine, peer: PeerId): boolean {
  if (places.has(peer)) return true
  const transports = parts.transportManager.getTransports() as PlacesElsewhere[]
  return transports.some(({ reservationStore }) => reservationStore?.hasReservation(peer))
}
