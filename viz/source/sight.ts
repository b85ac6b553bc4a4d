/**
 * What running nodes see, put together: each tells of itself and of its neighbours, and nobody of the whole
 * mesh. Whoever is heard of gets a number, those that are asked the first ones; what nobody says is left
 * open. It computes and asks nobody.
 */
import type { LinkView, NodeView } from '../../core/io.ts'
import { type About, type Detail, type Measures, NODE, type Picture, type VlanAbout } from './source.ts'
import type { Status } from './status.ts'

/** Nodes that get a number; a node has 64 neighbours at most, and whoever is asked may meet many in turn. */
const NODES_MAX = 4_096
/** VLANs and, of each, epochs that are told apart: a relay may carry thousands in its life. Guesses. */
const VLANS_MAX = 256
const EPOCHS_MAX = 512
/** Who is not seen any more stays in sight for so long, as one that went. */
const GONE_SECONDS = 30
const ID_DIGITS = 6
const NAME_CHARS = 8
/** `LinkView.role` (core/io.ts, TREE_ROLE). */
const LOWER = 2

/** What one node said of itself at a moment. */
export interface Said {
  readonly view: NodeView
  readonly timerSeconds?: number | undefined
  readonly status: Pick<Status, 'vlans' | 'names'>
}

/** What all that are asked said at about the same time; undefined of one that did not answer. */
export interface Moment {
  /** Seconds since somebody began to look. */
  readonly at: number
  readonly said: readonly (Said | undefined)[]
  /** Numbers of nodes that went out of sight not long ago. */
  readonly gone: readonly number[]
}

interface SeenVlan {
  readonly id: string
  label: string
  hasEpochs: boolean
  /** Numbers of nodes that are asked and said that they are members, now or before. */
  readonly members: Set<number>
  /** Epochs by MLS-ID, numbered as they were first seen, and what they are called. */
  readonly epochs: Map<string, number>
  readonly epochNames: Map<number, string>
  nextEpoch: number
}

export class Sight {
  /** Of those that are asked, what the person calls them. */
  readonly #asked: readonly string[]
  readonly #numbers = new Map<string, number>()
  readonly #names: string[]
  readonly #vlans: SeenVlan[] = []
  /** When a node was in sight last. */
  readonly #seenAt = new Map<number, number>()

  constructor(asked: readonly string[]) {
    this.#asked = asked
    this.#names = [...asked]
  }

  get nodes(): number {
    return this.#names.length
  }

  numberOf(peer: string): number | undefined {
    return this.#numbers.get(peer)
  }

  /** Which of those that are asked that is. */
  isAsked(node: number): boolean {
    return node < this.#asked.length
  }

  /** Changes whenever `about` would say something else but for the time. */
  get shape(): string {
    const vlans = this.#vlans.map(({ label, members }) => `${label} ${[...members].join(' ')}`)
    return `${this.nodes} ${this.#names.join()} ${vlans.join()}`
  }

  about(endsAt: number): About {
    const vlans = this.#vlans.map(({ label, hasEpochs, members }): VlanAbout => {
      return { label, hasEpochs, members: [...members].sort((a, b) => a - b) }
    })
    const many = this.#asked.length > 1
    return {
      name: 'live',
      question:
        `What ${many ? `${this.#asked.length} running nodes see` : 'this node sees'}: ` +
        `${many ? 'themselves' : 'itself'}, neighbours and the way up. Nobody knows the whole mesh, ` +
        'and what lies beyond is not drawn.',
      seed: 1,
      nodes: this.nodes,
      endsAt,
      warmupSeconds: 0,
      vlans,
      planned: [],
      live: { names: [...this.#names] },
    }
  }

  /** Takes in what was said. */
  take(at: number, said: readonly (Said | undefined)[]): Moment {
    for (const [node, each] of said.entries()) if (each !== undefined) this.#name(each, node)
    for (const [node, each] of said.entries()) if (each !== undefined) this.#learn(each, node)
    const inSight = this.#inSight(said)
    for (const node of inSight) this.#seenAt.set(node, at)
    const gone: number[] = []
    for (const [node, seenAt] of this.#seenAt) {
      if (at - seenAt > GONE_SECONDS) this.#seenAt.delete(node)
      else if (!inSight.has(node)) gone.push(node)
    }
    return { at, said, gone }
  }

  /** `vlan`: which one of `about` is looked at, −1 for none. */
  picture({ at, said, gone }: Moment, vlan: number, leap: boolean): Picture {
    const states = new Uint8Array(this.nodes)
    const uppers = new Int32Array(this.nodes).fill(-1)
    const epochs = new Int32Array(this.nodes).fill(-1)
    for (const node of this.#inSight(said)) states[node] = NODE.up
    for (const node of gone) states[node] = NODE.gone
    for (const [node, each] of said.entries()) {
      if (each === undefined) continue
      uppers[node] = this.#far(each, each.view.trees[0]?.upper) ?? -1
      for (const { peer, role, neighbour } of each.view.links) {
        const far = this.numberOf(peer)
        // One that is asked says itself what is above it.
        if (!neighbour || role !== LOWER || far === undefined || said[far] !== undefined) continue
        uppers[far] = node
      }
      epochs[node] = this.#epochOf(each, vlan)
    }
    for (const upper of uppers) if (upper >= 0) states[upper] = (states[upper] as number) | NODE.relay
    const measures = this.#measure(at, said, vlan)
    return {
      at,
      leap,
      states,
      uppers,
      root: this.#root(said),
      sides: new Uint8Array(this.nodes),
      links: measures.links,
      cut: new Uint8Array(measures.links.length / 2),
      epochs,
      epochNames: Object.fromEntries(this.#vlans[vlan]?.epochNames ?? []),
      measures,
      digest: '',
      messages: 0,
    }
  }

  detail({ at, said }: Moment, node: number): Detail {
    const each = said[node]
    const numbers: Record<string, number> = {}
    for (const { peer } of each?.view.links ?? []) {
      const far = this.numberOf(peer)
      if (far !== undefined) numbers[peer] = far
    }
    for (const { root } of each?.view.trees ?? []) {
      const far = root === undefined ? undefined : this.numberOf(root)
      if (root !== undefined && far !== undefined) numbers[root] = far
    }
    const hidden = this.isAsked(node)
      ? 'It does not answer.'
      : 'It is not one of the nodes that are asked, so its tables are its own.'
    return {
      node,
      at,
      view: each?.view,
      timerSeconds: each?.timerSeconds,
      numbers,
      ...(each === undefined && { hidden }),
    }
  }

  /** How many are in sight, and of those that are asked the share that hangs below one root. */
  sample({ said }: Moment): { readonly alive: number; readonly attached: number } {
    const answering = said.filter((each) => each !== undefined)
    const roots = answering.map(({ view: { trees } }) =>
      trees[0]?.detached === false ? trees[0].root : undefined,
    )
    const most = Math.max(
      0,
      ...roots.map((root) => (root === undefined ? 0 : roots.filter((each) => each === root).length)),
    )
    return {
      alive: this.#inSight(said).size,
      attached: answering.length === 0 ? 0 : most / answering.length,
    }
  }

  // Within.

  #name({ view: { self }, status: { names } }: Said, node: number): void {
    this.#numbers.set(self, node)
    const asked = this.#asked[node] as string
    const name = names[self]?.slice(-NAME_CHARS)
    if (name !== undefined) this.#names[node] = `${name}, ${asked}`
  }

  #learn({ view, status }: Said, node: number): void {
    const peers = view.links.filter(({ neighbour }) => neighbour).map(({ peer }) => peer as string)
    for (const { root } of view.trees) if (root !== undefined) peers.push(root)
    for (const peer of peers) {
      if (this.#numbers.has(peer) || this.nodes >= NODES_MAX) continue
      this.#numbers.set(peer, this.nodes)
      this.#names.push((status.names[peer] ?? peer).slice(-NAME_CHARS))
    }
    for (const { vlan } of view.vlans) this.#vlanOf(vlan)
    for (const { vlan, label } of status.vlans) {
      const seen = this.#vlanOf(vlan)
      if (seen !== undefined) seen.label = label
    }
    for (const { vlan, phase, mlsId, epoch } of view.memberships) {
      const seen = this.#vlanOf(vlan)
      if (seen === undefined || phase !== 'member' || mlsId === undefined) continue
      seen.hasEpochs = true
      seen.members.add(node)
      if (!seen.epochs.has(mlsId)) addEpoch(seen, mlsId, `${epoch} (${mlsId.slice(0, ID_DIGITS)})`)
    }
  }

  /** Undefined where there is no room for one more. */
  #vlanOf(id: string): SeenVlan | undefined {
    const seen = this.#vlans.find((each) => each.id === id)
    if (seen !== undefined || this.#vlans.length >= VLANS_MAX) return seen
    const label = id.slice(0, NAME_CHARS)
    const [members, epochs, epochNames] = [new Set<number>(), new Map(), new Map()]
    const made: SeenVlan = { id, label, hasEpochs: false, members, epochs, epochNames, nextEpoch: 0 }
    this.#vlans.push(made)
    return made
  }

  /** Those that answer, their neighbours, and who they say is the root. */
  #inSight(said: readonly (Said | undefined)[]): Set<number> {
    const found = new Set<number>()
    const add = (node: number | undefined): void => {
      // One that is asked and silent is in sight only for those that have it as a neighbour.
      if (node !== undefined) found.add(node)
    }
    for (const [node, each] of said.entries()) {
      if (each === undefined) continue
      add(node)
      for (const { peer, neighbour } of each.view.links) if (neighbour) add(this.numberOf(peer))
      const tree = each.view.trees[0]
      if (tree?.root !== undefined && !tree.detached) add(this.numberOf(tree.root))
    }
    return found
  }

  #root(said: readonly (Said | undefined)[]): number {
    for (const each of said) {
      const tree = each?.view.trees[0]
      if (tree?.root !== undefined && !tree.detached) return this.numberOf(tree.root) ?? -1
    }
    return -1
  }

  #far({ view }: Said, link: number | undefined): number | undefined {
    const peer = link === undefined ? undefined : view.links.find((each) => each.link === link)?.peer
    return peer === undefined ? undefined : this.numberOf(peer)
  }

  #epochOf({ view }: Said, vlan: number): number {
    const seen = this.#vlans[vlan]
    const membership = view.memberships.find((each) => each.vlan === seen?.id)
    if (membership?.phase !== 'member') return -1
    return seen?.epochs.get(membership.mlsId ?? '') ?? -1
  }

  /** Each pair once, with the worse of what its ends say. */
  #measure(at: number, said: readonly (Said | undefined)[], vlan: number): Measures {
    const places = new Map<number, number>()
    const [links, latency, loss]: [number[], number[], number[]] = [[], [], []]
    const load = new Float32Array(this.nodes).fill(Number.NaN)
    const carrying: number[] = []
    const measure = (node: number, far: number, { rttMicros, loss: lost }: LinkView): void => {
      const [a, b] = [Math.min(node, far), Math.max(node, far)]
      let place = places.get(a * NODES_MAX + b)
      if (place === undefined) {
        place = latency.length
        places.set(a * NODES_MAX + b, place)
        links.push(a, b)
        latency.push(0)
        loss.push(0)
      }
      latency[place] = Math.max(latency[place] as number, rttMicros / 1_000)
      loss[place] = Math.max(loss[place] as number, lost)
    }
    for (const [node, each] of said.entries()) {
      if (each === undefined) continue
      for (const link of each.view.links) {
        const far = this.numberOf(link.peer)
        if (!link.neighbour || far === undefined) continue
        load[far] = link.load
        measure(node, far, link)
      }
      const table = each.view.vlans.find((one) => one.vlan === this.#vlans[vlan]?.id)
      const upper = this.#far(each, table?.upper)
      if (upper !== undefined) carrying.push(node, upper)
      for (const lower of table?.lowers ?? []) {
        const far = this.#far(each, lower)
        if (far !== undefined) carrying.push(far, node)
      }
    }
    return {
      at,
      links: Int32Array.from(links),
      latency: Float32Array.from(latency),
      loss: Float32Array.from(loss),
      load,
      carrying: Int32Array.from(carrying),
    }
  }
}

/** The oldest makes room. */
function addEpoch(seen: SeenVlan, mlsId: string, name: string): void {
  const [oldest] = seen.epochs
  if (oldest !== undefined && seen.epochs.size >= EPOCHS_MAX) {
    seen.epochs.delete(oldest[0])
    seen.epochNames.delete(oldest[1])
  }
  seen.epochs.set(mlsId, seen.nextEpoch)
  seen.epochNames.set(seen.nextEpoch, name)
  seen.nextEpoch += 1
}
