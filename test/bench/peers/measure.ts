/** One round of one row: what iperf3 and ping say of it, and what its processes used meanwhile. */
import type { ChildProcess } from 'node:child_process'
import { sleep } from '../node/figures.ts'
import { memoryOf, runIn, until, workOf } from '../node/ground.ts'
import type { Part } from './order.ts'
import { bidirOf, pingOf, type Readings, tcpOf, udpOf } from './readings.ts'
import type { Opened } from './rig.ts'

const PINGS = 200
const PING_SECONDS = 0.01
/** More than any of them carries, and not so much that sending it takes a processor. */
const UDP_BYTES = 1_200
const UDP_OFFERED = '1G'
const SMALL_BYTES = 64
const SMALL_OFFERED = '100M'
const STREAMS = 4
/** What the measurement before left in queues is gone. */
const SETTLE_MILLIS = 300
/** A command that takes this much longer than it should hangs. */
const HANG_MILLIS = 15_000
const LISTEN_MILLIS = 5_000

/** Throws with the reason where one of its parts fails. */
export async function measure(opened: Opened, parts: readonly Part[], seconds: number): Promise<Readings> {
  let readings: Readings = {}
  for (const part of parts) {
    await sleep(SETTLE_MILLIS)
    readings = { ...readings, ...(await MEASURES[part](opened, seconds)) }
    if (opened.pids.length > 0) readings.memory = Math.max(readings.memory ?? 0, memory(opened))
  }
  return readings
}

const MEASURES: { readonly [P in Part]: (opened: Opened, seconds: number) => Promise<Readings> } = {
  async ping({ carrier: { left, address } }) {
    const words = ['ping', '-n', '-c', `${PINGS}`, '-i', `${PING_SECONDS}`, address]
    const text = await runIn(left, words, PINGS * PING_SECONDS * 1_000 + HANG_MILLIS)
    const { mean, p99, max } = pingOf(text)
    return { pingMean: mean, pingP99: p99, pingMax: max }
  },
  async tcp(opened, seconds) {
    const before = work(opened)
    const { mbits, bytes, retransmissions } = tcpOf(await iperf(opened, seconds))
    const used = work(opened) - before
    const processor = opened.pids.length === 0 ? {} : { processor: used / (bytes / 1e9) }
    return { tcp: mbits, retransmissions, ...processor }
  },
  async bidir(opened, seconds) {
    return { bidir: bidirOf(await iperf(opened, seconds, '--bidir')) }
  },
  async streams(opened, seconds) {
    return { streams: tcpOf(await iperf(opened, seconds, '-P', `${STREAMS}`)).mbits }
  },
  async udp(opened, seconds) {
    const text = await iperf(opened, seconds, '-u', '-l', `${UDP_BYTES}`, '-b', UDP_OFFERED)
    const { mbits, lossPercent } = udpOf(text)
    return { udp: mbits, udpLoss: lossPercent }
  },
  async packets(opened, seconds) {
    const text = await iperf(opened, seconds, '-u', '-l', `${SMALL_BYTES}`, '-b', SMALL_OFFERED)
    return { packets: udpOf(text).packetsPerSecond }
  },
}

/** From left to right, in JSON. Its server is there for this once: one that hung would answer nobody. */
async function iperf(opened: Opened, seconds: number, ...words: readonly string[]): Promise<string> {
  const { left, right, address } = opened.carrier
  const server = right.spawn('iperf3', ['-s', '-1'], { stdio: 'ignore' })
  try {
    await until('iperf3 listens', () => right.run('ss', '-Hltn').includes(':5201'), LISTEN_MILLIS)
    const all = ['iperf3', '-c', address, '-t', `${seconds}`, '-J', ...words]
    return await runIn(left, all, seconds * 1_000 + HANG_MILLIS)
  } finally {
    await ended(server)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((done) => child.once('exit', done))
  child.kill('SIGKILL')
  await gone
}

/** Seconds of processors that all of its processes have used. */
function work({ pids }: Opened): number {
  return pids.reduce((sum, pid) => sum + workOf(pid), 0)
}

/** Of the larger end, in MB. */
function memory({ pids }: Opened): number {
  return Math.max(...pids.map((pid) => memoryOf(pid).rss))
}
