/**
 * What scripts act on: the world, who is who, and the few verbs they share. Scripts say when and whom;
 * the stage knows how.
 */
import type { Crypto } from '../core/crypto/ports.ts'
import { Clashes } from './checks/clashes.ts'
import type { Connectivity } from './checks/connectivity.ts'
import type { CycleCheck } from './checks/cycles.ts'
import type { Delivery, FrameKind, FrameRecord } from './checks/delivery.ts'
import type { Groups } from './checks/groups.ts'
import type { Reach } from './checks/reach.ts'
import type { SimNode } from './node.ts'
import type { Streams } from './random.ts'
import type { Scenario } from './scenario.ts'
import { makeFrame, portOf, type SimVlan } from './vlans.ts'
import type { World } from './world.ts'

/** A revoked member that does not go (sim/script/adversary.ts), as it is judged afterwards. */
export interface Resister {
  readonly node: SimNode
  /** In hex. */
  readonly memberKey: string
  readonly keptCount: number
  /** Commits that were sent into the VLAN. */
  readonly released: number
  /** MLS-IDs of all epochs whose secrets it can derive with these commits. */
  reach(commits: readonly Uint8Array[]): ReadonlySet<string>
}

export class Stage {
  readonly scenario: Scenario
  readonly streams: Streams
  readonly world: World
  readonly vlans: readonly SimVlan[]
  readonly delivery: Delivery
  readonly cycles: CycleCheck
  readonly connectivity: Connectivity
  readonly groups: Groups
  readonly reach: Reach
  readonly crypto: Crypto
  /** Revoked members that do not go. */
  readonly adversaries: Resister[] = []
  /** For each node, the VLANs it is a member of. */
  readonly vlansOf: readonly (readonly SimVlan[])[]
  /** MAC of a member's port by node × 65,536 + VLAN; absent while the port is down. */
  readonly macs = new Map<number, number>()
  readonly clashes = new Clashes()
  /** Nodes behind which a machine uses a MAC that is not its own: nothing is owed to or by them. */
  readonly clashing = new Set<number>()
  /** Nodes whose port will come up with another member's MAC, and what to do then. */
  readonly drawing = new Map<number, () => void>()

  constructor(
    parts: Pick<
      Stage,
      | 'scenario'
      | 'streams'
      | 'world'
      | 'vlans'
      | 'delivery'
      | 'cycles'
      | 'connectivity'
      | 'groups'
      | 'reach'
      | 'crypto'
    >,
  ) {
    this.scenario = parts.scenario
    this.streams = parts.streams
    this.world = parts.world
    this.vlans = parts.vlans
    this.delivery = parts.delivery
    this.cycles = parts.cycles
    this.connectivity = parts.connectivity
    this.groups = parts.groups
    this.reach = parts.reach
    this.crypto = parts.crypto
    const vlansOf: SimVlan[][] = Array.from({ length: parts.scenario.nodes.count }, () => [])
    for (const vlan of parts.vlans) for (const node of vlan.members) vlansOf[node]?.push(vlan)
    this.vlansOf = vlansOf
  }

  isUp(node: number): boolean {
    return this.world.nodes[node]?.up === true
  }

  /** Whether a member's machine is up and the member has a place in the VLAN (Groups.isOut). */
  isIn(node: number, vlan: SimVlan): boolean {
    return this.isUp(node) && !this.groups.isOut(vlan.index, node)
  }

  /** Members that a frame of a member is owed to, among those that would get it. */
  receivers(vlan: SimVlan, from: number, among: readonly number[]): number[] {
    if (this.clashing.has(from)) return []
    return among.filter(
      (node) =>
        node !== from &&
        !this.clashing.has(node) &&
        this.isUp(node) &&
        (vlan.mls === undefined || this.groups.owes(this.world.now, vlan.index, from, node)),
    )
  }

  macOf(node: number, vlan: number): number | undefined {
    return this.macs.get(node * 65_536 + vlan)
  }

  /** One unicast frame; nothing if the receiver's address is not known yet. */
  sendTo(kind: FrameKind, vlan: number, from: number, to: number, bytes: number): FrameRecord | undefined {
    const mac = this.macOf(to, vlan)
    return mac === undefined ? undefined : this.send(kind, vlan, from, [to], mac, bytes)
  }

  send(
    kind: FrameKind,
    vlan: number,
    from: number,
    receivers: readonly number[],
    destination: number,
    bytes: number,
  ): FrameRecord | undefined {
    const source = this.macOf(from, vlan)
    const node = this.world.nodes[from]
    if (source === undefined || node === undefined) return undefined
    const record = this.delivery.sent(this.world.now, kind, vlan, from, receivers)
    this.world.inject(
      node,
      portOf(vlan),
      makeFrame(destination, source, bytes, record.number, kind),
      record.number,
    )
    return record
  }

  /** All nodes that are up, ascending. */
  living(): number[] {
    const result: number[] = []
    for (const node of this.world.nodes) if (node.up) result.push(node.index)
    return result
  }

  /** The node at the top of most living nodes' open uppers; the first among equals. */
  root(): number | undefined {
    const votes = new Map<number, number>()
    for (const node of this.living()) {
      const top = this.cycles.pathUp(node).at(-1) as number
      votes.set(top, (votes.get(top) ?? 0) + 1)
    }
    let best: number | undefined
    for (const [node, count] of votes)
      if (best === undefined || count > (votes.get(best) as number)) best = node
    return best
  }

  /** Share of living nodes whose open uppers end at the same top as most. */
  attachedShare(): number {
    const living = this.living()
    const root = this.root()
    if (root === undefined) return 0
    let attached = 0
    for (const node of living) if (this.cycles.pathUp(node).at(-1) === root) attached += 1
    return attached / living.length
  }

  atSeconds(seconds: number, script: () => void): void {
    this.world.at(Math.round(seconds * 1e6), script)
  }
}
