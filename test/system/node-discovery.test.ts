/** How real nodes find each other where nobody told them of a node that is still there. */
import { beforeAll, describe, expect, test } from 'vitest'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import { type RealNode, TRANSPORT } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

/** An answer comes at once; a question that was lost is asked again after ten seconds. */
const FOUND_MILLIS_MAX = 15_000
const LISTEN = { 4: `/ip4/0.0.0.0/${TRANSPORT.quic}`, 6: `/ip6/::/${TRANSPORT.quic}` } as const

describe.skipIf(!requires.namespaces())('nodes on one cable that leads nowhere, who know of nobody', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let carol: RealNode
  let addresses: readonly string[]

  beforeAll(async () => {
    alice = lab.node('alice', { mdns: true, listen: [LISTEN[4], LISTEN[6]] })
    bob = lab.node('bob', { mdns: true, listen: [LISTEN[4]] })
    carol = lab.node('carol', { mdns: true, listen: [LISTEN[6]] })
    lab.lan(alice, bob, carol)
    const { name, address } = lab.end(carol, alice)
    carol.host.ip('addr', 'del', `${address}/24`, 'dev', name)
    for (const [index, { host }] of [alice, carol].entries())
      host.ip('addr', 'add', `fd00:91::${index + 1}/64`, 'dev', name, 'nodad')
    await lab.up(bob, carol)
  })

  test('find each other by multicast DNS, over IPv4 and over IPv6', async () => {
    await alice.up()
    const byIpv4 = await alice.untilNeighbour(bob, FOUND_MILLIS_MAX)
    const byIpv6 = await alice.untilNeighbour(carol, FOUND_MILLIS_MAX)
    console.log(`multicast DNS: neighbours after ${Math.round(byIpv4)} and ${Math.round(byIpv6)} ms`)
    addresses = await lab.vlan('home', alice, bob, carol)
    expect(ping(bob.host, addresses[2] as string)).toBe(true)
    // Not even by the interface that their VLAN has there is one of these asked for.
    const { counters } = await alice.status()
    expect(counters['discoveryFailed']).toBe(0)
  })

  test('find each other by what they kept when all whom they were told of have gone', async () => {
    const all = [alice, bob, carol]
    await Promise.all(all.map((node) => node.down()))
    const gone = lab.beside(bob, 'gone').contact(lab.end(bob, alice).address).replace('4001', '4101')
    for (const node of all) node.configure({ mdns: false, bootstrap: [gone] })
    await Promise.all(all.map((node) => node.up()))
    const millis = [await alice.untilNeighbour(bob), await alice.untilNeighbour(carol)]
    console.log(`remembered: neighbours after ${millis.map(Math.round).join(' and ')} ms more`)
    await lab.untilTogether('home', ...all)
    expect(ping(carol.host, addresses[1] as string)).toBe(true)
  })
})
