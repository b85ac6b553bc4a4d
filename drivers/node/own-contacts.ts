/**
 * Where others may dial a node that does not run yet, as far as its configuration and this machine tell: what
 * others write into their own `bootstrap`. A running node knows better, and shows it in its status.
 */
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { multiaddr } from '@multiformats/multiaddr'
import { hostsOf, whereabouts } from '../libp2p/addresses.ts'
import { isLinkLocal, isLoopback, isPublic } from '../libp2p/hosts.ts'
import { hostAddress } from '../libp2p/transports.ts'
import { interfaceNames } from '../linux/bridges.ts'
import type { Config } from './config.ts'
import { withBridges } from './overlay.ts'

export interface OwnContact {
  /** With `/p2p/` and the node's id. */
  readonly text: string
  /** Can be dialled from anywhere, if nothing is in the way; a name may lead anywhere. */
  readonly isPublic: boolean
}

/** Best first; `peer` as libp2p writes it. Ports that the system is to choose are known only when it did. */
export function ownContacts({ listen, announce, interfaces }: Config, peer: string): OwnContact[] {
  const addresses = listen.map((text) => multiaddr(text))
  const ours = overlayInterfaces(interfaces.flatMap(({ name }) => name ?? []))
  const others = Object.entries(networkInterfaces()).filter(([name]) => !ours.has(name))
  const found = whereabouts(
    {
      listen: addresses,
      bound: addresses.filter((each) => each.getComponents()[1]?.value !== '0'),
      announce: announce.map((text) => multiaddr(text)),
      confirmed: [],
      hosts: reachable(Object.fromEntries(others)),
    },
    'auto',
  )
  return found.addresses.map((address) => {
    const host = hostAddress(address)
    return { text: `${address}/p2p/${peer}`, isPublic: host === undefined || isPublic(host) }
  })
}

/**
 * Interfaces of VLANs, of this node or another one here, and bridges that lead nowhere else: whoever dialled
 * an address of theirs would come by the very network that is to be reached. `names`: as they are configured.
 */
function overlayInterfaces(names: readonly string[]): ReadonlySet<string> {
  const isOurs = (name: string): boolean =>
    name.startsWith('pt-') || names.some((each) => isNamedBy(each, name))
  return withBridges(new Set(interfaceNames().filter(isOurs)))
}

/** `%d` is a number that the system chose. */
function isNamedBy(written: string, name: string): boolean {
  const [before = '', after] = written.split('%d')
  if (after === undefined) return written === name
  const isAround = name.startsWith(before) && name.endsWith(after)
  return isAround && /^\d+$/.test(name.slice(before.length, name.length - after.length))
}

/** Not of this machine or this cable alone. */
function reachable(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string[] {
  return hostsOf(interfaces).filter((host) => !isLoopback(host) && !isLinkLocal(host))
}
