/**
 * Ways to carry Ethernet between two hosts with a cable: nodes of PeerTap over one transport, the cable
 * itself, and the programs that PeerTap is compared with (peers/programs.ts). Each has a pair of
 * hosts of its own, so that none uses the other's interfaces.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Namespace } from '../../support/namespaces.ts'
import type { RealLab } from '../../support/real-lab.ts'
import type { NodeConfigText, RealNode, Transport } from '../../support/real-node.ts'
import { carried, deviceOf, type Pair, type Program, SIDES, type Side, SWITCHES } from '../peers/programs.ts'
import { isInstalled, LABELS, only, until, upAll } from './ground.ts'

export interface Carrier {
  readonly name: string
  readonly left: Namespace
  readonly right: Namespace
  /** Of the right host, in what is carried. */
  readonly address: string
}

const NAMES: Readonly<Record<string, string>> = {
  datagram: 'PeerTap over datagrams',
  plain: 'PeerTap over datagrams without offloads',
}

const OPEN_MILLIS = 30_000

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

export async function usesDatagrams(node: RealNode): Promise<boolean> {
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
  for (const [index, program] of SWITCHES.entries()) {
    const lack = lackOf(program)
    if (lack !== '') {
      leftOut(`${program.name}: ${lack}`)
      continue
    }
    try {
      carriers.push(await openProgram(program, pairOf(lab, program.name.toLowerCase(), index + 1)))
    } catch (error) {
      leftOut(`${program.name} does not run here: ${(error as Error).message}`)
    }
  }
  return carriers
}

/** What is not installed, and what has it; empty if there is all. */
export function lackOf({ needs }: Program): string {
  const lacking = Object.keys(needs).filter((program) => !isInstalled(program))
  if (lacking.length === 0) return ''
  const packages = new Set(lacking.map((program) => needs[program]))
  return `no program ${lacking.join(', ')}; apt-get install ${[...packages].join(' ')}`
}

/** Starts it, until it carries. */
export async function openProgram(program: Program, pair: Pair): Promise<Carrier & { pids: number[] }> {
  const children = await program.open(pair)
  for (const side of SIDES) await untilDevice(pair.hosts[side], side)
  const [left, right] = pair.hosts
  const carrier = { name: program.name, left, right, address: carried(1) }
  await untilCarries(carrier)
  return { ...carrier, pids: children.map(({ pid }) => pid as number) }
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
  const device = deviceOf(side)
  await until(`${host.name} has ${device}`, () => host.link(device) !== undefined, OPEN_MILLIS)
  // Some give it the address themselves.
  host.ip('addr', 'replace', `${carried(side)}/24`, 'dev', device)
  host.ip('link', 'set', 'dev', device, 'up')
}

export function untilCarries({ name, left, address }: Carrier): Promise<void> {
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
