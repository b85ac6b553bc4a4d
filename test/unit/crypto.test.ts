import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { signedBytes, signNamed, verifyNamed } from '../../core/crypto/signed.ts'
import { InvariantError } from '../../core/errors.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { chargedCrypto, type SimNode } from '../../sim/node.ts'
import { vectorFiles } from '../vectors/make.ts'

describe('vector files', () => {
  test.each(Object.entries(vectorFiles()))('%s.json is what the protocol computes now', (name, content) => {
    const file = new URL(`../vectors/${name}.json`, import.meta.url)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(content)
  })
})

describe('signed bytes', () => {
  const seed = new Uint8Array(32).fill(5)
  const publicKey = standInCrypto.signatures.publicKey(seed)

  test('name and body stand apart', () => {
    const text = (name: string, ...body: number[]): string =>
      Buffer.from(signedBytes(name, Uint8Array.from(body))).toString('latin1')
    expect(text('route', 1, 2)).toBe('peertap route v1\0\x01\x02')
    // One after the other from the same room: neither leaves anything in the other's.
    expect(text('other', 9)).toBe('peertap other v1\0\x09')
    expect(text('route', 1)).toBe('peertap route v1\0\x01')
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

describe('a simulated machine', () => {
  test('pays for what takes time and gets what the cryptography gives', () => {
    const node = { pendingWork: 0 } as SimNode
    const charged = chargedCrypto(standInCrypto, node)
    const seed = new Uint8Array(32).fill(3)
    const costOf = (work: () => unknown): number => {
      node.pendingWork = 0
      work()
      return node.pendingWork
    }
    const key = standInCrypto.agreement.publicKey(new Uint8Array(32))
    expect(costOf(() => charged.agreement.shared(seed, key))).toBe(100)
    expect(costOf(() => charged.agreement.publicKey(seed))).toBe(100)
    expect(costOf(() => charged.signatures.sign(seed, seed))).toBe(50)
    expect(costOf(() => charged.signatures.verify(seed, seed, seed))).toBe(140)
    expect(costOf(() => charged.hash.hash16(seed))).toBe(0)
    expect(charged.agreement.shared(seed, key)).toEqual(standInCrypto.agreement.shared(seed, key))
    expect(charged.agreement.publicKey(seed)).toEqual(standInCrypto.agreement.publicKey(seed))
    expect(charged.kdf.expand(seed, key, 52)).toEqual(standInCrypto.kdf.expand(seed, key, 52))
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
      standInCrypto.agreement.publicKey(input.slice(0, 32)),
      standInCrypto.agreement.shared(input.slice(0, 32), input.slice(9)) as Uint8Array,
      standInCrypto.kdf.extract(input, input.slice(3)),
      standInCrypto.kdf.expand(input.slice(0, 32), input, 53),
    ]
    expect(all.map((bytes) => createHash('sha256').update(bytes).digest('hex'))).toMatchInlineSnapshot(`
      [
        "9936bc2013ae3682bc7a73f6d45092ee97db220a3759672100fe134272cfdd43",
        "f6cffdccee8eb280edd5d65ed39432f0f639dcdb1ae6cc19d17c616da4515e74",
        "a3fe1b8907af98a6f99ed197069bcafc58914ce20d321f966f849088e1647fe7",
        "cdc6e085a9c801939e669e954d8b174b9be7b88ccebd4b57916258f3ccff92db",
        "dabc8e16a80708ec9aab594bfb0e7a08067bd2b1e57b5e75b571138a97b6aaf7",
        "785b122245f022f23f45fd647c7fb29db724e7763eb33d029d13b8fd09cf8b7a",
        "84a3cc8219b039e67437869fd6bbe5f4bfb23c19c865a8de42ec0bd205dbafb5",
        "0f80d8d65d1afe13d35840d52d8d010f19118e963e39e03c0243bf38b38cbefd",
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
