/** One node of a VLAN world: real `Vlans` over a scripted tree and links that only queue effects. */
import { type NodeConfig, nodeConfig } from '../../core/config.ts'
import { type Context, Deadline } from '../../core/context.ts'
import { COUNT, type CounterName, Counters } from '../../core/counters.ts'
import type { Dice, Keys } from '../../core/dice.ts'
import { peerIdOf } from '../../core/ids.ts'
import {
  CHANNEL,
  type LinkId,
  type Micros,
  NEVER,
  type NodeEvent,
  TREE_ROLE,
  type TreeRole,
  type TreeView,
} from '../../core/io.ts'
import type { Link, LinkPort } from '../../core/links/link.ts'
import { Outbox } from '../../core/outbox.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { Vlans } from '../../core/vlan/vlans.ts'
import { standInCrypto } from '../../sim/crypto.ts'

/** Roles and uppers as the test says. */
class ScriptedTree implements Tree {
  readonly id = 0
  readonly roles = new Map<LinkId, TreeRole>()
  upperLinks: Link[] = []
  onLink(): void {}
  onMessage(): void {}
  summary(): void {}
  onSummary(): void {}
  retire(): void {
    // Roles are scripted.
  }

  setOpen(): void {
    // Here too.
  }

  /** What was asked for, oldest first. */
  readonly furtherWanted: number[] = []
  wantFurtherUppers(_now: Micros, count: number): void {
    this.furtherWanted.push(count)
  }

  setReachable(): void {
    // Ranks are scripted.
  }

  hasLowers(): boolean {
    return false
  }

  leave(): void {}
  resume(): void {}
  wake(): Micros {
    return NEVER
  }
  role(link: LinkId): TreeRole {
    return this.roles.get(link) ?? TREE_ROLE.none
  }
  uppers(): readonly Link[] {
    return this.upperLinks
  }
  root(): undefined {
    return undefined
  }
  view(): TreeView {
    throw new Error('not asked for here')
  }
}

export class WorldNode {
  readonly index: number
  readonly context: Context
  readonly vlans: Vlans
  /** For a part that a test puts beside `vlans`. */
  readonly port: LinkPort
  readonly tree = new ScriptedTree()
  readonly links = new Map<LinkId, { link: Link; to: number; back: LinkId; latency: Micros }>()
  readonly events: NodeEvent[] = []
  wakeAt: Micros = NEVER

  constructor(index: number, seed: number, config: Partial<NodeConfig>) {
    this.index = index
    const random = new Stream(seed)
    const key = random.bytes(32)
    this.context = {
      self: peerIdOf(key),
      selfKey: key,
      selfSeed: random.bytes(32),
      boot: 1,
      config: nodeConfig(config),
      crypto: standInCrypto,
      dice: random,
      keys: random,
      counters: new Counters(),
      out: new Outbox(),
      deadline: new Deadline(),
    }
    this.port = this.#linkPort()
    this.vlans = new Vlans(this.context, this.port, [this.tree])
  }

  count(name: CounterName): number {
    return this.context.counters.get(name)
  }

  #linkPort(): LinkPort {
    const { out, counters } = this.context
    return {
      get: (id) => this.links.get(id)?.link,
      byPeer: () => undefined,
      all: () => [...this.links.values()].map((each) => each.link),
      control: (_now, link, packet) => {
        if (this.links.has(link.id)) out.send(link.id, CHANNEL.control, 0, packet)
      },
      data: (_now, link, hop, packet) => {
        counters.add(COUNT.packetsOut)
        out.send(link.id, CHANNEL.data, hop, packet)
        return true
      },
      expect: () => {},
      ask: () => {},
      setTreeUse: () => {},
      hangUp: () => {},
    }
  }
}

/** A draw for jitter, keys and choices of a test: splitmix32. */
export class Stream implements Dice, Keys {
  #state: number
  constructor(seed: number) {
    this.#state = seed | 0
  }
  u32(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    let z = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  below(bound: number): number {
    return this.u32() % bound
  }
  fork(label: string): Stream {
    let seed = this.u32()
    for (const character of label) seed = Math.imul(seed ^ character.charCodeAt(0), 0x01000193)
    return new Stream(seed)
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32() >>> 24)
  }
}
