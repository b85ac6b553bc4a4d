/**
 * The trunks of the simulated world: which machines are joined, what is in flight between them, what
 * each end believes. Lanes decide when something arrives; this carries it there. It knows nothing of
 * what packets say.
 *
 * A trunk's end is numbered trunk × 2 + side; that is the link id its machine sees. The dialler is side 0.
 */
import {
  CHANNEL,
  type Channel,
  CLOSE,
  type CloseReason,
  type Hop,
  type LinkId,
  MILLISECOND,
  type Micros,
  NEVER,
  SECOND,
} from '../core/io.ts'
import { CONTROL_HOP, WIRE_OVERHEAD_BYTES } from '../core/wire/trunk.ts'
import type { CompiledConditions } from './links/conditions.ts'
import { DEAD_AFTER, DROP, Lane, LaneShared } from './links/lane.ts'
import type { LatencyModel } from './links/latency.ts'
import type { Partition } from './links/partition.ts'
import type { SimNode } from './node.ts'

/** A crash is seen by the operating system of the other end within this time, where it is seen (text (c)). */
const REPORT_DELAY: Micros = 75 * MILLISECOND
/** How much later a replaying relay sends a packet again. */
const REPLAY_AFTER: Micros = 3 * SECOND

export type Side = 0 | 1

/** Why a packet that carried a frame ended in the link model, beyond the reasons of a lane. */
export const LOST = { ...DROP, corrupted: 10, processor: 11 } as const

/** Plain fields and bits, no arrays of two: each packet comes by here and seldom finds it in a cache. */
export class Trunk {
  readonly id: number
  readonly #dialler: SimNode
  readonly #target: SimNode
  /** Out of each end. */
  readonly #fromDialler: Lane
  readonly #fromTarget: Lane
  /** What each end believes, a bit each. */
  #up = 0b11
  #neighbour = 0
  /** The channels that were told to wait: two bits for each end. */
  #waiting = 0
  /** Control packets that a cut path holds back, by sending end, and since when. */
  #held: [Held, Held] | undefined
  /** Its end is scheduled. */
  severed = false

  constructor(id: number, dialler: SimNode, target: SimNode, fromDialler: Lane, fromTarget: Lane) {
    this.id = id
    this.#dialler = dialler
    this.#target = target
    this.#fromDialler = fromDialler
    this.#fromTarget = fromTarget
  }

  node(side: Side): SimNode {
    return side === 0 ? this.#dialler : this.#target
  }

  lane(side: Side): Lane {
    return side === 0 ? this.#fromDialler : this.#fromTarget
  }

  isUp(side: Side): boolean {
    return (this.#up & (1 << side)) !== 0
  }

  /** One end knows that the trunk is gone; true if both do. */
  endDown(side: Side): boolean {
    this.#up &= ~(1 << side)
    return this.#up === 0
  }

  /** Both ends call each other neighbours. */
  get joined(): boolean {
    return this.#neighbour === 0b11
  }

  setNeighbour(side: Side, is: boolean): void {
    if (is) this.#neighbour |= 1 << side
    else this.#neighbour &= ~(1 << side)
  }

  isWaiting(side: Side, channel: Channel): boolean {
    return (this.#waiting & (1 << (side * 2 + channel))) !== 0
  }

  setWaiting(side: Side, channel: Channel, is: boolean): void {
    const bit = 1 << (side * 2 + channel)
    this.#waiting = is ? this.#waiting | bit : this.#waiting & ~bit
  }

  isHolding(side: Side): boolean {
    return this.#held !== undefined && this.#held[side].packets.length > 0
  }

  held(side: Side): Held {
    this.#held ??= [
      { packets: [], since: 0 },
      { packets: [], since: 0 },
    ]
    return this.#held[side]
  }
}

interface Held {
  readonly packets: Uint8Array[]
  since: Micros
}

/** What trunks ask of the world. */
export interface TrunkWorld {
  readonly now: Micros
  /** The frame that the step under way carries; sends inherit it. */
  readonly currentFrame: number
  /** The frame of a packet that is sent in a step that carries none: it waited in its node. 0 if unknown. */
  lateFrame(packet: Uint8Array): number
  /** The step under way began at this machine's own port. */
  readonly injecting: boolean
  schedulePacket(at: Micros, end: number, slot: number): void
  scheduleHeldCheck(at: Micros, end: number): void
  scheduleReady(at: Micros, trunk: Trunk, side: Side, channel: Channel, ready: boolean): void
  linkModelDropped(frame: number, reason: number, from: SimNode, to: SimNode): void
  connected(a: SimNode, b: SimNode, up: boolean): void
}

export interface TrunkOptions {
  readonly latency: LatencyModel
  readonly partition: Partition
  readonly conditions: CompiledConditions
  /** Loss of a path's own, beyond the conditions. */
  readonly pathLoss: ((from: number, to: number) => number) | undefined
}

export class Trunks {
  /** What all lanes share; assign `shared.conditions` to change how they behave. */
  readonly shared: LaneShared
  readonly #world: TrunkWorld
  readonly #options: TrunkOptions
  /** By number. Numbers are never used again: a live one is found without a search. */
  readonly #trunks: (Trunk | undefined)[] = []
  #size = 0
  readonly #ofNode: Set<number>[] = []
  #next = 1
  // Packets in flight, by slot.
  readonly #bytes: (Uint8Array | undefined)[] = []
  readonly #on: (Trunk | undefined)[] = []
  readonly #hops: number[] = []
  readonly #frames: number[] = []
  readonly #copies: boolean[] = []
  /** The receiving machine's access line has been passed. */
  readonly #landed: boolean[] = []
  /** Access lines are limited, or have been. */
  #narrow = false
  /** Where no bytes are in flight but the news that the trunk has ended: why. */
  readonly #ended = new Map<number, CloseReason>()
  readonly #free: number[] = []

  constructor(world: TrunkWorld, options: TrunkOptions) {
    this.#world = world
    this.#options = options
    this.shared = new LaneShared(options.conditions)
  }

  get size(): number {
    return this.#size
  }

  get(id: number): Trunk | undefined {
    return this.#trunks[id]
  }

  addNode(): void {
    this.#ofNode.push(new Set())
  }

  count(node: SimNode): number {
    return this.#idsOf(node).size
  }

  of(node: SimNode): Trunk[] {
    return [...this.#idsOf(node)].map((id) => this.#trunks[id] as Trunk)
  }

  cut(from: SimNode, to: SimNode): boolean {
    return this.#options.partition.cut(from.index, to.index)
  }

  // The life of a trunk.

  connect(dialler: SimNode, target: SimNode): Trunk {
    const id = this.#next++
    const { latency, pathLoss } = this.#options
    const trunk = new Trunk(
      id,
      dialler,
      target,
      new Lane(latency.oneWay(dialler.index, target.index), this.shared, dialler.upLine),
      new Lane(latency.oneWay(target.index, dialler.index), this.shared, target.upLine),
    )
    if (pathLoss !== undefined) {
      trunk.lane(0).addLoss(pathLoss(dialler.index, target.index))
      trunk.lane(1).addLoss(pathLoss(target.index, dialler.index))
    }
    this.#trunks[id] = trunk
    this.#size += 1
    this.#idsOf(dialler).add(id)
    this.#idsOf(target).add(id)
    return trunk
  }

  /** The machine is gone. Other ends hear of it from their systems if `reported`, else never. */
  nodeGone(node: SimNode, reported: boolean): void {
    for (const trunk of this.of(node)) {
      const side: Side = trunk.node(0) === node ? 0 : 1
      const far = other(side)
      const delay =
        node.linkRandom.below(REPORT_DELAY) + this.#options.latency.oneWay(node.index, trunk.node(far).index)
      this.endDown(trunk, side)
      if (reported && trunk.isUp(far)) this.#tell(trunk, far, this.#world.now + delay, CLOSE.lost)
    }
  }

  /** One machine hangs up; the other hears of it behind what is still on its way. */
  hangUp(link: LinkId, reason: CloseReason): void {
    const trunk = this.#trunks[link >> 1]
    const side = (link & 1) as Side
    if (trunk === undefined || !trunk.isUp(side)) return
    const far = other(side)
    const node = trunk.node(side)
    const heard = trunk.isUp(far) && !this.cut(node, trunk.node(far)) && !trunk.isHolding(side)
    const depart = Math.max(this.#world.now, node.busyUntil)
    const at = heard ? trunk.lane(side).control(depart, WIRE_OVERHEAD_BYTES, node.linkRandom) : NEVER
    this.endDown(trunk, side)
    if (at !== NEVER) this.#tell(trunk, far, at, reason)
  }

  /** Ends a trunk for good at both ends, now or later, as an interface that goes away does. */
  sever(trunk: Trunk, at: Micros = this.#world.now): void {
    if (trunk.severed) return
    trunk.severed = true
    for (const side of [0, 1] as const) {
      if (!trunk.isUp(side)) continue
      const delay = trunk.node(side).linkRandom.below(REPORT_DELAY)
      this.#tell(trunk, side, at + delay, CLOSE.lost)
    }
  }

  /** One end knows that the trunk is gone. When both do, the record goes. */
  endDown(trunk: Trunk, side: Side): void {
    if (!trunk.isUp(side)) return
    this.setNeighbour(trunk, side, false)
    this.#idsOf(trunk.node(side)).delete(trunk.id)
    if (!trunk.endDown(side)) return
    this.#trunks[trunk.id] = undefined
    this.#size -= 1
    trunk.lane(0).end()
    trunk.lane(1).end()
  }

  setNeighbour(trunk: Trunk, side: Side, is: boolean): void {
    const before = trunk.joined
    trunk.setNeighbour(side, is)
    const after = trunk.joined
    if (before !== after) this.#world.connected(trunk.node(0), trunk.node(1), after)
  }

  // Packets.

  // HOT PATH
  send(node: SimNode, link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    const trunk = this.#trunks[link >> 1]
    const side = (link & 1) as Side
    if (trunk === undefined || !trunk.isUp(side)) return
    const depart = node.busyUntil > this.#world.now ? node.busyUntil : this.#world.now
    if (channel === CHANNEL.control) this.#sendControl(trunk, side, depart, packet)
    else this.#sendData(trunk, side, depart, hop, packet)
    if (this.shared.conditions.upPerByte > 0) this.#checkReady(trunk, side, channel)
  }

  /** The trunk that the packet travels on, alive or not. */
  trunkOf(slot: number): Trunk {
    return this.#on[slot] as Trunk
  }

  /** Undefined: no packet, but the news that the trunk has ended (`endOf`). */
  bytesOf(slot: number): Uint8Array | undefined {
    return this.#bytes[slot]
  }

  endOf(slot: number): CloseReason {
    return this.#ended.get(slot) as CloseReason
  }

  hopOf(slot: number): Hop {
    return this.#hops[slot] as Hop
  }

  /** Number of the frame that the packet carries, 0 for none or unknown. */
  frameOf(slot: number): number {
    return this.#frames[slot] as number
  }

  isCopy(slot: number): boolean {
    return this.#copies[slot] as boolean
  }

  /**
   * When a packet that reached the receiving machine's access line is through it; NEVER if the line's
   * queue is full, which only data meets: a stream's sender slows down instead.
   */
  landAt(slot: number, node: SimNode, channel: Channel): Micros {
    const { now } = this.#world
    const { downPerByte, queue } = this.shared.conditions
    if (downPerByte > 0) this.#narrow = true
    // A line that is free of its limit still lets nothing pass what waits in it.
    if (!this.#narrow || this.#landed[slot] === true) return now
    this.#landed[slot] = true
    if (channel === CHANNEL.data && node.downLine.backlog(now) > queue) return NEVER
    const bytes = (this.bytesOf(slot)?.length ?? 0) + WIRE_OVERHEAD_BYTES
    return Math.ceil(node.downLine.pass(now, bytes, downPerByte))
  }

  release(slot: number): void {
    if (this.#bytes[slot] === undefined) this.#ended.delete(slot)
    this.#bytes[slot] = undefined
    this.#on[slot] = undefined
    this.#free.push(slot)
  }

  /** A cut was healed: held-back control packets try again. */
  pathsChanged(): void {
    for (const trunk of this.#trunks) {
      if (trunk === undefined) continue
      for (const side of [0, 1] as const) if (trunk.isHolding(side)) this.#letGo(trunk, side)
    }
  }

  /** mesh:M14: a control channel that got nothing through for 10 s is dead. */
  heldTooLong(end: number): void {
    const trunk = this.#trunks[end >> 1]
    const side = (end & 1) as Side
    if (trunk === undefined || !trunk.isHolding(side)) return
    if (trunk.held(side).since + DEAD_AFTER <= this.#world.now) this.sever(trunk)
  }

  // HOT PATH
  #sendControl(trunk: Trunk, side: Side, depart: Micros, packet: Uint8Array): void {
    const node = trunk.node(side)
    const far = other(side)
    if (trunk.isHolding(side) || this.cut(node, trunk.node(far))) {
      this.#hold(trunk, side, packet)
      return
    }
    const at = trunk.lane(side).control(depart, packet.length + WIRE_OVERHEAD_BYTES, node.linkRandom)
    if (at === NEVER) this.sever(trunk, trunk.lane(side).deadAt)
    else this.#fly(trunk, far, CHANNEL.control, at, CONTROL_HOP, packet, 0, false)
  }

  // HOT PATH
  #sendData(trunk: Trunk, side: Side, depart: Micros, hop: Hop, packet: Uint8Array): void {
    const node = trunk.node(side)
    const far = other(side)
    const frame = this.#world.currentFrame || this.#world.lateFrame(packet)
    if (this.cut(node, trunk.node(far))) {
      if (frame !== 0) this.#world.linkModelDropped(frame, LOST.cut, node, trunk.node(far))
      return
    }
    if (
      node.malice !== undefined &&
      !this.#world.injecting &&
      this.#misbehaves(trunk, side, depart, hop, packet, frame)
    )
      return
    const lane = trunk.lane(side)
    const copies = lane.data(depart, packet.length + WIRE_OVERHEAD_BYTES, node.linkRandom)
    if (copies === 0) {
      if (frame !== 0) this.#world.linkModelDropped(frame, lane.dropReason, node, trunk.node(far))
      return
    }
    let bytes = packet
    if (lane.corrupted) {
      bytes = flipped(packet, node.linkRandom.below(packet.length * 8))
      if (frame !== 0) this.#world.linkModelDropped(frame, LOST.corrupted, node, trunk.node(far))
    }
    const { second } = lane
    this.#fly(trunk, far, CHANNEL.data, lane.first, hop, bytes, frame, false)
    if (copies > 1) this.#fly(trunk, far, CHANNEL.data, second, hop, packet, frame, true)
  }

  /** A node made to misbehave with what it relays; true if the packet goes no further by itself. */
  #misbehaves(
    trunk: Trunk,
    side: Side,
    depart: Micros,
    hop: Hop,
    packet: Uint8Array,
    frame: number,
  ): boolean {
    const node = trunk.node(side)
    if (node.malice === 'drop') return true
    const lane = trunk.lane(side)
    if (lane.data(depart, packet.length + WIRE_OVERHEAD_BYTES, node.linkRandom) === 0)
      return node.malice === 'corrupt'
    if (node.malice === 'replay') {
      this.#fly(trunk, other(side), CHANNEL.data, lane.first + REPLAY_AFTER, hop, packet, frame, true)
      return false
    }
    const bytes = flipped(packet, node.linkRandom.below(packet.length * 8))
    this.#fly(trunk, other(side), CHANNEL.data, lane.first, hop, bytes, frame, false)
    return true
  }

  // HOT PATH
  #fly(
    trunk: Trunk,
    to: Side,
    channel: Channel,
    at: Micros,
    hop: Hop,
    bytes: Uint8Array | undefined,
    frame: number,
    copy: boolean,
  ): number {
    const slot = this.#free.length > 0 ? (this.#free.pop() as number) : this.#bytes.length
    this.#bytes[slot] = bytes
    this.#on[slot] = trunk
    this.#hops[slot] = hop
    this.#frames[slot] = frame
    this.#copies[slot] = copy
    this.#landed[slot] = false
    this.#world.schedulePacket(at, (trunk.id * 2 + to) * 2 + channel, slot)
    return slot
  }

  /** The news that the trunk has ended goes the way of packets, so that it overtakes none. */
  #tell(trunk: Trunk, side: Side, at: Micros, reason: CloseReason): void {
    const slot = this.#fly(trunk, side, CHANNEL.control, at, CONTROL_HOP, undefined, 0, false)
    this.#ended.set(slot, reason)
  }

  /** A cut path keeps control packets, as a stream's retransmission does, until it heals or is given up. */
  #hold(trunk: Trunk, side: Side, packet: Uint8Array): void {
    if (!trunk.isHolding(side)) {
      trunk.held(side).since = this.#world.now
      this.#world.scheduleHeldCheck(this.#world.now + DEAD_AFTER, trunk.id * 2 + side)
    }
    trunk.held(side).packets.push(packet)
  }

  #letGo(trunk: Trunk, side: Side): void {
    const node = trunk.node(side)
    if (this.cut(node, trunk.node(other(side)))) return
    const packets = trunk.held(side).packets.splice(0)
    // Retransmission timers have backed off: the first packet passes within as long as the cut lasted.
    const { now } = this.#world
    const backedOff = Math.min(now - trunk.held(side).since, DEAD_AFTER)
    trunk.lane(side).clog(now + node.linkRandom.below(Math.max(1, backedOff)), false)
    for (const packet of packets) this.#sendControl(trunk, side, now, packet)
  }

  /** A sender whose line is full is told to wait, and told when it may go on. */
  #checkReady(trunk: Trunk, side: Side, channel: Channel): void {
    const { now } = this.#world
    const ready = trunk.lane(side).readyAt(now, channel)
    if (ready <= now || trunk.isWaiting(side, channel)) return
    trunk.setWaiting(side, channel, true)
    this.#world.scheduleReady(now, trunk, side, channel, false)
    this.#world.scheduleReady(ready, trunk, side, channel, true)
  }

  #idsOf(node: SimNode): Set<number> {
    return this.#ofNode[node.index] as Set<number>
  }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0
}

function flipped(packet: Uint8Array, bit: number): Uint8Array {
  const bytes = packet.slice()
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return bytes
}
