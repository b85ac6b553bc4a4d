/** Frames for tests of devices, which no host answers. */
import { BROADCAST_MAC, parseMac, writeMac } from '../../core/ids.ts'
import type { Device } from '../../drivers/tap/device.ts'
import { readBytesMin } from '../../drivers/tap/settings.ts'

/** For local experiments (IEEE 802, 2014 edition, section 9.2.4): no host answers it. */
export const EXPERIMENT = 0x88b5
const TAG = 0x8100
const SOURCE = parseMac('02AABBCCDD01')

/** A broadcast frame whose bytes follow from its length and `seed`. */
export function frameOf(length: number, seed = 1, tag = false): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, at) => (at * 7 + seed) & 0xff)
  writeMac(frame, 0, BROADCAST_MAC)
  writeMac(frame, 6, SOURCE)
  const view = new DataView(frame.buffer)
  if (tag) {
    view.setUint16(12, TAG)
    view.setUint16(14, 7)
  }
  view.setUint16(tag ? 16 : 12, EXPERIMENT)
  return frame
}

/** All frames that can be read now. */
export function drain(device: Device): Uint8Array[] {
  const into = new Uint8Array(readBytesMin(9_000))
  const frames: Uint8Array[] = []
  for (let length = device.read(into); length > 0; length = device.read(into)) {
    frames.push(into.slice(0, length))
  }
  return frames
}
