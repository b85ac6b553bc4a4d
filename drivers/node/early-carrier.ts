/**
 * What carries trunks for a core that runs before they can be dialled: the core loads while libp2p does. It
 * keeps dials until then; there are no links yet, but those that others opened while it starts.
 */
import type { Address, Channel, CloseReason, Hop, LinkId, PeerId } from '../../core/io.ts'
import type { Carrier } from '../libp2p/carrier.ts'

/** What the core asks of a carrier. */
export interface CoreCarrier extends Pick<Carrier, 'dial' | 'hangUp' | 'send'> {
  /** Nothing comes from the other end by other ways: whether it is still there may be asked. */
  doubt(link: LinkId): void
}

export class EarlyCarrier implements CoreCarrier {
  readonly #dials: { readonly peer: PeerId; readonly addresses: readonly Address[] }[] = []
  #carrier: CoreCarrier | undefined

  /** The core has three dials under way at most (mesh:S11), so none has to be left out. */
  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.#dials.push({ peer, addresses })
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    this.#carrier?.hangUp(link, reason)
  }

  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    this.#carrier?.send(link, channel, hop, packet)
  }

  doubt(link: LinkId): void {
    this.#carrier?.doubt(link)
  }

  /** It starts: others may open links to it from now on. */
  starts(carrier: CoreCarrier): void {
    this.#carrier = carrier
  }

  /** It has started, and dials what was asked for; the next dial is to be asked of itself. */
  started(carrier: CoreCarrier): void {
    for (const { peer, addresses } of this.#dials.splice(0)) carrier.dial(peer, addresses)
  }
}
