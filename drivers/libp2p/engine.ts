/**
 * libp2p as PeerTap wants it: quiet when idle, never connecting or disconnecting by itself, and open to
 * many at once from one address. Whom to dial and when to hang up is for the core; how to find and route is
 * the mesh's own affair. Only what crosses the trunks is ours.
 */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p, PeerId } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { STREAM_BYTES } from './channel.ts'
import { Crowd } from './crowd.ts'
import { isLinkLocal } from './hosts.ts'
import type { TrunkOptions } from './options.ts'
import { RELAY_PLACES_MAX, RelayPlaces } from './relay-places.ts'
import { tlsWhenAsked } from './tls.ts'
import { hostAddress } from './transports.ts'

/** Many nodes behind one address restart together (mesh:N5). */
const INBOUND_PER_SECOND = 100
const PENDING_INBOUND_MAX = 256
/** Far above what the mesh keeps (64 links at most); a bound against floods. */
const CONNECTIONS_MAX = 1_024
/** Handshake and streams of one connection; a dial has given up long before. */
const UPGRADE_MILLIS = 5_000
/**
 * Streams that one connection may have open: those of two trunks, and what libp2p asks; one more for each
 * link that a circuit relay may carry on it. What a stranger sends on a stream before it says for what may
 * wait in memory, 256 KiB each.
 */
const STREAMS_MAX = 16
const RELAYED_STREAMS_MAX = 64
/** The core's own HELLOs notice a dead link long before; this only frees what nobody uses (mesh:M17). */
const QUIC_IDLE_MILLIS = 150_000
const QUIC_KEEP_ALIVE_MILLIS = 60_000
/** WebSockets say "full" only by being asked; ask often, and allow little. */
const WS_BUFFERED_BYTES = 262_144
const WS_POLL_MILLIS = 5

/** How often others are asked whether an address of ours can be dialled. */
const VERIFY_MILLIS = 6 * 3_600_000
/** Relays at which a node keeps a place: one may go. */
const RELAYS_USED = 2
/** From the end of the last connection to a peer: what it said of itself may still be on its way. */
const FORGET_MILLIS = 1_000

/** The parts of libp2p that are not on its surface. */
export type Parts = Parameters<NonNullable<Libp2pOptions['services']>[string]>[0]

export interface Engine {
  readonly node: Libp2p
  readonly parts: Parts
  /** Who has come in. */
  readonly crowd: Crowd
  /** At the relay that this node is, if it is one. */
  readonly places: RelayPlaces
}

/** Not started. A seed of 32 bytes. */
export async function createEngine(options: TrunkOptions): Promise<Engine> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed)
  const { serve = false, use = false } = options.relay ?? {}
  const crowd = new Crowd()
  let made: Libp2p | undefined
  const places = new RelayPlaces(() => made)
  const streamsMax = STREAMS_MAX + (serve || use ? RELAYED_STREAMS_MAX : 0)
  let parts: Parts | undefined
  const services: NonNullable<Libp2pOptions['services']> = {
    // Without its push: changes of address travel in the mesh.
    identify: identify(),
    parts: (components) => {
      parts = components
      return {}
    },
  }
  // Asks connected nodes to dial back; only what is known decides without it.
  if ((options.reachability ?? 'auto') === 'auto' && options.listen.length > 0) {
    const { autoNAT } = await import('@libp2p/autonat')
    services['autoNAT'] = autoNAT({ refreshInterval: VERIFY_MILLIS })
  }
  if (serve) {
    const { circuitRelayServer } = await import('@libp2p/circuit-relay-v2')
    services['relay'] = circuitRelayServer({
      hopTimeout: UPGRADE_MILLIS,
      maxInboundHopStreams: RELAYED_STREAMS_MAX,
      maxOutboundStopStreams: RELAYED_STREAMS_MAX,
      reservations: { maxReservations: RELAY_PLACES_MAX, applyDefaultLimit: false },
    })
  }
  if (use) services['dcutr'] = (await import('@libp2p/dcutr')).dcutr()
  const init: Libp2pOptions = {
    start: false,
    privateKey,
    addresses: {
      listen: [...options.listen, ...(use ? Array<string>(RELAYS_USED).fill('/p2p-circuit') : [])],
      appendAnnounce: [...(options.announce ?? [])],
      announceFilter: (all) => all.filter((address) => isTold(address, options)),
      addressVerificationTTL: VERIFY_MILLIS,
    },
    transports: await transportsOf(options, streamsMax),
    // Noise first: TLS goes through duplex streams here, and a round trip takes twice as long.
    connectionEncrypters: [noise(), tlsWhenAsked()],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: streamsMax,
        maxOutboundStreams: streamsMax,
        streamOptions: { maxStreamWindowSize: STREAM_BYTES },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionGater: gaterOf(options, crowd, places),
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      maxParallelDials: CONNECTIONS_MAX,
      inboundConnectionThreshold: options.inboundPerSecond ?? INBOUND_PER_SECOND,
      maxIncomingPendingConnections: options.pendingInbound ?? PENDING_INBOUND_MAX,
      inboundUpgradeTimeout: UPGRADE_MILLIS,
      inboundStreamProtocolNegotiationTimeout: UPGRADE_MILLIS,
      reconnectRetries: 0,
    },
    services,
  }
  const node = await createLibp2p(init)
  made = node
  if (parts === undefined) throw new Error('libp2p did not make its services')
  node.addEventListener('peer:disconnect', ({ detail }) => {
    places.free(detail)
    setTimeout(() => forget(node, detail), FORGET_MILLIS).unref()
  })
  return { node, parts, crowd, places }
}

/**
 * libp2p keeps what a peer says about itself, up to some kilobytes, in memory and for good: a stranger could
 * come with a new key each time. Where peers are is for the core to know.
 */
function forget(node: Libp2p, peer: PeerId): void {
  if (node.status !== 'started' || node.getConnections(peer).length > 0) return
  node.peerStore.delete(peer).catch(() => {})
}

/**
 * Whom this node is connected to is told its addresses, and lists all of the machine's: those in a VLAN would
 * say to a relay who is in it, and a link-local one has the MAC address in it.
 */
function isTold(address: Multiaddr, options: TrunkOptions): boolean {
  return !isAvoided(address, options) && !isLinkLocal(hostAddress(address) ?? '')
}

function gaterOf(
  options: TrunkOptions,
  crowd: Crowd,
  places: RelayPlaces,
): NonNullable<Libp2pOptions['connectionGater']> {
  return {
    denyDialMultiaddr: (address) => isAvoided(address, options),
    denyInboundConnection: (comer) => isAvoided(comer.remoteAddr, options) || !crowd.admit(comer),
    denyInboundRelayReservation: (peer) => !places.grant(peer),
  }
}

function isAvoided(address: Multiaddr, { avoids }: TrunkOptions): boolean {
  const host = hostAddress(address)
  return host !== undefined && avoids?.(host) === true
}

/** Those that are on; others are not even loaded. */
async function transportsOf(
  options: TrunkOptions,
  streamsMax: number,
): Promise<NonNullable<Libp2pOptions['transports']>> {
  const on = new Set(options.transports)
  const transports: NonNullable<Libp2pOptions['transports']> = []
  if (on.has('quic')) {
    const { quic } = await import('@chainsafe/libp2p-quic')
    transports.push(
      quic({
        handshakeTimeout: UPGRADE_MILLIS,
        maxIdleTimeout: QUIC_IDLE_MILLIS,
        keepAliveInterval: QUIC_KEEP_ALIVE_MILLIS,
        maxConcurrentStreamLimit: streamsMax,
        maxStreamData: STREAM_BYTES,
        maxConnectionData: 2 * STREAM_BYTES,
        receiveBufferSize: STREAM_BYTES,
        sendBufferSize: STREAM_BYTES,
      }),
    )
  }
  if (on.has('tcp')) {
    const { tcp } = await import('@libp2p/tcp')
    transports.push(tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 }))
  }
  if (on.has('ws')) {
    const { webSockets } = await import('@libp2p/websockets')
    transports.push(
      webSockets({ maxBufferedAmount: WS_BUFFERED_BYTES, bufferedAmountPollInterval: WS_POLL_MILLIS }),
    )
  }
  if (on.has('memory')) transports.push((await import('@libp2p/memory')).memory())
  if (options.relay?.use) {
    const { circuitRelayTransport } = await import('@libp2p/circuit-relay-v2')
    transports.push(circuitRelayTransport())
  }
  return transports
}
