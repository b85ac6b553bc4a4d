/** What a run says of faults that hit nobody, of tests that had nobody to test, and of its length. */
import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../sim/results.ts'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const SMALL = {
  version: 1,
  name: 'small',
  question: 'What is there to be said?',
  seconds: 40,
  warmupSeconds: 5,
  healSeconds: 10,
  nodes: { count: 6, contacts: 1, joinSeconds: 0 },
  vlans: [{ count: 1, members: 6 }],
}

function run(changes: object): RunResult {
  const one = new Run(checkScenario({ ...SMALL, ...changes }, 'small.json'), {
    seed: 1,
    data: { text: () => '' },
  })
  while (!one.done) one.step(one.endsAtSeconds)
  return one.result()
}

const allOfThem = { nodes: [0, 1, 2, 3, 4, 5] }

describe('faults', () => {
  it('say how many nodes they hit, and whether none', () => {
    const cut = { kind: 'partition', atSeconds: 12, healAfterSeconds: 3 }
    const once = { atSeconds: 15, everySeconds: 1, times: 1, restartAfterSeconds: 5 }
    const crashes = { kind: 'relay-crashes', ...once }
    const { faults, remarks } = run({
      faults: [
        { kind: 'crash', atSeconds: 10, who: { nodes: [3, 4] } },
        // Those that are down already are not hit.
        { kind: 'crash', atSeconds: 11, who: { nodes: [3] } },
        { ...cut, who: { region: 'south_africa' } },
        { ...cut, who: { count: 2 } },
        { kind: 'links', atSeconds: 13, forSeconds: 1, conditions: { corrupt: 0.1 } },
        { ...crashes, target: 'root' },
      ],
    })
    expect(faults.map(({ nodes }) => nodes)).toEqual([2, 0, 0, 2, 4, 1])
    expect(remarks).toEqual([
      'faults[1] (crash at 11 s) hit no node that was up',
      'faults[2] (partition at 12 s) hit no node that was up',
    ])
  })

  it('count those that they put out, and those with something to storm in', () => {
    const { faults } = run({
      vlans: [{ count: 1, members: 4, group: 'mls' }],
      faults: [
        { kind: 'revoke', atSeconds: 20, count: 2 },
        { kind: 'broadcast-storm', atSeconds: 21, forSeconds: 1, perSecond: 5, who: allOfThem },
      ],
    })
    expect(faults).toEqual([
      { kind: 'revoke', atSeconds: 20, nodes: 2 },
      { kind: 'broadcast-storm', atSeconds: 21, nodes: 4 },
    ])
  })
})

describe('nobody to test', () => {
  const nobody = 'nobody to test after the last fault: no VLAN had two members that were up'

  it('is no violation where everybody is down', () => {
    const crash = { kind: 'crash', atSeconds: 20, who: allOfThem }
    expect(run({ faults: [crash] })).toMatchObject({ violations: [], ok: true, remarks: [nobody] })
    expect(run({ faults: [{ ...crash, restartAfterSeconds: 5 }] })).toMatchObject({ ok: true, remarks: [] })
  })

  it('is no violation where a VLAN has one member', () => {
    const alone = { nodes: { count: 1, contacts: 1 }, vlans: [{ count: 1, members: 1 }] }
    expect(run(alone)).toMatchObject({ violations: [], ok: true, remarks: [nobody] })
  })
})

describe('a run that heals for longer than it lasts', () => {
  it('says so', () => {
    const crash = { kind: 'crash', atSeconds: 29, who: { nodes: [3] } }
    const { simulatedSeconds, remarks } = run({ faults: [crash] })
    expect({ simulatedSeconds, remarks }).toEqual({
      simulatedSeconds: 44,
      remarks: [
        'the run went on for 4 s after its 40 s: healSeconds (10) after the last fault, ' +
          'and 5 s for the last frames to come',
      ],
    })
  })
})
