/**
 * What every Device must do, whatever it is made of. Call it with a name and a way to make a rig: a host
 * that sends through the interface, hears what comes out of it, and does to it what administrators do.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { InvariantError, UsageError } from '../../core/errors.ts'
import { BROADCAST_MAC, type Mac, parseMac } from '../../core/ids.ts'
import type { Libc } from '../../drivers/linux/libc.ts'
import { Poller } from '../../drivers/linux/poller.ts'
import { DEVICE, type Device, type DeviceSettings, type OpenDevice } from '../../drivers/tap/device.ts'
import { frameBytesMax, readBytesMin } from '../../drivers/tap/settings.ts'
import { drain, frameOf } from '../support/frames.ts'

export interface DeviceRig {
  readonly open: OpenDevice
  /** Undefined where devices are not waited for. */
  readonly libc: Libc | undefined
  /** The host sends the frame; it may be lost for want of room. */
  inject(device: Device, frame: Uint8Array): void
  /** What the host received since the last time, in its order. */
  heard(device: Device): readonly Uint8Array[]
  /** The frame as `heard` would say it: some hosts take a tag off. */
  asHeard(frame: Uint8Array): Uint8Array
  setUp(device: Device, up: boolean): void
  remove(device: Device): void
  macOf(device: Device): Mac
  has(name: string): boolean
  close(): void
}

const MTU = 1_500
const MAC = parseMac('02AABBCCDDEE')
const OTHER_MAC = parseMac('02AABBCCDD01')

const SETTINGS: DeviceSettings = { name: 'dev%d', mac: MAC, mtu: MTU, addresses: [] }

export function deviceContract(name: string, makeRig: () => DeviceRig): void {
  describe(`a device of ${name}`, () => {
    let rig: DeviceRig
    const opened: Device[] = []
    const open = (changes: Partial<DeviceSettings> = {}) => {
      const device = rig.open({ ...SETTINGS, ...changes })
      opened.push(device)
      return device
    }

    beforeEach(() => {
      rig = makeRig()
    })

    afterEach(() => {
      for (const device of opened.splice(0)) device.close()
      rig.close()
    })

    framesContract(() => rig, open)
    lifeContract(() => rig, open)
    settingsContract(() => rig, open)
  })
}

type Rig = () => DeviceRig
type Open = (changes?: Partial<DeviceSettings>) => Device

function framesContract(rig: Rig, open: Open): void {
  test('carries frames of the host, one at a time, in their order', () => {
    const device = open()
    const frames = [60, 61, 1_514, 300].map((length, seed) => frameOf(length, seed))
    for (const frame of frames) rig().inject(device, frame)
    expect(drain(device)).toEqual(frames)
    expect(device.read(new Uint8Array(2_000))).toBe(DEVICE.nothing)
    rig().inject(device, frames[1] as Uint8Array)
    expect(drain(device)).toEqual([frames[1]])
  })

  test('touches no byte behind a frame that it reads', () => {
    const device = open()
    rig().inject(device, frameOf(100))
    const into = new Uint8Array(2_000).fill(0xa5)
    expect(device.read(into)).toBe(100)
    expect(into.subarray(0, 100)).toEqual(frameOf(100))
    expect(into.subarray(100)).toEqual(new Uint8Array(1_900).fill(0xa5))
  })

  test('gives frames to the host, in their order, from any place of an array', () => {
    const device = open()
    const frames = [60, 1_514, 300].map((length, seed) => frameOf(length, seed))
    for (const frame of frames) {
      const around = new Uint8Array(2_000).fill(0xa5)
      around.set(frame, 77)
      expect(device.write(around.subarray(77, 77 + frame.length))).toBe(frame.length)
    }
    expect(rig().heard(device)).toEqual(frames)
  })

  test.each([1_280, 1_500, 9_000])('carries the longest frame of an MTU of %d, tagged too', (mtu) => {
    const device = open({ mtu })
    const frames = [frameOf(mtu + 14), frameOf(mtu + 18, 1, true)]
    expect(frames[1]).toHaveLength(frameBytesMax(mtu))
    for (const frame of frames) {
      rig().inject(device, frame)
      expect(device.write(frame)).toBe(frame.length)
    }
    expect(drain(device)).toEqual(frames)
    expect(rig().heard(device)).toEqual(frames.map((frame) => rig().asHeard(frame)))
  })

  test('gives what it kept when it is told that the turn is over, and lost nothing of it', () => {
    const device = open()
    expect([device.flush(), device.holds, device.lost]).toEqual([0, false, 0])
    const frames = [60, 61, 62].map((length, seed) => frameOf(length, seed))
    for (const frame of frames) device.write(frame)
    expect(device.flush()).toBe(0)
    expect(rig().heard(device)).toEqual(frames)
    expect(device.flush()).toBe(0)
    expect(rig().heard(device)).toEqual([])
    device.close()
    expect([device.flush(), device.holds]).toEqual([DEVICE.gone, false])
  })

  test('loses what is no frame of it', () => {
    const device = open()
    for (const length of [0, 1, 13, MTU + 19, 9_000]) {
      expect(device.write(new Uint8Array(length))).toBe(DEVICE.nothing)
    }
    expect(rig().heard(device)).toEqual([])
    expect(device.write(frameOf(60))).toBe(60)
    expect(rig().heard(device)).toEqual([frameOf(60)])
  })

  test('refuses an array that its longest frame might not fit in', () => {
    const device = open()
    expect(() => device.read(new Uint8Array(readBytesMin(MTU) - 1))).toThrow(InvariantError)
    expect(() => device.read(new Uint8Array(readBytesMin(MTU) - 1))).toThrow('1518 bytes; it needs 1519')
    expect(device.read(new Uint8Array(readBytesMin(MTU)))).toBe(DEVICE.nothing)
  })

  test('keeps a bounded number of frames that nobody reads, the first ones', () => {
    const device = open()
    for (let count = 0; count < 3_000; count++) rig().inject(device, frameOf(60, count))
    const frames = drain(device)
    expect(frames.length).toBeGreaterThanOrEqual(100)
    expect(frames.length).toBeLessThan(3_000)
    expect(frames).toEqual(frames.map((_, seed) => frameOf(60, seed)))
    rig().inject(device, frameOf(60, 5))
    expect(drain(device)).toEqual([frameOf(60, 5)])
  })

  test('is ready while there is a frame to read, and not otherwise', () => {
    const { libc } = rig()
    const device = open()
    if (libc === undefined) {
      expect(device.fd).toBe(-1)
      return
    }
    const poller = new Poller(libc)
    poller.add(device.fd)
    expect(poller.wait(0)).toBe(0)
    rig().inject(device, frameOf(60))
    rig().inject(device, frameOf(61))
    for (const length of [60, 61]) {
      expect(poller.wait(0)).toBe(1)
      expect(poller.fdAt(0)).toBe(device.fd)
      expect(device.read(new Uint8Array(2_000))).toBe(length)
    }
    expect(poller.wait(0)).toBe(0)
  })
}

function lifeContract(rig: Rig, open: Open): void {
  test('loses frames while it is down and works again when it is up', () => {
    const device = open()
    rig().setUp(device, false)
    expect(device.write(frameOf(60))).toBe(DEVICE.nothing)
    rig().inject(device, frameOf(60))
    expect(drain(device)).toEqual([])
    rig().setUp(device, true)
    expect(rig().heard(device)).toEqual([])
    rig().inject(device, frameOf(62))
    expect(drain(device)).toEqual([frameOf(62)])
    expect(device.write(frameOf(61))).toBe(61)
    expect(rig().heard(device)).toEqual([frameOf(61)])
  })

  test('is gone for good when someone removes it, and wakes who waits for it', () => {
    const { libc } = rig()
    const device = open()
    rig().inject(device, frameOf(60))
    rig().remove(device)
    for (let count = 0; count < 3; count++) {
      expect(device.read(new Uint8Array(2_000))).toBe(DEVICE.gone)
      expect(device.write(frameOf(60))).toBe(DEVICE.gone)
    }
    expect(() => device.setMac(OTHER_MAC)).not.toThrow()
    if (libc === undefined) return
    const poller = new Poller(libc)
    poller.add(device.fd)
    expect(poller.wait(1_000_000)).toBe(1)
  })

  test('is removed by close, which may be called twice', () => {
    const device = open()
    expect(rig().has(device.name)).toBe(true)
    device.close()
    expect(rig().has(device.name)).toBe(false)
    expect(() => device.close()).not.toThrow()
    expect(device.read(new Uint8Array(2_000))).toBe(DEVICE.gone)
    expect(device.write(frameOf(60))).toBe(DEVICE.gone)
    expect(() => device.setMac(OTHER_MAC)).not.toThrow()
  })

  test('can be closed after it was removed, and its name used again', () => {
    const device = open({ name: 'again' })
    rig().remove(device)
    device.close()
    expect(open({ name: 'again' }).name).toBe('again')
  })

  test('changes its MAC while it is up', () => {
    const device = open()
    expect(rig().macOf(device)).toBe(MAC)
    device.setMac(OTHER_MAC)
    expect(rig().macOf(device)).toBe(OTHER_MAC)
    expect(device.write(frameOf(60))).toBe(60)
    expect(rig().heard(device)).toEqual([frameOf(60)])
    expect(() => device.setMac(BROADCAST_MAC)).toThrow(UsageError)
    expect(rig().macOf(device)).toBe(OTHER_MAC)
  })
}

function settingsContract(rig: Rig, open: Open): void {
  test('gives each interface the first free number', () => {
    const devices = [open(), open(), open()]
    expect(devices.map((device) => device.name)).toEqual(['dev0', 'dev1', 'dev2'])
    devices[1]?.close()
    expect(open().name).toBe('dev1')
    expect(new Set(devices.map((device) => device.fd)).size).toBe(rig().libc === undefined ? 1 : 3)
  })

  test('keeps interfaces apart', () => {
    const [first, second] = [open(), open({ mac: OTHER_MAC })]
    rig().inject(first, frameOf(60))
    expect(drain(second)).toEqual([])
    second.write(frameOf(61))
    expect(drain(first)).toEqual([frameOf(60)])
    expect(rig().heard(first)).toEqual([])
    expect(rig().heard(second)).toEqual([frameOf(61)])
  })

  test('refuses a name that is taken, and leaves its owner alone', () => {
    const device = open({ name: 'taken' })
    expect(() => open({ name: 'taken' })).toThrow(UsageError)
    expect(() => open({ name: 'taken' })).toThrow("an interface named 'taken' already; choose another name")
    expect(device.write(frameOf(60))).toBe(60)
  })

  test.each<[what: string, changes: Partial<DeviceSettings>, message: string]>([
    ['an empty name', { name: '' }, "the interface name '' has 0 bytes; it must have 1 to 15"],
    ['a long name', { name: 'sixteen-letters!' }, 'has 16 bytes; it must have 1 to 15'],
    ['a long name of few letters', { name: 'ääääääää' }, 'has 16 bytes'],
    ['a name with a blank', { name: 'a b' }, 'without blanks, / and :'],
    ['a name with a line break', { name: 'a\n' }, 'without blanks'],
    ['a name with a slash', { name: 'a/b' }, 'without blanks, / and :'],
    ['a name with a colon', { name: 'a:1' }, 'without blanks, / and :'],
    ['the name ..', { name: '..' }, "the interface name '..'"],
    ['a name with %s', { name: 'a%s' }, '% must be followed by d'],
    ['a name with two %d', { name: 'a%d%d' }, 'there may be one of them'],
    ['no MAC', { mac: 0 }, 'the MAC 0; it must be'],
    ['a MAC of 49 bits', { mac: 2 ** 48 }, 'it must be a whole number from 1 to 2^48 − 1'],
    ['half a MAC', { mac: 0.5 }, 'the MAC 0.5'],
    ["a group's MAC", { mac: 0x0100_5e00_0001 }, 'the MAC 01005E000001 is that of a group'],
    ['an MTU below IPv4', { mtu: 67 }, 'the MTU 67; it must be a whole number from 68 to 65521'],
    ['an MTU above Ethernet', { mtu: 65_522 }, 'the MTU 65522'],
    ['half an MTU', { mtu: 1_500.5 }, 'the MTU 1500.5'],
    ['no prefix', { addresses: ['10.7.0.1'] }, "'10.7.0.1' is not an address with its prefix"],
    ['one address twice', { addresses: ['fd00::1/64', 'fd00:0::1/48'] }, "the same address as 'fd00::1/64'"],
    ['IPv6 with a small MTU', { mtu: 1_279, addresses: ['fd00::1/64'] }, 'IPv6 needs 1280: raise the MTU'],
  ])('refuses %s', (_, changes, message) => {
    expect(() => open(changes)).toThrow(UsageError)
    expect(() => open(changes)).toThrow(message)
    expect(open().name).toBe('dev0')
  })

  test.each([68, 65_521])('takes the MTU %d, which is at the edge', (mtu) => {
    const device = open({ mtu })
    expect(device.read(new Uint8Array(readBytesMin(mtu)))).toBe(DEVICE.nothing)
  })
}
