/** Stations over libp2p for tests: in memory or on loopback, each with a key of its own. */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer, type Socket } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { noble } from '../../core/crypto/noble.ts'
import { peerIdOf } from '../../core/ids.ts'
import type { Address, PeerId } from '../../core/io.ts'
import { addressBytes } from '../../drivers/libp2p/names.ts'
import type { TrunkOptions } from '../../drivers/libp2p/options.ts'
import type { TransportKind } from '../../drivers/libp2p/transports.ts'
import { Trunks } from '../../drivers/libp2p/trunks.ts'
import type { Ground } from '../contract/carrier.ts'
import { Station } from './station.ts'

export type Loopback = Exclude<TransportKind, 'memory'>

const LISTEN: Readonly<Record<TransportKind, () => string>> = {
  quic: () => '/ip4/127.0.0.1/udp/0/quic-v1',
  tcp: () => '/ip4/127.0.0.1/tcp/0',
  ws: () => '/ip4/127.0.0.1/tcp/0/ws',
  memory: () => `/memory/${randomBytes(6).toString('hex')}`,
}
/** Discard, RFC 863: nobody listens there on loopback. */
const NOWHERE: Readonly<Record<TransportKind, string>> = {
  quic: '/ip4/127.0.0.1/udp/9/quic-v1',
  tcp: '/ip4/127.0.0.1/tcp/9',
  ws: '/ip4/127.0.0.1/tcp/9/ws',
  memory: '/memory/nowhere',
}

export const randomPeer = (): PeerId => peerIdOf(noble.signatures.publicKey(randomBytes(32)))

/** A station that has started. */
export async function libp2pStation(
  transports: readonly TransportKind[],
  options: Partial<TrunkOptions> = {},
): Promise<Station & { readonly carrier: Trunks }> {
  const seed = new Uint8Array(randomBytes(32))
  const listen = transports.map((kind) => LISTEN[kind]())
  const trunks = new Trunks({ seed, transports, listen, ...options })
  const station = new Station(peerIdOf(noble.signatures.publicKey(seed)), trunks)
  await station.start()
  return station as Station & { readonly carrier: Trunks }
}

export function core(address: string): Address {
  return addressBytes(multiaddr(address)) as Address
}

/** Where a station listens, for the core. */
export function addressesOf(station: Station): readonly Address[] {
  return (station.carrier as Trunks).listening().map(core)
}

/** Takes TCP connections or UDP packets on loopback and never answers. */
export async function silence(
  kind: Loopback,
): Promise<{ readonly port: number; readonly close: () => void }> {
  if (kind === 'quic') {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return { port: socket.address().port, close: () => socket.close() }
  }
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const close = (): void => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { port, close }
}

export async function libp2pGround(kind: TransportKind): Promise<Ground> {
  const stations: Station[] = []
  const closers: (() => void)[] = []
  return {
    async station() {
      const station = await libp2pStation([kind])
      stations.push(station)
      return station
    },
    addressesOf,
    nobody: () => ({ peer: randomPeer(), addresses: [core(NOWHERE[kind])] }),
    async silence() {
      if (kind === 'memory') return undefined
      const { port, close } = await silence(kind)
      closers.push(close)
      return [core(LISTEN[kind]().replace('/0', `/${port}`))]
    },
    async close() {
      await Promise.all(stations.map((station) => station.carrier.stop()))
      for (const close of closers) close()
    },
  }
}
