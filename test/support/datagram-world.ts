/**
 * Two ends of a trunk with datagrams between them and nothing else of a node: the control stream is a list in
 * order, the network a function that says what becomes of a datagram, and time passes when a test says so.
 */
import { noble } from '../../core/crypto/noble.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { peerIdOf } from '../../core/ids.ts'
import { type LinkId, MILLISECOND, type Micros, type PeerId } from '../../core/io.ts'
import { openNodeCrypto } from '../../drivers/crypto/node-crypto.ts'
import { Datagrams } from '../../drivers/datagram/datagrams.ts'
import type { KeyLimits } from '../../drivers/datagram/keys.ts'
import type { DatagramView } from '../../drivers/datagram/link.ts'
import { PAYLOAD_MAX } from '../../drivers/datagram/packet.ts'
import type { Outgoing, Wire } from '../../drivers/datagram/wire.ts'
import { type Endpoint, endpointOf, type Family } from '../../drivers/linux/udp.ts'

export const LINK = 7 as LinkId
const PORT = 4_003
const STEP: Micros = MILLISECOND
/** A test that talks does so this often. */
const TALK_EVERY: Micros = 5 * MILLISECOND

export interface Flying {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly bytes: Uint8Array
}

export interface Came {
  readonly hop: number
  readonly bytes: Uint8Array
}

export function at(host: string, port = PORT): Endpoint {
  return endpointOf(Uint8Array.from(host.split('.').map(Number)), port)
}

class FakeWire implements Wire {
  readonly ports: ReadonlyMap<Family, number> = new Map([[4, PORT]])
  readonly memory = new Uint8Array(4 * PAYLOAD_MAX)
  readonly names = new Uint8Array(32)
  readonly inbox: Flying[] = []
  readonly #out: Outgoing

  constructor(send: (to: Endpoint, bytes: Uint8Array) => void) {
    const memory = new Uint8Array(PAYLOAD_MAX)
    this.#out = { memory, place: () => 0, commit: (to, length) => send(to, memory.slice(0, length)) }
  }

  outgoing(family: Family): Outgoing | undefined {
    return family === 4 ? this.#out : undefined
  }

  receive(take: (at: number, length: number, name: number) => void): boolean {
    for (const { from, bytes } of this.inbox.splice(0)) {
      this.memory.set(bytes, PAYLOAD_MAX)
      this.names.set(from.bytes)
      take(PAYLOAD_MAX, bytes.length, 0)
    }
    return false
  }

  flush(): boolean {
    return true
  }
}

export class End {
  readonly self: PeerId
  readonly came: Came[] = []
  /** What was sent by the stream instead. */
  readonly byStream: Uint8Array[] = []
  readonly turns: { readonly at: Micros; readonly byDatagrams: boolean; readonly why: string }[] = []
  readonly said: Uint8Array[] = []
  readonly deaths: Micros[] = []
  readonly wire: FakeWire
  readonly datagrams: Datagrams
  /** Its clock on the wall was set so far forward. */
  wallAheadMillis = 0
  host: string
  hosts: readonly string[]

  constructor(world: DatagramWorld, host: string, seed: number, crypto: Crypto, limits?: KeyLimits) {
    this.host = host
    this.hosts = [host]
    this.self = peerIdOf(noble.signatures.publicKey(new Uint8Array(32).fill(seed)))
    this.wire = new FakeWire((to, bytes) => world.fly({ from: at(this.host), to, bytes }))
    let drawn = seed << 16
    this.datagrams = new Datagrams(
      {
        self: this.self,
        crypto,
        keys: { bytes: (length) => Uint8Array.from({ length }, () => (drawn++ * 2_654_435_761) >>> 13) },
        say: (_, bytes) => this.said.push(bytes.slice()),
        packet: (_, hop, bytes) => this.came.push({ hop, bytes: bytes.slice() }),
        dead: () => this.deaths.push(world.now),
        turned: (_, byDatagrams, why) => this.turns.push({ at: world.now, byDatagrams, why }),
        hosts: () => this.hosts,
        avoids: (each) => each.startsWith('10.7.'),
        wall: { millis: () => 1.8e12 + world.now / MILLISECOND + this.wallAheadMillis },
      },
      this.wire,
      limits,
    )
  }

  send(packet: Uint8Array, hop = 0x11_0040): void {
    if (!this.datagrams.send(LINK, hop, packet)) this.byStream.push(packet)
  }

  get view(): DatagramView {
    return this.datagrams.views()[0] as DatagramView
  }

  count(name: string): number {
    return this.datagrams.counts()[name] as number
  }
}

export interface WorldOptions {
  readonly limits?: KeyLimits
  /** By default that of OpenSSL, through Node. */
  readonly crypto?: Crypto
}

export class DatagramWorld {
  now: Micros = 1_000_000
  /** Each way. */
  delay: Micros = 2 * MILLISECOND
  /** How late a datagram is, on top of the delay; undefined: it is lost. */
  fate: (flying: Flying) => Micros | undefined = () => 0
  readonly dialler: End
  readonly listener: End
  readonly #flying: { readonly due: Micros; readonly flying: Flying }[] = []
  readonly seen: Flying[] = []
  /** What is said on it is lost, and nobody is told. */
  isStreamDead = false
  /** Of what is said on it, each way. */
  streamDelay: Micros = 0
  readonly #saying: { readonly due: Micros; readonly to: End; readonly bytes: Uint8Array }[] = []

  constructor({ limits, crypto = openNodeCrypto() }: WorldOptions = {}) {
    this.dialler = new End(this, '198.18.2.1', 1, crypto, limits)
    this.listener = new End(this, '198.18.2.2', 2, crypto, limits)
  }

  get ends(): readonly [End, End] {
    return [this.dialler, this.listener]
  }

  linkUp(): this {
    const { dialler, listener } = this
    dialler.datagrams.linkUp(this.now, LINK, listener.self, true, listener.host)
    listener.datagrams.linkUp(this.now, LINK, dialler.self, false, dialler.host)
    return this
  }

  fly(flying: Flying): void {
    this.seen.push(flying)
    const late = this.fate(flying)
    if (late !== undefined) this.#flying.push({ due: this.now + this.delay + late, flying })
  }

  /** A datagram that came from anywhere, to one end. */
  inject(to: End, bytes: Uint8Array, from: Endpoint): void {
    to.wire.inbox.push({ from, to: at(to.host), bytes })
  }

  /** `each`: called every 5 ms. */
  run(millis: number, each: () => void = () => undefined): this {
    const end = this.now + millis * MILLISECOND
    while (this.now < end) {
      this.now += STEP
      this.#arrive()
      for (const one of this.ends) {
        const other = one === this.dialler ? this.listener : this.dialler
        for (const bytes of one.said.splice(0))
          if (!this.isStreamDead) this.#saying.push({ due: this.now + this.streamDelay, to: other, bytes })
        this.#hear()
      }
      for (const { datagrams } of this.ends) {
        datagrams.at(this.now)
        datagrams.receive()
      }
      if (this.now % TALK_EVERY === 0) each()
      for (const { datagrams } of this.ends) datagrams.tend(this.now)
    }
    return this
  }

  /** Until data of both ends goes by datagrams. */
  untilUsed(millis = 3_000): this {
    for (let spent = 0; spent < millis; spent++) {
      if (this.ends.every(({ view }) => view.used)) return this
      this.run(1)
    }
    throw new Error(`not in use after ${millis} ms: ${this.ends.map(({ view }) => view.why).join('; ')}`)
  }

  #hear(): void {
    while ((this.#saying[0]?.due ?? Number.MAX_SAFE_INTEGER) <= this.now) {
      const { to, bytes } = this.#saying.shift() as { to: End; bytes: Uint8Array }
      to.datagrams.heardControl(this.now, LINK)
      to.datagrams.said(this.now, LINK, bytes)
    }
  }

  #arrive(): void {
    if (this.#flying.length === 0) return
    const due = this.#flying.filter((each) => each.due <= this.now).sort((a, b) => a.due - b.due)
    for (const each of due) {
      this.#flying.splice(this.#flying.indexOf(each), 1)
      const to = this.ends.find(({ host }) => at(host).bytes.join() === each.flying.to.bytes.join())
      to?.wire.inbox.push(each.flying)
    }
  }
}
