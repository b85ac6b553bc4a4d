/**
 * Which nodes hang together over neighbour links, and since when: deliveries are owed only between
 * nodes that were connected from 5 s before sending (mesh:M19), in whichever part of a split mesh. The
 * parts are found anew at most once a second, and only if something changed; a node that lost its last
 * neighbour counts as cut at once.
 *
 * The last looks are kept, so that two nodes are compared with each other at each of them: whoever else
 * comes to their part or leaves it, root or lowest or half of it, breaks nothing between the two.
 */
import { type Micros, NEVER } from '../../core/io.ts'

const ALONE = -1
/** Looks kept: at one a second, more than from 5 s before a frame is sent to when it is judged. */
const LOOKS = 16

/** Tells whether nothing passes from one node to another. */
export type Cut = (from: number, to: number) => boolean

/** What hung together from that time until the next look: the lowest node of each node's part, or ALONE. */
interface Look {
  at: Micros
  readonly part: Int32Array
}

export class Connectivity {
  /** How many links both ends of a pair hold, by pair: two for a moment where both dialled. */
  readonly #pairs = new Map<number, number>()
  /** How many pairs a node is in. */
  readonly #degree: Int32Array
  readonly #alive: Uint8Array
  /** Since when the node has been in any part without a break; NEVER if it is alone. */
  readonly #since: Float64Array
  /** The last first. */
  readonly #looks: Look[] = []
  readonly #size: Int32Array
  #changed = true
  /** Nodes alive. */
  living = 0
  /** Share of living nodes in the largest part at the last look. */
  largestShare = 0

  constructor(nodes: number) {
    this.#degree = new Int32Array(nodes)
    this.#alive = new Uint8Array(nodes)
    this.#since = new Float64Array(nodes).fill(NEVER)
    this.#size = new Int32Array(nodes)
  }

  setAlive(node: number, alive: boolean): void {
    if ((this.#alive[node] === 1) === alive) return
    this.#alive[node] = alive ? 1 : 0
    this.living += alive ? 1 : -1
    this.#changed = true
  }

  connect(a: number, b: number): void {
    const pair = this.#pair(a, b)
    const links = this.#pairs.get(pair) ?? 0
    this.#pairs.set(pair, links + 1)
    if (links === 0) this.#join(a, b, 1)
  }

  disconnect(a: number, b: number): void {
    const pair = this.#pair(a, b)
    const links = this.#pairs.get(pair) ?? 0
    if (links > 1) {
      this.#pairs.set(pair, links - 1)
    } else if (this.#pairs.delete(pair)) {
      this.#join(a, b, -1)
      for (const node of [a, b]) if (this.#degree[node] === 0) this.#since[node] = NEVER
    }
  }

  /** Whether both have been in one part at every look since then. */
  togetherSince(a: number, b: number, since: Micros): boolean {
    if ((this.#since[a] as number) > since || (this.#since[b] as number) > since) return false
    for (const { at, part } of this.#looks) {
      if (part[a] !== part[b]) return false
      if (at <= since) return true
    }
    return false
  }

  /** Something other than links and lives changed what hangs together: a partition. */
  touch(): void {
    this.#changed = true
  }

  /** Looks again; `cut` is undefined while no path is cut. */
  refresh(now: Micros, cut: Cut | undefined): void {
    if (!this.#changed) return
    this.#changed = false
    const { part } = this.#nextLook(now)
    for (let node = 0; node < part.length; node++) part[node] = node
    for (const pair of this.#pairs.keys()) {
      const low = Math.floor(pair / part.length)
      const high = pair % part.length
      if (this.#alive[low] === 0 || this.#alive[high] === 0) continue
      if (cut === undefined || !(cut(low, high) || cut(high, low))) unite(part, low, high)
    }
    const largest = this.#label(part)
    for (let node = 0; node < part.length; node++) {
      if (part[node] === ALONE) this.#since[node] = NEVER
      else if (this.#since[node] === NEVER) this.#since[node] = now
    }
    this.largestShare = this.living === 0 ? 0 : largest / this.living
  }

  /** A new look, or the oldest over again. */
  #nextLook(at: Micros): Look {
    const oldest = this.#looks.length === LOOKS ? this.#looks.pop() : undefined
    const look = oldest ?? { at, part: new Int32Array(this.#alive.length) }
    look.at = at
    this.#looks.unshift(look)
    return look
  }

  /** Each node gets the lowest of its part, or ALONE; answers the size of the largest part. */
  #label(part: Int32Array): number {
    const size = this.#size.fill(0)
    let largest = 0
    for (let node = 0; node < part.length; node++) {
      if (this.#alive[node] === 0) continue
      // Every node points to a lower one, and those were labelled before.
      const lowest = part[part[node] as number] as number
      part[node] = lowest
      const members = (size[lowest] as number) + 1
      size[lowest] = members
      if (members > largest) largest = members
    }
    for (let node = 0; node < part.length; node++) {
      const lowest = part[node] as number
      if (this.#alive[node] === 0 || (size[lowest] as number) === 1) part[node] = ALONE
    }
    return largest
  }

  #join(a: number, b: number, change: 1 | -1): void {
    for (const node of [a, b]) this.#degree[node] = (this.#degree[node] as number) + change
    this.#changed = true
  }

  #pair(a: number, b: number): number {
    const nodes = this.#alive.length
    return a < b ? a * nodes + b : b * nodes + a
  }
}

/** Union of two sets in which each node points to a lower one, the lowest to itself (Tarjan 1975). */
function unite(lower: Int32Array, a: number, b: number): void {
  const [one, two] = [lowestOf(lower, a), lowestOf(lower, b)]
  if (one < two) lower[two] = one
  else lower[one] = two
}

/** The lowest of the node's set; halves the way to it for the next who asks. */
function lowestOf(lower: Int32Array, node: number): number {
  let at = node
  for (let next = lower[at] as number; next !== at; next = lower[at] as number) {
    const after = lower[next] as number
    lower[at] = after
    at = after
  }
  return at
}
