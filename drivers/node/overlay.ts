/**
 * The networks that this node itself carries: no trunk may run through them, or trunks would carry trunks.
 * They are those of its interfaces, by whatever addresses these have now, and those of a bridge that has no
 * port but these: one with a cable too may be the way out.
 */
import { BlockList, isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isLinkLocal } from '../libp2p/hosts.ts'
import { bridgeOf, portsOf } from '../linux/bridges.ts'

/** Addresses of interfaces change by hand or by DHCP; so old a look is good enough. */
const LOOK_MILLIS = 1_000

export class Overlay {
  #names: ReadonlySet<string> = new Set()
  #nets = new BlockList()
  #hosts: readonly string[] = []
  #lookedAt = Number.NEGATIVE_INFINITY

  /** The interfaces of VLANs are these now. */
  interfaces(names: readonly string[]): void {
    this.#names = new Set(names)
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  avoids(host: string): boolean {
    this.#look()
    return this.#nets.check(host, isIPv4(host) ? 'ipv4' : 'ipv6')
  }

  /** IP addresses of this machine outside of them. */
  hosts(): readonly string[] {
    this.#look()
    return this.#hosts
  }

  /** CIDRs that interfaces have now, by whomever they were given, without those that every cable has. */
  addresses(): ReadonlyMap<string, readonly string[]> {
    const all = Object.entries(networkInterfaces())
    return new Map(all.map(([name, list = []]) => [name, list.flatMap(({ cidr }) => kept(cidr))]))
  }

  #look(): void {
    if (performance.now() - this.#lookedAt < LOOK_MILLIS) return
    this.#lookedAt = performance.now()
    const nets = new BlockList()
    const hosts: string[] = []
    const ours = withBridges(this.#names)
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      for (const { address, cidr, family } of addresses ?? []) {
        if (!ours.has(name)) hosts.push(address)
        else if (cidr !== null && !isLinkLocal(address)) {
          nets.addSubnet(address, Number(cidr.split('/')[1]), family === 'IPv4' ? 'ipv4' : 'ipv6')
        }
      }
    }
    this.#nets = nets
    this.#hosts = hosts
  }
}

/** And the bridges that lead nowhere else. */
export function withBridges(names: ReadonlySet<string>): ReadonlySet<string> {
  const bridges = [...names].flatMap((name) => bridgeOf(name) ?? [])
  const closed = bridges.filter((bridge) => {
    const ports = portsOf(bridge)
    return ports.length > 0 && ports.every((port) => names.has(port))
  })
  return new Set([...names, ...closed])
}

/** A link-local network is the same on every cable, so that no trunk is told from another by it. */
function kept(cidr: string | null): string[] {
  return cidr === null || isLinkLocal(cidr) ? [] : [cidr]
}
