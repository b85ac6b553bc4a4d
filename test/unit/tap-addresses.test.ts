/** Addresses of interfaces: CIDR notation, RFC 5952 text and the address that follows from a key. */
import { SocketAddress } from 'node:net'
import { blake3 } from '@noble/hashes/blake3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { hex, unhex } from '../../core/ids.ts'
import { formatIpv6, parseCidr, ulaOf } from '../../drivers/tap/addresses.ts'

describe('CIDR notation', () => {
  test.each([
    ['10.7.0.1/24', '0a070001', 24],
    ['192.168.255.254/16', 'c0a8fffe', 16],
    ['10.7.0.0/31', '0a070000', 31],
    ['10.7.0.255/32', '0a0700ff', 32],
    ['223.255.255.1/1', 'dfffff01', 1],
    ['10.7.1.0/23', '0a070100', 23],
    ['10.7.0.255/23', '0a0700ff', 23],
    ['fd00::1/64', 'fd000000000000000000000000000001', 64],
    ['FD00:0:0:1:2:3:4:5/128', 'fd000000000000010002000300040005', 128],
    ['fe80::1/10', 'fe800000000000000000000000000001', 10],
    ['2001:db8:1:2:3:4:5::/64', '20010db8000100020003000400050000', 64],
    ['2001:db8::/127', '20010db8000000000000000000000000', 127],
    ['64:ff9b::192.0.2.33/96', '0064ff9b0000000000000000c0000221', 96],
    ['1:2:3:4:5:6:7.8.9.10/64', '0001000200030004000500060708090a', 64],
    ['::2/64', '00000000000000000000000000000002', 64],
  ])('%s is understood', (text, bytes, prefix) => {
    const address = parseCidr(text)
    expect(hex(address.bytes)).toBe(bytes)
    expect(address.prefix).toBe(prefix)
  })

  test.each([
    ['', 'is not an address with its prefix; write it as in 10.7.0.1/24 or fd00::1/64'],
    ['10.7.0.1', 'is not an address with its prefix'],
    ['10.7.0.1/24/8', 'is not an address with its prefix'],
    ['/24', 'has no IPv4 or IPv6 address'],
    ['10.7.0/24', 'has no IPv4 or IPv6 address'],
    ['10.7.0.01/24', 'has no IPv4 or IPv6 address'],
    ['10.7.0.256/24', 'has no IPv4 or IPv6 address'],
    [' 10.7.0.1/24', 'has no IPv4 or IPv6 address'],
    ['host/24', 'has no IPv4 or IPv6 address'],
    ['fe80::1%eth0/64', 'has no IPv4 or IPv6 address'],
    ['fd00::1::2/64', 'has no IPv4 or IPv6 address'],
    ['fd00:1/64', 'has no IPv4 or IPv6 address'],
    ['10.7.0.1/', "has the prefix ''; it must be a whole number of bits from 1 to 32"],
    ['10.7.0.1/0', "has the prefix '0'"],
    ['10.7.0.1/33', "has the prefix '33'; it must be a whole number of bits from 1 to 32"],
    ['10.7.0.1/024', "has the prefix '024'"],
    ['10.7.0.1/255.255.255.0', "has the prefix '255.255.255.0'"],
    ['10.7.0.1/+24', "has the prefix '+24'"],
    ['10.7.0.1/24 ', "has the prefix '24 '"],
    ['fd00::1/129', "has the prefix '129'; it must be a whole number of bits from 1 to 128"],
    ['0.0.0.0/24', 'is of the block that stands for no host'],
    ['127.0.0.1/8', 'is a loopback address'],
    ['224.0.0.1/24', 'is a multicast address'],
    ['255.255.255.255/32', 'is a reserved address'],
    ['10.7.0.0/24', 'is the address of the subnet itself; give the interface one of its own'],
    ['10.7.0.255/24', 'is the broadcast address of its subnet'],
    ['10.7.1.255/23', 'is the broadcast address of its subnet'],
    ['::/64', 'is the address that stands for no host'],
    ['::1/128', 'is the loopback address'],
    ['ff02::1/64', 'is a multicast address'],
    ['::ffff:10.7.0.1/120', 'is an IPv4 address in IPv6 notation'],
    ['fd00::/64', 'is the anycast address of routers'],
  ])("'%s' is refused", (text, message) => {
    expect(() => parseCidr(text)).toThrow(UsageError)
    expect(() => parseCidr(text)).toThrow(`'${text}' ${message}`)
  })

  test('any IPv6 address is understood as it is written, and written as the system does', () => {
    // Zeros are what the notation is about.
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const bytes = Uint8Array.from(groups.flatMap((value) => [value >> 8, value & 0xff]))
        const text = formatIpv6(bytes)
        const long = groups.map((value) => value.toString(16).padStart(4, '0')).join(':')
        // The system writes the last 32 bits of compatible and mapped addresses as IPv4.
        if (groups.slice(0, 5).some((value) => value !== 0)) {
          expect(text).toBe(new SocketAddress({ family: 'ipv6', address: long }).address)
        }
        fc.pre((bytes[0] as number) !== 0 && bytes[0] !== 0xff)
        expect(parseCidr(`${text}/128`).bytes).toEqual(bytes)
        expect(parseCidr(`${long}/128`).bytes).toEqual(bytes)
      }),
    )
  })

  test.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['00010000000000000000000000000000', '1::'],
    ['00010000000200030004000500060007', '1:0:2:3:4:5:6:7'],
    ['00010000000000020000000000000003', '1:0:0:2::3'],
    ['00010000000000020003000000000004', '1::2:3:0:0:4'],
  ])('%s is written by RFC 5952', (bytes, text) => {
    expect(formatIpv6(unhex(bytes))).toBe(text)
  })
})

describe('the address that follows from a key', () => {
  const vlan = Uint8Array.from({ length: 16 }, (_, at) => at)
  const key = Uint8Array.from({ length: 32 }, (_, at) => 255 - at)

  test('is what RFC 4193 and the derivation say', () => {
    const label = Buffer.from('peertap ula v1\0')
    const globalId = blake3(Buffer.concat([label, vlan])).subarray(0, 5)
    const interfaceId = blake3(Buffer.concat([label, vlan, key])).subarray(0, 8)
    const { bytes, prefix } = parseCidr(ulaOf(vlan, key))
    expect(hex(bytes)).toBe(`fd${hex(globalId)}0000${hex(interfaceId)}`)
    expect(prefix).toBe(64)
    expect(ulaOf(vlan, key)).toBe('fd6f:5c6f:e964:0:4650:32bd:1833:cb92/64')
  })

  test('shares its /64 with the VLAN and nothing else of it', () => {
    const one = parseCidr(ulaOf(vlan, key)).bytes
    const other = parseCidr(ulaOf(vlan, new Uint8Array(32))).bytes
    const elsewhere = parseCidr(ulaOf(new Uint8Array(16), key)).bytes
    expect(other.subarray(0, 8)).toEqual(one.subarray(0, 8))
    expect(other.subarray(8)).not.toEqual(one.subarray(8))
    expect(elsewhere.subarray(1, 6)).not.toEqual(one.subarray(1, 6))
    expect(elsewhere.subarray(8)).not.toEqual(one.subarray(8))
  })

  test('asks for a whole VLAN-ID and key', () => {
    expect(() => ulaOf(vlan.subarray(1), key)).toThrow('a VLAN-ID of 15 bytes; it must have 16')
    expect(() => ulaOf(vlan, key.subarray(1))).toThrow('a member key of 31 bytes; it must have 32')
  })
})
