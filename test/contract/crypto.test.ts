import { createPrivateKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { openNodeCrypto } from '../../drivers/crypto/node-crypto.ts'
import { openOpenssl } from '../../drivers/crypto/openssl.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { cryptoContract } from './crypto.ts'
import { realCryptoContract } from './crypto-real.ts'

const PROVIDERS: readonly [name: string, crypto: Crypto][] = [
  ['noble', noble],
  ['node-crypto', openNodeCrypto()],
  ['openssl', openOpenssl()],
]

cryptoContract('stand-in', standInCrypto)
for (const [name, crypto] of PROVIDERS) {
  cryptoContract(name, crypto)
  realCryptoContract(name, crypto)
}

/** Lengths on both sides of what the fast provider copies and what it hands over where it lies. */
const length = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 200 }) },
  fc.constantFrom(0, 63, 64, 65, 1_500, 65_536),
)
const bytesOf = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
/** A view into a larger array, at any alignment. */
const view = fc
  .tuple(length, fc.nat(9), fc.nat(255))
  .map(([size, shift, first]) =>
    Uint8Array.from({ length: shift + size }, (_, at) => at * 7 + first).subarray(shift),
  )

describe.each(PROVIDERS.slice(1))('%s gives the same bytes as noble', (_, crypto) => {
  test('sealing, opening and masking', () => {
    fc.assert(
      fc.property(bytesOf(32), bytesOf(12), view, view, fc.nat(9), (key, nonce, header, plain, shift) => {
        const expected = new Uint8Array(plain.length + 16)
        noble.aead.seal(key, nonce, header, plain, expected)
        const around = new Uint8Array(shift + expected.length + shift).fill(0xaa)
        const sealed = around.subarray(shift, shift + expected.length)
        crypto.aead.seal(key, nonce, header, plain, sealed)
        expect(Buffer.compare(sealed, expected)).toBe(0)
        const opened = new Uint8Array(plain.length)
        expect(crypto.aead.open(key, nonce, header, sealed, opened)).toBe(true)
        expect(Buffer.compare(opened, plain)).toBe(0)
        expect(around.subarray(0, shift)).toEqual(new Uint8Array(shift).fill(0xaa))
        expect(around.subarray(shift + expected.length)).toEqual(new Uint8Array(shift).fill(0xaa))

        const masks = [new Uint8Array(14), new Uint8Array(14)] as const
        noble.aead.mask(key, expected.subarray(-16), masks[0])
        crypto.aead.mask(key, expected.subarray(-16), masks[1])
        expect(masks[1]).toEqual(masks[0])
      }),
      { numRuns: 60 },
    )
  })

  test('signing and verifying', () => {
    fc.assert(
      fc.property(bytesOf(32), view, (seed, message) => {
        const signature = crypto.signatures.sign(seed, message)
        expect(signature).toEqual(noble.signatures.sign(seed, message))
        expect(Object.getPrototypeOf(signature)).toBe(Uint8Array.prototype)
        const key = crypto.signatures.publicKey(seed)
        expect(key).toEqual(noble.signatures.publicKey(seed))
        expect(crypto.signatures.verify(key, message, signature)).toBe(true)
        expect(noble.signatures.verify(key, message, signature)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  test('agreeing and deriving', () => {
    fc.assert(
      fc.property(bytesOf(32), bytesOf(32), view, view, fc.nat(200), (secret, peer, salt, info, size) => {
        expect(crypto.agreement.publicKey(secret)).toEqual(noble.agreement.publicKey(secret))
        const shared = crypto.agreement.shared(secret, peer)
        expect(shared).toEqual(noble.agreement.shared(secret, peer))
        const key = crypto.kdf.extract(salt, info)
        expect(key).toEqual(noble.kdf.extract(salt, info))
        expect(crypto.kdf.expand(key, info, size)).toEqual(noble.kdf.expand(key, info, size))
      }),
      { numRuns: 20 },
    )
  })
})

describe('openssl', () => {
  test('refusals leave no error behind for node:crypto to find', () => {
    const { aead, signatures } = openOpenssl()
    const seed = new Uint8Array(32).fill(7)
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
    for (let count = 0; count < 20; count++) {
      const text = new Uint8Array(40).fill(count)
      expect(aead.open(seed, seed.subarray(0, 12), seed, text, new Uint8Array(24))).toBe(false)
      expect(signatures.verify(signatures.publicKey(seed), seed, signatures.sign(seed, text))).toBe(false)
      // Not the encoding of any point: there is none with y = 7.
      const nowhere = Uint8Array.of(7, ...new Uint8Array(31))
      expect(signatures.verify(nowhere, seed, signatures.sign(seed, text))).toBe(false)
      expect(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).type).toBe('private')
    }
  })

  test('two of them in one thread do not disturb each other', () => {
    const [left, right] = [openOpenssl(), openOpenssl()]
    const key = new Uint8Array(32).fill(1)
    const nonce = new Uint8Array(12)
    const sealed = [new Uint8Array(80), new Uint8Array(80)] as const
    left.aead.seal(key, nonce, key, new Uint8Array(64), sealed[0])
    right.aead.seal(nonce.length > 0 ? new Uint8Array(32) : key, nonce, key, new Uint8Array(64), sealed[1])
    expect(sealed[0]).not.toEqual(sealed[1])
    expect(right.aead.open(key, nonce, key, sealed[0], new Uint8Array(64))).toBe(true)
    expect(left.aead.open(key, nonce, key, sealed[1], new Uint8Array(64))).toBe(false)
  })
})
