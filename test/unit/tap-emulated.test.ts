/** The Ethernet around a host that has IP packets alone, seen from the VLAN and from the host. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BROADCAST_MAC, type Mac, parseMac } from '../../core/ids.ts'
import { destinationOf, ETHERTYPE, ethertypeOf, snoop, sourceOf } from '../../core/vlan/ethernet.ts'
import { parseCidr } from '../../drivers/tap/addresses.ts'
import { DEVICE } from '../../drivers/tap/device.ts'
import { EmulatedEthernet } from '../../drivers/tap/emulated.ts'
import {
  announcement,
  answer,
  HEADER_BYTES,
  heardIn,
  listening,
  question,
} from '../../drivers/tap/neighbours.ts'

const MTU = 1_280
const OWN = parseMac('02AABBCCDDEE')
const OTHER = parseMac('02AABBCCDD01')
const ip = (text: string): Uint8Array => parseCidr(`${text}/${text.includes(':') ? 64 : 24}`).bytes

const FAMILIES = [
  { name: 'IPv4', own: ip('10.7.0.2'), other: ip('10.7.0.1') },
  { name: 'IPv6', own: ip('fd00::2'), other: ip('fd00::1') },
] as const

/** A packet with its length, its addresses and a payload. */
function packetOf(source: Uint8Array, target: Uint8Array, payload = 8): Uint8Array {
  const isIpv4 = source.length === 4
  const header = isIpv4 ? 20 : 40
  const packet = new Uint8Array(header + payload)
  packet[0] = isIpv4 ? 0x45 : 0x60
  new DataView(packet.buffer).setUint16(isIpv4 ? 2 : 4, isIpv4 ? packet.length : payload)
  packet[isIpv4 ? 9 : 6] = 17
  packet.set(source, isIpv4 ? 12 : 8)
  packet.set(target, isIpv4 ? 16 : 24)
  packet.fill(0x5a, header)
  return packet
}

function frameOf(to: Mac, from: Mac, packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + packet.length)
  const [first = 0] = packet
  frame.set(packet, HEADER_BYTES)
  const view = new DataView(frame.buffer)
  view.setUint16(0, Math.floor(to / 2 ** 32))
  view.setUint32(2, to % 2 ** 32)
  view.setUint16(6, Math.floor(from / 2 ** 32))
  view.setUint32(8, from % 2 ** 32)
  view.setUint16(12, first >> 4 === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6)
  return frame
}

class Bench {
  now = 0
  own = FAMILIES.map(({ own }) => ({ bytes: own, prefix: own.length === 4 ? 24 : 64 }))
  readonly sent: Uint8Array[] = []
  readonly written: Uint8Array[] = []
  readonly device: EmulatedEthernet

  constructor() {
    const flow = {
      name: 'tun0',
      fd: 7,
      read: (into: Uint8Array) => {
        const packet = this.sent.shift()
        if (packet !== undefined) into.set(packet)
        return packet?.length ?? DEVICE.nothing
      },
      write: (packet: Uint8Array) => this.written.push(packet.slice()) && packet.length,
      close: () => undefined,
    }
    const addresses = () => this.own
    this.device = new EmulatedEthernet(flow, { mac: OWN, mtu: MTU, now: () => this.now, addresses })
  }

  /** All that comes out now. */
  frames(): Uint8Array[] {
    const into = new Uint8Array(MTU + 32)
    const all: Uint8Array[] = []
    for (;;) {
      const length = this.device.read(into)
      if (length <= 0) return all
      all.push(into.slice(0, length))
    }
  }
}

describe.each(FAMILIES)('a host with $name alone', ({ own, other }) => {
  const self = { mac: OWN, address: own }
  const peer = { mac: OTHER, address: other }

  test('is announced at the start, and again with another MAC', () => {
    const bench = new Bench()
    expect(bench.frames()).toContainEqual(announcement(self))
    bench.device.setMac(OTHER)
    expect(bench.frames()).toContainEqual(announcement({ ...self, mac: OTHER }))
  })

  test('is answered for, and hears nothing of it', () => {
    const bench = new Bench()
    bench.frames()
    bench.device.write(question(peer, own))
    expect(bench.frames()).toEqual([answer(self, peer)])
    bench.device.write(question(peer, ip(own.length === 4 ? '10.7.0.9' : 'fd00::9')))
    expect(bench.frames()).toEqual([])
    expect(bench.written).toEqual([])
    // Who asked is known by it.
    bench.sent.push(packetOf(own, other))
    expect(bench.frames()).toEqual([frameOf(OTHER, OWN, packetOf(own, other))])
  })

  test('has its packets wait until somebody says where they go, the last three of them', () => {
    const bench = new Bench()
    bench.frames()
    const packets = [1, 2, 3, 4].map((payload) => packetOf(own, other, payload))
    bench.sent.push(...packets)
    expect(bench.frames()).toEqual([question(self, other)])
    bench.now = 500
    bench.sent.push(packets[3] as Uint8Array)
    expect(bench.frames()).toEqual([])
    bench.now = 1_500
    bench.sent.push(packets[3] as Uint8Array)
    expect(bench.frames()).toEqual([question(self, other)])
    bench.device.write(answer(peer, self))
    expect(bench.frames()).toEqual(Array(3).fill(frameOf(OTHER, OWN, packets[3] as Uint8Array)))
  })

  test('goes on with a neighbour that it asks again, and with a new MAC as soon as that is said', () => {
    const bench = new Bench()
    bench.device.write(question(peer, own))
    bench.frames()
    bench.now = 40_000
    bench.sent.push(packetOf(own, other))
    expect(bench.frames()).toEqual([frameOf(OTHER, OWN, packetOf(own, other)), question(self, other)])
    const moved = { ...peer, mac: parseMac('02AABBCCDD77') }
    // A packet alone may have come by a router, and moves nobody.
    bench.device.write(frameOf(OWN, moved.mac, packetOf(other, own)))
    bench.sent.push(packetOf(own, other))
    expect(destinationOf(bench.frames()[0] as Uint8Array)).toBe(OTHER)
    bench.device.write(announcement(moved))
    bench.sent.push(packetOf(own, other))
    expect(destinationOf(bench.frames()[0] as Uint8Array)).toBe(moved.mac)
  })

  test('does not take the word of a packet for where a station of its own link is', () => {
    const bench = new Bench()
    bench.frames()
    bench.device.write(frameOf(OWN, parseMac('02AABBCCDD77'), packetOf(other, own)))
    bench.sent.push(packetOf(own, other))
    expect(bench.frames()).toEqual([question(self, other)])
    // Beyond a router nobody can be asked.
    const far = ip(own.length === 4 ? '192.0.2.1' : '2001:db8::1')
    bench.device.write(frameOf(OWN, OTHER, packetOf(far, own)))
    bench.sent.push(packetOf(own, far))
    expect(bench.frames()).toEqual([frameOf(OTHER, OWN, packetOf(own, far))])
  })

  test('hears what is for it and for groups, without what fills a frame up', () => {
    const bench = new Bench()
    const packet = packetOf(other, own)
    const filled = new Uint8Array(80)
    filled.set(frameOf(OWN, OTHER, packet))
    bench.device.write(filled)
    const allOf = own.length === 4 ? [10, 7, 0, 255] : [0xff, 2, ...Array(13).fill(0), 1]
    const toAll = packetOf(other, Uint8Array.from(allOf))
    bench.device.write(frameOf(BROADCAST_MAC, OTHER, toAll))
    expect(bench.written).toEqual([packet, toAll])
    // What is for one alone does not come to all.
    bench.device.write(frameOf(BROADCAST_MAC, OTHER, packet))
    bench.device.write(frameOf(parseMac('02AABBCCDD99'), OTHER, packet))
    expect(bench.written.length).toBe(2)
  })
})

describe('frames', () => {
  test('of groups and broadcasts go by the mappings that all hosts use', () => {
    const bench = new Bench()
    bench.frames()
    const from = [FAMILIES[0].own, FAMILIES[1].own] as const
    const group6 = new Uint8Array(16)
    group6.set([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb])
    const ways = [
      [from[0], Uint8Array.of(239, 129, 2, 3), '01005E010203'],
      [from[0], Uint8Array.of(10, 7, 0, 255), 'FFFFFFFFFFFF'],
      [from[0], Uint8Array.of(255, 255, 255, 255), 'FFFFFFFFFFFF'],
      [from[1], group6, '3333000000FB'],
    ] as const
    for (const [source, target, mac] of ways) {
      bench.sent.push(packetOf(source, target))
      const [frame] = bench.frames() as [Uint8Array]
      expect([destinationOf(frame), sourceOf(frame)]).toEqual([parseMac(mac), OWN])
    }
  })

  test('have questions for IPv6 addresses come, from the start and when a querier wants to know', () => {
    const bench = new Bench()
    const joined = () => bench.frames().flatMap((frame) => snoop(frame)?.joins ?? [])
    expect(joined()).toEqual([parseMac('3333FF000002')])
    const query = listening({ mac: OTHER, address: ip('fd00::9') })
    // As a report, but for its type and the checksum that follows from it, which nobody looks at here.
    query[HEADER_BYTES + 48] = 130
    bench.device.write(query)
    expect(joined()).toEqual([parseMac('3333FF000002')])
  })

  test('for addresses that the host was given later are answered', () => {
    const bench = new Bench()
    bench.frames()
    const later = ip('10.8.0.1')
    const peer = { mac: OTHER, address: ip('10.8.0.2') }
    bench.device.write(question(peer, later))
    expect(bench.frames()).toEqual([])
    bench.own.push({ bytes: later, prefix: 24 })
    bench.now = 1_000
    bench.device.write(question(peer, later))
    expect(bench.frames()).toEqual([answer({ mac: OWN, address: later }, peer)])
  })

  test('of any bytes do no harm, from either side, and what waits has an end', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 120 }), { maxLength: 20 }), (all) => {
        const bench = new Bench()
        for (const bytes of all) {
          bench.device.write(bytes)
          bench.sent.push(bytes)
        }
        expect(bench.frames().length).toBeLessThan(200)
      }),
    )
    const bench = new Bench()
    bench.frames()
    for (let host = 0; host < 500; host++) {
      bench.sent.push(packetOf(FAMILIES[0].own, Uint8Array.of(10, 9, host >> 8, host & 0xff)))
    }
    expect(bench.frames().every((frame) => ethertypeOf(frame) === ETHERTYPE.arp)).toBe(true)
    for (let host = 1; host < 250; host++) {
      const from = { mac: OTHER, address: Uint8Array.of(10, 9, 0, host) }
      bench.device.write(answer(from, { mac: OWN, address: FAMILIES[0].own }))
    }
    // Of those that were asked for first nothing waits any more.
    expect(bench.frames()).toEqual([])
  })

  test('that are changed on their way say nothing of neighbours', () => {
    const asked = question({ mac: OTHER, address: ip('fd00::1') }, ip('fd00::2'))
    expect(heardIn(asked)).toMatchObject({ kind: 'question', from: { mac: OTHER } })
    for (let at = HEADER_BYTES; at < asked.length; at++) {
      const changed = asked.slice()
      changed[at] = (changed[at] as number) ^ 1
      const heard = heardIn(changed)
      // Traffic class and flow label are not covered.
      if (at > HEADER_BYTES + 3) expect([at, heard]).toEqual([at, undefined])
    }
  })
})
