/** Real nodes in trouble: what they say then, and that nothing is lost. */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { MAIN } from '../support/cli.ts'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import { type RealNode, TRANSPORT } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

const METRICS_PORT = 9_464
/** What people are not to see: they made a mistake, PeerTap did not. */
const FAULT = /fault of PeerTap|\n {4}at /

/** The program refuses to start a node: it says why, and ends with the code for mistakes. */
function refusalOf(node: RealNode, ...flags: readonly string[]): Promise<string> {
  return ended(node, 2, flags)
}

/** The same where something is in the way that goes: with the code after which systemd tries again. */
function obstacleOf(node: RealNode, ...flags: readonly string[]): Promise<string> {
  return ended(node, 1, flags)
}

async function ended(node: RealNode, expected: number, flags: readonly string[]): Promise<string> {
  const { code, out, err } = await node.cli('up', ...flags)
  expect({ code, out, err }).toEqual({ code: expected, out: '', err: expect.not.stringMatching(FAULT) })
  return err
}

describe.skipIf(!requires.namespaces())('a node that has a VLAN', () => {
  const lab = realLab()
  let node: RealNode
  let member: string

  beforeAll(async () => {
    node = lab.node('node', { metrics: { port: METRICS_PORT } })
    await node.up()
    await lab.vlan('home', node)
    member = await node.memberKey('home')
  })

  const health = async () => {
    const { status, text } = await node.fetch(`http://127.0.0.1:${METRICS_PORT}/health`)
    return { status, troubles: (JSON.parse(text) as { troubles: string[] }).troubles }
  }

  /** It is still the member that it was, and its interface is there. */
  const isWhole = async (): Promise<void> => {
    await lab.untilTogether('home', node)
    expect(await node.memberKey('home')).toBe(member)
    expect(ping(node.host, '10.7.0.1')).toBe(true)
  }

  describe('while it runs', () => {
    test('has its state for itself', async () => {
      const second = lab.beside(node, 'second', { listen: ['/ip4/0.0.0.0/tcp/4101'] })
      expect(await obstacleOf(second, '--state', node.paths.state)).toBe(
        `${node.paths.state} is in use by process ${node.pid}; ` +
          'end that one first, or name another directory with --state\n',
      )
      await isWhole()
    })

    test('has its control socket and its ports for itself', async () => {
      const free = ['/ip4/0.0.0.0/tcp/4101']
      const rival = lab.beside(node, 'rival', { listen: free })
      expect(await obstacleOf(rival, '--socket', node.paths.socket)).toContain(
        `control socket ${node.paths.socket}: another node listens there; stop it, or name another socket\n`,
      )
      rival.configure({ metrics: { port: METRICS_PORT } })
      expect(await obstacleOf(rival)).toMatch(
        new RegExp(`metrics at 127.0.0.1 port ${METRICS_PORT}: .*in use.*; choose another with metrics.port`),
      )
      rival.configure({ metrics: {} })
      for (const way of [TRANSPORT.tcp, TRANSPORT.quic]) {
        rival.configure({ listen: [`/ip4/0.0.0.0/${way}`] })
        expect(await obstacleOf(rival)).toContain(
          `cannot listen on /ip4/0.0.0.0/${way}: another program has the port; stop it or choose another`,
        )
      }
      await isWhole()
    })

    test('outlives orders that make no sense', async () => {
      const orders = [
        { verb: 'create', args: [{ label: 'x' }] },
        { verb: 'create', args: [{ label: 7, privacy: 'spec', mtu: 1e9, suite: 'none' }] },
        { verb: 'create', args: [] },
        { verb: 'invite', args: ['home', { count: 1, lifeMillis: 'long' }] },
        { verb: 'invite', args: [{}] },
        { verb: 'join', args: [{ text: 'x' }] },
        { verb: 'join', args: ['peertap:AAAA', 'soon'] },
        { verb: 'evict', args: ['home', 12, null] },
        { verb: 'certify', args: ['home', 'ff', { role: 'king' }] },
        { verb: 'ping', args: [null] },
        { verb: 'ping', args: [{ to: 7, vlan: 'home', count: 1, bytes: 64, intervalMillis: 1 }] },
        { verb: 'explain', args: [] },
        { verb: 'members', args: [['home']] },
        { verb: '__proto__', args: [] },
        { verb: 'x'.repeat(70_000), args: [] },
      ]
      for (const order of orders) {
        const answer = await node
          .client()
          .ask(order.verb, order.args)
          .catch((error: Error) => error.name)
        expect([JSON.stringify(order).slice(0, 80), answer]).toEqual([
          expect.anything(),
          typeof answer === 'string' ? 'UsageError' : expect.objectContaining({ ok: false }),
        ])
      }
      await isWhole()
    })
  })

  describe('when it is started', () => {
    beforeAll(() => node.down())

    test('is refused with a wrong configuration, and told all that is wrong', async () => {
      const good = readFileSync(node.paths.config, 'utf8')
      writeFileSync(node.paths.config, '{"version":1,"mdns":"no","lisen":[]}')
      const lines = (await refusalOf(node)).split('\n')
      expect(lines[0]).toContain('mdns is "no" (a string)')
      expect(lines[1]).toContain('did you mean "listen"?')
      writeFileSync(node.paths.config, good)
    })

    test('is refused with a state that was damaged, whose file is named and left as it is', async () => {
      const { state } = node.paths
      const records = readdirSync(join(state, 'records')).map((name) => join('records', name))
      const files = ['node.key', 'vlans', ...records].map((name) => join(state, name))
      const good = files.map((path) => readFileSync(path))
      const bad = good.map((bytes) => bytes.with(bytes.length >> 1, (bytes[bytes.length >> 1] as number) ^ 1))
      for (const [index, path] of files.entries()) writeFileSync(path, bad[index] as Uint8Array)
      const lines = (await refusalOf(node)).trimEnd().split('\n')
      expect(lines).toEqual(files.map((path) => expect.stringContaining(path)))
      for (const [index, path] of files.entries()) {
        expect(new Uint8Array(readFileSync(path))).toEqual(new Uint8Array(bad[index] as Uint8Array))
        writeFileSync(path, good[index] as Uint8Array)
      }
    })

    test('is refused with a state that others may read', async () => {
      const key = join(node.paths.state, 'node.key')
      const { mode } = statSync(key)
      await node.run(['chmod', '644', key])
      expect(await refusalOf(node)).toContain(key)
      await node.run(['chmod', (mode & 0o777).toString(8), key])
    })

    test('says that it has no interface where it may make none, and runs on', async () => {
      await node.up({ under: ['setpriv', '--bounding-set', '-net_admin'] })
      await node.untilStatus('it says why', ({ interfaces }) =>
        interfaces.some(({ trouble }) => trouble?.includes('CAP_NET_ADMIN')),
      )
      expect(await health()).toEqual({
        status: 503,
        troubles: expect.arrayContaining([expect.stringMatching(/^home: .*CAP_NET_ADMIN/)]),
      })
      const { code, out } = await node.cli('status')
      expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/\n! home: .*CAP_NET_ADMIN/) })
      const made = await node.cli('vlan', 'create', 'bare')
      expect(made).toMatchObject({
        code: 0,
        err: expect.stringMatching(/^bare has no interface yet: .*CAP_NET/),
      })
      expect(await node.cli('vlan', 'leave', 'bare', '--yes')).toMatchObject({ code: 0 })
      expect(await node.memberKey('home')).toBe(member)
      expect(await node.down()).toBe(0)
    })

    test('is what it was, after all that', async () => {
      await node.up()
      await isWhole()
    })
  })
})

describe.skipIf(!requires.namespaces() || !requires.mounting())('a node whose disk is full', () => {
  const lab = realLab()
  let node: RealNode
  let words: string
  /** In a namespace of its own, which is there as long as this runs. */
  let disk: ChildProcess

  const inDisk = (): readonly string[] => ['nsenter', '--target', String(disk.pid), '--mount']
  const inside = (...command: readonly string[]) => node.run([...inDisk(), ...command])
  const fill = () => inside('sh', '-c', `umask 077; cat /dev/zero > ${node.paths.state}/ballast || true`)
  const phases = async () => (await node.status()).vlans.map(({ label, phase }) => [label, phase])

  beforeAll(async () => {
    node = lab.node('node')
    const { state } = node.paths
    words = `state cannot be written to ${state}; make room there`
    rmSync(state, { recursive: true })
    await node.run(['mkdir', '-m', '700', state])
    const mount = `mount -t tmpfs -o size=256k,mode=700 none ${state} && echo mounted && exec sleep 1000`
    disk = node.host.spawn('unshare', ['--mount', 'sh', '-c', mount], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((done) => disk.stdout?.once('data', done))
    await inside(process.execPath, MAIN, 'init')
    await node.up({ under: inDisk() })
    await node.create('before')
  })

  test('says so, loses nothing, and goes on when there is room', async () => {
    await fill()
    const refused = await node.cli('vlan', 'create', 'during')
    expect(refused).toMatchObject({ code: expect.any(Number), err: expect.not.stringMatching(FAULT) })
    expect(refused.code).toBe(1)
    expect(refused.err).toMatch(/room|space/)
    for (const words of ['leave before --yes', 'invite before']) {
      const { code, out } = await node.cli('vlan', ...words.split(' '), '--json')
      expect(code).toBe(1)
      expect(JSON.parse(out)).toEqual({
        error: { code: 'notNow', message: expect.stringMatching(/disk is full/) },
      })
    }
    // It is told as long as it is so.
    await node.untilStatus('it says what is wrong', ({ process }) => process.errors.includes(words))

    await inside('rm', `${node.paths.state}/ballast`)
    await node.create('after')
    await node.untilStatus('nothing is wrong', ({ process }) => process.errors.length === 0)
    expect(await phases()).toEqual([
      ['before', 'member'],
      ['after', 'member'],
    ])
  })

  test('stops and starts without room, says so, and is whole as soon as there is some', async () => {
    const member = await node.memberKey('before')
    await fill()
    expect(await node.down()).toBe(0)
    // What the last one left free.
    await fill()
    await node.up({ under: inDisk() })
    await node.untilStatus('it says what is wrong', ({ process }) => process.errors.includes(words))
    await inside('rm', `${node.paths.state}/ballast`)
    const millis = await node.untilStatus('nothing is wrong', ({ process }) => process.errors.length === 0)
    console.log(`started on a full disk: well ${Math.round(millis)} ms after there is room`)
    await lab.untilTogether('before', node)
    await lab.untilTogether('after', node)
    expect(await node.memberKey('before')).toBe(member)
    expect(node.log()).not.toMatch(FAULT)
  })
})
