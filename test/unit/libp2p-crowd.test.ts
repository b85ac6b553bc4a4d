/** How many connections one host may have: what counts as one host, and that all is forgotten again. */
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { type Comer, Crowd, HOST_CONNECTIONS_MAX, SITE_CONNECTIONS_MAX } from '../../drivers/libp2p/crowd.ts'

/** A connection from there that the test closes. */
function comer(address: string, status = 'open'): Comer & { close(): void } {
  const listeners: (() => void)[] = []
  return {
    remoteAddr: multiaddr(address),
    status,
    addEventListener: (_, listener) => listeners.push(listener),
    close: () => {
      for (const listener of listeners.splice(0)) listener()
    },
  }
}

function admitted(
  crowd: Crowd,
  count: number,
  address: (index: number) => string,
): ReturnType<typeof comer>[] {
  const all = Array.from({ length: count }, (_, index) => comer(address(index)))
  return all.filter((one) => crowd.admit(one))
}

describe('a crowd', () => {
  test('has room for so many of one host, whatever port and transport they come by, and for others', () => {
    const crowd = new Crowd()
    const ways = ['/ip4/203.0.113.7/tcp/', '/ip4/203.0.113.7/udp/', '/ip4/203.0.113.7/tcp/']
    const all = admitted(crowd, HOST_CONNECTIONS_MAX + 5, (at) => `${ways[at % 3]}${1_000 + at}`)
    expect(all.length).toBe(HOST_CONNECTIONS_MAX)
    expect(crowd.refused).toBe(5)
    expect(crowd.admit(comer('/ip4/203.0.113.8/tcp/1'))).toBe(true)
    all[0]?.close()
    expect(crowd.admit(comer('/ip4/203.0.113.7/tcp/1/ws'))).toBe(true)
    expect(crowd.admit(comer('/ip4/203.0.113.7/tcp/1/ws'))).toBe(false)
  })

  test('takes all addresses of an IPv6 network for one host, and IPv4 for what it is', () => {
    const crowd = new Crowd()
    const many = HOST_CONNECTIONS_MAX + 1
    expect(admitted(crowd, many, (at) => `/ip6/2001:db8:1:1:${at}::1/tcp/1`).length).toBe(many - 1)
    expect(crowd.admit(comer('/ip6/2001:db8:1:2::1/tcp/1'))).toBe(true)
    expect(admitted(crowd, many, (at) => `/ip6/::ffff:198.51.100.${at}/tcp/1`).length).toBe(many)
    expect(admitted(crowd, many, () => '/ip6/::ffff:192.0.2.1/tcp/1').length).toBe(many - 1)
    expect(crowd.admit(comer('/ip4/192.0.2.1/tcp/1'))).toBe(false)
  })

  test('has room for so many of a whole IPv6 site, in however many networks, and for other sites', () => {
    const crowd = new Crowd()
    const all = admitted(crowd, SITE_CONNECTIONS_MAX + 9, (at) => `/ip6/2001:db8:1:${at % 7}::1/tcp/1`)
    expect(all.length).toBe(SITE_CONNECTIONS_MAX)
    expect(crowd.admit(comer('/ip6/2001:db8:2:1::1/tcp/1'))).toBe(true)
    for (const one of all) one.close()
    expect(crowd.admit(comer('/ip6/2001:db8:1:1::1/tcp/1'))).toBe(true)
  })

  test('takes whoever comes through a circuit for the relay, and does not count what has no host', () => {
    const crowd = new Crowd()
    const many = HOST_CONNECTIONS_MAX + 1
    expect(admitted(crowd, many, () => '/ip4/192.0.2.1/tcp/1/p2p-circuit').length).toBe(many - 1)
    expect(admitted(crowd, many, () => '/memory/7').length).toBe(many)
  })

  test('forgets hosts that have gone, and never counts what was closed before', () => {
    const crowd = new Crowd()
    expect(crowd.admit(comer('/ip4/192.0.2.1/tcp/1', 'closed'))).toBe(true)
    const most = () => admitted(crowd, 2 * HOST_CONNECTIONS_MAX, () => '/ip4/192.0.2.1/tcp/1')
    const all = most()
    expect(all).toHaveLength(HOST_CONNECTIONS_MAX)
    expect(most()).toHaveLength(0)
    for (const one of all) one.close()
    expect(most()).toHaveLength(HOST_CONNECTIONS_MAX)
  })
})
