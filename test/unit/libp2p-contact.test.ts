import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { UsageError } from '../../core/errors.ts'
import { peerIdOf } from '../../core/ids.ts'
import { REACHABILITY } from '../../core/io.ts'
import { hostsOf, type Sources, whereabouts } from '../../drivers/libp2p/addresses.ts'
import { contactText, parseAddress, parseContact } from '../../drivers/libp2p/contact.ts'
import { isPublic } from '../../drivers/libp2p/hosts.ts'
import { corePeer, libp2pPeer } from '../../drivers/libp2p/names.ts'

/** RFC 8032, test 1, and the name that libp2p gives its key. */
const SEED = Uint8Array.fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
const PEER = peerIdOf(noble.signatures.publicKey(SEED))
const NAME = libp2pPeer(PEER).toString()

const ADDRESSES = [
  '/ip4/192.0.2.1/udp/4001/quic-v1',
  '/ip6/2001:db8::1/udp/4001/quic-v1',
  '/ip4/192.0.2.1/tcp/4001',
  '/ip6/2001:db8::1/tcp/4001/ws',
  '/ip4/192.0.2.1/tcp/443/wss',
]
const NAMED = [
  '/dns4/node.example.org/udp/4001/quic-v1',
  '/dns/a-long-name.of-a-host.example.org/tcp/443/wss',
]

const peer = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((seed) => peerIdOf(noble.signatures.publicKey(seed)))

describe('a contact', () => {
  test('is read and written as it is', () => {
    fc.assert(
      fc.property(peer, fc.constantFrom(...ADDRESSES, ...NAMED), (one, address) => {
        const text = contactText(one, address)
        const contact = parseContact(text)
        expect(contact).toMatchObject({ peer: one, address })
        if (contact.bytes !== undefined) expect(contactText(one, contact.bytes)).toBe(text)
      }),
      { numRuns: 40 },
    )
  })

  test('fits into what the core keeps if it has an IP address', () => {
    for (const address of ADDRESSES)
      expect(parseContact(`${address}/p2p/${NAME}`).bytes?.length).toBeLessThan(33)
    expect(parseContact(`${NAMED[1]}/p2p/${NAME}`).bytes).toBeUndefined()
  })

  test.each([
    ['192.0.2.1:4001', /multiaddr, for example/],
    ['', /multiaddr, for example/],
    ['/ip4/192.0.2.300/tcp/1', /multiaddr, for example/],
    ['/ip4/192.0.2.1/tcp/4001', /ends with \/p2p\//],
    [`/ip4/192.0.2.1/udp/4001/p2p/${NAME}`, /quic-v1/],
    [`/dnsaddr/example.org/p2p/${NAME}`, /quic-v1/],
    ['/ip4/192.0.2.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', /Ed25519/],
  ])('that is none is refused with value, rule and mend: %s', (text, rule) => {
    expect(() => parseContact(text)).toThrow(UsageError)
    expect(() => parseContact(text)).toThrow(rule)
    if (text !== '') expect(() => parseContact(text)).toThrow(text)
  })

  test('of bytes that are no address is refused', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(33), Uint8Array.of(255, 255, 255)]) {
      expect(() => contactText(PEER, bytes)).toThrow(UsageError)
    }
    expect(() => parseAddress('/ip4/0.0.0.0/udp/4001')).toThrow(/quic-v1/)
  })
})

test('names of peers have two forms, and only those of Ed25519 keys', () => {
  expect(NAME).toMatch(/^12D3KooW/)
  expect(corePeer(libp2pPeer(PEER))).toBe(PEER)
})

describe('whereabouts', () => {
  const sources = (one: Partial<Record<keyof Sources, readonly string[]>>): Sources => ({
    listen: (one.listen ?? []).map((text) => multiaddr(text)),
    bound: (one.bound ?? []).map((text) => multiaddr(text)),
    announce: (one.announce ?? []).map((text) => multiaddr(text)),
    confirmed: (one.confirmed ?? []).map((text) => multiaddr(text)),
    hosts: one.hosts ?? [],
  })
  const found = (one: Parameters<typeof sources>[0], reachability?: 'auto' | 'public' | 'private') => {
    const { addresses, reach } = whereabouts(sources(one), reachability)
    return { addresses: addresses.map(String), reach }
  }

  test('a wildcard stands for the interfaces as they are, with the port that was bound', () => {
    const here = {
      listen: ['/ip4/0.0.0.0/udp/0/quic-v1', '/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0/ws'],
      bound: ['/ip4/127.0.0.1/udp/1001/quic-v1', '/ip4/127.0.0.1/tcp/1002', '/ip6/::1/tcp/1003/ws'],
      hosts: ['127.0.0.1', '192.168.1.5', '::1', 'fe80::1', 'fd00::5'],
    }
    expect(found(here)).toEqual({
      addresses: [
        '/ip4/192.168.1.5/udp/1001/quic-v1',
        '/ip4/192.168.1.5/tcp/1002',
        '/ip6/fd00::5/tcp/1003/ws',
      ],
      reach: REACHABILITY.punchable,
    })
    const moved = found({ ...here, hosts: ['127.0.0.1', '203.0.114.9'] })
    expect(moved).toEqual({
      addresses: ['/ip4/203.0.114.9/udp/1001/quic-v1', '/ip4/203.0.114.9/tcp/1002'],
      reach: REACHABILITY.public,
    })
  })

  test('an address of one cable alone is never told: it says nothing without an interface', () => {
    const here = {
      listen: ['/ip6/::/tcp/0'],
      bound: ['/ip6/::1/tcp/77'],
      hosts: ['::1', 'fe80::1', 'FEBF::1'],
    }
    expect(found(here).addresses).toEqual(['/ip6/::1/tcp/77'])
    expect(found({ ...here, hosts: ['::1', 'fe80::1', 'fd00::5'] }).addresses).toEqual([
      '/ip6/fd00::5/tcp/77',
    ])
  })

  test('loopback is told only where there is nothing else, and a host that is gone is not', () => {
    const here = { listen: ['/ip4/127.0.0.1/tcp/0'], bound: ['/ip4/127.0.0.1/tcp/77'], hosts: ['127.0.0.1'] }
    expect(found(here).addresses).toEqual(['/ip4/127.0.0.1/tcp/77'])
    expect(found({ ...here, announce: ['/ip4/203.0.114.9/tcp/1'] }).addresses).toEqual([
      '/ip4/203.0.114.9/tcp/1',
    ])
    expect(found({ ...here, hosts: [] }).addresses).toEqual([])
  })

  test('reach is what the owner says, or what is known', () => {
    const listens = { listen: ['/ip4/10.0.0.1/tcp/5'], bound: ['/ip4/10.0.0.1/tcp/5'], hosts: ['10.0.0.1'] }
    expect(found(listens).reach).toBe(REACHABILITY.punchable)
    expect(found(listens, 'private').reach).toBe(REACHABILITY.private)
    expect(found(listens, 'public').reach).toBe(REACHABILITY.public)
    expect(found({ ...listens, confirmed: ['/ip4/203.0.114.9/tcp/5'] }, 'auto').reach).toBe(
      REACHABILITY.public,
    )
    for (const announced of ['/ip4/203.0.114.9/udp/5/quic-v1', '/dns4/node.example.org/tcp/5'])
      expect(found({ ...listens, announce: [announced] }, 'auto').reach).toBe(REACHABILITY.public)
    expect(found({ ...listens, announce: ['/ip4/10.0.0.9/tcp/5'] }).reach).toBe(REACHABILITY.punchable)
    expect(found({}).reach).toBe(REACHABILITY.private)
  })

  test.each([
    ['8.8.8.8', true],
    ['203.0.114.9', true],
    ['10.1.2.3', false],
    ['100.64.0.1', false],
    ['169.254.1.1', false],
    ['172.31.0.1', false],
    ['172.32.0.1', true],
    ['192.168.0.1', false],
    ['224.0.0.1', false],
    ['2a00:1450::1', true],
    ['2001:db8::1', false],
    ['fd00::1', false],
    ['fe80::1', false],
    ['::1', false],
  ])('%s is public: %s', (host, expected) => {
    expect(isPublic(host)).toBe(expected)
  })

  test('hosts are those of all interfaces', () => {
    const info = (address: string) => ({ address }) as never
    expect(hostsOf({ lo: [info('127.0.0.1'), info('::1')], eth0: [info('10.0.0.1')] })).toEqual([
      '127.0.0.1',
      '::1',
      '10.0.0.1',
    ])
  })
})
