/**
 * Watches from above that open tree links form a directed acyclic graph at every instant (mesh:N4).
 * A link is open when its lower end holds it as upper and its upper end holds it as lower. On every
 * half that closes a pair, the uppers are followed from there: coming back is a cycle.
 *
 * Knows link ids as the world numbers them: trunk × 2 + side, so that the two ends differ in one bit.
 */
import { type LinkId, TREE_ROLE, type TreeRole } from '../../core/io.ts'

export class CycleCheck {
  /** For each link end, the node it belongs to and the role that node gives it. */
  readonly #owner = new Map<number, number>()
  readonly #role = new Map<number, TreeRole>()
  /** For each node, the link ends it holds as upper, in order of opening. */
  readonly #uppers = new Map<number, number[]>()
  cycles = 0
  opened = 0

  /** Answers the nodes of a cycle that this change closed, or undefined. */
  roleChanged(node: number, link: LinkId, role: TreeRole): readonly number[] | undefined {
    const before = this.#role.get(link) ?? TREE_ROLE.none
    if (before === role) return undefined
    if (before === TREE_ROLE.upper) {
      const kept = (this.#uppers.get(node) ?? []).filter((each) => each !== link)
      if (kept.length > 0) this.#uppers.set(node, kept)
      else this.#uppers.delete(node)
    }
    if (role === TREE_ROLE.none) {
      this.#role.delete(link)
      this.#owner.delete(link)
      return undefined
    }
    this.#role.set(link, role)
    this.#owner.set(link, node)
    if (role === TREE_ROLE.upper) this.#uppers.set(node, [...(this.#uppers.get(node) ?? []), link])
    const lowerEnd = role === TREE_ROLE.upper ? link : link ^ 1
    if (!this.#open(lowerEnd)) return undefined
    this.opened += 1
    const cycle = this.#follow(this.#owner.get(lowerEnd) as number)
    if (cycle !== undefined) this.cycles += 1
    return cycle
  }

  /** All halves of a node that died vanish with it. */
  nodeGone(node: number): void {
    this.#uppers.delete(node)
    for (const [link, owner] of this.#owner) {
      if (owner !== node) continue
      this.#owner.delete(link)
      this.#role.delete(link)
    }
  }

  /** The node at the upper end of the first open upper link; undefined if there is none. */
  upperOf(node: number): number | undefined {
    for (const link of this.#uppers.get(node) ?? []) if (this.#open(link)) return this.#owner.get(link ^ 1)
    return undefined
  }

  /** From the node up to where open links end, the node itself first. */
  pathUp(node: number): number[] {
    const path = [node]
    const seen = new Set(path)
    for (let at = this.upperOf(node); at !== undefined && !seen.has(at); at = this.upperOf(at)) {
      path.push(at)
      seen.add(at)
    }
    return path
  }

  #open(lowerEnd: number): boolean {
    return this.#role.get(lowerEnd) === TREE_ROLE.upper && this.#role.get(lowerEnd ^ 1) === TREE_ROLE.lower
  }

  /** Depth-first over all open uppers of the start. */
  #follow(start: number): readonly number[] | undefined {
    const seen = new Set<number>()
    const stack = [start]
    while (stack.length > 0) {
      const node = stack.pop() as number
      for (const link of this.#uppers.get(node) ?? []) {
        if (!this.#open(link)) continue
        const above = this.#owner.get(link ^ 1) as number
        if (above === start) return [start, ...seen, node]
        if (seen.has(above)) continue
        seen.add(above)
        stack.push(above)
      }
    }
    return undefined
  }
}
