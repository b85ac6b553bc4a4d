/** VLANs whose group MLS keeps, in whole nodes: members come in by the door, talk, are put out, come back. */
import { describe, expect, it } from 'vitest'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const NO_FILES = {
  text(file: string): string {
    throw new Error(`no file is needed, ${file} was asked for`)
  },
}

function runOf(seed: number, faults: readonly object[] = [], privacy: 'spec' | 'private' = 'private'): Run {
  const run = startOf(seed, faults, privacy)
  run.step(run.endsAtSeconds)
  return run
}

function startOf(seed: number, faults: readonly object[], privacy: 'spec' | 'private' = 'private'): Run {
  const scenario = checkScenario(
    {
      version: 1,
      name: 'members',
      question: 'Does a group hold what it promises?',
      seconds: 140,
      warmupSeconds: 40,
      healSeconds: 60,
      nodes: { count: 10 },
      vlans: [{ count: 1, members: 6, group: 'mls', privacy, enterFromSeconds: 5, enterSeconds: 5 }],
      traffic: [
        { kind: 'unicast', perMemberPerSecond: 0.5 },
        { kind: 'broadcast', perMemberPerSecond: 0.2 },
        { kind: 'multicast', perMemberPerSecond: 0.2 },
      ],
      faults,
    },
    'members',
  )
  return new Run(scenario, { seed, data: NO_FILES })
}

describe('a VLAN that MLS keeps', () => {
  for (const privacy of ['private', 'spec'] as const) {
    it(`lets all in by the door and loses no frame (${privacy})`, () => {
      const run = runOf(1, [], privacy)
      const { metrics, violations } = run.result()
      expect(violations).toEqual([])
      expect(run.groups.joins).toHaveLength(6)
      expect(metrics['framesOwed']).toBeGreaterThan(50)
      expect(metrics['framesLost']).toBe(0)
      expect(run.nonces.unwatched).toBe(0)
    })
  }

  it('is the same run for the same seed', () => {
    expect(runOf(2).digest).toBe(runOf(2).digest)
    expect(runOf(2).digest).not.toBe(runOf(3).digest)
  })

  it('puts a revoked member out within two seconds, and nothing reaches it afterwards', () => {
    const run = startOf(1, [{ kind: 'revoke', atSeconds: 45 }])
    run.step(44)
    const removed = run.groups.eventKinds['memberRemoved'] ?? 0
    run.step(run.endsAtSeconds)
    const { metrics, violations } = run.result()
    expect(violations).toEqual([])
    expect(run.groups.eventKinds['ended']).toBe(1)
    // Each of the five, and again whoever had committed too and went over to the better commit.
    expect((run.groups.eventKinds['memberRemoved'] ?? 0) - removed).toBeGreaterThanOrEqual(5)
    expect(metrics['evictSeconds']).toBeLessThan(2)
    expect(metrics['framesLost']).toBe(0)
  })

  it('is not moved by a revoked member that keeps all and releases rival commits', () => {
    const faults = [
      { kind: 'revoke', atSeconds: 45, hostile: true },
      { kind: 'partition', atSeconds: 50, who: { share: 0.5 }, healAfterSeconds: 10 },
      { kind: 'revoke', atSeconds: 52, hostile: true },
    ]
    const run = runOf(1, faults)
    expect(run.result().violations).toEqual([])
    expect(run.verdict.adversary.released).toBe(18)
    // It has states to follow from, and follows as far as its own commits lead.
    expect(run.verdict.adversary.kept).toBeGreaterThan(4)
    expect(run.verdict.adversary.reached).toBeGreaterThanOrEqual(run.verdict.adversary.kept)
  })

  it('goes on from disks, without being let in again', () => {
    const run = startOf(1, [{ kind: 'crash', atSeconds: 45, who: { share: 0.5 }, restartAfterSeconds: 5 }])
    run.step(44)
    const joined = run.groups.eventKinds['joined']
    run.step(run.endsAtSeconds)
    expect(run.result().violations).toEqual([])
    // Those that came in by the door did so before the crash: five of six, and the founder.
    expect(joined).toBeGreaterThanOrEqual(5)
    expect(run.groups.eventKinds['joined']).toBe(joined)
    expect(run.groups.eventKinds['founded']).toBe(1)
  })

  it('comes together again after a partition in which one side put somebody out', () => {
    const run = runOf(2, [
      { kind: 'partition', atSeconds: 45, who: { share: 0.5 }, healAfterSeconds: 30 },
      { kind: 'revoke', atSeconds: 48 },
    ])
    const { violations } = run.result()
    expect(violations).toEqual([])
    expect(run.oneEpochSeconds).toBeLessThan(60)
  })
})
