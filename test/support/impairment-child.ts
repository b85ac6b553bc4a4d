/**
 * A process that carries frames between two interfaces of its host and impairs them on the way
 * (impaired-line.ts). Called with one argument, an ImpairmentOrder in JSON. Prints a line of JSON once it
 * carries, and its counts for each byte of its input, at whose end it ends.
 */
import { readSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants, setPriority } from 'node:os'
import { createClock } from '../../drivers/linux/clock.ts'
import { type Koffi, type Libc, openLibc } from '../../drivers/linux/libc.ts'
import { Poller } from '../../drivers/linux/poller.ts'
import { ImpairedLine, type Impairment, type LineCounts } from './impaired-line.ts'
import { openPacketSocket } from './packet-socket.ts'

export interface ImpairmentOrder extends Impairment {
  /** Numbers of the interfaces. */
  readonly interfaces: readonly [number, number]
}

/** Of both directions, the one from the first interface first. */
export type ImpairmentReport = readonly (LineCounts & {
  /** Frames that came while the process was too slow. */
  readonly missed: number
})[]

const STANDARD_INPUT = 0
const STANDARD_OUTPUT = 1
// linux/if_ether.h, linux/if_packet.h, linux/socket.h
const ETH_P_ALL = 3
const SOL_PACKET = 263
const PACKET_STATISTICS = 6
const PACKET_IGNORE_OUTGOING = 23
const WAIT_MICROS = 60_000_000

function main({ interfaces, ...impairment }: ImpairmentOrder): void {
  // What those do that are measured must not show as delay of the line.
  setPriority(constants.priority.PRIORITY_HIGHEST)
  const libc = openLibc()
  const [left, right] = interfaces.map((index) => openEnd(libc, index)) as [number, number]
  const lines = [
    new ImpairedLine(libc, left, right, impairment, 'right'),
    new ImpairedLine(libc, right, left, impairment, 'left'),
  ]
  const missed = [counterOfMissed(libc, left), counterOfMissed(libc, right)]
  const poller = new Poller(libc)
  for (const fd of [STANDARD_INPUT, left, right]) poller.add(fd)
  const clock = createClock(libc)
  const time = (): number => clock.monotonicMicros()
  const report = (): void => {
    const counts = lines.map((line, index) => ({ ...line.counts, missed: missed[index]?.() ?? 0 }))
    writeSync(STANDARD_OUTPUT, `${JSON.stringify(counts)}\n`)
  }
  report()

  const asked = new Uint8Array(1)
  for (let isBusy = false, ended = false; !ended; ) {
    const due = Math.min(...lines.map(({ nextDue }) => nextDue)) - time()
    const ready = poller.wait(isBusy ? 0 : Math.min(due, WAIT_MICROS))
    // The input was added first, and is told first.
    if (ready > 0 && poller.fdAt(0) === STANDARD_INPUT) {
      ended = readSync(STANDARD_INPUT, asked) === 0
      if (!ended) report()
    }
    isBusy = false
    for (const line of lines) {
      if (line.receive(time)) isBusy = true
      line.send(time())
    }
  }
}

function openEnd(libc: Libc, index: number): number {
  const fd = openPacketSocket(libc, index, ETH_P_ALL)
  const isOn = libc.pin(4)
  isOn.view.setInt32(0, 1, true)
  if (libc.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, isOn.address, 4) !== 0)
    throw new Error(`a packet socket hears what it sends itself: errno ${libc.errno()}`)
  return fd
}

/** Frames for which the socket had no room, since it was opened. packet(7), struct tpacket_stats */
function counterOfMissed(libc: Libc, fd: number): () => number {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const getsockopt = koffi
    .load(null)
    .func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']) as (
    ...words: readonly (number | bigint)[]
  ) => number
  const [statistics, length] = [libc.pin(8), libc.pin(4)]
  let sum = 0
  return () => {
    length.view.setUint32(0, 8, true)
    // Asking sets it to zero.
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics.address, length.address) === 0)
      sum += statistics.view.getUint32(4, true)
    return sum
  }
}

if (import.meta.main) main(JSON.parse(process.argv[2] as string) as ImpairmentOrder)
