/**
 * Which nodes hang together over neighbour links, and since when: deliveries are owed only between
 * nodes that were connected from 5 s before sending (mesh:M19), in whichever part of a split mesh. A part
 * goes by its lowest node; a node that is alone is in no part. The components are found anew at most
 * once a second, and only if a link changed; a node that lost its last neighbour counts as cut at once.
 */
import { type Micros, NEVER } from '../../core/io.ts'

const ALONE = -1

export class Connectivity {
  /** Neighbour nodes over links that both ends hold; a pair may have two links for a moment. */
  readonly #neighbours: Map<number, number>[]
  /** Since when the node has been in the part it is in without a break; NEVER if it is alone. */
  readonly #since: Float64Array
  readonly #component: Int32Array
  #changed = true
  /** Share of living nodes in the largest component at the last look. */
  largestShare = 0

  constructor(nodes: number) {
    this.#neighbours = Array.from({ length: nodes }, () => new Map<number, number>())
    this.#since = new Float64Array(nodes).fill(NEVER)
    this.#component = new Int32Array(nodes).fill(ALONE)
  }

  connect(a: number, b: number): void {
    this.#count(a, b, 1)
    this.#count(b, a, 1)
    this.#changed = true
  }

  disconnect(a: number, b: number): void {
    this.#count(a, b, -1)
    this.#count(b, a, -1)
    this.#changed = true
    for (const node of [a, b]) if (this.#neighbourMap(node).size === 0) this.#since[node] = NEVER
  }

  connectedSince(node: number): Micros {
    return this.#since[node] as number
  }

  /** Whether both were in one part at the last look. */
  together(a: number, b: number): boolean {
    return this.#component[a] === this.#component[b] && this.#component[a] !== ALONE
  }

  degree(node: number): number {
    return this.#neighbourMap(node).size
  }

  /** Something other than a link changed what hangs together: a node's life, a partition. */
  touch(): void {
    this.#changed = true
  }

  /** Looks again; `cut` tells whether nothing passes between two nodes. */
  refresh(now: Micros, alive: (node: number) => boolean, cut: (a: number, b: number) => boolean): void {
    if (!this.#changed) return
    this.#changed = false
    const before = this.#component.slice()
    const largest = this.#components(alive, cut)
    let living = 0
    for (let node = 0; node < this.#component.length; node++) {
      const part = this.#component[node] as number
      if (alive(node)) living += 1
      if (part === ALONE) this.#since[node] = NEVER
      else if (this.#since[node] === NEVER || before[node] !== part) this.#since[node] = now
    }
    this.largestShare = living === 0 ? 0 : largest / living
  }

  /** Labels components by their lowest node; answers the size of the largest. */
  #components(alive: (node: number) => boolean, cut: (a: number, b: number) => boolean): number {
    this.#component.fill(ALONE)
    let largest = 0
    for (let first = 0; first < this.#component.length; first++) {
      if (this.#component[first] !== ALONE || !alive(first)) continue
      const size = this.#mark(first, alive, cut)
      if (size === 1) this.#component[first] = ALONE
      largest = Math.max(largest, size)
    }
    return largest
  }

  /** Labels everything that hangs together with the first; answers how many there are. */
  #mark(first: number, alive: (node: number) => boolean, cut: (a: number, b: number) => boolean): number {
    const stack = [first]
    this.#component[first] = first
    let size = 0
    while (stack.length > 0) {
      const node = stack.pop() as number
      size += 1
      for (const other of this.#neighbourMap(node).keys()) {
        if (this.#component[other] !== ALONE || !alive(other) || cut(node, other) || cut(other, node))
          continue
        this.#component[other] = first
        stack.push(other)
      }
    }
    return size
  }

  #count(a: number, b: number, change: number): void {
    const map = this.#neighbourMap(a)
    const links = (map.get(b) ?? 0) + change
    if (links <= 0) map.delete(b)
    else map.set(b, links)
  }

  #neighbourMap(node: number): Map<number, number> {
    return this.#neighbours[node] as Map<number, number>
  }
}
