/** How long a node takes from its start to the first frame: after it took leave, and after it was killed. */
import { createClock } from '../../../drivers/linux/clock.ts'
import { type Libc, openLibc } from '../../../drivers/linux/libc.ts'
import { EXPERIMENT, frameOf } from '../../support/frames.ts'
import { PacketSocket } from '../../support/packet-socket.ts'
import { PingFlow } from '../../support/ping-flow.ts'
import type { RealLab } from '../../support/real-lab.ts'
import type { RealNode } from '../../support/real-node.ts'
import { median } from '../figures.ts'
import { type Figures, progress, sleep } from './figures.ts'
import { startAt, upAll, workOf } from './ground.ts'

const ROUNDS = 5
const FRAME_BYTES = 100
const FRAME_MILLIS = 10
const PATIENCE_MILLIS = 60_000
const LABEL = 'home'
/** A neighbour that is not there is asked for again this soon: else a ping waits for a second. */
const ARP_MILLIS = 50
/** So that the others have noticed what there was to notice. */
const SETTLE_MILLIS = 2_000

const START_SECONDS_MAX = 3
const RUNS_SECONDS_MAX = 2
const RESTART_SECONDS_MAX = 5

export interface LifeOrder {
  readonly start: boolean
  readonly restart: boolean
}

/** Seconds of one start. */
interface Started {
  readonly logged: number
  readonly frame: number
  readonly ping: number
  /** Of processors, until the first frame: what other programs do hardly changes it. */
  readonly worked: number
}

export async function measureLife(lab: RealLab, figures: Figures, order: LifeOrder): Promise<void> {
  const stays = lab.node('stays')
  const starts = lab.node('starts')
  lab.direct(stays, starts)
  await upAll([stays, starts])
  const [, address] = (await lab.vlan(LABEL, stays, starts)) as [string, string]
  stays.host.ip('ntable', 'change', 'name', 'arp_cache', 'dev', LABEL, 'retrans', `${ARP_MILLIS}`)
  if (order.start) {
    const leave = async (): Promise<void> => {
      await starts.down()
    }
    const all = await rounds('start', stays, starts, address, leave)
    report(figures, 'start', all, START_SECONDS_MAX, RUNS_SECONDS_MAX)
  }
  if (order.restart) {
    const all = await rounds('restart', stays, starts, address, () => starts.kill())
    report(figures, 'restart after a kill', all, RESTART_SECONDS_MAX, null)
  }
}

function report(
  figures: Figures,
  what: string,
  all: readonly Started[],
  frameMax: number,
  runsMax: number | null,
): void {
  const of = (value: (each: Started) => number): number => median(all.map(value))
  const toFrame = of(({ frame }) => frame)
  const sinceLog = of(({ frame, logged }) => frame - logged)
  figures.atMost(`${what}: to the first frame`, toFrame, 's', frameMax)
  figures.atMost(`${what}: to the first frame, since its first line of log`, sinceLog, 's', runsMax)
  const ping = of((each) => each.ping)
  figures.atMost(`${what}: to the first ping`, ping, 's')
  const worked = of((each) => each.worked)
  figures.atMost(`${what}: processor time to the first frame`, worked, 's')
}

async function rounds(
  what: string,
  stays: RealNode,
  starts: RealNode,
  address: string,
  end: () => Promise<void>,
): Promise<Started[]> {
  const all: Started[] = []
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(SETTLE_MILLIS)
    await end()
    const started = await once(stays, starts, address)
    all.push(started)
    const { logged, frame, ping } = started
    progress(
      `${what} ${round + 1}: log ${logged.toFixed(2)}, frame ${frame.toFixed(2)}, ping ${ping.toFixed(2)} s`,
    )
  }
  return all
}

/** Frames are sent by the one that stays, without a pause, until one comes to the other. */
async function once(stays: RealNode, starts: RealNode, address: string): Promise<Started> {
  const libc = openLibc()
  const [link] = stays.host.list<{ ifindex: number }>('link', 'show', 'dev', LABEL)
  const out = stays.host.inside(() => new PacketSocket(libc, link?.ifindex as number, EXPERIMENT))
  // Of all interfaces, since that of the VLAN comes with the node.
  const into = starts.host.inside(() => new PacketSocket(libc, 0, EXPERIMENT))
  const lines = starts.log(Number.MAX_SAFE_INTEGER).split('\n').length
  const flow = new PingFlow(stays.host, address)
  try {
    const startedAt = startAt(starts)
    const frame = await firstFrame(libc, out, into)
    const worked = workOf(starts.pid)
    const ping = await flow.answeredAfter(startedAt, PATIENCE_MILLIS)
    const first = starts.log(Number.MAX_SAFE_INTEGER).split('\n')[lines] as string
    const loggedAt = Date.parse((JSON.parse(first) as { time: string }).time)
    return { logged: (loggedAt - startedAt) / 1_000, frame, ping: ping / 1_000, worked }
  } finally {
    out.close()
    into.close()
    await flow.end()
  }
}

/** Seconds until one came. */
async function firstFrame(libc: Libc, out: PacketSocket, into: PacketSocket): Promise<number> {
  const clock = createClock(libc)
  const began = clock.monotonicMicros()
  for (let seed = 1; ; seed++) {
    out.send(frameOf(FRAME_BYTES, seed))
    await sleep(FRAME_MILLIS)
    const seconds = (clock.monotonicMicros() - began) / 1e6
    if (into.received().length > 0) return seconds
    if (seconds * 1_000 > PATIENCE_MILLIS) throw new Error(`no frame came for ${PATIENCE_MILLIS} ms`)
  }
}
