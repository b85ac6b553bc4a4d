/** A relay that leaves on purpose costs nobody a frame: those below move while it still serves them. */
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
  it('lose next to nothing by leaving, and more by crashing', () => {
    const left = departures('leave', 3)
    const crashed = departures('crash', 3)
    expect(left.violations).toEqual([])
    expect(crashed.violations).toEqual([])
    expect(crashed.metrics['framesLost']).toBeGreaterThan(10)
    expect(left.metrics['framesLost']).toBeLessThan((crashed.metrics['framesLost'] as number) / 5)
  })
})
