/**
 * Cryptography as the core sees it: five synchronous ports. `core/crypto/noble.ts` is the real thing in
 * plain JavaScript, drivers have faster providers, and `core/crypto/rules.ts` is what all of them refuse;
 * the simulator has a fast stand-in of the same sizes that still fails on a wrong key or a changed byte.
 */

export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64
export const TAG_BYTES = 16
export const NONCE_BYTES = 12
/** Secrets, public keys and shared secrets of X25519. */
export const AGREEMENT_BYTES = 32
/** What HKDF-Extract gives and HKDF-Expand takes: one SHA-256. */
export const PSEUDORANDOM_KEY_BYTES = 32
/** RFC 5869, section 2.3: 255 blocks of SHA-256, as the block counter is one byte. */
export const EXPANDED_BYTES_MAX = 8_160

export interface Hash {
  /** BLAKE3 with 16 bytes of output. */
  hash16(input: Uint8Array): Uint8Array
  /** BLAKE3 with 32 bytes of output. */
  hash32(input: Uint8Array): Uint8Array
  /** BLAKE3 keyed mode, 32-byte key, 32 bytes of output. */
  keyed32(key: Uint8Array, input: Uint8Array): Uint8Array
}

export interface Signatures {
  /** Ed25519 public key of a 32-byte seed (RFC 8032, section 5.1.5). */
  publicKey(seed: Uint8Array): Uint8Array
  /** 64 bytes. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array
  /** False for any malformed input; never throws. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
}

/** AES-256-GCM with a 16-byte tag, and the one AES block that masks nonces (sec:A3). */
export interface Aead {
  /** Writes ciphertext then tag into `out`, which has plain.length + 16 bytes. */
  seal(key: Uint8Array, nonce: Uint8Array, header: Uint8Array, plain: Uint8Array, out: Uint8Array): void
  /**
   * Writes the plain text into `out` (sealed.length − 16 bytes). False if the tag does not fit, and then
   * `out` is all zeros, or if there are fewer bytes than a tag has.
   */
  open(key: Uint8Array, nonce: Uint8Array, header: Uint8Array, sealed: Uint8Array, out: Uint8Array): boolean
  /** Twelve bytes of AES-256-ECB(key, block16) into `out`. */
  mask(key: Uint8Array, block: Uint8Array, out: Uint8Array): void
}

/** X25519 (RFC 7748, section 5). A secret of another length than 32 bytes is an InvariantError. */
export interface KeyAgreement {
  /** The public key of any 32 bytes, which are clamped as the RFC says. */
  publicKey(secret: Uint8Array): Uint8Array
  /**
   * 32 bytes that the holder of the other secret computes too. Undefined for a public key of another
   * length, or one of low order, with which every secret gives zeros (sec:M10). The top bit is ignored
   * and a coordinate of p or above is reduced, as RFC 7748 demands: several encodings name one key.
   */
  shared(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined
}

/** HKDF over SHA-256 (RFC 5869). */
export interface Kdf {
  /** 32 bytes. An empty salt is the RFC's absent one. */
  extract(salt: Uint8Array, keyMaterial: Uint8Array): Uint8Array
  /**
   * `length` bytes, at most EXPANDED_BYTES_MAX, from a key of 32 bytes. Any other length of either is an
   * InvariantError.
   */
  expand(pseudorandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array
}

export interface Crypto {
  readonly hash: Hash
  readonly signatures: Signatures
  readonly aead: Aead
  readonly agreement: KeyAgreement
  readonly kdf: Kdf
}
