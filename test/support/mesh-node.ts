/** One life of a node in the mesh-only world: its membership, its links, and what it was told. */
import { type NodeConfig, nodeConfig } from '../../core/config.ts'
import { type Context, Deadline } from '../../core/context.ts'
import { Counters } from '../../core/counters.ts'
import type { Dice } from '../../core/dice.ts'
import { peerKey } from '../../core/ids.ts'
import {
  type CloseReason,
  type LinkId,
  type Micros,
  NEVER,
  type PeerId,
  type Reachability,
} from '../../core/io.ts'
import type { Link, LinkPort } from '../../core/links/link.ts'
import { Membership, type NeighbourListener } from '../../core/mesh/membership.ts'
import { Outbox } from '../../core/outbox.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { WIRE_OVERHEAD_BYTES } from '../../core/wire/trunk.ts'

/** What lies between the nodes. */
export interface Wires {
  carry(from: MeshNode, link: Link, packet: Uint8Array): void
  hungUp(from: MeshNode, link: Link): void
}

export interface Birth {
  readonly index: number
  readonly peer: PeerId
  readonly reach: Reachability
  readonly config: Partial<NodeConfig>
  readonly dice: Dice
}

/** What one life of a node is made of; a restart makes a new one. */
export class MeshNode implements LinkPort, NeighbourListener {
  readonly index: number
  readonly peer: PeerId
  readonly reach: Reachability
  readonly config: NodeConfig
  readonly counters = new Counters()
  readonly out = new Outbox()
  readonly deadline = new Deadline()
  readonly mesh: Membership
  readonly links = new Map<LinkId, Link>()
  readonly #world: Wires
  alive = true
  armed: Micros = NEVER
  ups = 0
  downs = 0
  /** Why this end hung up, oldest first. */
  readonly closed: CloseReason[] = []
  /** Bytes on the wire of all membership messages, headers included, by kind. */
  readonly sentBytes = new Map<number, number>()

  constructor(world: Wires, birth: Birth) {
    this.#world = world
    this.index = birth.index
    this.peer = birth.peer
    this.reach = birth.reach
    this.config = nodeConfig(birth.config)
    const { peer, dice } = birth
    const context = {
      self: peer,
      selfKey: peerKey(peer),
      selfSeed: new Uint8Array(32),
      boot: 1,
      config: this.config,
      crypto: undefined as never,
      keys: undefined as never,
      dice,
      counters: this.counters,
      out: this.out,
      deadline: this.deadline,
    } satisfies Context
    this.mesh = new Membership(context, this, this)
  }

  get(id: LinkId): Link | undefined {
    return this.links.get(id)
  }

  byPeer(peer: PeerId): Link | undefined {
    for (const link of this.links.values()) if (link.peer === peer) return link
    return undefined
  }

  all(): readonly Link[] {
    return [...this.links.values()]
  }

  neighbours(): Link[] {
    return this.all().filter((link) => link.neighbour)
  }

  control(_now: Micros, link: Link, packet: Uint8Array): void {
    if (this.links.get(link.id) !== link) return
    const kind = packet[1] as number
    this.sentBytes.set(kind, (this.sentBytes.get(kind) ?? 0) + packet.length + WIRE_OVERHEAD_BYTES)
    this.#world.carry(this, link, packet)
  }

  data(): boolean {
    throw new Error('membership sends no data')
  }

  expect(): void {}
  ask(): void {}

  setTreeUse(_now: Micros, link: Link, used: boolean): void {
    link.treeUse = used
  }

  hangUp(now: Micros, link: Link, reason: CloseReason): void {
    if (this.links.get(link.id) !== link) return
    this.closed.push(reason)
    this.#world.hungUp(this, link)
    this.links.delete(link.id)
    this.mesh.linkClosed(now, link, reason)
  }

  neighbourUp(_now: Micros, link: Link): void {
    if (!link.neighbour || this.links.get(link.id) !== link)
      throw new Error('neighbourUp of a link that is none')
    this.ups += 1
  }

  neighbourDown(_now: Micros, link: Link): void {
    if (!link.neighbour) throw new Error('neighbourDown of a link that was none')
    this.downs += 1
  }

  shuffleBytes(): number {
    return (this.sentBytes.get(KIND.shuffle) ?? 0) + (this.sentBytes.get(KIND.shuffleReply) ?? 0)
  }
}

/** Sizes of the parts of the graph, largest first; an edge is a link that both ends hold for a neighbour. */
export function partsOf(nodes: readonly MeshNode[]): number[] {
  const byPeer = new Map(nodes.map((node) => [node.peer, node]))
  const left = new Set(nodes)
  const sizes: number[] = []
  for (const first of left) {
    const found = [first]
    left.delete(first)
    for (let next = 0; next < found.length; next++) {
      for (const link of (found[next] as MeshNode).neighbours()) {
        const other = byPeer.get(link.peer)
        if (other === undefined || !left.has(other) || other.get(link.id)?.neighbour !== true) continue
        left.delete(other)
        found.push(other)
      }
    }
    sizes.push(found.length)
  }
  return sizes.sort((a, b) => b - a)
}

export function lopsidedOf(nodes: readonly MeshNode[]): number {
  const byPeer = new Map(nodes.map((node) => [node.peer, node]))
  const alone = (link: Link): boolean => byPeer.get(link.peer)?.get(link.id)?.neighbour !== true
  return nodes.reduce((count, node) => count + node.neighbours().filter(alone).length, 0)
}
