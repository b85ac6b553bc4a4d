/**
 * Which transport an address belongs to, and which to try first: QUIC, because its channels do not hold
 * each other up, then TCP, then WebSocket, which passes where little else does. Memory is for tests.
 */
import {
  CODE_DNS,
  CODE_DNS4,
  CODE_DNS6,
  CODE_IP4,
  CODE_IP6,
  CODE_MEMORY,
  CODE_P2P,
  CODE_P2P_CIRCUIT,
  type Multiaddr,
} from '@multiformats/multiaddr'

export type TransportName = 'quic-v1' | 'tcp' | 'ws' | 'wss' | 'memory'
/** As they are switched on: `ws` covers `wss`. */
export type TransportKind = 'quic' | 'tcp' | 'ws' | 'memory'

/** By what follows the host, in the order in which they are tried. */
const NAME_OF_STACK: ReadonlyMap<string, TransportName> = new Map([
  ['udp/quic-v1', 'quic-v1'],
  ['tcp', 'tcp'],
  ['tcp/ws', 'ws'],
  ['tcp/wss', 'wss'],
  ['tcp/tls/ws', 'wss'],
])
const ORDER: readonly TransportName[] = ['memory', ...new Set(NAME_OF_STACK.values())]
const KIND: Readonly<Record<TransportName, TransportKind>> = {
  'quic-v1': 'quic',
  tcp: 'tcp',
  ws: 'ws',
  wss: 'ws',
  memory: 'memory',
}
const DNS_CODES: ReadonlySet<number> = new Set([CODE_DNS, CODE_DNS4, CODE_DNS6])
const HOST_CODES: ReadonlySet<number> = new Set([CODE_IP4, CODE_IP6, ...DNS_CODES])

/** Undefined if none of ours can dial it or listen there. A peer at the end does not matter. */
export function transportOf(address: Multiaddr): TransportName | undefined {
  const parts = address.getComponents().filter((part) => part.code !== CODE_P2P)
  const [first, ...rest] = parts
  if (first === undefined) return undefined
  if (first.code === CODE_MEMORY) return rest.length === 0 ? 'memory' : undefined
  if (!HOST_CODES.has(first.code)) return undefined
  return NAME_OF_STACK.get(rest.map((part) => part.name).join('/'))
}

export function kindOf(transport: TransportName): TransportKind {
  return KIND[transport]
}

/** 0 is tried first. */
export function rankOf(transport: TransportName): number {
  return ORDER.indexOf(transport)
}

export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some((part) => part.code === CODE_P2P_CIRCUIT)
}

/** The name of the host, if it has to be looked up, and which family to look for. */
export function hostName(
  address: Multiaddr,
): { readonly name: string; readonly family: 0 | 4 | 6 } | undefined {
  const first = address.getComponents()[0]
  if (first?.value === undefined || !DNS_CODES.has(first.code)) return undefined
  return { name: first.value, family: first.code === CODE_DNS4 ? 4 : first.code === CODE_DNS6 ? 6 : 0 }
}

/** The host if it is an IP address, as text. */
export function hostAddress(address: Multiaddr): string | undefined {
  const first = address.getComponents()[0]
  return first?.code === CODE_IP4 || first?.code === CODE_IP6 ? first.value : undefined
}
