import { createCipheriv, createHash, createPublicKey, verify as platformVerify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { signedBytes, signNamed, verifyNamed } from '../../core/crypto/signed.ts'
import { InvariantError } from '../../core/errors.ts'
import { hex, unhex } from '../../core/ids.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { AES_256_BLOCK, AES_256_GCM, BLAKE3, BLAKE3_KEY, ED25519, ED25519_EDGES } from '../vectors/known.ts'
import { vectorFiles } from '../vectors/make.ts'

const { hash, signatures, aead } = noble
const { Point } = ed25519
type CurvePoint = InstanceType<typeof Point>

/** The platform's own verdict on an Ed25519 signature; false also where it refuses the key. */
function openssl(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey])
    return platformVerify(
      null,
      message,
      createPublicKey({ key: der, format: 'der', type: 'spki' }),
      signature,
    )
  } catch {
    return false
  }
}

describe('vector files', () => {
  test.each(Object.entries(vectorFiles()))('%s.json is what the protocol computes now', (name, content) => {
    const file = new URL(`../vectors/${name}.json`, import.meta.url)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(content)
  })
})

describe('BLAKE3: the official vectors', () => {
  test.each(BLAKE3)('$length bytes', ({ length, hash: whole, keyed }) => {
    const input = Uint8Array.from({ length }, (_, index) => index % 251)
    expect(hex(hash.hash32(input))).toBe(whole)
    expect(hex(hash.hash16(input))).toBe(whole.slice(0, 32))
    expect(hex(hash.keyed32(new Uint8Array(Buffer.from(BLAKE3_KEY)), input))).toBe(keyed)
  })
})

describe('Ed25519', () => {
  test.each(ED25519)('RFC 8032: $publicKey', ({ seed, publicKey, message, signature }) => {
    expect(hex(signatures.publicKey(unhex(seed)))).toBe(publicKey)
    expect(hex(signatures.sign(unhex(seed), unhex(message)))).toBe(signature)
    expect(signatures.verify(unhex(publicKey), unhex(message), unhex(signature))).toBe(true)
  })

  test.each(ED25519_EDGES)('edge $why', ({ publicKey, message, signature, valid }) => {
    expect(signatures.verify(unhex(publicKey), unhex(message), unhex(signature))).toBe(valid)
  })

  /** A signature by `secret` with R = `nonce`·B plus a small-order point, as no honest signer makes one. */
  function crooked(
    secret: bigint,
    nonce: bigint,
    torsion: CurvePoint,
  ): readonly [Uint8Array, Uint8Array, Uint8Array] {
    const publicKey = Point.BASE.multiply(secret).toBytes()
    const commitment = (nonce === 0n ? Point.ZERO : Point.BASE.multiply(nonce)).add(torsion).toBytes()
    const message = new Uint8Array(Buffer.from('revocation of eve'))
    const digest = Buffer.from(sha512(Buffer.concat([commitment, publicKey, message])))
      .reverse()
      .toString('hex')
    const s = (nonce + (BigInt(`0x${digest}`) % Point.Fn.ORDER) * secret) % Point.Fn.ORDER
    const scalar = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()
    return [publicKey, message, new Uint8Array(Buffer.concat([commitment, scalar]))]
  }

  test('a torsion part in R is refused, where the cofactored check of the library accepts it', () => {
    const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')
    const [publicKey, message, signature] = crooked(
      12_345_678_901_234_567_890n,
      98_765_432_109_876_543_210n,
      torsion,
    )
    expect(ed25519.verify(signature, message, publicKey, { zip215: false })).toBe(true)
    expect(signatures.verify(publicKey, message, signature)).toBe(false)
    expect(openssl(publicKey, message, signature)).toBe(false)
  })

  test('the identity as R is refused, though the equation holds', () => {
    const [publicKey, message, signature] = crooked(1_234_567n, 0n, Point.ZERO)
    expect(ed25519.verify(signature, message, publicKey, { zip215: false })).toBe(true)
    expect(signatures.verify(publicKey, message, signature)).toBe(false)
    expect(openssl(publicKey, message, signature)).toBe(false)
  })

  test('an encoding of s + L is refused', () => {
    const { publicKey, message, signature } = ED25519[2] as (typeof ED25519)[number]
    const s =
      BigInt(`0x${Buffer.from(signature.slice(64), 'hex').reverse().toString('hex')}`) + Point.Fn.ORDER
    const high = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex')
    expect(signatures.verify(unhex(publicKey), unhex(message), unhex(signature.slice(0, 64) + high))).toBe(
      false,
    )
  })

  test('the same verdict as OpenSSL', () => {
    for (const { why, publicKey, message, signature, valid } of ED25519_EDGES) {
      expect(openssl(unhex(publicKey), unhex(message), unhex(signature)), why).toBe(valid)
    }
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 50 }),
        (seed, body) => {
          expect(openssl(signatures.publicKey(seed), body, signatures.sign(seed, body))).toBe(true)
        },
      ),
      { numRuns: 10 },
    )
  })
})

describe('AES-256', () => {
  test.each(AES_256_GCM)('GCM specification: $sealed', ({ key, nonce, header, plain, sealed }) => {
    const out = new Uint8Array(sealed.length / 2)
    aead.seal(unhex(key), unhex(nonce), unhex(header), unhex(plain), out)
    expect(hex(out)).toBe(sealed)
    const back = new Uint8Array(plain.length / 2)
    expect(aead.open(unhex(key), unhex(nonce), unhex(header), out, back)).toBe(true)
    expect(hex(back)).toBe(plain)
  })

  test('the mask is the first twelve bytes of one block (FIPS 197)', () => {
    const out = new Uint8Array(12)
    aead.mask(unhex(AES_256_BLOCK.key), unhex(AES_256_BLOCK.plain), out)
    expect(hex(out)).toBe(AES_256_BLOCK.cipher.slice(0, 24))
  })

  test('the same bytes as the platform', () => {
    const arbitrary = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    fc.assert(
      fc.property(
        arbitrary(32),
        arbitrary(12),
        arbitrary(49),
        fc.uint8Array({ maxLength: 200 }),
        (key, nonce, header, plain) => {
          const out = new Uint8Array(plain.length + 16)
          aead.seal(key, nonce, header, plain, out)
          const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(header)
          const body = Buffer.concat([cipher.update(plain), cipher.final()])
          expect(hex(out)).toBe(Buffer.concat([body, cipher.getAuthTag()]).toString('hex'))
        },
      ),
      { numRuns: 30 },
    )
  })

  test('wrong sizes are our own fault', () => {
    const out = new Uint8Array(20)
    expect(() =>
      aead.seal(new Uint8Array(16), new Uint8Array(12), new Uint8Array(0), new Uint8Array(4), out),
    ).toThrow(InvariantError)
    expect(() =>
      aead.seal(new Uint8Array(32), new Uint8Array(8), new Uint8Array(0), new Uint8Array(4), out),
    ).toThrow(InvariantError)
    expect(() =>
      aead.seal(new Uint8Array(32), new Uint8Array(12), new Uint8Array(0), new Uint8Array(5), out),
    ).toThrow(InvariantError)
  })
})

describe('signed bytes', () => {
  const seed = new Uint8Array(32).fill(5)
  const publicKey = standInCrypto.signatures.publicKey(seed)

  test('name and body stand apart', () => {
    expect(Buffer.from(signedBytes('route', Uint8Array.of(1, 2))).toString('latin1')).toBe(
      'peertap route v1\0\x01\x02',
    )
    expect(signedBytes('route', new Uint8Array(0))).not.toBe(signedBytes('route', new Uint8Array(0)))
  })

  test('what was signed under one name is nothing under another', () => {
    const body = Uint8Array.of(1, 2, 3)
    const signature = signNamed(standInCrypto.signatures, seed, 'beat', body)
    expect(verifyNamed(standInCrypto.signatures, publicKey, 'beat', body, signature)).toBe(true)
    expect(verifyNamed(standInCrypto.signatures, publicKey, 'void', body, signature)).toBe(false)
    expect(verifyNamed(standInCrypto.signatures, publicKey, 'beat', body, signature.subarray(1))).toBe(false)
  })

  test('a name that could end early is refused', () => {
    expect(() => signedBytes('beat\0', new Uint8Array(0))).toThrow(InvariantError)
    expect(() => signedBytes('', new Uint8Array(0))).toThrow(InvariantError)
  })
})

describe('the stand-in', () => {
  // Literal answers: another engine, or a careless change, would make recorded runs unrepeatable.
  test('gives the same bytes on every engine', () => {
    const input = Uint8Array.from({ length: 41 }, (_, index) => index * 7)
    const sealed = new Uint8Array(41 + 16)
    standInCrypto.aead.seal(input.slice(0, 32), input.slice(0, 12), input, input, sealed)
    const all = [
      standInCrypto.hash.hash32(input),
      standInCrypto.hash.keyed32(input.slice(0, 32), input),
      standInCrypto.signatures.sign(input.slice(0, 32), input),
      sealed,
    ]
    expect(all.map((bytes) => createHash('sha256').update(bytes).digest('hex'))).toMatchInlineSnapshot(`
      [
        "9936bc2013ae3682bc7a73f6d45092ee97db220a3759672100fe134272cfdd43",
        "f6cffdccee8eb280edd5d65ed39432f0f639dcdb1ae6cc19d17c616da4515e74",
        "a3fe1b8907af98a6f99ed197069bcafc58914ce20d321f966f849088e1647fe7",
        "cdc6e085a9c801939e669e954d8b174b9be7b88ccebd4b57916258f3ccff92db",
      ]
    `)
  })

  test('a million counters have a million hashes', () => {
    const seen = new Set<number>()
    const input = new Uint8Array(4)
    let twins = 0
    for (let count = 0; count < 1_000_000; count++) {
      input[0] = count
      input[1] = count >>> 8
      input[2] = count >>> 16
      const output = standInCrypto.hash.hash16(input)
      const part =
        (((output[1] as number) << 8) | (output[5] as number)) * 2 ** 32 +
        (((output[9] as number) << 24) |
          ((output[13] as number) << 16) |
          ((output[2] as number) << 8) |
          (output[6] as number))
      if (seen.has(part)) twins++
      seen.add(part)
    }
    // Of 48 bits taken from all lanes, chance allows 0.002 twins.
    expect(twins).toBe(0)
  })
})
