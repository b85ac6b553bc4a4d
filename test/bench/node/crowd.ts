/**
 * What a node with sixteen neighbours costs: what it sends by itself, and its memory before and after
 * traffic. The neighbours reach nobody but this node, which has a cable to each, so they keep their links.
 * All of them are links of the tree then, whose HELLOs come four times as often as those of others.
 */
import type { RealLab } from '../../support/real-lab.ts'
import type { RealNode } from '../../support/real-node.ts'
import { type Figures, mean, progress, sleep } from './figures.ts'
import { memoryOf, sentBy, until, upAll } from './ground.ts'
import { received } from './speed.ts'

const PEERS = 16
const DAY_SECONDS = 86_400
/** All have said what is said to new neighbours. */
const SETTLE_MILLIS = 60_000
const IDLE_MILLIS = 120_000
/** Multicast DNS asks often for three minutes. */
const KEEN_MILLIS = 200_000
/** Collectors have run by then. */
const REST_MILLIS = 20_000
const JOIN_MILLIS = 120_000
/** Traffic goes in stretches, so that its growth can be watched. */
const STRETCHES = 4

const MEMORY_MB_MAX = 150
const GROWTH_PERCENT_MAX = 5
const IDLE_MB_MAX = 20

export interface CrowdOrder {
  readonly idle: boolean
  readonly memory: boolean
  readonly minutes: number
}

export async function measureCrowd(lab: RealLab, figures: Figures, order: CrowdOrder): Promise<void> {
  const hub = lab.node('hub')
  const peers = Array.from({ length: PEERS }, (_, index) => lab.node(`peer-${index + 1}`))
  lab.behind(hub, ...peers)
  await upAll([hub, ...peers])
  const isComplete = async (): Promise<boolean> => (await neighbours(hub)) === PEERS
  await until(`${PEERS} neighbours`, isComplete, JOIN_MILLIS)
  progress(`${PEERS} neighbours; they settle for ${SETTLE_MILLIS / 1_000} s`)
  await sleep(SETTLE_MILLIS)
  if (order.idle) await idle(hub, figures)
  if (order.memory) await memory(lab, hub, peers, figures, order.minutes)
}

/**
 * The same number of nodes in one network, where each chooses its neighbours: what all send, whom no cable
 * makes the middle of everything. Questions for others on the network are over by then.
 */
export async function measureLan(lab: RealLab, figures: Figures): Promise<void> {
  const nodes = Array.from({ length: PEERS + 1 }, (_, index) => lab.node(`node-${index + 1}`))
  const [first, ...others] = nodes as [RealNode, ...RealNode[]]
  lab.lan(...nodes)
  for (const node of others) node.configure({ bootstrap: [lab.contact(first, node)] })
  await upAll(nodes)
  const isComplete = async (): Promise<boolean> => (await neighbours(others.at(-1) as RealNode)) > 0
  await until('the last has neighbours', isComplete, JOIN_MILLIS)
  progress(`${nodes.length} nodes; they settle for ${KEEN_MILLIS / 1_000} s`)
  await sleep(KEEN_MILLIS)
  const before = nodes.map(({ host }) => sentBy(host, 'eth').bytes)
  const began = performance.now()
  await sleep(IDLE_MILLIS)
  const sent = nodes.map(({ host }, index) => sentBy(host, 'eth').bytes - (before[index] as number))
  const days = (performance.now() - began) / 1_000 / DAY_SECONDS
  const counts = await Promise.all(nodes.map(neighbours))
  figures.atLeast('idle mesh: neighbours of a node, mean', mean(counts), '')
  figures.atLeast('idle mesh: neighbours of a node, most', Math.max(...counts), '')
  figures.atMost('idle mesh: sent a day by a node, mean', mean(sent) / 1e6 / days, 'MB', IDLE_MB_MAX)
  figures.atMost('idle mesh: sent a day by a node, most', Math.max(...sent) / 1e6 / days, 'MB')
}

async function neighbours(hub: RealNode): Promise<number> {
  return (await hub.status()).links.filter(({ neighbour }) => neighbour).length
}

/** By the counters of its cables, with all headers but those below Ethernet. */
async function idle(hub: RealNode, figures: Figures): Promise<void> {
  const trunksBefore = await trunkBytes(hub)
  const before = sentBy(hub.host, 'eth')
  const began = performance.now()
  await sleep(IDLE_MILLIS)
  const after = sentBy(hub.host, 'eth')
  const days = (performance.now() - began) / 1_000 / DAY_SECONDS
  const packets = after.packets - before.packets
  const bytes = after.bytes - before.bytes
  const own = (await trunkBytes(hub)) - trunksBefore
  const count = await neighbours(hub)
  figures.atLeast('idle: neighbours', count, '')
  figures.atMost(`idle with ${PEERS} neighbours: sent a day`, bytes / 1e6 / days, 'MB', IDLE_MB_MAX)
  figures.atMost('idle: of it in packets of PeerTap', own / 1e6 / days, 'MB')
  figures.atMost('idle: packets sent', packets / days / DAY_SECONDS, '/s')
  figures.atMost('idle: mean packet sent', bytes / packets, 'B')
}

async function trunkBytes(hub: RealNode): Promise<number> {
  return (await hub.status()).trunks.reduce((sum, { bytesOut }) => sum + bytesOut, 0)
}

async function memory(
  lab: RealLab,
  hub: RealNode,
  peers: readonly RealNode[],
  figures: Figures,
  minutes: number,
): Promise<void> {
  const before = memoryOf(hub.pid)
  figures.atMost(`memory, idle with ${PEERS} neighbours`, before.rss, 'MB', MEMORY_MB_MAX)
  figures.atMost('memory, idle: its share (PSS)', before.pss, 'MB')
  const members = [peers[0], peers[1]] as [RealNode, RealNode]
  const [, address] = (await lab.vlan('home', ...members)) as [string, string]
  members[1].host.spawn('iperf3', ['-s'], { stdio: 'ignore' })
  await until('iperf3 listens', () => members[1].host.run('ss', '-Hltn').includes(':5201'))
  const way = { name: 'through the hub', left: members[0].host, right: members[1].host, address }
  const joined = memoryOf(members[0].pid)
  const seen: number[] = []
  for (let stretch = 0; stretch < STRETCHES; stretch++) {
    const rate = await received(way, (minutes * 60) / STRETCHES)
    const now = memoryOf(hub.pid).rss
    seen.push(now)
    progress(`${rate.toFixed(0)} Mbit/s through the hub, which has ${now.toFixed(0)} MB`)
  }
  await sleep(REST_MILLIS)
  const after = memoryOf(hub.pid)
  const percent = (from: number, to: number): number => (to / from - 1) * 100
  const span = `${minutes} min of traffic`
  figures.atMost(`memory, relay after ${span}`, after.rss, 'MB')
  figures.atMost(`memory, relay: grew in ${span}`, percent(before.rss, after.rss), '%', GROWTH_PERCENT_MAX)
  const late = percent(seen[0] as number, after.rss)
  figures.atMost(`memory, relay: grew after the first quarter of ${span}`, late, '%')
  const member = memoryOf(members[0].pid)
  figures.atMost(`memory, sender: grew in ${span}`, percent(joined.rss, member.rss), '%')
}
