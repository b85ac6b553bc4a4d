/**
 * What every real provider of cryptography must do beyond test/contract/crypto.ts: known answers, and one
 * verdict where libraries part (sec:M10). Two providers that pass are interchangeable.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { describe, expect, test } from 'vitest'
import type { Crypto } from '../../core/crypto/ports.ts'
import { InvariantError } from '../../core/errors.ts'
import { hex, unhex } from '../../core/ids.ts'
import {
  AES_256_BLOCK,
  AES_256_GCM,
  AES_256_GCM_FAIL,
  AES_256_GCM_NIST,
  BLAKE3,
  BLAKE3_KEY,
  ED25519,
  ED25519_EDGES,
  type Verdict,
} from '../vectors/known.ts'
import {
  HKDF_SHA256,
  X25519,
  X25519_AGREEMENT,
  X25519_ITERATED,
  X25519_SMALL_ORDER,
} from '../vectors/known-keys.ts'

const { Point } = ed25519
const ORDER = Point.Fn.ORDER
/** Of order eight: all points of small order are its multiples. */
const TORSION = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes.slice().reverse())}`)
}

function scalarBytes(scalar: bigint): Uint8Array {
  return unhex(scalar.toString(16).padStart(64, '0')).reverse()
}

/**
 * A signature over `message` whose key has `keyPart` eighths of a turn beside its honest part, and whose R
 * has `noncePart`. The cofactorless equation holds if nonce part + challenge · key part is a whole turn.
 */
function twisted(keyPart: number, noncePart: number, message: Uint8Array): Verdict {
  const secret = 12_345_678_901_234_567_890n
  const nonce = 98_765_432_109_876_543_210n + BigInt(noncePart)
  const turn = (part: number) => (part === 0 ? Point.ZERO : TORSION.multiply(BigInt(part)))
  const publicKey = Point.BASE.multiply(secret).add(turn(keyPart)).toBytes()
  const commitment = Point.BASE.multiply(nonce).add(turn(noncePart)).toBytes()
  const challenge = littleEndian(sha512(Uint8Array.from([...commitment, ...publicKey, ...message]))) % ORDER
  const scalar = scalarBytes((nonce + challenge * secret) % ORDER)
  return {
    why: `${keyPart}/8 in the key, ${noncePart}/8 in R`,
    publicKey: hex(publicKey),
    message: hex(message),
    signature: hex(commitment) + hex(scalar),
    valid: (BigInt(noncePart) + challenge * BigInt(keyPart)) % 8n === 0n,
  }
}

const PARTS = [0, 1, 2, 3, 4, 5, 6, 7]
const TWISTED = PARTS.flatMap((keyPart) => PARTS.map((nonce) => twisted(keyPart, nonce, Uint8Array.of(9, 9))))

function hashAnswers({ hash }: Crypto): void {
  test.each(BLAKE3)('BLAKE3 of $length bytes: the official vectors', ({ length, hash: whole, keyed }) => {
    const input = Uint8Array.from({ length }, (_, index) => index % 251)
    expect(hex(hash.hash32(input))).toBe(whole)
    expect(hex(hash.hash16(input))).toBe(whole.slice(0, 32))
    expect(hex(hash.keyed32(new TextEncoder().encode(BLAKE3_KEY), input))).toBe(keyed)
  })
}

function signatureAnswers({ signatures }: Crypto): void {
  const verdict = ({ publicKey, message, signature }: Verdict): boolean =>
    signatures.verify(unhex(publicKey), unhex(message), unhex(signature))

  test.each(ED25519)('RFC 8032: $publicKey', ({ seed, publicKey, message, signature }) => {
    expect(hex(signatures.publicKey(unhex(seed)))).toBe(publicKey)
    expect(hex(signatures.sign(unhex(seed), unhex(message)))).toBe(signature)
    expect(signatures.verify(unhex(publicKey), unhex(message), unhex(signature))).toBe(true)
  })

  test.each(ED25519_EDGES)('edge $why', (edge) => {
    expect(verdict(edge)).toBe(edge.valid)
  })

  test('all mixtures with points of small order', () => {
    // Besides the honest one.
    expect(TWISTED.filter(({ valid }) => valid).length).toBeGreaterThan(1)
    for (const each of TWISTED) expect(verdict(each), each.why).toBe(each.valid)
  })

  test('a key or an R of small order fails with any scalar, in any encoding', () => {
    const honest = ED25519[2] as (typeof ED25519)[number]
    const points = PARTS.map((part) =>
      part === 0 ? Point.ZERO.toBytes() : TORSION.multiply(BigInt(part)).toBytes(),
    )
    const signBit = (bytes: Uint8Array) =>
      Uint8Array.from([...bytes.slice(0, 31), (bytes[31] as number) ^ 128])
    for (const bytes of [...points, ...points.map(signBit)]) {
      for (const scalar of [0n, 1n, 8n, ORDER - 1n]) {
        const small = hex(bytes) + hex(scalarBytes(scalar))
        expect(verdict({ ...honest, why: '', valid: false, signature: small })).toBe(false)
        expect(verdict({ ...honest, why: '', valid: false, publicKey: hex(bytes), signature: small })).toBe(
          false,
        )
        expect(verdict({ ...honest, why: '', valid: false, publicKey: hex(bytes) })).toBe(false)
      }
    }
  })

  test('more keys in turn than are kept', () => {
    const message = Uint8Array.of(1, 2, 3)
    const seeds = Array.from({ length: 20 }, (_, index) => new Uint8Array(32).fill(index))
    const first = seeds.map((seed) => hex(signatures.sign(seed, message)))
    expect(new Set(first).size).toBe(20)
    expect(seeds.map((seed) => hex(signatures.sign(seed.slice(), message)))).toEqual(first)
    for (const [index, seed] of seeds.entries()) {
      const signature = unhex(first[index] as string)
      expect(signatures.verify(signatures.publicKey(seed), message, signature)).toBe(true)
      seed.fill(0xff)
    }
    // What was kept is not the caller's array.
    const all = new Set(seeds.map((seed) => hex(signatures.sign(seed, message))))
    expect(all.size).toBe(1)
    expect(first).not.toContain([...all][0])
  })

  test('a seed of another length is our own fault', () => {
    expect(() => signatures.publicKey(new Uint8Array(31))).toThrow(InvariantError)
    expect(() => signatures.sign(new Uint8Array(33), new Uint8Array(1))).toThrow(InvariantError)
  })
}

function aeadAnswers({ aead }: Crypto): void {
  test.each([...AES_256_GCM, ...AES_256_GCM_NIST])('AES-256-GCM: $sealed', (vector) => {
    const [key, nonce, header] = [unhex(vector.key), unhex(vector.nonce), unhex(vector.header)]
    const out = new Uint8Array(vector.sealed.length / 2)
    aead.seal(key, nonce, header, unhex(vector.plain), out)
    expect(hex(out)).toBe(vector.sealed)
    const back = new Uint8Array(vector.plain.length / 2).fill(9)
    expect(aead.open(key, nonce, header, out, back)).toBe(true)
    expect(hex(back)).toBe(vector.plain)
  })

  test.each(AES_256_GCM_FAIL)('does not open: $sealed', ({ key, nonce, header, sealed }) => {
    const out = new Uint8Array(sealed.length / 2 - 16).fill(9)
    expect(aead.open(unhex(key), unhex(nonce), unhex(header), unhex(sealed), out)).toBe(false)
    expect(out).toEqual(new Uint8Array(out.length))
  })

  test('the mask is the first twelve bytes of one block (FIPS 197)', () => {
    const out = new Uint8Array(12)
    aead.mask(unhex(AES_256_BLOCK.key), unhex(AES_256_BLOCK.plain), out)
    expect(hex(out)).toBe(AES_256_BLOCK.cipher.slice(0, 24))
  })

  test('wrong sizes are our own fault', () => {
    const of = (length: number) => new Uint8Array(length)
    expect(() => aead.seal(of(16), of(12), of(0), of(4), of(20))).toThrow(InvariantError)
    expect(() => aead.seal(of(32), of(8), of(0), of(4), of(20))).toThrow(InvariantError)
    expect(() => aead.seal(of(32), of(12), of(0), of(5), of(20))).toThrow(InvariantError)
    expect(() => aead.open(of(31), of(12), of(0), of(20), of(4))).toThrow(InvariantError)
    expect(() => aead.open(of(32), of(13), of(0), of(20), of(4))).toThrow(InvariantError)
    expect(() => aead.open(of(32), of(12), of(0), of(20), of(5))).toThrow(InvariantError)
    expect(() => aead.mask(of(31), of(16), of(12))).toThrow(InvariantError)
    expect(() => aead.mask(of(32), of(15), of(12))).toThrow(InvariantError)
    expect(() => aead.mask(of(32), of(16), of(11))).toThrow(InvariantError)
  })
}

function agreementAnswers({ agreement }: Crypto): void {
  test.each(X25519)('RFC 7748, section 5.2: $result', ({ scalar, coordinate, result }) => {
    expect(hex(agreement.shared(unhex(scalar), unhex(coordinate)) as Uint8Array)).toBe(result)
  })

  test.each(X25519_ITERATED)('RFC 7748, section 5.2: $times in a row', ({ times, result }) => {
    let scalar = Uint8Array.of(9, ...new Uint8Array(31))
    let coordinate = scalar
    for (let count = 0; count < times; count++) {
      const next = agreement.shared(scalar, coordinate) as Uint8Array<ArrayBuffer>
      coordinate = scalar
      scalar = next
    }
    expect(hex(scalar)).toBe(result)
  })

  test('RFC 7748, section 6.1', () => {
    const { alice, alicePublic, bob, bobPublic, shared } = X25519_AGREEMENT
    expect(hex(agreement.publicKey(unhex(alice)))).toBe(alicePublic)
    expect(hex(agreement.publicKey(unhex(bob)))).toBe(bobPublic)
    expect(hex(agreement.shared(unhex(alice), unhex(bobPublic)) as Uint8Array)).toBe(shared)
    expect(hex(agreement.shared(unhex(bob), unhex(alicePublic)) as Uint8Array)).toBe(shared)
  })

  test.each(X25519_SMALL_ORDER)('of small order, gives nothing: %s', (encoding) => {
    const key = unhex(encoding)
    const high = Uint8Array.from([...key.slice(0, 31), (key[31] as number) | 0x80])
    for (const secret of [unhex(X25519_AGREEMENT.alice), new Uint8Array(32), new Uint8Array(32).fill(255)]) {
      expect(agreement.shared(secret, key)).toBeUndefined()
      expect(agreement.shared(secret, high)).toBeUndefined()
    }
  })

  test('coordinates of p and more are reduced, and the top bit does not count', () => {
    const secret = unhex(X25519_AGREEMENT.bob)
    for (const low of [2, 9, 18]) {
      const plain = Uint8Array.of(low, ...new Uint8Array(31))
      const shared = agreement.shared(secret, plain)
      expect(shared).toHaveLength(32)
      const above = new Uint8Array(32).fill(0xff)
      above[0] = 0xed + low
      expect(agreement.shared(secret, above)).toEqual(shared)
      above[31] = 0x7f
      expect(agreement.shared(secret, above)).toEqual(shared)
    }
  })
}

function kdfAnswers({ kdf }: Crypto): void {
  test.each(HKDF_SHA256)('RFC 5869: $key', ({ material, salt, info, key, bytes }) => {
    expect(hex(kdf.extract(unhex(salt), unhex(material)))).toBe(key)
    expect(hex(kdf.expand(unhex(key), unhex(info), bytes.length / 2))).toBe(bytes)
  })

  test('an empty salt is one of 32 zeros', () => {
    const material = unhex('0b0b')
    expect(kdf.extract(new Uint8Array(0), material)).toEqual(kdf.extract(new Uint8Array(32), material))
  })
}

export function realCryptoContract(name: string, crypto: Crypto): void {
  describe(`${name}: known answers`, () => {
    describe('hashes', () => hashAnswers(crypto))
    describe('signatures', () => signatureAnswers(crypto))
    describe('sealing', () => aeadAnswers(crypto))
    describe('key agreement', () => agreementAnswers(crypto))
    describe('key derivation', () => kdfAnswers(crypto))
  })
}
