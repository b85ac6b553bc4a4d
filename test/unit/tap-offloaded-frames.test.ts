/** What a TAP does when the kernel has offloads and then takes none: here a kernel that says so. */
import { describe, expect, test } from 'vitest'
import { ERRNO, type Libc } from '../../drivers/linux/libc.ts'
import { OffloadedFrames } from '../../drivers/tap/offloaded-frames.ts'
import { type CarriedFrame, segmentsOf } from '../support/carried-frames.ts'

const SIZE = 1_000
const HEADER = 10
const TCP: CarriedFrame = { version: 4, protocol: 'tcp', payload: new Uint8Array(5 * SIZE), identity: 9 }
const ALL = { segmentation: true, coalescing: true, udp: true }

/** Takes single frames alone; `given` are the lengths of those. */
function singleMinded(given: number[]): Libc {
  const libc = {
    pin: (length: number) => {
      const buffer = new ArrayBuffer(length)
      return { bytes: new Uint8Array(buffer), view: new DataView(buffer), address: 0n }
    },
    ioctl: () => 0,
    write: (_fd: number, _address: bigint, length: number) => {
      if (length > HEADER + SIZE + 100) return -1
      given.push(length - HEADER)
      return length
    },
    errno: () => ERRNO.EINVAL,
  }
  return libc as unknown as Libc
}

describe('a kernel that takes no joined segments', () => {
  test('is told of once, and gets each by itself from then on, until it is asked anew', () => {
    const given: number[] = []
    const told: string[] = []
    const frames = new OffloadedFrames(singleMinded(given), 3, 1_514, ALL, (why) => told.push(why))
    const segments = segmentsOf(TCP, SIZE)
    const send = (): number => {
      for (const each of segments) frames.write(each)
      return frames.flush()
    }
    expect(send()).toBe(segments.length)
    expect(told).toEqual([
      'the kernel takes no segments that were joined (EINVAL); each is given to it by itself',
    ])
    given.length = 0
    expect([send(), send()]).toEqual([0, 0])
    expect(given).toHaveLength(2 * segments.length)
    expect(told).toHaveLength(1)
    frames.set(ALL)
    expect(send()).toBe(segments.length)
    expect(told).toHaveLength(2)
  })
})
