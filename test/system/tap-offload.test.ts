/** Offloads of the TAP against the kernel, which cuts and joins the same frames itself where it is let. */
import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openLibc } from '../../drivers/linux/libc.ts'
import type { Device, DeviceOffload } from '../../drivers/tap/device.ts'
import { tapOpener } from '../../drivers/tap/tap.ts'
import { type CarriedFrame, carriedFrame, FLAG, segmentsOf, superFrame } from '../support/carried-frames.ts'
import { drain } from '../support/frames.ts'
import { Lab, type Namespace } from '../support/namespaces.ts'
import { PacketSocket } from '../support/packet-socket.ts'
import { requires } from '../support/requirements.ts'

const MTU = 1_500
const SIZE = 1_400
const ALL: DeviceOffload = { segmentation: true, coalescing: true, udp: true }
const NONE: DeviceOffload = { segmentation: false, coalescing: false, udp: false }
/** linux/if_tun.h */
const TUNSETOFFLOAD = 0x4004_54d0
const IPV4 = 0x0800
const IPV6 = 0x86dd
/** 802.1Q. */
const TAGGED = 0x8100
const PROVIDER_TAGGED = 0x88a8
/** Of a virtio header. */
const HEADER = 10

const filled = (length: number) => Uint8Array.from({ length }, (_, at) => (at * at * 31 + at * 7) & 0xff)
const TIMES = Uint8Array.of(1, 1, 8, 10, 9, 8, 7, 6, 5, 4, 3, 2)

const TCP: CarriedFrame = {
  version: 4,
  protocol: 'tcp',
  payload: filled(50_000),
  options: TIMES,
  identity: 9,
}
const UDP: CarriedFrame = { version: 4, protocol: 'udp', payload: filled(30_000), identity: 9 }

const FRAMES: readonly (readonly [what: string, frame: CarriedFrame, size: number])[] = [
  ['TCP over IPv4', TCP, SIZE],
  ['TCP over IPv6', { ...TCP, version: 6 }, SIZE],
  ['TCP with a tag', { ...TCP, tagged: true }, SIZE],
  ['TCP over IPv6 with a tag', { ...TCP, version: 6, tagged: true }, SIZE],
  ['segments of an odd length', TCP, 1_001],
  ['two segments, the last of one byte', { ...TCP, payload: filled(SIZE + 1) }, SIZE],
  ['segments that fill up', { ...TCP, payload: filled(SIZE * 5) }, SIZE],
  ['the longest', { ...TCP, payload: filled(65_535 - 20 - 32) }, SIZE],
  ['numbers that wrap', { ...TCP, sequence: 0xffff_f000, identity: 0xfff0 }, SIZE],
  ['the end of a stream', { ...TCP, flags: FLAG.ack | FLAG.psh | FLAG.fin }, SIZE],
  ['the answer to congestion', { ...TCP, flags: FLAG.ack | FLAG.cwr | FLAG.psh }, SIZE],
  ['UDP over IPv4', UDP, 1_200],
  ['UDP over IPv6', { ...UDP, version: 6 }, 1_201],
  ['UDP with a tag', { ...UDP, tagged: true }, 1_200],
  ['TCP with the tag of a provider', { ...TCP, tagged: true, tagType: PROVIDER_TAGGED }, SIZE],
]

const hex = (frames: readonly Uint8Array[]) => frames.map((frame) => Buffer.from(frame).toString('hex'))

/** What a socket has to be opened for to send it. */
function typeOf({ version, tagged = false, tagType = TAGGED }: CarriedFrame): number {
  return tagged ? tagType : version === 4 ? IPV4 : IPV6
}

describe.skipIf(!requires.namespaces())('offloads of a TAP', () => {
  const opened: { close(): void }[] = []
  let lab: Lab
  let host: Namespace

  beforeAll(() => {
    lab = new Lab()
    host = lab.namespace('host')
    // Nobody speaks unasked.
    host.inside(() => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'))
  })
  afterEach(() => {
    for (const each of opened.splice(0)) each.close()
  })
  afterAll(() => lab.close())

  const keep = <T extends { close(): void }>(each: T): T => {
    opened.push(each)
    return each
  }
  const openTap = (offload: DeviceOffload, mtu = MTU): Device =>
    keep(host.inside(() => tapOpener(openLibc())({ name: 'tap%d', mac: 2, mtu, addresses: [], offload })))
  const socketOn = (name: string, protocol: number, at = host): PacketSocket => {
    const [link] = at.list<{ ifindex: number }>('link', 'show', 'dev', name)
    const index = link?.ifindex as number
    return keep(at.inside(() => new PacketSocket(openLibc(), index, protocol, true)))
  }

  test.each(FRAMES)('cut %s as the kernel does', (_, frame, size) => {
    const [own, kernels] = [ALL, NONE].map((offload) => {
      const device = openTap(offload)
      expect(socketOn(device.name, typeOf(frame)).send(superFrame(frame, size))).toBe(true)
      return drain(device)
    })
    expect(hex(own as Uint8Array[])).toEqual(hex(kernels as Uint8Array[]))
    expect(hex(own as Uint8Array[])).toEqual(hex(segmentsOf(frame, size)))
  })

  test('make the checksum of a frame that is one', () => {
    const frame = { ...TCP, payload: filled(777) }
    const [own, kernels] = [ALL, NONE].map((offload) => {
      const device = openTap(offload)
      const sent = superFrame(frame, 0)
      sent[1] = 0
      expect(socketOn(device.name, IPV4).send(sent)).toBe(true)
      return drain(device)
    })
    expect(own).toEqual(kernels)
    expect(own).toEqual([carriedFrame(frame)])
  })

  test.each(FRAMES.slice(0, 8).concat(FRAMES.slice(11)))('give %s to the host as one', (_, frame, size) => {
    const device = openTap(ALL)
    const socket = socketOn(device.name, frame.version === 4 ? IPV4 : IPV6)
    const frames = segmentsOf(frame, size)
    for (const each of frames) expect(device.write(each)).toBe(each.length)
    expect(device.flush()).toBe(0)
    const heard = socket.received()
    // The kernel takes a tag off, and says where all begins without it.
    const plain = { ...frame, tagged: false }
    expect(hex(heard.map((each) => each.subarray(HEADER)))).toEqual(
      hex([carriedFrame({ ...plain, partial: true })]),
    )
  })

  test('are done without where the configuration says so', () => {
    const device = openTap({ ...ALL, coalescing: false })
    const socket = socketOn(device.name, IPV4)
    const frames = segmentsOf(TCP, SIZE)
    for (const each of frames) device.write(each)
    expect(socket.received().map((each) => each.subarray(HEADER))).toEqual(frames)
    device.flush()
    expect(socket.received()).toEqual([])
  })

  test('are others from one moment on, on an interface that stays', () => {
    const device = openTap(ALL)
    const socket = socketOn(device.name, IPV4)
    const sender = socketOn(device.name, typeOf(TCP))
    const frames = segmentsOf(TCP, SIZE)
    const index = () => host.list<{ ifindex: number }>('link', 'show', 'dev', device.name)[0]?.ifindex
    const before = index()
    const heard = () => {
      for (const each of frames) expect(device.write(each)).toBe(each.length)
      expect(device.flush()).toBe(0)
      return socket.received().map((each) => each.subarray(HEADER))
    }
    expect(heard()).toHaveLength(1)
    // What waits is not forgotten.
    device.write(frames[0] as Uint8Array)
    expect(device.setOffload(NONE)).toBe(true)
    expect(hex(socket.received().map((each) => each.subarray(HEADER)))).toHaveLength(1)
    expect(hex(heard())).toEqual(hex(frames))
    // The kernel cuts now what was cut here before.
    expect(sender.send(superFrame(TCP, SIZE))).toBe(true)
    socket.received()
    expect(hex(drain(device))).toEqual(hex(frames))
    expect(device.setOffload(ALL)).toBe(true)
    expect(heard()).toHaveLength(1)
    expect(index()).toBe(before)
  })

  test('cannot be had by an interface that was made without', () => {
    const device = openTap(NONE)
    expect(device.setOffload(NONE)).toBe(true)
    expect(device.setOffload(ALL)).toBe(false)
  })

  test('lose segments that are longer than the MTU, and count them', () => {
    const device = openTap(ALL, 1_280)
    host.ip('link', 'set', device.name, 'mtu', '9000')
    const socket = socketOn(device.name, IPV4)
    expect(socket.send(superFrame(TCP, 1_400))).toBe(true)
    expect(drain(device)).toEqual([])
    expect([device.lost, device.holds]).toEqual([1, false])
    expect(socket.send(superFrame(TCP, 1_200))).toBe(true)
    expect(drain(device)).toEqual(segmentsOf(TCP, 1_200))
  })

  test('keep what was not read yet, and say so', () => {
    const device = openTap(ALL)
    expect(device.holds).toBe(false)
    socketOn(device.name, IPV4).send(superFrame(TCP, SIZE))
    const frames = segmentsOf(TCP, SIZE)
    const into = new Uint8Array(2_000)
    for (const [index, frame] of frames.entries()) {
      expect(into.subarray(0, device.read(into))).toEqual(frame)
      expect(device.holds).toBe(index < frames.length - 1)
    }
    expect(device.read(into)).toBe(0)
  })

  test('tell by flush how many frames were lost while the interface was down', () => {
    const device = openTap(ALL)
    host.ip('link', 'set', device.name, 'down')
    const frames = segmentsOf({ ...TCP, payload: filled(SIZE * 5) }, SIZE)
    for (const each of frames) expect(device.write(each)).toBe(each.length)
    expect([device.flush(), device.flush()]).toEqual([5, 0])
    host.ip('link', 'set', device.name, 'up')
    for (const each of frames) expect(device.write(each)).toBe(each.length)
    expect(device.flush()).toBe(0)
    host.ip('link', 'del', device.name)
    for (const each of frames) device.write(each)
    expect(device.flush()).toBe(-1)
  })

  test.each([
    ['TCP over IPv4', 'carol'],
    ['TCP over IPv6', 'dave'],
    ['UDP over IPv4', 'erin'],
  ])('carry %s through a bridge', (what, name) => {
    const [, frame, size] = FRAMES.find(([each]) => each === what) as (typeof FRAMES)[number]
    const carol = lab.namespace(name)
    carol.inside(() => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'))
    const device = openTap(ALL)
    lab.veth(host, `to-${name}`, carol, 'eth0')
    host.bridge('br', [device.name, `to-${name}`])
    const socket = socketOn('eth0', frame.version === 4 ? IPV4 : IPV6, carol)
    for (const each of segmentsOf(frame, size)) device.write(each)
    device.flush()
    // A bridge that is new reports its groups.
    const heard = socket.received().filter((each) => ((each[HEADER] as number) & 1) === 0)
    expect(hex(heard.map((each) => each.subarray(HEADER)))).toEqual(
      hex([carriedFrame({ ...frame, partial: true })]),
    )
    host.ip('link', 'del', 'dev', 'br')
  })

  test('are of use without a kernel that knows UDP, and without one that knows any', () => {
    for (const refused of [1, 2, 3]) {
      const calls = openLibc()
      let left = refused
      const ioctl: typeof calls.ioctl = (fd, request, argument) => {
        if (request !== TUNSETOFFLOAD || left === 0) return calls.ioctl(fd, request, argument)
        left -= 1
        return -1
      }
      const settings = { name: 'tap%d', mac: 2, mtu: MTU, addresses: [] }
      const device = keep(host.inside(() => tapOpener({ ...calls, ioctl })(settings)))
      for (const frame of [TCP, UDP]) {
        expect(socketOn(device.name, IPV4).send(superFrame(frame, 1_200))).toBe(true)
        expect(drain(device)).toEqual(segmentsOf(frame, 1_200))
      }
    }
  })
})
