import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { readScenario } from '../../sim/scenario/read.ts'
import { parseSetting } from '../../sim/scenario/settings.ts'

const GOOD = {
  version: 1,
  name: 'small',
  question: 'Does a small mesh work?',
  seconds: 100,
  nodes: { count: 20 },
  vlans: [{ count: 1, members: 10 }],
  traffic: [{ kind: 'unicast', perMemberPerSecond: 1 }],
}

function read(changes: object = {}, settings: readonly string[] = []) {
  return readScenario(JSON.stringify({ ...GOOD, ...changes }), 'x.json', settings.map(parseSetting))
}

/** The lines that a scenario with these changes is refused with. */
function refusal(changes: object, settings: readonly string[] = []): string[] {
  try {
    read(changes, settings)
  } catch (error) {
    if (error instanceof UsageError) return error.message.split('\n')
    throw error
  }
  return ['accepted']
}

const crash = (who: unknown, atSeconds = 10) => ({ kind: 'crash', atSeconds, who })

describe('a scenario', () => {
  it('gets every default', () => {
    const scenario = read()
    expect(scenario.warmupSeconds).toBe(30)
    expect(scenario.nodes).toMatchObject({ contacts: 3, reach: { public: 1, punchable: 0, private: 0 } })
    expect(scenario.conditions).toMatchObject({
      jitter: { share: 0.05, correlation: 0.8 },
      reportsLoss: true,
    })
    expect(scenario.latency).toEqual({ kind: 'regions', preset: 'libp2p-8' })
    expect(scenario.vlans[0]).toEqual({
      count: 1,
      members: 10,
      privacy: 'private',
      group: 'static',
      enterFromSeconds: 0,
      enterSeconds: 0,
      multicastShare: 0.5,
    })
  })

  it('changes during a run what a fault names and nothing else', () => {
    const fault = { kind: 'links', atSeconds: 10, forSeconds: 5, conditions: { reorder: 0.1 } }
    expect(read({ faults: [fault] }).faults[0]).toEqual(fault)
  })

  it('keeps half of an object that has defaults for the rest', () => {
    expect(read({ conditions: { jitter: { share: 0.2 } } }).conditions.jitter.correlation).toBe(0.8)
  })
})

/** What is wrong, and what is said about it. */
const REFUSED: readonly (readonly [what: string, changes: object, message: string])[] = [
  [
    'a number in quotes',
    { vlans: [{ count: 1, members: '20' }] },
    'vlans[0].members is "20" (a string); it must be a whole number from 1 to 10000; remove the quotes',
  ],
  [
    'a mistyped key',
    { nodes: { count: 20, contact: 2 } },
    'nodes.contact is not a known key; did you mean "contacts"?',
  ],
  [
    'a key that belongs elsewhere',
    { seed: 4 },
    'seed is not a known key; the seed is not part of a scenario: give it with --seed',
  ],
  [
    'a parameter of a node that does not exist',
    { nodes: { count: 20, config: { silense: 900 } } },
    'nodes.config.silense is not a known key; did you mean "silence"?',
  ],
  [
    'a timer of nanoseconds',
    { nodes: { count: 20, config: { beatPeriod: 0.001 } } },
    'nodes.config.beatPeriod is 0.001; it must be a number from 1 to 864000000; raise it to at least 1',
  ],
  [
    'a timer that never comes',
    { nodes: { count: 20, config: { silence: 1e300 } } },
    'nodes.config.silence is 1e+300; it must be a number from 1 to 864000000; ' +
      'lower it to at most 864000000',
  ],
  [
    'a probability above one',
    { conditions: { reorder: 5 } },
    'conditions.reorder is 5; it must be a share from 0 to 1; for 5 % write 0.05',
  ],
  [
    'a number out of range',
    { seconds: 1e9 },
    'seconds is 1000000000; it must be a number above 0 and at most 864000; lower it to at most 864000',
  ],
  [
    'half a node',
    { nodes: { count: 2.5 } },
    'nodes.count is 2.5; it must be a whole number from 1 to 200000; write 2 or 3',
  ],
  [
    'another version',
    { version: 2 },
    'version is 2; it must be 1; this PeerTap reads no other: ' +
      'write "version": 1 and mend what it then refuses',
  ],
  [
    'a name with spaces',
    { name: 'My Run!' },
    'name is "My Run!"; it must be a text of lower-case letters, digits and single hyphens between them; ' +
      'write "my-run"',
  ],
  [
    'a question that is none',
    { question: 'why' },
    'question is "why"; it must be a text of at least 10 characters; write more',
  ],
  [
    'an unknown kind',
    { conditions: { loss: { kind: 'bernouli' } } },
    'conditions.loss.kind is "bernouli"; it must be one of none, bernoulli, gilbert-elliott; ' +
      'did you mean "bernoulli"?',
  ],
  [
    'an unknown choice',
    { conditions: { data: 'streem' } },
    'conditions.data is "streem"; it must be one of datagram, stream; did you mean "stream"?',
  ],
  [
    'an object where a list must be',
    { vlans: { count: 1, members: 5 } },
    'vlans is { count, members } (an object); it must be a list of at most 32; put it in [ ]',
  ],
  [
    'null',
    { conditions: null },
    'conditions is null; it must be an object with keys such as jitter, loss, reorder, duplicate; ' +
      'remove it for the default',
  ],
  [
    'a clock that is off by more than a year',
    { faults: [{ kind: 'clock', atSeconds: 50, who: { share: 1 }, skewSeconds: 1e12 }] },
    'faults[0].skewSeconds is 1000000000000; it must be a number from -31536000 to 31536000; ' +
      'lower it to at most 31536000',
  ],
  [
    'nobody to hit',
    { faults: [crash({})] },
    'faults[0].who is { } (an object); it must be an object with exactly one of the keys ' +
      'nodes, share, count, role, members, outsiders, region; choose one and write it in { }',
  ],
  [
    'guests of a VLAN that has no group',
    { vlans: [{ count: 1, members: 10, guests: { count: 2, fromSeconds: 20, everySeconds: 5 } }] },
    'vlans[0].guests is for a group of kind "mls"; set group to that or remove it',
  ],
  [
    'more latecomers than members',
    { vlans: [{ count: 1, members: 10, group: 'mls', twins: { pairs: 5, atSeconds: 20 } }] },
    'vlans[0].twins makes 10 members come late; it must be below members (10); take fewer or add members',
  ],
  [
    'guests that come too late',
    {
      vlans: [
        { count: 1, members: 10, group: 'mls', guests: { count: 2, fromSeconds: 65, everySeconds: 9 } },
      ],
    },
    'vlans[0].guests ends at 74 s; it must be by 70 s (seconds less healSeconds); ' +
      'begin earlier or run longer',
  ],
  [
    'one MAC twice where nobody says who has it',
    { faults: [{ kind: 'same-mac', atSeconds: 10, how: 'set', forSeconds: 5 }] },
    'faults[0].kind is "same-mac", but the first VLAN is no group of kind "mls"; set its group to that',
  ],
  [
    'a bound on what nobody does',
    { bounds: { hijackClaims: { min: 1 } } },
    'bounds.hijackClaims cannot be measured without a fault that misbehaves by "hijack"; ' +
      'add it or remove the bound',
  ],
  [
    'a mistake within one way to say whom',
    { faults: [crash({ share: 20 })] },
    'faults[0].who.share is 20; it must be a share from 0 to 1; for 20 % write 0.2',
  ],
  [
    'a bound that does not exist',
    { bounds: { delivry: { min: 1 } } },
    'bounds.delivry is not a known key; did you mean "delivery"?',
  ],
]

describe('a mistake in one place', () => {
  it.each(REFUSED)('is explained: %s', (_, changes, message) => {
    expect(refusal(changes)).toEqual([`x.json: ${message}`])
  })

  it('is explained when a key is missing', () => {
    expect(refusal({ nodes: {} })).toEqual([
      'x.json: nodes.count is missing; it must be a whole number from 1 to 200000; add "count"',
    ])
  })

  it('does not hide the others', () => {
    expect(refusal({ version: '1', seconds: 0, nodes: { count: -1, kount: 3 } })).toHaveLength(4)
  })
})

/** Parts that are each in order and do not fit together. */
const UNFIT: readonly (readonly [what: string, changes: object, message: string])[] = [
  [
    'a warm-up longer than the run',
    { warmupSeconds: 200 },
    'warmupSeconds is 200; it must be below seconds (100), or nothing counts; lower it or run longer',
  ],
  [
    'more members than nodes',
    { nodes: { count: 5 } },
    'vlans[0].members is 10; it must be at most nodes.count (5); lower it or add nodes',
  ],
  [
    'more contacts than nodes',
    { nodes: { count: 12, contacts: 13 } },
    'nodes.contacts is 13; it must be at most nodes.count (12); lower it',
  ],
  [
    'shares that do not add up',
    { nodes: { count: 20, reach: { public: 0.5, punchable: 0.2, private: 0.2 } } },
    'nodes.reach adds up to 0.9; its shares must add up to 1; change one of them',
  ],
  [
    'parameters of a node that cannot work together',
    { nodes: { count: 20, config: { activeTarget: 40, linkLimit: 30 } } },
    'nodes.config cannot work: activeTarget 40 exceeds linkLimit 30; ' +
      'raise linkLimit or lower activeTarget',
  ],
  [
    'a time of waiting that ends before it begins',
    { nodes: { count: 20, config: { holdFloor: 1_200.5 } } },
    'nodes.config cannot work: holdFloor 1200.5 exceeds holdCeiling 1000 (milliseconds); ' +
      'raise holdCeiling or lower holdFloor',
  ],
  [
    'parameters of the contacts that cannot work together with those of all nodes',
    { nodes: { count: 20, config: { linkLimit: 30 }, contactConfig: { activeTarget: 40 } } },
    'nodes.contactConfig cannot work: activeTarget 40 exceeds linkLimit 30; ' +
      'raise linkLimit or lower activeTarget',
  ],
  [
    'a revocation where no authority is',
    { faults: [{ kind: 'revoke', atSeconds: 50 }] },
    'faults[0].vlan is 0; nobody can be put out of one under a static key; give that VLAN "group": "mls"',
  ],
  [
    'a revocation in a VLAN that does not exist',
    { faults: [{ kind: 'revoke', atSeconds: 50, vlan: 7 }] },
    'faults[0].vlan is 7; VLANs are numbered from 0 to 0 in the order of "vlans"; choose one of them',
  ],
  [
    'a revocation without VLANs',
    { vlans: [], traffic: [], bounds: {}, faults: [{ kind: 'revoke', atSeconds: 50 }] },
    'faults[0].kind is "revoke", but there is no VLAN; add an entry to "vlans"',
  ],
  [
    'a committer where nobody commits',
    { faults: [crash({ role: 'committer' })] },
    'faults[0].who.role is "committer", but VLAN 0 has no MLS group, so that nobody commits; ' +
      'give it "group": "mls"',
  ],
  [
    'a fault without time to heal',
    { faults: [{ kind: 'partition', atSeconds: 60, who: { share: 0.5 }, healAfterSeconds: 30 }] },
    'faults[0].atSeconds is 60, so that this fault ends at 90 s; it must end by 70 s ' +
      '(seconds less healSeconds); begin it earlier or run longer',
  ],
  [
    'a node that does not exist',
    { faults: [crash({ nodes: [3, 20] })] },
    'faults[0].who.nodes[1] is 20; nodes are numbered from 0 to 19; choose one of them',
  ],
  [
    'a region without regions',
    { faults: [crash({ region: 'europe' })], latency: { kind: 'constant', oneWayMillis: 5 } },
    'faults[0].who.region is "europe", but nodes have regions only with latency of kind "regions"; ' +
      'use that, or another "who"',
  ],
  [
    'traffic of nobody',
    { vlans: [] },
    'traffic has no one to send it; members of VLANs do; add an entry to "vlans"',
  ],
  [
    'percent in a bound',
    { bounds: { delivery: { min: 99.9 } } },
    'bounds.delivery has the limit 99.9; it is a share from 0 to 1; for 99.9 % write 0.999',
  ],
  [
    'a bound on what is not measured',
    { bounds: { outageP99Seconds: { max: 1 } } },
    'bounds.outageP99Seconds cannot be measured without a fault of kind "relay-crashes"; ' +
      'add it or remove the bound',
  ],
  [
    'a bound on a group where none is',
    { bounds: { oneEpochSeconds: { max: 5 } } },
    'bounds.oneEpochSeconds cannot be measured without a VLAN with "group": "mls"; ' +
      'add it or remove the bound',
  ],
  [
    'a bound on evictions where nobody is put out',
    { vlans: [{ count: 1, members: 10, group: 'mls' }], bounds: { evictSeconds: { max: 5 } } },
    'bounds.evictSeconds cannot be measured without a fault of kind "revoke"; add it or remove the bound',
  ],
  [
    'a bound on who talks where nobody does',
    { vlans: [{ count: 3, members: 1 }], bounds: { delivery: { min: 1 } } },
    'bounds.delivery cannot be measured without a VLAN with two members; add it or remove the bound',
  ],
  [
    'a bound on members where none are',
    { vlans: [], traffic: [], bounds: { convergeSeconds: { max: 5 } } },
    'bounds.convergeSeconds cannot be measured without VLANs; add it or remove the bound',
  ],
  [
    'a bound on what needs rest where there is none',
    {
      churn: { kind: 'fitted', preset: 'kad-2007' },
      bounds: { convergeSeconds: { max: 5 } },
    },
    'bounds.convergeSeconds cannot be measured without an end of all churn (churn of kind "none"); ' +
      'add it or remove the bound',
  ],
  [
    'a file outside of the data directory',
    { churn: { kind: 'trace', file: '../secret.avt' } },
    'churn.file is "../secret.avt"; it must be relative to the data directory and stay in it; ' +
      'name that with --data',
  ],
]

describe('parts that do not fit together', () => {
  it.each(UNFIT)('are refused: %s', (_, changes, message) => {
    expect(refusal(changes)).toEqual([`x.json: ${message}`])
  })
})

describe('--set', () => {
  it('changes numbers, texts, entries of lists and whole objects', () => {
    const scenario = read({}, [
      'nodes.count=50',
      'vlans[0].members=30',
      'vlans.0.privacy=spec',
      'vlans[1]={"count":2,"members":3}',
      'churn={"kind":"fitted","preset":"kad-2007"}',
    ])
    expect(scenario.nodes.count).toBe(50)
    expect(scenario.vlans).toMatchObject([
      { members: 30, privacy: 'spec' },
      { count: 2, members: 3 },
    ])
    expect(scenario.churn).toMatchObject({ kind: 'fitted', preset: 'kad-2007', compress: 1 })
  })

  it('makes the objects on its way', () => {
    expect(read({}, ['conditions.jitter.share=0.3']).conditions.jitter.share).toBe(0.3)
  })

  it.each([
    ['nodes.cont=5', '--set nodes.cont=5: nodes.cont is not a known key; did you mean "count"?'],
    [
      'vlans[2].members=3',
      '--set vlans[2].members=3: vlans has no entry 2; it has 1, so that 1 would be the next',
    ],
    ['seconds.x=3', '--set seconds.x=3: seconds is 100, which has no parts; set it whole'],
    [
      'vlans.members=3',
      '--set vlans.members=3: vlans has no "members"; it is a list: name an entry by its number in brackets',
    ],
    ['nodes.count', '--set nodes.count: it must be path=value; write --set nodes.count=100'],
    [
      'a..b=1',
      '--set a..b=1: "a..b" is no path; write keys with dots and numbers in brackets: vlans[0].members',
    ],
    [
      'nodes.count="9"',
      '--set nodes.count="9": nodes.count is "9" (a string); it must be a whole number from 1 to 200000; ' +
        'remove the quotes',
    ],
    [
      'seconds=1e9999',
      '--set seconds=1e9999: column 1 of the value: 1e9999 is beyond what a number can hold (1.8e308); ' +
        'write a smaller one',
    ],
    [
      'vlans=[{"count":-1e400}]',
      '--set vlans=[{"count":-1e400}]: column 11 of the value: -1e400 is beyond what a number can hold ' +
        '(1.8e308); write a smaller one',
    ],
    [
      'nodes={"count":5,"count":6}',
      '--set nodes={"count":5,"count":6}: column 12 of the value: the key "count" stands twice ' +
        'in one object; remove one of the two',
    ],
    [
      'vlans=[{"count":1}',
      '--set vlans=[{"count":1}: column 13 of the value: found the end of the text where a comma or ] ' +
        'must follow; put ] before it',
    ],
  ])('explains %s', (setting, message) => {
    expect(refusal({}, [setting])).toEqual([message])
  })

  /** A setting, and what it makes wrong in a place that it does not name. */
  it.each([
    ['seconds=20', {}, 'warmupSeconds is 30'],
    ['seconds=4', { warmupSeconds: 1 }, 'nodes.joinSeconds is 5'],
    [
      'seconds=20',
      { warmupSeconds: 1, healSeconds: 5, faults: [crash({ share: 1 }, 18)] },
      'faults[0].atSec',
    ],
    [
      'seconds=20',
      { warmupSeconds: 1, traffic: [{ ...GOOD.traffic[0], untilSeconds: 30 }] },
      'traffic[0].until',
    ],
    ['nodes.count=5', {}, 'vlans[0].members is 10'],
    ['nodes.count=12', { nodes: { count: 20, contacts: 13 } }, 'nodes.contacts is 13'],
    ['nodes.count=12', { faults: [crash({ nodes: [15] })] }, 'faults[0].who.nodes[0] is 15'],
    ['vlans=[]', {}, 'traffic has no one to send it'],
    ['traffic=[]', { bounds: { delivery: { min: 1 } } }, 'bounds.delivery cannot be measured'],
    [
      'latency={"kind":"constant","oneWayMillis":5}',
      { faults: [crash({ region: 'europe' })] },
      'faults[0].who',
    ],
    ['churn.kind=trace', {}, 'churn.file is missing'],
    ['conditions.loss.kind=bernoulli', {}, 'conditions.loss.probability is missing'],
    [
      'nodes.config.activeTarget=40',
      { nodes: { count: 20, contactConfig: { linkLimit: 30 } } },
      'nodes.contactC',
    ],
  ])('is blamed for what it makes wrong elsewhere: %s', (setting, changes, place) => {
    const lines = refusal(changes, ['name=other', setting])
    expect(lines.map((line) => line.startsWith(`--set ${setting}: ${place}`))).toEqual([true])
  })

  it('is not blamed for what was wrong without it', () => {
    expect(refusal({ warmupSeconds: 200 }, ['nodes.count=30'])[0]).toMatch(/^x\.json: warmupSeconds is 200/)
  })

  it('is harmless with names that objects inherit', () => {
    expect(refusal({}, ['__proto__.polluted=1'])[0]).toContain('__proto__ is not a known key')
    expect('polluted' in {}).toBe(false)
  })
})
