/** Moves that nothing forces: the next upper first, further uppers meanwhile, and a relay that retires. */
import { describe, expect, it } from 'vitest'
import { MILLISECOND, SECOND, TREE_ROLE } from '../../core/io.ts'
import {
  type Actor,
  beatOf,
  certificate,
  certificateMessage,
  TreeBench,
  updateOf,
} from '../support/tree-bench.ts'
import { ANN, BOB, EVE, FAR, ROOT, says } from '../support/tree-cast.ts'
import type { TreeNode } from '../support/tree-node.ts'
import { TreeWorld } from '../support/tree-world.ts'

/** Below Ann at 70, so that she counts as 46; her label of 10 is below that of any other. */
function belowDearAnn(): TreeBench {
  const bench = new TreeBench()
  bench.meet(ANN, { cost: 60 })
  says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [10] } })
  return bench
}

/** A neighbour at that label, by a link of that cost. */
function join(bench: TreeBench, who: Actor, label: number, cost: number): void {
  bench.meet(who, { cost })
  says(bench, who, { claimed: { beat: beatOf(ROOT), path: [ROOT, who], costs: [label] } })
}

function recost(bench: TreeBench, who: Actor, serial: number, cost: number): void {
  bench.from(who, certificateMessage(certificate(who, bench.self, { serial, cost })))
}

function furtherOf(bench: TreeBench): Actor[] {
  const further = bench.crst.view().furtherUppers
  return [ANN, BOB, EVE, FAR].filter((who) => further.includes(bench.link(who).id))
}

function restrict(bench: TreeBench): void {
  for (const link of bench.all()) link.capabilities = 1
  bench.crst.wantFurtherUppers(bench.now, 2)
  bench.wait(MILLISECOND)
}

describe('a move under a neighbour', () => {
  it('that is a further upper already gives VLANs time to hear of it, and keeps the old one', () => {
    const bench = belowDearAnn()
    join(bench, BOB, 20, 60)
    join(bench, EVE, 22, 60)
    bench.meet(FAR)
    restrict(bench)
    expect(furtherOf(bench)).toEqual([BOB, EVE])
    recost(bench, BOB, 2, 6)
    bench.wait(4_400 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(ANN).id)
    expect(bench.crst.uppers()[0]).toBe(bench.link(BOB))
    bench.wait(200 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
    expect(furtherOf(bench)).toEqual([ANN, EVE])
  })

  it('is prepared beside two further uppers that VLANs need, and both stay', () => {
    const bench = belowDearAnn()
    join(bench, EVE, 22, 60)
    join(bench, FAR, 24, 60)
    restrict(bench)
    join(bench, BOB, 20, 6)
    expect(bench.crst.view().upper).toBe(bench.link(ANN).id)
    expect(furtherOf(bench)).toEqual([BOB, EVE, FAR])
    bench.wait(2_100 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
    expect(furtherOf(bench)).toEqual([ANN, EVE, FAR])
    bench.wait(6 * SECOND)
    expect(furtherOf(bench)).toEqual([EVE, FAR])
  })

  it('is made although two candidates take turns', () => {
    const bench = belowDearAnn()
    join(bench, EVE, 20, 8)
    join(bench, BOB, 20, 6)
    for (let serial = 2; serial < 5; serial++) {
      bench.wait(1_500 * MILLISECOND)
      recost(bench, BOB, serial, serial % 2 === 0 ? 12 : 6)
    }
    expect(bench.role(ANN)).toBe(TREE_ROLE.upper)
    expect(bench.crst.view().upper).not.toBe(bench.link(ANN).id)
  })

  it('waits ten seconds at most for one whose generation changes again and again', () => {
    const bench = belowDearAnn()
    join(bench, BOB, 20, 6)
    const claimed = { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [20] }
    for (let generation = 2; generation < 11; generation++) {
      bench.wait(SECOND)
      bench.from(BOB, updateOf({ generation, claimed }))
      expect(bench.crst.view().upper).toBe(bench.link(ANN).id)
    }
    bench.wait(1_100 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
  })
})

describe('a relay that retires', () => {
  it('loses the lowers that have another way, within seconds and without a cut, and keeps the rest', () => {
    const world = new TreeWorld({ seed: 1, latency: [10 * MILLISECOND, 10 * MILLISECOND], openRelays: true })
    world.addNodes(1, true, { rootPriority: 0 })
    world.addNodes(4)
    const [relay, other, mobile, bound] = [1, 2, 3, 4].map((index) => world.nodes[index] as TreeNode)
    if (relay === undefined || bound === undefined) throw new Error('nodes are missing')
    world.connect(0, 1)
    world.connect(0, 2)
    world.connect(1, 3)
    world.connect(1, 4)
    world.runFor(5 * SECOND)
    world.connect(2, 3)
    world.runFor(5 * SECOND)
    expect([mobile, bound].map((node) => world.upperOf(node as TreeNode))).toEqual([relay, relay])
    expect(relay.crst.hasLowers()).toBe(true)

    const generations = world.nodes.map(({ crst }) => crst.view().generation)
    relay.crst.retire(world.now)
    world.settle(relay)
    world.runFor(3 * SECOND)
    expect(world.upperOf(mobile as TreeNode)).toBe(other)
    expect(world.upperOf(bound)).toBe(relay)
    world.runFor(10 * SECOND)
    expect(relay.crst.view().lowers).toHaveLength(1)
    expect(world.nodes.map(({ crst }) => crst.view().generation)).toEqual(generations)
    world.crash(bound.index)
    world.runFor(5 * SECOND)
    expect(relay.crst.hasLowers()).toBe(false)
  })
})
