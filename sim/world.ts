/**
 * The simulated world: machines, trunks between them, and one queue of events. It carries out effects
 * and feeds inputs, and knows nothing of traffic, faults or churn: those are scripts that call it
 * (sim/script/), and of right and wrong: that is what its observers watch (sim/checks/).
 *
 * Determinism: events are ordered by time and then by the order of scheduling; each machine draws from
 * streams of its own; every effect goes into the digest.
 */
import type { NodeConfig } from '../core/config.ts'
import type { Crypto } from '../core/crypto/ports.ts'
import { Host } from '../core/host.ts'
import { peerIdOf } from '../core/ids.ts'
import {
  type Address,
  CHANNEL,
  type Channel,
  type CloseReason,
  type Command,
  type Hop,
  type Job,
  type JobId,
  type JobOutcome,
  type LinkId,
  MILLISECOND,
  type Micros,
  NEVER,
  type NodeEvent,
  type PeerHint,
  type PeerId,
  type PortId,
  REACHABILITY,
  type Reachability,
  type StoreId,
} from '../core/io.ts'
import { type CreateTree, createNode } from '../core/node.ts'
import { readU32, writeU32 } from '../core/wire/cursor.ts'
import { fingerprint } from '../core/wire/fingerprint.ts'
import { WIRE_OVERHEAD_BYTES } from '../core/wire/trunk.ts'
import { Digest, hashData, hashTag, hashText } from './digest.ts'
import { FrameTags } from './frame-tags.ts'
import { Jobs, type PendingJob } from './jobs.ts'
import { type DialModel, TARGET } from './links/dial.ts'
import type { MachineEngine, MlsEngines } from './mls/engines.ts'
import { type KeptState, KeptStates } from './mls/kept.ts'
import { chargedCrypto, HOST_AT, type NodeWorld, type SealWatch, SimNode } from './node.ts'
import { EventQueue } from './queue.ts'
import { keysFrom, type Streams } from './random.ts'
import { Rows } from './rows.ts'
import { Slots } from './slots.ts'
import { LOST, type Side, type Trunk, type TrunkOptions, Trunks, type TrunkWorld } from './trunks.ts'

/** The record that every node keeps of itself; all others are its memberships'. */
const NODE_RECORD = 1 as StoreId

const EVENT = { packet: 0, alarm: 1, script: 2, free: 3, stored: 4, held: 5, job: 6 } as const
/** Names of effects in the digest and in a printed record. */
const EFFECT_NAMES = [
  'send-control',
  'send-data',
  'deliver',
  'dial',
  'hang-up',
  'store',
  'note',
  'start',
] as const
const EFFECT = { control: 0, data: 1, deliver: 2, dial: 3, hangUp: 4, store: 5, note: 6, start: 7 } as const

/**
 * Where machines' clocks start, at the earliest. Beyond 2^32, so that engines see from the first event on
 * what times are: numbers that need a double. Starting small costs a recompilation of everything after
 * 36 simulated minutes.
 */
const CLOCK_BASE: Micros = 8_589_934_592
/** Data packets that may wait for one machine's processor; more are dropped there. */
const PROCESSOR_BACKLOG = 1_024

/** What observers are told. All calls are within the event in which it happens. */
export interface Observer {
  started(node: SimNode): void
  stopped(node: SimNode): void
  delivered(node: SimNode, port: PortId, frame: Uint8Array): void
  noted(node: SimNode, event: NodeEvent): void
  /** A job came to this; the node is about to hear of it. */
  worked(node: SimNode, outcome: JobOutcome): void
  /** A data packet that carries the frame came to a node; `copy`: made by the link model. */
  arrived(node: SimNode, frame: number, copy: boolean): void
  linkModelDropped(frame: number, reason: number, from: SimNode, to: SimNode): void
  connected(a: SimNode, b: SimNode, up: boolean): void
  sent(node: SimNode, control: boolean, kind: number, bytes: number): void
}

export interface WorldOptions extends TrunkOptions {
  readonly streams: Streams
  readonly crypto: Crypto
  readonly dials: DialModel
  readonly reportsLoss: boolean
  readonly config: (node: number) => Partial<NodeConfig>
  readonly hints: (node: number) => readonly PeerHint[]
  readonly createTree: CreateTree | undefined
  readonly watch: SealWatch | undefined
  /** Whether all states of all engines are kept, for attackers to draw on. */
  readonly keepsStates: boolean
  /** Who does the MLS of all machines; stand-ins if nobody. */
  readonly engines: MlsEngines | undefined
}

export class World implements NodeWorld, TrunkWorld {
  now: Micros = 0
  events = 0
  messages = 0
  dialsTried = 0
  /** Whether trunks tell that the other end is gone. */
  reportsLoss: boolean
  currentFrame = 0
  injecting = false
  readonly #frameTags = new FrameTags()
  readonly digest = new Digest()
  readonly nodes: SimNode[] = []
  readonly trunks: Trunks
  readonly observer: Observer
  /** Set while effects are being printed. */
  recorder: ((line: string) => void) | undefined
  readonly #options: WorldOptions
  readonly #queue = new EventQueue()
  readonly #rows = new Rows()
  readonly crypto: Crypto
  readonly #jobs: Jobs
  readonly #kept: KeptStates | undefined
  // Scripts and other rare things, by slot.
  readonly #slots = new Slots()

  constructor(options: WorldOptions, observer: Observer) {
    this.#options = options
    this.observer = observer
    this.trunks = new Trunks(this, options)
    this.reportsLoss = options.reportsLoss
    this.crypto = options.crypto
    this.#kept = options.keepsStates ? new KeptStates(options.crypto.hash) : undefined
    this.#jobs = new Jobs(options.crypto, options.engines, this.#kept)
  }

  // Building and scripting.

  addNode(reach: Reachability): SimNode {
    const index = this.nodes.length
    const random = this.#options.streams.stream(`links/${index}`)
    // Machines' clocks start anywhere: nothing may depend on two of them agreeing.
    const node = new SimNode(this, index, reach, random, CLOCK_BASE + random.below(1_000_000_000), this.#rows)
    this.nodes.push(node)
    this.trunks.addNode()
    return node
  }

  /** Runs the script at that time, after everything scheduled earlier for the same time. */
  at(time: Micros, script: () => void): void {
    this.#queue.push(Math.max(time, this.now), EVENT.script, 0, this.#slots.keep(script))
  }

  start(node: SimNode, identity = node.identity): void {
    if (node.up) return
    const { streams } = this.#options
    if (identity !== node.identity) {
      node.identity = identity
      node.disk = undefined
      node.records.clear()
      node.peer = undefined
    }
    node.life += 1
    node.up = true
    node.leaving = false
    node.busyUntil = this.now
    node.pendingWork = 0
    node.upper = undefined
    node.forgetAlarm()
    node.upLine.reset()
    node.downLine.reset()
    const seed = this.#identitySeed(node)
    this.peerOf(node)
    const name = `node/${node.index}/${node.life}`
    const machine = createNode({
      selfSeed: seed,
      restored: node.disk,
      config: this.#options.config(node.index),
      crypto: chargedCrypto(this.crypto, node, (packet) => this.#sealed(packet), this.#options.watch),
      dice: streams.stream(name),
      keys: keysFrom(streams.stream(`${name}/keys`)),
      wall: node.wall,
      createTree: this.#options.createTree,
    })
    node.host = new Host(machine, node, node, node, node.times, node.timesAt + HOST_AT)
    this.observer.started(node)
    node.host.addressesChanged([addressOf(node.index)], node.reach)
    node.host.command({ kind: 'bootstrap', peers: this.#options.hints(node.index) })
    this.#charge(node)
  }

  /** The machine stops at once. Its neighbours are told by their systems if `reported`, else never. */
  crash(node: SimNode, reported: boolean): void {
    if (!node.up) return
    this.observer.stopped(node)
    node.up = false
    node.host = undefined
    node.forgetAlarm()
    this.#forgetInbox(node)
    this.#jobs.stopped(node)
    this.trunks.nodeGone(node, reported)
  }

  #stopped(node: SimNode, life: number): void {
    if (node.life === life) this.crash(node, true)
  }

  /** The node finds its lowers other uppers, says goodbye and stops. */
  leave(node: SimNode): void {
    if (!node.up) return
    node.leaving = true
    node.host?.command({ kind: 'leave' })
    this.#charge(node)
  }

  /** The owner of a machine asks something of its node. */
  command(node: SimNode, command: Command): void {
    node.host?.command(command)
    this.#charge(node)
  }

  /** A frame comes out of a machine's own network stack. */
  inject(node: SimNode, port: PortId, frame: Uint8Array, number: number): void {
    if (node.host === undefined) return
    this.currentFrame = number
    this.injecting = true
    node.host.frame(port, frame)
    this.injecting = false
    this.currentFrame = 0
    this.#charge(node)
  }

  /** The frame that a packet carries which leaves in a step that carries none. */
  lateFrame(packet: Uint8Array): number {
    return this.#frameTags.of(packet)
  }

  #sealed(packet: Uint8Array): void {
    if (this.injecting) this.#frameTags.note(packet, this.currentFrame)
  }

  /** The identity that the machine runs or would run now. */
  peerOf(node: SimNode): PeerId {
    node.peer ??= peerIdOf(this.crypto.signatures.publicKey(this.#identitySeed(node)))
    return node.peer
  }

  /** Until then the machine's sockets take nothing: its trunks, both ways, on both channels. */
  clog(node: SimNode, until: Micros): void {
    for (const trunk of this.trunks.of(node)) {
      for (const side of [0, 1] as const) {
        trunk.lane(side).clog(until, true)
        for (const channel of [CHANNEL.control, CHANNEL.data]) {
          this.scheduleReady(this.now, trunk, side, channel, false)
          this.scheduleReady(until, trunk, side, channel, true)
        }
      }
    }
  }

  /** Runs until that time, or until `limit` events: true when the time was reached. */
  run(until: Micros, limit = Number.MAX_SAFE_INTEGER): boolean {
    const queue = this.#queue
    for (let count = 0; count < limit; count++) {
      if (queue.nextTime() > until) {
        this.now = until
        return true
      }
      queue.pop()
      this.now = queue.time
      this.events += 1
      this.#dispatch(queue.kind, queue.a, queue.b)
    }
    return false
  }

  /** What an attacker has who owned that machine: states by the MLS-ID of their epoch. */
  keptBy(node: SimNode): ReadonlyMap<string, KeptState> {
    return this.#kept?.by(node.index) ?? new Map()
  }

  /** One that belongs to no machine. */
  newEngine(): MachineEngine {
    return this.#jobs.newEngine()
  }

  /** No time passes any more. */
  end(): void {
    this.#jobs.end()
  }

  #dispatch(kind: number, a: number, b: number): void {
    switch (kind) {
      case EVENT.packet:
        this.#packet(a, b)
        break
      case EVENT.alarm: {
        const node = this.nodes[a] as SimNode
        if (node.life !== b || !node.up || !node.alarmCame()) break
        ;(node.host as Host).fire()
        this.#charge(node)
        break
      }
      case EVENT.script:
        ;(this.#slots.take(b) as () => void)()
        break
      case EVENT.free: {
        const node = this.nodes[a] as SimNode
        if (node.life === b) this.#catchUp(node)
        break
      }
      case EVENT.job:
        this.#jobDone(a, this.#slots.take(b) as PendingJob)
        break
      case EVENT.stored:
        this.#stored(a, this.#slots.take(b) as { life: number; id: StoreId; record: Uint8Array })
        break
      default:
        this.trunks.heldTooLong(a)
    }
  }

  // HOT PATH
  #packet(end: number, slot: number): void {
    const { trunks } = this
    const trunk = trunks.trunkOf(slot)
    const side = ((end >> 1) & 1) as Side
    const channel = (end & 1) as Channel
    if (!trunk.isUp(side)) {
      trunks.release(slot)
      return
    }
    const node = trunk.node(side)
    const landAt = trunks.landAt(slot, node, channel)
    if (landAt > this.now) {
      if (landAt !== NEVER) this.#queue.push(landAt, EVENT.packet, end, slot)
      else this.#dropLate(slot, LOST.queue, trunk.node(side === 0 ? 1 : 0), node)
      return
    }
    // Something can wait for a free processor only in the very instant in which that becomes free.
    const busy = node.busyUntil > this.now || (node.busyUntil === this.now && node.inbox.size > 0)
    if (busy) this.#putOff(node, end, slot, channel)
    else this.#takeIn(node, trunk, side, channel, slot)
  }

  // HOT PATH
  #takeIn(node: SimNode, trunk: Trunk, side: Side, channel: Channel, slot: number): void {
    const { trunks } = this
    const frame = trunks.frameOf(slot)
    const bytes = trunks.bytesOf(slot)
    if (bytes === undefined) {
      this.#linkDown(node, trunk, side, slot)
      return
    }
    const hop = trunks.hopOf(slot)
    if (frame !== 0) this.observer.arrived(node, frame, trunks.isCopy(slot))
    const link = (trunk.id * 2 + side) as LinkId
    node.sightings?.heard(channel, bytes, link === node.upper)
    trunks.release(slot)
    this.messages += 1
    this.currentFrame = frame
    ;(node.host as Host).packet(link, channel, hop, bytes)
    this.currentFrame = 0
    if (node.pendingWork > 0) this.#charge(node)
  }

  /** Puts the packet off until the processor is free, or drops it because too many wait. */
  #putOff(node: SimNode, end: number, slot: number, channel: Channel): void {
    if (channel === CHANNEL.data) {
      if (node.backlog >= PROCESSOR_BACKLOG) {
        this.#dropLate(slot, LOST.processor, node, node)
        return
      }
      node.backlog += 1
    }
    if (node.inbox.size === 0) this.#queue.push(node.busyUntil, EVENT.free, node.index, node.life)
    node.inbox.add(end, slot)
  }

  /** Takes in what waits, in order, until something of it keeps the processor busy again. */
  #catchUp(node: SimNode): void {
    const { inbox } = node
    while (inbox.size > 0 && node.busyUntil <= this.now) {
      const { end, slot } = inbox
      inbox.drop()
      const trunk = this.trunks.trunkOf(slot)
      const side = ((end >> 1) & 1) as Side
      const channel = (end & 1) as Channel
      if (channel === CHANNEL.data) node.backlog -= 1
      if (trunk.isUp(side)) this.#takeIn(node, trunk, side, channel, slot)
      else this.trunks.release(slot)
    }
    if (inbox.size > 0) this.#queue.push(node.busyUntil, EVENT.free, node.index, node.life)
  }

  #forgetInbox(node: SimNode): void {
    for (; node.inbox.size > 0; node.inbox.drop()) this.trunks.release(node.inbox.slot)
    node.backlog = 0
  }

  #dropLate(slot: number, reason: number, from: SimNode, to: SimNode): void {
    const frame = this.trunks.frameOf(slot)
    if (frame !== 0) this.observer.linkModelDropped(frame, reason, from, to)
    this.trunks.release(slot)
  }

  /** Processor time used in this step delays what the machine sends and what it takes in next. */
  #charge(node: SimNode): void {
    if (node.pendingWork === 0) return
    const from = node.busyUntil > this.now ? node.busyUntil : this.now
    node.busyUntil = from + Math.round(node.pendingWork * node.slowness)
    node.pendingWork = 0
  }

  // Effects.

  pushAlarm(node: SimNode, at: Micros): void {
    this.#queue.push(at, EVENT.alarm, node.index, node.life)
  }

  // HOT PATH
  send(node: SimNode, link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    const control = channel === CHANNEL.control
    if (control) this.#fold(node, EFFECT.control, link, packet.length, fingerprint(packet))
    else this.#fold(node, EFFECT.data, link, packet.length, hashTag(packet) + hop)
    this.observer.sent(
      node,
      control,
      control ? (packet[1] as number) : -1,
      packet.length + WIRE_OVERHEAD_BYTES,
    )
    if (node.pendingWork > 0) this.#charge(node)
    if (control) node.sightings?.saying(link, packet)
    this.trunks.send(node, link, channel, hop, packet)
  }

  deliver(node: SimNode, port: PortId, frame: Uint8Array): void {
    this.#fold(node, EFFECT.deliver, port, frame.length, fingerprint(frame))
    this.observer.delivered(node, port, frame)
  }

  dial(node: SimNode, peer: PeerId, addresses: readonly Address[]): void {
    this.#fold(node, EFFECT.dial, 0, addresses.length, hashData(addresses, hashText(peer)))
    this.dialsTried += 1
    const target = this.#dialled(addresses)
    const { life } = node
    const there = target?.up !== true ? TARGET.gone : target.peer === peer ? TARGET.answers : TARGET.refuses
    const relayed = this.trunks.count(node) > 0 && target !== undefined && this.trunks.count(target) > 0
    const plan = this.#options.dials.plan(
      node.index,
      target?.index ?? -1,
      node.reach,
      target?.reach ?? REACHABILITY.private,
      there,
      node.linkRandom,
      relayed,
    )
    this.at(this.now + plan.duration, () => {
      if (!node.up || node.life !== life) return
      const met = plan.ok && target?.up && target.peer === peer && target !== node
      if (met && !this.trunks.cut(node, target)) this.#connect(node, target)
      else node.host?.dialFailed(peer)
      this.#charge(node)
    })
  }

  hangUp(node: SimNode, link: LinkId, reason: CloseReason): void {
    this.#fold(node, EFFECT.hangUp, link, 0, hashText(reason))
    this.trunks.hangUp(link, reason)
  }

  startJob(node: SimNode, job: JobId, work: Job): void {
    this.#fold(node, EFFECT.start, work.group, work.kind.length, hashData(work))
    const { at, pending } = this.#jobs.start(this.now, node, job, work)
    this.#queue.push(at, EVENT.job, node.index, this.#slots.keep(pending))
  }

  store(node: SimNode, id: StoreId, record: Uint8Array): void {
    this.#fold(node, EFFECT.store, id, record.length, fingerprint(record))
    // A flush to a solid-state disk: 1 to 5 ms. Guess.
    const at = this.now + MILLISECOND + node.linkRandom.below(4 * MILLISECOND)
    this.#queue.push(
      at,
      EVENT.stored,
      node.index,
      this.#slots.keep({ life: node.life, id, record: record.slice() }),
    )
  }

  note(node: SimNode, event: NodeEvent): void {
    const { life } = node
    const link = 'link' in event ? (event.link ?? 0) : 0
    this.#fold(node, EFFECT.note, link, event.kind.length, hashData(event))
    if (event.kind === 'neighbourUp' || event.kind === 'neighbourDown') {
      const trunk = this.trunks.get(event.link >> 1)
      if (trunk !== undefined)
        this.trunks.setNeighbour(trunk, (event.link & 1) as Side, event.kind === 'neighbourUp')
    }
    if (event.kind === 'upperChanged') node.upper = event.link
    if (event.kind === 'left') this.at(this.now, () => this.#stopped(node, life))
    this.observer.noted(node, event)
  }

  // Trunks.

  schedulePacket(at: Micros, end: number, slot: number): void {
    this.#queue.push(at, EVENT.packet, end, slot)
  }

  scheduleHeldCheck(at: Micros, end: number): void {
    this.#queue.push(at, EVENT.held, end, 0)
  }

  scheduleReady(at: Micros, trunk: Trunk, side: Side, channel: Channel, ready: boolean): void {
    this.at(at, () => {
      if (ready) trunk.setWaiting(side, channel, false)
      this.#ready(trunk, side, channel, ready)
    })
  }

  linkModelDropped(frame: number, reason: number, from: SimNode, to: SimNode): void {
    this.observer.linkModelDropped(frame, reason, from, to)
  }

  connected(a: SimNode, b: SimNode, up: boolean): void {
    this.observer.connected(a, b, up)
  }

  #connect(dialler: SimNode, target: SimNode): void {
    const trunk = this.trunks.connect(dialler, target)
    target.host?.linkUp((trunk.id * 2 + 1) as LinkId, dialler.peer as PeerId, false)
    this.#charge(target)
    if (trunk.isUp(0)) dialler.host?.linkUp((trunk.id * 2) as LinkId, target.peer as PeerId, true)
  }

  #linkDown(node: SimNode, trunk: Trunk, side: Side, slot: number): void {
    const reason = this.trunks.endOf(slot)
    this.trunks.release(slot)
    this.trunks.endDown(trunk, side)
    node.host?.linkDown((trunk.id * 2 + side) as LinkId, reason)
    this.#charge(node)
  }

  #ready(trunk: Trunk, side: Side, channel: Channel, ready: boolean): void {
    if (this.trunks.get(trunk.id) !== trunk || !trunk.isUp(side)) return
    const node = trunk.node(side)
    node.host?.linkReady((trunk.id * 2 + side) as LinkId, channel, ready)
    this.#charge(node)
  }

  #stored(index: number, what: { life: number; id: StoreId; record: Uint8Array }): void {
    const node = this.nodes[index] as SimNode
    if (!node.up || node.life !== what.life) return
    if (what.id === NODE_RECORD) node.disk = what.record
    else node.records.set(what.id, what.record)
    node.host?.stored(what.id, true)
    this.#charge(node)
  }

  #jobDone(index: number, { life, job, outcome: take }: PendingJob): void {
    const node = this.nodes[index] as SimNode
    if (!node.up || node.life !== life) return
    const outcome = take()
    this.observer.worked(node, outcome)
    node.host?.jobDone(job, outcome)
    this.#charge(node)
  }

  #dialled(addresses: readonly Address[]): SimNode | undefined {
    const address = addresses[0]
    return address?.length === 4 ? this.nodes[readU32(address, 0)] : undefined
  }

  // Plumbing.

  #identitySeed(node: SimNode): Uint8Array {
    return keysFrom(this.#options.streams.stream(`identity/${node.index}/${node.identity}`)).bytes(32)
  }

  #fold(node: SimNode, effect: number, link: number, length: number, detail: number): void {
    this.digest.fold(this.now, node.index, effect, link, length ^ detail)
    if (this.recorder !== undefined) {
      this.recorder(
        `${(this.now / 1e6).toFixed(6)} s node ${node.index} ${EFFECT_NAMES[effect]} link ${link} ` +
          `length ${length} detail ${detail >>> 0}`,
      )
    }
  }
}

export function addressOf(node: number): Address {
  const address = new Uint8Array(4)
  writeU32(address, 0, node)
  return address
}
