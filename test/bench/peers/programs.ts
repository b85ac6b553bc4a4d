/**
 * The programs that PeerTap is compared with, each as its own documentation sets it up for two machines:
 * what it needs, and how it is started at both. What is carried, and how fast, is known to others.
 */
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Namespace } from '../../support/namespaces.ts'
import { run, until } from '../node/ground.ts'

export type Side = 0 | 1
export const SIDES: readonly Side[] = [0, 1]
const other = (side: Side): Side => (side === 0 ? 1 : 0)

/** Two hosts, their addresses on the cable, and a folder each. */
export interface Pair {
  readonly hosts: readonly [Namespace, Namespace]
  readonly addresses: readonly [string, string]
  readonly folders: readonly [string, string]
}

export interface Program {
  readonly name: string
  /** How it was told to carry. */
  readonly mode: string
  /** Of what it carries: Ethernet, or IP alone. */
  readonly layer: 2 | 3
  /** What is started, with the package of Debian that has it. */
  readonly needs: Readonly<Record<string, string>>
  /** Starts it at both; the processes, which end with the lab. Their interfaces come later. */
  open(pair: Pair): ChildProcess[] | Promise<ChildProcess[]>
}

/** The interface that a program makes. WireGuard's sockets are named so, in one folder for all hosts. */
export const deviceOf = (side: Side): string => `pt${side}-${process.pid}`
/** Inside of what is carried. */
export const carried = (side: Side): string => `10.8.0.${side + 1}`

const NETWORK = '10.8.0.0/24'
const PORT = 11_940
const SUPERNODE_PORT = 11_941
const OPEN_MILLIS = 30_000

const OPENVPN: Program = {
  name: 'OpenVPN',
  mode: 'tap, UDP, AES-256-GCM',
  layer: 2,
  needs: { openvpn: 'openvpn', openssl: 'openssl' },
  open: openOpenVpn,
}
const TINC: Program = {
  name: 'tinc',
  mode: 'switch',
  layer: 2,
  needs: { tincd: 'tinc' },
  open: openTinc,
}
const FASTD: Program = {
  name: 'fastd',
  mode: 'tap, salsa2012+umac',
  layer: 2,
  needs: { fastd: 'fastd' },
  open: openFastd,
}
const N2N: Program = {
  name: 'n2n',
  mode: 'edge to edge',
  layer: 2,
  needs: { edge: 'n2n', supernode: 'n2n' },
  open: openN2n,
}
const WIREGUARD: Program = {
  name: 'wireguard-go',
  mode: 'tun',
  layer: 3,
  needs: { 'wireguard-go': 'wireguard-go', wg: 'wireguard-tools' },
  open: openWireGuard,
}
const NEBULA: Program = {
  name: 'nebula',
  mode: 'tun, AES-256-GCM',
  layer: 3,
  needs: { nebula: 'nebula', 'nebula-cert': 'nebula' },
  open: openNebula,
}

/** The three that the benchmark of real nodes has beside PeerTap, and all that there are. */
export const SWITCHES: readonly Program[] = [OPENVPN, TINC, FASTD]
export const PROGRAMS: readonly Program[] = [TINC, OPENVPN, FASTD, N2N, WIREGUARD, NEBULA]

/** TLS between two, AES-256-GCM, each knowing the other's certificate by its fingerprint. openvpn(8) */
function openOpenVpn({ hosts, addresses, folders }: Pair): ChildProcess[] {
  const prints = folders.map((folder) => {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const files = ['-keyout', 'key', '-out', 'certificate', '-days', '2', '-subj', '/CN=bench']
    run('openssl', ['req', '-x509', ...curve, ...files], folder)
    const text = run('openssl', ['x509', '-in', 'certificate', '-noout', '-fingerprint', '-sha256'], folder)
    return text.trim().split('=')[1] as string
  })
  return SIDES.map((side) => {
    const away = other(side)
    const role = side === 0 ? ['--tls-server', '--dh', 'none'] : ['--tls-client']
    const words = ['--mode', 'p2p', '--proto', 'udp', '--port', `${PORT}`, '--remote', addresses[away]]
    const keys = ['--cert', 'certificate', '--key', 'key', '--peer-fingerprint', prints[away] as string]
    const cipher = ['--data-ciphers', 'AES-256-GCM']
    const device = ['--dev', deviceOf(side), '--dev-type', 'tap', '--verb', '1', '--cd', folders[side]]
    const all = [...device, ...words, ...role, ...keys, ...cipher]
    return hosts[side].spawn('openvpn', all, { stdio: 'ignore' })
  })
}

/** As a switch, with its own choice of cipher. tinc.conf(5) */
function openTinc({ hosts, addresses, folders }: Pair): ChildProcess[] {
  const names = ['left', 'right'] as const
  for (const side of SIDES) {
    const folder = folders[side]
    mkdirSync(join(folder, 'hosts'))
    const to = side === 1 ? [`ConnectTo = ${names[0]}`] : []
    const device = ['DeviceType = tap', `Interface = ${deviceOf(side)}`]
    const lines = [`Name = ${names[side]}`, 'Mode = switch', ...device, ...to]
    writeFileSync(join(folder, 'tinc.conf'), `${lines.join('\n')}\n`)
    writeFileSync(join(folder, 'hosts', names[side]), `Address = ${addresses[side]}\n`)
    // Without a terminal it takes the default names of files.
    run('tincd', ['-c', folder, '-K', '2048'])
  }
  for (const side of SIDES) {
    const name = names[other(side)]
    const key = readFileSync(join(folders[other(side)], 'hosts', name))
    writeFileSync(join(folders[side], 'hosts', name), key)
  }
  return SIDES.map((side) => {
    const folder = folders[side]
    const words = ['-c', folder, '-D', `--pidfile=${join(folder, 'pid')}`]
    return hosts[side].spawn('tincd', words, { stdio: 'ignore' })
  })
}

/** Its default method, and the MTU that its documentation gives for a path of 1,500. */
function openFastd({ hosts, addresses, folders }: Pair): ChildProcess[] {
  const keys = SIDES.map(() => {
    const secret = run('fastd', ['--generate-key', '--machine-readable']).trim()
    const file = join(folders[0], 'secret')
    writeFileSync(file, `secret "${secret}";\n`)
    const open = run('fastd', ['--config', file, '--show-key', '--machine-readable']).trim()
    return { secret, open }
  })
  return SIDES.map((side) => {
    const away = other(side)
    const lines = [
      'mode tap;',
      `interface "${deviceOf(side)}";`,
      'method "salsa2012+umac";',
      'mtu 1406;',
      `bind 0.0.0.0:${PORT};`,
      `secret "${keys[side]?.secret}";`,
      `peer "other" { key "${keys[away]?.open}"; remote ${addresses[away]}:${PORT}; }`,
    ]
    const file = join(folders[side], 'fastd.conf')
    writeFileSync(file, `${lines.join('\n')}\n`)
    return hosts[side].spawn('fastd', ['--config', file], { stdio: 'ignore' })
  })
}

/** Its supernode, which tells them of each other, is at the left host. edge(8) */
function openN2n({ hosts, addresses }: Pair): ChildProcess[] {
  const supernode = hosts[0].spawn('supernode', ['-l', `${SUPERNODE_PORT}`], { stdio: 'ignore' })
  const edges = SIDES.map((side) => {
    const device = ['-d', deviceOf(side), '-a', carried(side), '-m', `02:00:00:00:00:0${side + 1}`]
    const words = ['-c', 'bench', '-k', 'secret', '-l', `${addresses[0]}:${SUPERNODE_PORT}`]
    return hosts[side].spawn('edge', [...device, ...words], { stdio: 'ignore' })
  })
  return [supernode, ...edges]
}

/** In this process's user space, whatever the kernel has. wg(8) */
async function openWireGuard({ hosts, addresses, folders }: Pair): Promise<ChildProcess[]> {
  const keys = SIDES.map((side) => {
    const secret = run('wg', ['genkey']).trim()
    const file = join(folders[side], 'secret')
    writeFileSync(file, secret)
    return { secret, open: run('sh', ['-c', `wg pubkey < ${file}`]).trim() }
  })
  const children = SIDES.map((side) =>
    hosts[side].spawn('wireguard-go', ['-f', deviceOf(side)], { stdio: 'ignore' }),
  )
  // It is killed in the end, and leaves its sockets behind.
  process.once('exit', () => {
    for (const side of SIDES) rmSync(socketOf(side), { force: true })
  })
  for (const side of SIDES) {
    const away = other(side)
    const own = ['[Interface]', `PrivateKey = ${keys[side]?.secret}`, `ListenPort = ${PORT}`]
    const theirs = ['[Peer]', `PublicKey = ${keys[away]?.open}`, `AllowedIPs = ${NETWORK}`]
    const file = join(folders[side], 'wg.conf')
    writeFileSync(file, `${[...own, ...theirs, `Endpoint = ${addresses[away]}:${PORT}`].join('\n')}\n`)
    await until('wireguard-go answers', () => existsSync(socketOf(side)), OPEN_MILLIS)
    hosts[side].run('wg', 'setconf', deviceOf(side), file)
  }
  return children
}

const socketOf = (side: Side): string => `/var/run/wireguard/${deviceOf(side)}.sock`

/** The left one is the lighthouse; each knows where the other is. */
function openNebula({ hosts, addresses, folders }: Pair): ChildProcess[] {
  const ca = ['ca.crt', 'ca.key'].map((name) => join(folders[0], name)) as [string, string]
  run('nebula-cert', ['ca', '-name', 'bench', '-out-crt', ca[0], '-out-key', ca[1]])
  return SIDES.map((side) => {
    const [cert, key] = ['host.crt', 'host.key'].map((name) => join(folders[side], name)) as [string, string]
    const signed = ['-ca-crt', ca[0], '-ca-key', ca[1], '-out-crt', cert, '-out-key', key]
    run('nebula-cert', ['sign', '-name', `side${side}`, '-ip', `${carried(side)}/24`, ...signed])
    const away = other(side)
    const all = [{ port: 'any', proto: 'any', host: 'any' }]
    const config = {
      pki: { ca: ca[0], cert, key },
      static_host_map: { [carried(away)]: [`${addresses[away]}:${PORT}`] },
      lighthouse: { am_lighthouse: side === 0, hosts: side === 0 ? [] : [carried(0)] },
      listen: { host: '0.0.0.0', port: PORT },
      tun: { dev: deviceOf(side) },
      logging: { level: 'error' },
      firewall: { outbound: all, inbound: all },
    }
    // JSON is YAML.
    const file = join(folders[side], 'config.yml')
    writeFileSync(file, JSON.stringify(config))
    return hosts[side].spawn('nebula', ['-config', file], { stdio: 'ignore' })
  })
}
