/**
 * Who has a place at this circuit relay, through which others reach them. One table is for all, so a host
 * gets so many places however many keys it makes. libp2p keeps the table, and asks here before it gives one.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import { HostCounts, type Origin, originOf } from './crowd.ts'
import { isRelayed } from './transports.ts'

/** Nodes that keep a place at this relay. */
export const RELAY_PLACES_MAX = 256
/** As of connections: an eighth of all for one machine or NAT, a quarter for an IPv6 site. */
export const HOST_RELAY_PLACES_MAX = 32
const SITE_RELAY_PLACES_MAX = 64

interface Server {
  readonly reservations: {
    has(peer: PeerId): boolean
    get(peer: PeerId): { readonly signal: { reset(millis: number): void } } | undefined
  }
}

export class RelayPlaces {
  readonly #node: () => Libp2p | undefined
  readonly #counts = new HostCounts(HOST_RELAY_PLACES_MAX, SITE_RELAY_PLACES_MAX)
  /** All are connected, so connections bound it. */
  readonly #granted = new Map<string, Origin>()

  /** Undefined until the node is made, which asks here when it runs. */
  constructor(node: () => Libp2p | undefined) {
    this.#node = node
  }

  /** How many were refused so far. */
  get refused(): number {
    return this.#counts.refused
  }

  has(peer: PeerId): boolean {
    return this.#table()?.has(peer) === true
  }

  /**
   * Whether a peer that asks gets a place; it keeps it until its last connection ends. Who has gone meanwhile
   * gets none, for nothing would free it.
   */
  grant(peer: PeerId): boolean {
    const name = peer.toString()
    if (this.#granted.has(name)) return true
    const comers = this.#node()?.getConnections(peer) ?? []
    const comer = comers.find(({ remoteAddr, status }) => status === 'open' && !isRelayed(remoteAddr))
    if (comer === undefined) return false
    const origin = originOf(comer.remoteAddr)
    if (!this.#counts.enter(origin)) return false
    this.#granted.set(name, origin)
    return true
  }

  /** Nobody is reached through a place without a connection. libp2p keeps it for two hours, for any key. */
  free(peer: PeerId): void {
    this.#table()?.get(peer)?.signal.reset(0)
    const name = peer.toString()
    const origin = this.#granted.get(name)
    if (origin === undefined) return
    this.#granted.delete(name)
    this.#counts.leave(origin)
  }

  #table(): Server['reservations'] | undefined {
    return (this.#node()?.services['relay'] as Server | undefined)?.reservations
  }
}
