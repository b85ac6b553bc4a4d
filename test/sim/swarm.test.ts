/**
 * Many small runs, each drawn from its seed: no invariant may break and every one must heal. A failing
 * seed prints the line that repeats it. PEERTAP_SEEDS sets how many, PEERTAP_FIRST_SEED where to begin.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../sim/results.ts'
import { Run } from '../../sim/run.ts'
import type { Scenario } from '../../sim/scenario.ts'
import { byBudget, REPOSITORY } from '../support/requirements.ts'
import { swarmScenario } from '../support/swarm.ts'

const seeds = Number(process.env['PEERTAP_SEEDS'] ?? byBudget(60, 200))
const first = Number(process.env['PEERTAP_FIRST_SEED'] ?? 1)
/** Every kind of event must be reached by some seed, or the swarm does not try it. */
const reached = new Set<string>()

const noData = {
  text: (name: string): string => {
    throw new Error(`a swarm scenario needs no data, yet asked for ${name}`)
  },
}

function runSeed(scenario: Scenario, seed: number): RunResult {
  const run = new Run(scenario, { seed, data: noData })
  while (!run.done) run.step(run.endsAtSeconds)
  for (const kind of Object.keys(run.eventKinds)) reached.add(kind)
  return run.result()
}

/** Writes the scenario down and answers the command that repeats the failure. */
function repeatLine(scenario: Scenario, seed: number): string {
  const folder = join(REPOSITORY, 'runs')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${scenario.name}.json`)
  writeFileSync(file, `${JSON.stringify(scenario, undefined, 2)}\n`)
  return `npx peertap sim run ${relative(REPOSITORY, file)} --seed ${seed}`
}

describe('swarm', () => {
  for (let seed = first; seed < first + seeds; seed++) {
    it(`seed ${seed} breaks nothing and heals`, () => {
      const scenario = swarmScenario(seed)
      const { violations } = runSeed(scenario, seed)
      expect(violations, violations.length > 0 ? repeatLine(scenario, seed) : '').toEqual([])
    })
  }

  it.runIf(seeds >= 60 && first === 1)(
    'reaches every kind of event that a run without version mismatch can show',
    () => {
      expect([...reached].sort()).toEqual(
        expect.arrayContaining([
          'detached',
          'neighbourDown',
          'neighbourUp',
          'portUp',
          'rootChanged',
          'treeLink',
          'upperChanged',
        ]),
      )
    },
  )
})
