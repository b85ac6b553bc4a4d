/**
 * A carrier over the simulator's lanes, and a ground of them: so that the tests of carriers hold the real one
 * and the simulated links to the same behaviour. Time is virtual: the pump takes one event after the other.
 */
import { randomBytes } from 'node:crypto'
import { hex } from '../../core/ids.ts'
import {
  type Address,
  CHANNEL,
  type Channel,
  CLOSE,
  type CloseReason,
  type Hop,
  type LinkId,
  MILLISECOND,
  type Micros,
  NEVER,
  type PeerId,
  REACHABILITY,
} from '../../core/io.ts'
import type { Carrier, TrunkListener, TrunkView } from '../../drivers/libp2p/carrier.ts'
import { compileConditions } from '../../sim/links/conditions.ts'
import { DIAL_TIMEOUT } from '../../sim/links/dial.ts'
import { Lane, LaneShared } from '../../sim/links/lane.ts'
import { Streams } from '../../sim/random.ts'
import { conditions } from '../../sim/scenario/links.ts'
import type { Ground } from '../contract/carrier.ts'
import { Station } from './station.ts'

const ONE_WAY: Micros = 10 * MILLISECOND

/** All carriers of one ground, their time, and what is on its way. */
class Air {
  now: Micros = 0
  nextLink = 1
  readonly shared = new LaneShared(compileConditions(conditions.parse({})))
  readonly random = new Streams(1).stream('air')
  readonly #carriers = new Map<string, SimulatedCarrier>()
  readonly #events: { readonly at: Micros; readonly what: () => void }[] = []
  #pumping = false

  add(carrier: SimulatedCarrier): void {
    this.#carriers.set(hex(carrier.address), carrier)
  }

  at(address: Address): SimulatedCarrier | undefined {
    return this.#carriers.get(hex(address))
  }

  schedule(at: Micros, what: () => void): void {
    const place = this.#events.findLastIndex((event) => event.at <= at)
    this.#events.splice(place + 1, 0, { at, what })
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => this.#pump())
  }

  #pump(): void {
    const event = this.#events.shift()
    if (event !== undefined) {
      this.now = Math.max(this.now, event.at)
      event.what()
    }
    this.#pumping = this.#events.length > 0
    if (this.#pumping) setImmediate(() => this.#pump())
  }
}

interface End {
  readonly link: LinkId
  readonly carrier: SimulatedCarrier
  readonly peer: PeerId
  readonly dialled: boolean
  readonly lane: Lane
  other: End | undefined
  up: boolean
  bytesIn: number
  bytesOut: number
  dropped: number
}

class SimulatedCarrier implements Carrier {
  readonly name: PeerId
  readonly address: Address = Uint8Array.from(randomBytes(8))
  readonly #air: Air
  readonly #ends = new Map<LinkId, End>()
  #listener: TrunkListener | undefined

  constructor(name: PeerId, air: Air) {
    this.name = name
    this.#air = air
    air.add(this)
  }

  async start(listener: TrunkListener): Promise<void> {
    this.#listener = listener
    listener.addressesChanged([this.address], REACHABILITY.public)
  }

  dial(peer: PeerId, addresses: readonly Address[]): void {
    const air = this.#air
    const target = addresses.map((address) => air.at(address)).find((found) => found?.name === peer)
    air.schedule(air.now + (target === undefined ? DIAL_TIMEOUT : 3 * ONE_WAY), () => {
      if (this.#listener === undefined) return
      if (target === undefined || target.#listener === undefined) this.#listener.dialFailed(peer)
      else this.#connect(target)
    })
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    const end = this.#ends.get(link)
    if (end === undefined) return
    const at = end.lane.control(this.#air.now, 0, this.#air.random)
    this.#end(end)
    this.#air.schedule(this.#air.now, () => this.#listener?.linkDown(link, reason))
    this.#tellOther(end, at, reason)
  }

  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    const end = this.#ends.get(link)
    if (end === undefined) return
    const { random, now } = this.#air
    const bytes = packet.slice()
    end.bytesOut += bytes.length
    if (channel === CHANNEL.data && end.lane.data(now, bytes.length, random) === 0) {
      end.dropped += 1
      return
    }
    const at = channel === CHANNEL.data ? end.lane.first : end.lane.control(now, bytes.length, random)
    if (at === NEVER) this.hangUp(link, CLOSE.lost)
    else this.#air.schedule(at, () => this.#pass(end.other, channel, hop, bytes))
  }

  view(): readonly TrunkView[] {
    return [...this.#ends.values()].map(({ link, peer, dialled, bytesIn, bytesOut, dropped }) => {
      const fixed = { transport: 'simulated', remote: '', relayed: false }
      return { link, peer, dialled, bytesIn, bytesOut, dropped, ...fixed }
    })
  }

  async stop(): Promise<void> {
    this.#listener = undefined
    for (const end of this.#ends.values()) {
      this.#end(end)
      this.#tellOther(end, this.#air.now + ONE_WAY, CLOSE.lost)
    }
  }

  #connect(target: SimulatedCarrier): void {
    const near = this.#open(target.name, true)
    const far = target.#open(this.name, false)
    near.other = far
    far.other = near
    target.#goUp(far)
    this.#air.schedule(this.#air.now + ONE_WAY, () => this.#goUp(near))
  }

  #open(peer: PeerId, dialled: boolean): End {
    const link = this.#air.nextLink++ as LinkId
    const lane = new Lane(ONE_WAY, this.#air.shared)
    const counts = { bytesIn: 0, bytesOut: 0, dropped: 0 }
    return { link, carrier: this, peer, dialled, lane, other: undefined, up: false, ...counts }
  }

  #goUp(end: End): void {
    if (this.#listener === undefined || end.other === undefined) return
    end.up = true
    this.#ends.set(end.link, end)
    this.#listener.linkUp(end.link, end.peer, end.dialled)
  }

  #end(end: End): void {
    end.up = false
    this.#ends.delete(end.link)
  }

  #tellOther(end: End, at: Micros, reason: CloseReason): void {
    const { other } = end
    if (other === undefined || at === NEVER) return
    this.#air.schedule(at, () => {
      if (!other.up) return
      other.carrier.#end(other)
      const listener = other.carrier.#listener
      listener?.linkDown(other.link, reason)
    })
  }

  #pass(end: End | undefined, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    if (end !== undefined) end.carrier.#deliver(end, channel, hop, bytes)
  }

  #deliver(end: End, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    if (!end.up) return
    end.bytesIn += bytes.length
    this.#listener?.packet(end.link, channel, hop, bytes)
  }
}

export async function simulatedGround(): Promise<Ground> {
  const air = new Air()
  const stations: Station[] = []
  const randomName = (): PeerId => hex(randomBytes(32)) as PeerId
  return {
    async station() {
      const name = randomName()
      const station = new Station(name, new SimulatedCarrier(name, air))
      await station.start()
      stations.push(station)
      return station
    },
    addressesOf: (station) => [(station.carrier as SimulatedCarrier).address],
    nobody: () => ({ peer: randomName(), addresses: [Uint8Array.from(randomBytes(8))] }),
    silence: async () => [Uint8Array.from(randomBytes(8))],
    async close() {
      for (const { carrier } of stations) await carrier.stop()
    },
  }
}
