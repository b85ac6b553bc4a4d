/**
 * What two ends of a trunk say on its control stream to have datagrams between them (sec:S11), and the keys
 * that follow. The stream is authenticated end to end, so that the keys belong to the peer; what a candidate
 * says is a claim of the peer all the same. The nonce is drawn for an offer and comes back in its answer: an
 * answer that is late must not be taken for one to a later offer, whose keys would be others at each end.
 * Both ends' keys are fresh all the same, as both have drawn an X25519 key for them.
 *
 *     offer, answer: kind 1 | version 1 | X25519 key 32 | receive index 4 | nonce 16 | count 1 | candidates
 *     candidate: family 1 (4 or 6) | address 4 or 16 | port 2
 *     ask (for a new offer), decline, lost, ping, pong: kind 1
 *
 * Lost is said where nothing comes back by the path in use, or its keys are gone.
 */
import { AGREEMENT_BYTES, type Crypto } from '../../core/crypto/ports.ts'
import { concat, peerKey, utf8 } from '../../core/ids.ts'
import type { PeerId } from '../../core/io.ts'
import { readU32, writeU32 } from '../../core/wire/cursor.ts'
import { trunkHop } from '../../core/wire/trunk.ts'
import { type Endpoint, endpointOf, hostOf, portOf } from '../linux/udp.ts'

/**
 * What carriers say to each other beside packets of the core, which ignores and counts kinds that it lacks.
 */
export const CARRIER_KIND = 2
export const CARRIER_HOP = trunkHop(CARRIER_KIND, 0, 0)

export const SAID = { offer: 1, answer: 2, ask: 3, decline: 4, lost: 5, ping: 6, pong: 7 } as const
export const DATAGRAM_VERSION = 1

export const CANDIDATES_MAX = 8
const NONCE_BYTES = 16
const INDEX_BYTES = 4
const VERSION_AT = 1
const EPHEMERAL_AT = 2
const INDEX_AT = EPHEMERAL_AT + AGREEMENT_BYTES
const NONCE_AT = INDEX_AT + INDEX_BYTES
const COUNT_AT = NONCE_AT + NONCE_BYTES
const CANDIDATES_AT = COUNT_AT + 1
const PORT_BYTES = 2

export const OFFER_NONCE_BYTES = NONCE_BYTES

export interface Offer {
  readonly version: number
  readonly ephemeral: Uint8Array
  /** Of an answer that of the offer which it answers. */
  readonly nonce: Uint8Array
  /** By which the peer is to name the key in what it sends. */
  readonly index: number
  readonly candidates: readonly Endpoint[]
}

export function writeOffer(
  kind: number,
  { version, ephemeral, nonce, index, candidates }: Offer,
): Uint8Array {
  const fixed = new Uint8Array(CANDIDATES_AT)
  fixed[0] = kind
  fixed[VERSION_AT] = version
  fixed.set(ephemeral, EPHEMERAL_AT)
  writeU32(fixed, INDEX_AT, index)
  fixed.set(nonce, NONCE_AT)
  fixed[COUNT_AT] = candidates.length
  const parts = candidates.map((each) => {
    const port = portOf(each)
    return concat(Uint8Array.of(each.family), hostOf(each), Uint8Array.of(port >>> 8, port))
  })
  return concat(fixed, ...parts)
}

/** Of an offer or an answer; undefined if no honest end writes so. */
export function readOffer(bytes: Uint8Array): Offer | undefined {
  if (bytes.length < CANDIDATES_AT) return undefined
  const count = bytes[COUNT_AT] as number
  const index = readU32(bytes, INDEX_AT)
  if (count > CANDIDATES_MAX) return undefined
  const candidates: Endpoint[] = []
  let at = CANDIDATES_AT
  for (let each = 0; each < count; each++) {
    const family = bytes[at]
    const length = family === 4 ? 4 : family === 6 ? 16 : 0
    const end = at + 1 + length + PORT_BYTES
    if (length === 0 || end > bytes.length) return undefined
    const port = ((bytes[end - 2] as number) << 8) | (bytes[end - 1] as number)
    if (port === 0) return undefined
    candidates.push(endpointOf(bytes.slice(at + 1, at + 1 + length), port))
    at = end
  }
  if (at !== bytes.length) return undefined
  return {
    version: bytes[VERSION_AT] as number,
    ephemeral: bytes.slice(EPHEMERAL_AT, INDEX_AT),
    nonce: bytes.slice(NONCE_AT, COUNT_AT),
    index,
    candidates,
  }
}

export interface KeyPair {
  /** Of the end that dialled, and of the other: what each seals with. */
  readonly fromDialler: Uint8Array
  readonly fromListener: Uint8Array
}

const SALT_LABEL = concat(utf8('peertap trunk v1'), Uint8Array.of(0))
const KEYS_INFO = utf8('keys')
const KEY_BYTES = 32

/**
 * okm = HKDF(ss, salt = BLAKE3-256("peertap trunk v1" ‖ 0x00 ‖ PeerId of the dialler ‖ of the listener ‖
 * offer ‖ answer), "keys", 64); offer and answer as they were said. Undefined for an ephemeral of small
 * order.
 */
export function agreeOnKeys(
  crypto: Crypto,
  secret: Uint8Array,
  ephemeral: Uint8Array,
  dialler: PeerId,
  listener: PeerId,
  offer: Uint8Array,
  answer: Uint8Array,
): KeyPair | undefined {
  const shared = crypto.agreement.shared(secret, ephemeral)
  if (shared === undefined) return undefined
  const salt = crypto.hash.hash32(concat(SALT_LABEL, peerKey(dialler), peerKey(listener), offer, answer))
  const pseudorandom = crypto.kdf.extract(salt, shared)
  const okm = crypto.kdf.expand(pseudorandom, KEYS_INFO, 2 * KEY_BYTES)
  const pair = { fromDialler: okm.slice(0, KEY_BYTES), fromListener: okm.slice(KEY_BYTES) }
  for (const spent of [shared, pseudorandom, okm]) spent.fill(0)
  return pair
}
