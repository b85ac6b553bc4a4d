/**
 * The sealing of every door packet under the door key (sec:C4): a data packet like any other to relays, with
 * a random MLS-ID and a random nonce that is not masked. Knows the outside of what is inside: its kind.
 *
 *     packet       version and type 1 | VLAN-ID 16 | random 16 | token 16 | nonce 12 | ciphertext | tag 16
 *     plaintext    kind 1 | length 2 | body | zeros up to a padding class
 *     key          HKDF("", door key, "door", 32)
 *
 * This hides from relays who calls and what for. It hides nothing from those who have the door key, evicted
 * members among them, so whatever must be hidden from them is sealed again inside; for the same reason a
 * nonce that chance repeats costs nothing but that a relay sees two calls.
 */
import type { Crypto } from '../crypto/ports.ts'
import { NONCE_BYTES } from '../crypto/ports.ts'
import type { Keys } from '../dice.ts'
import { utf8 } from '../ids.ts'
import { paddedLength } from '../vlan/plaintext.ts'
import { DATA_VERSION_TYPE } from '../wire/kinds.ts'
import {
  AAD_BYTES,
  CIPHER_OFFSET,
  isDataPacket,
  MLS_OFFSET,
  NONCE_OFFSET,
  PACKET_OVERHEAD,
  TOKEN_OFFSET,
  TRUNK_PACKET_BYTES,
  VLAN_OFFSET,
  vlanIs,
} from '../wire/packet.ts'
import { packetSlab } from '../wire/slab.ts'

export const DOOR_KIND = { call: 1, answer: 2, proof: 3, traffic: 4 } as const
export type DoorKind = (typeof DOOR_KIND)[keyof typeof DOOR_KIND]
const KIND_MAX = DOOR_KIND.traffic

const HEADER_BYTES = 3
/** Longest body of a packet that every trunk carries in one piece (mesh:M10). */
export const BODY_BYTES = TRUNK_PACKET_BYTES - PACKET_OVERHEAD - HEADER_BYTES
/**
 * Longest body at all. Only halves of a handshake that show an authority of ten and more signatures pass
 * BODY_BYTES; trunks of smaller paths split such a packet on their own link.
 */
export const BODY_BYTES_MAX = 4_096 - HEADER_BYTES
const PACKET_MAX = 4_096 + PACKET_OVERHEAD

export interface Opened {
  readonly kind: DoorKind
  /** Fresh bytes. */
  readonly body: Uint8Array
}

export class Envelope {
  readonly #crypto: Crypto
  readonly #keys: Keys
  readonly #vlan: Uint8Array
  readonly #key: Uint8Array

  constructor(crypto: Crypto, keys: Keys, vlan: Uint8Array, doorKey: Uint8Array) {
    this.#crypto = crypto
    this.#keys = keys
    this.#vlan = vlan
    this.#key = crypto.kdf.expand(crypto.kdf.extract(new Uint8Array(0), doorKey), utf8('door'), 32)
  }

  /** The packet for a token. Random bytes are drawn in the order MLS-ID, nonce. */
  seal(token: Uint8Array, kind: DoorKind, body: Uint8Array): Uint8Array {
    const plain = new Uint8Array(paddedLength(HEADER_BYTES + body.length, 'all'))
    plain[0] = kind
    plain[1] = body.length >>> 8
    plain[2] = body.length
    plain.set(body, HEADER_BYTES)
    const packet = packetSlab.take(plain.length + PACKET_OVERHEAD)
    packet[0] = DATA_VERSION_TYPE
    packet.set(this.#vlan, VLAN_OFFSET)
    packet.set(this.#keys.bytes(TOKEN_OFFSET - MLS_OFFSET), MLS_OFFSET)
    packet.set(token, TOKEN_OFFSET)
    packet.set(this.#keys.bytes(NONCE_BYTES), NONCE_OFFSET)
    const nonce = packet.subarray(NONCE_OFFSET, CIPHER_OFFSET)
    const header = packet.subarray(0, AAD_BYTES)
    this.#crypto.aead.seal(this.#key, nonce, header, plain, packet.subarray(CIPHER_OFFSET))
    return packet
  }

  /** What is inside; why not, for a packet of others or of no form. Never throws. */
  open(packet: Uint8Array): Opened | 'notSealed' | 'malformed' {
    if (!isDataPacket(packet) || packet.length > PACKET_MAX || !vlanIs(packet, this.#vlan)) return 'notSealed'
    const plain = new Uint8Array(packet.length - PACKET_OVERHEAD)
    const nonce = packet.subarray(NONCE_OFFSET, CIPHER_OFFSET)
    const header = packet.subarray(0, AAD_BYTES)
    if (!this.#crypto.aead.open(this.#key, nonce, header, packet.subarray(CIPHER_OFFSET), plain))
      return 'notSealed'
    const kind = plain[0] as number
    const end = HEADER_BYTES + (((plain[1] as number) << 8) | (plain[2] as number))
    if (kind < 1 || kind > KIND_MAX || plain.length !== paddedLength(end, 'all')) return 'malformed'
    for (let at = end; at < plain.length; at++) if (plain[at] !== 0) return 'malformed'
    return { kind: kind as DoorKind, body: plain.subarray(HEADER_BYTES, end) }
  }
}
