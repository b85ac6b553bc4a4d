/**
 * libp2p as PeerTap wants it: quiet when idle, never connecting or disconnecting by itself, and open to
 * many at once from one address. Whom to dial and when to hang up is for the core; how to find and route is
 * the mesh's own affair. Only what crosses the trunks is ours.
 */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { STREAM_BYTES } from './channel.ts'
import type { TrunkOptions } from './options.ts'
import { tlsWhenAsked } from './tls.ts'
import { hostAddress } from './transports.ts'

/** Many nodes behind one address restart together (mesh:N5). */
const INBOUND_PER_SECOND = 100
const PENDING_INBOUND_MAX = 256
/** Far above what the mesh keeps (64 links at most); a bound against floods. */
const CONNECTIONS_MAX = 1_024
/** Handshake and streams of one connection; a dial has given up long before. */
const UPGRADE_MILLIS = 5_000
/** The core's own HELLOs notice a dead link long before; this only frees what nobody uses (mesh:M17). */
const QUIC_IDLE_MILLIS = 150_000
const QUIC_KEEP_ALIVE_MILLIS = 60_000
/** Streams of other protocols that one connection may have open. */
const STREAMS_MAX = 256
/** WebSockets say "full" only by being asked; ask often, and allow little. */
const WS_BUFFERED_BYTES = 262_144
const WS_POLL_MILLIS = 5

/** How often others are asked whether an address of ours can be dialled. */
const VERIFY_MILLIS = 6 * 3_600_000
/** Nodes that keep a place at this relay: an entry in a table each. */
const RESERVATIONS_MAX = 256
/** Relays at which a node keeps a place: one may go. */
const RELAYS_USED = 2

/** The parts of libp2p that are not on its surface. */
export type Parts = Parameters<NonNullable<Libp2pOptions['services']>[string]>[0]

export interface Engine {
  readonly node: Libp2p
  readonly parts: Parts
}

/** Not started. A seed of 32 bytes. */
export async function createEngine(options: TrunkOptions): Promise<Engine> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed)
  const { serve = false, use = false } = options.relay ?? {}
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
      reservations: { maxReservations: RESERVATIONS_MAX, applyDefaultLimit: false },
    })
  }
  if (use) services['dcutr'] = (await import('@libp2p/dcutr')).dcutr()
  const init: Libp2pOptions = {
    start: false,
    privateKey,
    addresses: {
      listen: [...options.listen, ...(use ? Array<string>(RELAYS_USED).fill('/p2p-circuit') : [])],
      appendAnnounce: [...(options.announce ?? [])],
      addressVerificationTTL: VERIFY_MILLIS,
    },
    transports: await transportsOf(options),
    // Noise first: TLS goes through duplex streams here, and a round trip takes twice as long.
    connectionEncrypters: [noise(), tlsWhenAsked()],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: STREAMS_MAX,
        maxOutboundStreams: STREAMS_MAX,
        streamOptions: { maxStreamWindowSize: STREAM_BYTES },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionGater: gaterOf(options),
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      maxParallelDials: CONNECTIONS_MAX,
      inboundConnectionThreshold: options.inboundPerSecond ?? INBOUND_PER_SECOND,
      maxIncomingPendingConnections: options.pendingInbound ?? PENDING_INBOUND_MAX,
      inboundUpgradeTimeout: UPGRADE_MILLIS,
      reconnectRetries: 0,
    },
    services,
  }
  const node = await createLibp2p(init)
  if (parts === undefined) throw new Error('libp2p did not make its services')
  return { node, parts }
}

function gaterOf({ avoids }: TrunkOptions): NonNullable<Libp2pOptions['connectionGater']> {
  const isAvoided = (address: Multiaddr): boolean => {
    const host = hostAddress(address)
    return host !== undefined && avoids?.(host) === true
  }
  return {
    denyDialMultiaddr: isAvoided,
    denyInboundConnection: ({ remoteAddr }) => isAvoided(remoteAddr),
  }
}

/** Those that are on; others are not even loaded. */
async function transportsOf(options: TrunkOptions): Promise<NonNullable<Libp2pOptions['transports']>> {
  const on = new Set(options.transports)
  const transports: NonNullable<Libp2pOptions['transports']> = []
  if (on.has('quic')) {
    const { quic } = await import('@chainsafe/libp2p-quic')
    transports.push(
      quic({
        handshakeTimeout: UPGRADE_MILLIS,
        maxIdleTimeout: QUIC_IDLE_MILLIS,
        keepAliveInterval: QUIC_KEEP_ALIVE_MILLIS,
        maxConcurrentStreamLimit: STREAMS_MAX,
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
