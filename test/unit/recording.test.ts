/** Recordings of small runs: what is written is what was there, and what is broken says so. */
import { describe, expect, it } from 'vitest'
import { Recording, Run, readScenario } from '../../sim/index.ts'
import { Thinning } from '../../sim/recording/thinning.ts'
import { pictureOf } from '../../sim/watch/look.ts'
import type { Picture } from '../../sim/watch/seen.ts'
import { Watcher } from '../../sim/watch/watcher.ts'
import { drawnAt, MemoryFile, NO_DATA, record, SMALL } from '../support/recordings.ts'

const CHURN = {
  ...SMALL,
  name: 'churning',
  seconds: 60,
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
  }, 120_000)

  it('is the same for the same run', () => {
    expect(record(CHURN, 3, [2]).file.bytes).toEqual(record(CHURN, 3, [2]).file.bytes)
  }, 120_000)

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
    }, 120_000)
  }
})

describe('a recording whose run was killed', () => {
  it('opens up to its last whole frame', async () => {
    let killed = new MemoryFile()
    const { file } = record(SMALL, 1, [], ({ run }, { bytes }) => {
      if (run.world.now === 33_300_000) killed = new MemoryFile(bytes)
    })
    const [whole, cut] = [await Recording.open(file, 'whole'), await Recording.open(killed, 'cut')]
    expect(cut.until).toBe(30_000_000)
    expect(cut.cutOff).toMatch(/^the recording has no end: whatever wrote it was stopped; it is whole up to/)
    expect(cut.samples).toEqual(whole.samples.slice(0, 31))
    for (const at of [0, 12_345_678, 30_000_000])
      expect((await drawnAt(cut, at)).picture(at, 0, true, false)).toEqual(
        (await drawnAt(whole, at)).picture(at, 0, true, false),
      )
  }, 120_000)
})

describe('the thinning of packets', () => {
  const BUDGET = 64_000_000
  const PACKET = 8

  /** Bytes of an hour with so many packets a second, and so much beside them in each frame of 5 s. */
  function hour(packets: (second: number) => number, beside: number): { bytes: number; thinning: Thinning } {
    const thinning = new Thinning(BUDGET, [MARK])
    let [bytes, frame] = [0, 0]
    for (let second = 5; second <= 3_600; second += 5) {
      let taken = 0
      for (let packet = 0; packet < packets(second) * 5; packet++) {
        frame += 1
        if (thinning.keeps(0, frame, taken)) taken += PACKET
      }
      bytes += taken + beside
      thinning.closed(second * 1e6, bytes, beside)
    }
    return { bytes, thinning }
  }
  const MARK = 7

  it('leaves none out where there is room', () => {
    const { bytes, thinning } = hour(() => 100, 40_000)
    expect(bytes).toBe(720 * (40_000 + 500 * PACKET))
    expect(thinning.most).toBe(0)
  })

  it('keeps an hour in its budget and close to it, whatever the traffic', () => {
    for (const packets of [() => 4_000, (second: number) => (second % 100 < 50 ? 12_000 : 100)]) {
      const { bytes, thinning } = hour(packets, 40_000)
      expect(bytes).toBeLessThan(BUDGET * 1.04)
      expect(bytes).toBeGreaterThan(BUDGET * 0.6)
      expect(thinning.most).toBeGreaterThan(0)
      expect(thinning.most).toBeLessThan(8)
    }
  })

  it('keeps those at marked nodes even where all others are left out', () => {
    const { thinning } = hour(() => 1_000, 200_000)
    expect(thinning.keeps(0, 1, 0)).toBe(false)
    expect(thinning.keeps(MARK, 1, 0)).toBe(true)
  })
})
