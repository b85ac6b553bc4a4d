/**
 * A PeerTap node: puts the parts together and passes inputs on. It knows which part speaks which kind
 * of message and in which order parts hear of a change; what they do about it is theirs.
 *
 *     links       trunks: HELLO, probes, queues
 *     membership  which trunks are neighbours (HyParView)
 *     trees       which neighbours are upper and lower (CRST)
 *     vlans       who listens where, and the switch
 *     groups      memberships in VLANs whose group MLS keeps
 *
 * Nothing leaves the node before its start has been stored: sequence numbers of an identity only grow.
 */
import { type NodeConfig, nodeConfig } from './config.ts'
import { type Context, Deadline } from './context.ts'
import { COUNT, COUNTERS, Counters } from './counters.ts'
import type { Crypto } from './crypto/ports.ts'
import type { Dice, Keys } from './dice.ts'
import { assert, UsageError } from './errors.ts'
import type { WallClock } from './group/state.ts'
import { peerIdOf } from './ids.ts'
import {
  type Address,
  CHANNEL,
  type Channel,
  type CloseReason,
  type Command,
  type Effects,
  type Hop,
  type JobId,
  type JobOutcome,
  type LinkId,
  type Machine,
  type Micros,
  NEVER,
  type NodeView,
  type PeerHint,
  type PeerId,
  type PortId,
  type Reachability,
  SECOND,
  type StoreId,
  type TreeRole,
  type WayView,
} from './io.ts'
import { HELLO_COORDINATES, type HelloSelf } from './links/hello.ts'
import type { Link, LinkPort } from './links/link.ts'
import { Links, type LinksListener } from './links/links.ts'
import { LoadMeter } from './links/load.ts'
import { Memberships } from './member/memberships.ts'
import { checkHints } from './mesh/dialler.ts'
import { CONTACTS_MAX } from './mesh/limits.ts'
import { Membership, type NeighbourListener } from './mesh/membership.ts'
import { Outbox } from './outbox.ts'
import { Crst } from './tree/crst.ts'
import type { Tree, TreeListener } from './tree/tree.ts'
import { Vlans } from './vlan/vlans.ts'
import { CONTROL_BYTES_MAX, CONTROL_VERSION_TYPE, KIND } from './wire/kinds.ts'
import { decode, encode, struct, u8, u32 } from './wire/schema.ts'
import { hopKind, hopVersion, TRUNK_KIND, TRUNK_VERSION } from './wire/trunk.ts'

/** Makes one tree of a node. */
export type CreateTree = (context: Context, links: LinkPort, listener: TreeListener, id: number) => Tree

/** What a node is made from. */
export interface Environment {
  /** 32 bytes: the Ed25519 seed of the node key. */
  readonly selfSeed: Uint8Array
  /** What this identity stored last, or undefined at its first start. */
  readonly restored: Uint8Array | undefined
  readonly config: Partial<NodeConfig>
  readonly crypto: Crypto
  readonly dice: Dice
  readonly keys: Keys
  /** The machine's wall clock; without it memberships live without expiry dates and give no invitations. */
  readonly wall?: WallClock
  /** Puts another tree protocol in CRST's place, to compare them (mesh:S19). */
  readonly createTree?: CreateTree | undefined
}

/** The record that survives a restart. */
const nodeRecord = struct({ version: u8, boot: u32 })
const RECORD_VERSION = 1
/** The record under which a node keeps what it needs at its next start; others are those of its ports. */
export const NODE_RECORD = 1 as StoreId
/**
 * How long a node that leaves goes on serving those below: they prepare a move for 2 s, and the last of a
 * chain of registrations takes a round trip or two more.
 */
const LEAVE_LIMIT: Micros = 4 * SECOND
/** How often it looks whether anybody is left. */
const LEAVE_LOOK: Micros = SECOND / 4
/**
 * A wake that comes so much later than asked for means that the machine slept (mesh:S15): a driver is late
 * by milliseconds. Shorter sleeps are outages like any other, and HELLOs mend them. Guess.
 */
const SLEPT_AFTER: Micros = 30 * SECOND
/** How soon a failed store is tried again. Guess. */
const STORE_RETRY: Micros = SECOND

/** Places of the parts' deadlines: one each, so that a wake runs only the part that asked for it. */
const DUE = { links: 0, membership: 1, tree: 2, vlans: 3, own: 4, groups: 5 } as const
const DEADLINES = Object.keys(DUE).length

const UNSET_CLOCK: WallClock = { millis: () => 0 }

export function createNode(environment: Environment): Machine {
  return new Node(environment)
}

class Node implements Machine, LinksListener, NeighbourListener, TreeListener {
  readonly #context: Context
  readonly #out = new Outbox()
  /** The parts' deadlines and the counters: what each input comes by, in one place. */
  readonly #numbers = new Float64Array(DEADLINES + COUNTERS.length)
  readonly #counters = new Counters(this.#numbers, DEADLINES)
  readonly #links: Links
  readonly #membership: Membership
  readonly #trees: Tree[] = []
  readonly #vlans: Vlans
  readonly #groups: Memberships
  readonly #load: LoadMeter
  readonly #self: { -readonly [K in keyof HelloSelf]: HelloSelf[K] }
  /** Peers to join through once the start is stored. */
  readonly #waiting: PeerHint[] = []
  #leaveBy: Micros = NEVER
  #state: 'starting' | 'running' | 'leaving' | 'left' = 'starting'

  constructor(environment: Environment) {
    const { selfSeed, crypto, dice, keys } = environment
    const selfKey = crypto.signatures.publicKey(selfSeed)
    const counters = this.#counters
    const base = {
      self: peerIdOf(selfKey),
      selfKey,
      selfSeed,
      boot: nextBoot(environment.restored),
      config: nodeConfig(environment.config),
      crypto,
      dice,
      keys,
      counters,
      out: this.#out,
    }
    this.#numbers.fill(NEVER, 0, DEADLINES)
    const part = (name: 'links' | 'membership' | 'tree' | 'vlans' | 'groups'): Context => ({
      ...base,
      deadline: new Deadline(this.#numbers, DUE[name]),
      dice: dice.fork(name),
    })
    this.#context = part('links')
    this.#self = {
      reach: 2,
      open: base.config.policy.mode === 'open',
      load: 0,
      coordinates: new Uint8Array(8),
    }
    this.#load = new LoadMeter(base.config)
    this.#links = new Links(this.#context, this, this.#trees, this.#self)
    this.#membership = new Membership(part('membership'), this.#links, this)
    const createTree = environment.createTree ?? ((...parts) => new Crst(...parts))
    this.#trees.push(createTree(part('tree'), this.#links, this, 0))
    this.#vlans = new Vlans(part('vlans'), this.#links, this.#trees)
    this.#groups = new Memberships(part('groups'), this.#vlans, environment.wall ?? UNSET_CLOCK)
    this.#storeStart()
  }

  // Inputs: data plane.

  // HOT PATH
  frame(now: Micros, port: PortId, frame: Uint8Array): void {
    this.#counters.add(COUNT.framesIn)
    this.#vlans.frame(now, port, frame)
  }

  // HOT PATH
  packet(now: Micros, id: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    const link = this.#links.get(id)
    if (link === undefined) {
      this.#counters.add(COUNT.dropUnknownLink)
      return
    }
    this.#links.heard(now, link, channel)
    this.#counters.add(COUNT.packetsIn)
    this.#counters.add(COUNT.bytesIn, bytes.length)
    const kind = channel === CHANNEL.data ? TRUNK_KIND.data : TRUNK_KIND.control
    if (hopVersion(hop) !== TRUNK_VERSION || hopKind(hop) !== kind) {
      this.#counters.add(COUNT.dropVersion)
      return
    }
    if (kind === TRUNK_KIND.control) {
      this.#control(now, link, bytes)
    } else if (link.neighbour) {
      this.#load.packet()
      this.#vlans.packet(now, link, hop, bytes)
    } else {
      this.#counters.add(COUNT.dropNotNeighbour)
    }
  }

  // Inputs: control plane.

  linkUp(now: Micros, id: LinkId, peer: PeerId, dialled: boolean): void {
    if (this.#state === 'left') this.#out.hangUp(id, 'leaving')
    else this.#links.linkUp(now, id, peer, dialled)
  }

  linkDown(now: Micros, id: LinkId, reason: CloseReason): void {
    this.#links.linkDown(now, id, reason)
  }

  linkReady(now: Micros, id: LinkId, channel: Channel, ready: boolean): void {
    this.#links.linkReady(now, id, channel, ready)
  }

  dialFailed(now: Micros, peer: PeerId): void {
    this.#counters.add(COUNT.dialsFailed)
    this.#membership.dialFailed(now, peer)
  }

  addressesChanged(now: Micros, addresses: readonly Address[], reach: Reachability): void {
    this.#membership.addressesChanged(now, addresses, reach)
    this.#self.reach = reach
  }

  stored(now: Micros, id: StoreId, ok: boolean): void {
    if (this.#groups.stored(now, id, ok) || this.#state !== 'starting') return
    if (!ok) {
      this.#lower(DUE.own, now + STORE_RETRY)
      return
    }
    this.#state = 'running'
    this.#links.start()
    this.#membership.bootstrap(now, this.#waiting.splice(0))
  }

  jobDone(now: Micros, job: JobId, outcome: JobOutcome): void {
    this.#groups.jobDone(now, job, outcome)
  }

  command(now: Micros, command: Command): void {
    if (this.#state === 'left')
      throw new UsageError(`'${command.kind}' to a node that has left; make a new node`)
    switch (command.kind) {
      case 'bootstrap':
        if (this.#state === 'running') this.#membership.bootstrap(now, command.peers)
        else this.#holdContacts(command.peers)
        break
      case 'openPort':
        this.#vlans.openPort(now, command.port, command.vlan)
        break
      case 'enter':
        this.#groups.open(now, command.port, command.identity, command.entrance)
        break
      case 'facts':
        this.#groups.learn(now, command.port, command.facts)
        break
      case 'revoke':
        this.#groups.revoke(now, command.port, command.issuer, command.target)
        break
      case 'invite':
        this.#groups.invite(now, command.port, command.issuer, command)
        break
      case 'rekey':
        this.#groups.rekey(now, command.port)
        break
      case 'leaveVlan':
        this.#groups.leave(now, command.port)
        break
      case 'closePort':
        this.#groups.closed(now, command.port)
        this.#vlans.closePort(now, command.port)
        break
      case 'joinGroup':
        this.#vlans.joinGroup(now, command.port, command.mac)
        break
      case 'leaveGroup':
        this.#vlans.leaveGroup(now, command.port, command.mac)
        break
      case 'policy':
        this.#vlans.setPolicy(now, command.policy)
        this.#self.open = command.policy.mode === 'open'
        for (const tree of this.#trees) tree.setOpen(now, this.#self.open)
        break
      case 'leave':
        if (this.#state !== 'leaving') this.#retire(now)
        break
    }
  }

  wake(now: Micros): void {
    const due = this.nextDeadline()
    if (due > 0 && now - due > SLEPT_AFTER && this.#state === 'running') this.#resume(now, now - due)
    if (this.#take(DUE.own, now)) {
      if (this.#state === 'starting') this.#storeStart()
      else if (this.#state === 'leaving') this.#leaveWhenFree(now)
      if (this.#state === 'left') return
    }
    // Before those that it sends and registers by: what it makes due for them at once has its turn yet.
    if (this.#take(DUE.groups, now)) this.#lower(DUE.groups, this.#groups.wake(now))
    if (this.#take(DUE.links, now)) {
      this.#self.load = this.#load.sample(now)
      this.#self.coordinates = this.#membership.coordinates()
      this.#lower(DUE.links, this.#links.wake(now))
    }
    if (this.#take(DUE.membership, now)) this.#lower(DUE.membership, this.#membership.wake(now))
    if (this.#take(DUE.tree, now)) {
      for (const each of this.#trees) this.#lower(DUE.tree, each.wake(now))
    }
    if (this.#take(DUE.vlans, now)) this.#lower(DUE.vlans, this.#vlans.wake(now))
  }

  // Outputs.

  drain(effects: Effects): void {
    this.#out.drain(effects)
  }

  nextDeadline(): Micros {
    const due = this.#numbers
    let next = due[0] as number
    for (let place = 1; place < DEADLINES; place++) {
      const at = due[place] as number
      if (at < next) next = at
    }
    return next
  }

  view(): NodeView {
    const tree = this.#trees[0]
    return {
      self: this.#context.self,
      links: this.#links.all().map((link) => ({
        link: link.id,
        peer: link.peer,
        neighbour: link.neighbour,
        rttMicros: link.rtt,
        jitterMicros: link.jitter,
        loss: link.loss,
        load: link.load,
        role: tree?.role(link.id) ?? 0,
      })),
      trees: this.#trees.map((each) => each.view()),
      vlans: this.#vlans.view(),
      memberships: this.#groups.view(),
      passivePeers: this.#membership.view().passive,
      counters: this.counts(),
    }
  }

  wayTo(now: Micros, port: PortId, mac: number): WayView {
    return this.#vlans.wayTo(now, port, mac)
  }

  counts(): Readonly<Record<string, number>> {
    return { ...this.#counters.view(), ...this.#groups.counters() }
  }

  // What the parts tell.

  linkOpen(now: Micros, link: Link): void {
    this.#membership.linkOpen(now, link)
    // A dial that came in proves that we can be reached (mesh:M4); a root's class depends on it.
    for (const tree of this.#trees) tree.setReachable(now, this.#membership.publicProved())
  }

  linkClosed(now: Micros, link: Link, reason: CloseReason): void {
    this.#membership.linkClosed(now, link, reason)
  }

  helloTaken(now: Micros, link: Link, packet: Uint8Array, measured: boolean): void {
    if (measured) this.#membership.onHello(now, link, packet, HELLO_COORDINATES)
  }

  neighbourUp(now: Micros, link: Link): void {
    this.#out.note({ kind: 'neighbourUp', link: link.id, peer: link.peer })
    this.#vlans.linkUp(now, link)
    for (const tree of this.#trees) tree.onLink(now, link, true)
  }

  neighbourDown(now: Micros, link: Link, reason: CloseReason): void {
    for (const tree of this.#trees) tree.onLink(now, link, false)
    this.#vlans.linkDown(now, link)
    this.#out.note({ kind: 'neighbourDown', link: link.id, peer: link.peer, reason })
  }

  roleChanged(now: Micros, tree: number, link: Link, role: TreeRole): void {
    this.#vlans.roleChanged(now, tree, link, role)
    this.#groups.roleChanged(now, link.id, role)
  }

  rootChanged(now: Micros): void {
    this.#groups.rootChanged(now)
  }

  #control(now: Micros, link: Link, bytes: Uint8Array): void {
    this.#counters.add(COUNT.controlIn)
    if (bytes.length < 2 || bytes.length > CONTROL_BYTES_MAX || bytes[0] !== CONTROL_VERSION_TYPE) {
      this.#counters.add(bytes.length > CONTROL_BYTES_MAX ? COUNT.dropTooLong : COUNT.dropMalformed)
      return
    }
    const kind = bytes[1] as number
    if (kind === KIND.hello) this.#links.onHello(now, link, bytes)
    else if (kind === KIND.versionRefused) this.#links.onVersionRefused(now, link, bytes)
    else if (link.version === 0) this.#counters.add(COUNT.dropUnexpected)
    else if (kind >= KIND.join && kind <= KIND.shuffleReply)
      this.#membership.onMessage(now, link, kind, bytes)
    else if (!link.neighbour) this.#counters.add(COUNT.dropNotNeighbour)
    else if (kind >= KIND.linkCertificate && kind <= KIND.void) {
      for (const tree of this.#trees) tree.onMessage(now, link, kind, bytes)
    } else if (kind >= KIND.register && kind <= KIND.registerRefused)
      this.#vlans.onMessage(now, link, kind, bytes)
    else this.#counters.add(COUNT.dropUnknownKind)
  }

  /**
   * While the machine slept its neighbours gave it up and what it knew grew old, but its clock says so only
   * now. So it does at once what it would come to one timer after the other: all links down, join again.
   * Ports stay as they are.
   */
  #resume(now: Micros, asleepMicros: Micros): void {
    this.#out.note({ kind: 'resumed', asleepMicros })
    this.#membership.suspend()
    // First, or each link that ends would have the tree hang below the next, and tell all others.
    for (const tree of this.#trees) tree.resume(now)
    for (const link of this.#links.all()) this.#links.hangUp(now, link, 'lost')
    this.#membership.resume(now)
    this.#groups.resumed(now)
  }

  /** Whether that deadline has come; it is then set anew. */
  #take(place: number, now: Micros): boolean {
    if ((this.#numbers[place] as number) > now) return false
    this.#numbers[place] = NEVER
    return true
  }

  #lower(place: number, at: Micros): void {
    if (at < (this.#numbers[place] as number)) this.#numbers[place] = at
  }

  #holdContacts(hints: readonly PeerHint[]): void {
    for (const hint of checkHints(hints)) {
      if (this.#waiting.some(({ peer }) => peer === hint.peer)) continue
      if (this.#waiting.length < CONTACTS_MAX) this.#waiting.push(hint)
      else this.#counters.add(COUNT.boundDials)
    }
  }

  #storeStart(): void {
    this.#out.store(NODE_RECORD, encode(nodeRecord, { version: RECORD_VERSION, boot: this.#context.boot }))
  }

  /** Those below are asked to find other uppers; who has none below can go at once. */
  #retire(now: Micros): void {
    this.#state = 'leaving'
    this.#leaveBy = now + LEAVE_LIMIT
    for (const tree of this.#trees) tree.retire(now)
    this.#leaveWhenFree(now)
  }

  #leaveWhenFree(now: Micros): void {
    if (now < this.#leaveBy && this.#trees.some((tree) => tree.hasLowers())) {
      this.#lower(DUE.own, Math.min(now + LEAVE_LOOK, this.#leaveBy))
    } else {
      this.#leave(now)
    }
  }

  #leave(now: Micros): void {
    this.#groups.closeAll(now)
    this.#vlans.leave(now)
    for (const tree of this.#trees) tree.leave(now)
    this.#membership.leave(now)
    for (const link of this.#links.all()) this.#links.hangUp(now, link, 'leaving')
    this.#state = 'left'
    this.#out.note({ kind: 'left' })
    this.#numbers.fill(NEVER, 0, DEADLINES)
  }
}

function nextBoot(restored: Uint8Array | undefined): number {
  if (restored === undefined) return 1
  const record = decode(nodeRecord, restored)
  if (record === undefined || record.version !== RECORD_VERSION) {
    throw new UsageError(
      `the stored node record (${restored.length} bytes) is not of version ${RECORD_VERSION}; ` +
        'restore a backup or start with a new identity',
    )
  }
  assert(record.boot < 0xffff_ffff, 'the count of starts is used up')
  return record.boot + 1
}
