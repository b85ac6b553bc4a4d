import { blake3 } from '@noble/hashes/blake3.js'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { UsageError } from '../../core/errors.ts'
import {
  authorityKey,
  BROADCAST_MAC,
  compareBytes,
  concat,
  groupToken,
  hex,
  ipv4GroupMac,
  ipv6GroupMac,
  isGroupMac,
  macText,
  mlsId,
  ownMac,
  parseMac,
  parsePeerId,
  peerIdOf,
  peerKey,
  readMac,
  saltId,
  unhex,
  unicastToken,
  utf8,
  vlanId,
  writeMac,
} from '../../core/ids.ts'
import vectors from '../vectors/ids.json' with { type: 'json' }

const { hash } = noble
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const ascii = (text: string): string => Buffer.from(text, 'utf8').toString('hex')
const short = (input: string): string => Buffer.from(blake3(bytes(input), { dkLen: 16 })).toString('hex')
const long = (input: string): string => Buffer.from(blake3(bytes(input))).toString('hex')

const anyMac = fc.integer({ min: 0, max: BROADCAST_MAC })

describe('vectors', () => {
  test.each(vectors.macText)('MAC $text', ({ mac, text }) => {
    expect(macText(mac)).toBe(text)
    expect(parseMac(text)).toBe(mac)
  })

  test.each(vectors.peerId)('peer id $peer', ({ key, peer }) => {
    expect(peerIdOf(bytes(key))).toBe(peer)
    expect(hex(peerKey(parsePeerId(peer)))).toBe(key)
  })

  test.each(vectors.vlanId)('VLAN-ID of $label', ({ authority, label, input, output }) => {
    expect(input).toBe(authority + ascii(label))
    expect(short(input)).toBe(output)
    expect(hex(vlanId(hash, bytes(authority), label))).toBe(output)
  })

  test.each(vectors.authorityKey)('authority of $needed in 3', ({ needed, keys, input, output }) => {
    expect(input).toBe(`${ascii('peertap authority v1')}0${needed}03${keys.join('')}`)
    expect(long(input)).toBe(output)
    expect(hex(authorityKey(hash, needed, keys.map(bytes)))).toBe(output)
  })

  test.each(vectors.mlsId)('MLS-ID', ({ groupInitKey, output }) => {
    expect(short(groupInitKey)).toBe(output)
    expect(hex(mlsId(hash, bytes(groupInitKey)))).toBe(output)
  })

  test.each(vectors.unicastToken)('unicast token of $mac', ({ mac, vlan, salt, input, output }) => {
    expect(input).toBe(ascii(mac) + vlan + salt)
    expect(short(input)).toBe(output)
    expect(hex(unicastToken(hash, parseMac(mac), bytes(vlan), bytes(salt)))).toBe(output)
  })

  test.each(vectors.groupToken)('group token of $mac', ({ mac, vlan, input, output }) => {
    expect(input).toBe(ascii(mac) + vlan)
    expect(short(input)).toBe(output)
    expect(hex(groupToken(hash, parseMac(mac), bytes(vlan)))).toBe(output)
  })

  test.each(vectors.groupMac)('MAC of $address', ({ bytes: address, mac }) => {
    const group = bytes(address)
    expect(macText(group.length === 4 ? ipv4GroupMac(group) : ipv6GroupMac(group))).toBe(mac)
  })

  test.each(vectors.ownMac)('own MAC $mac', ({ memberKey, vlan, nonce, input, mac }) => {
    expect(input).toBe(memberKey + vlan + nonce)
    const raw = Number.parseInt(long(input).slice(-12), 16)
    // Local bit set, multicast bit cleared, the rest as hashed.
    const first = ((Math.floor(raw / 2 ** 40) & 0xff) | 2) & 0xfe
    expect(mac).toBe(macText(first * 2 ** 40 + (raw % 2 ** 40)))
    expect(macText(ownMac(hash, bytes(memberKey), bytes(vlan), bytes(nonce)))).toBe(mac)
  })

  test.each(vectors.saltId)('salt id', ({ salt, input, output }) => {
    expect(input).toBe(`${ascii('peertap salt id v1')}00${salt}`)
    expect(short(input)).toBe(output)
    expect(hex(saltId(hash, bytes(salt)))).toBe(output)
  })
})

describe('known mappings', () => {
  test('IPv4 groups keep their low 23 bits (RFC 1112)', () => {
    expect(macText(ipv4GroupMac(Uint8Array.of(224, 0, 0, 251)))).toBe('01005E0000FB')
    expect(macText(ipv4GroupMac(Uint8Array.of(239, 255, 255, 250)))).toBe('01005E7FFFFA')
    expect(macText(ipv4GroupMac(Uint8Array.of(239, 127, 255, 250)))).toBe('01005E7FFFFA')
  })

  test('IPv6 groups keep their low 32 bits (RFC 2464)', () => {
    expect(macText(ipv6GroupMac(bytes('ff020000000000000000000000000001')))).toBe('333300000001')
    expect(macText(ipv6GroupMac(bytes('ff0200000000000000000001ffabcdef')))).toBe('3333FFABCDEF')
  })

  test('multicast is the lowest bit of the first byte', () => {
    expect(isGroupMac(BROADCAST_MAC)).toBe(true)
    expect(isGroupMac(0x0100_5e00_0001)).toBe(true)
    expect(isGroupMac(0x3333_0000_0001)).toBe(true)
    expect(isGroupMac(0x02ff_ffff_ffff)).toBe(false)
  })
})

describe('round trips', () => {
  test('MAC as number, text and bytes', () => {
    fc.assert(
      fc.property(anyMac, fc.integer({ min: 0, max: 5 }), (mac, offset) => {
        const place = new Uint8Array(offset + 6)
        writeMac(place, offset, mac)
        expect(readMac(place, offset)).toBe(mac)
        expect(parseMac(macText(mac))).toBe(mac)
        expect(hex(place.subarray(offset)).toUpperCase()).toBe(macText(mac))
        expect(isGroupMac(mac)).toBe(((place[offset] as number) & 1) === 1)
      }),
    )
  })

  test('hex and bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (value) => {
        expect(hex(value)).toBe(Buffer.from(value).toString('hex'))
        expect([...unhex(hex(value).toUpperCase())]).toEqual([...value])
      }),
    )
  })

  test('UTF-8 is that of the platform', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (value) => {
        expect([...utf8(value)]).toEqual([...Buffer.from(value, 'utf8')])
      }),
    )
  })

  test('own MACs are local and unicast, whatever the nonce', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (nonce) => {
        const mac = ownMac(hash, new Uint8Array(32), new Uint8Array(16), nonce)
        expect(Math.floor(mac / 2 ** 40) & 3).toBe(2)
      }),
      { numRuns: 50 },
    )
  })

  test('byte order agrees with Buffer.compare', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 }), (left, right) => {
        expect(Math.sign(compareBytes(left, right))).toBe(Buffer.compare(left, right))
      }),
    )
  })
})

describe('wrong calls name the mend', () => {
  const key = new Uint8Array(32)
  const higher = new Uint8Array(32).fill(1)

  test.each([
    ['short key', () => peerIdOf(new Uint8Array(31))],
    ['peer id in capitals', () => parsePeerId('AB'.repeat(32))],
    ['peer id too short', () => parsePeerId('ab')],
    ['MAC with separators', () => parseMac('01:00:5E:00:00:FB')],
    ['MAC in lower case', () => parseMac('01005e0000fb')],
    ['MAC beyond 48 bits', () => macText(2 ** 48)],
    ['MAC that is no whole number', () => macText(1.5)],
    ['odd hex', () => unhex('abc')],
    ['not hex', () => unhex('zz')],
    ['lone surrogate', () => utf8('\ud800')],
    ['empty label', () => vlanId(hash, key, '')],
    ['label of 64 bytes', () => vlanId(hash, key, 'é'.repeat(32))],
    ['label not composed', () => vlanId(hash, key, 'e\u0301')],
    ['authority without keys', () => authorityKey(hash, 1, [])],
    ['authority that needs none', () => authorityKey(hash, 0, [key])],
    ['authority that needs more than it has', () => authorityKey(hash, 3, [key, higher])],
    ['authority with one key twice', () => authorityKey(hash, 1, [key, key])],
    ['authority in the wrong order', () => authorityKey(hash, 1, [higher, key])],
    [
      'authority of 17',
      () =>
        authorityKey(
          hash,
          1,
          Array.from({ length: 17 }, (_, n) => concat(Uint8Array.of(n), new Uint8Array(31))),
        ),
    ],
    ['short salt', () => unicastToken(hash, 1, new Uint8Array(16), new Uint8Array(31))],
  ])('%s', (_, call) => {
    expect(call).toThrow(UsageError)
  })

  test('a label of 63 bytes is taken', () => {
    expect(vlanId(hash, key, 'x'.repeat(63))).toHaveLength(16)
  })
})

test('hex is the same where the engine has none of its own', async () => {
  const native = Object.getOwnPropertyDescriptor(Uint8Array.prototype, 'toHex')
  expect(native).toBeDefined()
  Reflect.deleteProperty(Uint8Array.prototype, 'toHex')
  vi.resetModules()
  try {
    const { hex: byDigits } = await import('../../core/ids.ts')
    expect(byDigits(Uint8Array.from({ length: 256 }, (_, byte) => byte))).toBe(
      Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join(''),
    )
  } finally {
    if (native !== undefined) Object.defineProperty(Uint8Array.prototype, 'toHex', native)
  }
})
