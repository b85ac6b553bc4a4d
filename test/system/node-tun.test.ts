/** A member whose host has IP alone, and one with an Ethernet interface, in one VLAN: they cannot tell. */
import { beforeAll, describe, expect, test } from 'vitest'
import { hearer, sendDatagrams } from '../support/datagrams.ts'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

const GROUP = '239.7.7.7'
const PORT = 5_007
const COUNT = 40

describe.skipIf(!requires.namespaces())('members with a TAP and with a TUN', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode

  beforeAll(async () => {
    alice = lab.node('alice')
    bob = lab.node('bob')
    lab.direct(alice, bob)
    await lab.up(alice, bob)
    await lab.vlan('home', alice, bob)
    const [order] = bob.config.interfaces ?? []
    bob.configure({ interfaces: [{ vlan: 'home', ...order, kind: 'tun' }] })
    await bob.client().post('/v1/reload', {})
    await bob.until('it has a TUN', () => bob.host.link('home')?.flags.includes('NOARP'))
  })

  test('talk IPv4 and IPv6 both ways, also by addresses that somebody gave the interface', () => {
    for (const [index, { host }] of [alice, bob].entries()) {
      host.ip('addr', 'add', `fd00:7::${index + 1}/64`, 'dev', 'home')
      host.ip('addr', 'add', `10.77.0.${index + 1}/24`, 'dev', 'home')
    }
    for (const address of ['10.7.0.2', 'fd00:7::2', '10.77.0.2'])
      expect([address, ping(alice.host, address)]).toEqual([address, true])
    for (const address of ['10.7.0.1', 'fd00:7::1', '10.77.0.1'])
      expect([address, ping(bob.host, address, 5_000)]).toEqual([address, true])
  })

  test('have each other in their tables by the MAC that the VLAN knows', async () => {
    const { mac } = await bob.ask<{ mac: string }>('show', 'home')
    const [entry] = alice.host.list<{ lladdr: string }>('neigh', 'show', '10.7.0.2')
    expect(entry?.lladdr.replaceAll(':', '')).toBe(mac.replaceAll(':', '').toLowerCase())
  })

  test.each([
    ['broadcasts', '10.7.0.255', undefined],
    ['a multicast group', GROUP, GROUP],
  ])('hear %s from each other', async (_, to, group) => {
    for (const [from, at, hears] of [
      ['10.7.0.1', '10.7.0.2', bob],
      ['10.7.0.2', '10.7.0.1', alice],
    ] as const) {
      const sender = hears === bob ? alice : bob
      const listener = await hearer(hears.host, { at, port: PORT, group })
      await sendDatagrams(sender.host, { from, to, port: PORT, count: COUNT, bytes: 200, intervalMillis: 5 })
      await hears.until('the last came', async () => (await listener.heard()).includes(COUNT - 1))
      expect(await listener.heard()).toEqual(Array.from({ length: COUNT }, (_each, index) => index))
      listener.close()
    }
  })
})
