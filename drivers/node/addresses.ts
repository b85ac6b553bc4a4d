/**
 * Addresses as people write them in a configuration: multiaddrs, CIDRs, MACs and names of interfaces. Each
 * reader answers with a value, or with what is wrong and how to mend it: the second half of a sentence.
 */

import { isIP } from 'node:net'
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { peerIdOf } from '../../core/ids.ts'
import type { PeerId } from '../../core/io.ts'
import { isLinkLocal, isLoopback } from '../libp2p/hosts.ts'
import { whyUnfit } from '../tap/addresses.ts'
import { NAME_BYTES_MAX } from '../tap/settings.ts'

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly wrong: string }

/** What carries trunks; the names are those of the configuration. */
export const TRANSPORT = { quic: 'quic', tcp: 'tcp', ws: 'ws' } as const
export type Transport = (typeof TRANSPORT)[keyof typeof TRANSPORT]

/** A contact of a bootstrap list. */
export interface Contact {
  readonly peer: PeerId
  /** Without `/p2p/`. */
  readonly address: string
}

/** Long enough for a DNS name of 253 characters with all protocols around it, and a relay before it. */
const MULTIADDR_CHARACTERS_MAX = 512

const SAMPLE = '/ip4/203.0.113.7/udp/4001/quic-v1'

function wrong(what: string): { readonly ok: false; readonly wrong: string } {
  return { ok: false, wrong: what }
}

function components(text: string): Read<ReturnType<ReturnType<typeof multiaddr>['getComponents']>> {
  if (text.length > MULTIADDR_CHARACTERS_MAX) {
    return wrong(
      `it has ${text.length} characters; a multiaddr has at most ${MULTIADDR_CHARACTERS_MAX}; shorten it`,
    )
  }
  try {
    return { ok: true, value: multiaddr(text).getComponents() }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return wrong(`it is no multiaddr (${why}); write one such as ${SAMPLE}`)
  }
}

/** Which of our transports an address is for. */
function transportOf(text: string): Read<Transport> {
  const read = components(text)
  if (!read.ok) return read
  const [first] = read.value
  if (first?.name === 'ip6' && isLinkLocal(first.value ?? ''))
    return wrong(
      'an address of one cable alone (fe80::) says nothing without an interface, which has no place here; ' +
        'write one that begins with 2 or 3 (global) or fd (of a site)',
    )
  const names = read.value.map(({ name }) => name)
  const has = (...wanted: readonly string[]) => wanted.every((name) => names.includes(name))
  if (has('udp', 'quic-v1')) return { ok: true, value: TRANSPORT.quic }
  if (has('tcp') && (has('ws') || has('wss'))) return { ok: true, value: TRANSPORT.ws }
  if (has('tcp')) return { ok: true, value: TRANSPORT.tcp }
  return wrong('it names none of the transports /udp/PORT/quic-v1, /tcp/PORT and /tcp/PORT/ws; add one')
}

/** An address to listen on: an IP address, a port and a transport, and no id behind it. */
export function readListen(text: string): Read<Transport> {
  const read = components(text)
  if (!read.ok) return read
  const [first] = read.value
  if (first?.name !== 'ip4' && first?.name !== 'ip6')
    return wrong(
      'an address to listen on begins with /ip4/ or /ip6/; write /ip4/0.0.0.0 for all of this host',
    )
  if (read.value.some(({ name }) => name === 'p2p'))
    return wrong('an address of this node has no /p2p/ and id; remove it with all that follows')
  return transportOf(text)
}

/** An address that others are told: as the one before, but names are allowed. */
export function readAnnounce(text: string): Read<Transport> {
  const read = components(text)
  if (!read.ok) return read
  if (read.value.some(({ name }) => name === 'p2p'))
    return wrong('an address of this node has no /p2p/ and id; remove it with all that follows')
  const host = read.value[0]?.value ?? ''
  if (host === '0.0.0.0' || host === '::' || isLoopback(host))
    return wrong('nobody else can dial that; write the address that others reach this host at')
  return transportOf(text)
}

/** A contact: an address with `/p2p/` and the id of an Ed25519 key at its end. */
export function readContact(text: string): Read<Contact> {
  const read = components(text)
  if (!read.ok) return read
  const last = read.value.at(-1)
  if (last?.name !== 'p2p')
    return wrong(`it does not say who answers there; add /p2p/ and the id that "peertap init" printed there`)
  const peer = readPeer(last.value ?? '')
  if (!peer.ok) return peer
  const address = text.slice(0, text.lastIndexOf('/p2p/'))
  const transport = transportOf(address)
  return transport.ok ? { ok: true, value: { peer: peer.value, address } } : transport
}

/** The id of a node as libp2p writes it, `12D3KooW…`. */
function readPeer(text: string): Read<PeerId> {
  const mend = 'write the id that begins with 12D3KooW, as "peertap init" printed it there'
  try {
    const { type, publicKey } = peerIdFromString(text)
    if (type === 'Ed25519' && publicKey !== undefined) return { ok: true, value: peerIdOf(publicKey.raw) }
    return wrong(`the id ${text} is of a key that is not Ed25519; ${mend}`)
  } catch {
    return wrong(`"${text}" is no id of a node; ${mend}`)
  }
}

/** An address of an interface with its prefix length. Answers the family, 4 or 6. */
export function readCidr(text: string): Read<4 | 6> {
  const [address = '', prefix, ...rest] = text.split('/')
  const family = isIP(address) as 0 | 4 | 6
  if (family === 0 || address.includes('%') || rest.length > 0)
    return wrong('it is no address of IPv4 or IPv6 with a prefix length; write one such as 10.7.0.1/24')
  const most = family === 4 ? 32 : 128
  if (prefix === undefined)
    return wrong(`the prefix length is missing; write ${text}/${family === 4 ? 24 : 64} for a usual network`)
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) < 1 || Number(prefix) > most)
    return wrong(`the prefix length is "${prefix}"; it must be a whole number from 1 to ${most}; correct it`)
  const why = whyUnfit(address, Number(prefix))
  if (why !== undefined) return wrong(`it is ${why}; give the interface one of its own`)
  return { ok: true, value: family }
}

/** A name that Linux takes for an interface; `%d` at most once. */
export function readInterfaceName(text: string): Read<string> {
  const bytes = new TextEncoder().encode(text).length
  if (bytes > NAME_BYTES_MAX)
    return wrong(`it has ${bytes} bytes; an interface has a name of at most ${NAME_BYTES_MAX}; shorten it`)
  if (text.startsWith('-'))
    return wrong('it begins with a dash, which other programs take for a flag; begin it with a letter')
  const named = text.replace('%d', '0')
  if (!/^[!-~]+$/.test(named) || /[/:%]/.test(named) || named === '.' || named === '..')
    return wrong('a name of an interface has no blanks, slashes or colons, and % only as %d; write peertap%d')
  return { ok: true, value: text }
}

/** The id of a node as libp2p writes it, for addresses and people. */
export function peerText(publicKey: Uint8Array): string {
  return peerIdFromPublicKey(publicKeyFromRaw(publicKey)).toString()
}
