/**
 * What an insider can do by hand: open any packet whose key it can derive, change it, seal it again under
 * any nonce and token, signed by whom it likes to be, or not at all.
 */
import { concat } from '../../core/ids.ts'
import type { Card } from '../../core/seal/cards.ts'
import type { DataKey } from '../../core/seal/derive.ts'
import { Epoch } from '../../core/seal/epoch.ts'
import { type InitFields, makeInit } from '../../core/seal/init.ts'
import {
  NO_COMMITMENT,
  openPacket,
  sealPacket,
  setNonce,
  setRandomNonce,
  signPlaintext,
  takeNonce,
} from '../../core/seal/packets.ts'
import {
  FLAG,
  PAYLOAD_KIND,
  type PayloadKind,
  plaintextLength,
  writePlaintext,
} from '../../core/vlan/plaintext.ts'
import { writeU32 } from '../../core/wire/cursor.ts'
import { TOKEN_OFFSET } from '../../core/wire/packet.ts'
import { type SealWorld, type TestEpoch, type TestMember, VLAN } from './seal-world.ts'

/** A packet to be made, from its plaintext's fields. */
export interface Forgery {
  readonly kind: PayloadKind
  readonly payload: Uint8Array
  readonly token: Uint8Array
  readonly flags?: number
  readonly sentMillis?: number
  /** Changes the finished plaintext before it is sealed. */
  readonly twist?: (plain: Uint8Array) => void
  /** Bytes of the plaintext, beyond those that the fields need. */
  readonly padding?: number
  readonly commitment?: Uint8Array
}

export class Forger {
  readonly #world: SealWorld
  readonly #epoch: Epoch
  #nonces = 0

  /** Speaks with the leaf key of `as`. */
  constructor(world: SealWorld, epoch: TestEpoch, as: TestMember) {
    this.#world = world
    this.#epoch = new Epoch(world.crypto, VLAN, 1, world.source(as, epoch))
  }

  /** The group key of a member's boot, as its card tells it. */
  groupKey(of: TestMember, card: Card): DataKey {
    return this.#epoch.groupKey(of.leafKey, card.boot)
  }

  sessionKey(root: Uint8Array): DataKey {
    return this.#epoch.sessionKey(root)
  }

  /** The plaintext of somebody's packet. */
  open(key: Uint8Array, packet: Uint8Array): Uint8Array | undefined {
    takeNonce(this.#world.crypto, this.#epoch, packet)
    return openPacket(this.#world.crypto, this.#epoch, key, packet)
  }

  /** The plaintext of a channel packet to that token. */
  openChannel(packet: Uint8Array, token: Uint8Array): Uint8Array | undefined {
    return this.open(this.#epoch.channel(token).key, packet)
  }

  /** A plaintext as it is, sealed again. */
  reseal(key: DataKey, counter: number, token: Uint8Array, plain: Uint8Array): Uint8Array {
    this.#epoch.aad.set(token, TOKEN_OFFSET)
    setNonce(key.index, counter)
    return sealPacket(this.#world.crypto, this.#epoch, key.key, plain)
  }

  /** A packet under a data key. */
  seal(key: DataKey, counter: number, forgery: Forgery): Uint8Array {
    this.#epoch.aad.set(forgery.token, TOKEN_OFFSET)
    setNonce(key.index, counter)
    const plain = this.#plain(forgery, forgery.commitment ?? key.commitment)
    return sealPacket(this.#world.crypto, this.#epoch, key.key, plain)
  }

  /** A packet under the token's channel key; `leaf` stands before the payload unless it is undefined. */
  sealChannel(leaf: number | undefined, forgery: Forgery): Uint8Array {
    this.#epoch.aad.set(forgery.token, TOKEN_OFFSET)
    const random = new Uint8Array(8)
    writeU32(random, 0, 0xf0f0_f0f0)
    writeU32(random, 4, ++this.#nonces)
    setRandomNonce(random)
    const head = new Uint8Array(leaf === undefined ? 0 : 4)
    if (leaf !== undefined) writeU32(head, 0, leaf)
    const payload = concat(head, forgery.payload)
    const plain = this.#plain({ flags: FLAG.signed, ...forgery, payload }, NO_COMMITMENT)
    return sealPacket(this.#world.crypto, this.#epoch, this.#epoch.channel(forgery.token).key, plain)
  }

  /** An INIT of `as` to another member, acknowledging what it likes. */
  init(to: TestMember, card: Card, fields: InitFields): Uint8Array {
    this.#epoch.aad.set(this.#world.token(card.mac), TOKEN_OFFSET)
    const receiver = { leafKey: to.leafKey, frameKey: card.frameKey }
    const secret = this.#world.secret(`ephemeral ${++this.#nonces}`)
    const made = makeInit(this.#world.crypto, VLAN, this.#epoch, receiver, fields, secret)
    if (made === undefined) throw new Error('a frame key of low order')
    const { payload } = made
    return this.sealChannel(undefined, {
      kind: PAYLOAD_KIND.init,
      payload,
      token: this.#world.token(card.mac),
      flags: FLAG.none,
    })
  }

  #plain(forgery: Forgery, commitment: Uint8Array): Uint8Array {
    const { kind, payload, flags = FLAG.signed, sentMillis = 5_000, padding = 0, twist } = forgery
    const plain = new Uint8Array(plaintextLength(flags, payload.length) + padding)
    writePlaintext(plain, kind, 77, sentMillis, payload, flags)
    if ((flags & FLAG.signed) !== 0) signPlaintext(this.#world.crypto, this.#epoch, commitment, plain)
    twist?.(plain)
    return plain
  }
}

/** The newest card of a member that another one has taken. */
export function cardOf(of: TestMember, at: TestMember): Card {
  const cards = at.events.filter((event) => event.kind === 'card' && event.leaf === of.number)
  const last = cards.at(-1)
  if (last?.kind !== 'card') throw new Error(`${at.number} has no card of ${of.number}`)
  return last.card
}
