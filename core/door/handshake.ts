/**
 * The three parts of a door's handshake as bytes and keys (sec:C4). Pure functions: who calls, who answers
 * and whether they may is decided elsewhere.
 *
 *     D1  e_I 32 | route key of the caller 32 | purpose 1 | head 16
 *     D2  e_R 32 | AEAD_k2(chain_R | route key of the sponsor 32 | signature 64)
 *     D3  D1 | e_R 32 | AEAD_k3(chain_I | signature 64)
 *
 *     e_R         X25519 of keyed H32(secret of the sponsor, "peertap door key v1" | 0x00 | D1 | H32(offer))
 *     keys        HKDF(H32(D1 | e_R), X25519(e_I, e_R), name, 32)     names: D2, D3, to R, to I; id: 16 bytes
 *     signatures  sign(member_R, "door R", VLAN-ID | H32(D1) | e_R | route key of the sponsor)
 *                 sign(member_I, "door I", VLAN-ID | H32(D1 | D2))
 *
 * Beyond the text of the protocol, each because something would not work or would leak:
 *
 * - D3 repeats D1, and e_R follows from D1 and a secret, so the sponsor keeps nothing of a caller before it
 *   has proved itself. The offer (chain and route) goes into e_R: the same key never seals two answers.
 * - D2 names a route of the sponsor's, so that what follows travels to one member and not to all of them;
 *   the signature covers it. D3 still goes to the door: others learn from it that the caller is served.
 * - D1 names an epoch: where the caller is that catches up, or the branch that is sought by who merges or
 *   rejoins, so that only that one answers. What is asked for is in D1 and signed with it, so D3 has no
 *   request of its own; what a request needs beyond it follows under the traffic keys.
 *
 * k2 and k3 seal once each, with a nonce of zeros. Identities are only in boxes: whoever has the door key
 * and no share in the handshake sees ephemeral keys, routes, purposes and heads.
 */
import type { Crypto } from '../crypto/ports.ts'
import { NONCE_BYTES, TAG_BYTES } from '../crypto/ports.ts'
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { concat, sameBytes, utf8 } from '../ids.ts'
import { FACT_BYTES_MAX } from '../ledger/facts.ts'
import { epochId, key, named } from '../ledger/fields.ts'
import { bytes, type Decoded, decode, encode, fixed, struct } from '../wire/schema.ts'
import { BODY_BYTES_MAX } from './envelope.ts'

/** `deliver`: a Welcome, to the route that its joiner named. */
const PURPOSES = ['join', 'rejoin', 'catchUp', 'merge', 'deliver'] as const
export type Purpose = (typeof PURPOSES)[number]

const KEY_BYTES = 32
export const SESSION_ID_BYTES = 16
const NO_NONCE = new Uint8Array(NONCE_BYTES)
const NOTHING = new Uint8Array(0)
/** The head of a caller that is in no group. */
export const NO_HEAD: Uint8Array = new Uint8Array(16)

const callSchema = struct({ ephemeral: key, route: key, purpose: named(PURPOSES), head: epochId })
export type Call = Decoded<typeof callSchema>
const CALL_BYTES = 81

const signature = fixed(64)
const chainBytes = bytes(Math.min(FACT_BYTES_MAX, BODY_BYTES_MAX))
const answerBox = struct({ chain: chainBytes, route: key, signature })
const proofBox = struct({ chain: chainBytes, signature })

const EPHEMERAL_LABEL = utf8('peertap door key v1\0')
const NAME = { answer: utf8('D2'), proof: utf8('D3'), toR: utf8('to R'), toI: utf8('to I'), id: utf8('id') }
const SIGNED_R = 'door R'
const SIGNED_I = 'door I'

/** Everything that follows from D1 and the agreed secret. Erase it with the session. */
export interface HandshakeKeys {
  readonly answer: Uint8Array
  readonly proof: Uint8Array
  readonly toR: Uint8Array
  readonly toI: Uint8Array
  /** 16 bytes that name the session in its packets. */
  readonly id: Uint8Array
}

/** What a sponsor shows of itself. */
export interface Offer {
  /** See encodeChain of the ledger. */
  readonly chain: Uint8Array
  readonly route: Uint8Array
}

export function encodeCall(call: Call): Uint8Array {
  return encode(callSchema, call)
}

export function decodeCall(d1: Uint8Array): Call | undefined {
  return decode(callSchema, d1)
}

/** The sponsor's half for a call, the same whenever it is asked. 32 bytes of X25519. */
export function sponsorSecret(crypto: Crypto, secret: Uint8Array, d1: Uint8Array, offer: Offer): Uint8Array {
  const { chain, route } = offer
  return crypto.hash.keyed32(secret, concat(EPHEMERAL_LABEL, d1, crypto.hash.hash32(concat(chain, route))))
}

/** The keys of either end; undefined for a public key with which no secret can be agreed. */
export function agree(
  crypto: Crypto,
  d1: Uint8Array,
  sponsorKey: Uint8Array,
  ownSecret: Uint8Array,
  otherKey: Uint8Array,
): HandshakeKeys | undefined {
  const shared = crypto.agreement.shared(ownSecret, otherKey)
  if (shared === undefined) return undefined
  const root = crypto.kdf.extract(crypto.hash.hash32(concat(d1, sponsorKey)), shared)
  const expand = (name: Uint8Array, length: number): Uint8Array => crypto.kdf.expand(root, name, length)
  const keys = {
    answer: expand(NAME.answer, KEY_BYTES),
    proof: expand(NAME.proof, KEY_BYTES),
    toR: expand(NAME.toR, KEY_BYTES),
    toI: expand(NAME.toI, KEY_BYTES),
    id: expand(NAME.id, SESSION_ID_BYTES),
  }
  shared.fill(0)
  root.fill(0)
  return keys
}

export function eraseKeys(keys: HandshakeKeys): void {
  for (const each of [keys.answer, keys.proof, keys.toR, keys.toI]) each.fill(0)
}

/** D2, by the sponsor's member seed. */
export function makeAnswer(
  crypto: Crypto,
  vlan: Uint8Array,
  memberSeed: Uint8Array,
  half: { readonly d1: Uint8Array; readonly sponsorKey: Uint8Array; readonly keys: HandshakeKeys },
  offer: Offer,
): Uint8Array {
  const { d1, sponsorKey, keys } = half
  const body = answerBody(crypto, vlan, d1, sponsorKey, offer.route)
  const signed = signNamed(crypto.signatures, memberSeed, SIGNED_R, body)
  const plain = encode(answerBox, { ...offer, signature: signed })
  return concat(sponsorKey, seal(crypto, keys.answer, plain))
}

/** The key of a D2 by which the secret is agreed; undefined if it is shorter than one. */
export function sponsorKeyOf(d2: Uint8Array): Uint8Array | undefined {
  return d2.length > KEY_BYTES + TAG_BYTES ? d2.subarray(0, KEY_BYTES) : undefined
}

/** What a D2 shows: who signed it is for `verifyAnswer` to check, when it is known who it should be. */
export function openAnswer(
  crypto: Crypto,
  d2: Uint8Array,
  keys: HandshakeKeys,
): Decoded<typeof answerBox> | undefined {
  const plain = open(crypto, keys.answer, d2.subarray(KEY_BYTES))
  return plain === undefined ? undefined : decode(answerBox, plain)
}

export function verifyAnswer(
  crypto: Crypto,
  vlan: Uint8Array,
  d1: Uint8Array,
  d2: Uint8Array,
  member: Uint8Array,
  said: Decoded<typeof answerBox>,
): boolean {
  const body = answerBody(crypto, vlan, d1, d2.subarray(0, KEY_BYTES), said.route)
  return verifyNamed(crypto.signatures, member, SIGNED_R, body, said.signature)
}

/** D3, by the caller's member seed. */
export function makeProof(
  crypto: Crypto,
  vlan: Uint8Array,
  memberSeed: Uint8Array,
  half: { readonly d1: Uint8Array; readonly d2: Uint8Array; readonly keys: HandshakeKeys },
  chain: Uint8Array,
): Uint8Array {
  const { d1, d2, keys } = half
  const signed = signNamed(crypto.signatures, memberSeed, SIGNED_I, proofBody(crypto, vlan, d1, d2))
  const box = seal(crypto, keys.proof, encode(proofBox, { chain, signature: signed }))
  return concat(d1, d2.subarray(0, KEY_BYTES), box)
}

/** The parts of a D3: views of it. */
export interface ProofParts {
  readonly d1: Uint8Array
  readonly call: Call
  readonly sponsorKey: Uint8Array
  readonly box: Uint8Array
}

export function readProof(d3: Uint8Array): ProofParts | undefined {
  const d1 = d3.subarray(0, CALL_BYTES)
  const call = decodeCall(d1)
  const box = d3.subarray(CALL_BYTES + KEY_BYTES)
  if (call === undefined || box.length <= TAG_BYTES) return undefined
  return { d1, call, sponsorKey: d3.subarray(CALL_BYTES, CALL_BYTES + KEY_BYTES), box }
}

export function openProof(
  crypto: Crypto,
  box: Uint8Array,
  keys: HandshakeKeys,
): Decoded<typeof proofBox> | undefined {
  const plain = open(crypto, keys.proof, box)
  return plain === undefined ? undefined : decode(proofBox, plain)
}

/** `d2`: as this very sponsor makes it for D1. */
export function verifyProof(
  crypto: Crypto,
  vlan: Uint8Array,
  d1: Uint8Array,
  d2: Uint8Array,
  member: Uint8Array,
  said: Decoded<typeof proofBox>,
): boolean {
  return verifyNamed(crypto.signatures, member, SIGNED_I, proofBody(crypto, vlan, d1, d2), said.signature)
}

export function isNoHead(head: Uint8Array): boolean {
  return sameBytes(head, NO_HEAD)
}

function answerBody(
  crypto: Crypto,
  vlan: Uint8Array,
  d1: Uint8Array,
  sponsorKey: Uint8Array,
  route: Uint8Array,
): Uint8Array {
  return concat(vlan, crypto.hash.hash32(d1), sponsorKey, route)
}

function proofBody(crypto: Crypto, vlan: Uint8Array, d1: Uint8Array, d2: Uint8Array): Uint8Array {
  return concat(vlan, crypto.hash.hash32(concat(d1, d2)))
}

function seal(crypto: Crypto, by: Uint8Array, plain: Uint8Array): Uint8Array {
  const out = new Uint8Array(plain.length + TAG_BYTES)
  crypto.aead.seal(by, NO_NONCE, NOTHING, plain, out)
  return out
}

function open(crypto: Crypto, by: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined
  const out = new Uint8Array(sealed.length - TAG_BYTES)
  return crypto.aead.open(by, NO_NONCE, NOTHING, sealed, out) ? out : undefined
}
