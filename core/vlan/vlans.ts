/**
 * VLANs of a node: its ports, the registrations it keeps for itself and others, and the switch between
 * them. This folder knows links by their records and trees by roles and uppers; how links live and how
 * roles come about is none of its business.
 *
 *     ports      port.ts       frames, keys, MACs, groups
 *     registry   registry.ts   who listens where (B1–B4), one for each tree
 *     switch     forward.ts    where a packet goes (B5, B6), one for each tree
 *
 * Direct trunks (B8) and the choice among several trees (B9) are not in this version: tokens are
 * registered in every tree and accepted from any, and packets leave on the first.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { assert, UsageError } from '../errors.ts'
import { hex, type Mac } from '../ids.ts'
import {
  type Hop,
  type LinkId,
  type Micros,
  NEVER,
  type PortId,
  type RelayPolicy,
  type TreeRole,
  type VlanMembership,
  type VlanView,
  type WayView,
} from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import type { Tree } from '../tree/tree.ts'
import { KIND } from '../wire/kinds.ts'
import { idIs } from '../wire/packet.ts'
import { hopTree } from '../wire/trunk.ts'
import { Forwarder } from './forward.ts'
import { decodeOthers, decodeRefused, decodeRegister } from './messages.ts'
import { CompiledPolicy } from './policy.ts'
import { Port, type PortTrees } from './port.ts'
import { Registry } from './registry.ts'
import { type Sealing, StaticSealing } from './sealing.ts'
import type { Vlan } from './state.ts'

/** Interfaces of one node: more than a machine has use for. Guess. */
const PORTS_MAX = 256

/** One tree's share of this node's VLANs. */
interface Plane {
  readonly tree: Tree
  readonly registry: Registry
  readonly forwarder: Forwarder
}

export class Vlans implements PortTrees {
  readonly #context: Context
  readonly #planes: Plane[]
  readonly #ports = new Map<PortId, Port>()

  /** `trees`: all that the node will have, in the order of their ids. */
  constructor(context: Context, links: LinkPort, trees: readonly Tree[]) {
    this.#context = context
    this.#planes = trees.map((tree, index) => {
      assert(tree.id === index, `tree ${tree.id} stands in place ${index}`)
      const registry = new Registry(context, links, tree)
      return { tree, registry, forwarder: new Forwarder(context, registry.tables, links) }
    })
    assert(this.#planes.length > 0, 'a node has at least one tree')
  }

  // Data plane.

  // HOT PATH
  /** From the local interface. */
  frame(now: Micros, port: PortId, frame: Uint8Array): void {
    const member = this.#ports.get(port)
    if (member === undefined) this.#context.counters.add(COUNT.dropNoPort)
    else member.frame(now, frame)
  }

  // HOT PATH
  /** From a neighbour's data channel. */
  packet(now: Micros, link: Link, hop: Hop, bytes: Uint8Array): void {
    const plane = this.#planes[hopTree(hop)]
    if (plane === undefined) this.#context.counters.add(COUNT.dropLinkNotOpen)
    else plane.forwarder.packet(now, link, plane.tree.role(link.id), hop, bytes)
  }

  // Neighbours.

  /** A link without a role is nothing to VLANs yet. */
  linkUp(_now: Micros, _link: Link): void {}

  linkDown(now: Micros, link: Link): void {
    for (const { registry } of this.#planes) registry.linkDown(now, link)
  }

  /** This end's half of the link changed; `none` ends all that hung on the earlier role. */
  roleChanged(now: Micros, tree: number, link: Link, role: TreeRole): void {
    this.#planes[tree]?.registry.roleChanged(now, link, role)
  }

  /** REG, OTHERS or REG-REFUSED, version and type checked, body not. */
  onMessage(now: Micros, link: Link, kind: number, packet: Uint8Array): void {
    if (kind === KIND.register) {
      const message = decodeRegister(packet)
      const plane = this.#planeOf(message)
      if (message !== undefined) plane?.registry.onRegister(now, link, message)
    } else if (kind === KIND.others) {
      const message = decodeOthers(packet)
      const plane = this.#planeOf(message)
      if (message !== undefined) plane?.registry.onOthers(now, link, message)
    } else {
      const message = decodeRefused(packet)
      const plane = this.#planeOf(message)
      if (message !== undefined) plane?.registry.onRefused(now, link, message)
    }
  }

  // Commands. A wrong call is a UsageError.

  openPort(now: Micros, id: PortId, membership: VlanMembership): void {
    this.#mustBeFree(id)
    const taken = (mac: Mac, vlan: Uint8Array): boolean => this.isTaken(mac, vlan, id)
    const { crypto, keys, counters } = this.#context
    const sealing = new StaticSealing({ now, crypto, keys, counters, membership, taken })
    this.#open(now, id, sealing).useTokens(now, sealing.book)
    this.#context.out.note({ kind: 'portUp', port: id, vlan: hex(sealing.vlan), mac: sealing.mac })
    this.settle(now)
  }

  /** A port that is sealed elsewhere: it listens to nothing before it is given tokens. */
  openSealed(now: Micros, id: PortId, sealing: Sealing): Port {
    this.#mustBeFree(id)
    return this.#open(now, id, sealing)
  }

  #open(now: Micros, id: PortId, sealing: Sealing): Port {
    const { secret } = (this.#planes[0] as Plane).registry.tables
    const port = new Port(now, this.#context, this, id, sealing, secret)
    this.#ports.set(id, port)
    port.homes = this.#planes.map(({ registry }) => registry.join(now, port.vlan, port, port.certified))
    return port
  }

  #mustBeFree(id: PortId): void {
    if (this.#ports.has(id))
      throw new UsageError(`port ${id} is open; close it first or choose another number`)
    if (this.#ports.size >= PORTS_MAX) {
      this.#context.counters.add(COUNT.boundPorts)
      throw new UsageError(`${PORTS_MAX} ports are open, the most a node may have; close one first`)
    }
  }

  closePort(now: Micros, id: PortId): void {
    const port = this.#port(id)
    this.#close(port)
    this.settle(now)
  }

  /** Takes the multicast group with that MAC, in addition to those that hosts behind the port join. */
  joinGroup(now: Micros, id: PortId, mac: Mac): void {
    this.#port(id).joinGroup(now, mac)
    this.settle(now)
  }

  leaveGroup(now: Micros, id: PortId, mac: Mac): void {
    this.#port(id).leaveGroup(mac)
    this.settle(now)
  }

  /** Existing registrations are judged anew; lowers that are shut out are told. */
  setPolicy(now: Micros, policy: RelayPolicy): void {
    const compiled = new CompiledPolicy(policy)
    for (const { registry } of this.#planes) registry.setPolicy(now, compiled)
  }

  /** All ports close and all uppers hear of it; links are about to be hung up. */
  leave(now: Micros): void {
    for (const port of [...this.#ports.values()]) this.#close(port)
    this.settle(now)
  }

  wake(now: Micros): Micros {
    // Each part asks for what it lowers meanwhile by what it answers.
    let next = NEVER
    for (const port of this.#ports.values()) next = Math.min(next, port.wake(now))
    for (const { registry } of this.#planes) next = Math.min(next, registry.wake(now))
    return next
  }

  // Questions.

  /** Whether a port other than this one has the MAC in the VLAN of that 16-byte id. */
  isTaken(mac: Mac, vlan: Uint8Array, except: PortId): boolean {
    for (const port of this.#ports.values())
      if (port.id !== except && port.mac === mac && idIs(port.vlan, 0, vlan)) return true
    return false
  }

  /** Whether this node carries the VLAN of that 16-byte id for others now, in the first tree. */
  carries(vlan: Uint8Array): boolean {
    const { tables } = (this.#planes[0] as Plane).registry
    return tables.find(vlan)?.carried ?? tables.policy.carries(vlan, false)
  }

  /** VLANs of the first tree that this node is in or carries, in the order they came. */
  view(): VlanView[] {
    const { tables } = (this.#planes[0] as Plane).registry
    const views: VlanView[] = []
    for (const vlan of tables.states) {
      if (vlan === undefined) continue
      const lowers: LinkId[] = vlan.lowers.map((lower) => lower.peer.link.id)
      const upper = vlan.upper?.peer.link.id
      views.push({
        vlan: vlan.text,
        member: vlan.members.length > 0,
        upper,
        lowers,
        tokens: vlan.tokens.size,
      })
    }
    return views
  }

  /** Where the first tree leads a frame from that port to that MAC. */
  wayTo(now: Micros, id: PortId, mac: Mac): WayView {
    const port = this.#port(id)
    const { forwarder } = this.#planes[0] as Plane
    const token = port.token(now, mac)
    if (token === undefined) return { token: undefined, here: false, lowers: [], upper: undefined }
    return { token: hex(token), ...forwarder.way(port.homes[0] as Vlan, token) }
  }

  // For the ports.

  hold(now: Micros, port: Port, token: Uint8Array, proof: Uint8Array | undefined): void {
    for (let tree = 0; tree < this.#planes.length; tree++) {
      const { registry } = this.#planes[tree] as Plane
      registry.hold(now, port.homes[tree] as Vlan, token, proof)
    }
  }

  release(port: Port, token: Uint8Array): void {
    for (let tree = 0; tree < this.#planes.length; tree++) {
      const { registry } = this.#planes[tree] as Plane
      registry.release(port.homes[tree] as Vlan, token)
    }
  }

  certify(port: Port): void {
    for (const home of port.homes) home.certified = true
  }

  settle(now: Micros): void {
    for (const { registry } of this.#planes) registry.settle(now)
  }

  // HOT PATH
  send(now: Micros, port: Port, hop: Hop, packet: Uint8Array): void {
    const plane = this.#planes[hopTree(hop)] as Plane
    plane.forwarder.send(now, port.homes[hopTree(hop)] as Vlan, port, hop, packet)
  }

  #port(id: PortId): Port {
    const port = this.#ports.get(id)
    if (port === undefined) throw new UsageError(`port ${id} is not open; open it first`)
    return port
  }

  #close(port: Port): void {
    this.#ports.delete(port.id)
    port.close()
    for (let tree = 0; tree < this.#planes.length; tree++) {
      const { registry } = this.#planes[tree] as Plane
      registry.leave(port.homes[tree] as Vlan, port)
    }
  }

  /** The tree a message is about; counts what is malformed or of a tree this node does not know. */
  #planeOf(message: { readonly tree: number } | undefined): Plane | undefined {
    const plane = message === undefined ? undefined : this.#planes[message.tree]
    if (plane === undefined) {
      this.#context.counters.add(message === undefined ? COUNT.dropMalformed : COUNT.dropUnexpected)
    }
    return plane
  }
}
