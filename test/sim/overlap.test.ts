/** Faults that overlap: while several last the one that began last counts, and each ends by itself. */
import { describe, expect, it } from 'vitest'
import type { SimNode } from '../../sim/node.ts'
import { Run } from '../../sim/run.ts'
import { scenarioSchema } from '../../sim/scenario.ts'

function runOf(changes: Record<string, unknown>): Run {
  const scenario = scenarioSchema.parse({
    version: 1,
    name: 'overlap',
    question: 'Do faults that overlap end?',
    seconds: 60,
    nodes: { count: 4, joinSeconds: 1 },
    ...changes,
  })
  return new Run(scenario, { seed: 1, data: { text: () => '' } })
}

describe('changes of links', () => {
  const lossy = { loss: { kind: 'bernoulli', probability: 0.5 } }
  const links = (atSeconds: number, forSeconds: number, conditions: object): object => ({
    kind: 'links',
    atSeconds,
    forSeconds,
    conditions,
  })
  const at = (run: Run, seconds: number): unknown[] => {
    run.step(seconds)
    const { goodLoss, duplicate, corrupt } = run.world.trunks.shared.conditions
    return [goodLoss, duplicate, corrupt, run.world.reportsLoss]
  }

  it('add up, and leave nothing behind', () => {
    const run = runOf({
      conditions: { corrupt: 0.1 },
      // Listed as they need not begin.
      faults: [links(15, 10, { duplicate: 0.2, reportsLoss: false }), links(10, 10, lossy)],
    })
    expect(at(run, 9)).toEqual([0, 0, 0.1, true])
    expect(at(run, 12)).toEqual([0.5, 0, 0.1, true])
    expect(at(run, 17)).toEqual([0.5, 0.2, 0.1, false])
    expect(at(run, 22)).toEqual([0, 0.2, 0.1, false])
    expect(at(run, 27)).toEqual([0, 0, 0.1, true])
  })

  it('of the same thing go by the one that began last, as long as that lasts', () => {
    const run = runOf({
      faults: [links(20, 10, { duplicate: 0.2 }), links(10, 30, { duplicate: 0.1 }), links(40, 5, lossy)],
    })
    const duplicates = [12, 22, 32, 42].map((seconds) => at(run, seconds)[1])
    expect(duplicates).toEqual([0.1, 0.2, 0.1, 0])
    expect([at(run, 44)[0], at(run, 46)[0]]).toEqual([0.5, 0])
  })
})

describe('misdeeds of one machine', () => {
  it('go by the one that began last, and end each by itself', () => {
    const misbehave = (atSeconds: number, forSeconds: number, how: string): object => ({
      kind: 'misbehave',
      atSeconds,
      forSeconds,
      how,
      who: { nodes: [2] },
    })
    const run = runOf({
      faults: [misbehave(10, 30, 'drop'), misbehave(15, 5, 'replay'), misbehave(35, 10, 'drop')],
    })
    const seen = [9, 12, 17, 22, 37, 42, 46].map((seconds) => {
      run.step(seconds)
      return (run.world.nodes[2] as SimNode).malice
    })
    expect(seen).toEqual([undefined, 'drop', 'replay', 'drop', 'drop', 'drop', undefined])
  })
})
