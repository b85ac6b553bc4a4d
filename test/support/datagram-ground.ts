/**
 * Stations whose trunks have datagrams beside their streams, over sockets of loopback: what the thread of a
 * node's core does (drivers/node), in the thread of the test. A link counts as up once its data goes by
 * datagrams.
 */
import { randomBytes } from 'node:crypto'
import { noble } from '../../core/crypto/noble.ts'
import { peerIdOf } from '../../core/ids.ts'
import {
  type Address,
  CHANNEL,
  type Channel,
  CLOSE,
  type CloseReason,
  type Hop,
  type LinkId,
  type PeerId,
} from '../../core/io.ts'
import { chooseCrypto } from '../../drivers/crypto/provider.ts'
import { Datagrams } from '../../drivers/datagram/datagrams.ts'
import { CARRIER_HOP } from '../../drivers/datagram/offer.ts'
import { openWire, type UdpWire } from '../../drivers/datagram/wire.ts'
import type { Carrier, TrunkListener, TrunkView } from '../../drivers/libp2p/carrier.ts'
import { Trunks } from '../../drivers/libp2p/trunks.ts'
import { openLibc } from '../../drivers/linux/libc.ts'
import type { Ground } from '../contract/carrier.ts'
import { core, randomPeer, silence } from './libp2p-ground.ts'
import { Station } from './station.ts'

const TURN_MILLIS = 1
const micros = (): number => Math.round(performance.now() * 1_000)

/** What a listener is to be told once its link is up. */
type Held = (() => void)[]

class DatagramCarrier implements Carrier {
  readonly trunks: Trunks
  readonly #self: PeerId
  readonly #wire: UdpWire
  readonly #held = new Map<LinkId, Held>()
  #datagrams: Datagrams | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(self: PeerId, trunks: Trunks, offload: boolean) {
    this.#self = self
    this.trunks = trunks
    const wire = openWire(openLibc(), { port: 0, segment: offload, gro: offload })
    if (wire === undefined) throw new Error('no UDP here')
    this.#wire = wire
  }

  async start(listener: TrunkListener): Promise<void> {
    const datagrams = new Datagrams(
      {
        self: this.#self,
        crypto: chooseCrypto().crypto,
        keys: { bytes: (length) => new Uint8Array(randomBytes(length)) },
        say: (link, bytes) => this.trunks.send(link, CHANNEL.control, CARRIER_HOP, bytes),
        packet: (link, hop, bytes) => this.#packet(listener, link, CHANNEL.data, hop, bytes),
        dead: (link) => this.trunks.hangUp(link, CLOSE.dead),
        turned: (link, byDatagrams) => this.#turned(link, byDatagrams),
        hosts: () => ['127.0.0.1'],
        avoids: () => false,
        wall: { millis: () => Date.now() },
      },
      this.#wire,
    )
    this.#datagrams = datagrams
    this.#timer = setInterval(() => this.#turn(), TURN_MILLIS)
    await this.trunks.start({
      linkUp: (link, peer, dialled) => {
        this.#held.set(link, [() => listener.linkUp(link, peer, dialled)])
        datagrams.linkUp(micros(), link, peer, dialled, '127.0.0.1')
      },
      linkDown: (link, reason) => {
        datagrams.linkDown(link)
        if (!this.#held.delete(link)) listener.linkDown(link, reason)
      },
      linkReady: (link, channel, ready) => {
        if (channel === CHANNEL.control) listener.linkReady(link, channel, ready)
      },
      dialFailed: (peer) => listener.dialFailed(peer),
      addressesChanged: (addresses, reach) => listener.addressesChanged(addresses, reach),
      packet: (link, channel, hop, bytes) => {
        if (channel === CHANNEL.control) datagrams.heardControl(micros(), link)
        if (hop === CARRIER_HOP && channel === CHANNEL.control) datagrams.said(micros(), link, bytes)
        else this.#packet(listener, link, channel, hop, bytes)
      },
    })
  }

  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.trunks.dial(peer, addresses)
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    this.trunks.hangUp(link, reason)
  }

  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    this.#datagrams?.at(micros())
    if (channel === CHANNEL.data && this.#datagrams?.send(link, hop, packet)) return
    this.trunks.send(link, channel, hop, packet)
  }

  view(): readonly TrunkView[] {
    const full = this.#datagrams?.counts()['dropDatagramFull'] ?? 0
    return this.trunks.view().map((view) => ({ ...view, dropped: view.dropped + full }))
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.trunks.stop()
    this.#wire.close()
  }

  counts(): Readonly<Record<string, number>> {
    return this.#datagrams?.counts() ?? {}
  }

  #turn(): void {
    const datagrams = this.#datagrams
    if (datagrams === undefined) return
    datagrams.at(micros())
    while (datagrams.receive()) datagrams.at(micros())
    datagrams.tend(micros())
    datagrams.flush()
  }

  #turned(link: LinkId, byDatagrams: boolean): void {
    if (!byDatagrams) return
    const held = this.#held.get(link)
    this.#held.delete(link)
    for (const tell of held ?? []) tell()
  }

  #packet(listener: TrunkListener, link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    const held = this.#held.get(link)
    if (held === undefined) listener.packet(link, channel, hop, bytes)
    else {
      const copy = bytes.slice()
      held.push(() => listener.packet(link, channel, hop, copy))
    }
  }
}

export function datagramGround(offload: boolean): Ground {
  const stations: Station[] = []
  const closers: (() => void)[] = []
  return {
    async station() {
      const seed = new Uint8Array(randomBytes(32))
      const self = peerIdOf(noble.signatures.publicKey(seed))
      const trunks = new Trunks({ seed, transports: ['tcp'], listen: ['/ip4/127.0.0.1/tcp/0'] })
      const station = new Station(self, new DatagramCarrier(self, trunks, offload))
      await station.start()
      stations.push(station)
      return station
    },
    addressesOf: (station) => (station.carrier as DatagramCarrier).trunks.listening().map(core),
    nobody: () => ({ peer: randomPeer(), addresses: [core('/ip4/127.0.0.1/tcp/9')] }),
    async silence() {
      const { port, close } = await silence('tcp')
      closers.push(close)
      return [core(`/ip4/127.0.0.1/tcp/${port}`)]
    },
    async close() {
      await Promise.all(stations.map((station) => station.carrier.stop()))
      for (const close of closers) close()
    },
  }
}
