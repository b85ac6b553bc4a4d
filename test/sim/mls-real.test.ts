/**
 * Groups under ts-mls in whole nodes: real engines work in threads while the simulation goes on, and the run
 * is the same whatever time and however many threads they take.
 */
import { describe, expect, it } from 'vitest'
import { InvariantError, UsageError } from '../../core/errors.ts'
import { type MlsJob, type MlsOutcome, SUITE } from '../../core/mls/engine.ts'
import { chooseCrypto } from '../../drivers/crypto/provider.ts'
import { EngineThreads } from '../../drivers/mls/engines.ts'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'
import { GROUP } from '../support/mls-cast.ts'

const NO_FILES = {
  text(file: string): string {
    throw new Error(`no file is needed, ${file} was asked for`)
  },
}

/** Six members come in, one is put out, a third restarts, half is cut off while another is put out. */
const FAULTS = [
  { kind: 'revoke', atSeconds: 30, hostile: true },
  { kind: 'crash', atSeconds: 40, who: { share: 0.3 }, restartAfterSeconds: 3 },
  { kind: 'partition', atSeconds: 50, who: { share: 0.5 }, healAfterSeconds: 10 },
  { kind: 'revoke', atSeconds: 52 },
]

function runOf(seed: number, threads: number): Run {
  const scenario = checkScenario(
    {
      version: 1,
      name: 'real',
      question: 'Does a group under ts-mls hold what it promises?',
      seconds: 125,
      warmupSeconds: 25,
      healSeconds: 60,
      crypto: 'real',
      mls: 'tsmls',
      nodes: { count: 9 },
      vlans: [{ count: 1, members: 6, group: 'mls', enterFromSeconds: 5, enterSeconds: 5 }],
      traffic: [
        { kind: 'unicast', perMemberPerSecond: 0.5 },
        { kind: 'broadcast', perMemberPerSecond: 0.2 },
      ],
      faults: FAULTS,
    },
    'real',
  )
  const { crypto } = chooseCrypto()
  const run = new Run(scenario, {
    seed,
    data: NO_FILES,
    realCrypto: crypto,
    mlsEngines: new EngineThreads(threads),
  })
  run.step(run.endsAtSeconds)
  return run
}

describe('a VLAN under ts-mls', () => {
  it('lets in, puts out, parts and comes together, and is the same run from any number of threads', () => {
    const run = runOf(1, 2)
    const { metrics, violations, digest } = run.result()
    expect(violations).toEqual([])
    expect(run.groups.eventKinds['ended']).toBe(2)
    expect(run.verdict.adversary.released).toBeGreaterThan(4)
    expect(metrics['evictSeconds']).toBeDefined()
    expect(metrics['oneEpochSeconds']).toBeLessThan(60)
    expect(runOf(1, 1).result()).toEqual(run.result())
    expect(runOf(2, 2).digest).not.toBe(digest)
  })
})

describe('engines in threads', () => {
  const inspect = (length: number): MlsJob => ({
    kind: 'inspect',
    group: GROUP,
    suite: SUITE.x25519,
    groupId: new Uint8Array(16),
    keyPackage: new Uint8Array(length),
  })

  it('answer each engine in the order of its jobs, and nobody for one that was closed', () => {
    const engines = new EngineThreads(2)
    const [first, second, third] = [engines.open(), engines.open(), engines.open()]
    engines.start(third, inspect(3))
    engines.close(third)
    for (const engine of [first, second]) {
      engines.start(engine, inspect(1))
      engines.start(engine, { kind: 'drop', group: GROUP, states: 'all' })
    }
    const answers = (engine: number): MlsOutcome[] => [engines.take(engine), engines.take(engine)]
    const expected = [
      { ok: false, why: 'undecodable' },
      { ok: true, kind: 'dropped' },
    ]
    expect(answers(second)).toEqual(expected)
    expect(answers(first)).toEqual(expected)
    expect(() => engines.take(third)).toThrow(InvariantError)
  })

  it('hand a wrong call back to whoever takes its outcome', () => {
    const engines = new EngineThreads(1)
    const engine = engines.open()
    engines.start(engine, { ...inspect(1), groupId: new Uint8Array(3) } as MlsJob)
    expect(() => engines.take(engine)).toThrow(UsageError)
  })
})
