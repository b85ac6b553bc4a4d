/** Recordings of small runs: what is written is what was there, and what is broken says so. */
import { describe, expect, it } from 'vitest'
import { Recording, Run, readScenario } from '../../sim/index.ts'
import { pictureOf } from '../../sim/watch/look.ts'
import type { Picture } from '../../sim/watch/seen.ts'
import { Watcher } from '../../sim/watch/watcher.ts'
import { drawnAt, NO_DATA, record, SMALL } from '../support/recordings.ts'

const CHURN = {
  ...SMALL,
  name: 'churning',
  seconds: 70,
  nodes: { count: 40, joinSeconds: 5 },
  churn: { kind: 'fitted', preset: 'skype-2005', compress: 2_000 },
  vlans: [
    { count: 2, members: 10 },
    { count: 1, members: 8, group: 'mls', enterFromSeconds: 5, enterSeconds: 5 },
  ],
  faults: [
    { kind: 'partition', atSeconds: 40.3, who: { nodes: [3, 4, 5, 6] }, healAfterSeconds: 9.2, oneWay: true },
  ],
}

/** The same run as it is seen without a recorder, at moments that ascend. */
function seen(scenario: object, seed: number, moments: readonly number[], vlan: number): Picture[] {
  const watcher = new Watcher()
  const run = new Run(readScenario(JSON.stringify(scenario), 'small.json'), {
    seed,
    data: NO_DATA,
    onlooker: watcher,
    onProgress: () => {
      watcher.second()
      return true
    },
  })
  watcher.run = run
  return moments.map((at) => {
    run.step(at)
    return pictureOf(run, watcher, {
      leap: false,
      epochs: watcher.epochs(vlan, run.world.nodes.length),
      epochNames: watcher.epochNames(vlan),
      measures: undefined,
    })
  })
}

describe('a recording', () => {
  it('changes nothing of the run', () => {
    const plain = new Run(readScenario(JSON.stringify(CHURN), 'x'), { seed: 3, data: NO_DATA })
    while (!plain.done) plain.step(1_000)
    const { recorder } = record(CHURN, 3, [0, 1])
    expect(recorder.run.digest).toBe(plain.digest)
    expect(recorder.run.digests).toEqual(plain.digests)
    expect(recorder.run.result()).toEqual(plain.result())
  })

  it('is the same for the same run', () => {
    expect(record(CHURN, 3, [2]).file.bytes).toEqual(record(CHURN, 3, [2]).file.bytes)
  })

  for (const [name, scenario, vlan] of [
    ['a partition of a group', SMALL, 0],
    ['churn and a cut one way', CHURN, 2],
  ] as const) {
    it(`shows ${name} as the run was at every moment`, async () => {
      const { file } = record(scenario, 5)
      const recording = await Recording.open(file, 'small.ptrec')
      const moments = Array.from({ length: 150 }, (_, index) => (index * recording.until) / 150 / 1e6)
      const whole = Array.from({ length: Math.floor(recording.until / 1e6) + 1 }, (_, second) => second)
      const all = [...moments.map((at) => Math.round(at * 1e6) / 1e6), ...whole].sort((a, b) => a - b)
      const there = seen(scenario, 5, all, vlan)
      for (const [index, at] of all.entries()) {
        const drawn = await drawnAt(recording, Math.round(at * 1e6))
        const picture = drawn.picture(Math.round(at * 1e6), vlan, false, false)
        const other = there[index] as Picture
        const isWhole = at % 1 === 0
        expect({ ...picture, digest: '', messages: 0 }).toEqual({ ...other, digest: '', messages: 0 })
        if (isWhole) expect([picture.digest, picture.messages]).toEqual([other.digest, other.messages])
      }
    })
  }
})
