/** The line of benchmarks without a kernel and a clock: frames come and go when the test says so. */
import { describe, expect, test } from 'vitest'
import type { Libc, Pinned } from '../../drivers/linux/libc.ts'
import { MESSAGE_BYTES, MOVED_AT, VECTOR_AT, VECTOR_LENGTH_AT } from '../../drivers/linux/mmsghdr.ts'
import { ImpairedLine, type Impairment } from '../support/impaired-line.ts'

const FROM = 3
const BETWEEN_MICROS = 100

/** Two sockets: one that numbered frames come from, and one that keeps what is sent by it. */
class Sockets {
  readonly sent: number[] = []
  waiting: number[] = []
  readonly #pins: Pinned[] = []

  readonly libc = {
    pin: (length: number): Pinned => {
      const buffer = new ArrayBuffer(length)
      const address = BigInt(this.#pins.length + 1) << 32n
      const pinned = { bytes: new Uint8Array(buffer), view: new DataView(buffer), address }
      this.#pins.push(pinned)
      return pinned
    },
    recvmmsg: (fd: number, start: bigint, count: number) => {
      expect(fd).toBe(FROM)
      const numbers = this.waiting.splice(0, count)
      for (const [index, number] of numbers.entries()) {
        const [message, at] = this.#at(start + BigInt(index * MESSAGE_BYTES))
        this.#frame(message, at, (view, from) => view.setUint32(from, number))
        message.setUint32(at + MOVED_AT, 60, true)
      }
      return numbers.length
    },
    sendmmsg: (_: number, start: bigint, count: number) => {
      for (let index = 0; index < count; index++) {
        const [message, at] = this.#at(start + BigInt(index * MESSAGE_BYTES))
        this.#frame(message, at, (view, from, length) => {
          expect(length).toBe(60)
          this.sent.push(view.getUint32(from))
        })
      }
      return count
    },
  } as unknown as Libc

  #at(address: bigint): [DataView, number] {
    return [(this.#pins[Number(address >> 32n) - 1] as Pinned).view, Number(address & 0xffff_ffffn)]
  }

  #frame(message: DataView, at: number, act: (view: DataView, from: number, length: number) => void): void {
    const [vector, vectorAt] = this.#at(message.getBigUint64(at + VECTOR_AT, true))
    const [block, from] = this.#at(vector.getBigUint64(vectorAt, true))
    act(block, from, vector.getUint32(vectorAt + VECTOR_LENGTH_AT, true))
  }
}

/** One frame each 100 µs; the numbers of those that came out, and what the line says of them. */
function run(impairment: Impairment, count: number) {
  const sockets = new Sockets()
  const line = new ImpairedLine(sockets.libc, FROM, FROM + 1, impairment, 'there')
  const leftAt: number[] = []
  for (let step = 0; step < count || line.nextDue !== Number.POSITIVE_INFINITY; step++) {
    const now = step * BETWEEN_MICROS
    if (step < count) sockets.waiting.push(step)
    line.receive(() => now)
    line.send(now)
    while (leftAt.length < sockets.sent.length) leftAt.push(now)
  }
  const delays = sockets.sent.map((number, at) => (leftAt[at] as number) - number * BETWEEN_MICROS)
  return { sent: sockets.sent, delays, counts: line.counts }
}

describe('a line', () => {
  const impaired = { loss: 0.005, reorder: 0.01, delayMicros: 4_000, seed: 7 }

  test('passes all frames in their order where it is to do nothing', () => {
    const { sent, delays } = run({ loss: 0, reorder: 0, delayMicros: 0, seed: 1 }, 20_000)
    expect(sent).toEqual(Array.from({ length: 20_000 }, (_, at) => at))
    expect(Math.max(...delays)).toBe(0)
  })

  test('loses and reorders as many as it says, and delays the others for as long', () => {
    const count = 40_000
    const { sent, delays, counts } = run(impaired, count)
    // Four standard deviations of so many draws.
    expect(Math.abs(counts.lost - 200)).toBeLessThan(57)
    expect(Math.abs(counts.reordered - 400)).toBeLessThan(80)
    expect(counts).toMatchObject({ received: count, sent: count - counts.lost, refused: 0 })
    expect(new Set(sent).size).toBe(count - counts.lost)
    // One that is reordered leaves at once, past those that wait.
    expect(delays.filter((delay) => delay === 0)).toHaveLength(counts.reordered)
    expect(delays.filter((delay) => delay === 4_000)).toHaveLength(counts.sent - counts.reordered)
    const late = sent.filter((_, at) => delays[at] !== 0)
    expect(late.every((number, at) => at === 0 || number > (late[at - 1] as number))).toBe(true)
  })

  test('loses the same frames for the same seed, whatever the delay, and others for another', () => {
    const [one, same, other] = [impaired, { ...impaired, delayMicros: 0 }, { ...impaired, seed: 8 }].map(
      (each) => run(each, 5_000).sent.toSorted((a, b) => a - b),
    )
    expect(same).toEqual(one)
    expect(other).not.toEqual(one)
  })
})
