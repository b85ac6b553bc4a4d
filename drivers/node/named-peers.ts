/** The peers that a configuration names in `bootstrap`, each with all its addresses. */
import { type Address, type PeerHint, type PeerId, REACHABILITY } from '../../core/io.ts'
import { parseContact } from '../libp2p/contact.ts'
import type { Config } from './config.ts'

export interface NamedPeer {
  readonly hint: PeerHint
  /** All addresses as multiaddrs, those too that do not fit the core. */
  readonly texts: readonly string[]
}

export function namedPeers({ bootstrap }: Config): NamedPeer[] {
  const byPeer = new Map<PeerId, { readonly texts: string[]; readonly bytes: Address[] }>()
  for (const text of bootstrap) {
    const { peer, address, bytes } = parseContact(text)
    const known = byPeer.get(peer) ?? { texts: [], bytes: [] }
    known.texts.push(address)
    if (bytes !== undefined) known.bytes.push(bytes)
    byPeer.set(peer, known)
  }
  return [...byPeer].map(([peer, { texts, bytes }]) => ({
    hint: { peer, addresses: bytes, reach: REACHABILITY.public },
    texts,
  }))
}
