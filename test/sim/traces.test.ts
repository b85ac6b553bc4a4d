/** Recorded sessions of every form that a scenario may name, and what is said when one is wrong. */
import { describe, expect, it } from 'vitest'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

/** Three nodes: one stays, one goes at 20 s, one comes at 20 s. */
const TRACES = {
  avt: '0a 1 0 60\n0b 1 0 20\n0c 1 20 60\n',
  splay: '0\n0 20\n20 60\n',
  fta: [
    '#event_id\tcomponent\tnode\tplatform\tname\ttype\tstart\tstop\treason',
    '1\t0\tn0\t0\ta\t1\t1000\t1060\t',
    '2\t0\tn1\t0\tb\t1\t1000\t1020\t',
    '3\t0\tn1\t0\tb\t0\t1020\t1060\t',
    '4\t0\tn2\t0\tc\t1\t1020\t1060\t',
  ].join('\n'),
}
type Format = keyof typeof TRACES

function runOf(format: Format, text: string, churn: object = {}): Run {
  const scenario = {
    version: 1,
    name: 'traced',
    question: 'Do nodes come and go as recorded?',
    seconds: 40,
    warmupSeconds: 5,
    nodes: { count: 3, contacts: 1, joinSeconds: 0 },
    churn: { kind: 'trace', file: 'a/trace', format, ...churn },
  }
  const data = { text: () => text, placeOf: (name: string) => `/data/${name}` }
  return new Run(checkScenario(scenario, 'x.json'), { seed: 1, data })
}

describe.each(Object.keys(TRACES) as Format[])('a trace of the form %s', (format) => {
  it('says who is up when', () => {
    const run = runOf(format, TRACES[format], format === 'avt' ? { ditherSeconds: 0 } : {})
    const upAt = (seconds: number): number[] => {
      run.step(seconds)
      return run.stage.living()
    }
    expect([upAt(10), upAt(30)]).toEqual([
      [0, 1],
      [0, 2],
    ])
  })

  it('is refused with the key that names it, its place and its line', () => {
    const place = /^churn\.file: \/data\/a\/trace line 1: /
    expect(() => runOf(format, 'zz\tx')).toThrow(place)
  })
})
