/**
 * A small world for trees alone: nodes, links with latency, control channels in order with optional loss,
 * a HELLO that carries only the trees' summaries, cuts, crashes and restarts. From above it watches what
 * no node can see: that open links never form a cycle (mesh:N4). One event queue, one seed.
 */
import { nodeConfig, type NodeConfig } from '../../core/config.ts'
import { type Context, Deadline } from '../../core/context.ts'
import { Counters, type CounterName } from '../../core/counters.ts'
import { below, type Dice, unit } from '../../core/dice.ts'
import { peerIdOf } from '../../core/ids.ts'
import {
  type LinkId, type Micros, MILLISECOND, NEVER, type NodeEvent, type PeerId, SECOND, TREE_ROLE, type TreeRole,
} from '../../core/io.ts'
import { CAPABILITY, type Link, type LinkPort, newLink } from '../../core/links/link.ts'
import { Outbox } from '../../core/outbox.ts'
import { Crst } from '../../core/tree/crst.ts'
import { ALL_RULES, type SafetyRules } from '../../core/tree/state.ts'
import type { TreeListener, TreeSummary } from '../../core/tree/tree.ts'
import { standInCrypto } from '../../sim/crypto.ts'

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
  /** Relays say that they carry every VLAN, so that no further uppers are wanted. */
  readonly openRelays?: boolean
  /** The cycle check costs; without it the world is for measuring. */
  readonly check?: boolean
}

interface Cable {
  readonly id: number
  readonly nodes: readonly [TreeNode, TreeNode]
  readonly lives: readonly [number, number]
  readonly latency: Micros
  /** A cut path carries nothing, though the ends may not know yet. */
  cut: boolean
  /** When the last control packet each way arrives: order is kept. */
  readonly lastAt: [Micros, Micros]
}

const ROLE_NAMES = ['none', 'upper', 'lower'] as const

/** One machine and, while it is up, its tree. */
export class TreeNode implements LinkPort, TreeListener {
  readonly index: number
  readonly world: TreeWorld
  readonly seed: Uint8Array
  readonly key: Uint8Array
  readonly peer: PeerId
  readonly relay: boolean
  readonly links = new Map<LinkId, Link>()
  readonly events: NodeEvent[] = []
  counters = new Counters()
  crst: Crst
  context: Context
  up = false
  life = 0
  boot = 0
  alarmAt: Micros = NEVER

  constructor(world: TreeWorld, index: number, relay: boolean) {
    this.world = world
    this.index = index
    this.relay = relay
    this.seed = new Uint8Array(32)
    new DataView(this.seed.buffer).setUint32(0, index + 1)
    new DataView(this.seed.buffer).setUint32(4, world.seed)
    this.key = standInCrypto.signatures.publicKey(this.seed)
    this.peer = peerIdOf(this.key)
    this.context = this.#context()
    this.crst = this.start()
  }

  /** A new life: nothing is left of the one before but the identity. */
  start(): Crst {
    this.up = true
    this.boot += 1
    this.links.clear()
    this.context = this.#context()
    this.crst = new Crst(this.context, this, this, 0, this.world.rules)
    this.world.settle(this)
    return this.crst
  }

  get(id: LinkId): Link | undefined {
    return this.links.get(id)
  }

  byPeer(peer: PeerId): Link | undefined {
    return [...this.links.values()].find((link) => link.peer === peer)
  }

  all(): readonly Link[] {
    return [...this.links.values()]
  }

  control(_now: Micros, link: Link, packet: Uint8Array): void {
    this.world.carry(this, link, packet)
  }

  data(): boolean {
    return false
  }

  hangUp(): void {}

  roleChanged(now: Micros, _tree: number, link: Link, role: TreeRole): void {
    this.world.roleChanged(now, this, link, role)
  }

  #context(): Context {
    const { world } = this
    return {
      self: this.peer, selfKey: this.key, selfSeed: this.seed, boot: this.boot,
      config: nodeConfig({ ...world.options.config, relay: this.relay }), crypto: standInCrypto,
      dice: new TestDice(world.seed + this.index * 77 + this.boot * 7), keys: { bytes: (length) => new Uint8Array(length) },
      counters: this.counters, out: new Outbox(), deadline: new Deadline(),
    }
  }
}

/** Thirty-two bits of state, mixed as in splitmix32: enough for tests. */
export class TestDice implements Dice {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e37_79b9) >>> 0
  }

  u32(): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }

  fork(): Dice {
    return new TestDice(this.u32())
  }
}

interface Event {
  readonly at: Micros
  readonly order: number
  readonly run: () => void
}

export class TreeWorld {
  now: Micros = 0
  readonly seed: number
  readonly options: TreeWorldOptions
  readonly rules: SafetyRules
  readonly dice: TestDice
  readonly nodes: TreeNode[] = []
  readonly cables = new Map<number, Cable>()
  /** What the checker saw: who stood in a cycle, and when. */
  readonly cycles: { readonly at: Micros; readonly nodes: readonly number[] }[] = []
  openings = 0
  packets = 0
  bytes = 0
  readonly byKind = new Map<number, number>()
  loss: number
  /** Set to see every packet. */
  tap: ((from: TreeNode, to: TreeNode, packet: Uint8Array) => Uint8Array | undefined) | undefined
  readonly #heap: Event[] = []
  #order = 0
  #nextCable = 1

  constructor(options: TreeWorldOptions) {
    this.options = options
    this.seed = options.seed
    this.loss = options.loss ?? 0
    this.rules = options.rules ?? ALL_RULES
    this.dice = new TestDice(options.seed)
  }

  // Building.

  addNodes(count: number, relay = true): void {
    for (let index = 0; index < count; index++) this.nodes.push(new TreeNode(this, this.nodes.length, relay))
  }

  /** Every node gets about `degree` links, at random; enough of them to make the mesh one piece. */
  meshAtRandom(degree: number, within: Micros = SECOND): void {
    const pairs = new Set<number>()
    const count = this.nodes.length
    const join = (a: number, b: number) => {
      const pair = Math.min(a, b) * count + Math.max(a, b)
      if (a === b || pairs.has(pair)) return
      pairs.add(pair)
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
      id: this.#nextCable++, nodes, lives: [nodes[0].life, nodes[1].life], latency, cut: false, lastAt: [0, 0],
    }
    this.cables.set(cable.id, cable)
    this.#linkUp(cable, 0)
    this.after(latency, () => {
      if (!cable.cut && nodes[1].up && nodes[1].life === cable.lives[1]) this.#linkUp(cable, 1)
    })
    return cable
  }

  // Faults.

  cut(cable: Cable): void {
    if (cable.cut) return
    cable.cut = true
    this.cables.delete(cable.id)
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

  restart(index: number): void {
    const node = this.nodes[index] as TreeNode
    if (!node.up) node.start()
  }

  cableOf(a: number, b: number): Cable | undefined {
    for (const cable of this.cables.values()) {
      const [x, y] = cable.nodes
      if ((x.index === a && y.index === b) || (x.index === b && y.index === a)) return cable
    }
    return undefined
  }

  // Running.

  after(delay: Micros, run: () => void): void {
    pushEvent(this.#heap, { at: this.now + Math.round(delay), order: this.#order++, run })
  }

  runFor(duration: Micros): void {
    const until = this.now + duration
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      popEvent(this.#heap)
      this.now = next.at
      next.run()
    }
    this.now = until
  }

  /** Runs until all hang under one root, at most `limit`; answers how long it took, NEVER if it did not. */
  runUntilWhole(limit: Micros, step = 100 * MILLISECOND): Micros {
    const start = this.now
    while (this.now < start + limit) {
      this.runFor(step)
      if (this.isWhole()) return this.now - start
    }
    return NEVER
  }

  /** Hands a packet to a node as if its neighbour had sent it. */
  inject(to: TreeNode, link: Link, packet: Uint8Array): void {
    to.crst.onMessage(this.now, link, packet[1] as number, packet)
    this.settle(to)
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
    const shown = this.tap === undefined ? packet : this.tap(from, to, packet)
    if (shown === undefined || (this.loss > 0 && unit(this.dice) < this.loss)) return
    this.#deliver(cable, end, () => {
      const there = to.links.get(link.id)
      if (there === undefined || !there.neighbour) return
      to.crst.onMessage(this.now, there, kind, shown)
      this.settle(to)
    })
  }

  /** After every input: effects are looked at, the alarm is set. */
  settle(node: TreeNode): void {
    node.context.out.drain({
      deliver: nothing, send: nothing, dial: nothing, hangUp: nothing, start: nothing, store: nothing,
      note: (event) => {
        if (this.options.check !== false) node.events.push(event)
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
    const link = newLink(cable.id as LinkId, peer.peer, peer.key, end === 0, this.now)
    link.rtt = 2 * cable.latency
    link.neighbour = true
    link.capabilities = peer.relay ? CAPABILITY.relay | (this.options.openRelays === false ? 0 : CAPABILITY.openRelay) : 0
    node.links.set(link.id, link)
    node.crst.onLink(this.now, link, true)
    this.settle(node)
    this.#hello(cable, end, link)
  }

  #hello(cable: Cable, end: 0 | 1, link: Link): void {
    const period = this.options.hello ?? 5 * SECOND
    this.after(period * (0.9 + 0.2 * unit(this.dice)), () => {
      const node = cable.nodes[end]
      if (cable.cut || node.links.get(link.id) !== link) return
      const summary: TreeSummary = { generation: 0, sentHash: 0, receivedHash: 0, rootHash: 0, beat: 0 }
      node.crst.summary(link, summary)
      const other = end === 0 ? 1 : 0
      if (this.loss === 0 || unit(this.dice) >= this.loss) {
        this.#deliver(cable, other, () => {
          const there = cable.nodes[other].links.get(link.id)
          if (there === undefined) return
          cable.nodes[other].crst.onSummary(this.now, there, summary)
          this.settle(cable.nodes[other])
        })
      }
      this.#hello(cable, end, link)
    })
  }

  #deliver(cable: Cable, end: 0 | 1, run: () => void): void {
    const at = Math.max(cable.lastAt[end], this.now + Math.round(cable.latency * (1 + 0.1 * unit(this.dice))))
    cable.lastAt[end] = at
    const node = cable.nodes[end]
    this.after(at - this.now, () => {
      if (!cable.cut && node.up && node.life === cable.lives[end]) run()
    })
  }

  // Looking on from above.

  roleChanged(_now: Micros, node: TreeNode, link: Link, role: TreeRole): void {
    if (this.options.check === false || role === TREE_ROLE.none) return
    this.openings += 1
    const cycle = this.#cycleFrom(role === TREE_ROLE.upper ? node : this.#peerOf(node, link))
    if (cycle !== undefined) this.cycles.push({ at: this.now, nodes: cycle })
  }

  #peerOf(node: TreeNode, link: Link): TreeNode {
    const cable = this.cables.get(link.id)
    if (cable === undefined) return node
    return cable.nodes[0] === node ? cable.nodes[1] : cable.nodes[0]
  }

  /** The uppers of a node by links that both halves hold open (R5). */
  openUppers(node: TreeNode): TreeNode[] {
    if (!node.up) return []
    const uppers: TreeNode[] = []
    for (const link of node.crst.uppers()) {
      const cable = this.cables.get(link.id)
      if (cable === undefined) continue
      const upper = cable.nodes[0] === node ? cable.nodes[1] : cable.nodes[0]
      if (upper.up && upper.crst.role(link.id) === TREE_ROLE.lower) uppers.push(upper)
    }
    return uppers
  }

  /** Depth first over the uppers of uppers: the nodes on a way back to the start, if there is one. */
  #cycleFrom(start: TreeNode): readonly number[] | undefined {
    const seen = new Set<TreeNode>()
    const trail: number[] = []
    const visit = (node: TreeNode): boolean => {
      trail.push(node.index)
      for (const upper of this.openUppers(node)) {
        if (upper === start) return true
        if (seen.has(upper)) continue
        seen.add(upper)
        if (visit(upper)) return true
      }
      trail.pop()
      return false
    }
    return visit(start) ? trail : undefined
  }

  /** The node that following the tree's own uppers ends at, if every link on the way is open. */
  topOf(node: TreeNode): TreeNode | undefined {
    let at = node
    for (let hops = 0; hops <= this.nodes.length; hops++) {
      const view = at.crst.view()
      if (view.upper === undefined) return view.detached ? undefined : at
      const cable = this.cables.get(view.upper)
      const upper = cable?.nodes[0] === at ? cable.nodes[1] : cable?.nodes[0]
      if (upper === undefined || !upper.up || upper.crst.role(view.upper) !== TREE_ROLE.lower) return undefined
      at = upper
    }
    return undefined
  }

  /** The node under which all that are up hang. */
  theRoot(): TreeNode | undefined {
    let root: TreeNode | undefined
    for (const node of this.nodes) {
      if (!node.up) continue
      const top = this.topOf(node)
      if (top === undefined || (root !== undefined && top !== root)) return undefined
      root = top
    }
    return root
  }

  isWhole(): boolean {
    return this.theRoot() !== undefined
  }

  count(name: CounterName): number {
    return this.nodes.reduce((sum, node) => sum + node.counters.get(name), 0)
  }

  /** For a failing test: who hangs where. */
  describe(): string {
    const lines = this.nodes.filter((node) => node.up).map((node) => {
      const { root, depth, upper, lowers, generation } = node.crst.view()
      const roles = node.all().map((link) => `${link.id}:${ROLE_NAMES[node.crst.role(link.id)]}`)
      return `${node.index} root ${root?.slice(0, 6)} depth ${depth} upper ${upper} lowers ${lowers} gen ${generation} ${roles}`
    })
    return lines.join('\n')
  }
}

function nothing(): void {}

function isBefore(left: Event, right: Event): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order)
}

function pushEvent(heap: Event[], event: Event): void {
  let index = heap.length
  heap.push(event)
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (isBefore(heap[parent] as Event, event)) break
    heap[index] = heap[parent] as Event
    index = parent
  }
  heap[index] = event
}

function popEvent(heap: Event[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  for (;;) {
    let child = 2 * index + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1
    if (isBefore(last, heap[child] as Event)) break
    heap[index] = heap[child] as Event
    index = child
  }
  heap[index] = last
}
