/**
 * The carrier of the real node: trunks over libp2p. It joins the parts: dials (dialler.ts), accepts
 * (acceptor.ts), keeps the trunks (trunk.ts) by number, writes out what a turn of the event loop sent, and
 * tells the listener what happens, in order and never inside a call (teller.ts).
 */
import { networkInterfaces } from 'node:os'
import type { Connection } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { assert, UsageError } from '../../core/errors.ts'
import {
  type Address,
  type Channel,
  CLOSE,
  type CloseReason,
  type Hop,
  type LinkId,
  type PeerId,
} from '../../core/io.ts'
import { NotNow } from '../not-now.ts'
import { Acceptor } from './acceptor.ts'
import { hostsOf, whereabouts } from './addresses.ts'
import { localHost } from './below.ts'
import type { Carrier, TrunkListener, TrunkView } from './carrier.ts'
import { parseAddress } from './contact.ts'
import { Dialler, type Opened, openStreams } from './dialler.ts'
import { Discovery } from './discovery.ts'
import { createEngine, type Engine } from './engine.ts'
import { FRAME_BYTES_MAX } from './framing.ts'
import { reaches } from './hosts.ts'
import { addressBytes, addressOf, corePeer, libp2pPeer, withPeer } from './names.ts'
import { PEER_ADDRESSES_MAX, type TrunkOptions } from './options.ts'
import { carriesRelayed, hasPlace, relayedAddresses } from './relays.ts'
import { Teller } from './teller.ts'
import { hostAddress, hostName, isRelayed } from './transports.ts'
import { type Streams, Trunk, type TrunkOwner } from './trunk.ts'
import { Watch } from './watch.ts'

/** Beyond these a dial fails at once. The core has three at a time (mesh:S11). */
const DIALS_MAX = 64
/** From both streams to the answer: a slow round trip. */
const ANSWER_MILLIS = 3_000
/** Peers whose addresses are remembered: what a configuration names. */
const REMEMBERED_PEERS_MAX = 1_024

/** Interfaces come and go; who carries a laptop waits no longer than this. */
const LOOK_MILLIS = 3_000
/** Longer than a dial and its streams. */
const UNUSED_MILLIS = 15_000
/** Kinds of addresses that libp2p has from others, once verified. */
const CONFIRMED: ReadonlySet<string> = new Set(['observed', 'ip-mapping', 'dns-mapping'])

interface Running {
  readonly engine: Engine
  readonly dialler: Dialler
  readonly acceptor: Acceptor
  readonly teller: Teller
  readonly discovery: Discovery | undefined
  readonly stop: AbortController
  readonly timer: NodeJS.Timeout
}

export class Trunks implements Carrier, TrunkOwner {
  readonly #options: TrunkOptions
  readonly #trunks = new Map<LinkId, Trunk>()
  readonly #remembered = new Map<PeerId, readonly Multiaddr[]>()
  /** Those that something was sent on in this turn. */
  readonly #unflushed = new Set<Trunk>()
  readonly #watch = new Watch((trunk) => this.#cut(trunk))
  readonly #counts = { trunkViolations: 0, dropTrunkGone: 0, boundTrunkDials: 0, discoveryFailed: 0 }
  #running: Running | undefined
  /** Peers that a dial is under way to. */
  readonly #dialling = new Set<PeerId>()
  #whereabouts = ''
  #addresses: readonly Multiaddr[] = []
  #nextLink = 1
  #dials = 0

  constructor(options: TrunkOptions) {
    this.#options = options
  }

  // The seam.

  async start(listener: TrunkListener): Promise<void> {
    assert(this.#running === undefined, 'the trunks were started twice')
    for (const address of [...this.#options.listen, ...(this.#options.announce ?? [])]) parseAddress(address)
    const { discovered, mdns = false } = this.#options
    const engine = await createEngine(this.#options)
    const acceptor = new Acceptor((connection, streams) => this.#accept(connection, streams))
    const running: Running = {
      engine,
      dialler: new Dialler(engine, this.#options),
      acceptor,
      teller: new Teller(listener),
      discovery: mdns && discovered !== undefined ? this.#discovery(engine, discovered) : undefined,
      stop: new AbortController(),
      timer: setInterval(() => this.#look(), LOOK_MILLIS).unref(),
    }
    this.#running = running
    await acceptor.listen(engine.node)
    try {
      await engine.node.start()
    } catch (error) {
      this.#running = undefined
      clearInterval(running.timer)
      throw cannotListen(this.#options.listen, error)
    }
    engine.node.addEventListener('connection:open', ({ detail }) => this.#onConnection(detail))
    engine.node.addEventListener('self:peer:update', () => this.#look())
    engine.node.addEventListener('peer:identify', ({ detail: { peerId, listenAddrs } }) => {
      const peer = corePeer(peerId)
      if (peer !== undefined) this.#options.announced?.(peer, listenAddrs.map(String))
    })
    this.#look()
  }

  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.#call(() => {
      if (this.#running === undefined || this.#dials >= DIALS_MAX) {
        this.#counts.boundTrunkDials += 1
        this.#tell((listener) => listener.dialFailed(peer))
        return
      }
      this.#dials += 1
      this.#dialling.add(peer)
      this.#dial(this.#running, peer, addresses)
        .catch(() => this.#tell((listener) => listener.dialFailed(peer)))
        .finally(() => {
          this.#dials -= 1
          this.#dialling.delete(peer)
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
      this.#counts.dropTrunkGone += 1
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
    clearInterval(running.timer)
    running.teller.stop()
    running.stop.abort()
    running.acceptor.stop()
    this.#watch.stop()
    for (const trunk of this.#trunks.values()) trunk.cut()
    this.#trunks.clear()
    this.#unflushed.clear()
    running.discovery?.stop()
    await running.engine.node.stop()
  }

  // Beyond the seam.

  /**
   * Addresses that a dial of this peer tries beside those given: multiaddrs of any length, names too. They
   * replace those remembered before; none forgets the peer. A UsageError for what no transport takes, and for
   * too many.
   */
  remember(peer: PeerId, addresses: readonly string[]): void {
    if (addresses.length > PEER_ADDRESSES_MAX) {
      throw new UsageError(
        `${addresses.length} addresses for one peer; ` +
          `at most ${PEER_ADDRESSES_MAX} are tried, leave out some`,
      )
    }
    if (this.#remembered.size >= REMEMBERED_PEERS_MAX && !this.#remembered.has(peer)) {
      throw new UsageError(
        `addresses of more than ${REMEMBERED_PEERS_MAX} peers; ` +
          'give those of a few, the mesh finds the others',
      )
    }
    if (addresses.length === 0) this.#remembered.delete(peer)
    else this.#remembered.set(peer, addresses.map(parseAddress))
  }

  /** Dials under way. */
  get dials(): number {
    return this.#dials
  }

  /** What went wrong so far, by reason. */
  counts(): Readonly<Record<string, number>> {
    const running = this.#running
    if (running === undefined) return { ...this.#counts }
    const { crowd, places } = running.engine
    const bounds = { boundHostConnections: crowd.refused, boundHostRelayPlaces: places.refused }
    return { ...this.#counts, ...running.acceptor.counts(), ...bounds }
  }

  /** Where this node listens, as multiaddrs with its name. */
  listening(): readonly string[] {
    return this.#running?.engine.node.getMultiaddrs().map(String) ?? []
  }

  /** Nothing comes from the other end by ways beside its streams any more: is it still there? */
  doubt(link: LinkId): void {
    const trunk = this.#trunks.get(link)
    if (trunk !== undefined) this.#watch.doubt(trunk)
  }

  // What trunks say.

  up(trunk: Trunk): void {
    this.#trunks.set(trunk.link, trunk)
    this.#watch.up(trunk, () => this.#addressesOf(trunk.peer))
    this.#tell((listener) => listener.linkUp(trunk.link, trunk.peer, trunk.dialled))
  }

  down(trunk: Trunk, reason: CloseReason): void {
    this.#unflushed.delete(trunk)
    this.#watch.down(trunk)
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

  release(connection: Connection): void {
    if (carriesRelayed(connection) || this.#inUse(connection)) return
    if (connection.status === 'open') connection.abort(new Error('nothing uses the connection'))
  }

  violation(): void {
    this.#counts.trunkViolations += 1
  }

  // Details.

  async #dial(running: Running, peer: PeerId, addresses: readonly Address[]): Promise<void> {
    const { dialler, engine, stop } = running
    // Strangers' names are not looked up: that takes threads which the node's files need too.
    const known = addresses
      .map(addressOf)
      .filter((address) => address !== undefined && hostName(address) === undefined) as Multiaddr[]
    const all = [...known, ...(this.#remembered.get(peer) ?? [])]
    const name = libp2pPeer(peer)
    let opened = await dialler.dial(name, all, stop.signal)
    if (opened === undefined && this.#options.relay?.use) {
      opened = await dialler.dial(name, await relayedAddresses(engine), stop.signal)
    }
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
        release: (...what) => this.release(...what),
        violation: () => this.violation(),
      })
    })
  }

  #accept(connection: Connection, streams: Streams): void {
    const peer = corePeer(connection.remotePeer)
    if (peer === undefined) {
      connection.abort(new Error('not a key of a node'))
      return
    }
    for (const trunk of this.#trunks.values()) {
      if (trunk.connection !== connection || trunk.dialled) continue
      trunk.abandon()
      this.down(trunk, CLOSE.lost)
    }
    new Trunk(this.#number(), peer, false, connection, streams, this).accept()
  }

  #discovery({ node }: Engine, discovered: NonNullable<TrunkOptions['discovered']>): Discovery {
    return new Discovery({
      self: corePeer(node.peerId) as PeerId,
      hosts: () => this.#hosts(),
      addresses: () => this.#addresses.map((address) => withPeer(address, node.peerId).toString()),
      discovered,
      // A machine without multicast is no reason not to run.
      failed: () => {
        this.#counts.discoveryFailed += 1
      },
    })
  }

  #hosts(): readonly string[] {
    return this.#options.hosts?.() ?? hostsOf(networkInterfaces())
  }

  /** Where this node is, if that has changed; and which connections that has cost. */
  #look(): void {
    if (this.#running === undefined) return
    const { node, parts } = this.#running.engine
    const hosts = this.#hosts()
    const known = parts.addressManager.getAddressesWithMetadata()
    const now = whereabouts(
      {
        listen: this.#options.listen.map((text) => multiaddr(text)),
        bound: known.filter(({ type }) => type === 'transport').map((one) => one.multiaddr),
        announce: (this.#options.announce ?? []).map((text) => multiaddr(text)),
        confirmed: known.filter((one) => CONFIRMED.has(one.type) && one.verified).map((one) => one.multiaddr),
        hosts,
      },
      this.#options.reachability,
    )
    this.#loseVanished(new Set(hosts))
    this.#closeUnused(node.getConnections())
    const text = `${now.reach} ${now.addresses.join(' ')}`
    if (text === this.#whereabouts) return
    this.#whereabouts = text
    this.#addresses = now.addresses
    this.#running.discovery?.askKeenly()
    const addresses = now.addresses.map(addressBytes).filter((address) => address !== undefined)
    this.#tell((listener) => listener.addressesChanged(addresses, now.reach))
  }

  /**
   * A trunk from an address that this machine no longer has is dead: better known now than by silence. So is
   * one to an address of a family of which it has none any more.
   */
  #loseVanished(hosts: ReadonlySet<string>): void {
    for (const trunk of this.#trunks.values()) {
      const local = localHost(trunk.connection)
      const remote = hostAddress(trunk.connection.remoteAddr)
      const isGone = local === undefined ? remote !== undefined && !reaches(hosts, remote) : !hosts.has(local)
      if (isGone) this.#cut(trunk)
    }
  }

  #cut(trunk: Trunk): void {
    trunk.cut()
    this.down(trunk, CLOSE.lost)
  }

  /** Connections are for trunks: strangers that open none, and what is left of old ones, do not stay. */
  #closeUnused(connections: readonly Connection[]): void {
    for (const connection of connections) {
      const age = Date.now() - connection.timeline.open
      if (age > UNUSED_MILLIS && !this.#keeps(connection)) this.release(connection)
    }
  }

  #inUse(connection: Connection): boolean {
    for (const trunk of this.#trunks.values()) {
      if (trunk.isUp && trunk.connection === connection) return true
    }
    return false
  }

  /** A place at a relay lasts as long as a connection to it. */
  #keeps(connection: Connection): boolean {
    return this.#running !== undefined && hasPlace(this.#running.engine, connection.remotePeer)
  }

  /** A relayed trunk moves to a direct connection as soon as hole punching has made one. */
  #onConnection(connection: Connection): void {
    const running = this.#running
    const peer = corePeer(connection.remotePeer)
    if (running === undefined || peer === undefined || isRelayed(connection.remoteAddr)) return
    const ours = [...this.#trunks.values()].filter((trunk) => trunk.peer === peer)
    if (this.#dialling.has(peer) || !ours.some((trunk) => trunk.dialled) || !ours.every(isRelayedTrunk))
      return
    const signal = AbortSignal.any([running.stop.signal, AbortSignal.timeout(ANSWER_MILLIS)])
    openStreams(connection, signal)
      .then((streams) => (streams === undefined ? undefined : this.#answered(peer, { connection, streams })))
      .catch(() => {})
  }

  /** Those that it told itself (libp2p identify), and those of the configuration. */
  async #addressesOf(peer: PeerId): Promise<readonly Multiaddr[]> {
    const told = await this.#running?.engine.node.peerStore.get(libp2pPeer(peer)).catch(() => undefined)
    const stored = told?.addresses.map((address) => address.multiaddr) ?? []
    return [...stored, ...(this.#remembered.get(peer) ?? [])]
  }

  #number(): LinkId {
    return this.#nextLink++ as LinkId
  }

  // HOT PATH
  #flushLater(trunk: Trunk): void {
    if (this.#unflushed.size === 0) {
      queueMicrotask(this.#flush)
      this.#watch.sent()
    }
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

function isRelayedTrunk(trunk: Trunk): boolean {
  return isRelayed(trunk.connection.remoteAddr)
}

/** What libp2p reports is long; what the system said about the sockets is in it. */
function cannotListen(listen: readonly string[], error: unknown): UsageError {
  const text = error instanceof Error ? error.message : String(error)
  const what = `cannot listen on ${listen.join(', ')}`
  if (/EADDRINUSE|in use/.test(text))
    return new NotNow(`${what}: another program has the port; stop it or choose another port`)
  // The network may not be up yet.
  if (/EADDRNOTAVAIL|not available|assign/.test(text))
    return new NotNow(`${what}: this machine has no such address; choose one of its own, or 0.0.0.0 for all`)
  const why = /EACCES|denied/.test(text)
    ? 'ports below 1024 are for the system; choose another port or give the right to bind it'
    : `libp2p says: ${text.split('\n', 1)[0]}`
  return new UsageError(`${what}: ${why}`)
}
