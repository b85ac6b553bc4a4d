/** Real nodes whose ways to each other fail, and how soon frames flow again by others. */
import type { ChildProcess } from 'node:child_process'
import { beforeAll, describe, expect, test } from 'vitest'
import { ping } from '../support/ping.ts'
import { PingFlow } from '../support/ping-flow.ts'
import { realLab } from '../support/real-lab.ts'
import type { NodeConfigText, RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

/**
 * Where the system tells a link's end that the other is gone (mesh:S1), and where silence has to be noticed.
 * The protocol promises 1.5 and 3.5 s, and on two cores that were busy otherwise it took 1.3 and 3.4; a
 * second more is for a machine on which a program waits for its turn.
 */
const REPORTED_MILLIS_MAX = 2_500
const SILENT_MILLIS_MAX = 4_500

const isAble = requires.namespaces() && requires.pinging()

describe.skipIf(!isAble)('two members behind two relays', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let relays: readonly [RealNode, RealNode]
  let addresses: readonly string[]

  beforeAll(async () => {
    // The system tells a TCP connection's end that the other end's program is gone.
    const config: NodeConfigText = {
      transports: { quic: false, ws: false },
      listen: ['/ip4/0.0.0.0/tcp/4001'],
    }
    alice = lab.node('alice', config)
    bob = lab.node('bob', config)
    relays = [lab.node('east', config), lab.node('west', config)]
    // The relays have no cable: all that goes from one to the other goes through members.
    for (const member of [alice, bob]) {
      for (const relay of relays) lab.cable(relay, member)
      member.configure({ bootstrap: relays.map((relay) => lab.contact(relay, member, 'tcp')) })
    }
    await lab.up(...relays, alice, bob)
    addresses = await lab.vlan('home', alice, bob)
  })

  const whole = async (): Promise<void> => {
    for (const member of [alice, bob]) for (const relay of relays) await member.untilNeighbour(relay)
  }

  /** The relay that frames between the members pass now. */
  const used = async (): Promise<RealNode> => {
    const before = await Promise.all(relays.map(bytesOf))
    for (let round = 0; round < 20; round++)
      expect(ping(alice.host, addresses[1] as string, 1_000)).toBe(true)
    const after = await Promise.all(relays.map(bytesOf))
    const [east, west] = relays.map((_, index) => (after[index] as number) - (before[index] as number))
    return (east as number) > (west as number) ? relays[0] : relays[1]
  }

  /** How long no ping was answered, from what is done to a relay on; it is mended afterwards. */
  const outage = async (
    what: string,
    fail: (relay: RealNode) => void,
    mend: (relay: RealNode) => unknown,
  ): Promise<number> => {
    await whole()
    const relay = await used()
    const flow = new PingFlow(alice.host, addresses[1] as string)
    try {
      await flow.answeredAfter()
      const at = Date.now()
      fail(relay)
      // What is under way may still come back.
      await flow.answeredAfter(at + 1_000)
      const gap = flow.longestGapAfter(at)
      console.log(`${what}: no frames for ${Math.round(gap)} ms`)
      return gap
    } finally {
      await flow.end()
      await mend(relay)
    }
  }

  test('go on by the other when the one they use is killed', async () => {
    const gap = await outage(
      'relay killed',
      (relay) => relay.signal('SIGKILL'),
      async (relay) => {
        await relay.kill()
        await relay.up()
      },
    )
    expect(gap).toBeLessThan(REPORTED_MILLIS_MAX)
  })

  test('go on by the other when the one they use is cut off', async () => {
    // What comes and goes by its cables is swallowed, and nobody is told.
    const swallow = (relay: RealNode, act: 'add' | 'del') => {
      for (const member of [alice, bob])
        relay.host.ip('rule', act, 'pref', '50', 'to', `${lab.end(relay, member).address}/24`, 'blackhole')
    }
    const gap = await outage(
      'relay cut off',
      (relay) => {
        // The rule for local addresses is the first of all, and has to be behind these.
        relay.host.ip('rule', 'add', 'pref', '100', 'lookup', 'local')
        relay.host.ip('rule', 'del', 'pref', '0')
        swallow(relay, 'add')
      },
      (relay) => swallow(relay, 'del'),
    )
    expect(gap).toBeLessThan(SILENT_MILLIS_MAX)
  })

  test('go on by the other when the program of the one they use stands still', async () => {
    const stop = (relay: RealNode) => relay.signal('SIGSTOP')
    const gap = await outage('relay stopped', stop, (relay) => relay.signal('SIGCONT'))
    expect(gap).toBeLessThan(SILENT_MILLIS_MAX)
  })

  test('go on by the other when the cable to the one they use is pulled, and use both again', async () => {
    const cable = (relay: RealNode, state: 'up' | 'down') =>
      relay.host.ip('link', 'set', lab.end(relay, alice).name, state)
    const gap = await outage(
      'cable pulled',
      (relay) => cable(relay, 'down'),
      (relay) => cable(relay, 'up'),
    )
    expect(gap).toBeLessThan(SILENT_MILLIS_MAX)
    await whole()
  })
})

async function bytesOf(node: RealNode): Promise<number> {
  const { trunks } = await node.status()
  return trunks.reduce((sum, { bytesIn }) => sum + bytesIn, 0)
}

/** Answers each line that comes with the same line. */
const ECHO = `require('node:net').createServer((socket) => socket.pipe(socket))
  .listen(7777, process.argv[1], () => console.log('listens'))`
/** Says a line each 50 ms on one connection, and prints what comes back. */
const TALK = `const socket = require('node:net').connect(7777, process.argv[1])
  let said = 0
  setInterval(() => socket.write(++said + '\\n'), 50)
  socket.on('error', (error) => { console.log(error.code); process.exit(1) })
  socket.pipe(process.stdout)`

/** Beside those of IPv4, on the same cable. */
const ALICE_6 = 'fd00:90:99::1'
const BOB_6 = 'fd00:90:99::2'

describe.skipIf(!isAble)('two members, one of which gets another address', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let addresses: readonly string[]

  beforeAll(async () => {
    alice = lab.node('alice')
    bob = lab.node('bob')
    lab.direct(alice, bob)
    await lab.up(alice, bob)
    addresses = await lab.vlan('home', alice, bob)
  })

  const lines = (child: ChildProcess): string[] => {
    const said: string[] = []
    child.stdout?.setEncoding('utf8').on('data', (part: string) => said.push(...part.trim().split('\n')))
    return said
  }
  const program = (node: RealNode, source: string, address: string): ChildProcess =>
    node.host.spawn(process.execPath, ['-e', source, address], { stdio: ['ignore', 'pipe', 'inherit'] })

  test('keep their connections in the VLAN', async () => {
    const server = program(alice, ECHO, addresses[0] as string)
    const heard = lines(server)
    await alice.until('the server listens', () => heard.includes('listens'))
    const client = program(bob, TALK, addresses[0] as string)
    const said = lines(client)
    await bob.until('they talk', () => said.length > 5)

    const { name, address } = lab.end(bob, alice)
    bob.host.ip('addr', 'del', `${address}/24`, 'dev', name)
    bob.host.ip('addr', 'add', address.replace(/\d+$/, '77/24'), 'dev', name)
    const before = said.length
    const millis = await bob.until('they talk on', () => said.length > before + 100, 60_000)
    console.log(`new address: 100 lines took ${Math.round(millis)} ms on the same connection`)
    expect(client.exitCode).toBeNull()
    // In their order, and none left out: it is the same connection.
    expect(said.map(Number)).toEqual(said.map((_, index) => index + 1))
    // Data may go to the new address by datagrams before the trunk itself is a new one.
    await alice.until('the trunk is at the new address', async () =>
      (await alice.status()).trunks.some(({ remote }) => remote.includes('.77/')),
    )
    client.kill('SIGKILL')
    server.kill('SIGKILL')
  })
})

describe.skipIf(!isAble)('two members, one of which loses IPv4 and gets IPv6', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let addresses: readonly string[]

  beforeAll(async () => {
    const transports = { quic: true, tcp: false, ws: false }
    const listen = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip6/::/udp/4001/quic-v1']
    alice = lab.node('alice', { transports, listen })
    bob = lab.node('bob', { transports, listen })
    lab.direct(alice, bob)
    const { name } = lab.end(alice, bob)
    alice.host.ip('addr', 'add', `${ALICE_6}/64`, 'dev', name, 'nodad')
    await lab.up(alice, bob)
    addresses = await lab.vlan('home', alice, bob)
  })

  test('have a trunk over that, and talk on', async () => {
    const remotes = async () => (await bob.status()).trunks.map(({ remote }) => remote)
    await bob.until('they have a trunk', async () => (await remotes()).length > 0)
    bob.configure({ bootstrap: [lab.contact(alice, bob), alice.contact(ALICE_6)] })
    expect(await bob.cli('reload')).toMatchObject({ code: 0 })
    const { name, address } = lab.end(bob, alice)
    bob.host.ip('addr', 'add', `${BOB_6}/64`, 'dev', name, 'nodad')
    bob.host.ip('addr', 'del', `${address}/24`, 'dev', name)
    const millis = await bob.until(
      'its trunks are over IPv6',
      async () => {
        const now = await remotes()
        return now.length > 0 && now.every((remote) => remote.startsWith('/ip6/'))
      },
      10_000,
    )
    console.log(`from IPv4 to IPv6: a trunk after ${Math.round(millis)} ms`)
    await bob.until('they talk', () => ping(bob.host, addresses[0] as string))
  })
})
