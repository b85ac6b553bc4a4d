/**
 * The ciphersuites of ts-mls made reproducible, strict and quick: every draw comes from the entropy of the
 * job, signatures are judged by the project's one predicate (sec:M10), and the many small hashes of the key
 * schedule are computed here instead of by WebCrypto, which takes twice the processor time. HPKE and AEAD
 * stay with @hpke/core and WebCrypto. Knows no groups.
 */
import { Aes128Gcm, Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, HkdfSha512 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { equalBytes } from '@noble/ciphers/utils.js'
import { expand, extract } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import type { CHash } from '@noble/hashes/utils.js'
import {
  type CiphersuiteImpl,
  type CiphersuiteName,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  type Hpke,
  type Kdf,
  type Hash as MlsHash,
  type PublicKey,
  type Signature,
} from 'ts-mls'
import { assert } from '../errors.ts'
import { concat, hex, sameBytes, utf8 } from '../ids.ts'
import { writeU32 } from '../wire/cursor.ts'
import { type EngineCrypto, SUITE, type Suite } from './engine.ts'

export const SUITE_NAMES: Readonly<Record<Suite, CiphersuiteName>> = {
  [SUITE.x25519]: 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519',
  [SUITE.xwing]: 'MLS_256_XWING_AES256GCM_SHA512_Ed25519',
}

const HASHES: Readonly<Record<Suite, CHash>> = { [SUITE.x25519]: sha256, [SUITE.xwing]: sha512 }

/** Keying material of one encapsulation: X-Wing takes exactly these, X25519 derives its key from them. */
const ENCAPSULATION_BYTES = 64
const BLOCK_BYTES = 32
const NONE = new Uint8Array(0)

/** What is the same for all jobs of a suite; costs some milliseconds the first time. */
export interface LoadedSuite {
  readonly suite: Suite
  readonly library: CiphersuiteImpl
  readonly sealer: CipherSuite
}

export async function loadSuite(suite: Suite): Promise<LoadedSuite> {
  const library = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAMES[suite]))
  const sealer =
    suite === SUITE.x25519
      ? new CipherSuite({
          kem: new DhkemX25519HkdfSha256(),
          kdf: new HkdfSha256(),
          aead: new Aes128Gcm(),
        })
      : new CipherSuite({ kem: new XWing(), kdf: new HkdfSha512(), aead: new Aes256Gcm() })
  return { suite, library, sealer }
}

/** What a job works with. */
export interface Workshop {
  readonly loaded: LoadedSuite
  readonly cs: CiphersuiteImpl
  readonly crypto: EngineCrypto
}

/** A suite for one job: with `entropy` undefined a draw is our own fault. */
export function suiteFor(
  loaded: LoadedSuite,
  crypto: EngineCrypto,
  entropy: Uint8Array | undefined,
): CiphersuiteImpl {
  const { suite, library } = loaded
  const draws = new Draws(crypto, entropy)
  return {
    name: library.name,
    hash: hashOf(HASHES[suite]),
    kdf: kdfOf(HASHES[suite]),
    signature: signatureOf(crypto, draws),
    hpke: hpkeOf(loaded, draws),
    rng: { randomBytes: (length) => draws.next(length) },
  }
}

/** Bytes from the entropy of one job, under two names that never meet: in order, and by purpose. */
class Draws {
  readonly #crypto: EngineCrypto
  readonly #entropy: Uint8Array | undefined
  #drawn = 0

  constructor(crypto: EngineCrypto, entropy: Uint8Array | undefined) {
    this.#crypto = crypto
    this.#entropy = entropy
  }

  /** The next bytes. Only for what ts-mls draws one after the other. */
  next(length: number): Uint8Array {
    const place = new Uint8Array(4)
    writeU32(place, 0, this.#drawn++)
    return this.#expand('next', place, length)
  }

  /**
   * Bytes for a purpose, whenever it is asked for: ts-mls seals to many at once, and which of its
   * promises comes first is not reproducible.
   */
  for(purpose: readonly Uint8Array[], length: number): Uint8Array {
    const { hash } = this.#crypto
    return this.#expand('for', hash.hash32(concat(...purpose.map((part) => hash.hash32(part)))), length)
  }

  #expand(name: string, input: Uint8Array, length: number): Uint8Array {
    const { hash } = this.#crypto
    const entropy = this.#entropy
    assert(entropy !== undefined, 'an MLS job that has no entropy drew from it')
    const result = new Uint8Array(length)
    for (let at = 0; at < length; at += BLOCK_BYTES) {
      const text = utf8(`peertap mls ${name} ${at / BLOCK_BYTES}\0`)
      const block = hash.keyed32(entropy, concat(text, input))
      result.set(block.subarray(0, Math.min(BLOCK_BYTES, length - at)), at)
    }
    return result
  }
}

function hashOf(hash: CHash): MlsHash {
  return {
    digest: async (data) => hash(data),
    mac: async (key, data) => hmac(hash, key, data),
    verifyMac: async (key, mac, data) => equalBytes(hmac(hash, key, data), mac),
  }
}

function kdfOf(hash: CHash): Kdf {
  return {
    size: hash.outputLen,
    extract: async (salt, material) => extract(hash, material, salt),
    expand: async (key, info, length) => expand(hash, key, info, length),
  }
}

/**
 * Signing keys are 32-byte seeds. Verdicts are remembered for the length of a job: the engine looks into
 * messages before ts-mls does, and a verification is the dearest thing in either.
 */
function signatureOf(crypto: EngineCrypto, draws: Draws): Signature {
  const { hash, signatures } = crypto
  const verdicts = new Map<string, boolean>()
  return {
    sign: async (seed, message) => signatures.sign(seed, message),
    verify: async (publicKey, message, signature) => {
      const key = hex(hash.hash32(concat(hash.hash32(publicKey), hash.hash32(signature), message)))
      const known = verdicts.get(key)
      if (known !== undefined) return known
      const verdict = signatures.verify(publicKey, message, signature)
      verdicts.set(key, verdict)
      return verdict
    },
    keygen: async () => {
      const signKey = draws.next(BLOCK_BYTES)
      return { signKey, publicKey: signatures.publicKey(signKey) }
    },
  }
}

function hpkeOf(loaded: LoadedSuite, draws: Draws): Hpke {
  const { library, sealer } = loaded
  const { hpke } = library
  return {
    ...hpke,
    generateKeyPair: () => hpke.deriveKeyPair(draws.next(BLOCK_BYTES)),
    seal: async (publicKey, plain, info, aad = NONE) => {
      const recipient = await hpke.exportPublicKey(publicKey)
      const ekm = draws.for([recipient, info, aad, plain], ENCAPSULATION_BYTES)
      return sealWith(sealer, publicKey, plain, info, aad, ekm)
    },
    // Only external commits encapsulate for an export; none is ever made here (sec:M8).
    exportSecret: () => Promise.reject(new Error('external commits are not made')),
  }
}

async function sealWith(
  sealer: CipherSuite,
  recipientPublicKey: PublicKey,
  plain: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  ekm: Uint8Array,
): Promise<{ ct: Uint8Array; enc: Uint8Array }> {
  const sealed = await sealer.seal(
    { recipientPublicKey, info: bufferOf(info), ekm: bufferOf(ekm) },
    bufferOf(plain),
    bufferOf(aad),
  )
  return { ct: new Uint8Array(sealed.ct), enc: new Uint8Array(sealed.enc) }
}

/** An ArrayBuffer of exactly these bytes. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer
}

const PROBE = utf8('peertap probe')
const PROBE_EKM = new Uint8Array(ENCAPSULATION_BYTES).fill(1)

/**
 * True if something can be sealed to the key, and, where the private key is given, if it opens that. A key
 * of small order or a malformed one in the tree would make every later commit of others fail.
 */
export async function keyWorks(
  loaded: LoadedSuite,
  publicKey: Uint8Array,
  privateKey?: Uint8Array,
): Promise<boolean> {
  const { hpke } = loaded.library
  try {
    const recipient = await hpke.importPublicKey(publicKey)
    const { ct, enc } = await sealWith(loaded.sealer, recipient, PROBE, NONE, NONE, PROBE_EKM)
    if (privateKey === undefined) return true
    const opened = await hpke.open(await hpke.importPrivateKey(privateKey), enc, ct, NONE)
    return sameBytes(opened, PROBE)
  } catch {
    return false
  }
}
