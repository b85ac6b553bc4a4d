/**
 * What every carrier must do, whatever it carries trunks over: the tests of drivers/libp2p/carrier.ts, run by
 * carrier.test.ts against each of them.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { type Address, CHANNEL, type Channel, CLOSE, type PeerId } from '../../core/io.ts'
import { PACKET_BYTES_MAX } from '../../core/wire/packet.ts'
import type { Heard, Station, Told } from '../support/station.ts'

/** Where the stations of one test live. */
export interface Ground {
  /** A station that has started and can be dialled. */
  station(): Promise<Station>
  /** As the station is dialled. */
  addressesOf(station: Station): readonly Address[]
  /** A peer that is nowhere, and an address where nobody is. */
  nobody(): { readonly peer: PeerId; readonly addresses: readonly Address[] }
  /** An address that takes what comes and never answers; undefined if there is no such thing here. */
  silence(): Promise<readonly Address[] | undefined>
  /** Stops all stations and frees everything. */
  close(): Promise<void>
}

const CHANNELS: readonly Channel[] = [CHANNEL.control, CHANNEL.data]
const NAMES = ['control', 'data'] as const

export function carrierContract(name: string, lay: () => Promise<Ground>): void {
  describe(name, () => {
    let ground: Ground | undefined
    let stations: Station[] = []

    async function stationsOf(count: number): Promise<Station[]> {
      ground = await lay()
      for (let index = 0; index < count; index++) stations.push(await ground.station())
      return stations
    }

    /** Two stations and a link between them, dialled by the first. */
    async function pair(): Promise<{ a: Station; b: Station; ab: Told; ba: Told }> {
      const [a, b] = (await stationsOf(2)) as [Station, Station]
      a.dial(b.name, addresses(b))
      return { a, b, ab: await a.up(b.name), ba: await b.up(a.name) }
    }

    const addresses = (station: Station): readonly Address[] => (ground as Ground).addressesOf(station)

    afterEach(async () => {
      const faults = stations.flatMap((station) => station.faults)
      await ground?.close()
      ground = undefined
      stations = []
      expect(faults).toEqual([])
    })

    test('a dial brings the link up at both ends', async () => {
      const { a, b, ab, ba } = await pair()
      expect(ab).toMatchObject({ peer: b.name, dialled: true })
      expect(ba).toMatchObject({ peer: a.name, dialled: false })
      expect(a.carrier.view()).toMatchObject([{ link: ab.link, peer: b.name, dialled: true, relayed: false }])
      expect(a.failed).toEqual([])
    })

    test.each(CHANNELS)(
      'channel %i carries packets of all sizes both ways, in order and intact',
      async (channel) => {
        const { a, b, ab, ba } = await pair()
        const sizes = [0, 1, 2, 5, 6, 7, 1_420, 0, 4_096, PACKET_BYTES_MAX, 3]
        for (const [from, told, to, heard] of [
          [a, ab, b, ba],
          [b, ba, a, ab],
        ] as const) {
          for (const [index, size] of sizes.entries()) {
            from.send(told.link, channel, 0x110040 + index, patterned(size, index))
          }
          await to.until('all packets', () => heard.heard.length === sizes.length)
          expectPackets(heard.heard, sizes, channel, 0x110040)
        }
      },
    )

    test('every hop arrives as it was sent', async () => {
      const { a, b, ab, ba } = await pair()
      const hops = [0, 1, 0xff, 0x100, 0x10_0000, 0x11_ff40, 0xff_ffff]
      for (const hop of hops) a.send(ab.link, CHANNEL.data, hop, Uint8Array.of(1))
      await b.until('all hops', () => ba.heard.length === hops.length)
      expect(ba.heard.map(({ hop }) => hop)).toEqual(hops)
    })

    test('bytes are lent: what is written over them after send does not arrive', async () => {
      const { a, b, ab, ba } = await pair()
      const packet = new Uint8Array(1_420)
      for (let round = 0; round < 20; round++) {
        packet.fill(round)
        a.send(ab.link, round % 2 === 0 ? CHANNEL.control : CHANNEL.data, 0, packet)
      }
      packet.fill(0xff)
      await b.until('all rounds', () => ba.heard.length === 20)
      const rounds = ba.heard.map(({ bytes }) => bytes[700]).sort((x, y) => Number(x) - Number(y))
      expect(rounds).toEqual(Array.from({ length: 20 }, (_, round) => round))
      for (const { bytes } of ba.heard) expect(bytes.every((byte) => byte === bytes[0])).toBe(true)
    })

    test('control loses nothing in a burst of 2,000 packets in one turn', async () => {
      const { a, b, ab, ba } = await pair()
      const sizes = Array.from({ length: 2_000 }, (_, index) => (index * 37) % 1_421)
      for (const [index, size] of sizes.entries())
        a.send(ab.link, CHANNEL.control, index, patterned(size, index))
      await b.until('the burst', () => ba.heard.length === sizes.length)
      expectPackets(ba.heard, sizes, CHANNEL.control, 0)
    })

    test('a burst of data arrives in order, but for what is counted as dropped', async () => {
      const { a, b, ab, ba } = await pair()
      const count = 2_000
      for (let index = 0; index < count; index++)
        a.send(ab.link, CHANNEL.data, index, patterned(1_420, index))
      // Control lets data pass or not; the last word of it comes after all that is not lost here.
      const dropped = (): number => a.carrier.view()[0]?.dropped ?? 0
      await b.until('the burst', () => ba.heard.length + dropped() === count)
      const hops = ba.heard.map(({ hop }) => hop)
      expect(hops).toEqual([...hops].sort((x, y) => x - y))
      expect(new Set(hops).size).toBe(hops.length)
      for (const { hop, bytes } of ba.heard) expect(same(bytes, patterned(1_420, hop))).toBe(true)
    })

    test('a link that is hung up goes down at both ends, with the reason, after what was sent', async () => {
      for (const reason of [CLOSE.refused, CLOSE.leaving]) {
        const { a, b, ab, ba } = await pair()
        for (let index = 0; index < 50; index++)
          a.send(ab.link, CHANNEL.control, index, patterned(500, index))
        a.hangUp(ab.link, reason)
        expect(await a.down(ab)).toBe(reason)
        expect(await b.down(ba)).toBe(reason)
        expect(ba.heard.length).toBe(50)
        a.send(ab.link, CHANNEL.control, 0, Uint8Array.of(1))
        a.hangUp(ab.link, reason)
        expect(a.carrier.view()).toEqual([])
        await ground?.close()
        expect(stations.flatMap((station) => station.faults)).toEqual([])
        stations = []
      }
    })

    test('a dial of nobody fails, once', async () => {
      const [a] = (await stationsOf(1)) as [Station]
      const { peer, addresses: where } = (ground as Ground).nobody()
      a.dial(peer, where)
      a.dial(peer, [])
      await a.until('both failures', () => a.failed.length === 2)
      expect(a.failed).toEqual([peer, peer])
      expect(a.links).toEqual([])
    })

    test('a dial of another peer than the one that is there fails, once', async () => {
      const [a, b] = (await stationsOf(2)) as [Station, Station]
      const { peer } = (ground as Ground).nobody()
      a.dial(peer, addresses(b))
      await a.until('the failure', () => a.failed.length > 0)
      expect(a.failed).toEqual([peer])
      expect([...a.links, ...b.links]).toEqual([])
    })

    test('a dial of an address that never answers fails, once', async () => {
      const [a] = (await stationsOf(1)) as [Station]
      const silent = await (ground as Ground).silence()
      if (silent === undefined) return
      const { peer } = (ground as Ground).nobody()
      a.dial(peer, silent)
      await a.until('the failure', () => a.failed.length > 0)
      expect(a.failed).toEqual([peer])
    })

    test('two ends that dial each other agree on what is up between them', async () => {
      const [a, b] = (await stationsOf(2)) as [Station, Station]
      a.dial(b.name, addresses(b))
      b.dial(a.name, addresses(a))
      const dialled = (station: Station): number => station.links.filter((told) => told.dialled).length
      const ended = (station: Station): boolean => dialled(station) + station.failed.length === 1
      const agree = (): boolean =>
        a.links.length === dialled(a) + dialled(b) && b.links.length === a.links.length
      await a.until('the ends of both dials', () => ended(a) && ended(b) && agree())
      expect(a.links.length).toBeGreaterThan(0)
      for (const told of a.live(b.name)) a.send(told.link, CHANNEL.control, 0, Uint8Array.of(7))
      await b.until('a packet on each', () => b.live(a.name).every((told) => told.heard.length === 1))
      expect(b.live(a.name).length).toBe(a.live(b.name).length)
    })

    test('an end that is gone takes the link down at the other: lost', async () => {
      const { a, b, ab } = await pair()
      await b.carrier.stop()
      expect(await a.down(ab)).toBe(CLOSE.lost)
      expect(b.links[0]?.down).toBeUndefined()
    })

    test('after the end of a link the peer can be dialled again, by either end', async () => {
      const { a, b, ab, ba } = await pair()
      a.hangUp(ab.link, CLOSE.dead)
      await b.down(ba)
      b.dial(a.name, addresses(a))
      const again = await a.up(b.name)
      expect(again).toMatchObject({ dialled: false })
      expect(again.link).not.toBe(ab.link)
      b.send((await b.up(a.name)).link, CHANNEL.data, 5, Uint8Array.of(5))
      await a.until('a packet', () => again.heard.length === 1)
    })
  })
}

/** Bytes that tell their place and packet. */
function patterned(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let index = 0; index < size; index++) bytes[index] = index * 31 + seed * 17 + (index >> 8)
  return bytes
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

function expectPackets(
  heard: readonly Heard[],
  sizes: readonly number[],
  channel: Channel,
  firstHop: number,
): void {
  expect(heard.map(({ bytes }) => bytes.length)).toEqual(sizes)
  heard.forEach((one, index) => {
    expect(one.channel, NAMES[channel]).toBe(channel)
    expect(one.hop).toBe(firstHop + index)
    expect(same(one.bytes, patterned(sizes[index] as number, index))).toBe(true)
  })
}
