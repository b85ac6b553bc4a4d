/**
 * The seam between the edge of a VLAN (port.ts: frames, stations, groups, tokens) and what seals its frames:
 * a static group, or a membership in an MLS group (core/member). The edge knows no keys; what seals knows
 * no trees.
 */

import type { Counters } from '../counters.ts'
import { COUNT } from '../counters.ts'
import type { Crypto } from '../crypto/ports.ts'
import type { Keys } from '../dice.ts'
import { UsageError } from '../errors.ts'
import { MAC_NONCE_BYTES, type Mac, ownMac, SALT_BYTES } from '../ids.ts'
import type { LinkId, Micros, VlanMembership } from '../io.ts'
import { PAYLOAD_KIND, StaticGroup } from './group.ts'
import { TokenBook } from './tokens.ts'

/** In place of a link, for packets of another port of this node. */
export const HERE = 0 as LinkId

/** In place of a MAC: the token is a route of the membership's own. */
export const ROUTE: Mac = 0xffff_ffff * 4_294_967_296
/** In place of a MAC: which token it was is not known any more. */
export const ANY: Mac = -1

/** What the edge does for whoever seals. */
export interface Edge {
  // HOT PATH
  /** A whole packet, sealed; its token says where to. */
  transmit(now: Micros, packet: Uint8Array): void
  // HOT PATH
  /** An opened frame, and the MAC that its packet's token stood for: ANY if that was long ago. */
  deliver(now: Micros, mac: Mac, frame: Uint8Array): void
}

export interface Sealing {
  /** VLAN-ID, 16 bytes. */
  readonly vlan: Uint8Array
  /** Whether tokens are registered with proofs: those of `private` VLANs. May be found out later. */
  readonly certified: boolean
  /** The port's own. */
  readonly mac: Mac
  /** What own packets set out with (mesh:M9). */
  readonly firstHopLimit: number
  /** Whether a machine with that MAC may be behind the edge: not if a live member has it already (sec:S7). */
  mayServe(now: Micros, mac: Mac): boolean
  /** The machines behind the edge are these now. */
  stations(now: Micros, macs: readonly Mac[]): void
  // HOT PATH
  /** Seals a frame of the edge to a token, that of `target`. Counts what it drops. */
  frame(now: Micros, edge: Edge, target: Mac, token: Uint8Array, frame: Uint8Array): void
  // HOT PATH
  /** A packet with a token that stands for `mac`. Counts what it refuses. */
  packet(now: Micros, edge: Edge, link: LinkId, mac: Mac, bytes: Uint8Array): void
}

export interface StaticSealingOptions {
  readonly now: Micros
  readonly crypto: Crypto
  readonly keys: Keys
  readonly counters: Counters
  readonly membership: VlanMembership
  /** Whether another port of this node has that MAC in the same VLAN. */
  readonly taken: (mac: Mac, vlan: Uint8Array) => boolean
}

/** All members share one key for ever. */
export class StaticSealing implements Sealing {
  readonly vlan: Uint8Array
  readonly certified: boolean
  readonly mac: Mac
  readonly firstHopLimit: number
  /** The port's tokens: the salt never changes. */
  readonly book: TokenBook
  readonly #group: StaticGroup
  readonly #counters: Counters

  constructor({ now, crypto, keys, counters, membership, taken }: StaticSealingOptions) {
    const { salt, privacy, memberKey } = membership
    if (salt.length !== SALT_BYTES) {
      throw new UsageError(`a salt of ${salt.length} bytes; it must have ${SALT_BYTES}`)
    }
    this.#group = new StaticGroup({ crypto, keys, membership, now })
    this.#counters = counters
    this.vlan = this.#group.vlan
    this.certified = privacy === 'private'
    this.firstHopLimit = this.#group.firstHopLimit
    this.book = new TokenBook(crypto, { vlan: this.vlan, privacy, salt })
    const draw = (): Mac => ownMac(crypto.hash, memberKey, this.vlan, keys.bytes(MAC_NONCE_BYTES))
    let mac = draw()
    while (taken(mac, this.vlan)) mac = draw()
    this.mac = mac
  }

  /** Nobody says in such a VLAN what is behind it: the last one heard has a MAC. */
  mayServe(): boolean {
    return true
  }

  stations(): void {}

  // HOT PATH
  frame(now: Micros, edge: Edge, _target: Mac, token: Uint8Array, frame: Uint8Array): void {
    this.#counters.add(COUNT.sealed)
    edge.transmit(now, this.#group.seal(now, PAYLOAD_KIND.frame, token, frame))
  }

  // HOT PATH
  packet(now: Micros, edge: Edge, _link: LinkId, mac: Mac, bytes: Uint8Array): void {
    this.#counters.add(COUNT.opened)
    const outcome = this.#group.open(bytes)
    if (outcome !== 'opened') this.#counters.add(COUNT[outcome])
    else if (this.#group.opened.kind !== PAYLOAD_KIND.frame) this.#counters.add(COUNT.dropPlaintext)
    else edge.deliver(now, mac, this.#group.opened.payload)
  }
}
