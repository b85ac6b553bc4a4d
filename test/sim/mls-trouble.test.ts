/** Members that give each other trouble in an MLS group: by MACs, tokens and invitations that two use. */
import { describe, expect, it } from 'vitest'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const NO_FILES = {
  text(file: string): string {
    throw new Error(`no file is needed, ${file} was asked for`)
  },
}

interface Changes {
  readonly vlan?: object
  readonly faults?: readonly object[]
  readonly members?: number
}

function runOf(seed: number, { vlan = {}, faults = [], members = 8 }: Changes): Run {
  const scenario = checkScenario(
    {
      version: 1,
      name: 'trouble',
      question: 'Does a group hold what it promises?',
      seconds: 150,
      warmupSeconds: 38,
      healSeconds: 60,
      nodes: { count: members + 8 },
      vlans: [{ count: 1, members, group: 'mls', enterFromSeconds: 5, enterSeconds: 5, ...vlan }],
      traffic: [
        { kind: 'unicast', perMemberPerSecond: 1 },
        { kind: 'broadcast', perMemberPerSecond: 0.2 },
      ],
      faults,
    },
    'trouble',
  )
  const run = new Run(scenario, { seed, data: NO_FILES })
  run.step(run.endsAtSeconds)
  return run
}

describe('a MAC that two members use', () => {
  for (const how of ['set', 'cloned', 'drawn'] as const)
    it(`stays with one of them, and the other hears of it (${how})`, () => {
      const run = runOf(3, {
        vlan: { guests: { count: 1, fromSeconds: 42, everySeconds: 1 } },
        faults: [{ kind: 'same-mac', atSeconds: 40, how, forSeconds: 30 }],
      })
      const { metrics, violations } = run.result()
      expect(violations).toEqual([])
      expect(metrics['macClashes']).toBe(1)
      expect(metrics['macSettledSeconds']).toBeLessThan(2)
      expect(metrics['framesLost']).toBe(0)
      expect(run.eventKinds['macChanged'] ?? 0).toBe(how === 'drawn' ? 1 : 0)
    })
})

describe('tokens that others claim', () => {
  const hijack = (who: object) => ({ kind: 'misbehave', atSeconds: 40, who, forSeconds: 45, how: 'hijack' })
  const hijackers = [hijack({ outsiders: 2 }), hijack({ members: 1 })]

  it('still lead to their owners, whoever claims them', () => {
    const run = runOf(2, { faults: hijackers })
    const { metrics, violations } = run.result()
    expect(violations).toEqual([])
    expect(metrics['hijackClaims']).toBeGreaterThan(100)
    expect(metrics['hijackRefused']).toBeGreaterThan(50)
    expect(metrics['framesLost']).toBe(0)
  })

  it('do so when a member that claims them is put out, and goes on', () => {
    const run = runOf(2, { faults: [...hijackers, { kind: 'revoke', atSeconds: 60, of: 'hostile' }] })
    const { metrics, violations } = run.result()
    expect(violations).toEqual([])
    expect(run.groups.eventKinds['ended']).toBe(1)
    // Two removed it at once here: what was sealed under the one epoch when the other won is lost.
    expect(metrics['delivery']).toBeGreaterThan(0.995)
  })
})

describe('an invitation that two redeem', () => {
  it('lets in one of them, at whatever doors they ask at the same time', () => {
    const run = runOf(1, { vlan: { twins: { pairs: 2, atSeconds: 40 } }, members: 10 })
    const { metrics, violations } = run.result()
    expect(violations).toEqual([])
    expect(run.groups.eventKinds['turnedAway']).toBeGreaterThanOrEqual(2)
    expect(run.groups.eventKinds['ended']).toBe(2)
    expect(metrics['framesLost']).toBe(0)
  })

  it('lets in one of them in the end, if a partition lay between them', () => {
    const run = runOf(1, {
      vlan: { twins: { pairs: 1, atSeconds: 42 } },
      faults: [{ kind: 'partition', atSeconds: 38, who: { share: 0.5 }, healAfterSeconds: 25 }],
    })
    expect(run.result().violations).toEqual([])
    expect(run.groups.eventKinds['invitationUsedTwice']).toBeGreaterThan(0)
  })
})

describe('members that were away', () => {
  it('are back within seconds, though they were several and others came and went meanwhile', () => {
    const run = runOf(1, {
      members: 14,
      vlan: { guests: { count: 4, fromSeconds: 40, everySeconds: 5, staySeconds: 12 } },
      faults: [
        { kind: 'crash', atSeconds: 36, who: { members: 3 }, restartAfterSeconds: 44 },
        { kind: 'revoke', atSeconds: 55, of: 'away' },
      ],
    })
    const { metrics, violations } = run.result()
    expect(violations).toEqual([])
    expect(run.groups.returns).toHaveLength(2)
    expect(metrics['returnSeconds']).toBeLessThan(10)
    // Four guests and the one that was put out while it was away.
    expect(run.groups.eventKinds['ended']).toBe(5)
  })
})
