/**
 * One packet under one key: nonce and its mask (sec:A3, M1), tag, and the signature of a frame (sec:A6, M2).
 * Knows bytes and ports; which key, which counter and whether a signature is due is the callers' business.
 *
 * Nonce and plaintext stand in scratch of the whole thread: the core runs one step at a time, and nothing
 * here outlives the call that it belongs to.
 */
import { type Crypto, NONCE_BYTES, TAG_BYTES } from '../crypto/ports.ts'
import { signedBytes } from '../crypto/signed.ts'
import { payloadEndOf, signatureOf } from '../vlan/plaintext.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { AAD_BYTES, CIPHER_OFFSET, NONCE_OFFSET, PACKET_OVERHEAD, TOKEN_OFFSET } from '../wire/packet.ts'
import { packetSlab } from '../wire/slab.ts'
import { COMMITMENT_BYTES } from './derive.ts'
import type { Epoch } from './epoch.ts'

/** The commitment of what is signed under a channel key, which has none (sec:A6). */
export const NO_COMMITMENT = new Uint8Array(COMMITMENT_BYTES)

const SCRATCH_BYTES = 2_048
const LEAF_KEY_BYTES = 32
const INDEX_AT = 0
const COUNTER_HIGH_AT = 4
const COUNTER_LOW_AT = 8

const nonce = new Uint8Array(NONCE_BYTES)
const mask = new Uint8Array(NONCE_BYTES)
const tag = new Uint8Array(TAG_BYTES)
const EMPTY = new Uint8Array(0)
const FRAME_NAME = signedBytes('frame', EMPTY).slice()
const MESSAGE_HEAD_BYTES = FRAME_NAME.length + AAD_BYTES + NONCE_BYTES + COMMITMENT_BYTES + LEAF_KEY_BYTES

/** Views of one buffer by length, made when first asked for: sealing allocates none per packet. */
class Scratch {
  readonly #bytes = new Uint8Array(SCRATCH_BYTES)
  readonly #views: (Uint8Array | undefined)[] = []

  // HOT PATH
  /** Bytes of that length with any content. */
  view(length: number): Uint8Array {
    if (length > SCRATCH_BYTES) return new Uint8Array(length)
    const known = this.#views[length]
    if (known !== undefined) return known
    const view = this.#bytes.subarray(0, length)
    this.#views[length] = view
    return view
  }
}

const plainScratch = new Scratch()
const messageScratch = new Scratch()

// HOT PATH
/** Room for a plaintext that is about to be sealed. */
export function plainRoom(length: number): Uint8Array {
  return plainScratch.view(length)
}

// HOT PATH
/** The nonce of a data key's next packet: index 4 | counter 8. */
export function setNonce(index: number, counter: number): void {
  writeU32(nonce, INDEX_AT, index)
  writeU32(nonce, COUNTER_HIGH_AT, 0)
  writeU32(nonce, COUNTER_LOW_AT, counter)
}

/** The nonce of a channel packet: index 0 and 8 random bytes (sec:A7). */
export function setRandomNonce(random: Uint8Array): void {
  writeU32(nonce, INDEX_AT, 0)
  nonce.set(random, COUNTER_HIGH_AT)
}

// HOT PATH
/** Seals under the nonce that was set, into fresh bytes. The epoch's associated data has the token. */
export function sealPacket(crypto: Crypto, epoch: Epoch, key: Uint8Array, plain: Uint8Array): Uint8Array {
  const packet = packetSlab.take(PACKET_OVERHEAD + plain.length)
  packet.set(epoch.aad, 0)
  crypto.aead.seal(key, nonce, epoch.aad, plain, packet.subarray(CIPHER_OFFSET))
  maskOf(crypto, epoch, packet)
  for (let at = 0; at < NONCE_BYTES; at++)
    packet[NONCE_OFFSET + at] = (nonce[at] as number) ^ (mask[at] as number)
  return packet
}

// HOT PATH
/** Takes the nonce of a packet that came; answers its index. */
export function takeNonce(crypto: Crypto, epoch: Epoch, packet: Uint8Array): number {
  maskOf(crypto, epoch, packet)
  for (let at = 0; at < NONCE_BYTES; at++)
    nonce[at] = (packet[NONCE_OFFSET + at] as number) ^ (mask[at] as number)
  return readU32(nonce, INDEX_AT)
}

// HOT PATH
/** The counter of the nonce taken, or −1 for one that no key has: a key retires at 2^32 packets. */
export function takenCounter(): number {
  return readU32(nonce, COUNTER_HIGH_AT) === 0 ? readU32(nonce, COUNTER_LOW_AT) : -1
}

// HOT PATH
/** Opens the packet whose nonce was taken; undefined if it does not fit the key. Fresh bytes. */
export function openPacket(
  crypto: Crypto,
  epoch: Epoch,
  key: Uint8Array,
  packet: Uint8Array,
): Uint8Array | undefined {
  for (let at = TOKEN_OFFSET; at < AAD_BYTES; at++) epoch.aad[at] = packet[at] as number
  const plain = packetSlab.take(packet.length - PACKET_OVERHEAD)
  const opens = crypto.aead.open(key, nonce, epoch.aad, packet.subarray(CIPHER_OFFSET), plain)
  return opens ? plain : undefined
}

// HOT PATH
/** Signs the plaintext from its kind to the end of its payload, for the nonce and token that were set. */
export function signPlaintext(crypto: Crypto, epoch: Epoch, commitment: Uint8Array, plain: Uint8Array): void {
  const message = messageOf(epoch.aad, commitment, epoch.leafKey, plain)
  plain.set(crypto.signatures.sign(epoch.leafSeed, message), payloadEndOf(plain))
}

// HOT PATH
/** Whether the packet last opened is signed by that leaf key. */
export function isSignedBy(
  crypto: Crypto,
  epoch: Epoch,
  commitment: Uint8Array,
  leafKey: Uint8Array,
  plain: Uint8Array,
): boolean {
  const message = messageOf(epoch.aad, commitment, leafKey, plain)
  return crypto.signatures.verify(leafKey, message, signatureOf(plain))
}

// HOT PATH
/** "peertap frame v1" | 0x00 | AAD | nonce | commitment | leaf key | kind … end of payload (sec:A6). */
function messageOf(
  aad: Uint8Array,
  commitment: Uint8Array,
  leafKey: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const end = payloadEndOf(plain)
  const message = messageScratch.view(MESSAGE_HEAD_BYTES + end)
  message.set(FRAME_NAME, 0)
  let at = FRAME_NAME.length
  message.set(aad, at)
  at += AAD_BYTES
  message.set(nonce, at)
  at += NONCE_BYTES
  message.set(commitment, at)
  at += COMMITMENT_BYTES
  message.set(leafKey, at)
  at += LEAF_KEY_BYTES
  message.set(end === plain.length ? plain : plain.subarray(0, end), at)
  return message
}

// HOT PATH
/** One AES block over the packet's tag, into the shared `mask`. */
function maskOf(crypto: Crypto, epoch: Epoch, packet: Uint8Array): void {
  const from = packet.length - TAG_BYTES
  for (let at = 0; at < TAG_BYTES; at++) tag[at] = packet[from + at] as number
  crypto.aead.mask(epoch.mask, tag, mask)
}
