/**
 * How fast frames go between two hosts: TCP by iperf3, and ping. All carriers take turns in short rounds, so
 * that whatever else the machine does hits all of them.
 */
import type { RealLab } from '../../support/real-lab.ts'
import { median } from '../figures.ts'
import { type Carrier, openCable, openPeers, openPeerTap } from './carriers.ts'
import { type Figures, mean, progress } from './figures.ts'
import { runIn, until } from './ground.ts'

const IPERF_ROUNDS = 5
const IPERF_SECONDS = 3
/** Of OpenVPN's rate, frames over a stream. */
const RATIO_MIN = 0.8
const YARDSTICK = 'OpenVPN'

const PING_ROUNDS = 5
/** A thousand in all rounds. */
const PINGS = 200
const PING_SECONDS = 0.01
const ADDED_MILLIS_MAX = 1
const SPIKE_MILLIS = 10
/** A command that takes this much longer than it should hangs. */
const HANG_MILLIS = 30_000

export interface SpeedOrder {
  readonly iperf: boolean
  readonly ping: boolean
}

export async function measureSpeed(lab: RealLab, figures: Figures, order: SpeedOrder): Promise<void> {
  const cable = openCable(lab)
  const own = [
    await openPeerTap(lab, 'tcp'),
    await openPeerTap(lab, 'quic'),
    await openPeerTap(lab, 'tcp', { enabled: true, offload: false }),
    await openPeerTap(lab, 'tcp', { enabled: true, offload: true }),
  ]
  const peers = await openPeers(lab, (text) => progress(`left out: ${text}`))
  if (order.iperf) await iperf(own, peers, figures)
  if (order.ping) await pings(cable, own, peers, figures)
}

async function iperf(own: readonly Carrier[], peers: readonly Carrier[], figures: Figures): Promise<void> {
  const carriers = [...own, ...peers]
  for (const { right } of carriers) right.spawn('iperf3', ['-s'], { stdio: 'ignore' })
  for (const { name, right } of carriers)
    await until(`iperf3 listens for ${name}`, () => right.run('ss', '-Hltn').includes(':5201'))
  const rates = new Map(carriers.map((carrier) => [carrier, [] as number[]]))
  for (let round = 0; round < IPERF_ROUNDS; round++) {
    for (const [carrier, list] of rates) {
      list.push(await received(carrier, IPERF_SECONDS))
    }
    progress(`iperf3, round ${round + 1}: ${carriers.map((each) => rates.get(each)?.at(-1)?.toFixed(0))}`)
  }
  const rateOf = (carrier: Carrier): number => median(rates.get(carrier) as number[])
  for (const carrier of carriers) figures.atLeast(`TCP, ${carrier.name}`, rateOf(carrier), 'Mbit/s')
  for (const peer of peers) {
    const target = peer.name === YARDSTICK ? RATIO_MIN : null
    for (const carrier of own)
      figures.atLeast(`TCP, ${carrier.name} / ${peer.name}`, rateOf(carrier) / rateOf(peer), '', target)
  }
}

/** Mbit/s that came through. */
export async function received({ left, address }: Carrier, seconds: number): Promise<number> {
  const words = ['iperf3', '-c', address, '-t', `${seconds}`, '-J']
  const text = await runIn(left, words, seconds * 1_000 + HANG_MILLIS)
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }
  return end.sum_received.bits_per_second / 1e6
}

async function pings(
  cable: Carrier,
  own: readonly Carrier[],
  peers: readonly Carrier[],
  figures: Figures,
): Promise<void> {
  const carriers = [cable, ...own, ...peers]
  const times = new Map(carriers.map((carrier) => [carrier, [] as number[]]))
  for (let round = 0; round < PING_ROUNDS; round++) {
    for (const [carrier, list] of times) list.push(...(await pinged(carrier)))
  }
  const timesOf = (carrier: Carrier): number[] => times.get(carrier) as number[]
  const bare = mean(timesOf(cable))
  figures.atMost('ping, bare veth', bare, 'ms')
  figures.atMost('ping, bare veth: above 10 ms', spikes(timesOf(cable)), '')
  for (const carrier of [...own, ...peers]) {
    const isOwn = own.includes(carrier)
    const millis = timesOf(carrier)
    const all = PINGS * PING_ROUNDS
    figures.atMost(
      `ping, added by ${carrier.name}`,
      mean(millis) - bare,
      'ms',
      isOwn ? ADDED_MILLIS_MAX : null,
    )
    figures.atMost(`ping, ${carrier.name}: median`, median(millis), 'ms')
    figures.atMost(`ping, ${carrier.name}: above 10 ms, of ${all}`, spikes(millis), '', isOwn ? 0 : null)
    figures.atMost(`ping, ${carrier.name}: lost, of ${all}`, all - millis.length, '')
  }
}

function spikes(millis: readonly number[]): number {
  return millis.filter((each) => each > SPIKE_MILLIS).length
}

/** Milliseconds of those that were answered. */
async function pinged({ left, address }: Carrier): Promise<number[]> {
  const words = ['ping', '-n', '-c', `${PINGS}`, '-i', `${PING_SECONDS}`, address]
  const text = await runIn(left, words, PINGS * PING_SECONDS * 1_000 + HANG_MILLIS)
  return [...text.matchAll(/time=([\d.]+) ms/g)].map(([, millis]) => Number(millis))
}
