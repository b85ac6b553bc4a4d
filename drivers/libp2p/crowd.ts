/**
 * How many connections one host may have to this node. Whoever floods it can make as many keys as they like,
 * and not as many addresses. Knows addresses and counts; what a connection is for is others' affair.
 */
import { CODE_IP4, CODE_IP6, type Multiaddr } from '@multiformats/multiaddr'
import { hex } from '../../core/ids.ts'

/**
 * A mesh keeps 64 links at most. All of them may lead to nodes behind one address of a NAT, and each of these
 * may come back before the end of its old connection is seen here. It is an eighth of all connections.
 */
export const HOST_CONNECTIONS_MAX = 128

/** As in a multiaddr, behind one byte that says which it is. */
const IP4_BYTES = 4
const IP6_BYTES = 16
/** Whoever has one IPv6 address has all with the same first 64 bits, and often all with the same 48. */
const IP6_PREFIX_DIGITS = 16
const IP6_SITE_DIGITS = 12
/** Of a whole site: a quarter of all connections. */
export const SITE_CONNECTIONS_MAX = 256
/** RFC 4291, section 2.5.5.2: IPv4 on a socket of both families. The address is behind it. */
const MAPPED_PREFIX = '00000000000000000000ffff'

/** The part of a connection that is counted by. */
export interface Comer {
  readonly remoteAddr: Multiaddr
  readonly status: string
  addEventListener(type: 'close', listener: () => void, options: { readonly once: true }): void
}

export class Crowd {
  readonly #counts = new Map<string, number>()
  #refused = 0

  /** How many were refused so far. */
  get refused(): number {
    return this.#refused
  }

  /** Counts one that comes in, authenticated or not, until it closes; false if it is one too many. */
  admit(comer: Comer): boolean {
    const host = hostOf(comer.remoteAddr)
    // Without an IP address: in memory, where nobody is a stranger.
    if (host === undefined || comer.status !== 'open') return true
    const site = host.length === IP6_PREFIX_DIGITS ? host.slice(0, IP6_SITE_DIGITS) : undefined
    if (this.#has(host, HOST_CONNECTIONS_MAX) || this.#has(site, SITE_CONNECTIONS_MAX)) {
      this.#refused += 1
      return false
    }
    for (const name of [host, site]) {
      if (name === undefined) continue
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
      comer.addEventListener('close', () => this.#leave(name), { once: true })
    }
    return true
  }

  #has(name: string | undefined, count: number): boolean {
    return name !== undefined && (this.#counts.get(name) ?? 0) >= count
  }

  #leave(host: string): void {
    const left = (this.#counts.get(host) ?? 0) - 1
    if (left > 0) this.#counts.set(host, left)
    else this.#counts.delete(host)
  }
}

/** What one machine or one network behind a NAT is known by. Through a circuit relay: the relay's. */
function hostOf(address: Multiaddr): string | undefined {
  const code = address.getComponents()[0]?.code
  if (code !== CODE_IP4 && code !== CODE_IP6) return undefined
  const host = hex(address.bytes.slice(1, 1 + (code === CODE_IP4 ? IP4_BYTES : IP6_BYTES)))
  if (code === CODE_IP4) return host
  return host.startsWith(MAPPED_PREFIX) ? host.slice(MAPPED_PREFIX.length) : host.slice(0, IP6_PREFIX_DIGITS)
}
