/**
 * Ways to carry Ethernet between two hosts with a cable: nodes of PeerTap over one transport, the cable
 * itself, and the programs that PeerTap is compared with, each as its own documentation sets it up for two
 * machines. Each has a pair of hosts of its own, so that none uses the other's interfaces.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Namespace } from '../../support/namespaces.ts'
import type { RealLab } from '../../support/real-lab.ts'
import type { NodeConfigText, RealNode, Transport } from '../../support/real-node.ts'
import { isInstalled, LABELS, only, run, until, upAll } from './ground.ts'

export interface Carrier {
  readonly name: string
  readonly left: Namespace
  readonly right: Namespace
  /** Of the right host, in what is carried. */
  readonly address: string
}

/** What a program needs to be measured beside. */
interface Peer {
  readonly name: string
  readonly programs: readonly string[]
  open(pair: Pair): void
}

/** Two hosts, their addresses on the cable, and a folder each. */
interface Pair {
  readonly hosts: readonly [Namespace, Namespace]
  readonly addresses: readonly [string, string]
  readonly folders: readonly [string, string]
}

const NAMES: Readonly<Record<string, string>> = {
  datagram: 'PeerTap over datagrams',
  plain: 'PeerTap over datagrams without offloads',
}

type Side = 0 | 1
const SIDES: readonly Side[] = [0, 1]
const other = (side: Side): Side => (side === 0 ? 1 : 0)

const DEVICE = 'tap0'
/** Inside of what is carried by other programs. */
const carried = (side: Side): string => `10.8.0.${side + 1}`
const PORT = 11_940
const OPEN_MILLIS = 30_000

const PEERS: readonly Peer[] = [
  { name: 'OpenVPN', programs: ['openvpn', 'openssl'], open: openOpenVpn },
  { name: 'tinc', programs: ['tincd'], open: openTinc },
  { name: 'fastd', programs: ['fastd'], open: openFastd },
]

/** Two nodes, one VLAN, one transport; with datagrams beside its streams, or not. */
export async function openPeerTap(
  lab: RealLab,
  transport: Transport,
  datagrams: Partial<NonNullable<NodeConfigText['datagrams']>> = { enabled: false },
): Promise<Carrier> {
  const config = { ...only(transport), datagrams }
  const label = datagrams.enabled === false ? transport : datagrams.offload === false ? 'plain' : 'datagram'
  const left = lab.node(`left-${label}`, config)
  const right = lab.node(`right-${label}`, config)
  lab.direct(left, right, transport)
  await upAll([left, right])
  const [, address] = await lab.vlan(label, left, right)
  const carrier = {
    name: NAMES[label] ?? `PeerTap over ${LABELS[transport]}`,
    left: left.host,
    right: right.host,
    address: address as string,
  }
  await untilCarries(carrier)
  if (datagrams.enabled !== false)
    for (const node of [left, right]) await node.until('it uses datagrams', () => usesDatagrams(node))
  return carrier
}

async function usesDatagrams(node: RealNode): Promise<boolean> {
  const { trunks } = await node.status()
  return trunks.some(({ datagram }) => datagram?.used === true)
}

/** The bare cable between a pair. */
export function openCable(lab: RealLab): Carrier {
  const { hosts, addresses } = pairOf(lab, 'cable', 0)
  return { name: 'bare veth', left: hosts[0], right: hosts[1], address: addresses[1] }
}

/** Those that are installed; the others are named to `leftOut`. */
export async function openPeers(lab: RealLab, leftOut: (text: string) => void): Promise<Carrier[]> {
  const carriers: Carrier[] = []
  for (const [index, { name, programs, open }] of PEERS.entries()) {
    const lacking = programs.filter((program) => !isInstalled(program))
    if (lacking.length > 0) {
      leftOut(`${name}: no program ${lacking.join(', ')}`)
      continue
    }
    const pair = pairOf(lab, name.toLowerCase(), index + 1)
    const carrier = { name, left: pair.hosts[0], right: pair.hosts[1], address: carried(1) }
    try {
      open(pair)
      for (const side of SIDES) await untilDevice(pair.hosts[side], side)
      await untilCarries(carrier)
      carriers.push(carrier)
    } catch (error) {
      leftOut(`${name} does not run here: ${(error as Error).message}`)
    }
  }
  return carriers
}

function pairOf(lab: RealLab, label: string, number: number): Pair {
  const hosts = [lab.host(`left-${label}`), lab.host(`right-${label}`)] as const
  const addresses = [`10.91.${number}.1`, `10.91.${number}.2`] as const
  const folders = [join(lab.folder, `${label}-left`), join(lab.folder, `${label}-right`)] as const
  lab.lab.veth(hosts[0], 'eth0', hosts[1], 'eth0')
  for (const side of SIDES) {
    hosts[side].ip('addr', 'add', `${addresses[side]}/24`, 'dev', 'eth0')
    mkdirSync(folders[side])
  }
  return { hosts, addresses, folders }
}

async function untilDevice(host: Namespace, side: Side): Promise<void> {
  await until(`${host.name} has ${DEVICE}`, () => host.link(DEVICE) !== undefined, OPEN_MILLIS)
  host.ip('addr', 'add', `${carried(side)}/24`, 'dev', DEVICE)
  host.ip('link', 'set', 'dev', DEVICE, 'up')
}

function untilCarries({ name, left, address }: Carrier): Promise<void> {
  const answered = (): boolean => {
    try {
      left.run('ping', '-c', '1', '-W', '1', address)
      return true
    } catch {
      return false
    }
  }
  return until(`${name} carries`, answered, OPEN_MILLIS)
}

/** TLS between two, AES-256-GCM, each knowing the other's certificate by its fingerprint. openvpn(8) */
function openOpenVpn({ hosts, addresses, folders }: Pair): void {
  const prints = folders.map((folder) => {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const files = ['-keyout', 'key', '-out', 'certificate', '-days', '2', '-subj', '/CN=bench']
    run('openssl', ['req', '-x509', ...curve, ...files], folder)
    const text = run('openssl', ['x509', '-in', 'certificate', '-noout', '-fingerprint', '-sha256'], folder)
    return text.trim().split('=')[1] as string
  })
  for (const side of SIDES) {
    const away = other(side)
    const role = side === 0 ? ['--tls-server', '--dh', 'none'] : ['--tls-client']
    const words = ['--mode', 'p2p', '--proto', 'udp', '--port', `${PORT}`, '--remote', addresses[away]]
    const keys = ['--cert', 'certificate', '--key', 'key', '--peer-fingerprint', prints[away] as string]
    const cipher = ['--data-ciphers', 'AES-256-GCM']
    const device = ['--dev', DEVICE, '--dev-type', 'tap', '--verb', '1', '--cd', folders[side]]
    hosts[side].spawn('openvpn', [...device, ...words, ...role, ...keys, ...cipher], { stdio: 'ignore' })
  }
}

/** As a switch, with its own choice of cipher. tinc.conf(5) */
function openTinc({ hosts, addresses, folders }: Pair): void {
  const names = ['left', 'right'] as const
  for (const side of SIDES) {
    const folder = folders[side]
    mkdirSync(join(folder, 'hosts'))
    const to = side === 1 ? [`ConnectTo = ${names[0]}`] : []
    const lines = [`Name = ${names[side]}`, 'Mode = switch', 'DeviceType = tap', `Interface = ${DEVICE}`]
    writeFileSync(join(folder, 'tinc.conf'), `${[...lines, ...to].join('\n')}\n`)
    writeFileSync(join(folder, 'hosts', names[side]), `Address = ${addresses[side]}\n`)
    // Without a terminal it takes the default names of files.
    run('tincd', ['-c', folder, '-K', '2048'])
  }
  for (const side of SIDES) {
    const name = names[other(side)]
    const key = readFileSync(join(folders[other(side)], 'hosts', name))
    writeFileSync(join(folders[side], 'hosts', name), key)
  }
  for (const side of SIDES) {
    const folder = folders[side]
    const words = ['-c', folder, '-D', `--pidfile=${join(folder, 'pid')}`]
    hosts[side].spawn('tincd', words, { stdio: 'ignore' })
  }
}

/** Its default method, and the MTU that its documentation gives for a path of 1,500. */
function openFastd({ hosts, addresses, folders }: Pair): void {
  const keys = SIDES.map(() => {
    const secret = run('fastd', ['--generate-key', '--machine-readable']).trim()
    const file = join(folders[0], 'secret')
    writeFileSync(file, `secret "${secret}";\n`)
    const open = run('fastd', ['--config', file, '--show-key', '--machine-readable']).trim()
    return { secret, open }
  })
  for (const side of SIDES) {
    const away = other(side)
    const lines = [
      'mode tap;',
      `interface "${DEVICE}";`,
      'method "salsa2012+umac";',
      'mtu 1406;',
      `bind 0.0.0.0:${PORT};`,
      `secret "${keys[side]?.secret}";`,
      `peer "other" { key "${keys[away]?.open}"; remote ${addresses[away]}:${PORT}; }`,
    ]
    const file = join(folders[side], 'fastd.conf')
    writeFileSync(file, `${lines.join('\n')}\n`)
    hosts[side].spawn('fastd', ['--config', file], { stdio: 'ignore' })
  }
}
