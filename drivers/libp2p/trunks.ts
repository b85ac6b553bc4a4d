/**
 * The carrier of the real node: trunks over libp2p. It joins the parts: dials (dialler.ts), accepts
 * (acceptor.ts), keeps the trunks (trunk.ts) by number, writes out what a turn of the event loop sent, and
 * tells the listener what happens, in order and never inside a call (teller.ts).
 */
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { assert } from '../../core/errors.ts'
import type { Address, Channel, CloseReason, Hop, LinkId, PeerId } from '../../core/io.ts'
import { Acceptor } from './acceptor.ts'
import type { Carrier, TrunkListener, TrunkView } from './carrier.ts'
import { Dialler, type Opened } from './dialler.ts'
import { createEngine, type Engine } from './engine.ts'
import { FRAME_BYTES_MAX } from './framing.ts'
import { addressOf, corePeer, libp2pPeer } from './names.ts'
import type { TrunkOptions } from './options.ts'
import { Teller } from './teller.ts'
import { type Streams, Trunk, type TrunkOwner } from './trunk.ts'

/** Beyond these a dial fails at once. The core has three at a time (mesh:S11). */
const DIALS_MAX = 64
/** From both streams to the answer: a slow round trip. */
const ANSWER_MILLIS = 3_000
/** Addresses remembered for one peer, and peers that have some: what a configuration names. */
const REMEMBERED_ADDRESSES_MAX = 16
const REMEMBERED_PEERS_MAX = 1_024

interface Running {
  readonly engine: Engine
  readonly dialler: Dialler
  readonly acceptor: Acceptor
  readonly teller: Teller
  readonly stop: AbortController
}

export class Trunks implements Carrier, TrunkOwner {
  readonly #options: TrunkOptions
  readonly #trunks = new Map<LinkId, Trunk>()
  readonly #remembered = new Map<PeerId, readonly Multiaddr[]>()
  /** Those that something was sent on in this turn. */
  readonly #unflushed = new Set<Trunk>()
  readonly #counts = { violations: 0, unknownLinks: 0, dialsRefused: 0 }
  #running: Running | undefined
  #nextLink = 1
  #dials = 0

  constructor(options: TrunkOptions) {
    this.#options = options
  }

  // The seam.

  async start(listener: TrunkListener): Promise<void> {
    assert(this.#running === undefined, 'the trunks were started twice')
    const engine = await createEngine(this.#options)
    const acceptor = new Acceptor((connection, streams) => this.#accept(connection, streams))
    const dialler = new Dialler(engine, this.#options.transports)
    this.#running = { engine, dialler, acceptor, teller: new Teller(listener), stop: new AbortController() }
    await acceptor.listen(engine.node)
    await engine.node.start()
  }

  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.#call(() => {
      if (this.#running === undefined || this.#dials >= DIALS_MAX) {
        this.#counts.dialsRefused += 1
        this.#tell((listener) => listener.dialFailed(peer))
        return
      }
      this.#dials += 1
      this.#dial(this.#running, peer, addresses)
        .catch(() => this.#tell((listener) => listener.dialFailed(peer)))
        .finally(() => {
          this.#dials -= 1
        })
    })
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    this.#call(() => {
      const trunk = this.#trunks.get(link)
      if (trunk === undefined) return
      trunk.hangUp(reason)
      this.down(trunk, reason)
    })
  }

  // HOT PATH
  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    assert(packet.length <= FRAME_BYTES_MAX, 'a packet is longer than any trunk carries')
    const trunk = this.#trunks.get(link)
    if (trunk === undefined) {
      this.#counts.unknownLinks += 1
      return
    }
    const teller = this.#running?.teller
    teller?.enter()
    if (trunk.send(channel, hop, packet)) this.#flushLater(trunk)
    teller?.leave()
  }

  view(): readonly TrunkView[] {
    return [...this.#trunks.values()].map((trunk) => trunk.view())
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.teller.stop()
    running.stop.abort()
    running.acceptor.stop()
    for (const trunk of this.#trunks.values()) trunk.cut()
    this.#trunks.clear()
    this.#unflushed.clear()
    await running.engine.node.stop()
  }

  // Beyond the seam.

  /** Addresses that a dial of this peer tries beside those given: multiaddrs of any length, names too. */
  remember(peer: PeerId, addresses: readonly Multiaddr[]): void {
    assert(addresses.length <= REMEMBERED_ADDRESSES_MAX, 'more addresses of one peer than are tried')
    assert(this.#remembered.size < REMEMBERED_PEERS_MAX, 'more peers than are remembered')
    this.#remembered.set(peer, addresses)
  }

  /** What went wrong so far, by reason. */
  counts(): Readonly<Record<string, number>> {
    return { ...this.#counts }
  }

  /** Where this node listens, as multiaddrs with its name. */
  listening(): readonly string[] {
    return this.#running?.engine.node.getMultiaddrs().map(String) ?? []
  }

  // What trunks say.

  up(trunk: Trunk): void {
    this.#trunks.set(trunk.link, trunk)
    this.#tell((listener) => listener.linkUp(trunk.link, trunk.peer, trunk.dialled))
  }

  down(trunk: Trunk, reason: CloseReason): void {
    this.#unflushed.delete(trunk)
    if (!this.#trunks.delete(trunk.link)) return
    this.#tell((listener) => listener.linkDown(trunk.link, reason))
  }

  ready(trunk: Trunk, channel: Channel, ready: boolean): void {
    if (!this.#trunks.has(trunk.link)) return
    this.#tell((listener) => listener.linkReady(trunk.link, channel, ready))
  }

  // HOT PATH
  packet(trunk: Trunk, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    this.#running?.teller.packet(trunk.link, channel, hop, bytes)
  }

  violation(): void {
    this.#counts.violations += 1
  }

  // Details.

  async #dial(running: Running, peer: PeerId, addresses: readonly Address[]): Promise<void> {
    const { dialler, stop } = running
    const known = addresses.map(addressOf).filter((address) => address !== undefined)
    const all = [...known, ...(this.#remembered.get(peer) ?? [])]
    const opened = await dialler.dial(libp2pPeer(peer), all, stop.signal)
    if (opened === undefined) throw new Error('no address leads to the peer')
    await this.#answered(peer, opened)
  }

  /** The trunk that was opened, once the other end has taken it. */
  #answered(peer: PeerId, { connection, streams }: Opened): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        trunk.cut()
        reject(new Error('the other end did not answer'))
      }, ANSWER_MILLIS)
      const trunk: Trunk = new Trunk(this.#number(), peer, true, connection, streams, {
        up: () => {
          clearTimeout(timer)
          this.up(trunk)
          resolve()
        },
        down: (_, reason) => {
          clearTimeout(timer)
          this.down(trunk, reason)
          reject(new Error('the other end did not take the trunk'))
        },
        ready: (...what) => this.ready(...what),
        packet: (...what) => this.packet(...what),
        violation: () => this.violation(),
      })
    })
  }

  #accept(connection: Connection, streams: Streams): void {
    const peer = corePeer(connection.remotePeer)
    if (peer === undefined) connection.abort(new Error('not a key of a node'))
    else new Trunk(this.#number(), peer, false, connection, streams, this).accept()
  }

  #number(): LinkId {
    return this.#nextLink++ as LinkId
  }

  // HOT PATH
  #flushLater(trunk: Trunk): void {
    if (this.#unflushed.size === 0) queueMicrotask(this.#flush)
    this.#unflushed.add(trunk)
  }

  readonly #flush = (): void => {
    for (const trunk of this.#unflushed) trunk.flush()
    this.#unflushed.clear()
  }

  #tell(what: (listener: TrunkListener) => void): void {
    this.#running?.teller.tell(what)
  }

  #call(what: () => void): void {
    const teller = this.#running?.teller
    teller?.enter()
    try {
      what()
    } finally {
      teller?.leave()
    }
  }
}
