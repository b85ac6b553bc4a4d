/**
 * How long frames stop when the relay that carries them goes: killed, which its host may tell the others, and
 * cut off, which nobody tells. Two members that reach each other through either of two relays alone.
 */
import { PingFlow } from '../../support/ping-flow.ts'
import type { RealLab } from '../../support/real-lab.ts'
import type { NodeConfigText, RealNode, Transport } from '../../support/real-node.ts'
import { median } from '../figures.ts'
import { type Figures, progress, sleep } from './figures.ts'
import { only, sentBy, up, upAll } from './ground.ts'

const ROUNDS = 3
/** A relay that came back is not used at once. */
const SETTLE_MILLIS = 5_000
/** Long enough to tell which relay carries a flow of pings. */
const LOOK_MILLIS = 2_000
const PATIENCE_MILLIS = 60_000

const KILLED_SECONDS_MAX = 1.5
const CUT_SECONDS_MAX = 3.5

/** How the relays are reached. */
export interface Way {
  readonly name: string
  readonly transport: Transport
  readonly config: NodeConfigText
  /** Whether a host tells of a process that is gone. */
  readonly told: boolean
}

/** QUIC itself is told nothing, but a node listens on TCP too, unless its owner has ruled that out. */
export const WAYS: readonly Way[] = [
  { name: 'QUIC', transport: 'quic', config: {}, told: true },
  { name: 'QUIC without TCP', transport: 'quic', config: only('quic'), told: false },
  { name: 'TCP', transport: 'tcp', config: only('tcp'), told: true },
]

/** What is as they do it: the relay in use goes, and comes back. */
interface Loss {
  readonly name: string
  readonly target: number
  away(relay: RealNode): Promise<void>
  back(relay: RealNode): Promise<void>
}

const LOSSES: readonly Loss[] = [
  {
    name: 'the relay in use is killed',
    target: KILLED_SECONDS_MAX,
    away: (relay) => relay.kill(),
    back: async (relay) => {
      await up(relay)
    },
  },
  { name: 'the relay in use is cut off', target: CUT_SECONDS_MAX, away: cutOff, back: join },
]

export async function measureFailover(lab: RealLab, figures: Figures, way: Way): Promise<void> {
  const { config, transport } = way
  const relays = [lab.node('relay-one', config), lab.node('relay-two', config)] as const
  const members = [lab.node('west', config), lab.node('east', config)] as const
  lab.direct(relays[0], relays[1], transport)
  for (const member of members) {
    for (const relay of relays) lab.cable(relay, member)
    member.configure({ bootstrap: relays.map((relay) => lab.contact(relay, member, transport)) })
  }
  await upAll([...relays, ...members])
  await untilJoined(relays, members)
  const [, address] = (await lab.vlan('home', ...members)) as [string, string]
  const flow = new PingFlow(members[0].host, address)
  await flow.answeredAfter()
  for (const loss of LOSSES) {
    const gaps: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const gap = await gapOf(loss, relays, flow)
      progress(`${loss.name} ${round + 1}: ${gap.toFixed(2)} s`)
      gaps.push(gap)
      await untilJoined(relays, members)
    }
    const name = `failover, ${way.name}, ${loss.name}`
    const target = loss.target === KILLED_SECONDS_MAX && !way.told ? null : loss.target
    figures.atMost(`${name}: frames stop for`, median(gaps), 's', target)
    figures.atMost(`${name}: at most`, Math.max(...gaps), 's')
  }
  await flow.end()
}

/** Seconds without an answer. */
async function gapOf(loss: Loss, relays: readonly RealNode[], flow: PingFlow): Promise<number> {
  await sleep(SETTLE_MILLIS)
  const relay = await busier(relays)
  const moment = Date.now()
  await loss.away(relay)
  await flow.answeredAfter(Date.now(), PATIENCE_MILLIS)
  // A gap may come late, when the loss is seen on the way back.
  await sleep(SETTLE_MILLIS)
  const gap = flow.longestGapAfter(moment) / 1_000
  await loss.back(relay)
  return gap
}

/** The one that sent more packets lately. */
async function busier(relays: readonly RealNode[]): Promise<RealNode> {
  const packets = () => relays.map(({ host }) => sentBy(host, 'eth').packets)
  const before = packets()
  await sleep(LOOK_MILLIS)
  const sent = packets().map((count, index) => count - (before[index] as number))
  progress(`packets sent by the relays: ${sent.join(', ')}`)
  return relays[sent.indexOf(Math.max(...sent))] as RealNode
}

async function untilJoined(relays: readonly RealNode[], members: readonly RealNode[]): Promise<void> {
  for (const member of members) {
    for (const relay of relays) await member.untilNeighbour(relay, PATIENCE_MILLIS)
  }
}

/** Nothing comes in or goes out any more; its cables seem as good as ever to the others. */
async function cutOff({ host }: RealNode): Promise<void> {
  // The rule for local addresses is the first of all, and has to be behind the other.
  host.ip('rule', 'add', 'pref', '100', 'lookup', 'local')
  host.ip('rule', 'add', 'pref', '50', 'blackhole')
  host.ip('rule', 'del', 'pref', '0')
}

async function join({ host }: RealNode): Promise<void> {
  host.ip('rule', 'add', 'pref', '0', 'lookup', 'local')
  for (const pref of ['50', '100']) host.ip('rule', 'del', 'pref', pref)
}
