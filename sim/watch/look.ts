/** Reads pictures off a run. It only looks: a run is the same with pictures and without. */
import type { LinkId, NodeView } from '../../core/io.ts'
import type { SimNode } from '../node.ts'
import type { Run } from '../run.ts'
import { type Detail, type Measures, NODE, type Picture } from './seen.ts'
import type { Watcher } from './watcher.ts'

/** Sides of partitions that are told apart; all further ones look alike. */
export const SIDES_MAX = 8

/** Who went down stays in sight for so long. */
export const GONE_SECONDS = 30

/** What a picture takes from elsewhere. */
export interface Beside {
  readonly leap: boolean
  readonly epochs: Int32Array
  readonly epochNames: Readonly<Record<number, string>>
  readonly measures: Measures | undefined
}

/** Measures with the links that carry each VLAN, by the VLAN's id in hex. */
export interface Looks extends Omit<Measures, 'carrying'> {
  readonly carrying: ReadonlyMap<string, Int32Array>
}

export function pictureOf(run: Run, watcher: Watcher, beside: Beside): Picture {
  const { world, stage } = run
  const { nodes } = world
  const { contacts } = run.scenario.nodes
  const states = new Uint8Array(nodes.length)
  const uppers = new Int32Array(nodes.length).fill(-1)
  for (const node of nodes) {
    if (!node.up) {
      if (watcher.wentDown(node.index, GONE_SECONDS)) states[node.index] = NODE.gone
      continue
    }
    uppers[node.index] = stage.cycles.upperOf(node.index) ?? -1
    states[node.index] = stateOf(node, contacts)
  }
  for (const upper of uppers) if (upper >= 0) states[upper] = (states[upper] as number) | NODE.relay
  const pairs = pairsOf(run)
  return {
    at: world.now / 1e6,
    states,
    uppers,
    root: stage.root() ?? -1,
    sides: Uint8Array.from(sidesOf(run), (side) => Math.min(side, SIDES_MAX - 1)),
    links: linksOf(pairs, nodes.length),
    cut: cutOf(run, pairs),
    digest: run.digest,
    messages: world.messages,
    ...beside,
  }
}

/** What the node is by itself: all of its state that does not follow from others'. */
export function stateOf(node: SimNode, contacts: number): number {
  if (!node.up) return 0
  let state: number = NODE.up
  if (node.index < contacts) state |= NODE.contact
  if (node.leaving) state |= NODE.leaving
  if (node.hostile) state |= NODE.hostile
  if (node.slowness > 1) state |= NODE.slow
  return state
}

/** Pairs of neighbours as lower × nodes + higher, ascending; each once though two trunks may join them. */
export function pairsOf(run: Run): Float64Array {
  const { nodes, trunks } = run.world
  const pairs = new Set<number>()
  const count = nodes.length
  for (const node of nodes) {
    if (!node.up) continue
    for (const trunk of trunks.of(node)) {
      if (!trunk.joined || trunk.node(0) !== node) continue
      pairs.add(pairOf(node.index, trunk.node(1).index, count))
    }
  }
  return Float64Array.from(pairs).sort()
}

export function pairOf(a: number, b: number, count: number): number {
  return Math.min(a, b) * count + Math.max(a, b)
}

/** The same as pairs of numbers in a row. */
export function linksOf(pairs: Float64Array, count: number): Int32Array {
  const links = new Int32Array(pairs.length * 2)
  for (let place = 0; place < pairs.length; place++) {
    const pair = pairs[place] as number
    links[place * 2] = Math.floor(pair / count)
    links[place * 2 + 1] = pair % count
  }
  return links
}

function cutOf(run: Run, pairs: Float64Array): Uint8Array {
  const { partition } = run.tools
  const cut = new Uint8Array(pairs.length)
  if (!partition.active) return cut
  const count = run.world.nodes.length
  for (let place = 0; place < cut.length; place++) {
    const pair = pairs[place] as number
    const [a, b] = [Math.floor(pair / count), pair % count]
    if (partition.cut(a, b) || partition.cut(b, a)) cut[place] = 1
  }
  return cut
}

/** Nodes that nothing keeps apart have one number, 0 being that of node 0. */
export function sidesOf(run: Run): Int32Array {
  const { partition } = run.tools
  const sides = new Int32Array(run.world.nodes.length)
  if (!partition.active) return sides
  const firsts: number[] = []
  for (let node = 0; node < sides.length; node++) {
    const side = firsts.findIndex((first) => !partition.cut(first, node) && !partition.cut(node, first))
    sides[node] = side < 0 ? firsts.push(node) - 1 : side
  }
  return sides
}

/** A look into every node. `links`: those of the picture that it is for; `vlan`: an id in hex. */
export function measure(run: Run, links: Int32Array, vlan: string | undefined): Measures {
  const { carrying, ...measures } = measureAll(run, links, new Set(vlan === undefined ? [] : [vlan]))
  return { ...measures, carrying: carrying.get(vlan ?? '') ?? new Int32Array(0) }
}

/** The same for several VLANs at once. */
export function measureAll(run: Run, links: Int32Array, vlans: ReadonlySet<string>): Looks {
  const { nodes } = run.world
  const count = nodes.length
  const latency = new Float32Array(links.length / 2).fill(Number.NaN)
  const loss = new Float32Array(links.length / 2).fill(Number.NaN)
  const load = new Float32Array(count).fill(Number.NaN)
  const places = new Map<number, number>()
  for (let place = 0; place < latency.length; place++)
    places.set((links[place * 2] as number) * count + (links[place * 2 + 1] as number), place)
  const trees = new Map([...vlans].map((vlan) => [vlan, new HalfLinks()]))
  for (const node of nodes) {
    const view = node.host?.machine.view()
    if (view === undefined) continue
    for (const link of view.links) {
      const far = farEnd(run, link.link)
      if (far === undefined || !link.neighbour) continue
      load[far] = link.load
      const place = places.get(pairOf(node.index, far, count))
      if (place === undefined) continue
      // The worse of what the two ends say.
      latency[place] = worse(latency[place] as number, link.rttMicros / 1_000)
      loss[place] = worse(loss[place] as number, link.loss)
    }
    for (const { vlan, upper, lowers } of view.vlans) {
      const halves = trees.get(vlan)
      if (halves === undefined) continue
      const above = upper === undefined ? undefined : farEnd(run, upper)
      if (above !== undefined) halves.lowerSays.push([node.index, above])
      for (const lower of lowers) halves.upperSays.add(node.index * count + (farEnd(run, lower) ?? -1))
    }
  }
  const carrying = new Map([...trees].map(([vlan, halves]) => [vlan, halves.links(count)]))
  return { at: run.world.now / 1e6, links, latency, loss, load, carrying }
}

/** What the nodes of one VLAN say of their links up and down: a link is there when both ends say so. */
class HalfLinks {
  readonly lowerSays: [number, number][] = []
  readonly upperSays = new Set<number>()

  links(count: number): Int32Array {
    const whole = this.lowerSays.filter(([lower, upper]) => this.upperSays.has(upper * count + lower))
    return Int32Array.from(whole.flat())
  }
}

export function detailOf(run: Run, index: number): Detail {
  const node = run.world.nodes[index]
  const machine = node?.host?.machine
  const at = run.world.now / 1e6
  if (node === undefined || machine === undefined)
    return { node: index, at, view: undefined, timerSeconds: undefined, numbers: {} }
  const full = machine.view()
  // Ledgers are long, and nobody reads them in bytes.
  const view: NodeView = {
    ...full,
    memberships: full.memberships.map((each) => ({ ...each, facts: [] })),
  }
  const peers = new Set<string>([view.self, ...view.links.map(({ peer }) => peer)])
  for (const { root } of view.trees) if (root !== undefined) peers.add(root)
  const numbers: Record<string, number> = {}
  for (const other of run.world.nodes)
    if (other.peer !== undefined && peers.has(other.peer)) numbers[other.peer] = other.index
  const due = machine.nextDeadline()
  const timerSeconds = due === Number.MAX_SAFE_INTEGER ? undefined : Math.max(0, due - node.now()) / 1e6
  return { node: index, at, view, timerSeconds, numbers }
}

function farEnd(run: Run, link: LinkId): number | undefined {
  const trunk = run.world.trunks.get(link >> 1)
  return trunk?.node((link & 1) === 0 ? 1 : 0).index
}

function worse(before: number, value: number): number {
  return before >= value ? before : value
}
