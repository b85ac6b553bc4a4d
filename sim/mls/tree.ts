/**
 * The ratchet tree of MLS as far as it is public (RFC 9420, section 4 and 7): which nodes are blank, which
 * leaves are unmerged, who seals to how many when it commits. It decides sizes and costs, and the shape is
 * the same for all members of an epoch, so they share one. Trees are values; nothing here changes one.
 *
 * Node 2i is leaf i; the parents stand between, as in RFC 9420, appendix C.
 */
import { assert } from '../../core/errors.ts'
import type { RosterLeaf } from '../../core/mls/engine.ts'

export interface TreeLeaf {
  readonly kind: 'leaf'
  readonly entry: RosterLeaf
  /** Whether the leaf came by a path (then with a parent hash of this length) or by a KeyPackage. */
  readonly parentHash: 'none' | 'empty' | 'full'
}

export interface TreeParent {
  readonly kind: 'parent'
  readonly key: Uint8Array
  readonly parentHash: 'empty' | 'full'
  /** Leaf indices that were added below since the node got its key. */
  readonly unmerged: readonly number[]
}

export type TreeNode = TreeLeaf | TreeParent | undefined
/** 2w − 1 nodes for w places, w a power of two. */
export type Tree = readonly TreeNode[]

export interface Path {
  readonly tree: Tree
  /** For each node of the path, root first: to how many nodes its secret is sealed. */
  readonly ciphertexts: readonly number[]
}

export function treeOfOne(entry: RosterLeaf): Tree {
  return [{ kind: 'leaf', entry, parentHash: 'none' }]
}

export function leavesOf(tree: Tree): RosterLeaf[] {
  const leaves: RosterLeaf[] = []
  for (let node = 0; node < tree.length; node += 2) {
    const found = tree[node]
    if (found?.kind === 'leaf') leaves.push(found.entry)
  }
  return leaves
}

/** Places of the tree: a power of two. */
export function widthOf(tree: Tree): number {
  return (tree.length + 1) / 2
}

/** Empties the place, blanks the nodes above and cuts off a half that became empty. */
export function withoutLeaf(tree: Tree, leaf: number): Tree {
  const copy = tree.slice()
  copy[2 * leaf] = undefined
  for (const node of directPath(2 * leaf, tree.length)) copy[node] = undefined
  let length = copy.length
  while (length > 1 && copy.every((node, at) => at <= (length - 1) / 2 - 1 || node === undefined)) {
    length = (length - 1) / 2
    copy.length = length
  }
  return copy
}

/** Puts a leaf into the leftmost empty place, which must be the one it names. */
export function withLeaf(tree: Tree, entry: RosterLeaf): Tree {
  const at = 2 * entry.leaf
  assert(at >= tree.length || tree[at] === undefined, 'a leaf is put where another is')
  const copy = tree.slice()
  while (at >= copy.length) copy.length = 2 * copy.length + 1
  for (const node of directPath(at, copy.length)) {
    const parent = copy[node]
    if (parent?.kind !== 'parent') continue
    copy[node] = { ...parent, unmerged: [...parent.unmerged, entry.leaf] }
  }
  copy[at] = { kind: 'leaf', entry, parentHash: 'none' }
  return Array.from(copy)
}

/** The committer's fresh path (RFC 9420, section 7.5); `added` leaves get their secrets by Welcome. */
export function withPath(
  tree: Tree,
  entry: RosterLeaf,
  added: ReadonlySet<number>,
  keyOf: (node: number) => Uint8Array,
): Path {
  const own = 2 * entry.leaf
  const copy = tree.slice()
  const ciphertexts: number[] = []
  const path: number[] = []
  let child = own
  for (const node of directPath(own, tree.length)) {
    const other = child < node ? right(node) : left(node)
    const heard = resolution(tree, other)
    copy[node] = undefined
    if (heard.length > 0) {
      path.push(node)
      ciphertexts.push(heard.filter((one) => !isAdded(one, added)).length)
    }
    child = node
  }
  for (const [at, node] of path.entries()) {
    const parentHash = at === path.length - 1 ? 'empty' : 'full'
    copy[node] = { kind: 'parent', key: keyOf(node), parentHash, unmerged: [] }
  }
  copy[own] = { kind: 'leaf', entry, parentHash: path.length === 0 ? 'empty' : 'full' }
  return { tree: copy, ciphertexts: ciphertexts.reverse() }
}

/** How many private keys a member has: its leaf's and those of the nodes above that know it. */
export function keysOfMember(tree: Tree, leaf: number): number {
  let keys = 1
  for (const index of directPath(2 * leaf, tree.length)) {
    const node = tree[index]
    if (node?.kind === 'parent' && !node.unmerged.includes(leaf)) keys += 1
  }
  return keys
}

const isAdded = (node: number, added: ReadonlySet<number>): boolean => node % 2 === 0 && added.has(node / 2)

/** The nodes whose keys together reach all members below (RFC 9420, section 4.1.1). */
function resolution(tree: Tree, index: number): number[] {
  const node = tree[index]
  if (node?.kind === 'leaf') return [index]
  if (node?.kind === 'parent') return [index, ...node.unmerged.map((leaf) => 2 * leaf)]
  if (index % 2 === 0) return []
  return [...resolution(tree, left(index)), ...resolution(tree, right(index))]
}

/** From the parent of a node up to the root. */
function directPath(index: number, length: number): number[] {
  const path: number[] = []
  const root = (length - 1) / 2
  for (let node = index; node !== root; ) {
    node = parent(node)
    path.push(node)
  }
  return path
}

// Appendix C of RFC 9420: the level of a node is the number of ones at its end.
function level(node: number): number {
  return 31 - Math.clz32(~node & (node + 1))
}

function left(node: number): number {
  return node ^ (1 << (level(node) - 1))
}

function right(node: number): number {
  return node ^ (3 << (level(node) - 1))
}

function parent(node: number): number {
  const height = level(node)
  const side = (node >> (height + 1)) & 1
  return (node | (1 << height)) ^ (side << (height + 1))
}
