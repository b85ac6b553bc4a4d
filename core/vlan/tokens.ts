/**
 * VLAN Forwarding Tokens: the 16 bytes by which relays forward, made by members from MAC addresses.
 *
 * `spec` VLANs use the formulas of the public specification (ids.ts). In `private` VLANs every token,
 * unicast, broadcast or multicast, vouches for its own registration (sec:M12):
 *
 *     route_seed = BLAKE3-keyed(salt, "peertap route v1" | 0x00 | MAC text | VLAN-ID)
 *     route_pk   = Ed25519 public key of route_seed
 *     VFT        = BLAKE3-128("peertap vft v1" | 0x00 | VLAN-ID | route_pk)
 *
 * A registration shows route_pk and a signature by route_seed. A relay checks both against the token
 * alone: it needs no secret and learns none, and an outsider who saw the token in a header can neither
 * hijack it nor subscribe to it. Members can: they all know the salt.
 */
import type { Crypto } from '../crypto/ports.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../crypto/ports.ts'
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { assert } from '../errors.ts'
import {
  concat,
  groupToken,
  isGroupMac,
  type Mac,
  macText,
  SALT_BYTES,
  unicastToken,
  utf8,
  VLAN_ID_BYTES,
} from '../ids.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import { idIs } from '../wire/packet.ts'

/** What the tokens of one VLAN depend on. */
export interface TokenSource {
  /** VLAN-ID, 16 bytes. */
  readonly vlan: Uint8Array
  readonly privacy: 'spec' | 'private'
  /** 32 bytes, secret of the branch. */
  readonly salt: Uint8Array
}

/** route_pk 32, sequence 6 (ms), lifetime 2 (s), flags 1, signature 64. */
export const PROOF_BYTES = 105
const PROOF_BODY_BYTES = PROOF_BYTES - SIGNATURE_BYTES
const SEQUENCE_OFFSET = PUBLIC_KEY_BYTES
const LIFETIME_OFFSET = SEQUENCE_OFFSET + 6
const FLAGS_OFFSET = LIFETIME_OFFSET + 2
/** Longest lifetime of a registration in seconds: what a relay keeps of a vanished member for at most. */
export const PROOF_LIFETIME_MAX = 600
/** No flag has a meaning yet, so any set bit is refused. */
const PROOF_FLAGS = 0
const SIGNATURE_NAME = 'route'
/** Twelve hex digits: what stands in a route's seed before the VLAN-ID has one length (sec:N1). */
const MAC_TEXT_LENGTH = 12

/** Tokens that a member keeps: a port serves at most 1,024 MACs (mesh:S4) and talks to as many again. */
const TOKEN_BOOK_MAX = 4_096

const ROUTE_LABEL = utf8('peertap route v1\0')
const TOKEN_LABEL = utf8('peertap vft v1\0')

/** The seed of a MAC's route key in a private VLAN, 32 bytes: who has it may register the token. */
export function routeSeed(crypto: Crypto, source: TokenSource, mac: Mac): Uint8Array {
  return routeSeedOf(crypto, source, macText(mac))
}

/** The same for a token that stands for no MAC: a text of the length of one, which is none (sec:C4). */
export function routeSeedOf(
  crypto: Crypto,
  source: Pick<TokenSource, 'vlan' | 'salt'>,
  text: string,
): Uint8Array {
  assert(source.salt.length === SALT_BYTES, `a salt of ${source.salt.length} bytes`)
  assert(text.length === MAC_TEXT_LENGTH, `'${text}' in the place of a MAC of ${MAC_TEXT_LENGTH} characters`)
  return crypto.hash.keyed32(source.salt, concat(ROUTE_LABEL, utf8(text), source.vlan))
}

/** The token that a route key stands for in a VLAN, 16 bytes. */
export function routeToken(crypto: Crypto, vlan: Uint8Array, routeKey: Uint8Array): Uint8Array {
  assert(vlan.length === VLAN_ID_BYTES, `a VLAN-ID of ${vlan.length} bytes`)
  return crypto.hash.hash16(concat(TOKEN_LABEL, vlan, routeKey))
}

/** The token of a MAC in a VLAN, 16 bytes; in a private one it costs a key derivation (0.3 ms). */
export function tokenOfMac(crypto: Crypto, source: TokenSource, mac: Mac): Uint8Array {
  if (source.privacy === 'private') {
    const routeKey = crypto.signatures.publicKey(routeSeed(crypto, source, mac))
    return routeToken(crypto, source.vlan, routeKey)
  }
  // Broadcast is a group MAC like any other: the specification's two formulas are one.
  return isGroupMac(mac)
    ? groupToken(crypto.hash, mac, source.vlan)
    : unicastToken(crypto.hash, mac, source.vlan, source.salt)
}

/**
 * The owner's signed registration of a MAC's token in a private VLAN, 105 bytes. `sequence` is in
 * milliseconds and rises within a token's life, `lifetime` in seconds from 1 to 600.
 */
export function makeProof(
  crypto: Crypto,
  source: TokenSource,
  mac: Mac,
  sequence: number,
  lifetime: number,
): Uint8Array {
  assert(source.privacy === 'private', 'tokens of a spec VLAN have no proof')
  return proveRoute(crypto, source.vlan, routeSeed(crypto, source, mac), sequence, lifetime)
}

/** The same by the seed of the route, which need not come from a MAC. */
export function proveRoute(
  crypto: Crypto,
  vlan: Uint8Array,
  seed: Uint8Array,
  sequence: number,
  lifetime: number,
): Uint8Array {
  assert(lifetime >= 1 && lifetime <= PROOF_LIFETIME_MAX, `a registration for ${lifetime} s`)
  const to = new Writer(PROOF_BYTES)
  to.put(crypto.signatures.publicKey(seed))
  to.u48(sequence)
  to.u16(lifetime)
  to.u8(PROOF_FLAGS)
  const body = concat(vlan, to.bytes.subarray(0, PROOF_BODY_BYTES))
  to.put(signNamed(crypto.signatures, seed, SIGNATURE_NAME, body))
  return to.bytes
}

/**
 * The cheap half of a relay's check, one hash: the form is right and the token is that of the key shown.
 * To be asked before a signature is paid for from the link's budget.
 */
export function proofNamesToken(
  crypto: Crypto,
  vlan: Uint8Array,
  token: Uint8Array,
  proof: Uint8Array,
): boolean {
  if (proof.length !== PROOF_BYTES || token.length !== 16 || vlan.length !== VLAN_ID_BYTES) return false
  const lifetime = proofLifetime(proof)
  if (lifetime < 1 || lifetime > PROOF_LIFETIME_MAX || proof[FLAGS_OFFSET] !== PROOF_FLAGS) return false
  return idIs(routeToken(crypto, vlan, proof.subarray(0, PUBLIC_KEY_BYTES)), 0, token)
}

/** All that a relay can check of a registration, from public values alone: one hash, then one signature. */
export function checkProof(crypto: Crypto, vlan: Uint8Array, token: Uint8Array, proof: Uint8Array): boolean {
  if (!proofNamesToken(crypto, vlan, token, proof)) return false
  const body = concat(vlan, proof.subarray(0, PROOF_BODY_BYTES))
  const routeKey = proof.subarray(0, PUBLIC_KEY_BYTES)
  return verifyNamed(crypto.signatures, routeKey, SIGNATURE_NAME, body, proof.subarray(PROOF_BODY_BYTES))
}

/** Milliseconds; the newer of two proofs for a token has the greater. */
export function proofSequence(proof: Uint8Array): number {
  return new Reader(proof, SEQUENCE_OFFSET).u48()
}

/** Seconds from its arrival that a registration lasts without a refresh. */
export function proofLifetime(proof: Uint8Array): number {
  return new Reader(proof, LIFETIME_OFFSET).u16()
}

/**
 * A member's tokens by MAC, computed once. Bounded: the one computed longest ago goes first, whatever its
 * use, so that a look-up writes nothing.
 */
export class TokenBook {
  readonly source: TokenSource
  readonly #crypto: Crypto
  readonly #limit: number
  readonly #tokens = new Map<Mac, Uint8Array>()

  constructor(crypto: Crypto, source: TokenSource, limit = TOKEN_BOOK_MAX) {
    this.source = source
    this.#crypto = crypto
    this.#limit = limit
  }

  get size(): number {
    return this.#tokens.size
  }

  // HOT PATH
  /** The 16 bytes for a MAC; the caller does not write them. */
  token(mac: Mac): Uint8Array {
    return this.#tokens.get(mac) ?? this.#learn(mac)
  }

  /** This member's signed registration of a token; undefined in `spec` VLANs, which have none. */
  proof(mac: Mac, sequence: number, lifetime: number): Uint8Array | undefined {
    if (this.source.privacy === 'spec') return undefined
    return makeProof(this.#crypto, this.source, mac, sequence, lifetime)
  }

  #learn(mac: Mac): Uint8Array {
    if (this.#tokens.size >= this.#limit) {
      for (const oldest of this.#tokens.keys()) {
        this.#tokens.delete(oldest)
        break
      }
    }
    const token = tokenOfMac(this.#crypto, this.source, mac)
    this.#tokens.set(mac, token)
    return token
  }
}
