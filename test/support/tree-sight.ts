/**
 * The world of trees as nobody in it can see it: who hangs below whom by links that both halves hold open,
 * whether those links form a cycle (mesh:N4), and whether all hang under one root.
 */
import type { CounterName } from '../../core/counters.ts'
import { type Micros, TREE_ROLE, type TreeRole } from '../../core/io.ts'
import type { Link } from '../../core/links/link.ts'
import { EventHeap } from './tree-events.ts'
import type { TreeNode } from './tree-node.ts'

/** A link between two nodes, for as long as both live. */
export interface Cable {
  readonly id: number
  readonly nodes: readonly [TreeNode, TreeNode]
  readonly lives: readonly [number, number]
  readonly latency: Micros
  /** A cut path carries nothing, though the ends may not know yet. */
  cut: boolean
  /** When the last control packet each way arrives: order is kept. */
  readonly lastAt: [Micros, Micros]
}

const ROLE_NAMES = ['none', 'upper', 'lower'] as const

export class TreeSight extends EventHeap {
  readonly nodes: TreeNode[] = []
  readonly cables = new Map<number, Cable>()
  /** What the checker saw: who stood in a cycle, and when. */
  readonly cycles: { readonly at: Micros; readonly nodes: readonly number[] }[] = []
  /** Half links that opened, each a moment at which the checker looked. */
  openings = 0
  /** The check costs; without it the world is for measuring. */
  checks = true

  roleChanged(node: TreeNode, link: Link, role: TreeRole): void {
    if (!this.checks || role === TREE_ROLE.none) return
    this.openings += 1
    const cycle = this.#cycleFrom(role === TREE_ROLE.upper ? node : this.#peerOf(node, link))
    if (cycle !== undefined) this.cycles.push({ at: this.now, nodes: cycle })
  }

  #peerOf(node: TreeNode, link: Link): TreeNode {
    const cable = this.cables.get(link.id)
    if (cable === undefined) return node
    return cable.nodes[0] === node ? cable.nodes[1] : cable.nodes[0]
  }

  /** The uppers of a node by links that both halves hold open (R5). */
  openUppers(node: TreeNode): TreeNode[] {
    if (!node.up) return []
    const uppers: TreeNode[] = []
    for (const link of node.crst.uppers()) {
      const cable = this.cables.get(link.id)
      if (cable === undefined) continue
      const upper = cable.nodes[0] === node ? cable.nodes[1] : cable.nodes[0]
      if (upper.up && upper.crst.role(link.id) === TREE_ROLE.lower) uppers.push(upper)
    }
    return uppers
  }

  /** Depth first over the uppers of uppers: the nodes on a way back to the start, if there is one. */
  #cycleFrom(start: TreeNode): readonly number[] | undefined {
    const seen = new Set<TreeNode>()
    const trail: number[] = []
    const visit = (node: TreeNode): boolean => {
      trail.push(node.index)
      for (const upper of this.openUppers(node)) {
        if (upper === start) return true
        if (seen.has(upper)) continue
        seen.add(upper)
        if (visit(upper)) return true
      }
      trail.pop()
      return false
    }
    return visit(start) ? trail : undefined
  }

  /** The upper of a node, if both halves of the link to it are open. */
  upperOf(node: TreeNode): TreeNode | undefined {
    const { upper } = node.crst.view()
    if (!node.up || upper === undefined) return undefined
    const cable = this.cables.get(upper)
    const there = cable?.nodes[0] === node ? cable.nodes[1] : cable?.nodes[0]
    return there?.up && there.crst.role(upper) === TREE_ROLE.lower ? there : undefined
  }

  /** The root that following the uppers ends at, if every link on the way is open. */
  topOf(node: TreeNode): TreeNode | undefined {
    let at = node
    for (let hops = 0; hops <= this.nodes.length; hops++) {
      const view = at.crst.view()
      if (view.upper === undefined) return view.detached ? undefined : at
      const upper = this.upperOf(at)
      if (upper === undefined) return undefined
      at = upper
    }
    return undefined
  }

  /** The root that most nodes hang under, if more than half of all do. */
  mainRoot(): TreeNode | undefined {
    const counts = new Map<TreeNode, number>()
    for (const node of this.nodes) {
      const top = node.up ? this.topOf(node) : undefined
      if (top !== undefined) counts.set(top, (counts.get(top) ?? 0) + 1)
    }
    for (const [root, count] of counts) if (count > this.nodes.length / 2) return root
    return undefined
  }

  /** The node under which all that are up hang. */
  theRoot(): TreeNode | undefined {
    let root: TreeNode | undefined
    for (const node of this.nodes) {
      if (!node.up) continue
      const top = this.topOf(node)
      if (top === undefined || (root !== undefined && top !== root)) return undefined
      root = top
    }
    return root
  }

  isWhole(): boolean {
    return this.theRoot() !== undefined
  }

  count(name: CounterName): number {
    return this.nodes.reduce((sum, node) => sum + node.counters.get(name), 0)
  }

  /** For a failing test: who hangs where. */
  describe(): string {
    const lines = this.nodes
      .filter((node) => node.up)
      .map((node) => {
        const { root, depth, upper, lowers, generation } = node.crst.view()
        const roles = node.all().map((link) => `${link.id}:${ROLE_NAMES[node.crst.role(link.id)]}`)
        const place = `root ${root?.slice(0, 6)} depth ${depth} generation ${generation}`
        return `${node.index} ${place} upper ${upper} lowers ${lowers} ${roles}`
      })
    return lines.join('\n')
  }
}
