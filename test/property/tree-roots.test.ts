/**
 * R10: roots that come and go. A hostile root with a fresh, better key each time must not move the mesh
 * for long; honest crashes, even several in a row, must not take it apart.
 */
import { describe, expect, it } from 'vitest'
import { MINUTE, SECOND } from '../../core/io.ts'
import { ALL_RULES } from '../../core/tree/state.ts'
import { TreeNode } from '../support/tree-node.ts'
import { TreeWorld } from '../support/tree-world.ts'

const NODES = 30

function mesh(seed: number, damping = true): TreeWorld {
  const world = new TreeWorld({ seed, rules: { ...ALL_RULES, damping } })
  world.addNodes(NODES)
  world.meshAtRandom(6)
  expect(world.runUntilWhole(10 * SECOND)).toBeLessThan(6 * SECOND)
  return world
}

/** A relay with a key that nobody saw before and the best of all priorities. */
function intruder(world: TreeWorld): TreeNode {
  const node = new TreeNode(world, world.nodes.length, true, { rootPriority: 0 })
  world.nodes.push(node)
  for (const peer of [0, 7, 14, 21]) world.edges.push([node.index, peer])
  for (const peer of [0, 7, 14, 21]) world.connect(node.index, peer)
  return node
}

function share(world: TreeWorld, root: TreeNode): number {
  const nodes = world.nodes.slice(0, NODES)
  return nodes.filter((node) => node.up && world.topOf(node) === root).length / NODES
}

describe('a hostile root', () => {
  it('with fresh keys takes the mesh from its old root twice and no third time', () => {
    const world = mesh(1)
    world.runFor(11 * MINUTE)
    const old = world.theRoot() as TreeNode
    for (let turn = 0; turn < 2; turn++) {
      const hostile = intruder(world)
      world.runFor(3 * SECOND)
      // A better root is adopted at once: this is what heals partitions.
      expect(share(world, hostile)).toBe(1)
      world.crash(hostile.index)
      world.runFor(5 * SECOND)
      expect(share(world, old)).toBe(1)
    }
    expect(world.count('treeDamped')).toBeGreaterThan(NODES / 2)
    const third = intruder(world)
    world.runFor(30 * SECOND)
    expect(share(world, old)).toBe(1)
    expect(share(world, third)).toBe(0)
    // Ten minutes later it is one like any other.
    world.runFor(11 * MINUTE)
    expect(share(world, third)).toBe(1)
    expect(world.cycles).toEqual([])
  })

  it('whose next key stands ready when the last one vanishes gains nothing by it', () => {
    const world = mesh(2)
    world.runFor(11 * MINUTE)
    const old = world.theRoot() as TreeNode
    const first = intruder(world)
    world.runFor(3 * SECOND)
    world.crash(first.index)
    world.runFor(4 * SECOND)
    const second = intruder(world)
    world.runFor(3 * SECOND)
    expect(share(world, second)).toBe(1)
    const third = intruder(world)
    world.crash(second.index)
    world.runFor(8 * SECOND)
    expect(share(world, third)).toBe(0)
    expect(share(world, old)).toBe(1)
  })
})

describe('honest crashes', () => {
  /** Crashes the root three times within ten minutes; how long the mesh took to be whole after each. */
  function crashes(world: TreeWorld): number[] {
    const times: number[] = []
    for (let turn = 0; turn < 3; turn++) {
      world.crash((world.theRoot() ?? world.mainRoot() ?? (world.nodes[0] as TreeNode)).index)
      world.runFor(SECOND)
      times.push((SECOND + world.runUntilWhole(30 * SECOND)) / SECOND)
      world.runFor(20 * SECOND)
    }
    return times
  }

  it('of root after root leave the mesh whole within seconds', () => {
    const world = mesh(3)
    expect(Math.max(...crashes(world))).toBeLessThan(4)
    expect(world.count('treeDamped')).toBeGreaterThan(0)
  })

  it('do so in an old mesh too, where a few remember roots of old', () => {
    const world = mesh(4)
    world.runFor(12 * MINUTE)
    expect(Math.max(...crashes(world))).toBeLessThan(8)
  })

  it('took the mesh apart by the rule as it was first written', () => {
    const world = mesh(3, false)
    expect(Math.max(...crashes(world))).toBeGreaterThan(30)
  })
})
