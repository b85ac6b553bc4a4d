/**
 * Where whoever is invited may dial: this node, if it can be dialled, else neighbours that it dialled itself
 * and contacts of its configuration, which lead to it.
 */
import { type Address, type PeerHint, type PeerId, REACHABILITY, type Reachability } from '../../core/io.ts'
import type { TrunkView } from '../libp2p/carrier.ts'
import { contactText, parseContact } from '../libp2p/contact.ts'

export class Reach {
  addresses: readonly Address[] = []
  reach: Reachability = REACHABILITY.private
  readonly #self: PeerId
  #contacts: readonly PeerHint[] = []

  constructor(self: PeerId) {
    this.#self = self
  }

  own(addresses: readonly Address[], reach: Reachability): void {
    this.addresses = addresses
    this.reach = reach
  }

  contacts(contacts: readonly PeerHint[]): void {
    this.#contacts = contacts
  }

  /** Peers that answered at an address that was dialled, without a relay between. */
  dialled(trunks: readonly TrunkView[]): PeerHint[] {
    return trunks
      .filter(({ dialled, relayed }) => dialled && !relayed)
      .flatMap(({ peer, remote }): PeerHint[] => {
        const { bytes } = parseContact(contactText(peer, remote))
        return bytes === undefined ? [] : [{ peer, addresses: [bytes], reach: REACHABILITY.public }]
      })
  }

  /** Best first, each peer once. */
  hints(trunks: readonly TrunkView[]): PeerHint[] {
    const self =
      this.reach === REACHABILITY.private || this.addresses.length === 0
        ? []
        : [{ peer: this.#self, addresses: this.addresses, reach: this.reach }]
    const named = this.#contacts.filter(({ addresses }) => addresses.length > 0)
    const others = [...this.dialled(trunks), ...named]
    const all = this.reach === REACHABILITY.public ? [...self, ...others] : [...others, ...self]
    return all.filter(({ peer }, index) => all.findIndex((each) => each.peer === peer) === index)
  }
}
