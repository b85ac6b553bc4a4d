/**
 * The rows of the benchmark, opened: each has a pair of hosts of its own and a host in the middle between
 * them, with its offloads off, which all that is sent passes. One that does not come up is told of, and the
 * others go on.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { carriedBy } from '../../../drivers/node/views.ts'
import type { Impairment } from '../../support/impaired-line.ts'
import { Middle, OUTWARD } from '../../support/middle.ts'
import type { Namespace } from '../../support/namespaces.ts'
import type { RealLab } from '../../support/real-lab.ts'
import type { RealNode } from '../../support/real-node.ts'
import {
  type Carrier,
  lackOf,
  openCable,
  openProgram,
  untilCarries,
  usesDatagrams,
} from '../node/carriers.ts'
import { progress } from '../node/figures.ts'
import { only, upAll } from '../node/ground.ts'
import { PROGRAMS, type Program, SIDES } from './programs.ts'
import type { Kind, Row } from './verdict.ts'

/** A row that can be measured. */
export interface Opened {
  readonly row: Row
  readonly carrier: Carrier
  /** Its processes at both ends. */
  readonly pids: readonly number[]
  /** Undefined for the cable, which has none. */
  readonly middle: Middle | undefined
  /** How it carries now; for those that may change that by themselves. */
  readonly modeNow?: () => Promise<string>
}

export interface Spec {
  readonly name: string
  readonly kind: Kind
  /** What is missing on this machine; empty for nothing. */
  readonly lack: string
  open(lab: RealLab, number: number, impairment: Impairment | undefined): Promise<Opened>
}

/** The mode of a row whose programs are not installed. */
export const LEFT_OUT = 'left out'

/** PeerTap's trunks are over TCP in all rows: datagrams go beside them, or not. */
const TRANSPORT = 'tcp'
/** One frame is sealed at a time, and each datagram of the wire is one packet of a trunk. */
const SEGMENTS = 'segments'

export const SPECS: readonly Spec[] = [
  { name: 'veth', kind: 'link', lack: '', open: openVeth },
  { name: 'link', kind: 'link', lack: '', open: openLink },
  { name: 'peertap-datagram', kind: 'direct', lack: '', open: openDirect(true) },
  { name: 'peertap-stream', kind: 'stream', lack: '', open: openDirect(false) },
  { name: 'peertap-relay', kind: 'relay', lack: '', open: openRelay },
  ...PROGRAMS.map(specOf),
]

/** Those that come up, and rows without rounds of those that do not. */
export async function openAll(
  lab: RealLab,
  specs: readonly Spec[],
  impairment: Impairment | undefined,
): Promise<{ opened: Opened[]; failed: Row[] }> {
  const opened: Opened[] = []
  const failed: Row[] = []
  for (const [number, { name, kind, lack, open }] of specs.entries()) {
    const fail = (mode: string, why: string): void => {
      progress(`${name}, ${mode}: ${why}`)
      failed.push({ name, mode, kind, rounds: [], failed: why })
    }
    if (lack !== '') {
      fail(LEFT_OUT, lack)
      continue
    }
    try {
      opened.push(await open(lab, number, impairment))
      progress(`${name} carries`)
    } catch (error) {
      fail('did not come up', (error as Error).message)
    }
  }
  return { opened, failed }
}

async function openVeth(lab: RealLab): Promise<Opened> {
  const carrier = openCable(lab)
  const row: Row = { name: 'plain veth', mode: 'offloads on, no middle', kind: 'link', rounds: [] }
  return { row, carrier, pids: [], middle: undefined }
}

async function openLink(lab: RealLab, number: number, impairment: Impairment | undefined): Promise<Opened> {
  const { hosts, addresses, middle } = await wired(lab, 'link', number, impairment)
  const [left, right] = hosts
  const carrier = { name: 'bare link', left, right, address: addresses[1] }
  const row: Row = { name: 'bare link', mode: 'through the middle', kind: 'link', rounds: [] }
  return { row, carrier, pids: [], middle }
}

function specOf(program: Program): Spec {
  const name = program.name.toLowerCase()
  const kind = program.layer === 2 ? 'layer2' : 'layer3'
  return {
    name,
    kind,
    lack: lackOf(program),
    async open(lab, number, impairment) {
      const { hosts, addresses, middle } = await wired(lab, name, number, impairment)
      const folders = SIDES.map((side) => join(lab.folder, `${name}-${side}`)) as [string, string]
      for (const folder of folders) mkdirSync(folder)
      const { pids, ...carrier } = await openProgram(program, { hosts, addresses, folders })
      return { row: { name: program.name, mode: program.mode, kind, rounds: [] }, carrier, pids, middle }
    },
  }
}

/** Two hosts of one network with the middle between them. */
async function wired(lab: RealLab, label: string, number: number, impairment: Impairment | undefined) {
  const hosts = [lab.host(`left-${label}`), lab.host(`right-${label}`)] as const
  const middle = await new Middle(lab.lab, `middle-${label}`, hosts).open(impairment)
  const addresses = hosts.map((host, index) => addressed(host, number, index)) as [string, string]
  return { hosts, addresses, middle }
}

function addressed(host: Namespace, number: number, index: number): string {
  const address = `10.92.${number}.${index + 1}`
  host.ip('addr', 'add', `${address}/24`, 'dev', OUTWARD)
  return address
}

function openDirect(datagrams: boolean): Spec['open'] {
  return async (lab, number, impairment) => {
    const label = datagrams ? 'datagram' : 'stream'
    const [left, right] = pairOf(lab, label, datagrams)
    const middle = await new Middle(lab.lab, `middle-${label}`, [left.host, right.host]).open(impairment)
    const [dialled] = [left, right].map(({ host }, index) => addressed(host, number, index))
    right.configure({ bootstrap: [left.contact(dialled as string, TRANSPORT)] })
    return started(lab, label, datagrams ? 'direct' : 'stream', [left, right], middle)
  }
}

/** The relay is in no VLAN; the two reach nobody else. */
async function openRelay(lab: RealLab, number: number, impairment: Impairment | undefined): Promise<Opened> {
  const label = 'relay'
  const [left, right] = pairOf(lab, label, true)
  const relay = nodeOf(lab, `${label}-itself`, true)
  const hosts = [left.host, right.host, relay.host] as const
  const middle = await new Middle(lab.lab, `middle-${label}`, hosts).open(impairment)
  middle.part()
  const addresses = hosts.map((host, index) => addressed(host, number, index))
  for (const node of [left, right])
    node.configure({ bootstrap: [relay.contact(addresses[2] as string, TRANSPORT)] })
  return started(lab, label, 'relay', [relay, left, right], middle)
}

function nodeOf(lab: RealLab, name: string, datagrams: boolean): RealNode {
  return lab.node(name, { ...only(TRANSPORT), datagrams: { enabled: datagrams } })
}

function pairOf(lab: RealLab, label: string, datagrams: boolean): [RealNode, RealNode] {
  return [nodeOf(lab, `left-${label}`, datagrams), nodeOf(lab, `right-${label}`, datagrams)]
}

/** Starts nodes, the last two of which are members. */
async function started(
  lab: RealLab,
  label: string,
  kind: Kind,
  nodes: readonly RealNode[],
  middle: Middle,
): Promise<Opened> {
  await upAll(nodes)
  const members = nodes.slice(-2) as [RealNode, RealNode]
  const [left, right] = members
  const [, address] = await lab.vlan(label, left, right)
  const carrier = { name: label, left: left.host, right: right.host, address: address as string }
  await untilCarries(carrier)
  if (kind !== 'stream')
    for (const node of members) await node.until('it uses datagrams', () => usesDatagrams(node))
  const modeNow = async (): Promise<string> => {
    const ways = new Set((await left.status()).trunks.map(carriedBy))
    const all = [...ways].map((way) => (way === 'datagram' ? `${way}, ${SEGMENTS}` : `stream, ${way}`))
    return `${kind === 'relay' ? 'one blind relay, ' : ''}${all.join(' and ')}`
  }
  const row: Row = { name: 'PeerTap', mode: await modeNow(), kind, rounds: [] }
  return { row, carrier, pids: members.map(({ pid }) => pid), middle, modeNow }
}
