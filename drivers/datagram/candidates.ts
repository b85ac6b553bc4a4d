/**
 * Which addresses this end offers for datagrams, and which of the peer's it would send to (sec:S11): those
 * that may be a destination and be forwarded, by the registries of RFC 6890, for a peer may name whatever it
 * likes. Private and shared ones are among them (RFC 1918, 4193, 6598), and those for benchmarks (RFC 2544),
 * which labs have. Left out are besides:
 *
 * - loopback, but for a peer on this machine;
 * - IPv4 link-local, 169.254.0.0/16, but for the very address that the stream comes from: machines of clouds
 *   have services of their own there. Of IPv6 it leads nowhere without an interface;
 * - what lies inside of a network that trunks carry.
 */
import { BlockList, isIPv4 } from 'node:net'
import { isLoopback, isPublic } from '../libp2p/hosts.ts'
import { type Endpoint, endpointOf, type Family, hostOf, portOf } from '../linux/udp.ts'
import { formatIpv6, parseAddress } from '../tap/addresses.ts'
import { CANDIDATES_MAX } from './offer.ts'

/** RFC 6890, section 2.2.2: no destination, or not forwarded; multicast (RFC 5771). */
const NOWHERE = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  NOWHERE.addSubnet(net, bits, 'ipv4')
/** RFC 6890, section 2.2.3: assignments for protocols; documentation, of which RFC 9637 adds one; 6to4. */
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  NOWHERE.addSubnet(net, bits, 'ipv6')
/** What is given out of IPv6: global and unique local unicast, IPv4 behind a translator (RFC 6052). */
const SOMEWHERE = new BlockList()
for (const [net, bits] of [
  ['2000::', 3],
  ['fc00::', 7],
  ['64:ff9b::', 96],
] as const)
  SOMEWHERE.addSubnet(net, bits, 'ipv6')

const TRANSLATED = new BlockList()
TRANSLATED.addSubnet('64:ff9b::', 96, 'ipv6')

/** Whether a datagram to that host may be forwarded. */
function leadsSomewhere(host: string): boolean {
  if (isIPv4(host)) return !NOWHERE.check(host, 'ipv4')
  if (!SOMEWHERE.check(host, 'ipv6') || NOWHERE.check(host, 'ipv6')) return false
  // RFC 6052, section 3.1: what would not do as IPv4 does not behind a translator.
  return (
    !TRANSLATED.check(host, 'ipv6') || leadsSomewhere([...(parseAddress(host) ?? []).slice(-4)].join('.'))
  )
}

function isLinkLocal(host: string | undefined): boolean {
  return host?.startsWith('169.254.') === true
}

export function hostText(endpoint: Endpoint): string {
  const host = hostOf(endpoint)
  return endpoint.family === 4 ? host.join('.') : formatIpv6(host)
}

/**
 * This machine's addresses with the port of their family, the best first. `remote`: where the peer is, if
 * known.
 */
export function ownCandidates(
  hosts: readonly string[],
  ports: ReadonlyMap<Family, number>,
  remote: string | undefined,
): Endpoint[] {
  const isNear = remote !== undefined && isLoopback(remote)
  const isFit = (host: string): boolean =>
    isNear ? isLoopback(host) : leadsSomewhere(host) || (isLinkLocal(host) && isLinkLocal(remote))
  const wanted = [...new Set(hosts)].filter(isFit)
  wanted.sort((one, other) => Number(isPublic(other)) - Number(isPublic(one)))
  const endpoints = wanted.flatMap((host) => {
    const port = ports.get(isIPv4(host) ? 4 : 6)
    const bytes = parseAddress(host)
    return port === undefined || bytes === undefined ? [] : [endpointOf(bytes, port)]
  })
  return endpoints.slice(0, CANDIDATES_MAX)
}

/**
 * Those that were told, and the peer's port of the family at the address where the stream has it, which is
 * where it is behind a translator: one more at most.
 */
export function withRemote(told: readonly Endpoint[], remote: string | undefined): Endpoint[] {
  const host = remote === undefined ? undefined : parseAddress(remote)
  const first = told.find(({ family }) => (family === 4) === (host?.length === 4))
  const seen = host === undefined || first === undefined ? [] : [endpointOf(host, portOf(first))]
  return [...new Map([...told, ...seen].map((each) => [each.bytes.join(), each])).values()]
}

/** Whether datagrams may go there; `remote`: where the peer is, as the stream's connection has it. */
export function isAdmissible(
  endpoint: Endpoint,
  remote: string | undefined,
  avoids: (host: string) => boolean,
): boolean {
  const host = hostText(endpoint)
  if (isLoopback(host)) return remote !== undefined && isLoopback(remote)
  if (isLinkLocal(host)) return host === remote
  return leadsSomewhere(host) && !avoids(host)
}
