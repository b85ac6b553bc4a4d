/** One machine of the world of trees: an identity, its links and, while it is up, its tree. */
import { type NodeConfig, nodeConfig } from '../../core/config.ts'
import { type Context, Deadline } from '../../core/context.ts'
import { Counters } from '../../core/counters.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { peerIdOf } from '../../core/ids.ts'
import { type LinkId, type Micros, NEVER, type NodeEvent, type PeerId, type TreeRole } from '../../core/io.ts'
import type { Link, LinkPort } from '../../core/links/link.ts'
import { Outbox } from '../../core/outbox.ts'
import { Crst } from '../../core/tree/crst.ts'
import type { SafetyRules } from '../../core/tree/state.ts'
import type { TreeListener } from '../../core/tree/tree.ts'
import { TestDice } from './tree-events.ts'

/** What a machine needs of its world. */
export interface Surroundings {
  readonly seed: number
  readonly config: Partial<NodeConfig>
  readonly crypto: Crypto
  readonly rules: SafetyRules
  carry(from: TreeNode, link: Link, packet: Uint8Array): void
  ask(from: TreeNode, link: Link): void
  roleChanged(node: TreeNode, link: Link, role: TreeRole): void
  settle(node: TreeNode): void
}

export class TreeNode implements LinkPort, TreeListener {
  readonly index: number
  readonly world: Surroundings
  readonly seed: Uint8Array
  readonly key: Uint8Array
  readonly peer: PeerId
  readonly relay: boolean
  readonly config: Partial<NodeConfig>
  readonly links = new Map<LinkId, Link>()
  readonly events: NodeEvent[] = []
  counters = new Counters()
  crst: Crst
  context: Context
  up = false
  life = 0
  boot = 0
  alarmAt: Micros = NEVER

  constructor(world: Surroundings, index: number, relay: boolean, config: Partial<NodeConfig>) {
    this.world = world
    this.config = config
    this.index = index
    this.relay = relay
    this.seed = new Uint8Array(32)
    new DataView(this.seed.buffer).setUint32(0, index + 1)
    new DataView(this.seed.buffer).setUint32(4, world.seed)
    this.key = world.crypto.signatures.publicKey(this.seed)
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

  expect(): void {}
  ask(_now: Micros, link: Link): void {
    this.world.ask(this, link)
  }
  setTreeUse(_now: Micros, link: Link, used: boolean): void {
    link.treeUse = used
  }
  hangUp(): void {}

  rootChanged(): void {}

  roleChanged(_now: Micros, _tree: number, link: Link, role: TreeRole): void {
    this.world.roleChanged(this, link, role)
  }

  #context(): Context {
    const { world } = this
    return {
      self: this.peer,
      selfKey: this.key,
      selfSeed: this.seed,
      boot: this.boot,
      config: nodeConfig({ ...world.config, ...this.config, relay: this.relay }),
      crypto: world.crypto,
      dice: new TestDice(world.seed + this.index * 77 + this.boot * 7),
      keys: { bytes: (length) => new Uint8Array(length) },
      counters: this.counters,
      out: new Outbox(),
      deadline: new Deadline(),
    }
  }
}
