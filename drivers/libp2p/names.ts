/**
 * One peer under two names: the core calls it by its Ed25519 key in hex, libp2p by a multihash of that key.
 * And one address under two: bytes for the core, which never looks into them, a multiaddr for libp2p.
 */
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { PeerId as Libp2pPeerId } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { peerIdOf, peerKey } from '../../core/ids.ts'
import type { Address, PeerId } from '../../core/io.ts'

/** What the core keeps of an address at most (mesh:S12). */
const ADDRESS_BYTES_MAX = 32

export function libp2pPeer(peer: PeerId): Libp2pPeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(peerKey(peer)))
}

/** Undefined for a peer whose key is not Ed25519: no node of ours has one. */
export function corePeer(peer: Libp2pPeerId): PeerId | undefined {
  return peer.type === 'Ed25519' ? peerIdOf(peer.publicKey.raw) : undefined
}

/** Undefined if the bytes are no multiaddr, or are longer than an address may be. */
export function addressOf(bytes: Address): Multiaddr | undefined {
  if (bytes.length === 0 || bytes.length > ADDRESS_BYTES_MAX) return undefined
  try {
    return multiaddr(bytes)
  } catch {
    return undefined
  }
}

/** For the core, without the peer's name; undefined if the address does not fit. */
export function addressBytes(address: Multiaddr): Address | undefined {
  const { bytes } = withoutPeer(address)
  return bytes.length === 0 || bytes.length > ADDRESS_BYTES_MAX ? undefined : Uint8Array.from(bytes)
}

/** What stands before the last `/p2p/…`, if the address ends with one. */
export function withoutPeer(address: Multiaddr): Multiaddr {
  const components = address.getComponents()
  return components.at(-1)?.code === CODE_P2P ? multiaddr(components.slice(0, -1)) : address
}

/** With the peer's name at its end, so that nobody else is accepted there. */
export function withPeer(address: Multiaddr, peer: Libp2pPeerId): Multiaddr {
  return withoutPeer(address).encapsulate(`/p2p/${peer.toString()}`)
}
