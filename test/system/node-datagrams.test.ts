/**
 * Datagrams beside the streams of trunks between real nodes: used where they get through, and no loss where
 * not.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { openLibc } from '../../drivers/linux/libc.ts'
import { endpointOf, openUdp, UdpInbox, UdpOutbox } from '../../drivers/linux/udp.ts'
import { ping } from '../support/ping.ts'
import { PingFlow } from '../support/ping-flow.ts'
import { realLab } from '../support/real-lab.ts'
import type { NodeConfigText, RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

/** A path is given up 0.8 s after it died; more is for a machine on which a program waits for its turn. */
const FALL_BACK_MILLIS_MAX = 1_000
const BUSY_MILLIS = 1_000
/** TCP streams, so that a cut of UDP cuts datagrams alone. */
const WITH: NodeConfigText = { datagrams: { enabled: true } }
const TCP: NodeConfigText = {
  ...WITH,
  transports: { quic: false, ws: false },
  listen: ['/ip4/0.0.0.0/tcp/4001'],
}

const isAble = requires.namespaces() && requires.pinging() && requires.programs({ nft: 'nftables' })

const usesDatagrams = async (node: RealNode): Promise<boolean> =>
  (await node.status()).trunks.some(({ datagram }) => datagram?.used === true)

const counterOf = async (node: RealNode, name: string): Promise<number> =>
  (await node.status()).counters[name] ?? 0

describe.skipIf(!isAble)('two members with a cable', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let addresses: readonly string[]

  beforeAll(async () => {
    alice = lab.node('alice', TCP)
    bob = lab.node('bob', TCP)
    lab.direct(alice, bob, 'tcp')
    await lab.up(alice, bob)
    addresses = await lab.vlan('home', alice, bob)
  })

  const untilUsed = async (): Promise<void> => {
    for (const node of [alice, bob]) await node.until('it uses datagrams', () => usesDatagrams(node))
  }

  /** Drops all UDP that leaves those hosts. */
  const cut = (...nodes: readonly RealNode[]): void => {
    for (const { host } of nodes) {
      host.run('nft', 'add', 'table', 'inet', 'cut')
      // Behind the last place where a sender could be told: it is swallowed.
      host.run('nft', 'add chain inet cut away { type filter hook postrouting priority 0; }')
      host.run('nft', 'add rule inet cut away oifname eth0 meta l4proto udp drop')
    }
  }
  const mend = (...nodes: readonly RealNode[]): void => {
    for (const { host } of nodes) host.run('nft', 'delete', 'table', 'inet', 'cut')
  }

  test('use them, over IP of their cable, and say so', async () => {
    await untilUsed()
    const { trunks } = await alice.status()
    expect(trunks[0]).toMatchObject({ transport: 'tcp', datagram: { used: true, payload: 1_452 } })
    expect(trunks[0]?.datagram?.remote).toBe(`/ip4/${lab.end(bob, alice).address}/udp/4003`)
    const { trunks: before } = await bob.status()
    for (const bytes of [56, 1_200, 8_000]) expect(ping(alice.host, addresses[1] as string, bytes)).toBe(true)
    const { trunks: after } = await bob.status()
    const grown = (after[0]?.datagram?.bytesIn ?? 0) - (before[0]?.datagram?.bytesIn ?? 0)
    expect(grown).toBeGreaterThan(9_256)
  })

  test.each(['both', 'one'] as const)(
    'go on by the stream within a second when UDP of %s is swallowed, and come back to datagrams',
    async (which) => {
      await untilUsed()
      const flow = new PingFlow(alice.host, addresses[1] as string)
      const away = which === 'both' ? [alice, bob] : [bob]
      try {
        await flow.answeredAfter()
        const at = Date.now()
        cut(...away)
        await alice.until('it falls back', async () => !(await usesDatagrams(alice)))
        await flow.answeredAfter(at + FALL_BACK_MILLIS_MAX)
        const gap = flow.longestGapAfter(at)
        console.log(`UDP of ${which} swallowed: no frames for ${Math.round(gap)} ms`)
        expect(gap).toBeLessThan(FALL_BACK_MILLIS_MAX + BUSY_MILLIS)
        mend(...away)
        await untilUsed()
        const backAt = Date.now()
        await flow.answeredAfter(backAt)
        // Going back costs nothing: both ways are there.
        expect(flow.longestGapAfter(backAt)).toBeLessThan(FALL_BACK_MILLIS_MAX)
      } finally {
        await flow.end()
      }
    },
  )

  test('are not moved by a hostile sender of garbage, who hears nothing', async () => {
    await untilUsed()
    const before = (await alice.status()).trunks[0]?.datagram
    const indexBefore = await counterOf(alice, 'dropDatagramIndex')
    const lengthBefore = await counterOf(alice, 'dropDatagramLength')
    const libc = openLibc()
    const socket = bob.host.inside(() => openUdp(libc, 4, 0, { segment: false, gro: false }))
    if (socket === undefined || socket === 'taken') throw new Error('no socket')
    const outbox = new UdpOutbox(libc, socket)
    const target = endpointOf(Uint8Array.from(lab.end(alice, bob).address.split('.').map(Number)), 4_003)
    let random = 1
    for (let count = 0; count < 2_000; count++) {
      const length = count % 1_472
      const place = outbox.place(length)
      for (let at = place; at < place + length; at++) {
        random = (random * 16_807) % 2_147_483_647
        outbox.memory[at] = random >> 8
      }
      // A type that there is, so that more than the first byte is looked at.
      if (length > 0) outbox.memory[place] = 1 + (count % 4)
      outbox.commit(target, length)
    }
    outbox.flush()
    await alice.until('all of it has come', async () => {
      const index = (await counterOf(alice, 'dropDatagramIndex')) - indexBefore
      const length = (await counterOf(alice, 'dropDatagramLength')) - lengthBefore
      return index + length === 2_000
    })
    expect(ping(alice.host, addresses[1] as string, 100)).toBe(true)
    const after = (await alice.status()).trunks[0]?.datagram
    expect(after).toMatchObject({ used: true, remote: before?.remote, losses: before?.losses })
    let heard = 0
    new UdpInbox(libc, 0).receive(socket.fd, () => {
      heard += 1
    })
    expect(heard).toBe(0)
    socket.close()
  })
})

describe.skipIf(!isAble)('two members with a switch between them that swallows what is long', () => {
  const lab = realLab()

  test('find how long datagrams may be, and again when it becomes narrower', async () => {
    // A datagram that the kernel has yet to cut would pass the switch whole.
    const config: NodeConfigText = { ...TCP, datagrams: { enabled: true, offload: false } }
    const [alice, bob] = [lab.node('alice', config), lab.node('bob', config)] as const
    const middle = lab.lan(alice, bob)
    const narrow = (bytes: number): string => middle.ip('link', 'set', 'dev', 'port1', 'mtu', String(bytes))
    for (const { host } of [alice, bob]) {
      // Streams shall get through.
      const { prefsrc } = host.list<{ prefsrc: string }>('route')[0] as { prefsrc: string }
      host.ip('route', 'replace', '10.90.0.0/24', 'dev', 'eth0', 'src', prefsrc, 'advmss', '1000')
    }
    narrow(1_400)
    bob.configure({ bootstrap: [lab.contact(alice, bob, 'tcp')] })
    await lab.up(alice, bob)
    const [, address] = await lab.vlan('home', alice, bob)
    // Headers of IPv4 and UDP; the search ends within 8 bytes, and the kernel lets room for a tag pass.
    const isFound = (mtu: number) => (node: RealNode) => async (): Promise<boolean> => {
      const { trunks } = await node.status()
      const { used, payload } = trunks[0]?.datagram ?? { used: false, payload: 0 }
      return used && payload > mtu - 28 - 9 && payload <= mtu - 28 + 4
    }
    const keep = setInterval(() => ping(alice.host, address as string, 1_200), 1_000)
    try {
      for (const mtu of [1_400, 1_290]) {
        narrow(mtu)
        for (const node of [alice, bob]) await node.until(`it knows of ${mtu}`, isFound(mtu)(node))
        expect(ping(alice.host, address as string, 1_200)).toBe(true)
      }
    } finally {
      clearInterval(keep)
    }
  })
})

describe.skipIf(!isAble)('a member without datagrams', () => {
  const lab = realLab()

  test('and one with them talk by the stream, and the wish is no mistake', async () => {
    const alice = lab.node('alice', TCP)
    const bob = lab.node('bob', { ...TCP, datagrams: { enabled: false } })
    lab.direct(alice, bob, 'tcp')
    await lab.up(alice, bob)
    const [, address] = await lab.vlan('home', alice, bob)
    expect(ping(alice.host, address as string, 1_200)).toBe(true)
    for (const node of [alice, bob]) expect(await usesDatagrams(node)).toBe(false)
    expect((await bob.status()).trunks[0]?.datagram).toBeUndefined()
  })
})

describe.skipIf(!isAble)('members behind a blind relay', () => {
  const lab = realLab()

  test('have datagrams on each trunk of their way', async () => {
    const relay = lab.node('relay', WITH)
    const alice = lab.node('alice', WITH)
    const bob = lab.node('bob', WITH)
    lab.behind(relay, alice, bob)
    await lab.up(relay, alice, bob)
    const [, address] = await lab.vlan('home', alice, bob)
    for (const node of [alice, bob, relay]) await node.until('it uses datagrams', () => usesDatagrams(node))
    expect(ping(alice.host, address as string, 1_200)).toBe(true)
    const { trunks } = await relay.status()
    expect(trunks.filter(({ datagram }) => datagram?.used)).toHaveLength(2)
  })
})
