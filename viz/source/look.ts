/** Reads pictures off a run. It only looks: a run is the same with pictures and without. */
import type { LinkId, NodeView } from '../../core/io.ts'
import type { Run } from '../../sim/index.ts'
import { type Detail, type Measures, NODE, type Picture } from './source.ts'
import type { Watcher } from './watcher.ts'

/** Sides of partitions that are told apart; all further ones look alike. */
const SIDES_MAX = 8

/** Who went down stays in sight for so long. */
const GONE_SECONDS = 30

/** What a picture takes from elsewhere. */
export interface Beside {
  readonly leap: boolean
  readonly epochs: Int32Array
  readonly epochNames: Readonly<Record<number, string>>
  readonly measures: Measures | undefined
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
    let state: number = NODE.up
    if (node.index < contacts) state |= NODE.contact
    if (node.leaving) state |= NODE.leaving
    if (node.hostile) state |= NODE.hostile
    if (node.slowness > 1) state |= NODE.slow
    states[node.index] = state
  }
  for (const upper of uppers) if (upper >= 0) states[upper] = (states[upper] as number) | NODE.relay
  const { links, cut } = linksOf(run)
  return {
    at: world.now / 1e6,
    states,
    uppers,
    root: stage.root() ?? -1,
    sides: sidesOf(run),
    links,
    cut,
    digest: run.digest,
    messages: world.messages,
    ...beside,
  }
}

/** Pairs of neighbours, each once though two trunks may join them for a moment. */
function linksOf(run: Run): { readonly links: Int32Array; readonly cut: Uint8Array } {
  const { nodes, trunks } = run.world
  const { partition } = run.tools
  const pairs = new Set<number>()
  const count = nodes.length
  for (const node of nodes) {
    if (!node.up) continue
    for (const trunk of trunks.of(node)) {
      if (!trunk.joined || trunk.node(0) !== node) continue
      const far = trunk.node(1).index
      pairs.add(Math.min(node.index, far) * count + Math.max(node.index, far))
    }
  }
  const links = new Int32Array(pairs.size * 2)
  const cut = new Uint8Array(pairs.size)
  let place = 0
  for (const pair of pairs) {
    const [a, b] = [Math.floor(pair / count), pair % count]
    links[place * 2] = a
    links[place * 2 + 1] = b
    if (partition.active && (partition.cut(a, b) || partition.cut(b, a))) cut[place] = 1
    place += 1
  }
  return { links, cut }
}

/** Nodes that nothing keeps apart have one number. */
function sidesOf(run: Run): Uint8Array {
  const { partition } = run.tools
  const sides = new Uint8Array(run.world.nodes.length)
  if (!partition.active) return sides
  const firsts: number[] = []
  for (let node = 0; node < sides.length; node++) {
    let side = firsts.findIndex((first) => !partition.cut(first, node) && !partition.cut(node, first))
    if (side < 0) side = firsts.length < SIDES_MAX ? firsts.push(node) - 1 : SIDES_MAX - 1
    sides[node] = side
  }
  return sides
}

/** A look into every node. `links`: those of the picture that it is for; `vlan`: an id in hex. */
export function measure(run: Run, links: Int32Array, vlan: string | undefined): Measures {
  const { nodes } = run.world
  const count = nodes.length
  const latency = new Float32Array(links.length / 2).fill(Number.NaN)
  const loss = new Float32Array(links.length / 2).fill(Number.NaN)
  const load = new Float32Array(count).fill(Number.NaN)
  const places = new Map<number, number>()
  for (let place = 0; place < latency.length; place++)
    places.set((links[place * 2] as number) * count + (links[place * 2 + 1] as number), place)
  const lowerSays: [number, number][] = []
  const upperSays = new Set<number>()
  for (const node of nodes) {
    const view = node.host?.machine.view()
    if (view === undefined) continue
    for (const link of view.links) {
      const far = farEnd(run, link.link)
      if (far === undefined || !link.neighbour) continue
      load[far] = link.load
      const pair = Math.min(node.index, far) * count + Math.max(node.index, far)
      const place = places.get(pair)
      if (place === undefined) continue
      // The worse of what the two ends say.
      latency[place] = worse(latency[place] as number, link.rttMicros / 1_000)
      loss[place] = worse(loss[place] as number, link.loss)
    }
    const table = view.vlans.find((each) => each.vlan === vlan)
    if (table === undefined) continue
    const upper = table.upper === undefined ? undefined : farEnd(run, table.upper)
    if (upper !== undefined) lowerSays.push([node.index, upper])
    for (const lower of table.lowers) upperSays.add(node.index * count + (farEnd(run, lower) ?? -1))
  }
  const carrying = lowerSays.filter(([lower, upper]) => upperSays.has(upper * count + lower))
  return { at: run.world.now / 1e6, links, latency, loss, load, carrying: Int32Array.from(carrying.flat()) }
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
