/**
 * Which addresses this end offers for datagrams, and which of the peer's it would send to (sec:S11): none
 * that many hosts share or that no host has, loopback only for a peer on this machine, and none inside of a
 * network that trunks carry. Link-local ones are left out: without an interface they lead nowhere.
 */
import { isIPv4 } from 'node:net'
import { isLinkLocal, isLoopback, isPublic } from '../libp2p/hosts.ts'
import { type Endpoint, endpointOf, type Family, hostOf, portOf } from '../linux/udp.ts'
import { formatIpv6, parseAddress } from '../tap/addresses.ts'
import { CANDIDATES_MAX } from './offer.ts'

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
  const wanted = [...new Set(hosts)].filter((host) => !isLinkLocal(host) && isLoopback(host) === isNear)
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
  const host = hostOf(endpoint)
  const text = hostText(endpoint)
  if (isLoopback(text)) return remote !== undefined && isLoopback(remote)
  if (isLinkLocal(text) || avoids(text)) return false
  const [first = 0] = host
  // RFC 1122 and 6890: this network; multicast, reserved and broadcast.
  if (endpoint.family === 4) return first !== 0 && first < 224
  // RFC 4291: unspecified and IPv4 in another form; multicast.
  return first !== 0 && first !== 0xff
}
