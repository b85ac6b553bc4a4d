/**
 * The fast cryptography: OpenSSL's EVP functions through koffi, with contexts that are made once and used
 * for every call. Verdicts are those of core/crypto/rules.ts plus OpenSSL's equation. BLAKE3 is not in
 * OpenSSL and stays with noble: it names things and is not asked for packets. (WebAssembly would be ten
 * times as fast, but the kept packages of it want an asynchronous start for each key of the keyed mode.)
 *
 * Keys of sealing are set for every call and not kept in contexts of their own: that costs 45 ns for GCM
 * and 100 ns for a mask, hardly more than finding a kept one, and no key outlives its erasure by more than
 * the next call. Seeds and secrets are wiped from the arena as soon as they were used.
 *
 * Not for two threads: each opens its own. What is made here lives as long as the process.
 */
import { noble } from '../../core/crypto/noble.ts'
import {
  type Aead,
  AGREEMENT_BYTES,
  type Crypto,
  type KeyAgreement,
  NONCE_BYTES,
  PSEUDORANDOM_KEY_BYTES,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  type Signatures,
  TAG_BYTES,
} from '../../core/crypto/ports.ts'
import {
  checkMask,
  checkSeal,
  checkSecret,
  checkSeed,
  isAdmissible,
  isAgreeable,
  mayOpen,
} from '../../core/crypto/rules.ts'
import { assert } from '../../core/errors.ts'
import { type Handle, type Koffi, lend, openEvp, SHORT_BYTES, type Slot } from './evp.ts'
import { hkdfOver } from './hkdf.ts'
import { KeptKeys } from './kept-keys.ts'

// From OpenSSL's headers evp.h and obj_mac.h, where they never change.
const CTRL_AEAD_GET_TAG = 0x10
const CTRL_AEAD_SET_TAG = 0x11
const PKEY_X25519 = 1034
const PKEY_ED25519 = 1087

const AES_KEY_BYTES = 32
const BLOCK_BYTES = 16
const SIZE_BYTES = 8

type OpenEvp = ReturnType<typeof openEvp>

/** Throws an Error that names what is missing: koffi, its binary for this platform, or a function. */
export function openOpenssl(loadKoffi?: () => Koffi): Crypto {
  const evp = openEvp(loadKoffi)
  return {
    hash: noble.hash,
    signatures: createSignatures(evp),
    aead: createAead(evp),
    agreement: createAgreement(evp),
    kdf: hkdfOver(createHmac(evp)),
  }
}

/** A call failed that cannot, short of memory that ran out. */
function expect(worked: boolean, what: string): asserts worked {
  assert(worked, `OpenSSL could not ${what}`)
}

function made(handle: Handle, what: string): bigint {
  expect(handle !== null, what)
  return handle
}

function createAead(evp: OpenEvp): Aead {
  const { arena } = evp
  const cipher = made(evp.EVP_aes_256_gcm(), 'name AES-256-GCM')
  const sealing = made(evp.EVP_CIPHER_CTX_new(), 'make a context')
  const opening = made(evp.EVP_CIPHER_CTX_new(), 'make a context')
  expect(evp.EVP_EncryptInit_ex(sealing, cipher, null, null, null) === 1, 'start AES-256-GCM')
  expect(evp.EVP_DecryptInit_ex(opening, cipher, null, null, null) === 1, 'start AES-256-GCM')
  const keySlot = arena.slot(AES_KEY_BYTES)
  const nonceSlot = arena.slot(NONCE_BYTES)
  const tagSlot = arena.slot(TAG_BYTES)
  const headerSlot = arena.slot(SHORT_BYTES)
  const inSlot = arena.slot(SHORT_BYTES)
  const outSlot = arena.slot(SHORT_BYTES)
  const written = arena.slot(SIZE_BYTES).address
  const key = keySlot.address
  const nonce = nonceSlot.address
  const tag = tagSlot.address

  return {
    // HOT PATH
    seal(keyBytes, nonceBytes, header, plain, out) {
      checkSeal(keyBytes, nonceBytes, plain, out)
      const length = plain.length
      const short = length <= SHORT_BYTES
      keySlot.bytes.set(keyBytes)
      nonceSlot.bytes.set(nonceBytes)
      const text = lend(inSlot, plain)
      const target = short ? outSlot.address : out
      const aad = lend(headerSlot, header)
      const worked =
        evp.EVP_EncryptInit_ex(sealing, null, null, key, nonce) === 1 &&
        (header.length === 0 || evp.EVP_EncryptUpdate(sealing, null, written, aad, header.length) === 1) &&
        (length === 0 || evp.EVP_EncryptUpdate(sealing, target, written, text, length) === 1) &&
        evp.EVP_EncryptFinal_ex(sealing, outSlot.address, written) === 1 &&
        evp.EVP_CIPHER_CTX_ctrl(sealing, CTRL_AEAD_GET_TAG, TAG_BYTES, tag) === 1
      expect(worked, 'seal')
      if (short) copy(outSlot, length, out, 0)
      copy(tagSlot, TAG_BYTES, out, length)
    },

    // HOT PATH
    open(keyBytes, nonceBytes, header, sealed, out) {
      if (!mayOpen(keyBytes, nonceBytes, sealed, out)) return false
      const length = out.length
      const short = length <= SHORT_BYTES
      keySlot.bytes.set(keyBytes)
      nonceSlot.bytes.set(nonceBytes)
      for (let at = 0; at < TAG_BYTES; at++) tagSlot.bytes[at] = sealed[length + at] as number
      if (short) for (let at = 0; at < length; at++) inSlot.bytes[at] = sealed[at] as number
      const text = short ? inSlot.address : sealed
      const target = short ? outSlot.address : out
      const aad = lend(headerSlot, header)
      const worked =
        evp.EVP_DecryptInit_ex(opening, null, null, key, nonce) === 1 &&
        evp.EVP_CIPHER_CTX_ctrl(opening, CTRL_AEAD_SET_TAG, TAG_BYTES, tag) === 1 &&
        (header.length === 0 || evp.EVP_DecryptUpdate(opening, null, written, aad, header.length) === 1) &&
        (length === 0 || evp.EVP_DecryptUpdate(opening, target, written, text, length) === 1)
      expect(worked, 'open')
      if (evp.EVP_DecryptFinal_ex(opening, outSlot.address, written) !== 1) {
        // Node reads the same queue of errors and would report this one as its own.
        evp.ERR_clear_error()
        out.fill(0)
        return false
      }
      if (short) copy(outSlot, length, out, 0)
      return true
    },

    mask: createMask(evp),
  }
}

function copy(from: Slot, length: number, to: Uint8Array, offset: number): void {
  for (let at = 0; at < length; at++) to[offset + at] = from.bytes[at] as number
}

function createMask(evp: OpenEvp): Aead['mask'] {
  const { arena } = evp
  const context = made(evp.EVP_CIPHER_CTX_new(), 'make a context')
  const cipher = made(evp.EVP_aes_256_ecb(), 'name AES-256-ECB')
  expect(evp.EVP_EncryptInit_ex(context, cipher, null, null, null) === 1, 'start AES-256-ECB')
  const keySlot = arena.slot(AES_KEY_BYTES)
  const inSlot = arena.slot(BLOCK_BYTES)
  const outSlot = arena.slot(BLOCK_BYTES)
  const written = arena.slot(SIZE_BYTES).address

  // HOT PATH
  return (key, block, out) => {
    checkMask(key, block, out)
    keySlot.bytes.set(key)
    inSlot.bytes.set(block)
    const worked =
      evp.EVP_EncryptInit_ex(context, null, null, keySlot.address, null) === 1 &&
      evp.EVP_EncryptUpdate(context, outSlot.address, written, inSlot.address, BLOCK_BYTES) === 1
    expect(worked, 'mask')
    copy(outSlot, NONCE_BYTES, out, 0)
  }
}

/** Where a function is told how much room there is, and tells how much it used: a size_t. */
class SizeSlot {
  readonly address: bigint
  readonly #value: BigUint64Array

  constructor(evp: OpenEvp) {
    const { bytes, address } = evp.arena.slot(SIZE_BYTES)
    this.address = address
    this.#value = new BigUint64Array(bytes.buffer, bytes.byteOffset, 1)
  }

  set(size: number): void {
    this.#value[0] = BigInt(size)
  }
}

function createSignatures(evp: OpenEvp): Signatures {
  const { arena } = evp
  const context = made(evp.EVP_MD_CTX_new(), 'make a context')
  const seedSlot = arena.slot(PUBLIC_KEY_BYTES)
  const keySlot = arena.slot(PUBLIC_KEY_BYTES)
  const signatureSlot = arena.slot(SIGNATURE_BYTES)
  const messageSlot = arena.slot(SHORT_BYTES)
  const size = new SizeSlot(evp)
  const signingKeys = new KeptKeys<bigint>(
    (seed) => privateKey(evp, PKEY_ED25519, seedSlot, seed),
    (key) => evp.EVP_PKEY_free(key),
  )

  function holds(key: Handle, message: Uint8Array): boolean {
    return (
      key !== null &&
      evp.EVP_DigestVerifyInit(context, null, null, null, key) === 1 &&
      evp.EVP_DigestVerify(
        context,
        signatureSlot.address,
        SIGNATURE_BYTES,
        lend(messageSlot, message),
        message.length,
      ) === 1
    )
  }

  return {
    publicKey(seed) {
      checkSeed(seed)
      return publicBytes(evp, signingKeys.of(seed), keySlot, size)
    },

    sign(seed, message) {
      checkSeed(seed)
      const key = signingKeys.of(seed)
      size.set(SIGNATURE_BYTES)
      const text = lend(messageSlot, message)
      const worked =
        evp.EVP_DigestSignInit(context, null, null, null, key) === 1 &&
        evp.EVP_DigestSign(context, signatureSlot.address, size.address, text, message.length) === 1
      expect(worked, 'sign')
      // The context holds on to the key until it is reset.
      evp.EVP_MD_CTX_reset(context)
      return signatureSlot.bytes.slice()
    },

    verify(publicKey, message, signature) {
      if (!isAdmissible(publicKey, signature)) return false
      keySlot.bytes.set(publicKey)
      signatureSlot.bytes.set(signature)
      const key = evp.EVP_PKEY_new_raw_public_key(PKEY_ED25519, null, keySlot.address, PUBLIC_KEY_BYTES)
      const valid = holds(key, message)
      evp.EVP_MD_CTX_reset(context)
      evp.EVP_PKEY_free(key)
      if (!valid) evp.ERR_clear_error()
      return valid
    },
  }
}

/** To be freed by the caller. The slot is wiped. */
function privateKey(evp: OpenEvp, type: number, slot: Slot, secret: Uint8Array): bigint {
  slot.bytes.set(secret)
  const key = evp.EVP_PKEY_new_raw_private_key(type, null, slot.address, secret.length)
  slot.bytes.fill(0)
  return made(key, 'take a private key')
}

function publicBytes(evp: OpenEvp, key: bigint, slot: Slot, size: SizeSlot): Uint8Array {
  size.set(PUBLIC_KEY_BYTES)
  expect(evp.EVP_PKEY_get_raw_public_key(key, slot.address, size.address) === 1, 'compute a public key')
  return slot.bytes.slice()
}

function createAgreement(evp: OpenEvp): KeyAgreement {
  const { arena } = evp
  const secretSlot = arena.slot(AGREEMENT_BYTES)
  const publicSlot = arena.slot(AGREEMENT_BYTES)
  const size = new SizeSlot(evp)

  /** Leaves the shared secret in the secret's slot. */
  function derive(key: bigint, peer: Handle): boolean {
    const context = evp.EVP_PKEY_CTX_new(key, null)
    size.set(AGREEMENT_BYTES)
    const worked =
      context !== null &&
      peer !== null &&
      evp.EVP_PKEY_derive_init(context) === 1 &&
      evp.EVP_PKEY_derive_set_peer(context, peer) === 1 &&
      evp.EVP_PKEY_derive(context, secretSlot.address, size.address) === 1
    evp.EVP_PKEY_CTX_free(context)
    return worked
  }

  return {
    publicKey(secret) {
      checkSecret(secret)
      const key = privateKey(evp, PKEY_X25519, secretSlot, secret)
      const bytes = publicBytes(evp, key, publicSlot, size)
      evp.EVP_PKEY_free(key)
      return bytes
    },

    shared(secret, publicKey) {
      checkSecret(secret)
      if (!isAgreeable(publicKey)) return undefined
      const key = privateKey(evp, PKEY_X25519, secretSlot, secret)
      publicSlot.bytes.set(publicKey)
      const peer = evp.EVP_PKEY_new_raw_public_key(PKEY_X25519, null, publicSlot.address, AGREEMENT_BYTES)
      const worked = derive(key, peer)
      evp.EVP_PKEY_free(peer)
      evp.EVP_PKEY_free(key)
      expect(worked, 'agree on a secret')
      const shared = secretSlot.bytes.slice()
      secretSlot.bytes.fill(0)
      return shared
    },
  }
}

function createHmac(evp: OpenEvp): (key: Uint8Array, message: Uint8Array) => Uint8Array {
  const { arena } = evp
  const digest = made(evp.EVP_sha256(), 'name SHA-256')
  const keySlot = arena.slot(SHORT_BYTES)
  const messageSlot = arena.slot(SHORT_BYTES)
  const outSlot = arena.slot(PSEUDORANDOM_KEY_BYTES)

  return (key, message) => {
    const keyAt = lend(keySlot, key)
    const messageAt = lend(messageSlot, message)
    const out = evp.HMAC(digest, keyAt, key.length, messageAt, message.length, outSlot.address, null)
    expect(out !== null, 'compute an HMAC')
    const bytes = outSlot.bytes.slice()
    for (const slot of [keySlot, messageSlot, outSlot]) slot.bytes.fill(0)
    return bytes
  }
}
