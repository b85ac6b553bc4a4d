/**
 * What makes a local network work by itself, in a VLAN between real nodes behind a blind relay: real servers
 * at one member, and what the other makes of them.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

const isComplete =
  requires.namespaces() &&
  requires.programs({
    dnsmasq: 'dnsmasq-base',
    udhcpc: 'udhcpc',
    'avahi-daemon': 'avahi-daemon',
    radvd: 'radvd',
    mount: 'mount',
  })

/** Asks the daemon of the same host, over its socket, as the name service of the C library does. */
const RESOLVE = `
  const { connect } = require('node:net')
  const ask = () => {
    const socket = connect('/run/avahi-daemon/socket', () => socket.write(process.argv[1] + '\\n'))
    let said = ''
    socket.on('data', (part) => { said += part; if (said.includes('\\n')) socket.end() })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (!said.startsWith('+')) setTimeout(ask, 200)
      else { console.log(said.trim()); process.exit(0) }
    })
  }
  ask()`

describe.skipIf(!isComplete)('a VLAN behind a blind relay has', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let addresses: readonly string[]

  beforeAll(async () => {
    const relay = lab.node('relay')
    alice = lab.node('alice')
    bob = lab.node('bob')
    lab.behind(relay, alice, bob)
    await lab.up(relay, alice, bob)
    addresses = await lab.vlan('lan', alice, bob)
  })

  const fileOf = (node: RealNode, name: string, text: string, mode = 0o644): string => {
    const file = join(node.folder, name)
    writeFileSync(file, text, { mode })
    return file
  }

  test('DHCP, by dnsmasq and udhcpc', async () => {
    const said: string[] = []
    const server = alice.host.spawn(
      'dnsmasq',
      [
        ...['--no-daemon', '--conf-file=/dev/null', '--user=root', '--port=0', '--bind-interfaces'],
        ...[
          '--interface=lan',
          '--dhcp-range=10.7.0.100,10.7.0.120,1h',
          '--dhcp-option=option:ntp-server,10.7.0.1',
        ],
        ...[`--dhcp-leasefile=${join(alice.folder, 'leases')}`, '--log-dhcp', '--no-ping'],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    server.stderr?.setEncoding('utf8').on('data', (part: string) => said.push(part))
    await alice.until('dnsmasq serves', () => said.join('').includes('DHCP, IP range'))
    const hook =
      '#!/bin/sh\n[ "$1" = bound ] || exit 0\nip addr add "$ip/$mask" dev "$interface"\necho "$ip $ntpsrv"\n'
    const script = fileOf(bob, 'udhcpc.sh', hook, 0o755)
    const words = ['udhcpc', '-f', '-q', '-n', '-t', '10', '-T', '1', '-i', 'lan', '-s', script]
    const { code, out, err } = await bob.run(words)
    expect([code, err + said.join('')]).toEqual([0, expect.stringContaining('DHCPACK')])
    const [, ip = '', ntp] = /^(10\.7\.0\.1[012]\d) (\S+)$/m.exec(out) ?? []
    expect(ntp).toBe('10.7.0.1')
    expect(ping(alice.host, ip)).toBe(true)
    const lease = readFileSync(join(alice.folder, 'leases'), 'utf8')
    expect(lease).toContain(`${bob.host.link('lan')?.address} ${ip}`)
    server.kill()
  })

  test('names by mDNS, between two avahi-daemons', async () => {
    /** A daemon without D-Bus, with a directory for its socket that no other host sees; then a command. */
    const avahi = (node: RealNode, then: string): string[] => {
      const config = fileOf(
        node,
        'avahi.conf',
        `[server]\nhost-name=${node.name}-host\nallow-interfaces=lan\nenable-dbus=no\n[publish]\n`,
      )
      const daemon = `exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f ${config}`
      return [
        '-c',
        `mkdir -p /run/avahi-daemon && mount -t tmpfs none /run/avahi-daemon && ${daemon} ${then}`,
      ]
    }
    const responder = alice.host.spawn('sh', avahi(alice, ''), { stdio: 'ignore' })
    const ask = `& "$0" -e "$1" "RESOLVE-HOSTNAME-IPV4 alice-host.local"; kill $!`
    // By `exec` each is the process itself, and ends with it.
    const { out } = await bob.run(['sh', ...avahi(bob, ask), process.execPath, RESOLVE])
    expect(out).toMatch(
      new RegExp(`^\\+ \\d+ 0 alice-host\\.local ${addresses[0]?.replaceAll('.', '\\.')}$`, 'm'),
    )
    responder.kill()
  })

  test('addresses and a route by router advertisements of radvd', async () => {
    alice.host.ip('addr', 'add', 'fd00:77::1/64', 'dev', 'lan')
    alice.host.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding')
    const config = fileOf(
      alice,
      'radvd.conf',
      `interface lan { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600;
       prefix fd00:77::/64 { AdvOnLink on; AdvAutonomous on; }; };\n`,
    )
    const words = ['-n', '-C', config, '-p', join(alice.folder, 'radvd.pid'), '-m', 'stderr', '-u', 'root']
    const radvd = alice.host.spawn('radvd', words, { stdio: 'ignore' })
    const own = (): string | undefined =>
      bob.host
        .link('lan')
        ?.addr_info.find(({ local, tentative }) => local.startsWith('fd00:77:') && !tentative)?.local
    await bob.until('it has an address of the prefix', own)
    const routes = bob.host.list<{ dst: string; gateway?: string; dev: string }>(
      '-6',
      'route',
      'show',
      'default',
    )
    expect(routes).toMatchObject([{ dev: 'lan', gateway: expect.stringMatching(/^fe80:/) }])
    expect(ping(alice.host, own() as string)).toBe(true)
    expect(ping(bob.host, 'fd00:77::1')).toBe(true)
    radvd.kill()
  })
})
