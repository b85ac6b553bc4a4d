/** Real nodes where there is no IPv4 to carry trunks over. */
import { beforeAll, describe, expect, test } from 'vitest'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import { type NodeConfigText, type RealNode, TRANSPORT } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

/** As a configuration without a list has it: both families. */
const BOTH: NodeConfigText = {
  listen: ['/ip4/0.0.0.0', '/ip6/::'].flatMap((host) =>
    Object.values(TRANSPORT).map((way) => `${host}/${way}`),
  ),
}

describe.skipIf(!requires.namespaces())('members behind a blind relay, with IPv6 alone', () => {
  const lab = realLab()
  let relay: RealNode
  let alice: RealNode
  let bob: RealNode
  let addresses: readonly string[]

  beforeAll(async () => {
    relay = lab.node('relay', BOTH)
    alice = lab.node('alice', BOTH)
    bob = lab.node('bob', { listen: [`/ip6/::/${TRANSPORT.tcp}`], transports: { quic: false, ws: false } })
    for (const [node, transport] of [
      [alice, 'quic'],
      [bob, 'tcp'],
    ] as const) {
      lab.cable(relay, node, 6)
      node.configure({ bootstrap: [lab.contact(relay, node, transport)] })
    }
    await lab.up(relay, alice, bob)
    addresses = await lab.vlan('home', alice, bob)
  })

  test('have trunks by QUIC and by TCP', async () => {
    for (const [node, transport] of [
      [alice, 'quic-v1'],
      [bob, 'tcp'],
    ] as const) {
      const { trunks } = await node.status()
      expect(trunks).toMatchObject([{ peer: relay.key, transport, relayed: false }])
      expect(trunks[0]?.remote).toMatch(/^\/ip6\/fd00:90:/)
    }
  })

  test('talk in their VLAN', () => {
    expect(ping(alice.host, addresses[1] as string)).toBe(true)
    expect(ping(bob.host, addresses[0] as string, 5_000)).toBe(true)
  })

  test('tell others the addresses that lead to them, and none of one cable alone', async () => {
    const { process } = await relay.status()
    expect(process.contacts.length).toBeGreaterThanOrEqual(6)
    for (const contact of process.contacts) expect(contact).toMatch(/^\/ip6\/fd00:90:/)
  })
})
