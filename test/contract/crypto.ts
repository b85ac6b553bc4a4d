/**
 * What every implementation of the crypto ports must do, real or stand-in: sizes, determinism, a wrong key
 * fails, any single changed byte fails, inputs stay as they were. Call it with a name and the ports.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Crypto } from '../../core/crypto/ports.ts'
import { InvariantError } from '../../core/errors.ts'

const RUNS = { numRuns: 40 }
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const upTo = (length: number) => fc.uint8Array({ maxLength: length })

function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff)
}

/** The same bytes with bit `bit` of byte `at` turned. */
function changed(original: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = original.slice()
  copy[at] = (copy[at] as number) ^ (1 << bit)
  return copy
}

function hashContract({ hash }: Crypto): void {
  test('hashes have their sizes and depend on the input alone', () => {
    fc.assert(
      fc.property(upTo(300), bytes(32), (input, key) => {
        const before = input.slice()
        expect(hash.hash16(input)).toHaveLength(16)
        expect(hash.hash32(input)).toHaveLength(32)
        expect(hash.keyed32(key, input)).toHaveLength(32)
        expect(hash.hash32(input)).toEqual(hash.hash32(before))
        expect(hash.keyed32(key, input)).toEqual(hash.keyed32(key.slice(), before))
        expect(input).toEqual(before)
      }),
      RUNS,
    )
  })

  test('hash16 is the beginning of hash32', () => {
    expect(hash.hash16(counting(0, 77))).toEqual(hash.hash32(counting(0, 77)).slice(0, 16))
  })

  test('a changed bit, another length and another key give another hash', () => {
    for (const length of [1, 3, 4, 16, 33, 100]) {
      const input = counting(5, length)
      const seen = new Set([hash.hash16(input).join()])
      for (let at = 0; at < length; at++)
        for (let bit = 0; bit < 8; bit++) seen.add(hash.hash16(changed(input, at, bit)).join())
      seen.add(hash.hash16(counting(5, length + 1)).join())
      expect(seen.size).toBe(8 * length + 2)
    }
    const key = counting(1, 32)
    const keyed = new Set([hash.hash32(counting(0, 20)).join(), hash.keyed32(key, counting(0, 20)).join()])
    for (let at = 0; at < 32; at++) keyed.add(hash.keyed32(changed(key, at), counting(0, 20)).join())
    expect(keyed.size).toBe(34)
  })

  test('zeros of different number differ', () => {
    const seen = new Set(
      Array.from({ length: 130 }, (_, length) => hash.hash16(new Uint8Array(length)).join()),
    )
    expect(seen.size).toBe(130)
  })

  test('about half of the output turns with one bit of the input', () => {
    let turned = 0
    const input = counting(9, 64)
    const original = hash.hash32(input)
    for (let at = 0; at < 64; at++) {
      const other = hash.hash32(changed(input, at, at % 8))
      for (let index = 0; index < 32; index++) {
        for (let rest = (other[index] as number) ^ (original[index] as number); rest !== 0; rest >>= 1)
          turned += rest & 1
      }
    }
    const share = turned / (64 * 256)
    expect(share).toBeGreaterThan(0.45)
    expect(share).toBeLessThan(0.55)
  })
}

function signatureContract({ signatures }: Crypto): void {
  const seed = counting(3, 32)
  const message = counting(7, 45)
  const publicKey = signatures.publicKey(seed)
  const signature = signatures.sign(seed, message)

  test('sizes, determinism, and a signature that fits', () => {
    fc.assert(
      fc.property(bytes(32), upTo(120), (anySeed, body) => {
        const key = signatures.publicKey(anySeed)
        const signed = signatures.sign(anySeed, body)
        expect(key).toHaveLength(32)
        expect(signed).toHaveLength(64)
        expect(signatures.sign(anySeed.slice(), body.slice())).toEqual(signed)
        expect(signatures.verify(key, body, signed)).toBe(true)
      }),
      { numRuns: 10 },
    )
  })

  test('any changed byte of signature, key or message fails', () => {
    for (let at = 0; at < 64; at++)
      expect(signatures.verify(publicKey, message, changed(signature, at))).toBe(false)
    for (let at = 0; at < 32; at++)
      expect(signatures.verify(changed(publicKey, at), message, signature)).toBe(false)
    for (let at = 0; at < 45; at++)
      expect(signatures.verify(publicKey, changed(message, at), signature)).toBe(false)
  })

  test('another key, a longer and a shorter message fail', () => {
    expect(signatures.verify(signatures.publicKey(counting(4, 32)), message, signature)).toBe(false)
    expect(signatures.verify(publicKey, counting(7, 46), signature)).toBe(false)
    expect(signatures.verify(publicKey, counting(7, 44), signature)).toBe(false)
  })

  test('malformed input is false and never throws', () => {
    fc.assert(
      fc.property(upTo(70), upTo(20), upTo(70), (key, body, signed) => {
        expect(signatures.verify(key, body, signed)).toBe(false)
      }),
      RUNS,
    )
    fc.assert(
      fc.property(bytes(32), bytes(64), (key, signed) => {
        expect(signatures.verify(key, message, signed)).toBe(false)
      }),
      { numRuns: 20 },
    )
  })
}

function aeadContract({ aead }: Crypto): void {
  const key = counting(1, 32)
  const nonce = counting(2, 12)
  const header = counting(3, 49)

  const seal = (plain: Uint8Array): Uint8Array => {
    const sealed = new Uint8Array(plain.length + 16)
    aead.seal(key, nonce, header, plain, sealed)
    return sealed
  }
  const opens = (sealed: Uint8Array, k = key, n = nonce, h = header): boolean =>
    aead.open(k, n, h, sealed, new Uint8Array(Math.max(0, sealed.length - 16)))

  test('what was sealed opens, at any length and any alignment', () => {
    fc.assert(
      fc.property(upTo(300), fc.integer({ min: 0, max: 7 }), (plain, shift) => {
        const before = plain.slice()
        const sealed = new Uint8Array(shift + plain.length + 16).subarray(shift)
        aead.seal(key, nonce, header, plain, sealed)
        expect(plain).toEqual(before)
        expect(sealed).toEqual(seal(plain))
        const opened = new Uint8Array(shift + plain.length).subarray(shift)
        expect(aead.open(key, nonce, header, sealed, opened)).toBe(true)
        expect(opened).toEqual(plain)
      }),
      RUNS,
    )
  })

  test('any changed byte of text, tag, key, nonce or header fails', () => {
    for (const length of [0, 1, 15, 16, 37]) {
      const sealed = seal(counting(5, length))
      for (let at = 0; at < sealed.length; at++) expect(opens(changed(sealed, at, at % 8))).toBe(false)
      for (let at = 0; at < 32; at++) expect(opens(sealed, changed(key, at))).toBe(false)
      for (let at = 0; at < 12; at++) expect(opens(sealed, key, changed(nonce, at))).toBe(false)
      for (let at = 0; at < 49; at++) expect(opens(sealed, key, nonce, changed(header, at))).toBe(false)
      expect(opens(sealed, key, nonce, header.subarray(0, 48))).toBe(false)
      expect(opens(sealed)).toBe(true)
    }
  })

  test('what does not open leaves zeros, whatever is wrong with it', () => {
    for (const length of [1, 64, 65, 300]) {
      const sealed = seal(counting(100, length))
      const zeros = new Uint8Array(length)
      const refused = (k: Uint8Array, n: Uint8Array, h: Uint8Array, text: Uint8Array): void => {
        const out = counting(1, length)
        expect(aead.open(k, n, h, text, out)).toBe(false)
        expect(out).toEqual(zeros)
      }
      refused(key, nonce, header, changed(sealed, length + 15))
      refused(key, nonce, header, changed(sealed, 0))
      refused(key, nonce, changed(header, 48), sealed)
      refused(key, nonce, new Uint8Array(0), sealed)
      refused(key, changed(nonce, 0), header, sealed)
      refused(changed(key, 31), nonce, header, sealed)
    }
  })

  test('a packet cut short or with bytes added fails', () => {
    const sealed = seal(counting(5, 40))
    for (let length = 0; length < sealed.length; length++) expect(opens(sealed.slice(0, length))).toBe(false)
    for (let from = 1; from < 20; from++) expect(opens(sealed.slice(from))).toBe(false)
    expect(opens(Uint8Array.of(...sealed, 0))).toBe(false)
    expect(opens(sealed)).toBe(true)
  })

  test('the text is not to be seen and differs by nonce', () => {
    const plain = new Uint8Array(64)
    const sealed = seal(plain)
    expect(sealed.subarray(0, 64)).not.toEqual(plain)
    const other = new Uint8Array(80)
    aead.seal(key, changed(nonce, 11), header, plain, other)
    expect(other.subarray(0, 64)).not.toEqual(sealed.subarray(0, 64))
  })

  test('a mask is twelve bytes of key and block', () => {
    const block = counting(6, 16)
    const mask = (k: Uint8Array, b: Uint8Array): string => {
      const out = new Uint8Array(12)
      aead.mask(k, b, out)
      return out.join()
    }
    const seen = new Set([mask(key, block)])
    expect(mask(key.slice(), block.slice())).toBe(mask(key, block))
    for (let at = 0; at < 16; at++) seen.add(mask(key, changed(block, at)))
    for (let at = 0; at < 32; at++) seen.add(mask(changed(key, at), block))
    expect(seen.size).toBe(49)
  })
}

function agreementContract({ agreement }: Crypto): void {
  const own = counting(1, 32)
  const other = counting(101, 32)

  test('both sides get the same 32 bytes, a third gets others', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), bytes(32), (left, right, third) => {
        // Clamping makes some secrets the same.
        for (const [index, secret] of [left, right, third].entries()) secret[5] = index
        const leftKey = agreement.publicKey(left)
        const rightKey = agreement.publicKey(right)
        expect(leftKey).toHaveLength(32)
        expect(leftKey).not.toEqual(rightKey)
        const secret = agreement.shared(left, rightKey)
        expect(secret).toHaveLength(32)
        expect(agreement.shared(right.slice(), leftKey.slice())).toEqual(secret)
        expect(agreement.shared(third, leftKey)).not.toEqual(secret)
        expect(agreement.shared(third, rightKey)).not.toEqual(secret)
        expect(agreement.shared(left, agreement.publicKey(third))).not.toEqual(secret)
      }),
      { numRuns: 10 },
    )
  })

  test('inputs stay as they were and outputs are fresh', () => {
    const secret = own.slice()
    const key = agreement.publicKey(other)
    const before = key.slice()
    const first = agreement.shared(secret, key) as Uint8Array
    const copy = first.slice()
    first.fill(0)
    expect(agreement.shared(secret, key)).toEqual(copy)
    expect(secret).toEqual(own)
    expect(key).toEqual(before)
  })

  test('a public key of another length or of zeros gives nothing', () => {
    for (let length = 0; length < 70; length++)
      if (length !== 32) expect(agreement.shared(own, counting(1, length))).toBeUndefined()
    expect(agreement.shared(own, new Uint8Array(32))).toBeUndefined()
  })

  test('a secret of another length is our own fault', () => {
    for (const length of [0, 31, 33]) {
      expect(() => agreement.publicKey(counting(1, length))).toThrow(InvariantError)
      expect(() => agreement.shared(counting(1, length), other)).toThrow(InvariantError)
    }
  })
}

function kdfContract({ kdf }: Crypto): void {
  test('extracting gives 32 bytes that depend on salt and key material', () => {
    const seen = new Set<string>()
    for (let saltLength = 0; saltLength < 40; saltLength += 3) {
      for (let length = 0; length < 40; length += 3) {
        const key = kdf.extract(counting(1, saltLength), counting(9, length))
        expect(key).toHaveLength(32)
        expect(kdf.extract(counting(1, saltLength), counting(9, length))).toEqual(key)
        seen.add(key.join())
      }
    }
    expect(seen.size).toBe(14 * 14)
  })

  test('a changed bit of key or info changes what is expanded', () => {
    const key = counting(1, 32)
    const info = counting(2, 21)
    const seen = new Set([kdf.expand(key, info, 52).join()])
    for (let at = 0; at < 32; at++) seen.add(kdf.expand(changed(key, at, at % 8), info, 52).join())
    for (let at = 0; at < 21; at++) seen.add(kdf.expand(key, changed(info, at, at % 8), 52).join())
    expect(seen.size).toBe(54)
  })

  test('any length, each the beginning of the longer ones', () => {
    const longest = kdf.expand(counting(1, 32), counting(2, 21), 8_160)
    expect(longest).toHaveLength(8_160)
    for (const length of [0, 1, 16, 31, 32, 33, 52, 64, 255, 8_159])
      expect(kdf.expand(counting(1, 32), counting(2, 21), length)).toEqual(longest.slice(0, length))
  })

  test('a wrong length is our own fault', () => {
    for (const length of [-1, 8_161]) {
      expect(() => kdf.expand(counting(1, 32), counting(2, 3), length)).toThrow(InvariantError)
    }
    for (const length of [0, 31, 33])
      expect(() => kdf.expand(counting(1, length), counting(2, 3), 32)).toThrow(InvariantError)
  })
}

export function cryptoContract(name: string, crypto: Crypto): void {
  describe(`${name}: hashes`, () => hashContract(crypto))
  describe(`${name}: signatures`, () => signatureContract(crypto))
  describe(`${name}: sealing`, () => aeadContract(crypto))
  describe(`${name}: key agreement`, () => agreementContract(crypto))
  describe(`${name}: key derivation`, () => kdfContract(crypto))
}
