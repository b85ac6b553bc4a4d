/**
 * What members say of themselves and to each other about sealing, as bytes: cards (kind 2), and the control
 * messages (kind 7) by which a card is asked for and an INIT is acknowledged. Knows the layouts (sec:A7) and
 * neither keys nor time; strict, one form for each content.
 *
 * The sender's leaf index, with which everything under a channel key begins (sec:A6), is not part of these.
 * Beyond sec:A7: the layout of a request, with whom it is for and where the answer goes; and the
 * acknowledgement of an INIT by a packet of the session in the other direction. That of sec:A8 stands in an
 * INIT, and an INIT that answers is one itself: to acknowledge it would cost another signature.
 */
import { isGroupMac, MAC_NONCE_BYTES, type Mac, TOKEN_BYTES } from '../ids.ts'
import type { Reader, Writer } from '../wire/cursor.ts'
import {
  bytes,
  type Decoded,
  decode,
  encode,
  fixed,
  list,
  optional,
  type Schema,
  struct,
  u8,
  u32,
  u48,
} from '../wire/schema.ts'
import { BOOT_BYTES } from './derive.ts'
import { MEMBERS_MAX } from './limits.ts'

/** MACs bridged behind a member that fit its card. Others are learnt from their frames. */
export const CARD_FOREIGN_MAX = 64
/** Addresses in a card, as many as in an invitation (sec:C3); each opaque, at most 32 bytes (mesh:S12). */
export const CARD_ADDRESSES_MAX = 3
const ADDRESS_BYTES_MAX = 32
/** Challenges answered by one card: with all else at its longest it still fits one packet. */
export const ECHOES_MAX = 32
export const CHALLENGE_BYTES = 16
/** H16 of the ephemeral key of the INIT that is acknowledged. */
export const ACK_BYTES = 16

const TWO_TO_32 = 4_294_967_296
/** Above it a number is not exact; no counter comes near. */
const HIGH_MAX = 2_097_152

const u64: Schema<number> = {
  size: () => 8,
  write: (to: Writer, value) => {
    to.u32(Math.floor(value / TWO_TO_32))
    to.u32(value % TWO_TO_32)
  },
  read: (from: Reader) => {
    const high = from.u32()
    if (high >= HIGH_MAX) from.fail()
    return high * TWO_TO_32 + from.u32()
  },
}

const cardSchema = struct({
  boot: fixed(BOOT_BYTES),
  /** Rises with each card of a life. */
  number: u32,
  /** Milliseconds since 1970 by the sender's clock, 0 if it is not set. */
  wallMillis: u48,
  /** Counter of the sender's next group packet in the epoch of this card. */
  groupCounter: u64,
  /** The epoch that the sender has adopted, which need not be that of this card. */
  head: fixed(16),
  saltId: fixed(16),
  /** X25519, what INITs to the sender are made for. */
  frameKey: fixed(32),
  mac: u48,
  macNonce: fixed(MAC_NONCE_BYTES),
  /** Strictly ascending. */
  foreign: list(u48, CARD_FOREIGN_MAX),
  /** Offloads and the kind of interface; bits are given out by who uses them. */
  capabilities: u32,
  addresses: list(bytes(ADDRESS_BYTES_MAX), CARD_ADDRESSES_MAX),
  /** Challenges of those who asked. */
  echoes: list(fixed(CHALLENGE_BYTES), ECHOES_MAX),
})
export type Card = Decoded<typeof cardSchema>

export function encodeCard(card: Card): Uint8Array {
  return encode(cardSchema, card)
}

/** A card in memory of its own; undefined unless the bytes are exactly one. */
export function decodeCard(payload: Uint8Array): Card | undefined {
  // Kept for as long as the member lives, so it must not hold the slab of the packet.
  const card = decode(cardSchema, payload.slice())
  if (card === undefined || !isOwnMac(card.mac)) return undefined
  let previous = -1
  for (const mac of card.foreign) {
    if (mac <= previous || isGroupMac(mac) || mac === card.mac) return undefined
    previous = mac
  }
  return card
}

/** Unicast and locally administered: what every formula of an own MAC gives (sec:S7). */
function isOwnMac(mac: Mac): boolean {
  return !isGroupMac(mac) && (Math.floor(mac / (TWO_TO_32 * 256)) & 2) !== 0
}

/** First byte of a control payload. Those from 16 on belong to whoever uses sealing. */
export const CONTROL = { request: 1, acknowledge: 2 } as const
/** A request for the card of whoever hears it. */
export const EVERYBODY = new Uint8Array(0)

const requestSchema = struct({
  what: u8,
  /** Who is asked: a set of leaves, or EVERYBODY. A crowd has no room for one request for each. */
  targets: bytes(MEMBERS_MAX / 8),
  /** None where a card is believed without an echo of it (contacts.ts). */
  challenge: optional(fixed(CHALLENGE_BYTES)),
  /** The asker's own token, for an answer that no one else needs. */
  reply: fixed(TOKEN_BYTES),
})
export type CardRequest = Omit<Decoded<typeof requestSchema>, 'what'>

/** Leaf i is bit i % 8, from the lowest, of byte i / 8; the last byte is not zero. Not for an empty set. */
export function leafSet(leaves: readonly number[]): Uint8Array {
  const set = new Uint8Array(1 + (Math.max(...leaves) >>> 3))
  for (const leaf of leaves) set[leaf >>> 3] = (set[leaf >>> 3] as number) | (1 << (leaf & 7))
  return set
}

/** Whether a request is for the member at this leaf. */
export function isAsked(targets: Uint8Array, leaf: number): boolean {
  return targets.length === 0 || (((targets[leaf >>> 3] ?? 0) >>> (leaf & 7)) & 1) === 1
}

/** How many of so many members a request is for. */
export function countAsked(targets: Uint8Array, members: number): number {
  if (targets.length === 0) return members
  let count = 0
  for (let byte of targets) for (; byte > 0; byte >>>= 1) count += byte & 1
  return count
}

export function encodeRequest(request: CardRequest): Uint8Array {
  return encode(requestSchema, { ...request, what: CONTROL.request })
}

/** Undefined unless the bytes are exactly a request. */
export function decodeRequest(payload: Uint8Array): CardRequest | undefined {
  const request = decode(requestSchema, payload.slice())
  if (request?.what !== CONTROL.request || request.targets.at(-1) === 0) return undefined
  return request
}

const acknowledgeSchema = struct({ what: u8, ack: fixed(ACK_BYTES) })

/** `ack`: H16 of the ephemeral key that was heard. Goes under a session key, so it names no leaf. */
export function encodeAcknowledge(ack: Uint8Array): Uint8Array {
  return encode(acknowledgeSchema, { what: CONTROL.acknowledge, ack })
}

/** A view of the hash; undefined unless the bytes are exactly an acknowledgement. */
export function decodeAcknowledge(payload: Uint8Array): Uint8Array | undefined {
  const message = decode(acknowledgeSchema, payload)
  return message?.what === CONTROL.acknowledge ? message.ack : undefined
}
