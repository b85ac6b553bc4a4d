/** A relay that leaves on purpose: those below that have another way up move while it still serves them. */
import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../sim/results.ts'
import { Run } from '../../sim/run.ts'
import { scenarioSchema } from '../../sim/scenario.ts'

function departures(kind: 'leave' | 'crash', seed: number): RunResult {
  const scenario = scenarioSchema.parse({
    version: 1,
    name: 'departures',
    question: 'What does the departure of a relay cost those below it?',
    seconds: 190,
    warmupSeconds: 30,
    healSeconds: 20,
    nodes: { count: 80 },
    vlans: [{ count: 4, members: 12 }],
    traffic: [
      { kind: 'unicast', perMemberPerSecond: 2 },
      { kind: 'broadcast', perMemberPerSecond: 0.2 },
    ],
    faults: Array.from({ length: 12 }, (_, turn) => ({
      kind,
      atSeconds: 32 + 11 * turn,
      who: { role: 'relay' },
      restartAfterSeconds: 7,
    })),
  })
  const run = new Run(scenario, { seed, data: { text: () => '' } })
  while (!run.done) run.step(run.endsAtSeconds)
  return run.result()
}

describe('twelve relays with lowers', () => {
  it('lose far less by leaving than by crashing', () => {
    // Chance decides whom a departure finds without another way up, so several meshes are added up.
    const lost = (kind: 'leave' | 'crash'): number =>
      [2, 4, 5].reduce((sum, seed) => {
        const { violations, metrics } = departures(kind, seed)
        expect(violations).toEqual([])
        return sum + (metrics['framesLost'] as number)
      }, 0)
    const crashed = lost('crash')
    expect(crashed).toBeGreaterThan(30)
    expect(lost('leave')).toBeLessThan(crashed / 2)
  })
})
