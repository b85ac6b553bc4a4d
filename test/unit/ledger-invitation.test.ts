/** Invitations from the creator's machine to the joiner's, and all ways in which a pasted line is wrong. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { UsageError } from '../../core/errors.ts'
import { hex } from '../../core/ids.ts'
import { REACHABILITY } from '../../core/io.ts'
import { BASE32, BASE64URL, fromText, toText } from '../../core/ledger/base.ts'
import { found, invite, redeem } from '../../core/ledger/founding.ts'
import {
  type Contact,
  contactOf,
  hintsOf,
  type InvitationDraft,
  invitationQrText,
  invitationText,
  parseInvitation,
} from '../../core/ledger/invitation.ts'
import { severalKeys } from '../../core/ledger/policy.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { countingKeys, DAY, NOW, TERMS, Vlan } from '../support/ledger.ts'
import vectors from '../vectors/ledger.json' with { type: 'json' }

const contact: Contact = {
  peerKey: new Uint8Array(32).fill(9),
  reach: REACHABILITY.punchable,
  address: Uint8Array.of(4, 127, 0, 0, 1),
}

/** An invitation by the authority, or by an admin. */
function drafted(by: 'authority' | 'admin' = 'authority', contacts: readonly Contact[] = [contact]) {
  const vlan = new Vlan()
  const admin = vlan.admin(NOW + 10 * DAY)
  const ledger = vlan.ledger(vlan.founding.charter, admin.grant, vlan.revoke(vlan.person().key, 1))
  ledger.add(vlan.revoke(vlan.person().key, 1, admin.issuer).bytes)
  ledger.add(vlan.revoke(vlan.person().key, 2, admin.issuer).bytes)
  const issuer = by === 'admin' ? admin.issuer : vlan.authority
  const draft = invite(crypto, vlan.keys, issuer, ledger, {
    doorKey: vlan.founding.doorKey,
    now: NOW,
    contacts,
  })
  return { vlan, admin, ledger, draft, text: invitationText(crypto, draft) }
}

const parse = (text: string) => parseInvitation(crypto, text)
const messageOf = (text: string): string => {
  try {
    parse(text)
    return 'it was read'
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return (error as UsageError).message
  }
}

describe('an invitation', () => {
  test.each(['authority', 'admin'] as const)('by the %s comes out as it went in, in both forms', (by) => {
    const { vlan, draft, text } = drafted(by)
    for (const form of [text, invitationQrText(crypto, draft)]) {
      const read = parse(form)
      expect(read).toEqual({
        ...draft,
        vlan: vlan.id,
        authorityKey: vlan.ledger().authorityKey,
        label: TERMS.label,
      })
    }
    expect(draft.floor).toEqual(by === 'admin' ? { authority: 1, issuer: 2 } : { authority: 1, issuer: 0 })
    expect(draft.grant.end).toBe(NOW + (by === 'admin' ? 10 : 90) * DAY)
  })

  test('the vectors are read with the real cryptography', () => {
    const { invitation } = vectors
    for (const text of [invitation.text, invitation.qrText]) {
      const read = parseInvitation(noble, text)
      expect(hex(read.vlan)).toBe(vectors.vlan)
      expect([hex(read.doorKey), hex(read.seed), read.floor]).toEqual([
        invitation.doorKey,
        invitation.seed,
        invitation.floor,
      ])
      expect([hex(read.grant.bytes), read.issuer && hex(read.issuer.bytes)]).toEqual([
        invitation.grant,
        invitation.issuer,
      ])
    }
  })

  test('the forms have only the characters they promise', () => {
    const { draft, text } = drafted()
    expect(text).toMatch(/^peertap:[A-Za-z0-9_-]+$/)
    expect(invitationQrText(crypto, draft)).toMatch(/^PEERTAP:[A-Z2-7]+$/)
    // An ordinary one is short enough for a line and for a QR code of version 17.
    expect(text.length).toBeLessThan(560)
  })

  test('is read as mail programs mangle it: wrapped, in brackets, in another case of the scheme', () => {
    const { draft, text } = drafted()
    const wrapped = ` <${text.replace(/.{60}/g, '$&\r\n  ')}>\n`
    expect(parse(wrapped).seed).toEqual(draft.seed)
    expect(parse(text.replace('peertap:', 'PeerTap:')).seed).toEqual(draft.seed)
    expect(parse(invitationQrText(crypto, draft).toLowerCase()).seed).toEqual(draft.seed)
  })

  test('under an authority of many it holds too', () => {
    const seeds = Array.from({ length: 16 }, (_, index) => new Uint8Array(32).fill(index + 1))
    const policy = severalKeys(
      16,
      seeds.map((seed) => crypto.signatures.publicKey(seed)),
    )
    const vlan = new Vlan(crypto, 4, { kind: 'authority', policy, seeds })
    const admin = vlan.admin()
    const ledger = vlan.ledger(vlan.founding.charter, admin.grant)
    const order = { doorKey: vlan.founding.doorKey, now: NOW, contacts: [contact, contact, contact] }
    const draft = invite(crypto, vlan.keys, admin.issuer, ledger, order)
    const text = invitationQrText(crypto, draft)
    expect(text.length).toBeLessThan(4_296)
    expect(parse(text).vlan).toEqual(vlan.id)
  })

  test('its contacts can be dialled', () => {
    const { draft } = drafted()
    const [hint] = hintsOf(draft.contacts)
    expect(hint && contactOf(hint)).toEqual(contact)
    expect(() => hint && contactOf({ ...hint, addresses: [] })).toThrow(/0 addresses; give one/)
  })

  test('its contacts of one peer are dialled as one, by all addresses', () => {
    const other = { ...contact, peerKey: contact.peerKey.map((byte) => byte ^ 1) }
    const second = { ...contact, address: Uint8Array.of(7) }
    const hints = hintsOf([contact, other, second])
    expect(hints.map(({ addresses }) => addresses)).toEqual([
      [contact.address, second.address],
      [other.address],
    ])
    expect(new Set(hints.map(({ peer }) => peer)).size).toBe(2)
  })
})

describe('a wrong line says what is wrong with it', () => {
  const { text, draft, vlan } = drafted('admin')

  test('cut off anywhere', () => {
    for (let length = 0; length < text.length; length++) {
      const message = messageOf(text.slice(0, length))
      expect(message).toMatch(/copy the line/)
      // The secret does not leak into logs.
      expect(message.length).toBeLessThan(280)
    }
  })

  test.each([
    [12, /authority, which begins at character 10/],
    [60, /label|door key/],
    [100, /door key/],
    [150, /secret/],
    [200, /grant/],
  ])('cut after %i characters: it names the field and the place', (length, field) => {
    const message = messageOf(text.slice(0, length))
    // A cut within a byte is seen before the fields are.
    if (!/within a byte/.test(message)) expect(message).toMatch(field)
  })

  test('any single character changed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: text.length - 1 }), fc.nat(63), (at, digit) => {
        const other = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[digit] as string
        fc.pre(other !== text[at])
        const message = messageOf(text.slice(0, at) + other + text.slice(at + 1))
        expect(message).toMatch(/copy the line|version/)
      }),
      { numRuns: 400 },
    )
  })

  test.each([
    ['', /begins with ''; an invitation begins with 'peertap:'/],
    ['https://example.org/', /begins with 'https:\/\/'/],
    [`${text}!`, /character \d+ of the invitation is '!'/],
    ['peertap:', /breaks off|cut or changed/],
    [`peertap:${'A'.repeat(9_000)}`, /9008 characters; an invitation has at most 8192/],
    [`peertap:Ag${text.slice(10)}`, /version 2; this program reads version 1: update/],
  ])('%#', (wrong, message) => {
    expect(messageOf(wrong)).toMatch(message)
  })

  const remade = (more: Partial<InvitationDraft>): string =>
    messageOf(invitationText(crypto, { ...draft, ...more }))
  test.each([
    [
      'a grant of another VLAN',
      { grant: new Vlan(crypto, 9).invitation().grant },
      /does not hold \(wrongVlan\)/,
    ],
    ['another label', { label: 'work' }, /wrongVlan/],
    ['a grant in a name', { grant: vlan.member().grant }, /for a member in the role member/],
    ['the secret of another', { seed: vlan.invitation().seed }, /secret .* is not that of its grant/],
    ['no grant of its admin', { issuer: undefined }, /does not hold \(waiting\)/],
    ['a stranger for its admin', { issuer: vlan.admin().grant }, /does not hold \(waiting\)/],
  ])('%s', (_, more, message) => {
    expect(remade(more)).toMatch(message)
  })

  test('wrong calls of the maker', () => {
    expect(() => drafted('admin', [contact, contact, contact, contact])).toThrow(/at most 3/)
    expect(() => drafted('admin', [{ ...contact, address: new Uint8Array(33) }])).toThrow(/33 bytes/)
    const bare = vlan.ledger()
    const order = { doorKey: vlan.founding.doorKey, now: NOW, contacts: [] }
    expect(() => invite(crypto, vlan.keys, vlan.authority, bare, order)).toThrow(/no Charter/)
    const admin = vlan.admin()
    const ledger = vlan.ledger(vlan.founding.charter)
    expect(() => invite(crypto, vlan.keys, admin.issuer, ledger, order)).toThrow(/no admin of this serial/)
    expect(() => found(crypto, vlan.keys, { terms: TERMS, now: NOW, issuer: admin.issuer })).toThrow(
      UsageError,
    )
  })

  test('no text is anything but read or a UsageError', () => {
    const letters = fc.string({ unit: fc.constantFrom(...'AEQabz019-_ 7'), maxLength: 120 })
    fc.assert(
      fc.property(fc.oneof(fc.string(), letters), (tail) => {
        for (const head of ['peertap:', 'PEERTAP:', 'peertap:AQ', 'PEERTAP:AE']) messageOf(head + tail)
      }),
      { numRuns: 500 },
    )
  })
})

describe('from one machine to another', () => {
  test('a creator invites offline, a joiner redeems offline, any ledger certifies (M5)', () => {
    const { vlan, ledger, text } = drafted('admin')
    const invitation = parse(text)
    const joiner = redeem(crypto, countingKeys(77), invitation)
    const fresh = vlan.ledger()
    for (const fact of joiner.facts) expect(fresh.add(fact.bytes)).toBe('added')
    expect(fresh.certificate(joiner.memberKey)?.redemption?.id).toEqual(joiner.redemption.id)
    for (const fact of joiner.facts) ledger.add(fact.bytes)
    expect(ledger.certificate(joiner.memberKey)?.grant.id).toEqual(invitation.grant.id)
    // The member key is the joiner's own: whoever wrote the invitation does not know it.
    expect(crypto.signatures.publicKey(joiner.memberSeed)).toEqual(joiner.memberKey)
    expect(hex(joiner.memberKey)).not.toBe(hex(invitation.grant.holder))
  })

  test('a founder is the first member', () => {
    const { founding, ...vlan } = new Vlan()
    const ledger = new Vlan().ledger(...founding.facts)
    const key = vlan.crypto.signatures.publicKey(founding.memberSeed)
    expect(ledger.certificate(key)?.grant.id).toEqual(founding.grant.id)
    expect(ledger.charter()?.label).toBe('home')
  })
})

describe('base64url and base32', () => {
  test.each([
    ['', '', ''],
    ['f', 'Zg', 'MY'],
    ['fo', 'Zm8', 'MZXQ'],
    ['foo', 'Zm9v', 'MZXW6'],
    ['foob', 'Zm9vYg', 'MZXW6YQ'],
    ['fooba', 'Zm9vYmE', 'MZXW6YTB'],
    ['foobar', 'Zm9vYmFy', 'MZXW6YTBOI'],
  ])('RFC 4648, section 10: %s', (plain, six, five) => {
    const bytes = new TextEncoder().encode(plain)
    expect([toText(BASE64URL, bytes), toText(BASE32, bytes)]).toEqual([six, five])
    expect([fromText(BASE64URL, six), fromText(BASE32, five)]).toEqual([bytes, bytes])
  })

  test('both ways for any bytes, as the platform does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(toText(BASE64URL, bytes)).toBe(Buffer.from(bytes).toString('base64url'))
        for (const base of [BASE64URL, BASE32]) expect(fromText(base, toText(base, bytes))).toEqual(bytes)
      }),
    )
  })

  test('bits left over are refused: a text has one form', () => {
    expect(fromText(BASE64URL, 'Zh')).toBe(2)
    expect(fromText(BASE64URL, 'Z')).toBe(1)
    expect(fromText(BASE64URL, 'Zm9vA')).toBe(5)
    expect(fromText(BASE32, 'MZ')).toBe(2)
    expect(fromText(BASE32, 'MY1')).toBe(2)
  })
})
