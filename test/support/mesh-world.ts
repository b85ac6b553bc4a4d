/**
 * A small world for membership alone: links with delays, dials that depend on the NAT classes of both
 * ends, crashes, restarts and leaves. One event queue, one seed; no trees and no data.
 */
import type { NodeConfig } from '../../core/config.ts'
import { peerIdOf, peerKey } from '../../core/ids.ts'
import {
  type Address,
  CLOSE,
  type CloseReason,
  type LinkId,
  MILLISECOND,
  type Micros,
  NEVER,
  type PeerHint,
  type PeerId,
  REACHABILITY,
  type Reachability,
  SECOND,
} from '../../core/io.ts'
import { CAPABILITY, Link } from '../../core/links/link.ts'
import { EventQueue } from '../../sim/queue.ts'
import { type Random, Streams } from '../../sim/random.ts'
import { lopsidedOf, MeshNode, partsOf, type Wires } from './mesh-node.ts'

/** Share of dials to a punchable peer that succeed. */
const PUNCH_SUCCESS = 0.7
const DIAL_TIMEOUT: Micros = 3 * SECOND
/** A crash is noticed by a neighbour within this time, uniformly. */
const CRASH_NOTICED: Micros = 2_500 * MILLISECOND
const HELLO_PERIOD: Micros = 20 * SECOND
/** An address of the usual size: IPv4 and port with their multiaddr codes. */
const ADDRESS_BYTES = 8

interface Place {
  readonly x: number
  readonly y: number
}

interface Trunk {
  readonly ends: readonly [MeshNode, MeshNode]
  readonly rtt: Micros
  /** Control arrives in order: nothing to an end overtakes this. */
  readonly lastAt: [Micros, Micros]
}

/** Whether two nodes cannot reach each other. */
type Cut = (a: number, b: number) => boolean

export interface Join {
  readonly reach?: Reachability
  readonly config?: Partial<NodeConfig>
  /** Indices of the nodes to bootstrap from. */
  readonly contacts?: readonly number[]
}

export class MeshWorld implements Wires {
  now: Micros = 0
  readonly dice: Random
  readonly nodes: MeshNode[] = []
  readonly #places: Place[] = []
  readonly #joins: Join[] = []
  readonly #trunks = new Map<LinkId, Trunk>()
  readonly #queue = new EventQueue()
  readonly #events = new Map<number, () => void>()
  readonly #byPeer = new Map<PeerId, number>()
  /** Dials to an address that is no longer the peer's. */
  misrouted = 0
  /** Who dialled whom, oldest first. */
  readonly dialled: { readonly from: number; readonly to: number; readonly at: Micros }[] = []
  /** What nodes said to intruders. */
  readonly told: Uint8Array[] = []
  #cut: Cut | undefined
  readonly #moves: number[] = []
  #eventIds = 0
  #linkIds = 0
  #births = 0

  constructor(seed: number) {
    this.dice = new Streams(seed).stream('mesh')
  }

  /** A new node that joins now. Round trips are 20 to 160 ms, mostly by distance. */
  add(join: Join = {}): number {
    const index = this.nodes.length
    const key = Uint8Array.from({ length: 32 }, () => this.dice.below(256))
    const peer = peerIdOf(key)
    this.#places.push({ x: this.dice.unit() * 100, y: this.dice.unit() * 100 })
    this.#joins.push(join)
    this.#byPeer.set(peer, index)
    this.nodes.push(this.#born(index, peer))
    this.#start(index)
    return index
  }

  hint(index: number): PeerHint {
    const { peer, reach } = this.node(index)
    return { peer, addresses: [this.address(index)], reach }
  }

  node(index: number): MeshNode {
    return this.nodes[index] as MeshNode
  }

  /** Names the node and how often it has moved. */
  address(index: number): Address {
    const address = new Uint8Array(ADDRESS_BYTES)
    const view = new DataView(address.buffer)
    view.setUint32(0, index)
    view.setUint32(4, this.#moves[index] ?? 0)
    return address
  }

  /** The node has another address from now on; its links stay. */
  move(index: number): void {
    const node = this.node(index)
    this.#moves[index] = (this.#moves[index] ?? 0) + 1
    this.step(node, () => node.mesh.addressesChanged(this.now, [this.address(index)], node.reach))
  }

  /** Ends all links across the line and fails dials across it; undefined heals. */
  split(cut: Cut | undefined): void {
    this.#cut = cut
    for (const [id, { ends }] of this.#trunks) {
      if (cut?.(ends[0].index, ends[1].index) !== true) continue
      this.#trunks.delete(id)
      for (const end of ends)
        this.at(this.now + this.dice.below(CRASH_NOTICED), () => this.#down(end, id, CLOSE.dead))
    }
  }

  /** Marks both ends of a link as in use by a tree. */
  useInTree(node: MeshNode, link: Link): void {
    const other = this.node(this.indexOf(link.peer))
    link.treeUse = true
    const theirs = other.links.get(link.id)
    if (theirs !== undefined) theirs.treeUse = true
    if (node.links.get(link.id) !== link) throw new Error('that link is not of that node')
  }

  rtt(a: number, b: number): Micros {
    const from = this.#places[a] as Place
    const to = this.#places[b] as Place
    const distance = Math.sqrt((from.x - to.x) * (from.x - to.x) + (from.y - to.y) * (from.y - to.y))
    return Math.round((20 + distance) * MILLISECOND)
  }

  run(span: Micros): void {
    const end = this.now + span
    while (this.#queue.nextTime() <= end) {
      this.#queue.pop()
      this.now = this.#queue.time
      const id = this.#queue.a
      const event = this.#events.get(id)
      this.#events.delete(id)
      event?.()
    }
    this.now = end
  }

  /** Runs until the predicate holds, looking every 100 ms. Answers how long it took; fails after `limit`. */
  until(limit: Micros, holds: () => boolean): Micros {
    const begin = this.now
    while (!holds()) {
      if (this.now - begin >= limit) throw new Error(`not so after ${limit / SECOND} s`)
      this.run(100 * MILLISECOND)
    }
    return this.now - begin
  }

  at(time: Micros, event: () => void): void {
    this.#eventIds += 1
    this.#events.set(this.#eventIds, event)
    this.#queue.push(Math.max(time, this.now), 0, this.#eventIds, 0)
  }

  /** Gone without a word; neighbours notice later. */
  crash(index: number): void {
    const node = this.node(index)
    node.alive = false
    for (const [id, trunk] of this.#trunks) {
      if (!trunk.ends.includes(node)) continue
      this.#trunks.delete(id)
      for (const end of trunk.ends) {
        if (end !== node)
          this.at(this.now + this.dice.below(CRASH_NOTICED), () => this.#down(end, id, CLOSE.dead))
      }
    }
  }

  /** The same identity with nothing remembered. */
  restart(index: number): void {
    const old = this.node(index)
    if (old.alive) this.crash(index)
    this.nodes[index] = this.#born(index, old.peer)
    this.#start(index)
  }

  leave(index: number): void {
    const node = this.node(index)
    this.step(node, () => node.mesh.leave(this.now))
    node.alive = false
  }

  /** One input to a node: its effects and its alarm follow. */
  step(node: MeshNode, input: () => void): void {
    if (!node.alive) return
    input()
    node.out.drain({
      dial: (peer, addresses) => this.#dial(node, peer, addresses),
      send: unexpected,
      deliver: unexpected,
      hangUp: unexpected,
      start: unexpected,
      store: unexpected,
      note: unexpected,
    })
    const due = node.deadline.at
    if (due >= node.armed) return
    node.armed = due
    this.at(due, () => this.#wake(node, due))
  }

  carry(from: MeshNode, link: Link, packet: Uint8Array): void {
    const trunk = this.#trunks.get(link.id)
    if (trunk === undefined) {
      this.told.push(packet)
      return
    }
    const [a, b] = trunk.ends
    const side = from === a ? 1 : 0
    const to = side === 1 ? b : a
    const at = Math.max(this.now + trunk.rtt / 2, trunk.lastAt[side])
    trunk.lastAt[side] = at
    this.at(at, () => {
      const theirs = to.links.get(link.id)
      if (theirs === undefined) return
      this.step(to, () => to.mesh.onMessage(this.now, theirs, packet[1] as number, packet))
    })
  }

  /** One end ended the link: the other hears of it behind all that was sent before. */
  hungUp(from: MeshNode, link: Link): void {
    const trunk = this.#trunks.get(link.id)
    if (trunk === undefined) return
    this.#trunks.delete(link.id)
    const side = from === trunk.ends[0] ? 1 : 0
    const at = Math.max(this.now + trunk.rtt / 2, trunk.lastAt[side])
    this.at(at, () => this.#down(trunk.ends[side], link.id, CLOSE.lost))
  }

  /** A peer outside the mesh, a new one if none is named, opens a link to the node and says what it likes. */
  intrude(index: number, reach: Reachability = 0, capabilities = 1, peer?: PeerId): Link {
    const node = this.node(index)
    const stranger = peer ?? peerIdOf(Uint8Array.from({ length: 32 }, () => this.dice.below(256)))
    const link = this.#link(node, stranger, this.#nextLink(), false)
    link.reach = reach
    link.capabilities = capabilities
    link.rtt = 50 * MILLISECOND
    this.step(node, () => node.mesh.linkOpen(this.now, link))
    return link
  }

  living(): MeshNode[] {
    return this.nodes.filter((node) => node.alive)
  }

  /** Sizes of the parts of the graph of living nodes, largest first. */
  parts(): number[] {
    return partsOf(this.living())
  }

  /** Links that only one of two living ends holds for a neighbour. */
  lopsided(): number {
    return lopsidedOf(this.living())
  }

  degrees(): number[] {
    return this.living().map((node) => node.neighbours().length)
  }

  indexOf(peer: PeerId): number {
    return this.#byPeer.get(peer) as number
  }

  #born(index: number, peer: PeerId): MeshNode {
    const { reach = REACHABILITY.public, config = {} } = this.#joins[index] as Join
    this.#births += 1
    return new MeshNode(this, { index, peer, reach, config, dice: this.dice.fork(`node/${this.#births}`) })
  }

  #start(index: number): void {
    const node = this.node(index)
    this.step(node, () => node.mesh.addressesChanged(this.now, [this.address(index)], node.reach))
    const { contacts } = this.#joins[index] as Join
    const hints = (contacts ?? []).map((contact) => this.hint(contact))
    this.step(node, () => node.mesh.bootstrap(this.now, hints))
  }

  #wake(node: MeshNode, due: Micros): void {
    if (node.armed !== due) return
    node.armed = NEVER
    node.deadline.at = NEVER
    this.step(node, () => {
      const next = node.mesh.wake(this.now)
      if (next <= this.now) throw new Error('a wake made no progress')
      node.deadline.lower(next)
    })
  }

  #dial(from: MeshNode, peer: PeerId, addresses: readonly Address[]): void {
    const index = this.#byPeer.get(peer) ?? -1
    this.dialled.push({ from: from.index, to: index, at: this.now })
    const target = this.nodes[index]
    const routed = addresses.some((address) => same(address, this.address(index)))
    if (!routed) this.misrouted += 1
    const lucky = target?.reach !== REACHABILITY.punchable || this.dice.unit() < PUNCH_SUCCESS
    const cut = this.#cut?.(from.index, index) === true
    const failed = (): void => this.step(from, () => from.mesh.dialFailed(this.now, peer))
    if (!target?.alive || !routed || !lucky || cut || target.reach === REACHABILITY.private) {
      this.at(this.now + DIAL_TIMEOUT, failed)
      return
    }
    const span = Math.round(this.rtt(from.index, index) * (3 + this.dice.unit())) + 5 * MILLISECOND
    this.at(this.now + span, () => {
      if (!from.alive) return
      if (target.alive) this.#connect(from, target)
      else failed()
    })
  }

  /** The trunk is up; HELLOs cross, then their echoes, then one every period. */
  #connect(from: MeshNode, to: MeshNode): void {
    const id = this.#nextLink()
    const rtt = this.rtt(from.index, to.index)
    this.#trunks.set(id, { ends: [from, to], rtt, lastAt: [this.now, this.now] })
    for (const [end, other] of [
      [from, to],
      [to, from],
    ] as const) {
      const link = this.#link(end, other.peer, id, end === from)
      link.reach = other.reach
      link.capabilities = other.config.relay ? CAPABILITY.relay : 0
      this.at(this.now + rtt / 2, () => {
        if (end.links.get(id) === link) this.step(end, () => end.mesh.linkOpen(this.now, link))
      })
      this.at(this.now + rtt + 1, () => this.#measure(end, other, link, rtt))
    }
  }

  #measure(end: MeshNode, other: MeshNode, link: Link, rtt: Micros): void {
    if (end.links.get(link.id) !== link || !end.alive) return
    link.rtt = rtt
    this.step(end, () => end.mesh.onHello(this.now, link, other.mesh.coordinates(), 0))
    this.at(this.now + HELLO_PERIOD, () => this.#measure(end, other, link, rtt))
  }

  #link(node: MeshNode, peer: PeerId, id: LinkId, dialled: boolean): Link {
    const link = new Link(id, peer, peerKey(peer), dialled, this.now)
    link.version = 1
    node.links.set(id, link)
    return link
  }

  #down(node: MeshNode, id: LinkId, reason: CloseReason): void {
    const link = node.links.get(id)
    if (link === undefined) return
    node.links.delete(id)
    this.step(node, () => node.mesh.linkClosed(this.now, link, reason))
  }

  #nextLink(): LinkId {
    this.#linkIds += 1
    return this.#linkIds as LinkId
  }
}

function same(a: Address, b: Address): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Contacts that know each other, then the rest evenly over the span; the world stands at its end. */
export function crowd(seed: number, count: number, contacts: number, span: Micros): MeshWorld {
  const world = new MeshWorld(seed)
  const known = Array.from({ length: contacts }, (_, index) => index)
  for (const contact of known) world.add({ contacts: known.slice(0, contact) })
  for (let index = contacts; index < count; index++) {
    world.at(Math.round((index * span) / count), () => world.add({ contacts: known }))
  }
  world.run(span)
  return world
}

function unexpected(): never {
  throw new Error('membership asks for dials only; links are asked directly')
}
