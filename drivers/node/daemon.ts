/**
 * A running node, as a whole: trunks, the thread of the core, MLS in its own thread, files, log and control
 * API, put together and taken apart in order. What each does is theirs; what an owner may ask is api.ts's.
 */
import type { NodeConfig } from '../../core/config.ts'
import type { LinkId, NodeEvent, PeerHint, PeerId, PortId, RelayPolicy, StoreId } from '../../core/io.ts'
import { REACHABILITY } from '../../core/io.ts'
import { CompiledPolicy } from '../../core/vlan/policy.ts'
import type { Outcome } from '../control/outcome.ts'
import type { TrunkListener, TrunkView } from '../libp2p/carrier.ts'
import { addressText, contactText } from '../libp2p/contact.ts'
import { libp2pPeer } from '../libp2p/names.ts'
import type { Trunks } from '../libp2p/trunks.ts'
import { type Libc, openLibc } from '../linux/libc.ts'
import { MlsRunner } from '../mls/runner.ts'
import { version } from '../program.ts'
import { tapTrouble } from '../tap/tap.ts'
import { operatorPage } from '../view/operator.ts'
import { type ApiNode, NodeApi } from './api.ts'
import { type Config, readConfig, relayPolicy } from './config.ts'
import { type Reload, reloadable } from './config-reload.ts'
import { ControlServer } from './control-server.ts'
import { CoreHandle, type CoreOwner } from './core-handle.ts'
import type { DatagramOrder } from './datagram-order.ts'
import { EarlyCarrier } from './early-carrier.ts'
import { GarbageMan, LOOK_MILLIS } from './garbage.ts'
import { LogLimiter } from './log-limiter.ts'
import type { Captured, InterfaceOrder, LogEntry } from './messages.ts'
import {
  EVER_NAMED_MAX,
  FOUND_MAX,
  type NamedPeer,
  namedPeers,
  ownIdRemarks,
  roomForKept,
} from './named-peers.ts'
import { Overlay } from './overlay.ts'
import { Reach } from './reach.ts'
import type { ProcessView } from './views.ts'
import type { Book } from './vlan-book.ts'
import { Watchers } from './watchers.ts'

/** How soon after a change they are kept. */
const KEEP_PEERS_MILLIS = 30_000
/** What trunks, MLS and clients may take to end: it takes them some 100 ms. */
const END_MILLIS = 1_000
/** Lines of the log that are kept for whoever asks what happened. */
const RECENT_LOGS = 500
/** Words for how a node can be dialled, by their numbers. */
const REACH_NAMES = Object.keys(REACHABILITY) as (keyof typeof REACHABILITY)[]

/** What a daemon keeps on disk. */
export interface DaemonFiles {
  readonly directory: string
  /** Ed25519 seed of the node key, 32 bytes. */
  readonly seed: Uint8Array
  /** Of VLANs, as it is now. */
  book(): Book
  /** False if it could not be kept. */
  put(id: StoreId, record: Uint8Array): Promise<boolean>
  erase(port: PortId): void
  token(): string
  /** Peers that were linked when the node last ran, and keeping them. */
  peers(): readonly PeerHint[]
  keepPeers(peers: readonly PeerHint[]): Promise<boolean>
}

export interface DaemonLog {
  entry(entry: LogEntry): void
  configure(config: Config['log']): void
}

export interface DaemonOptions {
  readonly configFile: string
  readonly config: Config
  readonly socket: string
  readonly files: DaemonFiles
  readonly log: DaemonLog
}

export class Daemon implements CoreOwner, ApiNode {
  readonly events = new Watchers<NodeEvent>()
  readonly logs = new Watchers<string>()
  readonly captures = new Watchers<{ readonly packets: readonly Captured[]; readonly lost: number }>()
  readonly #options: DaemonOptions
  #trunks: Trunks | undefined
  readonly #mls = new MlsRunner()
  readonly #control: ControlServer
  readonly #reach: Reach
  readonly #overlay = new Overlay()
  readonly #recent: string[] = []
  readonly #found = new Set<PeerId>()
  readonly #limiter = new LogLimiter()
  readonly #garbage = new GarbageMan()
  readonly #startedAt = Date.now()
  readonly #self: PeerId
  #core: CoreHandle | undefined
  #config: Config
  /** What `bootstrap` has said since the start: the first that were named are those that the core keeps. */
  #everNamed: readonly string[] = []
  #policy: RelayPolicy
  #isTraced: boolean
  #isCaptured = false
  #crypto = ''
  /** What went wrong and still is: for status and health. */
  readonly #errors = new Map<string, string>()
  #stopping = false
  /** What is on its way while it starts can be closed only once it is there. */
  #started: Promise<void> = Promise.resolve()
  #keeping: NodeJS.Timeout | undefined
  /** Resolves when the peers that were to be kept last are, or cannot be. */
  #kept: Promise<unknown> = Promise.resolve()
  readonly #ended: Promise<Error | undefined>
  #end: (error: Error | undefined) => void = () => undefined

  constructor(options: DaemonOptions, self: PeerId) {
    this.#options = options
    this.#config = options.config
    this.#self = self
    this.#policy = relayPolicy(options.config)
    this.#isTraced = options.config.log.trace
    this.#control = new ControlServer(new NodeApi(this))
    this.#reach = new Reach(self, (host) => this.#overlay.avoids(host))
    this.#ended = new Promise((end) => {
      this.#end = end
    })
  }

  /**
   * Until all of it runs, or it was stopped meanwhile; else nothing of it does. A UsageError says what is in
   * the way.
   */
  async start(): Promise<void> {
    this.#started = this.#start()
    try {
      await this.#started
    } catch (error) {
      // It never ran as a whole; what of it does ends as it does at any other end.
      this.#stopping = true
      if (this.#core === undefined) this.#end(undefined)
      else this.#core.stop()
      await this.ended()
      throw error
    }
  }

  async #start(): Promise<void> {
    const { config, socket } = this.#options
    await this.#control.listenSocket(socket)
    if (this.#stopping) return
    const door = this.door()
    if (door !== undefined) await this.#control.listenPort({ ...door, page: operatorPage })
    if (this.#stopping) return
    if (config.metrics.port !== undefined)
      await this.#control.listenMetrics(config.metrics.host, config.metrics.port)
    if (this.#stopping) return
    const early = new EarlyCarrier()
    const core = this.#startCore(early)
    this.#core = core
    if (this.#isTraced) this.setTrace(true)
    if (this.#isCaptured) this.setCapture(true)
    await this.#startTrunks(core, early)
  }

  /** With what is set now: the owner may have changed it since the control API listens. */
  #startCore(carrier: EarlyCarrier): CoreHandle {
    const { files, config } = this.#options
    const hints = namedPeers(this.#config).map(({ hint }) => hint)
    this.#reach.contacts(hints)
    const kept = files.peers()
    this.#reach.met(kept)
    const met = kept.filter(({ peer }) => !hints.some((each) => each.peer === peer))
    const book = files.book()
    const libc = openLibc()
    this.#lookForTap(libc)
    this.#lookForSelf(this.#config)
    const core = new CoreHandle(
      libc,
      {
        state: files.directory,
        book,
        selfSeed: files.seed,
        contacts: [...hints, ...met.slice(0, roomForKept(hints.length))],
        // What needs a restart is as it was when the process began, as it is for trunks.
        config: coreConfig(config, this.#policy),
        interfaces: interfaceOrders(this.#config),
        datagrams: datagramOrder(config),
      },
      carrier,
      this.#mls,
      this,
    )
    if (book.vlans.length > 0) this.#mls.warm()
    return core
  }

  /** As it may be where several machines share one configuration. */
  #lookForSelf(config: Config): void {
    for (const { message } of ownIdRemarks(config, this.#self))
      this.log({ level: 'warn', module: 'node', message })
  }

  /** Told at once: the first VLAN may come much later, and be somebody else's command. */
  #lookForTap(libc: Libc): void {
    const trouble = tapTrouble(libc, false)
    if (trouble === undefined) return
    const message = `VLANs will have no interface here: ${trouble}`
    this.log({ level: 'warn', module: 'tap', message })
  }

  async #startTrunks(core: CoreHandle, early: EarlyCarrier): Promise<void> {
    // Most of what the main thread has to load; the core's thread loads what it needs meanwhile.
    const { Trunks } = await import('../libp2p/trunks.ts')
    if (this.#stopping) return
    const trunks = new Trunks({
      ...trunkOptions(this.#options),
      announced: (peer, addresses) => {
        this.#reach.said(peer, addresses, this.trunks())
        this.#tellReach()
      },
      discovered: (peer, addresses) => this.#discovered(peer, addresses),
      hosts: () => this.#overlay.hosts(),
      avoids: (host) => this.#overlay.avoids(host),
    })
    this.#trunks = trunks
    this.#remember(namedPeers(this.#config))
    early.starts(trunks)
    await trunks.start(this.#listener(core))
    if (this.#stopping) return
    core.carriedBy(trunks)
    early.started(trunks)
    this.#tellReach()
    setInterval(() => this.#garbage.look(core.packets), LOOK_MILLIS).unref()
  }

  /** Resolves when the node has ended, with what went wrong if anything did. */
  async ended(): Promise<Error | undefined> {
    const error = await this.#ended
    clearTimeout(this.#keeping)
    await Promise.all([
      this.#kept,
      // All have been taken leave of, so this is tidying, which libp2p at times does not end.
      within(END_MILLIS, [this.#closeStarted(), this.#mls.close()]),
    ])
    return error
  }

  async #closeStarted(): Promise<void> {
    await Promise.allSettled([this.#started])
    await Promise.allSettled([this.#trunks?.stop(), this.#control.close()])
  }

  // What the control API asks.

  ask(verb: string, args: readonly unknown[]): Promise<Outcome<object>> {
    if (this.#core === undefined) throw new Error('the node is starting')
    return this.#core.ask(verb, args)
  }

  processView(): ProcessView {
    const { addresses, reach } = this.#reach
    return {
      version: version(),
      pid: process.pid,
      upSeconds: (Date.now() - this.#startedAt) / 1_000,
      rssBytes: process.memoryUsage.rss(),
      peer: this.nameOf(this.#self),
      contacts: addresses.map((address) => contactText(this.#self, address)),
      reachability: REACH_NAMES[reach] ?? 'private',
      policy: this.#policy,
      configFile: this.#options.configFile,
      stateDirectory: this.#options.files.directory,
      crypto: this.#crypto,
      errors: [...new Set(this.#errors.values())],
    }
  }

  trunks(): readonly TrunkView[] {
    return this.#trunks?.view() ?? []
  }

  trunkCounts(): Readonly<Record<string, number>> {
    return this.#trunks?.counts() ?? {}
  }

  nameOf(peer: string): string {
    return libp2pPeer(peer as PeerId).toString()
  }

  addresses(): ReadonlyMap<string, readonly string[]> {
    return this.#overlay.addresses()
  }

  /** A UsageError for patterns that are none. */
  setPolicy(policy: RelayPolicy): void {
    new CompiledPolicy(policy)
    this.#policy = policy
    this.#core?.mail({ kind: 'policy', policy })
  }

  setTrace(on: boolean): void {
    this.#isTraced = on
    this.#core?.mail({ kind: 'trace', on })
  }

  setCapture(on: boolean): void {
    this.#isCaptured = on
    this.#core?.mail({ kind: 'capture', on })
  }

  reload(): Reload {
    const next = readConfig(this.#options.configFile)
    const { changed } = reloadable(this.#config, next)
    // What the process began with is what counts, however often it was read since; and all its contacts.
    const bootstrap = [...new Set([...this.#everNamed, ...this.#config.bootstrap])].slice(0, EVER_NAMED_MAX)
    const begun = { ...this.#options.config, bootstrap }
    const reload = { changed, needRestart: reloadable(begun, next).needRestart }
    const named = namedPeers(next)
    const contacts = named.map(({ hint }) => hint)
    // What may be refused comes first: whoever is refused finds all as it was.
    this.#remember(named)
    this.#everNamed = bootstrap
    for (const { hint } of namedPeers(this.#config))
      if (!contacts.some(({ peer }) => peer === hint.peer)) this.#trunks?.remember(hint.peer, [])
    this.setPolicy(relayPolicy(next))
    this.#options.log.configure(next.log)
    this.setTrace(next.log.trace)
    this.#reach.contacts(contacts)
    this.#core?.mail({ kind: 'contacts', peers: contacts })
    this.#core?.mail({ kind: 'interfaces', interfaces: interfaceOrders(next) })
    this.#config = next
    this.#lookForSelf(next)
    this.log({ level: 'info', module: 'node', message: 'configuration read again', details: { ...reload } })
    return reload
  }

  door(): { readonly port: number; readonly token: string } | undefined {
    const { config, files } = this.#options
    const { port } = config.control
    return port === undefined ? undefined : { port, token: files.token() }
  }

  stop(): void {
    if (this.#stopping) return
    this.#stopping = true
    this.#keepPeers()
    this.log({ level: 'info', module: 'node', message: 'the node takes leave' })
    if (this.#core === undefined) this.#end(undefined)
    else this.#core.stop()
  }

  recentLogs(): readonly string[] {
    return this.#recent
  }

  // What the core's thread tells.

  log(entry: LogEntry): void {
    if (entry.message.startsWith('cryptography by')) this.#crypto = entry.message
    this.#options.log.entry(entry)
  }

  /** A line that was logged, for those who follow. */
  logged(line: string): void {
    this.#recent.push(line)
    if (this.#recent.length > RECENT_LOGS) this.#recent.shift()
    this.logs.tell(line)
  }

  noted(event: NodeEvent): void {
    this.events.tell(event)
    const { kind, ...details } = event
    // Strangers make some of these happen as often as they like.
    const suppressed = this.#limiter.allow(kind, performance.now())
    if (suppressed === undefined) return
    if (suppressed > 0) this.#told(`${suppressed} more of ${kind} were not logged`, {})
    this.log({ level: NOTED[kind] ?? 'debug', module: MODULES[kind] ?? 'mesh', message: kind, details })
  }

  async store(id: StoreId, record: Uint8Array): Promise<boolean> {
    const isKept = await this.#options.files.put(id, record)
    this.#tellKept('store', isKept)
    return isKept
  }

  bookKept(ok: boolean): void {
    this.#tellKept('book', ok)
  }

  #tellKept(what: 'store' | 'book', isKept: boolean): void {
    const { directory } = this.#options.files
    if (isKept) this.#errors.delete(what)
    else this.#errors.set(what, `state cannot be written to ${directory}; make room there`)
  }

  erase(port: PortId): void {
    this.#options.files.erase(port)
  }

  interfacesChanged(names: readonly string[]): void {
    this.#overlay.interfaces(names)
  }

  captured(packets: readonly Captured[], lost: number): void {
    this.captures.tell({ packets, lost })
    this.#core?.mail({ kind: 'captureTaken', bytes: bytesOf(packets) })
  }

  coreEnded(error: Error | undefined): void {
    this.#end(error)
  }

  // Trunks, and where this node can be dialled.

  #listener(core: CoreHandle): TrunkListener {
    return {
      linkUp: (link, peer, dialled) => {
        core.linkUp(link, peer, dialled)
        core.mail({ kind: 'remote', link, host: this.#hostAt(link) })
        this.#told('link up', { link, peer: this.nameOf(peer), dialled })
        this.#tellReach()
      },
      linkDown: (link, reason) => {
        core.linkDown(link, reason)
        this.#told('link down', { link, reason })
      },
      linkReady: (link, channel, ready) => core.linkReady(link, channel, ready),
      dialFailed: (peer) => {
        core.dialFailed(peer)
        this.#told('dial failed', { peer: this.nameOf(peer) })
      },
      packet: (link, channel, hop, bytes) => core.packet(link, channel, hop, bytes),
      addressesChanged: (addresses, reach) => {
        core.addressesChanged(addresses, reach)
        this.#reach.own(addresses, reach)
        const details = {
          addresses: addresses.map((each) => contactText(this.#self, each)),
          reach: REACH_NAMES[reach],
        }
        this.log({ level: 'info', module: 'trunks', message: 'addresses of this node', details })
        this.#tellReach()
      },
    }
  }

  /** Where the peer is; undefined behind a relay, whose address says nothing of it. */
  #hostAt(link: LinkId): string | undefined {
    const trunk = this.trunks().find((each) => each.link === link)
    return trunk?.relayed === false ? ipIn(trunk.remote) : undefined
  }

  #told(message: string, details: Readonly<Record<string, unknown>>): void {
    this.log({ level: 'debug', module: 'trunks', message, details })
  }

  #tellReach(): void {
    this.#core?.reachedBy(this.#reach.hints(this.trunks()))
    this.#keeping ??= setTimeout(() => this.#keepPeers(), KEEP_PEERS_MILLIS).unref()
  }

  /** Those that were dialled, so that a node without any contact finds its mesh again. */
  #keepPeers(): void {
    this.#keeping = undefined
    const peers = this.#reach.toKeep(this.trunks())
    if (peers !== undefined) this.#kept = this.#kept.then(() => this.#options.files.keepPeers(peers))
  }

  /** What stands in these comes from strangers: addresses that are none are left out. */
  #discovered(peer: PeerId, addresses: readonly string[]): void {
    if (this.#found.size >= FOUND_MAX || this.#found.has(peer)) return
    const bytes = addresses.map(addressText).filter((each) => each !== undefined)
    if (bytes.length === 0) return
    this.#found.add(peer)
    const details = { peer: this.nameOf(peer) }
    this.log({ level: 'info', module: 'trunks', message: 'found on the local network', details })
    const hint = { peer, addresses: bytes, reach: REACHABILITY.public }
    this.#core?.mail({ kind: 'contacts', peers: [hint] })
  }

  /** Names too: they are looked up when they are dialled. */
  #remember(named: readonly NamedPeer[]): void {
    for (const { hint, texts } of named) this.#trunks?.remember(hint.peer, texts)
  }
}

/** When all are settled, or the time is over. */
async function within(millis: number, ends: readonly (Promise<void> | undefined)[]): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, millis)
  await Promise.race([Promise.allSettled(ends), over])
  clearTimeout(timer)
}

function bytesOf(packets: readonly Captured[]): number {
  return packets.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

/** How loud events are. */
const NOTED: Partial<Record<NodeEvent['kind'], LogEntry['level']>> = {
  neighbourUp: 'info',
  neighbourDown: 'info',
  versionRefused: 'warn',
  detached: 'info',
  vlanRefused: 'warn',
  vlanUphillRefused: 'warn',
  resumed: 'warn',
  portUp: 'info',
  macChanged: 'warn',
  macConflict: 'warn',
  group: 'info',
}
const MODULES: Partial<Record<NodeEvent['kind'], string>> = {
  portUp: 'vlan',
  macChanged: 'vlan',
  macConflict: 'vlan',
  group: 'vlan',
  vlanRefused: 'vlan',
  vlanUphillRefused: 'vlan',
}

function trunkOptions({ files, config }: DaemonOptions): ConstructorParameters<typeof Trunks>[0] {
  const { transports, listen, announce, reachability, mdns, circuitRelay } = config
  const kinds = (['quic', 'tcp', 'ws'] as const).filter((kind) => transports[kind])
  return {
    seed: files.seed,
    transports: kinds,
    listen,
    announce,
    reachability,
    mdns,
    relay: circuitRelay,
  }
}

function datagramOrder({ datagrams, announce }: Config): DatagramOrder | undefined {
  const { enabled, port, offload } = datagrams
  const hosts = announce.flatMap((text) => ipIn(text) ?? [])
  return enabled ? { port, offload, announce: hosts } : undefined
}

/** The address that a multiaddr begins with. */
function ipIn(multiaddr: string): string | undefined {
  return /^\/ip[46]\/([^/]+)/.exec(multiaddr)?.[1]
}

function coreConfig({ relay }: Config, policy: RelayPolicy): Partial<NodeConfig> {
  return { relay: relay.enabled, linkLimit: relay.links, policy }
}

function interfaceOrders({ interfaces }: Config): InterfaceOrder[] {
  return interfaces.map(({ vlan, kind, name, mtu, addresses, ula, offload }) => {
    return { vlan, kind, name, mtu, addresses, ula, offload }
  })
}
