/**
 * Whether a provider computes what it should, on this machine, with this build of its library: known
 * answers for each function of the ports, keys in turn (a context that kept the last one would show), and
 * the refusals in which libraries differ. Takes about a millisecond; test/contract and test/vectors are
 * the thorough version.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import { hex, unhex } from '../../core/ids.ts'

/** McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 14 and 16. */
const GCM_ZEROS = {
  key: '00'.repeat(32),
  nonce: '00'.repeat(12),
  header: '',
  plain: '00'.repeat(16),
  sealed: 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
}
const GCM_HEADER = {
  key: 'feffe9928665731c6d6a8f9467308308'.repeat(2),
  nonce: 'cafebabefacedbaddecaf888',
  header: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
  plain:
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  sealed:
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
    '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
}

/** FIPS 197, appendix C.3. */
const BLOCK = {
  key: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
  plain: '00112233445566778899aabbccddeeff',
  masked: '8ea2b7ca516745bfeafc4990',
}

/** RFC 8032, section 7.1, test 3. */
const SIGNED = {
  seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
  publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
  message: 'af82',
  signature:
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
    '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
}

/** Valid where the cofactored equation is used: "Taming the many EdDSAs" (IACR 2020/1244), case 4. */
const COFACTORED = {
  message: 'e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c',
  publicKey: 'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d',
  signature:
    '160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512' +
    '5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09',
}

/** RFC 7748, section 6.1. */
const AGREED = {
  secret: '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
  publicKey: '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
  peer: 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
  shared: '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
}

/** RFC 5869, appendix A.1. */
const DERIVED = {
  salt: '000102030405060708090a0b0c',
  material: '0b'.repeat(22),
  key: '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
  info: 'f0f1f2f3f4f5f6f7f8f9',
  bytes: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
}

/** BLAKE3 of the byte 0, from the official test vectors. */
const HASHED = '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'
const HASHED_KEYED = '6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b'
const HASH_KEY = '77686174732074686520456c7669736820776f726420666f7220667269656e64'

type Check = readonly [what: string, holds: (crypto: Crypto) => boolean]

const CHECKS: readonly Check[] = [
  ['hashing', hashes],
  ['sealing', seals],
  ['refusing a changed packet', refusesChanges],
  ['masking', masks],
  ['signing', signs],
  ['refusing a signature', refusesSignatures],
  ['key agreement', agrees],
  ['key derivation', derives],
]

/** Undefined if all is well, otherwise what is wrong, to follow the name of a provider. Throws nothing. */
export function selfTest(crypto: Crypto): string | undefined {
  for (const [what, holds] of CHECKS) {
    try {
      if (!holds(crypto)) return `gave a wrong answer in ${what}`
    } catch (error) {
      return `failed in ${what}: ${error instanceof Error ? error.message : error}`
    }
  }
  return undefined
}

function hashes({ hash }: Crypto): boolean {
  const input = new Uint8Array(1)
  return (
    hex(hash.hash32(input)) === HASHED &&
    hex(hash.hash16(input)) === HASHED.slice(0, 32) &&
    hex(hash.keyed32(unhex(HASH_KEY), input)) === HASHED_KEYED
  )
}

function sealed({ aead }: Crypto, vector: typeof GCM_HEADER): string {
  const out = new Uint8Array(vector.sealed.length / 2)
  const { key, nonce, header, plain } = vector
  aead.seal(unhex(key), unhex(nonce), unhex(header), unhex(plain), out)
  return hex(out)
}

/** The plain text, or undefined if it was refused. */
function opened({ aead }: Crypto, vector: typeof GCM_HEADER): string | undefined {
  const out = new Uint8Array(vector.plain.length / 2)
  const { key, nonce, header } = vector
  return aead.open(unhex(key), unhex(nonce), unhex(header), unhex(vector.sealed), out) ? hex(out) : undefined
}

function seals(crypto: Crypto): boolean {
  // The first one again at the end: whatever a context keeps must not show.
  return [GCM_ZEROS, GCM_HEADER, GCM_ZEROS].every(
    (vector) => sealed(crypto, vector) === vector.sealed && opened(crypto, vector) === vector.plain,
  )
}

function refusesChanges(crypto: Crypto): boolean {
  const { header, nonce, key } = GCM_HEADER
  const changed = [
    { ...GCM_HEADER, header: `ff${header.slice(2)}` },
    { ...GCM_HEADER, nonce: `ff${nonce.slice(2)}` },
    { ...GCM_HEADER, key: `ff${key.slice(2)}` },
    { ...GCM_HEADER, sealed: `${GCM_HEADER.sealed.slice(0, -2)}ff` },
    { ...GCM_HEADER, sealed: `ff${GCM_HEADER.sealed.slice(2)}` },
  ]
  // One that opens at the end: a refusal must not spoil what comes after it.
  return (
    changed.every((vector) => opened(crypto, vector) === undefined) &&
    opened(crypto, GCM_HEADER) === GCM_HEADER.plain
  )
}

function masks({ aead }: Crypto): boolean {
  const out = new Uint8Array(BLOCK.masked.length / 2)
  aead.mask(unhex(BLOCK.key), unhex(BLOCK.plain), out)
  return hex(out) === BLOCK.masked
}

function signs({ signatures }: Crypto): boolean {
  const { seed, publicKey, message, signature } = SIGNED
  return (
    hex(signatures.publicKey(unhex(seed))) === publicKey &&
    hex(signatures.sign(unhex(seed), unhex(message))) === signature &&
    signatures.verify(unhex(publicKey), unhex(message), unhex(signature))
  )
}

function refusesSignatures({ signatures }: Crypto): boolean {
  const { publicKey, message, signature } = SIGNED
  const other = `ff${message}`
  return (
    !signatures.verify(unhex(publicKey), unhex(other), unhex(signature)) &&
    !signatures.verify(unhex(COFACTORED.publicKey), unhex(COFACTORED.message), unhex(COFACTORED.signature)) &&
    signatures.verify(unhex(publicKey), unhex(message), unhex(signature))
  )
}

function agrees({ agreement }: Crypto): boolean {
  const secret = unhex(AGREED.secret)
  const shared = agreement.shared(secret, unhex(AGREED.peer))
  return (
    hex(agreement.publicKey(secret)) === AGREED.publicKey &&
    shared !== undefined &&
    hex(shared) === AGREED.shared &&
    agreement.shared(secret, new Uint8Array(32)) === undefined
  )
}

function derives({ kdf }: Crypto): boolean {
  const key = kdf.extract(unhex(DERIVED.salt), unhex(DERIVED.material))
  const bytes = kdf.expand(key, unhex(DERIVED.info), DERIVED.bytes.length / 2)
  return hex(key) === DERIVED.key && hex(bytes) === DERIVED.bytes
}
