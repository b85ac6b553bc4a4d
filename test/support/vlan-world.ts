/**
 * A small world for the VLAN part alone: real `Vlans` on nodes whose trees are scripted by the test. Links
 * are first-in, first-out with a latency; who is whose upper is said, not negotiated. Data may be tapped,
 * control messages may be dropped, and everything follows from the seed.
 *
 *     const world = new VlanWorld(7)
 *     const [root, left, right] = world.tree([undefined, 0, 0])
 *     const ann = world.join(left, 'lab')
 *     world.run(10 * SECOND)
 *     world.broadcast(ann)
 */
import type { NodeConfig } from '../../core/config.ts'
import { BROADCAST_MAC, hex, type Mac, writeMac } from '../../core/ids.ts'
import {
  CHANNEL,
  type Channel,
  type Hop,
  type LinkId,
  MILLISECOND,
  type Micros,
  NEVER,
  type PortId,
  TREE_ROLE,
  type TreeRole,
  type VlanMembership,
} from '../../core/io.ts'
import { CAPABILITY, Link } from '../../core/links/link.ts'
import { readU32, writeU32 } from '../../core/wire/cursor.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { Stream, WorldNode } from './vlan-node.ts'

/** A member: a port on a node. */
export interface Member {
  readonly node: number
  readonly port: PortId
  readonly label: string
  readonly mac: Mac
}

export interface Delivery {
  readonly at: Micros
  readonly node: number
  readonly port: PortId
  /** The number that the sender put in. */
  readonly frame: number
}

/** A packet or message under way, as taps and filters see it. */
export interface Passing {
  readonly from: number
  readonly to: number
  readonly channel: Channel
  readonly hop: Hop
  readonly bytes: Uint8Array
}

interface Event {
  readonly at: Micros
  readonly order: number
  readonly run: () => void
}

const PAYLOAD_OFFSET = 14

export class VlanWorld {
  now: Micros = 0
  readonly nodes: WorldNode[] = []
  readonly deliveries: Delivery[] = []
  readonly random: Stream
  /** Every data packet that arrives; packets go by reference, so identity is equality. */
  onData: (passing: Passing) => void = () => {}
  /** Answers false to lose it. */
  passes: (passing: Passing) => boolean = () => true
  readonly #queue: Event[] = []
  #order = 0
  #nextLink = 1
  #nextPort = 1
  #nextFrame = 1

  constructor(seed: number) {
    this.random = new Stream(seed)
  }

  node(config: Partial<NodeConfig> = {}): number {
    const index = this.nodes.length
    this.nodes.push(new WorldNode(index, this.random.u32(), config))
    return index
  }

  /** One node for each entry, which names its upper; all links open. */
  tree(uppers: readonly (number | undefined)[], latency: Micros = 10 * MILLISECOND): number[] {
    const made = uppers.map(() => this.node())
    for (const [at, upper] of uppers.entries()) {
      if (upper !== undefined) this.attach(made[at] as number, made[upper] as number, latency)
    }
    return made
  }

  at(index: number): WorldNode {
    return this.nodes[index] as WorldNode
  }

  /** Both halves open; `preferred`: before the uppers that are there. */
  attach(lower: number, upper: number, latency: Micros = 10 * MILLISECOND, preferred = false): void {
    this.openHalf(upper, lower, TREE_ROLE.lower, latency)
    this.openHalf(lower, upper, TREE_ROLE.upper, latency, preferred)
  }

  /** One end takes the link into use; the link itself is made when the first end does. */
  openHalf(
    node: number,
    other: number,
    role: TreeRole,
    latency: Micros = 10 * MILLISECOND,
    preferred = false,
  ): void {
    const end = this.#linkBetween(node, other, latency)
    const { tree, vlans } = this.at(node)
    tree.roles.set(end.id, role)
    if (role === TREE_ROLE.upper)
      tree.upperLinks = preferred ? [end, ...tree.upperLinks] : [...tree.upperLinks, end]
    this.input(node, () => vlans.roleChanged(this.now, 0, end, role))
  }

  /** Both halves close; the link stays. */
  detach(lower: number, upper: number): void {
    this.closeHalf(lower, upper)
    this.closeHalf(upper, lower)
  }

  closeHalf(node: number, other: number): void {
    const end = this.link(node, other)
    const { tree, vlans } = this.at(node)
    tree.roles.delete(end.id)
    tree.upperLinks = tree.upperLinks.filter((each) => each !== end)
    this.input(node, () => vlans.roleChanged(this.now, 0, end, TREE_ROLE.none))
  }

  /** The link is gone at both ends, with what was under way on it. */
  cut(a: number, b: number): void {
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const end = this.link(node, other)
      const { tree, vlans, links } = this.at(node)
      links.delete(end.id)
      const had = tree.roles.delete(end.id)
      tree.upperLinks = tree.upperLinks.filter((each) => each !== end)
      this.input(node, () => {
        if (had) vlans.roleChanged(this.now, 0, end, TREE_ROLE.none)
        vlans.linkDown(this.now, end)
      })
    }
  }

  link(node: number, other: number): Link {
    for (const each of this.at(node).links.values()) if (each.to === other) return each.link
    throw new Error(`no link from ${node} to ${other}`)
  }

  /** Opens a port; members of one label share keys. */
  join(node: number, label: string, privacy: 'spec' | 'private' = 'private'): Member {
    const port = this.#nextPort++ as PortId
    const { vlans, events } = this.at(node)
    this.input(node, () => vlans.openPort(this.now, port, membership(label, privacy, this.random.bytes(32))))
    const up = events.findLast((event) => event.kind === 'portUp')
    if (up?.kind !== 'portUp') throw new Error('the port did not come up')
    return { node, port, label, mac: up.mac }
  }

  leave(member: Member): void {
    this.input(member.node, () => this.at(member.node).vlans.closePort(this.now, member.port))
  }

  /** Sends a frame and answers the number it carries. */
  send(from: Member, destination: Mac, source: Mac = from.mac, bytes = 64): number {
    const number = this.#nextFrame++
    const frame = ethernet(destination, source, bytes)
    writeU32(frame, PAYLOAD_OFFSET, number)
    this.input(from.node, () => this.at(from.node).vlans.frame(this.now, from.port, frame))
    return number
  }

  broadcast(from: Member): number {
    return this.send(from, BROADCAST_MAC)
  }

  /** Who got the frame, a name for each delivery. */
  received(frame: number): string[] {
    return this.deliveries
      .filter((each) => each.frame === frame)
      .map((each) => `${each.node}:${each.port}`)
      .sort()
  }

  /** One input to a node, then its effects. */
  input(node: number, act: () => void): void {
    act()
    this.#drain(this.at(node))
  }

  after(delay: Micros, run: () => void): void {
    this.#push(this.now + delay, run)
  }

  run(duration: Micros): void {
    const until = this.now + duration
    for (let event = this.#queue[0]; event !== undefined && event.at <= until; event = this.#queue[0]) {
      this.#queue.shift()
      this.now = event.at
      event.run()
    }
    this.now = until
  }

  view(node: number, label: string, privacy: 'spec' | 'private' = 'private') {
    const id = hex(vlanIdOf(label, privacy))
    return this.at(node)
      .vlans.view()
      .find((each) => each.vlan === id)
  }

  #drain(node: WorldNode): void {
    const { out, deadline } = node.context
    out.drain({
      deliver: (port, frame) =>
        this.deliveries.push({ at: this.now, node: node.index, port, frame: readU32(frame, PAYLOAD_OFFSET) }),
      send: (link, channel, hop, packet) => this.#carry(node, link, channel, hop, packet),
      dial: () => {},
      hangUp: () => {},
      start: () => {},
      store: () => {},
      note: (event) => node.events.push(event),
    })
    if (deadline.at >= node.wakeAt) return
    node.wakeAt = deadline.at
    this.#push(Math.max(this.now, deadline.at), () => this.#wake(node, deadline.at))
  }

  #wake(node: WorldNode, _asked: Micros): void {
    const { deadline } = node.context
    if (node.wakeAt > this.now) return
    node.wakeAt = NEVER
    if (deadline.at <= this.now) {
      deadline.at = NEVER
      deadline.lower(node.vlans.wake(this.now))
      if (deadline.at <= this.now)
        throw new Error(`node ${node.index}: a wake at ${this.now} made no progress`)
    }
    this.#drain(node)
  }

  #carry(from: WorldNode, link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    const lane = from.links.get(link)
    if (lane === undefined) return
    const passing = { from: from.index, to: lane.to, channel, hop, bytes }
    if (!this.passes(passing)) return
    this.after(lane.latency, () => this.#arrive(passing, lane.back))
  }

  #arrive(passing: Passing, link: LinkId): void {
    const { channel, hop, bytes } = passing
    const node = this.at(passing.to)
    const end = node.links.get(link)
    if (end === undefined) return
    if (channel === CHANNEL.data) this.onData(passing)
    this.input(passing.to, () => {
      if (channel === CHANNEL.data) node.vlans.packet(this.now, end.link, hop, bytes)
      else node.vlans.onMessage(this.now, end.link, bytes[1] as number, bytes)
    })
  }

  #linkBetween(node: number, other: number, latency: Micros): Link {
    for (const each of this.at(node).links.values()) if (each.to === other) return each.link
    const ids = [this.#nextLink++, this.#nextLink++] as LinkId[]
    const ends = [node, other] as const
    for (const side of [0, 1] as const) {
      const far = this.at(ends[1 - side] as number)
      const link = new Link(ids[side] as LinkId, far.context.self, far.context.selfKey, side === 0, this.now)
      link.neighbour = true
      if (far.context.config.relay) link.capabilities = CAPABILITY.relay
      this.at(ends[side]).links.set(link.id, { link, to: far.index, back: ids[1 - side] as LinkId, latency })
    }
    return this.link(node, other)
  }

  #push(at: Micros, run: () => void): void {
    const event = { at, order: this.#order++, run }
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#queue[middle] as Event).at <= at) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, event)
  }
}

/** Everything but the member key follows from the label. */
export function membership(
  label: string,
  privacy: 'spec' | 'private',
  memberKey: Uint8Array,
): VlanMembership {
  const random = new Stream(
    [...`${privacy} ${label}`].reduce((sum, each) => Math.imul(sum, 31) + each.charCodeAt(0), 7),
  )
  return {
    authorityKey: random.bytes(32),
    label,
    privacy,
    groupKey: random.bytes(32),
    salt: random.bytes(32),
    memberKey,
  }
}

export function vlanIdOf(label: string, privacy: 'spec' | 'private' = 'private'): Uint8Array {
  const { authorityKey } = membership(label, privacy, new Uint8Array(32))
  return standInCrypto.hash.hash16(Uint8Array.from([...authorityKey, ...new TextEncoder().encode(label)]))
}

/** A frame of an experimental ethertype, zeros inside. */
export function ethernet(destination: Mac, source: Mac, bytes = 64): Uint8Array {
  const frame = new Uint8Array(bytes)
  writeMac(frame, 0, destination)
  writeMac(frame, 6, source)
  frame.set([0x88, 0xb5], 12)
  return frame
}
