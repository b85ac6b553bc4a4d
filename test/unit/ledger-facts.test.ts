/** Bytes of facts: each part where the layout says, each signature over what it says, and no second form. */
import { createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { blake3 } from '@noble/hashes/blake3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hex, unhex } from '../../core/ids.ts'
import { decodeFact, FACT_BYTES_MAX, type Fact, fixedHash } from '../../core/ledger/facts.ts'
import { FOREVER, label, readUtf8 } from '../../core/ledger/fields.ts'
import { makeGrant, makeRevocation } from '../../core/ledger/issue.ts'
import { severalKeys } from '../../core/ledger/policy.ts'
import { decode } from '../../core/wire/schema.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { DAY, NOW, Vlan } from '../support/ledger.ts'
import vectors from '../vectors/ledger.json' with { type: 'json' }
import { ledgerVectors } from '../vectors/ledger-make.ts'

const { hash } = crypto
const ascii = (text: string): string => Buffer.from(text, 'utf8').toString('hex')
const number = (value: number, bytes: number): string => value.toString(16).padStart(2 * bytes, '0')

/** OpenSSL's verdict on `sign(key, name, body)`, joined by hand. */
function isSigned(publicKey: string, name: string, body: string, signature: string): boolean {
  const der = Buffer.from(`302a300506032b6570032100${publicKey}`, 'hex')
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  const message = Buffer.from(`${ascii(`peertap ${name} v1`)}00${body}`, 'hex')
  return verify(null, message, key, Buffer.from(signature, 'hex'))
}

function vector(name: string): { readonly bytes: string; readonly body: string; readonly id: string } {
  const found = vectors.facts.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no vector ${name}`)
  return found
}

/** A cursor over hex that a test reads the layout with. */
function parts(text: string): (bytes: number) => string {
  let at = 0
  return (bytes) => {
    at += 2 * bytes
    return text.slice(at - 2 * bytes, at)
  }
}

describe('vectors', () => {
  test('ledger.json is what the protocol computes now', () => {
    const file = new URL('../vectors/ledger.json', import.meta.url)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(ledgerVectors())))
  })

  test.each(vectors.facts)('$name: its id is H16 of its body, and it begins with the VLAN-ID', (fact) => {
    expect(fact.bytes.startsWith(fact.body)).toBe(true)
    expect(fact.body.startsWith(vectors.vlan)).toBe(true)
    expect(Buffer.from(blake3(unhex(fact.body), { dkLen: 16 })).toString('hex')).toBe(fact.id)
  })

  const authority = vectors.policy.slice(2)
  const admin = vector('grant of an admin')
  const adminKey = admin.body.slice(2 * 34, 2 * 66)

  test('the Charter, and the hash of what it fixes', () => {
    const { bytes, body } = vector('charter')
    const fixed = `${vectors.policy}04${ascii('home')}01${number(3, 2)}`
    const open = number(1, 4) + number(1_280, 2) + number(0, 1) + number(1, 1) + number(0, 4)
    expect(body).toBe(`${vectors.vlan}01${fixed}${open}`)
    expect(isSigned(authority, 'charter', body, bytes.slice(body.length + 2))).toBe(true)
    const hashed = unhex(`${ascii('peertap charter v1')}00${vectors.vlan}${fixed}`)
    expect(Buffer.from(blake3(hashed)).toString('hex')).toBe(vectors.fixedHash)
  })

  test.each([
    ['grant of a member by the authority', authority, '00', '00', '00'],
    ['grant of an admin', authority, '00', '01', '00'],
    ['grant of a member by the admin', adminKey, '00', '00', `01${admin.id}`],
    ['grant of an invitation by the admin', adminKey, '01', '00', `01${admin.id}`],
  ])('the %s', (name, signer, holderKind, role, issuer) => {
    const { bytes, body } = vector(name)
    const take = parts(body)
    expect([take(16), take(1)]).toEqual([vectors.vlan, '02'])
    take(16)
    expect(take(1)).toBe(holderKind)
    take(32)
    expect([take(1), take(6), body.slice(2 * 73)]).toEqual([role, number(NOW + 90 * DAY, 6), issuer])
    expect(bytes.slice(body.length, body.length + 2)).toBe('01')
    expect(isSigned(signer, 'grant', body, bytes.slice(body.length + 2))).toBe(true)
  })

  test('the Redemption, signed by the invitation key and then by the member', () => {
    const { bytes, body } = vector('redemption')
    const invitation = vector('grant of an invitation by the admin')
    const take = parts(bytes)
    expect([take(16), take(1), take(16)]).toEqual([vectors.vlan, '03', invitation.id])
    const member = take(32)
    expect(isSigned(invitation.body.slice(2 * 34, 2 * 66), 'redemption', body, take(64))).toBe(true)
    expect(isSigned(member, 'redemption member', body, take(64))).toBe(true)
    expect(take(1)).toBe('')
  })

  test('Revocations of a key and of a serial', () => {
    const byAdmin = vector('revocation of a key by the admin')
    const member = vector('redemption').body.slice(2 * 33)
    const all = `01${admin.id}${number(1, 4)}ffffffff${number(0, 2)}`
    expect(byAdmin.body).toBe(`${vectors.vlan}0401${member}${all}`)
    expect(isSigned(adminKey, 'revocation', byAdmin.body, byAdmin.bytes.slice(byAdmin.body.length + 2))).toBe(
      true,
    )
    const ofAdmin = vector('revocation of the admin by its serial')
    const kept = vector('grant of a member by the admin').id
    const tail = `00${number(1, 4)}${number(1, 4)}${number(1, 2)}${kept}`
    expect(ofAdmin.body).toBe(`${vectors.vlan}0400${admin.id}${tail}`)
  })

  test('the Leave names the member', () => {
    const { bytes, body } = vector('leave')
    const grant = vector('grant of a member by the admin')
    const member = grant.body.slice(2 * 34, 2 * 66)
    expect(body).toBe(`${vectors.vlan}05${grant.id}${member}`)
    expect(isSigned(member, 'leave', body, bytes.slice(body.length))).toBe(true)
  })

  test('two of three keys', () => {
    const { grant, policy } = vectors.several
    expect(policy.slice(0, 6)).toBe('020203')
    const take = parts(grant.bytes.slice(grant.body.length))
    expect([take(1), take(1)]).toEqual(['02', '02'])
    for (const index of ['00', '01']) {
      expect(take(1)).toBe(index)
      const key = policy.slice(6 + 64 * Number(index), 70 + 64 * Number(index))
      expect(isSigned(key, 'grant', grant.body, take(64))).toBe(true)
    }
    expect(take(1)).toBe('')
  })
})

describe('decoding', () => {
  const vlan = new Vlan()
  const invited = vlan.invitation()
  const redeemer = vlan.redeemer(invited)
  const facts: readonly Fact[] = [
    vlan.founding.charter,
    vlan.admin().grant,
    invited.grant,
    redeemer.redemption,
    vlan.revoke(redeemer.key, 7, vlan.authority, { kept: [vlan.keys.bytes(16), vlan.keys.bytes(16)] }),
    vlan.leave(invited.serial, redeemer),
  ]

  test('every fact comes back as it was, and no shorter or longer', () => {
    for (const fact of facts) {
      expect(decodeFact(hash, fact.bytes)).toEqual(fact)
      for (let length = 0; length < fact.bytes.length; length++)
        expect(typeof decodeFact(hash, fact.bytes.subarray(0, length))).toBe('string')
      expect(decodeFact(hash, Uint8Array.of(...fact.bytes, 0))).toBe('malformed')
    }
  })

  test('whatever is accepted has one form: other bytes are another fact', () => {
    const whole = fc.constantFrom(...facts)
    const turn = fc.record({ at: fc.nat(400), to: fc.nat(255) })
    fc.assert(
      fc.property(whole, fc.array(turn, { maxLength: 3 }), (fact, turns) => {
        const bytes = fact.bytes.slice()
        for (const { at, to } of turns) bytes[at % bytes.length] = to
        const back = decodeFact(hash, bytes)
        if (typeof back === 'string') return
        expect(back.bytes).toEqual(bytes)
        const isSameBody = hex(bytes).startsWith(hex(fact.body)) && back.body.length === fact.body.length
        expect(hex(back.id) === hex(fact.id)).toBe(isSameBody)
      }),
      { numRuns: 2_000 },
    )
  })

  test('bytes at random are never thrown about', () => {
    fc.assert(
      fc.property(fc.nat(7), fc.uint8Array({ maxLength: 300 }), (kind, bytes) => {
        if (bytes.length > 16) bytes[16] = kind
        expect(() => decodeFact(hash, bytes)).not.toThrow()
      }),
      { numRuns: 2_000 },
    )
  })

  test('kept serials are a set in order', () => {
    const [a, b] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
    const revocation = vlan.revoke(redeemer.key, 1, vlan.authority, { kept: [b, a, b] })
    expect(revocation.kept).toEqual([a, b])
    const at = revocation.body.length - 32
    const swapped = revocation.bytes.slice()
    swapped.set(b, at)
    swapped.set(a, at + 16)
    expect(decodeFact(hash, swapped)).toBe('malformed')
  })

  test('the longest fact fits: a thousand kept serials under sixteen signatures', () => {
    const seeds = Array.from({ length: 16 }, (_, index) => new Uint8Array(32).fill(index + 1))
    const policy = severalKeys(
      16,
      seeds.map((seed) => crypto.signatures.publicKey(seed)),
    )
    const crowd = new Vlan(crypto, 3, { kind: 'authority', policy, seeds })
    const kept = Array.from({ length: 1_024 }, () => crowd.keys.bytes(16))
    const longest = crowd.revoke(crowd.person().key, 1, crowd.authority, { kept })
    expect(longest.bytes.length).toBeGreaterThan(17_000)
    expect(longest.bytes.length).toBeLessThanOrEqual(FACT_BYTES_MAX)
    expect(crowd.ledger().add(longest.bytes)).toBe('added')
  })

  test('a label is NFC, well formed and 1 to 63 bytes', () => {
    const of = (...bytes: number[]) => decode(label, Uint8Array.of(bytes.length, ...bytes))
    expect(of(0x4b, 0xc3, 0xbc)).toBe('Kü')
    expect(of(0x75, 0xcc, 0x88)).toBeUndefined()
    expect(of()).toBeUndefined()
    expect(of(0xc3)).toBeUndefined()
    expect(of(...new Array<number>(64).fill(97))).toBeUndefined()
  })

  test('UTF-8 is read as the platform reads it', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const platform = (bytes: Uint8Array): string | undefined => {
      try {
        return strict.decode(bytes)
      } catch {
        return undefined
      }
    }
    const edges = [
      0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xa0, 0xed, 0x9f, 0xef, 0xf0, 0x90, 0xf4, 0x8f, 0xf5,
    ]
    const byte = fc.oneof(fc.constantFrom(...edges), fc.nat(255))
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 8 }), (bytes) => {
        expect(readUtf8(Uint8Array.from(bytes))).toBe(platform(Uint8Array.from(bytes)))
      }),
      { numRuns: 1_500 },
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(readUtf8(new TextEncoder().encode(text))).toBe(text)
      }),
    )
  })
})

describe('making', () => {
  const vlan = new Vlan()
  const admin = vlan.admin()
  const order = { holderKind: 'member', holder: vlan.person().key, role: 'member', end: NOW } as const

  test.each([
    ['a key of the wrong size', { ...order, holder: new Uint8Array(31) }, /31 bytes/],
    ['an end that is no whole number', { ...order, end: 1.5 }, /whole ms/],
    ['an end beyond the last', { ...order, end: FOREVER + 1 }, /whole ms/],
    [
      'an admin by invitation',
      { ...order, role: 'admin', holderKind: 'invitation' } as const,
      /invite a member/,
    ],
  ])('a Grant with %s is refused', (_, wrong, message) => {
    expect(() => makeGrant(crypto, vlan.keys, vlan.authority, vlan.id, wrong)).toThrow(message)
  })

  test('what only the authority may, an admin is told', () => {
    const asAdmin = { ...order, role: 'admin' } as const
    expect(() => makeGrant(crypto, vlan.keys, admin.issuer, vlan.id, asAdmin)).toThrow(/only the authority/)
    const target = { kind: 'key', bytes: order.holder } as const
    const revocation = { target, number: 1, kept: [vlan.keys.bytes(16)] }
    expect(() => makeRevocation(crypto, admin.issuer, vlan.id, revocation)).toThrow(/only the authority/)
    expect(() => makeRevocation(crypto, vlan.authority, vlan.id, { target, number: 0 })).toThrow(
      /count from 1/,
    )
    const many = Array.from({ length: 1_025 }, () => vlan.keys.bytes(16))
    expect(() => makeRevocation(crypto, vlan.authority, vlan.id, { target, number: 1, kept: many })).toThrow(
      /make several/,
    )
  })

  test('a Grant can last for ever', () => {
    const grant = makeGrant(crypto, vlan.keys, vlan.authority, vlan.id, { ...order, end: FOREVER })
    expect(grant.end).toBe(FOREVER)
    expect(vlan.ledger().add(grant.bytes, FOREVER)).toBe('added')
  })

  test('fixed terms are told apart, open ones are not', () => {
    const hashOf = (more: object) => hex(fixedHash(hash, vlan.id, vlan.charter(more)))
    const now = hashOf({})
    expect(hashOf({ mtu: 9_000, version: 9, sign: 'all', padding: 'none', settled: 5 })).toBe(now)
    expect(
      new Set([now, hashOf({ privacy: 'spec' }), hashOf({ suite: 1 }), hashOf({ label: 'x' })]).size,
    ).toBe(4)
  })
})
