/** The host in the middle of benchmarks: what it says that it does to frames, and that it does no more. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClock } from '../../drivers/linux/clock.ts'
import { openLibc } from '../../drivers/linux/libc.ts'
import { endpointOf, openUdp, UdpOutbox } from '../../drivers/linux/udp.ts'
import { EXPERIMENT, frameOf } from '../support/frames.ts'
import type { Impairment } from '../support/impaired-line.ts'
import { Middle, OUTWARD, silenceIpv6 } from '../support/middle.ts'
import { Lab, type Namespace } from '../support/namespaces.ts'
import { PacketSocket } from '../support/packet-socket.ts'
import { ping } from '../support/ping.ts'
import { requires } from '../support/requirements.ts'

const CLEAN: Impairment = { loss: 0, reorder: 0, delayMicros: 0, seed: 1 }
const LONG_BYTES = 1_514
const SHORT_BYTES = 100
const HEADER_BYTES = 14
const UDP_HEADERS_BYTES = 28
const IPV4 = 0x0800
/** Nothing was sent and nothing came for this long: what is not there is lost. */
const REST_MICROS = 2_000_000
/** A test that is late sends so many before it looks what came. */
const BURST = 8

interface Arrival {
  readonly number: number
  readonly afterMicros: number
}

describe.skipIf(!requires.namespaces())('the host in the middle', () => {
  let lab: Lab
  let left: Namespace
  let right: Namespace

  beforeEach(() => {
    lab = new Lab()
    left = lab.namespace('left')
    right = lab.namespace('right')
    // They say nothing that is not counted here.
    for (const host of [left, right]) silenceIpv6(host)
  })
  afterEach(() => lab.close())

  const opened = (impairment?: Impairment): Promise<Middle> =>
    new Middle(lab, 'middle', [left, right]).open(impairment)

  /** Sends numbered frames at a steady pace; those that arrive, in their order. */
  function sendAll(count: number, everyMicros: number, bytes = SHORT_BYTES): Arrival[] {
    const [out, into] = [socketAt(left, EXPERIMENT), socketAt(right, EXPERIMENT)]
    const clock = createClock(openLibc())
    const frame = frameOf(bytes)
    const view = new DataView(frame.buffer)
    const sentAt = new Float64Array(count)
    const arrivals: Arrival[] = []
    const began = clock.monotonicMicros()
    for (let sent = 0, last = began; clock.monotonicMicros() - last < REST_MICROS; ) {
      for (const received of into.received()) {
        const number = new DataView(received.buffer).getUint32(HEADER_BYTES)
        last = clock.monotonicMicros()
        arrivals.push({ number, afterMicros: last - (sentAt[number] as number) })
      }
      const isTime = (): boolean => clock.monotonicMicros() >= began + sent * everyMicros
      for (let burst = 0; burst < BURST && sent < count && isTime(); burst++, sent++) {
        view.setUint32(HEADER_BYTES, sent)
        sentAt[sent] = last = clock.monotonicMicros()
        out.send(frame)
      }
    }
    out.close()
    into.close()
    return arrivals
  }

  test('without a line hosts reach each other, and what one sends as one arrives as packets', async () => {
    await opened()
    left.ip('addr', 'add', '10.1.1.1/24', 'dev', OUTWARD)
    right.ip('addr', 'add', '10.1.1.2/24', 'dev', OUTWARD)
    expect(ping(left, '10.1.1.2')).toBe(true)

    const libc = openLibc()
    const into = socketAt(right, IPV4)
    const socket = left.inside(() => openUdp(libc, 4, 0, { segment: true, gro: false }))
    if (socket === undefined || socket === 'taken') throw new Error(`no socket: ${socket}`)
    expect(socket.offloads.segment).toBe(true)
    const outbox = new UdpOutbox(libc, socket)
    const target = endpointOf(Uint8Array.of(10, 1, 1, 2), 9)
    for (let index = 0; index < 10; index++) {
      outbox.place(1_000)
      outbox.commit(target, 1_000)
    }
    outbox.flush()
    // All of it is received within the call that sends.
    const lengths = into.received().map(({ length }) => length)
    expect(lengths).toEqual(Array.from({ length: 10 }, () => HEADER_BYTES + UDP_HEADERS_BYTES + 1_000))
    into.close()
    outbox.close()
  })

  test('a clean line loses none of 10,000 long frames a second, and keeps their order', async () => {
    const middle = await opened(CLEAN)
    const arrivals = sendAll(10_000, 100, LONG_BYTES)
    const [counts] = (await middle.counts()) ?? []
    expect(counts).toMatchObject({ sent: counts?.received, lost: 0, refused: 0, missed: 0 })
    expect(arrivals.map(({ number }) => number)).toEqual(Array.from({ length: 10_000 }, (_, at) => at))
  })

  // How many, and which, is a matter of test/unit/impaired-line.test.ts.
  test('what it says that it lost is lost, and what it did not reorder is late', async () => {
    const middle = await opened({ loss: 0.05, reorder: 0.1, delayMicros: 4_000, seed: 7 })
    const count = 5_000
    const arrivals = sendAll(count, 100)
    const [counts] = (await middle.counts()) ?? []
    const { received = 0, lost = 0, reordered = 0 } = counts ?? {}
    expect(counts).toMatchObject({ sent: received - lost, refused: 0, missed: 0 })
    // What the kernel says on a new interface is counted too, and may be lost.
    const others = received - count
    expect(count - arrivals.length).toBeLessThanOrEqual(lost)
    expect(count - arrivals.length).toBeGreaterThanOrEqual(lost - others)
    const soon = arrivals.filter(({ afterMicros }) => afterMicros < 4_000)
    expect(soon.length).toBeLessThanOrEqual(reordered)
    expect(soon.length).toBeGreaterThan(0)
  })
})

function socketAt(host: Namespace, protocol: number): PacketSocket {
  const [link] = host.list<{ ifindex: number }>('link', 'show', 'dev', OUTWARD)
  return host.inside(() => new PacketSocket(openLibc(), link?.ifindex as number, protocol))
}
