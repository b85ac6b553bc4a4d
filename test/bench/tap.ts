/**
 * What frames cost through the kernel, as root: `npm run bench:tap`, with `--json` as JSON on standard
 * output. Two TAPs, each in a namespace of its own, are crossed as a node crosses them: frames come out of
 * one and go into the other, here in one thread. What the kernel does with them is part of the figure: a
 * frame that is written goes up its whole stack, one that is read was sent by a packet socket.
 *
 * A figure is the median of short rounds. All of it is calls of the kernel, so a machine that has something
 * else to do, or a virtual one, shows a multiple: compare with the call that fails at once.
 */
import { writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { type Clock, createClock } from '../../drivers/linux/clock.ts'
import { Doorbell } from '../../drivers/linux/doorbell.ts'
import { type Libc, openLibc } from '../../drivers/linux/libc.ts'
import { Poller } from '../../drivers/linux/poller.ts'
import type { Device, DeviceOffload } from '../../drivers/tap/device.ts'
import { readBytesMin } from '../../drivers/tap/settings.ts'
import { tapOpener } from '../../drivers/tap/tap.ts'
import { type CarriedFrame, superFrame } from '../support/carried-frames.ts'
import { EXPERIMENT, frameOf } from '../support/frames.ts'
import { Lab, type Namespace } from '../support/namespaces.ts'
import { PacketSocket } from '../support/packet-socket.ts'
import { requires } from '../support/requirements.ts'
import { type Figure, median, printJson, printTable, thisMachine } from './figures.ts'

/** Many and short: most are over before the system gives the processor to another program. */
const ROUNDS = 301
/** A frame of the longest payload of a VLAN's default MTU. */
const FRAME_BYTES = 1_294
const MTU = 1_280
/** Frames of a round; fits into the queue of a TAP, which has 500 places. */
const BATCH = 50
const CALLS = 100
/** The engine counts by the 200 KB or so that it sets aside at a time. */
const GARBAGE_CALLS = 100_000

/** TCP of a host, as many segments of such frames as a round has, which it sends as one where it is let. */
const SEGMENT_BYTES = 1_228
const STREAM: CarriedFrame = {
  version: 4,
  protocol: 'tcp',
  payload: frameOf(SEGMENT_BYTES * BATCH),
  options: Uint8Array.of(1, 1, 8, 10, 9, 8, 7, 6, 5, 4, 3, 2),
}
const IPV4 = 0x0800
const MACS = [0x0200_0000_0a01, 0x0200_0000_0b02] as const
const NO_OFFLOAD: DeviceOffload = { segmentation: false, coalescing: false, udp: false }

/** A gigabit of such frames. */
const FRAMES_PER_SECOND_MIN = 97_000
/** ppoll looks at descriptors, which a call that fails at once does not; both cost more on a busy machine. */
const POLL_RATIO_MAX = 2.5
/** It was a fourth on a machine that had much else to do. */
const SEGMENT_RATIO_MAX = 0.5
/** The smallest object has 12. */
const GARBAGE_BYTES_MAX = 8

class Bench {
  readonly figures: Figure[] = []
  readonly #libc: Libc
  readonly #clock: Clock

  constructor(libc: Libc) {
    this.#libc = libc
    this.#clock = createClock(libc)
  }

  /** Nanoseconds for each call, of those that take turns: the medians of the rounds. */
  race(runs: readonly (() => unknown)[]): number[] {
    const rounds: number[][] = runs.map(() => [])
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, run] of runs.entries()) {
        const repeat = () => {
          for (let count = 0; count < CALLS; count++) run()
        }
        rounds[index]?.push(this.#once(CALLS, repeat))
      }
    }
    return rounds.map(median)
  }

  /** Nanoseconds for each of a batch of frames; `prepare` is not counted. */
  batch(run: () => void, prepare: () => void = () => undefined): number {
    const rounds = Array.from({ length: ROUNDS }, () => {
      prepare()
      return this.#once(BATCH, run)
    })
    return median(rounds)
  }

  #once(times: number, run: () => void): number {
    const from = this.#clock.monotonicMicros()
    run()
    return ((this.#clock.monotonicMicros() - from) * 1_000) / times
  }

  atMost(name: string, value: number, unit: string, target: number | null): void {
    this.#figure(name, value, unit, target, target === null ? null : value <= target)
  }

  atLeast(name: string, value: number, unit: string, target: number | null): void {
    this.#figure(name, value, unit, target, target === null ? null : value >= target)
  }

  #figure(name: string, value: number, unit: string, target: number | null, ok: boolean | null): void {
    this.figures.push({ name, value: Number(value.toPrecision(3)), unit, target, ok })
  }

  calls(): void {
    const libc = this.#libc
    const bell = new Doorbell(libc)
    const poller = new Poller(libc)
    poller.add(bell.fd)
    const into = new Uint8Array(2_000)
    const [failing, silent, absent, errno, clock] = this.race([
      () => libc.close(-1),
      () => poller.wait(0),
      () => libc.read(bell.fd, into, into.length),
      () => libc.errno(),
      () => this.#clock.monotonicMicros(),
    ]) as [number, number, number, number, number]
    bell.ring()
    const [failingThen, ready] = this.race([() => libc.close(-1), () => poller.wait(0)]) as [number, number]
    this.atMost('a call of the kernel that fails at once', failing, 'ns', null)
    this.atMost('ppoll, nothing ready', silent, 'ns', null)
    this.atMost('ppoll, nothing ready / a call', silent / failing, '', POLL_RATIO_MAX)
    this.atMost('ppoll, one ready', ready, 'ns', null)
    this.atMost('ppoll, one ready / a call', ready / failingThen, '', POLL_RATIO_MAX)
    this.atMost(
      'ppoll: garbage',
      garbage(() => poller.wait(0)),
      'B',
      GARBAGE_BYTES_MAX,
    )
    this.atMost('read, nothing there', absent, 'ns', null)
    this.atMost('errno', errno, 'ns', null)
    this.atMost('monotonic clock', clock, 'ns', null)
    bell.close()
  }

  frames(left: Host, right: Host): void {
    const frame = frameOf(FRAME_BYTES)
    const into = new Uint8Array(readBytesMin(65_521))
    const poller = new Poller(this.#libc)
    poller.add(left.device.fd)
    poller.add(right.device.fd)
    const fill = () => {
      for (let count = 0; count < BATCH; count++) left.socket.send(frame)
    }
    const cross = () => {
      const length = left.device.read(into)
      return length > 0 ? right.device.write(into.subarray(0, length)) : length
    }
    const crossWaiting = () => (poller.wait(0) > 0 ? cross() : 0)

    const read = this.batch(() => expectAll(() => left.device.read(into)), fill)
    const write = this.batch(() => expectAll(() => right.device.write(frame)))
    const crossed = this.batch(() => expectAll(cross), fill)
    const waited = this.batch(() => expectAll(crossWaiting), fill)
    const perSecond = (nanos: number) => 1e9 / nanos
    this.atLeast('frames read', perSecond(read), '/s', FRAMES_PER_SECOND_MIN)
    this.atLeast('frames written', perSecond(write), '/s', FRAMES_PER_SECOND_MIN)
    this.atLeast('frames from one TAP to another', perSecond(crossed), '/s', FRAMES_PER_SECOND_MIN)
    this.atLeast('the same in bits', (perSecond(crossed) * FRAME_BYTES * 8) / 1e6, 'Mbit/s', null)
    this.atLeast('the same, ppoll before each', perSecond(waited), '/s', null)
    this.atMost(
      'write: garbage',
      garbage(() => right.device.write(frame)),
      'B',
      GARBAGE_BYTES_MAX,
    )
    this.atMost(
      'read of nothing: garbage',
      garbage(() => left.device.read(into)),
      'B',
      GARBAGE_BYTES_MAX,
    )
  }
}

/** Nanoseconds for each segment of TCP that one host sends and the other gets. */
function segments(bench: Bench, left: Host, right: Host): number {
  const sent = superFrame(STREAM, SEGMENT_BYTES)
  const into = new Uint8Array(readBytesMin(MTU))
  const views = Array.from({ length: into.length + 1 }, (_, length) => into.subarray(0, length))
  const cross = () => {
    let count = 0
    for (let length = left.device.read(into); length > 0; length = left.device.read(into)) {
      if (right.device.write(views[length] as Uint8Array) === length) count += 1
    }
    if (count !== BATCH || right.device.flush() !== 0) throw new Error(`${count} segments of ${BATCH} came`)
  }
  return bench.batch(cross, () => left.stream.send(sent))
}

/** Bytes of the heap for each call, in the best of several rounds: the engine compiles in the others. */
function garbage(run: () => unknown): number {
  const rounds = Array.from({ length: 5 }, () => {
    const before = getHeapStatistics().total_allocated_bytes
    for (let count = 0; count < GARBAGE_CALLS; count++) run()
    return (getHeapStatistics().total_allocated_bytes - before) / GARBAGE_CALLS
  })
  return Math.min(...rounds)
}

function expectAll(carry: () => number): void {
  for (let count = 0; count < BATCH; count++) {
    if (carry() !== FRAME_BYTES) throw new Error(`frame ${count} of ${BATCH} was lost`)
  }
}

interface Host {
  readonly device: Device
  readonly socket: PacketSocket
  /** For frames that stand for many. */
  readonly stream: PacketSocket
}

function openHost(libc: Libc, namespace: Namespace, mac: number, offload?: DeviceOffload): Host {
  // Nobody speaks unasked, so that all frames are ours.
  namespace.inside(() => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'))
  const settings = { name: 'tap', mac, mtu: MTU, addresses: [], ...(offload && { offload }) }
  const device = namespace.inside(() => tapOpener(libc)(settings))
  const [link] = namespace.list<{ ifindex: number }>('link', 'show', 'dev', 'tap')
  const index = link?.ifindex as number
  const socket = namespace.inside(() => new PacketSocket(libc, index, EXPERIMENT))
  const stream = namespace.inside(() => new PacketSocket(libc, index, IPV4, true))
  return { device, socket, stream }
}

function measure(): readonly Figure[] {
  const libc = openLibc()
  const bench = new Bench(libc)
  const lab = new Lab()
  try {
    bench.calls()
    const nanos: number[] = []
    for (const offload of [NO_OFFLOAD, undefined]) {
      const names = offload === undefined ? ['left', 'right'] : ['plain-left', 'plain-right']
      const hosts = MACS.map((mac, at) => openHost(libc, lab.namespace(names[at] as string), mac, offload))
      const [left, right] = hosts as [Host, Host]
      if (offload === undefined) bench.frames(left, right)
      nanos.push(segments(bench, left, right))
      for (const { device } of hosts) device.close()
    }
    const [plain, offloaded] = nanos as [number, number]
    bench.atMost('a segment of TCP from one TAP to another, no offloads', plain, 'ns', null)
    bench.atMost('a segment of TCP from one TAP to another', offloaded, 'ns', null)
    bench.atMost('the same / no offloads', offloaded / plain, '', SEGMENT_RATIO_MAX)
    return bench.figures
  } finally {
    lab.close()
  }
}

function main(): void {
  if (!requires.namespaces()) {
    console.error('this needs root, /dev/net/tun and network namespaces; run it as root on Linux')
    process.exitCode = 2
    return
  }
  const figures = measure()
  const machine = thisMachine({ kernel: release() })
  if (process.argv.includes('--json')) printJson(machine, figures)
  else printTable(Object.values(machine).join(', '), figures)
}

main()
