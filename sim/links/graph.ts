/**
 * A fixed graph of possible trunks, for scenarios whose topology is given: a radio mesh, a backbone.
 * Undirected; it knows node numbers and edges only.
 */
import { UsageError } from '../../core/errors.ts'

export class DialGraph {
  /** Neighbours of node n, ascending: `#targets` from `#starts[n]` to `#starts[n + 1]`. */
  readonly #starts: Int32Array
  readonly #targets: Int32Array

  /** Edges between nodes 0 to `nodes` - 1; one that is listed twice or leads to itself counts once or not. */
  constructor(nodes: number, edges: readonly (readonly [number, number])[]) {
    const lists: number[][] = Array.from({ length: nodes }, () => [])
    for (const [a, b] of edges) {
      const [ofA, ofB] = [lists[a], lists[b]]
      if (ofA === undefined || ofB === undefined) {
        throw new UsageError(
          `edge ${a}-${b} leads to a node that does not exist; nodes are 0 to ${nodes - 1}`,
        )
      }
      if (a === b) continue
      ofA.push(b)
      ofB.push(a)
    }
    this.#starts = new Int32Array(nodes + 1)
    const targets: number[] = []
    for (let node = 0; node < nodes; node++) {
      const sorted = (lists[node] as number[]).sort((x, y) => x - y)
      sorted.forEach((target, index) => {
        if (target !== sorted[index - 1]) targets.push(target)
      })
      this.#starts[node + 1] = targets.length
    }
    this.#targets = Int32Array.from(targets)
  }

  /** Neighbours of a node, ascending. A view: do not write. */
  neighbours(node: number): Int32Array {
    return this.#targets.subarray(this.#starts[node], this.#starts[node + 1])
  }

  has(a: number, b: number): boolean {
    let low = this.#starts[a] as number
    let high = this.#starts[a + 1] as number
    while (low < high) {
      const middle = (low + high) >> 1
      const target = this.#targets[middle] as number
      if (target === b) return true
      if (target < b) low = middle + 1
      else high = middle
    }
    return false
  }
}
