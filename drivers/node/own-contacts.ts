/**
 * Where others may dial a node that does not run yet, as far as its configuration and this machine tell: what
 * others write into their own `bootstrap`. A running node knows better, and shows it in its status.
 */
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { multiaddr } from '@multiformats/multiaddr'
import { hostsOf, whereabouts } from '../libp2p/addresses.ts'
import { isLinkLocal, isLoopback, isPublic } from '../libp2p/hosts.ts'
import { hostAddress } from '../libp2p/transports.ts'
import type { Config } from './config.ts'

export interface OwnContact {
  /** With `/p2p/` and the node's id. */
  readonly text: string
  /** Can be dialled from anywhere, if nothing is in the way; a name may lead anywhere. */
  readonly isPublic: boolean
}

/** Best first; `peer` as libp2p writes it. Ports that the system is to choose are known only when it did. */
export function ownContacts({ listen, announce, interfaces }: Config, peer: string): OwnContact[] {
  const addresses = listen.map((text) => multiaddr(text))
  const own = new Set(interfaces.map(({ name }) => name))
  const isOurs = (name: string): boolean => name.startsWith('pt-') || own.has(name)
  const others = Object.entries(networkInterfaces()).filter(([name]) => !isOurs(name))
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

/** Not of this machine or this cable alone. */
function reachable(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string[] {
  return hostsOf(interfaces).filter((host) => !isLoopback(host) && !isLinkLocal(host))
}
