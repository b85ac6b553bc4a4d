/**
 * From a peer's addresses to a connection with both streams of a trunk, or nothing. Each dial makes a
 * connection of its own, past libp2p's queue of dials: that one would join dials to one peer, and would hand
 * out an old connection whose other end may be long gone.
 */
import { lookup } from 'node:dns/promises'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Engine } from './engine.ts'
import { withPeer } from './names.ts'
import type { TrunkOptions } from './options.ts'
import { race } from './race.ts'
import {
  hostAddress,
  hostName,
  isRelayed,
  kindOf,
  rankOf,
  type TransportKind,
  type TransportName,
  transportOf,
} from './transports.ts'
import type { Streams } from './trunk.ts'

export const CONTROL_PROTOCOL = '/peertap/1.0.0/control'
export const DATA_PROTOCOL = '/peertap/1.0.0/data'

/** mesh:S11: 3 s. The core waits 10 s for the answer. */
const DIAL_MILLIS = 3_000
/** Addresses that are tried at most. Guess: three transports over two families, and as many stale ones. */
const ADDRESSES_MAX = 16

export interface Opened {
  readonly connection: Connection
  readonly streams: Streams
}

export class Dialler {
  readonly #engine: Engine
  readonly #transports: ReadonlySet<TransportKind>
  readonly #avoids: TrunkOptions['avoids']

  constructor(engine: Engine, { transports, avoids }: TrunkOptions) {
    this.#engine = engine
    this.#transports = new Set(transports)
    this.#avoids = avoids
  }

  /** Undefined if no address leads to a trunk with this peer within the time. */
  async dial(peer: PeerId, addresses: readonly Multiaddr[], stop: AbortSignal): Promise<Opened | undefined> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(DIAL_MILLIS)])
    let left = this.#ordered(addresses).map((address) => withPeer(address, peer))
    while (left.length > 0) {
      const ways = left.map((address) => (any: AbortSignal) => this.#connectTo(peer, address, any))
      const winner = await race(ways, signal, discard)
      if (winner === undefined) return undefined
      const streams = await openStreams(winner.won, signal)
      if (streams !== undefined) return { connection: winner.won, streams }
      discard(winner.won)
      left = left.filter((_, index) => index !== winner.index)
    }
    return undefined
  }

  /**
   * Those that we have a transport for: the first of each transport, the best transport first, then the
   * second of each. So neither stale addresses nor a transport that is blocked holds the others up.
   */
  #ordered(addresses: readonly Multiaddr[]): Multiaddr[] {
    const seen = new Map<TransportName | undefined, number>()
    const places: { readonly address: Multiaddr; readonly turn: number; readonly rank: number }[] = []
    for (const address of addresses) {
      const transport = transportOf(address)
      if (!isRelayed(address) && !this.#hasTransport(transport)) continue
      const turn = seen.get(transport) ?? 0
      seen.set(transport, turn + 1)
      places.push({ address, turn, rank: transport === undefined ? 0 : rankOf(transport) })
    }
    places.sort((one, other) => one.turn - other.turn || one.rank - other.rank)
    return places.slice(0, ADDRESSES_MAX).map(({ address }) => address)
  }

  #hasTransport(transport: TransportName | undefined): boolean {
    return transport !== undefined && this.#transports.has(kindOf(transport))
  }

  async #connectTo(peer: PeerId, address: Multiaddr, signal: AbortSignal): Promise<Connection> {
    const connection = await this.#connect(address, signal)
    // Not every transport compares it with the address.
    if (peer.equals(connection.remotePeer)) return connection
    discard(connection)
    throw new Error('another peer is there')
  }

  async #connect(address: Multiaddr, signal: AbortSignal): Promise<Connection> {
    const { transportManager } = this.#engine.parts
    // What a certificate is made out to is the name; libp2p looks it up itself.
    if (hostName(address) === undefined || transportOf(address) === 'wss') {
      this.#refuseAvoided(address)
      return transportManager.dial(address, { signal })
    }
    let failure: unknown = new Error('the name has no address')
    for (const found of await resolved(address)) {
      signal.throwIfAborted()
      try {
        this.#refuseAvoided(found)
        return await transportManager.dial(found, { signal })
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** libp2p asks its gater in its own queue of dials alone, which these do not go through. */
  #refuseAvoided(address: Multiaddr): void {
    const host = hostAddress(address)
    if (host !== undefined && this.#avoids?.(host) === true)
      throw new Error('the address is in a network that trunks carry')
  }
}

/** Each address of the name in place of it. */
async function resolved(address: Multiaddr): Promise<Multiaddr[]> {
  const host = hostName(address)
  if (host === undefined) return [address]
  const found = await lookup(host.name, { family: host.family, all: true })
  const rest = address.getComponents().slice(1)
  return found.map((one) => multiaddr(`/ip${one.family}/${one.address}`).encapsulate(multiaddr(rest)))
}

/** Opens both at once. Undefined if the other end does not take them. */
export async function openStreams(connection: Connection, signal: AbortSignal): Promise<Streams | undefined> {
  const options = { signal, runOnLimitedConnection: true }
  const opened = await Promise.allSettled([
    connection.newStream(CONTROL_PROTOCOL, options),
    connection.newStream(DATA_PROTOCOL, options),
  ])
  const [control, data] = opened.map((one) => (one.status === 'fulfilled' ? one.value : undefined))
  if (control !== undefined && data !== undefined) return { control, data }
  const left: Stream | undefined = control ?? data
  left?.abort(new Error('the other stream of the trunk could not be opened'))
  return undefined
}

function discard(connection: Connection): void {
  connection.abort(new Error('not needed'))
}
