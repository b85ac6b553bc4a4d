/**
 * Keeps what happens in a run between two pictures: happenings, a sample for each second, and who is in
 * which epoch. All of it is bounded: what nobody fetched is dropped from its beginning and counted.
 */
import type { NodeEvent } from '../../core/io.ts'
import type { Onlooker } from '../results.ts'
import type { Run } from '../run.ts'
import { isVisitorPort } from '../visitors.ts'
import { vlanOf } from '../vlans.ts'
import { HAPPENING, type Happening, type HappeningKind, type Sample } from './seen.ts'

/** Kept between two pictures: a flash crowd of ten thousand, and what else happens then. */
const KEPT_MAX = 20_000
/** Enough to tell branches of one VLAN apart. */
const ID_DIGITS = 6

export class Watcher implements Onlooker {
  /** Set as soon as there is one; starts of the very first instant come before. */
  run: Run | undefined
  readonly #happenings: Happening[] = []
  readonly #samples: Sample[] = []
  /** Of each VLAN its id in hex. */
  readonly #ids = new Map<number, string>()
  /** Of each VLAN its epochs by MLS-ID, numbered as they were first seen. */
  readonly #epochs = new Map<number, Map<string, number>>()
  /** What those are called. */
  readonly #epochNames = new Map<number, Map<number, string>>()
  /** Of each VLAN the epoch that a node is in. */
  readonly #memberOf = new Map<number, Map<number, number>>()
  /** Of each node when it went down last, in seconds. */
  readonly #stoppedAt = new Map<number, number>()
  #root = -1
  #isCut = false
  #hits = 0
  #violations = 0
  #before = { owed: 0, came: 0, control: 0, data: 0 }

  // Onlooker.

  started(node: number): void {
    this.#add(HAPPENING.start, node, `node ${node} starts`)
  }

  stopped(node: number): void {
    this.#add(HAPPENING.stop, node, `node ${node} stops`)
    for (const members of this.#memberOf.values()) members.delete(node)
    this.#stoppedAt.set(node, this.#now)
  }

  noted(node: number, event: NodeEvent): void {
    if (event.kind === 'rootChanged' && event.self && this.#root !== node) {
      this.#root = node
      this.#add(HAPPENING.root, node, `node ${node} becomes a root`)
    } else if (event.kind === 'portUp' && !isVisitorPort(event.port)) {
      this.#ids.set(vlanOf(event.port), event.vlan)
    } else if (event.kind === 'group' && !isVisitorPort(event.port)) {
      this.#grouped(vlanOf(event.port), node, event.event)
    }
  }

  #grouped(vlan: number, node: number, event: Extract<NodeEvent, { kind: 'group' }>['event']): void {
    if (event.kind === 'epoch') {
      const epochs = entry(this.#epochs, vlan)
      if (!epochs.has(event.mlsId)) {
        entry(this.#epochNames, vlan).set(epochs.size, `${event.number} (${event.mlsId.slice(0, ID_DIGITS)})`)
        epochs.set(event.mlsId, epochs.size)
        const members = `${event.members} ${event.members === 1 ? 'member' : 'members'}`
        this.#add(
          HAPPENING.epoch,
          node,
          `VLAN ${vlan}: epoch ${event.number} with ${members}, at node ${node}`,
        )
      }
      entry(this.#memberOf, vlan).set(node, epochs.get(event.mlsId) as number)
    } else if (event.kind === 'ended') {
      entry(this.#memberOf, vlan).delete(node)
      this.#add(HAPPENING.out, node, `VLAN ${vlan}: node ${node} is out (${event.why})`)
    }
  }

  /** Called for every simulated second. */
  second(): void {
    const { run } = this
    if (run === undefined) return
    const { stage, meter } = run
    const { living } = stage.connectivity
    const now = {
      owed: stage.delivery.owed,
      came: stage.delivery.came,
      control: meter.controlBytes,
      data: meter.dataBytes,
    }
    const { owed, came, control, data } = this.#before
    this.#before = now
    const rate = (bytes: number): number | undefined =>
      meter.counting && living > 0 ? bytes / living : undefined
    keep(this.#samples, {
      at: run.world.now / 1e6,
      alive: living,
      attached: stage.attachedShare(),
      delivery: now.owed > owed ? (now.came - came) / (now.owed - owed) : undefined,
      control: rate(now.control - control),
      data: rate(now.data - data),
    })
    this.look()
  }

  /** What nobody tells of: partitions, faults and violations. */
  look(): void {
    const { run } = this
    if (run === undefined) return
    const isCut = run.tools.partition.active
    if (isCut !== this.#isCut) {
      this.#isCut = isCut
      if (isCut) this.#add(HAPPENING.cut, -1, 'a partition cuts the mesh')
      else this.#add(HAPPENING.heal, -1, 'the partition is healed')
    }
    const hits = run.hits.filter(({ nodes }) => nodes > 0).length
    if (hits > this.#hits) {
      for (const { kind, nodes } of run.hits.filter((hit) => hit.nodes > 0).slice(this.#hits))
        this.#add(HAPPENING.fault, -1, `fault ${kind} hits ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`)
      this.#hits = hits
    }
    for (const { kind, node, detail } of run.violations.slice(this.#violations))
      this.#add(HAPPENING.violation, node, `violation ${kind}: ${detail}`)
    this.#violations = run.violations.length
  }

  /** Whether the node went down within so many seconds. */
  wentDown(node: number, within: number): boolean {
    return (this.#stoppedAt.get(node) ?? Number.NEGATIVE_INFINITY) >= this.#now - within
  }

  vlanId(vlan: number): string | undefined {
    return this.#ids.get(vlan)
  }

  /** The number of the node's epoch in the VLAN, −1 in none. */
  epochOf(vlan: number, node: number): number {
    return this.#memberOf.get(vlan)?.get(node) ?? -1
  }

  epochName(vlan: number, epoch: number): string {
    return this.#epochNames.get(vlan)?.get(epoch) ?? ''
  }

  /** For each node the number of its epoch in the VLAN, −1 in none. */
  epochs(vlan: number, nodes: number): Int32Array {
    const result = new Int32Array(nodes).fill(-1)
    for (const [node, epoch] of this.#memberOf.get(vlan) ?? []) result[node] = epoch
    return result
  }

  epochNames(vlan: number): Record<number, string> {
    const used = new Set(this.#memberOf.get(vlan)?.values())
    const names = this.#epochNames.get(vlan) ?? new Map<number, string>()
    return Object.fromEntries([...names].filter(([epoch]) => used.has(epoch)))
  }

  take(): { happenings: Happening[]; samples: Sample[] } {
    return { happenings: this.#happenings.splice(0), samples: this.#samples.splice(0) }
  }

  #add(kind: HappeningKind, node: number, text: string): void {
    keep(this.#happenings, { at: this.#now, kind, node, text })
  }

  get #now(): number {
    return (this.run?.world.now ?? 0) / 1e6
  }
}

function keep<T>(list: T[], item: T): void {
  if (list.length >= KEPT_MAX) list.splice(0, KEPT_MAX / 10)
  list.push(item)
}

function entry<K, V>(table: Map<number, Map<K, V>>, key: number): Map<K, V> {
  let found = table.get(key)
  if (found === undefined) {
    found = new Map()
    table.set(key, found)
  }
  return found
}
