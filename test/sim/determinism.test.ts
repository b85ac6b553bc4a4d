/** A run is a pure function of scenario and seed, and one thing changed shifts nothing else. */
import { describe, expect, it } from 'vitest'
import type { Crypto } from '../../core/crypto/ports.ts'
import { chooseCrypto } from '../../drivers/crypto/provider.ts'
import { Run } from '../../sim/run.ts'
import { type Scenario, scenarioSchema } from '../../sim/scenario.ts'

const noData = { text: (): string => '' }

function scenario(changes: Record<string, unknown> = {}): Scenario {
  return scenarioSchema.parse({
    version: 1,
    name: 'determinism',
    question: 'Is it the same run every time?',
    seconds: 40,
    warmupSeconds: 10,
    healSeconds: 10,
    nodes: { count: 16 },
    conditions: {
      loss: { kind: 'bernoulli', probability: 0.01 },
      duplicate: 0.01,
      reorder: 0.01,
      corrupt: 0.005,
    },
    vlans: [{ count: 2, members: 6 }],
    traffic: [
      { kind: 'unicast', perMemberPerSecond: 1 },
      { kind: 'broadcast', perMemberPerSecond: 0.5 },
    ],
    faults: [{ kind: 'crash', atSeconds: 20, who: { count: 4 }, restartAfterSeconds: 5 }],
    ...changes,
  })
}

function digestOf(seed: number, changes: Record<string, unknown> = {}, realCrypto?: Crypto): string {
  const run = new Run(scenario(changes), { seed, data: noData, realCrypto })
  while (!run.done) run.step(run.endsAtSeconds)
  return run.digest
}

describe('determinism', () => {
  it('repeats event for event, whatever the steps in which time passes', () => {
    const steps: string[] = []
    for (const step of [1000, 1, 0.37]) {
      const run = new Run(scenario(), { seed: 7, data: noData })
      while (!run.done) run.step(run.world.now / 1e6 + step)
      steps.push(run.digest)
    }
    expect(new Set(steps).size).toBe(1)
  })

  it('gives another run for another seed', () => {
    expect(digestOf(7)).not.toBe(digestOf(8))
  })

  it('does the same with real cryptography, whoever provides it', () => {
    const real = {
      crypto: 'real',
      nodes: { count: 6 },
      seconds: 12,
      warmupSeconds: 5,
      faults: [],
      vlans: [{ count: 1, members: 4 }],
    }
    const { name, crypto } = chooseCrypto()
    expect(name).not.toBe('noble')
    expect(digestOf(3, { ...real, healSeconds: 5 }, crypto)).toBe(digestOf(3, { ...real, healSeconds: 5 }))
  })

  it('records the same effects that the digest was made from, and names them', () => {
    const run = new Run(scenario(), { seed: 7, data: noData })
    while (!run.done) run.step(run.endsAtSeconds)
    const [line, ...more] = run.record(100, 103)
    expect(more).toHaveLength(2)
    expect(line).toMatch(
      /^\d+\.\d{6} s node \d+ (send-control|send-data|note|dial|store|deliver|hang-up) link \d+ length \d+/,
    )
    expect(run.record(100, 103)).toEqual([line, ...more])
  })
})
