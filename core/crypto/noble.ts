/**
 * The real cryptography: BLAKE3, Ed25519, AES-256-GCM, X25519 and HKDF in plain JavaScript, the same bytes
 * in Node and in the browser. A host with a faster provider may put it behind the same ports, if it gives
 * the same verdicts: test/contract/crypto.ts and the vectors decide that.
 *
 * Signatures are checked by one predicate for all providers (sec:M10). The library's own `verify` is not
 * it: it is cofactored, so it accepts signatures that OpenSSL refuses, and a member could split a group
 * with one. Costs on the reference machine: verify about 1 ms, sign 0.7 ms, seal of a small packet 40 µs.
 */
import { ecb, gcm } from '@noble/ciphers/aes.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { blake3 } from '@noble/hashes/blake3.js'
import { expand, extract } from '@noble/hashes/hkdf.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { assert } from '../errors.ts'
import {
  type Aead,
  AGREEMENT_BYTES,
  type Crypto,
  EXPANDED_BYTES_MAX,
  type Hash,
  type Kdf,
  type KeyAgreement,
  NONCE_BYTES,
  PSEUDORANDOM_KEY_BYTES,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  type Signatures,
  TAG_BYTES,
} from './ports.ts'

const { Point } = ed25519
type CurvePoint = InstanceType<typeof Point>
/** L of RFC 8032: the order of the base point. */
const ORDER = Point.Fn.ORDER
const KEY_BYTES = 32
const BLOCK_BYTES = 16

const SHORT_HASH = { dkLen: 16 } as const
const ONE_BLOCK = { disablePadding: true } as const

const hash: Hash = {
  hash16: (input) => blake3(input, SHORT_HASH),
  hash32: (input) => blake3(input),
  keyed32: (key, input) => blake3(input, { key }),
}

const signatures: Signatures = {
  publicKey: (seed) => ed25519.getPublicKey(seed),
  sign: (seed, message) => ed25519.sign(message, seed),
  verify: verifyStrictly,
}

/**
 * Ed25519 as sec:M10 demands: lengths exact, s < L, A and R canonical, A not of small order, and the
 * cofactorless equation: s·B − h·A encodes to the very bytes of R, with h taken over the bytes as given.
 * R needs no decoding: what equals an encoding is canonical. Never throws.
 *
 * One rule more than that text: R is not of small order either. OpenSSL 3.5 refuses such signatures, and
 * the purpose is one verdict from all providers; no honest signer ever makes one.
 */
function verifyStrictly(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  const s = littleEndian(signature.subarray(32))
  if (s >= ORDER) return false
  const key = decodePoint(publicKey)
  if (key === undefined || key.isSmallOrder()) return false
  const commitment = signature.subarray(0, 32)
  const digest = sha512.create().update(commitment).update(publicKey).update(message).digest()
  const challenge = littleEndian(digest) % ORDER
  // Public values only, so the faster multiplications that leak their scalars are in order.
  const point = Point.BASE.multiplyUnsafe(s).add(key.negate().multiplyUnsafe(challenge))
  return !point.isSmallOrder() && sameBytes(point.toBytes(), commitment)
}

/** Undefined unless the bytes are the canonical encoding of a point (y < p, no negative zero). */
function decodePoint(bytes: Uint8Array): CurvePoint | undefined {
  try {
    return Point.fromBytes(bytes, false)
  } catch {
    return undefined
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index--)
    value = (value << 8n) | BigInt(bytes[index] as number)
  return value
}

/** Not in constant time: both sides are public. */
function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}

const aead: Aead = {
  seal(key, nonce, header, plain, out) {
    checkSizes(key, nonce)
    assert(
      out.length === plain.length + TAG_BYTES,
      'the sealed text needs exactly 16 bytes more than the plain one',
    )
    out.set(gcm(key, nonce, header).encrypt(plain))
  },

  open(key, nonce, header, sealed, out) {
    checkSizes(key, nonce)
    if (sealed.length < TAG_BYTES) return false
    assert(
      out.length === sealed.length - TAG_BYTES,
      'the plain text needs exactly 16 bytes less than the sealed one',
    )
    try {
      out.set(gcm(key, nonce, header).decrypt(sealed))
      return true
    } catch {
      // Sizes were checked above: the only thing left to throw is a tag that does not fit.
      return false
    }
  },

  mask(key, block, out) {
    assert(
      key.length === KEY_BYTES && block.length === BLOCK_BYTES,
      'a mask needs a key of 32 and a block of 16 bytes',
    )
    const masked = ecb(key, ONE_BLOCK).encrypt(block)
    for (let index = 0; index < NONCE_BYTES; index++) out[index] = masked[index] as number
  },
}

function checkSizes(key: Uint8Array, nonce: Uint8Array): void {
  assert(
    key.length === KEY_BYTES && nonce.length === NONCE_BYTES,
    'AES-256-GCM needs a key of 32 and a nonce of 12 bytes',
  )
}

const agreement: KeyAgreement = {
  publicKey(secret) {
    checkSecret(secret)
    return x25519.getPublicKey(secret)
  },

  shared(secret, publicKey) {
    checkSecret(secret)
    if (publicKey.length !== AGREEMENT_BYTES) return undefined
    try {
      return x25519.getSharedSecret(secret, publicKey)
    } catch {
      // Sizes were checked above: the only thing left to throw is a public key of low order.
      return undefined
    }
  },
}

function checkSecret(secret: Uint8Array): void {
  assert(secret.length === AGREEMENT_BYTES, 'X25519 needs a secret of 32 bytes')
}

const kdf: Kdf = {
  extract: (salt, keyMaterial) => extract(sha256, keyMaterial, salt),

  expand(pseudorandomKey, info, length) {
    assert(pseudorandomKey.length === PSEUDORANDOM_KEY_BYTES, 'HKDF expands a key of 32 bytes')
    assert(length >= 0 && length <= EXPANDED_BYTES_MAX, `HKDF does not expand to ${length} bytes`)
    return expand(sha256, pseudorandomKey, info, length)
  },
}

export const noble: Crypto = { hash, signatures, aead, agreement, kdf }
