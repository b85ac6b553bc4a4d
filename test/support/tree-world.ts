/**
 * A small world for trees alone: nodes, links with latency, control channels in order with optional loss,
 * a HELLO that carries only the trees' summaries, cuts, crashes and restarts. One event queue, one seed.
 */
import type { NodeConfig } from '../../core/config.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { below, unit } from '../../core/dice.ts'
import { type LinkId, MILLISECOND, type Micros, NEVER, SECOND } from '../../core/io.ts'
import { CAPABILITY, Link } from '../../core/links/link.ts'
import { ALL_RULES, type SafetyRules } from '../../core/tree/state.ts'
import type { TreeSummary } from '../../core/tree/tree.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { TestDice } from './tree-events.ts'
import { type Surroundings, TreeNode } from './tree-node.ts'
import { type Cable, TreeSight } from './tree-sight.ts'

export interface TreeWorldOptions {
  readonly seed: number
  /** Share of control packets and HELLOs that vanish: reality has none, but R11 must mend any. */
  readonly loss?: number
  readonly rules?: SafetyRules
  /** HELLO period on every link. */
  readonly hello?: Micros
  readonly config?: Partial<NodeConfig>
  /** One-way latency of a link, drawn uniformly. */
  readonly latency?: readonly [Micros, Micros]
  /** How late an end notices that the other is gone, uniformly between half and one and a half of it. */
  readonly detect?: Micros
  /** The end that was dialled becomes a neighbour so much later: it misses what was said before. */
  readonly lateUp?: Micros
  /** Relays say that they carry every VLAN, so that no further uppers are wanted. */
  readonly openRelays?: boolean
  /** Default: the simulator's stand-in. */
  readonly crypto?: Crypto
  /** The cycle check costs; without it the world is for measuring. */
  readonly check?: boolean
}

export class TreeWorld extends TreeSight implements Surroundings {
  readonly seed: number
  readonly options: TreeWorldOptions
  readonly rules: SafetyRules
  readonly config: Partial<NodeConfig>
  readonly crypto: Crypto
  readonly dice: TestDice
  /** Who is linked when nothing is broken. */
  readonly edges: (readonly [number, number])[] = []
  packets = 0
  bytes = 0
  readonly byKind = new Map<number, number>()
  loss: number
  readonly #byPair = new Map<number, Cable>()
  #nextCable = 1

  constructor(options: TreeWorldOptions) {
    super()
    this.checks = options.check !== false
    this.options = options
    this.seed = options.seed
    this.loss = options.loss ?? 0
    this.rules = options.rules ?? ALL_RULES
    this.config = options.config ?? {}
    this.crypto = options.crypto ?? standInCrypto
    this.dice = new TestDice(options.seed)
  }

  // Building.

  addNodes(count: number, relay = true, config: Partial<NodeConfig> = {}): void {
    for (let index = 0; index < count; index++) {
      this.nodes.push(new TreeNode(this, this.nodes.length, relay, config))
    }
  }

  /** Every node gets about `degree` links, at random; enough of them to make the mesh one piece. */
  meshAtRandom(degree: number, within: Micros = SECOND): void {
    const pairs = new Set<number>()
    const count = this.nodes.length
    const join = (a: number, b: number) => {
      const pair = pairOf(a, b)
      if (a === b || pairs.has(pair)) return
      pairs.add(pair)
      this.edges.push([a, b])
      this.after(below(this.dice, within), () => this.connect(a, b))
    }
    for (let index = 1; index < count; index++) join(index, below(this.dice, index))
    while (pairs.size < (count * degree) / 2) join(below(this.dice, count), below(this.dice, count))
  }

  connect(a: number, b: number): Cable | undefined {
    const nodes = [this.nodes[a] as TreeNode, this.nodes[b] as TreeNode] as const
    if (!nodes[0].up || !nodes[1].up || this.cableOf(a, b) !== undefined) return undefined
    const [low, high] = this.options.latency ?? [5 * MILLISECOND, 100 * MILLISECOND]
    // The latency belongs to the pair, so a restart finds the same neighbourhood.
    const pair = new TestDice(this.seed + Math.min(a, b) * 65_537 + Math.max(a, b))
    const latency = low + below(pair, high - low + 1)
    const cable: Cable = {
      id: this.#nextCable++,
      nodes,
      lives: [nodes[0].life, nodes[1].life],
      latency,
      cut: false,
      lastAt: [0, 0],
    }
    this.cables.set(cable.id, cable)
    this.#byPair.set(pairOf(a, b), cable)
    this.#linkUp(cable, 0)
    this.after(latency + (this.options.lateUp ?? 0), () => {
      if (!cable.cut && nodes[1].up && nodes[1].life === cable.lives[1]) this.#linkUp(cable, 1)
    })
    return cable
  }

  // Faults.

  cut(cable: Cable): void {
    if (cable.cut) return
    cable.cut = true
    this.cables.delete(cable.id)
    this.#byPair.delete(pairOf(cable.nodes[0].index, cable.nodes[1].index))
    for (const end of [0, 1] as const) {
      const late = this.options.detect ?? 50 * MILLISECOND
      const node = cable.nodes[end]
      this.after(late / 2 + below(this.dice, late), () => {
        if (node.up && node.life === cable.lives[end]) this.linkDown(node, cable.id as LinkId)
      })
    }
  }

  crash(index: number): void {
    const node = this.nodes[index] as TreeNode
    if (!node.up) return
    node.up = false
    node.life += 1
    node.alarmAt = NEVER
    for (const cable of [...this.cables.values()]) if (cable.nodes.includes(node)) this.cut(cable)
    node.links.clear()
  }

  /** A new life of the same identity, linked to those neighbours of old that are up. */
  restart(index: number): void {
    const node = this.nodes[index] as TreeNode
    if (node.up) return
    node.start()
    for (const [a, b] of this.edges) if (a === index || b === index) this.connect(a, b)
  }

  /** Everything works again. */
  heal(): void {
    for (const node of this.nodes) this.restart(node.index)
    for (const [a, b] of this.edges) this.connect(a, b)
  }

  /** Random faults for a time: crashes and restarts, two fifths each, and links cut or mended. */
  storm(perSecond: number, duration: Micros): void {
    const end = this.now + duration
    const fault = () => {
      if (this.now >= end) return
      this.#fault()
      this.after((unit(this.dice) * 2 * SECOND) / perSecond, fault)
    }
    fault()
    this.runFor(duration)
  }

  cableOf(a: number, b: number): Cable | undefined {
    return this.#byPair.get(pairOf(a, b))
  }

  // Running.

  /** Runs until all hang under one root, at most `limit`; answers how long it took, NEVER if it did not. */
  runUntilWhole(limit: Micros, step = 100 * MILLISECOND): Micros {
    const start = this.now
    while (this.now < start + limit) {
      this.runFor(step)
      if (this.isWhole()) return this.now - start
    }
    return NEVER
  }

  carry(from: TreeNode, link: Link, packet: Uint8Array): void {
    const cable = this.cables.get(link.id)
    this.packets += 1
    this.bytes += packet.length
    const kind = packet[1] as number
    this.byKind.set(kind, (this.byKind.get(kind) ?? 0) + 1)
    if (cable === undefined) return
    const end = cable.nodes[0] === from ? 1 : 0
    const to = cable.nodes[end]
    if (this.loss > 0 && unit(this.dice) < this.loss) return
    this.#deliver(cable, end, () => {
      const there = to.links.get(link.id)
      if (there === undefined || !there.neighbour) return
      to.crst.onMessage(this.now, there, kind, packet)
      this.settle(to)
    })
  }

  /** A HELLO that wants one back. */
  ask(from: TreeNode, link: Link): void {
    const cable = this.cables.get(link.id)
    if (cable !== undefined) this.#sayHello(cable, cable.nodes[0] === from ? 0 : 1, link, true)
  }

  /** After every input: effects are looked at, the alarm is set. */
  settle(node: TreeNode): void {
    node.context.out.drain({
      deliver: nothing,
      send: nothing,
      dial: nothing,
      hangUp: nothing,
      start: nothing,
      store: nothing,
      note: (event) => {
        if (this.checks) node.events.push(event)
      },
    })
    const { at } = node.context.deadline
    if (at >= node.alarmAt) return
    node.alarmAt = at
    const { life } = node
    this.after(Math.max(0, at - this.now), () => {
      if (!node.up || node.life !== life || node.alarmAt !== at) return
      node.alarmAt = NEVER
      node.context.deadline.at = NEVER
      node.context.deadline.lower(node.crst.wake(this.now))
      this.settle(node)
    })
  }

  linkDown(node: TreeNode, id: LinkId): void {
    const link = node.links.get(id)
    if (link === undefined) return
    node.links.delete(id)
    link.neighbour = false
    node.crst.onLink(this.now, link, false)
    this.settle(node)
  }

  #linkUp(cable: Cable, end: 0 | 1): void {
    const node = cable.nodes[end]
    const peer = cable.nodes[end === 0 ? 1 : 0]
    const link = new Link(cable.id as LinkId, peer.peer, peer.key, end === 0, this.now)
    link.rtt = 2 * cable.latency
    link.neighbour = true
    link.capabilities = peer.relay
      ? CAPABILITY.relay | (this.options.openRelays === false ? 0 : CAPABILITY.openRelay)
      : 0
    node.links.set(link.id, link)
    node.crst.onLink(this.now, link, true)
    this.settle(node)
    this.#hello(cable, end, link)
  }

  #hello(cable: Cable, end: 0 | 1, link: Link): void {
    const period = this.options.hello ?? 5 * SECOND
    this.after(period * (0.9 + 0.2 * unit(this.dice)), () => {
      if (cable.cut || cable.nodes[end].links.get(link.id) !== link) return
      this.#sayHello(cable, end, link, false)
      this.#hello(cable, end, link)
    })
  }

  #sayHello(cable: Cable, end: 0 | 1, link: Link, isReplyWanted: boolean): void {
    const summary: TreeSummary = { generation: 0, sentHash: 0, receivedHash: 0, rootHash: 0, beat: 0 }
    cable.nodes[end].crst.summary(link, summary)
    const other = end === 0 ? 1 : 0
    if (this.loss > 0 && unit(this.dice) < this.loss) return
    this.#deliver(cable, other, () => {
      const there = cable.nodes[other].links.get(link.id)
      if (there === undefined) return
      cable.nodes[other].crst.onSummary(this.now, there, summary)
      this.settle(cable.nodes[other])
      if (isReplyWanted) this.#sayHello(cable, other, there, false)
    })
  }

  #deliver(cable: Cable, end: 0 | 1, run: () => void): void {
    const at = Math.max(cable.lastAt[end], this.now + Math.round(cable.latency * (1 + 0.1 * unit(this.dice))))
    cable.lastAt[end] = at
    const node = cable.nodes[end]
    this.after(at - this.now, () => {
      if (cable.cut || !node.up || node.life !== cable.lives[end]) return
      const link = node.links.get(cable.id as LinkId)
      if (link !== undefined) link.heardAt = this.now
      run()
    })
  }

  #fault(): void {
    const choice = unit(this.dice)
    const index = below(this.dice, this.nodes.length)
    if (choice < 0.4) {
      this.crash(index)
    } else if (choice < 0.8) {
      const down = this.nodes.filter((node) => !node.up)
      const node = down[below(this.dice, down.length)]
      if (node !== undefined) this.restart(node.index)
    } else {
      const edges = this.edges.filter(([a, b]) => a === index || b === index)
      const [a, b] = edges[below(this.dice, edges.length)] as readonly [number, number]
      const cable = this.cableOf(a, b)
      if (cable === undefined) this.connect(a, b)
      else this.cut(cable)
    }
  }
}

/** One number for two nodes in either order. */
function pairOf(a: number, b: number): number {
  return Math.min(a, b) * 1_000_000 + Math.max(a, b)
}

function nothing(): void {}
