/** The figures of a run, as whoever runs it gets them. */
import { describe, expect, it } from 'vitest'
import { type Metrics, Run } from '../../sim/index.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const SHORT = {
  version: 1,
  name: 'short',
  question: 'What does a run of some seconds say?',
  seconds: 20,
  warmupSeconds: 5,
  healSeconds: 5,
  nodes: { count: 8, joinSeconds: 1 },
  vlans: [{ count: 1, members: 4 }],
  traffic: [{ kind: 'unicast', perMemberPerSecond: 1 }],
}

function metricsOf(changes: object = {}): Metrics {
  const run = new Run(checkScenario({ ...SHORT, ...changes }, 'short.json'), {
    seed: 1,
    data: { text: () => '' },
  })
  run.step(Number.POSITIVE_INFINITY)
  return run.result().metrics
}

describe('control bytes by node', () => {
  it('are measured in a run that counts for less than a minute', () => {
    const { controlBytesPerNodeSecond: mean, controlBytesPerNodeSecondByNode: byNode } = metricsOf()
    const { p50, p99, max } = byNode as Record<string, number>
    expect(p50).toBeGreaterThan(0)
    expect(p99).toBeGreaterThanOrEqual(p50 as number)
    expect(max).toBeGreaterThanOrEqual(mean as number)
    // All were up all the time, so the mean lies among them.
    expect(p50).toBeLessThan(2 * (mean as number))
    expect(p50).toBeGreaterThan((mean as number) / 2)
  })
})
