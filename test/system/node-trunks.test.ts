/** What carries the trunks of real nodes: one transport or another, and what happens where one is blocked. */
import { beforeAll, describe, expect, test } from 'vitest'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import { type NodeConfigText, type RealNode, TRANSPORT, type Transport } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

/** How libp2p writes them. */
const NAMES = { quic: 'quic-v1', tcp: 'tcp', ws: 'ws' } as const satisfies Record<Transport, string>

/** All of a host, in both families. */
const ANY = { 4: '/ip4/0.0.0.0', 6: '/ip6/::' } as const

/** A node that has one transport alone, by one family. */
function only(transport: Transport, family: 4 | 6 = 4): NodeConfigText {
  const transports = { quic: false, tcp: false, ws: false, [transport]: true }
  return { transports, listen: [`${ANY[family]}/${TRANSPORT[transport]}`] }
}

/** Of a host: what comes in by UDP is swallowed, and nobody is told. */
function swallowUdp({ host }: RealNode, from: string): void {
  // The rule for local addresses is the first of all, and has to be behind this one.
  host.ip('rule', 'add', 'pref', '100', 'lookup', 'local')
  host.ip('rule', 'del', 'pref', '0')
  host.ip('rule', 'add', 'pref', '50', 'iif', from, 'ipproto', 'udp', 'blackhole')
}

/** Between a node and a neighbour. */
async function transportsTo(node: RealNode, other: RealNode): Promise<string[]> {
  const { trunks } = await node.status()
  return trunks.filter(({ peer }) => peer === other.key).map(({ transport }) => transport)
}

describe.skipIf(!requires.namespaces())('a blind node in the middle, which has all transports', () => {
  const lab = realLab()
  const single: Partial<Record<Transport, RealNode>> = {}
  const byIpv6: Partial<Record<Transport, RealNode>> = {}
  let middle: RealNode
  let stale: RealNode
  let blocked: RealNode
  let members: readonly RealNode[]
  let addresses: readonly string[]

  beforeAll(async () => {
    const ways = Object.values(TRANSPORT)
    middle = lab.node('middle', {
      listen: Object.values(ANY).flatMap((host) => ways.map((way) => `${host}/${way}`)),
    })
    for (const transport of ['quic', 'tcp', 'ws'] as const) {
      const node = lab.node(transport, only(transport))
      lab.direct(middle, node, transport)
      single[transport] = node
    }
    for (const transport of ['quic', 'tcp'] as const) {
      const node = lab.node(`${transport}-6`, only(transport, 6))
      lab.cable(middle, node, 6)
      node.configure({ bootstrap: [lab.contact(middle, node, transport)] })
      byIpv6[transport] = node
    }
    stale = lab.node('stale')
    lab.cable(middle, stale)
    const { address } = lab.end(middle, stale)
    const dead = `/ip4/${address}/udp/4999/quic-v1/p2p/${middle.peer}`
    stale.configure({ bootstrap: [dead, lab.contact(middle, stale, 'tcp')] })
    blocked = lab.node('blocked')
    lab.cable(middle, blocked)
    blocked.configure({
      bootstrap: [lab.contact(middle, blocked, 'quic'), lab.contact(middle, blocked, 'tcp')],
    })
    swallowUdp(middle, lab.end(middle, blocked).name)
    members = [...Object.values(single), stale, blocked, ...Object.values(byIpv6)]
    await lab.up(middle, ...members)
    addresses = await lab.vlan('mixed', ...members)
  })

  test.each(['quic', 'tcp', 'ws'] as const)('is reached by %s alone', async (transport) => {
    const node = single[transport] as RealNode
    expect(await transportsTo(node, middle)).toEqual([NAMES[transport]])
    expect(await transportsTo(middle, node)).toEqual([NAMES[transport]])
  })

  test.each(['quic', 'tcp'] as const)('is reached by %s where there is IPv6 alone', async (transport) => {
    const node = byIpv6[transport] as RealNode
    const { trunks, process } = await node.status()
    expect(trunks).toMatchObject([{ peer: middle.key, transport: NAMES[transport], relayed: false }])
    expect(trunks[0]?.remote).toMatch(/^\/ip6\/fd00:90:/)
    for (const contact of process.contacts) expect(contact).toMatch(/^\/ip6\/fd00:90:/)
  })

  test('is reached by TCP where the address by QUIC that is known is not its own any more', async () => {
    expect(await transportsTo(stale, middle)).toEqual(['tcp'])
  })

  test('is reached by TCP where UDP is swallowed on the way', async () => {
    expect(await transportsTo(blocked, middle)).toEqual(['tcp'])
    // It is swallowed there alone.
    expect(await transportsTo(single.quic as RealNode, middle)).toEqual(['quic-v1'])
  })

  test('joins members that have no way to each other and no transport in common', () => {
    for (const [index, node] of members.entries()) {
      const after = (index + 1) % members.length
      const other = lab.end(members[after] as RealNode, middle).address
      // Without a way in IP; what comes through comes through the node in the middle.
      expect(() => node.host.ip('route', 'get', other)).toThrow('unreachable')
      expect(ping(node.host, addresses[after] as string)).toBe(true)
    }
    expect(ping(members[0]!.host, addresses[3] as string, 1_252)).toBe(true)
  })

  test('carries their VLAN, and is no member of it', async () => {
    const { vlans, interfaces, carried } = await middle.status()
    expect({ vlans, interfaces }).toEqual({ vlans: [], interfaces: [] })
    const lowers = carried.flatMap((vlan) => (vlan.member ? [] : vlan.lowers))
    expect(lowers.length).toBeGreaterThan(0)
    expect(middle.host.list('link').map((link) => (link as { ifname: string }).ifname)).not.toContain('mixed')
  })
})

describe.skipIf(!requires.namespaces())(
  'a guest on another side of the relay that its inviter dialled',
  () => {
    const lab = realLab()

    test('finds the door by its invitation alone', async () => {
      const [relay, host, guest] = [lab.node('relay'), lab.node('host'), lab.node('guest')]
      lab.behind(relay, host)
      lab.cable(relay, guest)
      await lab.up(relay, host, guest)
      await host.create('home')
      await host.untilNeighbour(relay)
      const [url] = await host.invite('home')
      const entered = await guest.join(url)
      expect(entered.members).toBe(2)
      expect(await transportsTo(guest, relay)).toEqual(['quic-v1'])
    })
  },
)
