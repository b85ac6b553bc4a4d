/**
 * Contacts as people write them: `/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooW…`, an address and who is
 * there. They stand in configurations and invitations; the core sees only the key and, if they fit, the
 * bytes of the address.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { UsageError } from '../../core/errors.ts'
import type { Address, PeerId } from '../../core/io.ts'
import { addressBytes, addressOf, corePeer, libp2pPeer, withoutPeer, withPeer } from './names.ts'
import { transportOf } from './transports.ts'

export interface Contact {
  readonly peer: PeerId
  /** A multiaddr without the peer. */
  readonly address: string
  /** For the core; undefined if it is longer than 32 bytes, as names are: then `remember` it. */
  readonly bytes: Address | undefined
}

/** A UsageError says what is wrong and gives an example of a right one. */
export function parseContact(text: string): Contact {
  const whole = parsed(text, 'a contact', EXAMPLE)
  const named = whole.getComponents().at(-1)
  if (named?.code !== CODE_P2P || named.value === undefined) {
    throw new UsageError(
      `'${text}' does not say which node is there; a contact ends with /p2p/ and the node's id, ` +
        `as the node's own status shows it: ${EXAMPLE}`,
    )
  }
  const peer = corePeer(peerIdFromString(named.value))
  if (peer === undefined) {
    throw new UsageError(
      `'${text}' names a node whose key is not Ed25519; nodes of PeerTap have ids that begin with 12D3KooW`,
    )
  }
  const address = withoutPeer(whole)
  checkDialable(address, text)
  return { peer, address: address.toString(), bytes: addressBytes(address) }
}

/** The inverse of `parseContact`, for an address of the core or a multiaddr. */
export function contactText(peer: PeerId, address: Address | string): string {
  const found = typeof address === 'string' ? parsed(address, 'an address', EXAMPLE) : addressOf(address)
  if (found === undefined) {
    throw new UsageError('the address is not a multiaddr of 1 to 32 bytes; take one that a node announces')
  }
  return withPeer(found, libp2pPeer(peer)).toString()
}

/** Bytes for the core of an address that a stranger wrote; undefined for what is none, or too long. */
export function addressText(text: string): Address | undefined {
  try {
    return addressBytes(withoutPeer(parseAddress(text)))
  } catch {
    return undefined
  }
}

const EXAMPLE = '/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooW…'
const LISTEN_EXAMPLE = '/ip4/0.0.0.0/udp/4001/quic-v1'

/** An address to listen on or to announce; a UsageError unless one of our transports takes it. */
export function parseAddress(text: string): Multiaddr {
  const address = parsed(text, 'an address', LISTEN_EXAMPLE)
  checkDialable(address, text)
  return address
}

function parsed(text: string, what: string, example: string): Multiaddr {
  try {
    const address = multiaddr(text)
    if (text.startsWith('/') && address.getComponents().length > 0) return address
  } catch {
    // Said below, with an example.
  }
  throw new UsageError(`'${text}' is not ${what}; write it as a multiaddr, for example ${example}`)
}

function checkDialable(address: Multiaddr, text: string): void {
  if (transportOf(address) !== undefined) return
  throw new UsageError(
    `'${text}' uses a transport that PeerTap does not have; ` +
      'an address ends with /udp/PORT/quic-v1, /tcp/PORT, /tcp/PORT/ws or /tcp/PORT/wss',
  )
}
