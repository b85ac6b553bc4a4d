import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { checkWords } from '../../drivers/cli/flags.ts'
import { progressStyle } from '../../drivers/cli/progress.ts'
import { repeatLine } from '../../drivers/cli/repeat.ts'
import { runLines, seedsLines } from '../../drivers/cli/report.ts'
import { lengthOf, simList } from '../../drivers/cli/sim-list.ts'
import { SCENARIO_FLAGS } from '../../drivers/cli/sim-request.ts'
import { simRun } from '../../drivers/cli/sim-run.ts'
import { tableLines, wrapWords } from '../../drivers/cli/table.ts'
import { loadScenario } from '../../drivers/sim/scenario-files.ts'
import { summariseRuns } from '../../drivers/sim/summary.ts'
import { firstDifferentChunk, firstDifferentLine } from '../../drivers/sim/verify.ts'
import type { RunReport } from '../../sim/results.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const SCENARIO = checkScenario(
  {
    version: 1,
    name: 'small',
    question: 'Does every frame arrive, and what does that cost?',
    seconds: 60,
    nodes: { count: 4 },
    vlans: [{ count: 1, members: 4 }],
    traffic: [{ kind: 'unicast', perMemberPerSecond: 1 }],
    bounds: { delivery: { min: 0.9995 } },
  },
  'small.json',
)

function report(seed: number, delivery: number): RunReport {
  const ok = delivery >= 0.9995
  return {
    scenario: 'small',
    seed,
    digest: '0123456789abcdef',
    ok,
    violations: ok
      ? []
      : [{ kind: 'delivered-twice', atSeconds: 12.5, node: 3, detail: 'frame 7 '.repeat(20) }],
    bounds: [{ name: 'delivery', value: delivery, limit: { min: 0.9995 }, ok }],
    metrics: {
      delivery,
      latencyMillis: { p50: 80, p99: 300 },
      counters: { dropStorm: 3, packetsIn: 1_000 },
    },
    faults: [],
    remarks: [],
    events: 10_000,
    messages: 5_000,
    simulatedSeconds: 60,
    wallSeconds: 2,
    messagesPerSecond: 2_500,
    peakRssBytes: 104_857_600,
  }
}

describe('a switch', () => {
  const check = (words: string) => () => checkWords(words.split(' '), [simRun, simList])

  it.each(['--json=maybe', '--quiet=', '--no-dither=no', '--force=1', '--json=TRUE', '-h=x', '--help=0'])(
    'takes no value: %s',
    (word) => {
      const [name, value] = word.split('=') as [string, string]
      const rule = `${name} is "${value}"; it takes no value, or true or false; write ${name} alone`
      expect(check(`sim run x.json ${word}`)).toThrow(new UsageError(rule))
    },
  )

  it.each(['--json', '--json=true', '--quiet=false', '--seed=x', '--set a=maybe', '-- --json=maybe'])(
    'may stand alone or be true or false, and values are for other flags: %s',
    (words) => {
      expect(check(`sim run x.json ${words}`)).not.toThrow()
    },
  )

  it.each(['--constructor', '--__proto__=5', '-toString'])('is none that objects inherit: %s', (word) => {
    expect(check(word)).toThrow(`${word.split('=')[0]} is no flag of "peertap"`)
  })
})

describe('the line that repeats a run', () => {
  const parts = { words: 'sim run', scenario: '/runs/x.json', data: undefined, dither: true, settings: [] }

  it('is short when nothing was changed', () => {
    expect(repeatLine(parts, 41)).toBe('npx peertap sim run /runs/x.json --seed 41')
  })

  it('can be pasted whatever stands in it', () => {
    const settings = ['nodes.count=9', 'vlans[0].members=3', "question=What's up, then?"]
    expect(
      repeatLine({ ...parts, scenario: '/my runs/x.json', settings, dither: false, data: '/d' }, 1),
    ).toBe(
      "npx peertap sim run '/my runs/x.json' --seed 1 --set nodes.count=9 --set 'vlans[0].members=3' " +
        "--set 'question=What'\\''s up, then?' --no-dither --data /d",
    )
  })
})

describe('how long a run takes', () => {
  // Wall times of one run each, measured on one core.
  it.each([
    ['steady-16', 0.4, 'seconds'],
    ['churn-fitted-500', 4, 'seconds'],
    ['root-crash', 11, 'a minute'],
    ['churn-skype', 389, 'minutes'],
    ['join-wave', 8, 'seconds'],
    ['invitation-twice', 18, 'seconds'],
    ['mls-real-32', 60, 'a minute'],
    ['join-crowd', 90, 'a minute'],
    ['rekey-storm', 1_500, 'tens of minutes'],
    ['fold-500', 1_800, 'tens of minutes'],
  ] as const)('is known to the order of magnitude: %s (%d s)', (name, _, length) => {
    expect(lengthOf(loadScenario(name, []).scenario)).toBe(length)
  })
})

describe('progress', () => {
  it('is told of where --json is explained, since a log may hold both streams', () => {
    expect(SCENARIO_FLAGS['json']?.describe).toMatch(/progress goes to stderr unless --quiet$/)
  })

  it.each([
    ['bar', true, { TERM: 'xterm' }],
    ['bar', true, { TERM: 'xterm', NO_COLOR: '' }],
    ['lines', true, { TERM: 'dumb' }],
    ['lines', true, { TERM: 'xterm', NO_COLOR: '1' }],
    ['lines', false, { TERM: 'xterm' }],
  ] as const)('is shown as %s (terminal: %s, %o)', (style, isTerminal, env) => {
    expect(progressStyle(false, isTerminal, env)).toBe(style)
    expect(progressStyle(true, isTerminal, env)).toBe('none')
  })
})

describe('tables', () => {
  it('have columns as wide as needed', () => {
    const rows = [
      ['a', '1'],
      ['long', '1,000'],
    ]
    expect(tableLines(rows, ['left', 'right'])).toEqual(['  a         1', '  long  1,000'])
  })

  it('wrap words', () => {
    expect(wrapWords('one two three four'.split(' '), 9, 2)).toEqual(['one two', '  three', '  four'])
  })
})

describe('the report of a run', () => {
  it('begins with the verdict and ends with the line that repeats it', () => {
    expect(
      runLines(SCENARIO, report(1, 1), 'npx peertap sim run x --seed 1').join('\n'),
    ).toMatchInlineSnapshot(`
      "small, seed 1: all 1 bounds hold
      Does every frame arrive, and what does that cost?

      bounds
        ok  delivery  1  at least 0.9995

      delivery
        delivery  1

      latency
        latencyMillis (ms)  p50 80 p99 300

      drops by reason
        drops  dropStorm 3

      60 simulated s in 2 s (30× real time), 5,000 messages (2,500/s), 100 MiB
      digest  0123456789abcdef
      repeat  npx peertap sim run x --seed 1"
    `)
  })

  it('shows what failed, and fits a terminal', () => {
    const lines = runLines(SCENARIO, report(2, 0.99), 'npx peertap sim run x --seed 2')
    expect(lines[0]).toBe('small, seed 2: 1 violation, 1 of 1 bounds failed')
    expect(lines.join('\n')).toContain('FAILED  delivery  0.99000  at least 0.9995')
    expect(lines.join('\n')).toContain('12.500000 s node 3 delivered-twice: frame 7')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
  })
})

describe('faults', () => {
  it('stand with how many nodes each hit, the first ten', () => {
    const hits = (nodes: number) => ({ kind: 'crash', atSeconds: 90.5, nodes })
    const lines = runLines(SCENARIO, { ...report(1, 1), faults: [hits(97), hits(1)] }, 'x').join('\n')
    expect(lines).toContain('\nfaults\n  crash  at 90.50 s  hit 97 nodes\n  crash  at 90.50 s  hit 1 node\n')
    const many = { ...report(1, 1), faults: Array.from({ length: 12 }, () => hits(2)) }
    expect(runLines(SCENARIO, many, 'x')).toContain('faults (10 of 12)')
  })
})

describe('remarks', () => {
  it('stand before the figures, and once where seeds share them', () => {
    const remarked = { ...report(1, 1), remarks: ['faults[0] (crash at 3 s) hit no node that was up'] }
    const text = ['', 'remarks', `  ${remarked.remarks[0]}`, ''].join('\n')
    expect(runLines(SCENARIO, remarked, 'x').join('\n')).toContain(text)
    const lines = seedsLines(SCENARIO, [remarked, remarked], {}, [])
    expect(lines.filter((line) => line.includes('hit no node'))).toHaveLength(1)
  })
})

describe('many seeds', () => {
  const reports = [report(1, 1), report(2, 0.99), report(3, 0.9996)]
  const summary = summariseRuns(reports)

  it('have a mean with its interval', () => {
    const { mean, min, max, seeds, confidence95 } = summary.delivery ?? expect.fail()
    expect({ min, max, seeds }).toEqual({ min: 0.99, max: 1, seeds: 3 })
    expect(mean).toBeCloseTo(0.996533, 6)
    // t(2) = 4.302653 times the standard error.
    expect(confidence95).toBeCloseTo((4.302653 * Math.sqrt(0.00003205333)) / Math.sqrt(3), 4)
  })

  it('have no interval if there is one', () => {
    expect(summariseRuns([report(1, 1)]).delivery).toEqual({ seeds: 1, mean: 1, min: 1, max: 1 })
  })

  it('count what one of them did not see as zero, and leave out what one did not measure', () => {
    const counting = (metrics: RunReport['metrics']): RunReport => ({ ...report(1, 1), metrics })
    const dropped = { counters: { framesIn: 8, dropStorm: 4 }, joins: { p50: 2 } }
    const of = summariseRuns([counting(dropped), counting({ counters: { framesIn: 6 } })])
    expect(of['counters.dropStorm']).toMatchObject({ seeds: 2, mean: 2, min: 0, max: 4 })
    expect(of['counters.framesIn']).toMatchObject({ seeds: 2, mean: 7 })
    expect(of['joins.p50']).toEqual({ seeds: 1, mean: 2, min: 2, max: 2 })
  })

  it('name each failing seed with its line', () => {
    const failing = [{ seed: 2, what: 'delivered-twice', repeat: 'npx peertap sim run x --seed 2' }]
    const lines = seedsLines(SCENARIO, reports, summary, failing)
    expect(lines[0]).toBe('small, 3 seeds: 2 hold, 1 fail')
    expect(lines.join('\n')).toMatch(/delivery .* 2 of 3 {2}at least 0\.9995/)
    expect(lines.slice(-2)).toEqual(['  2: delivered-twice', '    npx peertap sim run x --seed 2'])
  })
})

describe('the comparison of two runs', () => {
  it('finds the first chunk that differs', () => {
    const chunkOf = (a: number[], b: number[], last = 'x') =>
      firstDifferentChunk(
        { digest: 'x', effects: a.length, digests: a },
        { digest: last, effects: b.length, digests: b },
      )
    expect(chunkOf([1, 2], [1, 2])).toBeUndefined()
    expect(chunkOf([1, 2, 3], [1, 5, 6], 'y')).toBe(1)
    // Only what came after the last whole chunk differs, or one went on for longer.
    expect(chunkOf([1, 2], [1, 2], 'y')).toBe(2)
    expect(chunkOf([1, 2], [1, 2, 3], 'y')).toBe(2)
    expect(chunkOf([1, 2, 3], [1, 2], 'y')).toBe(2)
  })

  it('finds the first line that differs', () => {
    expect(firstDifferentLine(['a', 'b'], ['a', 'c'])).toBe(1)
    expect(firstDifferentLine(['a'], ['a', 'c'])).toBe(1)
  })
})
