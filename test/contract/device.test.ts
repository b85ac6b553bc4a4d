/** Devices in memory, with and without something to wait for. */
import { expect, test } from 'vitest'
import { Doorbell } from '../../drivers/linux/doorbell.ts'
import { type Libc, openLibc } from '../../drivers/linux/libc.ts'
import type { Device } from '../../drivers/tap/device.ts'
import { type MemoryDevice, MemoryHost } from '../../drivers/tap/memory.ts'
import { frameOf } from '../support/frames.ts'
import { type DeviceRig, deviceContract } from './device.ts'

function memoryRig(libc?: Libc): DeviceRig {
  const host = new MemoryHost(libc && (() => new Doorbell(libc)))
  const own = (device: Device) => device as MemoryDevice
  return {
    open: (settings) => host.open(settings),
    libc,
    inject: (device, frame) => own(device).inject(frame),
    heard: (device) => own(device).taken(),
    asHeard: (frame) => frame,
    setUp: (device, up) => own(device).setUp(up),
    remove: (device) => own(device).vanish(),
    macOf: (device) => own(device).mac,
    has: (name) => host.has(name),
    close: () => undefined,
  }
}

deviceContract('memory', () => memoryRig())

if (process.platform === 'linux') {
  const libc = openLibc()
  deviceContract('memory with a bell', () => memoryRig(libc))
}

test('a device in memory says whether it took a frame, and keeps no more than its room', () => {
  const device = new MemoryHost().open({ name: 'm', mac: 2, mtu: 1_280, addresses: [] })
  const injected = Array.from({ length: 501 }, () => device.inject(frameOf(60)))
  expect(injected.lastIndexOf(true)).toBe(499)
  const written = Array.from({ length: 501 }, () => device.write(frameOf(60)))
  expect(written.lastIndexOf(60)).toBe(499)
  expect(device.taken()).toHaveLength(500)
  expect(device.taken()).toHaveLength(0)
})
