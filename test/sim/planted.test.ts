/**
 * Mistakes planted on purpose: each must be caught by what watches every run. A checker that stays
 * silent here is worth nothing elsewhere.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { assert, InvariantError } from '../../core/errors.ts'
import { Host } from '../../core/host.ts'
import type { CreateTree } from '../../core/node.ts'
import { Crst } from '../../core/tree/crst.ts'
import { ReplayWindow } from '../../core/vlan/replay.ts'
import type { RunResult } from '../../sim/results.ts'
import { Run } from '../../sim/run.ts'
import { scenarioSchema } from '../../sim/scenario.ts'

const noData = { text: (): string => '' }

function run(changes: Record<string, unknown>, createTree?: CreateTree, seed = 5): RunResult {
  const scenario = scenarioSchema.parse({
    version: 1,
    name: 'planted',
    question: 'Is the planted mistake caught?',
    seconds: 60,
    warmupSeconds: 10,
    healSeconds: 15,
    nodes: { count: 40 },
    vlans: [{ count: 2, members: 8 }],
    traffic: [{ kind: 'broadcast', perMemberPerSecond: 0.5 }],
    ...changes,
  })
  const it = new Run(scenario, { seed, data: noData, createTree })
  while (!it.done) it.step(it.endsAtSeconds)
  return it.result()
}

const kinds = (result: RunResult): Set<string> => new Set(result.violations.map(({ kind }) => kind))
const storm = {
  nodes: { count: 100 },
  seconds: 40,
  vlans: [],
  traffic: [],
  faults: [{ kind: 'storm', atSeconds: 15, forSeconds: 12, perSecond: 120 }],
}
const replaying = {
  faults: [{ kind: 'misbehave', atSeconds: 12, forSeconds: 30, who: { share: 1 }, how: 'replay' }],
}

afterEach(() => vi.restoreAllMocks())

describe('an assertion that fails', () => {
  it('ends the run as a fault of the program, and is no violation of the scenario', () => {
    const failing: CreateTree = () => assert(false, 'planted') as never
    expect(() => run({}, failing)).toThrow(InvariantError)
  })
})

describe('a tree protocol with a safety rule removed', () => {
  it('makes no cycle while nothing is removed', () => {
    expect(kinds(run(storm, undefined, 3)).has('cycle')).toBe(false)
  })

  it('without heights closes a cycle that the checker reports', () => {
    const rules = { generations: true, heights: false, closeOnFall: true, damping: true }
    const mutant: CreateTree = (context, links, listener, id) => new Crst(context, links, listener, id, rules)
    // One cycle needs a chain of faults: not every storm has it.
    const found = [3, 4, 6].some((seed) => kinds(run(storm, mutant, seed)).has('cycle'))
    expect(found).toBe(true)
  })
})

describe('a missing duplicate check', () => {
  it('does not show while the replay window stands, even where every relay replays', () => {
    expect(kinds(run(replaying)).has('delivered-twice')).toBe(false)
  })

  it('delivers frames twice without it', () => {
    vi.spyOn(ReplayWindow.prototype, 'accepts').mockReturnValue(true)
    vi.spyOn(ReplayWindow.prototype, 'mark').mockReturnValue(undefined)
    expect(kinds(run(replaying)).has('delivered-twice')).toBe(true)
  })
})

describe('a timer', () => {
  const restarts = { faults: [{ kind: 'crash', atSeconds: 20, who: { share: 0.8 }, restartAfterSeconds: 1 }] }

  /** How often a machine was woken though nothing was due: a timer of another, or of an earlier life. */
  function wokenInVain(): () => number {
    let vain = 0
    const fire = Host.prototype.fire
    vi.spyOn(Host.prototype, 'fire').mockImplementation(function (this: Host) {
      if (this.machine.nextDeadline() > this.now()) vain += 1
      fire.call(this)
    })
    return () => vain
  }

  it('of an earlier life never fires', () => {
    const vain = wokenInVain()
    run(restarts)
    expect(vain()).toBe(0)
  })
})

describe('a draw that is not from the seed', () => {
  it('shows as two digests of one seed', () => {
    expect(run({}).digest).toBe(run({}).digest)
    // A tree that asks the engine for chance when it is woken.
    const careless: CreateTree = (context, links, listener, id) => {
      const tree = new Crst(context, links, listener, id)
      const wake = tree.wake.bind(tree)
      tree.wake = (now) => {
        if (Math.random() < 0.5) context.out.note({ kind: 'detached', tree: id })
        return wake(now)
      }
      return tree
    }
    expect(run({}, careless).digest).not.toBe(run({}, careless).digest)
  })
})
