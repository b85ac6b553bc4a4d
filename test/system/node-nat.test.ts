/** Real nodes behind routers that translate addresses: who gets through to whom, and how. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../drivers/node/views.ts'
import type { Namespace } from '../support/namespaces.ts'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import { type RealNode, TRANSPORT } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

/** Addresses that nobody takes for private ones; they lead nowhere out of here. */
const PUBLIC = '45.10.0'
/** Source NAT, and nothing comes in that nobody inside has asked for: what a home's router does. */
const NAT = `table ip home {
  chain out { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
  chain in { type filter hook input priority filter; iifname "wan" ct state new drop; }
  chain through {
    type filter hook forward priority filter;
    iifname "wan" ct status dnat accept;
    iifname "wan" ct state new drop;
  }
}`
const FORWARD = `table ip home {
  chain forward {
    type nat hook prerouting priority dstnat;
    iifname "wan" udp dport 4001 dnat to 192.168.11.2;
  }
}`

describe.skipIf(!requires.namespaces() || !requires.programs({ nft: 'nftables' }))(
  'two members behind NATs',
  () => {
    const lab = realLab()
    let relay: RealNode
    let alice: RealNode
    let bob: RealNode
    let router: Namespace
    let addresses: readonly string[]

    /** A router with its member behind it. */
    const behind = (node: RealNode, internet: Namespace, place: number): Namespace => {
      const router = lab.host(`router${place}`)
      lab.lab.veth(internet, `port${place}`, router, 'wan')
      lab.lab.veth(router, 'lan', node.host, 'eth0')
      router.ip('addr', 'add', `${PUBLIC}.${place}/24`, 'dev', 'wan')
      router.ip('addr', 'add', `192.168.${place}.1/24`, 'dev', 'lan')
      router.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
      router.run('nft', NAT)
      node.host.ip('addr', 'add', `192.168.${place}.2/24`, 'dev', 'eth0')
      node.host.ip('route', 'add', 'default', 'via', `192.168.${place}.1`)
      return router
    }

    beforeAll(async () => {
      const internet = lab.host('internet')
      relay = lab.node('relay', { reachability: 'public', circuitRelay: { serve: true, use: false } })
      lab.lab.veth(internet, 'port1', relay.host, 'eth0')
      relay.host.ip('addr', 'add', `${PUBLIC}.1/24`, 'dev', 'eth0')
      alice = lab.node('alice')
      bob = lab.node('bob')
      router = behind(alice, internet, 11)
      behind(bob, internet, 12)
      internet.bridge('br0', ['port1', 'port11', 'port12'])
      for (const node of [alice, bob]) node.configure({ bootstrap: [relay.contact(`${PUBLIC}.1`)] })
      await lab.up(relay, alice, bob)
      addresses = await lab.vlan('home', alice, bob)
    })

    test('talk through the relay, which is in no VLAN', async () => {
      expect(ping(alice.host, addresses[1] as string)).toBe(true)
      expect(() => alice.host.run('ping', '-c', '1', '-W', '1', `${PUBLIC}.12`)).toThrow()
      expect((await relay.status()).vlans).toEqual([])
    })

    test('have a trunk to each other by a circuit through it, and know that nobody dials them', async () => {
      for (const [node, other] of [
        [alice, bob],
        [bob, alice],
      ] as const) {
        await node.untilNeighbour(other)
        const { process, trunks } = await node.status()
        expect(process.reachability).toBe('punchable')
        const [trunk] = trunks.filter(({ peer }) => peer === other.key)
        expect(trunk).toMatchObject({ relayed: true })
        expect(trunk?.remote).toContain(`/p2p/${relay.peer}/p2p-circuit/`)
      }
    })

    test('have one without the relay when one has its router forward a port, and says so', async () => {
      await alice.down()
      router.run('nft', FORWARD)
      alice.configure({ announce: [`/ip4/${PUBLIC}.11/${TRANSPORT.quic}`] })
      await alice.up()
      const isDirect = ({ trunks }: NodeStatus): boolean =>
        trunks.some(({ peer, relayed }) => peer === bob.key && !relayed)
      const millis = await alice.untilStatus('there is a direct trunk', isDirect)
      console.log(`forwarded port: a direct trunk after ${Math.round(millis)} ms`)
      await alice.untilStatus('none goes by the relay', ({ trunks }) =>
        trunks.every(({ relayed }) => !relayed),
      )
      const { process } = await alice.status()
      expect(process.reachability).toBe('public')
      expect(process.contacts[0]).toBe(alice.contact(`${PUBLIC}.11`))
      await lab.untilTogether('home', alice, bob)
      expect(ping(bob.host, addresses[0] as string)).toBe(true)
    })
  },
)
