/** The peers that a configuration names in `bootstrap`, each with all its addresses. */
import { type Address, type PeerHint, type PeerId, REACHABILITY } from '../../core/io.ts'
import { parseContact } from '../libp2p/contact.ts'
import { PEER_ADDRESSES_MAX } from '../libp2p/options.ts'
import type { Config } from './config.ts'
import { CONTACTS_MAX } from './config-check.ts'

/**
 * Peers of the local network that become contacts: few, as whoever is in that network may invent some.
 */
export const FOUND_MAX = 4
/** Peers of the last run that are dialled beside the configured ones: enough to find the mesh again. */
const KEPT_MAX = 8
/** For the contacts of two invitations: whoever redeems one may be reached by nothing else. */
const INVITED = 6

/** Texts of as many contacts as the core keeps, with as many addresses as each may have. */
export const EVER_NAMED_MAX = CONTACTS_MAX * PEER_ADDRESSES_MAX

/** How many peers of the last run become contacts beside so many named ones. */
export function roomForKept(named: number): number {
  return Math.max(0, Math.min(KEPT_MAX, CONTACTS_MAX - FOUND_MAX - INVITED - named))
}

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

/** What a configuration says that may be right elsewhere, and where it stands. */
export interface Remark {
  readonly path: (string | number)[]
  readonly message: string
}

/** Contacts that are this node itself; `self` as the core has it. */
export function ownIdRemarks({ bootstrap }: Config, self: string): Remark[] {
  const rule = 'which is this node itself; contacts are others; remove it here'
  return bootstrap.flatMap((text, index) => {
    if (parseContact(text).peer !== self) return []
    return [{ path: ['bootstrap', index], message: `bootstrap[${index}] is "${text}", ${rule}` }]
  })
}
