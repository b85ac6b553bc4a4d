/** Much data in VLANs of real nodes behind a blind relay: long frames, both ways at once, whole files. */
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { capture, fields } from '../support/captures.ts'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { byBudget, requires } from '../support/requirements.ts'

const SECONDS = 3
const MEGABYTES = byBudget(20, 200)
const MEGABYTE = 1_000_000

const isComplete =
  requires.namespaces() &&
  requires.programs({ iperf3: 'iperf3', nginx: 'nginx-light', curl: 'curl', tshark: 'tshark' })

describe.skipIf(!isComplete)('members behind a blind relay', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode

  beforeAll(async () => {
    const relay = lab.node('relay')
    alice = lab.node('alice')
    bob = lab.node('bob')
    lab.behind(relay, alice, bob)
    await lab.up(relay, alice, bob)
    await lab.vlan('lan', alice, bob)
  })

  test.each([1_500, 9_000])('have an MTU of %d where the VLAN was founded with it', async (mtu) => {
    const label = `mtu${mtu}`
    const [, to] = (await lab.vlanOf(label, { mtu }, alice, bob)) as [string, string]
    for (const { host } of [alice, bob]) expect(host.link(label)?.mtu).toBe(mtu)
    const running = await capture(bob, label, 'inner')
    for (const bytes of [56, mtu - 28 - 1, mtu - 28, 30_000])
      expect([bytes, ping(alice.host, to, bytes)]).toEqual([bytes, true])
    await running.stop()
    const lengths = fields(running.file, `icmp && ip.dst == ${to}`, 'frame.len').map(([length]) =>
      Number(length),
    )
    // In one piece: IP was not told to cut it.
    expect(Math.max(...lengths)).toBe(mtu + 14)
  })

  interface Sums {
    readonly end: Readonly<Record<string, { readonly bits_per_second: number; readonly bytes: number }>>
    readonly error?: string
  }

  async function iperf(...words: readonly string[]): Promise<Sums> {
    const said: string[] = []
    const server = bob.host.spawn('iperf3', ['-s', '-1', '-B', '10.7.0.2', '--forceflush'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    server.stdout?.setEncoding('utf8').on('data', (part: string) => said.push(part))
    await bob.until('iperf3 listens', () => said.join('').includes('listening'))
    const client = ['iperf3', '-J', '-c', '10.7.0.2', '-t', String(SECONDS), ...words]
    const { code, out } = await alice.run(client)
    const sums = JSON.parse(out) as Sums
    expect([code, sums.error]).toEqual([0, undefined])
    return sums
  }

  test('move TCP both ways at once', async () => {
    const { end } = await iperf('--bidir')
    const [there, back] = [end['sum_received'], end['sum_received_bidir_reverse']]
    expect(there?.bytes).toBeGreaterThan(MEGABYTE)
    expect(back?.bytes).toBeGreaterThan(MEGABYTE)
    expect(ping(alice.host, '10.7.0.2')).toBe(true)
  })

  test('move UDP both ways at once', async () => {
    const { end } = await iperf('--bidir', '-u', '-b', '4M', '-l', '1200')
    for (const name of ['sum', 'sum_bidir_reverse']) {
      const { bytes = 0, lost_percent: lost = 100 } = (end[name] ?? {}) as {
        bytes?: number
        lost_percent?: number
      }
      expect(bytes).toBeGreaterThan(MEGABYTE)
      expect(lost).toBeLessThan(10)
    }
    expect(ping(bob.host, '10.7.0.1')).toBe(true)
  })

  test(`move a file of ${MEGABYTES} MB by HTTP, and every byte of it`, async () => {
    const content = randomBytes(MEGABYTES * MEGABYTE)
    writeFileSync(join(bob.folder, 'file'), content)
    const config = join(bob.folder, 'nginx.conf')
    writeFileSync(
      config,
      `user root; daemon off; master_process off; pid ${bob.folder}/nginx.pid; error_log stderr; events {}
       http { access_log off; sendfile on; server { listen 10.7.0.2:80; root ${bob.folder}; } }`,
    )
    const server = bob.host.spawn('nginx', ['-e', 'stderr', '-c', config], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const url = 'http://10.7.0.2/file'
    const words = [
      'curl',
      '-sS',
      '--retry',
      '20',
      '--retry-connrefused',
      '--retry-delay',
      '1',
      '--max-time',
      '100',
    ]
    const { code, err } = await alice.run([...words, '-o', 'file', url])
    expect([code, err]).toEqual([0, ''])
    const { out } = await alice.run(['sha256sum', 'file'])
    expect(out.split(' ')[0]).toBe(createHash('sha256').update(content).digest('hex'))
    server.kill()
  })
})
