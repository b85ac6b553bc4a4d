/**
 * libp2p as PeerTap wants it: quiet when idle, never connecting or disconnecting by itself, and open to
 * many at once from one address. Whom to dial and when to hang up is for the core; how to find and route is
 * the mesh's own affair. Only what crosses the trunks is ours.
 */
import { quic } from '@chainsafe/libp2p-quic'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, Transport } from '@libp2p/interface'
import { memory } from '@libp2p/memory'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import type { TrunkOptions } from './options.ts'

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
/** One stream may be as far ahead as a fast path holds: 100 Mbit/s over 300 ms. */
const STREAM_BYTES = 4_194_304
/** Streams of other protocols that one connection may have open. */
const STREAMS_MAX = 256
/** WebSockets say "full" only by being asked; ask often, and allow little. */
const WS_BUFFERED_BYTES = 262_144
const WS_POLL_MILLIS = 5

/** The parts of libp2p that are not on its surface. */
export interface Parts {
  readonly transportManager: {
    dial(address: Multiaddr, options: { signal: AbortSignal }): Promise<Connection>
    getTransports(): Transport[]
  }
}

export interface Engine {
  readonly node: Libp2p
  readonly parts: Parts
}

/** Not started. A seed of 32 bytes. */
export async function createEngine(options: TrunkOptions): Promise<Engine> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed)
  let parts: Parts | undefined
  const init: Libp2pOptions = {
    start: false,
    privateKey,
    addresses: { listen: [...options.listen], appendAnnounce: [...(options.announce ?? [])] },
    transports: transportsOf(options),
    connectionEncrypters: [tls(), noise()],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: STREAMS_MAX,
        maxOutboundStreams: STREAMS_MAX,
        streamOptions: { maxStreamWindowSize: STREAM_BYTES },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: CONNECTIONS_MAX,
      maxParallelDials: CONNECTIONS_MAX,
      inboundConnectionThreshold: options.inboundPerSecond ?? INBOUND_PER_SECOND,
      maxIncomingPendingConnections: options.pendingInbound ?? PENDING_INBOUND_MAX,
      inboundUpgradeTimeout: UPGRADE_MILLIS,
      reconnectRetries: 0,
    },
    services: {
      identify: identify(),
      parts: (components: Parts) => {
        parts = components
        return {}
      },
    },
  }
  const node = await createLibp2p(init)
  if (parts === undefined) throw new Error('libp2p did not make its services')
  return { node, parts }
}

function transportsOf(options: TrunkOptions): NonNullable<Libp2pOptions['transports']> {
  const on = new Set(options.transports)
  const transports: NonNullable<Libp2pOptions['transports']> = []
  if (on.has('quic')) {
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
    transports.push(tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 }))
  }
  if (on.has('ws')) {
    transports.push(
      webSockets({ maxBufferedAmount: WS_BUFFERED_BYTES, bufferedAmountPollInterval: WS_POLL_MILLIS }),
    )
  }
  if (on.has('memory')) transports.push(memory())
  return transports
}
