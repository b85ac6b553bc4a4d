/**
 * How much one host may have of this node, its connections first. Whoever floods it can make as many keys as
 * they like, and not as many addresses. Knows addresses and counts; what is counted is others' affair.
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

/** What strangers are counted by; without an IP address neither is there, and IPv4 has no site. */
export interface Origin {
  /** One machine, or one network behind a NAT. */
  readonly host: string | undefined
  readonly site: string | undefined
}

/** Through a circuit relay: the relay's. */
export function originOf(address: Multiaddr): Origin {
  const host = hostOf(address)
  const site = host?.length === IP6_PREFIX_DIGITS ? host.slice(0, IP6_SITE_DIGITS) : undefined
  return { host, site }
}

/** How much of something each host has, and each IPv6 site. */
export class HostCounts {
  readonly #hostMax: number
  readonly #siteMax: number
  readonly #counts = new Map<string, number>()
  #refused = 0

  constructor(hostMax: number, siteMax: number) {
    this.#hostMax = hostMax
    this.#siteMax = siteMax
  }

  /** How many were refused so far. */
  get refused(): number {
    return this.#refused
  }

  /** Counts one more, which leaves once if it came in; false if it is one too many. */
  enter({ host, site }: Origin): boolean {
    // In memory, where nobody is a stranger.
    if (host === undefined) return true
    if (this.#of(host) >= this.#hostMax || (site !== undefined && this.#of(site) >= this.#siteMax)) {
      this.#refused += 1
      return false
    }
    this.#counts.set(host, this.#of(host) + 1)
    if (site !== undefined) this.#counts.set(site, this.#of(site) + 1)
    return true
  }

  leave({ host, site }: Origin): void {
    for (const name of [host, site]) {
      if (name === undefined) continue
      const left = this.#of(name) - 1
      if (left > 0) this.#counts.set(name, left)
      else this.#counts.delete(name)
    }
  }

  #of(name: string): number {
    return this.#counts.get(name) ?? 0
  }
}

export class Crowd {
  readonly #counts = new HostCounts(HOST_CONNECTIONS_MAX, SITE_CONNECTIONS_MAX)

  /** How many were refused so far. */
  get refused(): number {
    return this.#counts.refused
  }

  /** Counts one that comes in, authenticated or not, until it closes; false if it is one too many. */
  admit(comer: Comer): boolean {
    if (comer.status !== 'open') return true
    const origin = originOf(comer.remoteAddr)
    if (!this.#counts.enter(origin)) return false
    comer.addEventListener('close', () => this.#counts.leave(origin), { once: true })
    return true
  }
}

function hostOf(address: Multiaddr): string | undefined {
  const code = address.getComponents()[0]?.code
  if (code !== CODE_IP4 && code !== CODE_IP6) return undefined
  const host = hex(address.bytes.slice(1, 1 + (code === CODE_IP4 ? IP4_BYTES : IP6_BYTES)))
  if (code === CODE_IP4) return host
  return host.startsWith(MAPPED_PREFIX) ? host.slice(MAPPED_PREFIX.length) : host.slice(0, IP6_PREFIX_DIGITS)
}
