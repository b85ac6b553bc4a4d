/**
 * The Ethernet of a VLAN between real nodes that reach each other through a blind relay alone: what hosts
 * and switches do on a cable works on it too.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { macText, parseMac } from '../../core/ids.ts'
import { openLibc } from '../../drivers/linux/libc.ts'
import { capture, fields } from '../support/captures.ts'
import { hearer, sendDatagrams } from '../support/datagrams.ts'
import type { Namespace } from '../support/namespaces.ts'
import { PacketSocket } from '../support/packet-socket.ts'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

const GROUP = '239.7.7.7'
const OTHER_GROUP = '239.7.7.8'
const PORT = 5_007
const STREAM = 400
/** 802.1Q, by the kernel's number for the tag (linux/if_ether.h). */
const TAGGED = 0x8100

describe.skipIf(!requires.namespaces())('members behind a blind relay', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let addresses: readonly [alice: string, bob: string]

  beforeAll(async () => {
    const relay = lab.node('relay')
    alice = lab.node('alice')
    bob = lab.node('bob')
    lab.behind(relay, alice, bob)
    await lab.up(relay, alice, bob)
    addresses = (await lab.vlan('lan', alice, bob)) as [string, string]
  })

  const global = (host: Namespace, name: string): string =>
    host.link(name)?.addr_info.find(({ family, local }) => family === 'inet6' && /^fd/.test(local))?.local ??
    ''

  test('have no way to each other but the VLAN', () => {
    expect(() => alice.host.run('ping', '-c', '1', '-W', '1', '10.90.1.2')).toThrow(/unreachable/)
  })

  test('find each other by ARP and talk IPv4, in packets of any length', () => {
    expect(ping(alice.host, addresses[1])).toBe(true)
    const [entry] = alice.host.list<{ lladdr: string }>('neigh', 'show', addresses[1])
    expect(entry?.lladdr).toBe(bob.host.link('lan')?.address)
    // IPv4 and ICMP have headers of 28 bytes together.
    for (const bytes of [0, 1, 600, 1_280 - 28, 20_000]) {
      expect([bytes, ping(alice.host, addresses[1], bytes)]).toEqual([bytes, true])
      expect([bytes, ping(bob.host, addresses[0], bytes)]).toEqual([bytes, true])
    }
  })

  test('talk IPv6 by addresses that follow from keys, and by those that somebody gave', async () => {
    const ula = global(bob.host, 'lan')
    expect(ula).not.toBe('')
    expect(ping(alice.host, ula)).toBe(true)
    expect(ping(bob.host, global(alice.host, 'lan'), 1_280 - 48)).toBe(true)
    for (const [index, { host }] of [alice, bob].entries())
      host.ip('addr', 'add', `fd00:7::${index + 1}/64`, 'dev', 'lan')
    expect(ping(alice.host, 'fd00:7::2')).toBe(true)
    expect(ping(bob.host, 'fd00:7::1', 9_000)).toBe(true)
    const entries = alice.host.list<{ lladdr: string }>('neigh', 'show', 'fd00:7::2')
    expect(entries[0]?.lladdr).toBe(bob.host.link('lan')?.address)
  })

  test('hear broadcasts', async () => {
    const listener = await hearer(bob.host, { at: addresses[1], port: PORT, group: undefined })
    const order = {
      from: addresses[0],
      to: '10.7.0.255',
      port: PORT,
      count: 50,
      bytes: 200,
      intervalMillis: 5,
    }
    await sendDatagrams(alice.host, order)
    await bob.until('the last came', async () => (await listener.heard()).includes(49))
    expect(await listener.heard()).toEqual(Array.from({ length: 50 }, (_, index) => index))
    listener.close()
  })

  test('hear the stream of a multicast group, each datagram once and in order, and no other', async () => {
    const listener = await hearer(bob.host, { at: addresses[1], port: PORT, group: GROUP })
    const order = { from: addresses[0], port: PORT, bytes: 1_200, intervalMillis: 3 }
    await sendDatagrams(alice.host, { ...order, to: OTHER_GROUP, count: 20 })
    await sendDatagrams(alice.host, { ...order, to: GROUP, count: STREAM })
    await bob.until('the last came', async () => (await listener.heard()).includes(STREAM - 1))
    expect(await listener.heard()).toEqual(Array.from({ length: STREAM }, (_, index) => index))
    listener.close()
  })

  test('send tagged frames, as long as any others and the tag', async () => {
    const running = await capture(bob, 'tagged', 'inner')
    const index = alice.host.list<{ ifindex: number }>('link', 'show', 'dev', 'lan')[0]?.ifindex as number
    const socket = alice.host.inside(() => new PacketSocket(openLibc(), index, TAGGED))
    const to = parseMac((bob.host.link('lan')?.address ?? '').replaceAll(':', '').toUpperCase())
    const from = parseMac((alice.host.link('lan')?.address ?? '').replaceAll(':', '').toUpperCase())
    const lengths = [64, 1_294, 1_298]
    for (const length of lengths) {
      const frame = Buffer.alloc(length)
      frame.write(macText(to) + macText(from), 'hex')
      // The tag: priority 5, VLAN 1234; then a type for experiments.
      frame.writeUInt16BE(TAGGED, 12)
      frame.writeUInt16BE((5 << 13) | 1_234, 14)
      frame.writeUInt16BE(0x88b5, 16)
      expect(socket.send(frame)).toBe(true)
    }
    socket.close()
    // What is answered after them has passed after them.
    expect(ping(alice.host, addresses[1])).toBe(true)
    await running.stop()
    const rows = fields(running.file, 'vlan', 'frame.len', 'vlan.id', 'vlan.priority', 'vlan.etype')
    expect(rows.map((row) => row.map(Number))).toEqual(lengths.map((length) => [length, 1_234, 5, 0x88b5]))
  })

  test('lead to hosts behind a bridge, which follow it when it is taken away', async () => {
    const [first] = await lab.vlan('bridged', alice, bob)
    const carol = lab.host('carol')
    lab.lab.veth(bob.host, 'to-carol', carol, 'eth0')
    bob.host.bridge('br0', ['bridged', 'to-carol'])
    carol.ip('link', 'set', 'eth0', 'mtu', '1280')
    carol.ip('addr', 'add', '10.7.1.77/24', 'dev', 'eth0')
    expect(ping(alice.host, '10.7.1.77')).toBe(true)
    expect(ping(carol, first as string, 1_280 - 28)).toBe(true)
    const [entry] = alice.host.list<{ lladdr: string }>('neigh', 'show', '10.7.1.77')
    expect(entry?.lladdr).toBe(carol.link('eth0')?.address)
    // The member's own address, now that of the bridge.
    bob.host.ip('addr', 'flush', 'dev', 'bridged', 'scope', 'global')
    bob.host.ip('addr', 'add', '10.7.1.2/24', 'dev', 'br0')
    expect(ping(alice.host, '10.7.1.2')).toBe(true)
    expect(ping(carol, '10.7.1.2')).toBe(true)
  })
})
