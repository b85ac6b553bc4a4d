/**
 * Which nodes hang together over neighbour links, and since when: deliveries are owed only between
 * nodes that were connected from 5 s before sending (mesh:M19). The components are found anew at most
 * once a second, and only if a link changed; a node that lost its last neighbour counts as cut at once.
 */
import { type Micros, NEVER } from '../../core/io.ts'

export class Connectivity {
  /** Neighbour nodes over links that both ends hold; a pair may have two links for a moment. */
  readonly #neighbours: Map<number, number>[]
  /** Since when the node has been in the largest component without a break; NEVER if it is not. */
  readonly #since: Float64Array
  readonly #component: Int32Array
  #changed = true
  /** Share of living nodes in the largest component at the last look. */
  largestShare = 0

  constructor(nodes: number) {
    this.#neighbours = Array.from({ length: nodes }, () => new Map<number, number>())
    this.#since = new Float64Array(nodes).fill(NEVER)
    this.#component = new Int32Array(nodes).fill(-1)
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
    const largest = this.#components(alive, cut)
    let living = 0
    let inside = 0
    for (let node = 0; node < this.#component.length; node++) {
      const isIn = this.#component[node] === largest && largest >= 0
      if (alive(node)) living += 1
      if (isIn) inside += 1
      if (!isIn) this.#since[node] = NEVER
      else if (this.#since[node] === NEVER) this.#since[node] = now
    }
    this.largestShare = living === 0 ? 0 : inside / living
  }

  /** Labels components in order of their lowest node; answers the label of the largest, the first among equals. */
  #components(alive: (node: number) => boolean, cut: (a: number, b: number) => boolean): number {
    this.#component.fill(-1)
    let largest = -1
    let largestSize = 0
    const stack: number[] = []
    for (let first = 0; first < this.#component.length; first++) {
      if (this.#component[first] !== -1 || !alive(first)) continue
      let size = 0
      stack.push(first)
      this.#component[first] = first
      while (stack.length > 0) {
        const node = stack.pop() as number
        size += 1
        for (const other of this.#neighbourMap(node).keys()) {
          if (this.#component[other] !== -1 || !alive(other) || cut(node, other) || cut(other, node)) continue
          this.#component[other] = first
          stack.push(other)
        }
      }
      if (size > largestSize) {
        largest = first
        largestSize = size
      }
    }
    return largest
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
