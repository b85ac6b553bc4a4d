/** Authorities of one key and of m in n: encoding, signatures, who counts and how often (sec:C1, S9). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { authorityKey, compareBytes, hex } from '../../core/ids.ts'
import {
  type Approval,
  authorityKeyOf,
  checkApproval,
  isSamePolicy,
  joinParts,
  makePart,
  oneKey,
  type Policy,
  policy,
  severalKeys,
} from '../../core/ledger/policy.ts'
import { decode, encode } from '../../core/wire/schema.ts'
import { standInCrypto } from '../../sim/crypto.ts'

const { hash, signatures } = standInCrypto
const BODY = Uint8Array.of(1, 2, 3)

const seeds = Array.from({ length: 16 }, (_, index) => new Uint8Array(32).fill(index + 1))
/** Seeds in the order of their keys, as a policy has them. */
const sorted = seeds.toSorted((a, b) => compareBytes(signatures.publicKey(a), signatures.publicKey(b)))
const keysOf = (some: readonly Uint8Array[]) => some.map((seed) => signatures.publicKey(seed))
const three = severalKeys(2, keysOf(sorted.slice(0, 3)))
const [ann, bob, cyd] = sorted as [Uint8Array, Uint8Array, Uint8Array]

const part = (of: Policy, seed: Uint8Array, name = 'grant', body = BODY) =>
  makePart(signatures, of, seed, name, body)
const check = (of: Policy, approval: Approval, name = 'grant', body = BODY) =>
  checkApproval(signatures, of, name, body, approval)

describe('a policy', () => {
  test('is its type, numbers and keys, to the byte', () => {
    const [key] = keysOf([ann]) as [Uint8Array]
    expect(hex(encode(policy, oneKey(key)))).toBe(`01${hex(key)}`)
    expect(hex(encode(policy, three))).toBe(`020203${keysOf([ann, bob, cyd]).map(hex).join('')}`)
  })

  test('has the authority key of design, section 2', () => {
    const keys = keysOf([ann, bob, cyd])
    expect(authorityKeyOf(hash, three)).toEqual(authorityKey(hash, 2, keys))
    expect(authorityKeyOf(hash, oneKey(keys[0] as Uint8Array))).toEqual(keys[0])
  })

  test('comes back from its bytes, and from no others', () => {
    for (const each of [oneKey(keysOf([ann])[0] as Uint8Array), three, severalKeys(16, keysOf(sorted))]) {
      const bytes = encode(policy, each)
      const back = decode(policy, bytes)
      expect(back !== undefined && isSamePolicy(back, each)).toBe(true)
      expect(decode(policy, bytes.subarray(1))).toBeUndefined()
      expect(decode(policy, Uint8Array.of(...bytes, 0))).toBeUndefined()
    }
  })

  test.each([
    ['no type of ours', [0x03, 1, 1]],
    ['more needed than there are', [0x02, 4, 3]],
    ['none needed', [0x02, 0, 3]],
    ['none there', [0x02, 0, 0]],
    ['seventeen keys', [0x02, 1, 17]],
  ])('%s is refused', (_, head) => {
    const keys = Array.from({ length: 17 * 32 }, (__, at) => (at % 32 === 0 ? at / 32 : 0))
    const count = head[2] as number
    expect(decode(policy, Uint8Array.of(...head, ...keys.slice(0, 32 * count)))).toBeUndefined()
  })

  test.each([
    ['descending', [1, 0]],
    ['twice the same', [0, 0]],
  ])('keys %s are refused: one signer must not count twice', (_, order) => {
    const keys = keysOf([ann, bob])
    const bytes = [2, 1, 2, ...order.flatMap((index) => [...(keys[index] as Uint8Array)])]
    expect(decode(policy, Uint8Array.from(bytes))).toBeUndefined()
  })

  test('wrong calls name value, rule and mend', () => {
    const keys = keysOf([ann, bob])
    expect(() => severalKeys(3, keys)).toThrow(UsageError)
    expect(() => severalKeys(0, keys)).toThrow(/1 to 16 keys and need 1/)
    expect(() => severalKeys(1, [...keys, ...keys])).toThrow(/each signer may stand once/)
    expect(() => severalKeys(1, keysOf([...sorted, new Uint8Array(32)]))).toThrow(UsageError)
    expect(() => oneKey(new Uint8Array(31))).toThrow(/31 bytes/)
    expect(() => makePart(signatures, three, sorted[5] as Uint8Array, 'grant', BODY)).toThrow(
      /not among the 3/,
    )
    expect(() => joinParts(three, [part(three, ann), part(three, ann)])).toThrow(/needs 2 different/)
  })
})

describe('an approval', () => {
  test('by any m of the signers, in whatever order their parts came', () => {
    for (const pair of [
      [ann, bob],
      [cyd, ann],
      [cyd, bob],
    ]) {
      const approval = joinParts(
        three,
        pair.map((seed) => part(three, seed)),
      )
      expect(check(three, approval)).toBe('valid')
    }
  })

  test('more parts than needed: exactly m are used', () => {
    const approval = joinParts(
      three,
      [cyd, bob, ann].map((seed) => part(three, seed)),
    )
    expect(approval.kind === 'several' && approval.parts.map(({ index }) => index)).toEqual([0, 1])
    expect(check(three, approval)).toBe('valid')
  })

  test('of one key', () => {
    const one = oneKey(signatures.publicKey(ann))
    const approval = joinParts(one, [part(one, ann)])
    expect(check(one, approval)).toBe('valid')
    expect(check(one, approval, 'revocation')).toBe('badSignature')
    expect(check(one, approval, 'grant', Uint8Array.of(1, 2))).toBe('badSignature')
    expect(check(three, approval)).toBe('wrongSigners')
  })

  const [a, b, c] = [ann, bob, cyd].map((seed) => part(three, seed)) as [
    ReturnType<typeof part>,
    ReturnType<typeof part>,
    ReturnType<typeof part>,
  ]
  test.each([
    ['too few', [a]],
    ['too many', [a, b, c]],
    ['none', []],
    ['one signer twice', [a, a]],
    ['descending', [b, a]],
    ['a key that is not there', [a, { index: 3, signature: c.signature }]],
  ])('%s: wrong signers', (_, parts) => {
    expect(check(three, { kind: 'several', parts })).toBe('wrongSigners')
  })

  test('a signature under the index of another', () => {
    const parts = [a, { index: 1, signature: c.signature }]
    expect(check(three, { kind: 'several', parts })).toBe('badSignature')
    expect(check(oneKey(signatures.publicKey(ann)), { kind: 'several', parts: [a] })).toBe('wrongSigners')
  })

  test('any bytes are decoded or refused, never thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const back = decode(policy, bytes)
        if (back !== undefined) expect(encode(policy, back)).toEqual(bytes)
      }),
    )
  })
})
