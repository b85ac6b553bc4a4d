import { blake3 } from '@noble/hashes/blake3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { signedBytes } from '../../core/crypto/signed.ts'
import { InvariantError } from '../../core/errors.ts'
import { BROADCAST_MAC, groupToken, hex, parseMac, unhex, unicastToken } from '../../core/ids.ts'
import {
  checkProof,
  makeProof,
  PROOF_BYTES,
  PROOF_LIFETIME_MAX,
  proofLifetime,
  proofNamesToken,
  proofSequence,
  routeSeed,
  routeToken,
  TokenBook,
  type TokenSource,
  tokenOfMac,
} from '../../core/vlan/tokens.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import vectors from '../vectors/tokens.json' with { type: 'json' }

const vlan = unhex(vectors.vlan)
const salt = unhex(vectors.salt)
const open: TokenSource = { vlan, privacy: 'spec', salt }
const closed: TokenSource = { vlan, privacy: 'private', salt }
const anyMac = fc.integer({ min: 0, max: BROADCAST_MAC })
const ascii = (text: string): string => Buffer.from(text).toString('hex')

describe('vectors of private VLANs', () => {
  test.each(vectors.private)('token of $mac', ({ mac, seedInput, seed, routeKey, token, proof }) => {
    expect(seedInput).toBe(`${ascii('peertap route v1')}00${ascii(mac)}${vectors.vlan}`)
    expect(hex(blake3(unhex(seedInput), { key: salt }))).toBe(seed)
    expect(hex(routeSeed(noble, closed, parseMac(mac)))).toBe(seed)
    expect(hex(noble.signatures.publicKey(unhex(seed)))).toBe(routeKey)
    const input = `${ascii('peertap vft v1')}00${vectors.vlan}${routeKey}`
    expect(hex(blake3(unhex(input), { dkLen: 16 }))).toBe(token)
    expect(hex(tokenOfMac(noble, closed, parseMac(mac)))).toBe(token)
    expect(hex(makeProof(noble, closed, parseMac(mac), proof.sequence, proof.lifetime))).toBe(proof.bytes)
    expect(checkProof(noble, vlan, unhex(token), unhex(proof.bytes))).toBe(true)
  })

  test('the signature stands over name, VLAN-ID and the fields before it', () => {
    const { proof, routeKey } = vectors.private[0] as (typeof vectors.private)[number]
    const body = unhex(vectors.vlan + proof.bytes.slice(0, 2 * 41))
    const signature = unhex(proof.bytes.slice(2 * 41))
    expect(noble.signatures.verify(unhex(routeKey), signedBytes('route', body), signature)).toBe(true)
  })

  test('bytes that are signed', () => {
    const { name, body, bytes } = vectors.signed
    expect(bytes).toBe(`${ascii(`peertap ${name} v1`)}00${body}`)
    expect(hex(signedBytes(name, unhex(body)))).toBe(bytes)
  })
})

describe('tokens', () => {
  test('a spec VLAN has the formulas of the public specification', () => {
    expect(tokenOfMac(noble, open, 0x0200_0000_0001)).toEqual(
      unicastToken(noble.hash, 0x0200_0000_0001, vlan, salt),
    )
    expect(tokenOfMac(noble, open, BROADCAST_MAC)).toEqual(groupToken(noble.hash, BROADCAST_MAC, vlan))
    expect(tokenOfMac(noble, open, 0x0100_5e01_0203)).toEqual(groupToken(noble.hash, 0x0100_5e01_0203, vlan))
  })

  test('in a private VLAN even the broadcast token depends on the salt', () => {
    const other = { ...closed, salt: new Uint8Array(32) }
    expect(tokenOfMac(noble, other, BROADCAST_MAC)).not.toEqual(tokenOfMac(noble, closed, BROADCAST_MAC))
    expect(tokenOfMac(noble, { ...open, salt: new Uint8Array(32) }, BROADCAST_MAC)).toEqual(
      tokenOfMac(noble, open, BROADCAST_MAC),
    )
  })

  test('one token for a MAC, another for another', () => {
    fc.assert(
      fc.property(anyMac, anyMac, fc.constantFrom(open, closed), (left, right, source) => {
        const same =
          hex(tokenOfMac(standInCrypto, source, left)) === hex(tokenOfMac(standInCrypto, source, right))
        expect(same).toBe(left === right)
      }),
    )
  })
})

describe.each<[string, Crypto]>([
  ['noble', noble],
  ['stand-in', standInCrypto],
])('registrations (%s)', (_, crypto) => {
  const mac = 0x0200_0000_0001
  const token = tokenOfMac(crypto, closed, mac)
  const proof = makeProof(crypto, closed, mac, 2 ** 47 + 5, 600)

  test('are 105 bytes and say what they were made for', () => {
    expect(proof).toHaveLength(PROOF_BYTES)
    expect(proofSequence(proof)).toBe(2 ** 47 + 5)
    expect(proofLifetime(proof)).toBe(600)
    expect(checkProof(crypto, vlan, token, proof)).toBe(true)
  })

  test('fail with any byte changed', () => {
    for (let at = 0; at < PROOF_BYTES; at++) {
      const changed = proof.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(checkProof(crypto, vlan, token, changed)).toBe(false)
    }
  })

  test('fail for another token, another VLAN, another length', () => {
    expect(checkProof(crypto, vlan, tokenOfMac(crypto, closed, mac + 1), proof)).toBe(false)
    expect(checkProof(crypto, new Uint8Array(16), token, proof)).toBe(false)
    expect(checkProof(crypto, vlan, token, proof.subarray(0, 104))).toBe(false)
    expect(checkProof(crypto, vlan, token, new Uint8Array(106))).toBe(false)
    expect(checkProof(crypto, vlan, token.subarray(0, 15), proof)).toBe(false)
  })

  test('an outsider who saw the token has nothing to show for it', () => {
    const own = { ...closed, salt: new Uint8Array(32).fill(9) }
    const forged = makeProof(crypto, own, mac, 1, 60)
    expect(checkProof(crypto, vlan, token, forged)).toBe(false)
    // The owner's key with the outsider's signature: the hash fits, the signature does not.
    forged.set(proof.subarray(0, 32), 0)
    expect(proofNamesToken(crypto, vlan, token, forged)).toBe(true)
    expect(checkProof(crypto, vlan, token, forged)).toBe(false)
  })

  test('a key of small order cannot stand for a token', () => {
    const identity = new Uint8Array(32)
    identity[0] = 1
    const forged = new Uint8Array(PROOF_BYTES)
    forged.set(identity, 0)
    forged[39] = 60
    forged.set(identity, 41)
    expect(checkProof(crypto, vlan, routeToken(crypto, vlan, identity), forged)).toBe(false)
  })
})

describe('limits of a registration', () => {
  test('a lifetime outside 1 to 600 s is our fault when made and a refusal when received', () => {
    for (const lifetime of [0, PROOF_LIFETIME_MAX + 1]) {
      expect(() => makeProof(standInCrypto, closed, 1, 0, lifetime)).toThrow(InvariantError)
      const proof = makeProof(standInCrypto, closed, 1, 0, 1)
      proof[38] = lifetime >> 8
      proof[39] = lifetime & 0xff
      expect(proofNamesToken(standInCrypto, vlan, tokenOfMac(standInCrypto, closed, 1), proof)).toBe(false)
    }
  })

  test('random bytes are refused and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 130 }), fc.uint8Array({ maxLength: 20 }), (proof, token) => {
        expect(checkProof(standInCrypto, vlan, token, proof)).toBe(false)
      }),
    )
  })

  test('a spec VLAN has none', () => {
    expect(() => makeProof(standInCrypto, open, 1, 0, 60)).toThrow(InvariantError)
    expect(new TokenBook(standInCrypto, open).proof(1, 0, 60)).toBeUndefined()
  })
})

describe('token book', () => {
  test('computes each token once', () => {
    const book = new TokenBook(standInCrypto, closed)
    expect(book.token(5)).toBe(book.token(5))
    expect(book.token(5)).toEqual(tokenOfMac(standInCrypto, closed, 5))
    expect(checkProof(standInCrypto, vlan, book.token(5), book.proof(5, 1, 60) as Uint8Array)).toBe(true)
  })

  test('is bounded: the oldest goes first', () => {
    const book = new TokenBook(standInCrypto, open, 3)
    const first = book.token(1)
    for (const mac of [2, 3, 4]) book.token(mac)
    expect(book.size).toBe(3)
    expect(book.token(1)).not.toBe(first)
    expect(book.token(1)).toEqual(first)
    expect(book.size).toBe(3)
  })
})
