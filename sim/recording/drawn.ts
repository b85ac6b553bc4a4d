/**
 * What is drawn of one moment, as it stands and changes: a recorder keeps one to see what is new, a player
 * keeps one to draw from. Every change says whether it changed anything, so that a recording which
 * contradicts itself is found out.
 */
import type { Micros } from '../../core/io.ts'
import { GONE_SECONDS, type Looks, linksOf, pairOf, SIDES_MAX } from '../watch/look.ts'
import { type Measures, NODE, type Picture } from '../watch/seen.ts'
import type { Json } from './delta.ts'

/** As of the last whole second. */
export interface Told {
  readonly at: Micros
  readonly messages: number
  /** 16 hex digits. */
  readonly digest: string
}

export class Drawn {
  readonly nodes: number
  /** Bits of NODE that are a node's own: not `relay`, which follows from the tree, and not `gone`. */
  readonly states: Uint8Array
  readonly uppers: Int32Array
  readonly sides: Int32Array
  /** When a node went down last. */
  readonly stoppedAt: Float64Array
  /** Pairs as `pairOf` numbers them. */
  readonly links = new Set<number>()
  /** Of each VLAN who is in which epoch, and what those epochs are called. */
  readonly members = new Map<number, Map<number, number>>()
  readonly epochNames = new Map<number, Map<number, string>>()
  /** The last look into every node; VLANs by number. */
  looks: (Omit<Looks, 'carrying'> & { readonly carrying: ReadonlyMap<number, Int32Array> }) | undefined
  /** Of marked nodes their tables: `Detail`. */
  readonly details = new Map<number, Json>()
  told: Told = { at: -1, messages: 0, digest: '' }

  constructor(nodes: number) {
    this.nodes = nodes
    this.states = new Uint8Array(nodes)
    this.uppers = new Int32Array(nodes).fill(-1)
    this.sides = new Int32Array(nodes)
    this.stoppedAt = new Float64Array(nodes).fill(Number.NEGATIVE_INFINITY)
  }

  /** Whoever goes down loses links, upper and memberships. */
  setState(at: Micros, node: number, state: number): boolean {
    const before = this.states[node] as number
    if (before === state) return false
    this.states[node] = state
    if ((before & NODE.up) === 0 || (state & NODE.up) !== 0) return true
    this.stoppedAt[node] = at
    this.uppers[node] = -1
    for (const members of this.members.values()) members.delete(node)
    this.details.delete(node)
    for (const pair of this.links)
      if (pair % this.nodes === node || Math.floor(pair / this.nodes) === node) this.links.delete(pair)
    return true
  }

  isUp(node: number): boolean {
    return ((this.states[node] as number) & NODE.up) !== 0
  }

  setUpper(node: number, upper: number): boolean {
    if (this.uppers[node] === upper || node === upper) return false
    this.uppers[node] = upper
    return true
  }

  setSide(node: number, side: number): boolean {
    if (this.sides[node] === side) return false
    this.sides[node] = side
    return true
  }

  hasLink(a: number, b: number): boolean {
    return this.links.has(pairOf(a, b, this.nodes))
  }

  setLink(a: number, b: number, is: boolean): boolean {
    if (a === b || this.hasLink(a, b) === is) return false
    if (is) this.links.add(pairOf(a, b, this.nodes))
    else this.links.delete(pairOf(a, b, this.nodes))
    return true
  }

  epochOf(vlan: number, node: number): number {
    return this.members.get(vlan)?.get(node) ?? -1
  }

  /** `epoch`: −1 for none. */
  setEpoch(vlan: number, node: number, epoch: number): boolean {
    if (this.epochOf(vlan, node) === epoch) return false
    const members = this.members.get(vlan) ?? new Map<number, number>()
    this.members.set(vlan, members)
    if (epoch < 0) members.delete(node)
    else members.set(node, epoch)
    return true
  }

  epochName(vlan: number, epoch: number): string | undefined {
    return this.epochNames.get(vlan)?.get(epoch)
  }

  nameEpoch(vlan: number, epoch: number, name: string): void {
    const names = this.epochNames.get(vlan) ?? new Map<number, string>()
    this.epochNames.set(vlan, names)
    names.set(epoch, name)
  }

  /** Names of epochs that nobody is in are of no use any more. */
  forgetNames(): void {
    for (const [vlan, names] of this.epochNames) {
      const used = new Set(this.members.get(vlan)?.values())
      for (const epoch of names.keys()) if (!used.has(epoch)) names.delete(epoch)
      if (names.size === 0) this.epochNames.delete(vlan)
    }
  }

  /** `vlan`: whose epochs are wanted, −1 for none. */
  picture(at: Micros, vlan: number, wantsMeasures: boolean, leap: boolean): Picture {
    const pairs = Float64Array.from(this.links).sort()
    const links = linksOf(pairs, this.nodes)
    const cut = new Uint8Array(pairs.length)
    for (let place = 0; place < cut.length; place++) {
      const [a, b] = [links[place * 2] as number, links[place * 2 + 1] as number]
      if (this.sides[a] !== this.sides[b]) cut[place] = 1
    }
    const epochs = new Int32Array(this.nodes).fill(-1)
    for (const [node, epoch] of this.members.get(vlan) ?? []) epochs[node] = epoch
    const used = new Set(epochs)
    const names = [...(this.epochNames.get(vlan) ?? [])].filter(([epoch]) => used.has(epoch))
    return {
      at: at / 1e6,
      leap,
      states: this.#statesAt(at),
      uppers: this.uppers.slice(),
      root: rootOf(this.uppers, (node) => this.isUp(node)),
      sides: Uint8Array.from(this.sides, (side) => Math.min(side, SIDES_MAX - 1)),
      links,
      cut,
      epochs,
      epochNames: Object.fromEntries(names),
      measures: wantsMeasures ? this.#measures(vlan) : undefined,
      digest: this.#digestAt(at),
      messages: this.told.messages,
    }
  }

  #statesAt(at: Micros): Uint8Array {
    const states = this.states.slice()
    const since = at - GONE_SECONDS * 1e6
    for (let node = 0; node < this.nodes; node++) {
      const upper = this.uppers[node] as number
      if (upper >= 0) states[upper] = (states[upper] as number) | NODE.relay
      if (!this.isUp(node) && (this.stoppedAt[node] as number) >= since) states[node] = NODE.gone
    }
    return states
  }

  #measures(vlan: number): Measures | undefined {
    if (this.looks === undefined) return undefined
    const { carrying, ...rest } = this.looks
    return { ...rest, carrying: carrying.get(vlan) ?? new Int32Array(0) }
  }

  /** A digest is recorded once a second: between two, it is said of when it is. */
  #digestAt(at: Micros): string {
    const { at: then, digest } = this.told
    return then === at || digest === '' ? digest : `${digest} at ${(then / 1e6).toFixed(0)} s`
  }
}

/** The node at the top of most that are up, the first among equals; −1 if none is up (Stage.root). */
function rootOf(uppers: Int32Array, isUp: (node: number) => boolean): number {
  const votes = new Map<number, number>()
  const seen = new Int32Array(uppers.length).fill(-1)
  for (let node = 0; node < uppers.length; node++) {
    if (!isUp(node)) continue
    let top = node
    seen[node] = node
    for (
      let above = uppers[top] as number;
      above >= 0 && seen[above] !== node;
      above = uppers[top] as number
    ) {
      seen[above] = node
      top = above
    }
    votes.set(top, (votes.get(top) ?? 0) + 1)
  }
  let best = -1
  for (const [node, count] of votes) if (best < 0 || count > (votes.get(best) as number)) best = node
  return best
}
