/**
 * Where whoever is invited may dial: this node, if it can be dialled, else neighbours that it dialled itself
 * and contacts of its configuration, which lead to it. Of these also the addresses that it did not dial: a
 * relay may stand between networks, and be another address for whoever is invited.
 */
import { type Address, type PeerHint, type PeerId, REACHABILITY, type Reachability } from '../../core/io.ts'
import type { TrunkView } from '../libp2p/carrier.ts'
import { addressText } from '../libp2p/contact.ts'
import { isLinkLocal, isLoopback, isPublic } from '../libp2p/hosts.ts'

/** Peers whose addresses are kept: as many as a relay has links. */
const PEERS_MAX = 64
/** Addresses of one peer: a host has a few interfaces, and three transports. */
const ADDRESSES_MAX = 16
/** Peers that are kept, also of runs in which the node met few, as in another network. */
const KEPT_MAX = 32

export class Reach {
  addresses: readonly Address[] = []
  reach: Reachability = REACHABILITY.private
  readonly #self: PeerId
  readonly #avoids: (host: string) => boolean
  #contacts: readonly PeerHint[] = []
  /** What peers say of themselves, the last heard last. */
  readonly #said = new Map<PeerId, readonly string[]>()
  #met: readonly PeerHint[] = []

  /** `avoids`: an IP address in a network that trunks carry. */
  constructor(self: PeerId, avoids: (host: string) => boolean) {
    this.#self = self
    this.#avoids = avoids
  }

  own(addresses: readonly Address[], reach: Reachability): void {
    this.addresses = addresses
    this.reach = reach
  }

  contacts(contacts: readonly PeerHint[]): void {
    this.#contacts = contacts
  }

  /** A peer says where it can be dialled, as multiaddrs; any stranger may, as often as it likes. */
  said(peer: PeerId, addresses: readonly string[], trunks: readonly TrunkView[]): void {
    this.#said.delete(peer)
    this.#said.set(peer, addresses.slice(0, ADDRESSES_MAX))
    if (this.#said.size <= PEERS_MAX) return
    // Those that are named go last, lest strangers who dialled this node push them out.
    const named = new Set(dialledOf(trunks).map((trunk) => trunk.peer))
    const heard = [...this.#said.keys()]
    const leaving = heard.find((each) => !named.has(each)) ?? heard[0]
    if (leaving !== undefined) this.#said.delete(leaving)
  }

  /** Those of earlier runs. */
  met(peers: readonly PeerHint[]): void {
    this.#met = peers
  }

  /** Who was met last comes first; undefined while nobody was met in this run. */
  toKeep(trunks: readonly TrunkView[]): readonly PeerHint[] | undefined {
    const now = this.dialled(trunks)
    if (now.length === 0) return undefined
    this.#met = eachOnce([...now, ...this.#met]).slice(0, KEPT_MAX)
    return this.#met
  }

  /** Peers that answered at an address that was dialled, without a relay between. */
  dialled(trunks: readonly TrunkView[]): PeerHint[] {
    return dialledOf(trunks).flatMap(({ peer, remote }): PeerHint[] => {
      const bytes = addressText(remote)
      return bytes === undefined ? [] : [{ peer, addresses: [bytes], reach: REACHABILITY.public }]
    })
  }

  /** Best first, each peer once, with its best address first. */
  hints(trunks: readonly TrunkView[]): PeerHint[] {
    const self =
      this.reach === REACHABILITY.private || this.addresses.length === 0
        ? []
        : [{ peer: this.#self, addresses: this.addresses, reach: this.reach }]
    const dialled = dialledOf(trunks).map(({ peer, remote }) => this.#hintOf(peer, remote))
    const others = [...dialled, ...this.#contacts].filter(({ addresses }) => addresses.length > 0)
    const all = this.reach === REACHABILITY.public ? [...self, ...others] : [...others, ...self]
    return eachOnce(all)
  }

  /** The address that led there first; then for each other host the one that is best. */
  #hintOf(peer: PeerId, remote: string): PeerHint {
    const hosts = new Set([hostOf(remote)])
    const said = (this.#said.get(peer) ?? []).toSorted((one, other) => rank(one) - rank(other))
    const others = said.filter((text) => {
      const host = hostOf(text)
      if (host === undefined || leadsNowhere(host) || this.#avoids(host) || hosts.has(host)) return false
      hosts.add(host)
      return true
    })
    const named = this.#contacts.find((each) => each.peer === peer)?.addresses ?? []
    const addresses = [remote, ...others].map(addressText).filter((each) => each !== undefined)
    return { peer, addresses: unique([...addresses, ...named]), reach: REACHABILITY.public }
  }
}

function dialledOf(trunks: readonly TrunkView[]): TrunkView[] {
  return trunks.filter(({ dialled, relayed }) => dialled && !relayed)
}

/** Of a multiaddr that begins with an IP address. */
function hostOf(text: string): string | undefined {
  const [, family, host] = text.split('/')
  return family === 'ip4' || family === 'ip6' ? host : undefined
}

/** From another host. */
function leadsNowhere(host: string): boolean {
  return isLoopback(host) || isLinkLocal(host) || host === '0.0.0.0' || host === '::'
}

/** Those first that lead there from anywhere, then by transports in the order in which they are tried. */
function rank(text: string): number {
  const transport = text.includes('/quic-v1') ? 0 : /\/wss?(\/|$)/.test(text) ? 2 : 1
  return transport + (isPublic(hostOf(text) ?? '') ? 0 : 10)
}

function unique(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [address.join(), address])).values()]
}

function eachOnce(hints: readonly PeerHint[]): PeerHint[] {
  return hints.filter(({ peer }, index) => hints.findIndex((each) => each.peer === peer) === index)
}
