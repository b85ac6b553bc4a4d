/**
 * What every provider asks before it computes, in one place: the verdicts of two providers must never
 * part, or a member could split a group with one signature (sec:M10). Libraries differ exactly in the
 * cases that are refused here: OpenSSL 3.5 itself accepts keys and commitments of small order and keys
 * written as y ≥ p, node:crypto refuses the small orders since Node 24, noble checks another equation.
 *
 * An Ed25519 signature is valid if `isAdmissible` and the cofactorless equation holds: s·B − h·A encodes
 * to the very bytes of R, with h = SHA-512(R ‖ A ‖ message) mod L over the bytes as given. All providers
 * have that equation, so they agree on what is left.
 *
 * Everything here works on encodings: nothing secret comes by, and no curve is computed on. A wrong size
 * of something that only our own code chooses is an InvariantError, the same from all.
 */
import { assert } from '../errors.ts'
import { unhex } from '../ids.ts'
import {
  AGREEMENT_BYTES,
  EXPANDED_BYTES_MAX,
  NONCE_BYTES,
  PSEUDORANDOM_KEY_BYTES,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  TAG_BYTES,
} from './ports.ts'

const AEAD_KEY_BYTES = 32
const BLOCK_BYTES = 16
const SEED_BYTES = 32
const POINT_BYTES = 32

/** L of RFC 8032, the order of the base point, as a scalar is encoded: little-endian. */
const ORDER = unhex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')

/** y of the eight points of small order, without the sign of x: −1, 0, 1 and the two of order eight. */
const SMALL_ORDER_Y = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
].map(unhex)

/**
 * u of the points of small order on Curve25519 and its twist, without the top bit: 0, 1, −1, the two of
 * order eight, and the second encodings of 0 and 1.
 */
const SMALL_ORDER_U = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(unhex)

/**
 * Lengths exact, s < L, A and R canonical, A not of small order (sec:M10). One rule more than that text:
 * R is not of small order either. WebCrypto asks for that and node:crypto does it, so a provider by either
 * could not accept such signatures; no honest signer makes one.
 */
export function isAdmissible(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  return isReduced(signature) && isSound(publicKey) && isSound(signature)
}

/** s < L, of the second half of a signature. */
function isReduced(signature: Uint8Array): boolean {
  for (let index = SIGNATURE_BYTES - POINT_BYTES - 1; index >= 0; index--) {
    const difference = (signature[POINT_BYTES + index] as number) - (ORDER[index] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

/**
 * The 32 bytes at the front encode y < p, and are none of the points of small order. Whether there is such
 * a point is left to the equation, which fails if there is none. "Negative zero" needs no rule of its own:
 * x = 0 only for y = ±1, and both are of small order.
 */
function isSound(bytes: Uint8Array): boolean {
  return isBelowPrime(bytes) && !isListed(bytes, SMALL_ORDER_Y)
}

/** Whether the first 32 bytes, without the top bit, are a number below p = 2^255 − 19. */
function isBelowPrime(bytes: Uint8Array): boolean {
  if (((bytes[31] as number) & 0x7f) !== 0x7f) return true
  for (let index = 30; index > 0; index--) if (bytes[index] !== 0xff) return true
  return (bytes[0] as number) < 0xed
}

/** Whether the first 32 bytes are on the list; their top bit does not count. */
function isListed(bytes: Uint8Array, list: readonly Uint8Array[]): boolean {
  for (const listed of list) {
    let index = 0
    while (index < 31 && bytes[index] === listed[index]) index++
    if (index === 31 && ((bytes[31] as number) & 0x7f) === listed[31]) return true
  }
  return false
}

/**
 * A public key of X25519 with which something may be computed: 32 bytes, not of small order. Asked first,
 * so that nobody has a long-term secret multiplied with a point that he chose for what it gives away.
 */
export function isAgreeable(publicKey: Uint8Array): boolean {
  return publicKey.length === AGREEMENT_BYTES && !isListed(publicKey, SMALL_ORDER_U)
}

export function checkSeed(seed: Uint8Array): void {
  assert(seed.length === SEED_BYTES, `a signing seed of ${seed.length} bytes instead of 32`)
}

export function checkSecret(secret: Uint8Array): void {
  assert(secret.length === AGREEMENT_BYTES, `a secret of X25519 of ${secret.length} bytes instead of 32`)
}

export function checkExpand(pseudorandomKey: Uint8Array, length: number): void {
  const size = pseudorandomKey.length
  assert(size === PSEUDORANDOM_KEY_BYTES, `HKDF expands a key of 32 bytes, not of ${size}`)
  assert(length >= 0 && length <= EXPANDED_BYTES_MAX, `HKDF does not expand to ${length} bytes`)
}

// The three below are asked for every packet: their messages are constants, so that none is put together.

export function checkSeal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, out: Uint8Array): void {
  checkKeyAndNonce(key, nonce)
  assert(
    out.length === plain.length + TAG_BYTES,
    'a sealed text has exactly 16 bytes more than the plain one',
  )
}

/** False if the sealed text is too short to hold a tag, which is a peer's fault. */
export function mayOpen(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, out: Uint8Array): boolean {
  checkKeyAndNonce(key, nonce)
  if (sealed.length < TAG_BYTES) return false
  assert(
    out.length === sealed.length - TAG_BYTES,
    'a plain text has exactly 16 bytes less than the sealed one',
  )
  return true
}

function checkKeyAndNonce(key: Uint8Array, nonce: Uint8Array): void {
  assert(
    key.length === AEAD_KEY_BYTES && nonce.length === NONCE_BYTES,
    'AES-256-GCM needs a key of 32 and a nonce of 12 bytes',
  )
}

export function checkMask(key: Uint8Array, block: Uint8Array, out: Uint8Array): void {
  assert(
    key.length === AEAD_KEY_BYTES && block.length === BLOCK_BYTES && out.length >= NONCE_BYTES,
    'a mask needs a key of 32, a block of 16 and room for 12 bytes',
  )
}
