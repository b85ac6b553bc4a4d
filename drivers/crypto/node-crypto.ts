/**
 * Cryptography by node:crypto, for where its OpenSSL cannot be called directly (drivers/crypto/openssl.ts):
 * the same verdicts at several times the price, most of it for the objects made for each call. BLAKE3 is
 * not in OpenSSL and stays with noble.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { noble } from '../../core/crypto/noble.ts'
import {
  type Aead,
  type Crypto,
  type KeyAgreement,
  NONCE_BYTES,
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
import { hkdfOver } from './hkdf.ts'
import { KeptKeys } from './kept-keys.ts'

type Curve = 'ed25519' | 'x25519'

/** Node refuses tags of other lengths only if it is told this one. */
const SEALING = { authTagLength: TAG_BYTES } as const

function privateKey(curve: Curve, secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: secret, format: 'raw-private', asymmetricKeyType: curve })
}

function publicKey(curve: Curve, bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: bytes, format: 'raw-public', asymmetricKeyType: curve })
}

function publicBytes(key: KeyObject): Uint8Array {
  return plainBytes(createPublicKey(key).export({ format: 'raw-public' }))
}

/** A copy that is no Buffer and keeps no pool of them alive. */
function plainBytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer)
}

function createSignatures(): Signatures {
  const signingKeys = new KeptKeys(
    (seed) => privateKey('ed25519', seed),
    () => {},
  )
  return {
    publicKey(seed) {
      checkSeed(seed)
      return publicBytes(signingKeys.of(seed))
    },

    sign(seed, message) {
      checkSeed(seed)
      return plainBytes(sign(null, message, signingKeys.of(seed)))
    },

    verify(key, message, signature) {
      return isAdmissible(key, signature) && verify(null, message, publicKey('ed25519', key), signature)
    },
  }
}

const aead: Aead = {
  seal(key, nonce, header, plain, out) {
    checkSeal(key, nonce, plain, out)
    const cipher = createCipheriv('aes-256-gcm', key, nonce, SEALING).setAAD(header)
    out.set(cipher.update(plain))
    cipher.final()
    out.set(cipher.getAuthTag(), plain.length)
  },

  open(key, nonce, header, sealed, out) {
    if (!mayOpen(key, nonce, sealed, out)) return false
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, SEALING).setAAD(header)
    decipher.setAuthTag(sealed.subarray(out.length))
    out.set(decipher.update(sealed.subarray(0, out.length)))
    try {
      decipher.final()
      return true
    } catch {
      // All else was checked: the tag does not fit.
      out.fill(0)
      return false
    }
  },

  mask(key, block, out) {
    checkMask(key, block, out)
    const masked = createCipheriv('aes-256-ecb', key, null).update(block)
    for (let index = 0; index < NONCE_BYTES; index++) out[index] = masked[index] as number
  },
}

const agreement: KeyAgreement = {
  publicKey(secret) {
    checkSecret(secret)
    return publicBytes(privateKey('x25519', secret))
  },

  shared(secret, peer) {
    checkSecret(secret)
    if (!isAgreeable(peer)) return undefined
    return plainBytes(
      diffieHellman({ privateKey: privateKey('x25519', secret), publicKey: publicKey('x25519', peer) }),
    )
  },
}

/** Throws nothing; what this version of Node cannot do shows in the self-test. */
export function openNodeCrypto(): Crypto {
  const kdf = hkdfOver((key, message) => plainBytes(createHmac('sha256', key).update(message).digest()))
  return { hash: noble.hash, signatures: createSignatures(), aead, agreement, kdf }
}
