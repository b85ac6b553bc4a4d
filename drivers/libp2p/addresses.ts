/**
 * Where others may dial this node, and what can be said of how well (mesh:S11): from what it listens on, the
 * addresses of its interfaces as they are now, and what others saw and confirmed. Plain computation; who
 * asks the system and when is trunks.ts.
 */
import { isIPv4 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { REACHABILITY, type Reachability } from '../../core/io.ts'
import { isLinkLocal, isLoopback, isPublic } from './hosts.ts'
import { withoutPeer } from './names.ts'
import type { TrunkOptions } from './options.ts'
import { hostAddress, hostName, isRelayed, rankOf, transportOf } from './transports.ts'

/** The core sends a few; these are the best of many interfaces. Guess. */
const ANNOUNCED_MAX = 8

export interface Sources {
  /** As configured: hosts may be wildcards, ports 0. */
  readonly listen: readonly Multiaddr[]
  /** As bound: ports are real. */
  readonly bound: readonly Multiaddr[]
  /** Of the configuration. */
  readonly announce: readonly Multiaddr[]
  /** Seen by others, and confirmed by a dial from outside. */
  readonly confirmed: readonly Multiaddr[]
  /** IP addresses of this machine. */
  readonly hosts: readonly string[]
}

export interface Whereabouts {
  readonly addresses: readonly Multiaddr[]
  readonly reach: Reachability
}

export function whereabouts(sources: Sources, reachability: TrunkOptions['reachability']): Whereabouts {
  const own = sources.listen.flatMap((address) => expanded(address, sources))
  const found = unique([...sources.announce, ...sources.confirmed, ...own].map(withoutPeer))
  const all = found.filter((address) => !isLinkLocal(hostAddress(address) ?? ''))
  const wide = all.filter((address) => !isLoopback(hostAddress(address) ?? ''))
  // A node on loopback alone is one of several on this machine.
  const addresses = (wide.length > 0 ? wide : all).sort((one, other) => order(one) - order(other))
  return { addresses: addresses.slice(0, ANNOUNCED_MAX), reach: reachOf(sources, own, reachability) }
}

/** All IP addresses of the interfaces that are up. */
export function hostsOf(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string[] {
  return Object.values(interfaces).flatMap((list) => (list ?? []).map(({ address }) => address))
}

function reachOf(
  sources: Sources,
  own: readonly Multiaddr[],
  reachability: TrunkOptions['reachability'],
): Reachability {
  if (reachability !== undefined && reachability !== 'auto') return REACHABILITY[reachability]
  if (sources.listen.length === 0) return REACHABILITY.private
  // Whoever announces a name or a public address has had a router forward to this node.
  const said = [...sources.announce, ...own].some((address) => {
    const host = hostAddress(address)
    return host === undefined ? hostName(address) !== undefined : isPublic(host)
  })
  return said || sources.confirmed.length > 0 ? REACHABILITY.public : REACHABILITY.punchable
}

/** An address of the configuration as the machine stands now: with its hosts and ports. */
function expanded(address: Multiaddr, { bound, hosts }: Sources): Multiaddr[] {
  const host = hostAddress(address)
  if (host === undefined) return isRelayed(address) ? [] : [address]
  const transport = transportOf(address)
  const ports = new Set<string>()
  for (const other of bound) {
    if (transportOf(other) === transport && sameFamily(hostAddress(other), host)) ports.add(portOf(other))
  }
  const wanted = portOf(address)
  const wildcard = host === '0.0.0.0' || host === '::'
  const found = wildcard ? hosts.filter((one) => sameFamily(one, host)) : hosts.includes(host) ? [host] : []
  const real = wanted === '0' ? [...ports] : [wanted].filter((port) => ports.has(port))
  return real.flatMap((port) => found.map((one) => placed(address, one, port)))
}

function placed(address: Multiaddr, host: string, port: string): Multiaddr {
  const [, transport, ...rest] = address.getComponents()
  const stack = rest.map((part) => `/${part.name}`).join('')
  return multiaddr(`/${isIPv4(host) ? 'ip4' : 'ip6'}/${host}/${transport?.name}/${port}${stack}`)
}

function portOf(address: Multiaddr): string {
  return address.getComponents()[1]?.value ?? ''
}

function sameFamily(one: string | undefined, other: string): boolean {
  return one !== undefined && isIPv4(one) === isIPv4(other)
}

/** Public hosts before others, then the transport that is tried first. */
function order(address: Multiaddr): number {
  const transport = transportOf(address)
  const host = hostAddress(address)
  return (host !== undefined && isPublic(host) ? 0 : 100) + (transport === undefined ? 10 : rankOf(transport))
}

function unique(addresses: readonly Multiaddr[]): Multiaddr[] {
  return [...new Map(addresses.map((address) => [address.toString(), address])).values()]
}
