import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COLOURS, LAYERS, type Place, readPlace, writePlace } from '../../viz/model/address.ts'
import type { Change } from '../../viz/model/change.ts'
import type { Second } from '../../viz/model/second.ts'

const PLACE: Place = {
  scenario: 'steady-16',
  edited: undefined,
  seed: 1,
  dither: true,
  isRecorded: false,
  at: 0,
  layers: ['trunks', 'tree'],
  colour: 'role',
  vlan: -1,
  node: -1,
  second: undefined,
  version: '0.1.0-01234567',
}

const nodes = fc.integer({ min: 0, max: 10_000_000 })
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('kill' as const, 'apart' as const), node: nodes }),
  fc.uniqueArray(nodes, { minLength: 2, maxLength: 2 }).map(([a, b]) => ({ kind: 'link', a, b }) as Change),
  fc.constant({ kind: 'heal' } as const),
  fc.record({
    kind: fc.constant('loss' as const),
    share: fc.integer({ min: 0, max: 1_000_000 }).map((millionths) => millionths / 1e6),
  }),
)
const seconds: fc.Arbitrary<Second | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record({
    kind: fc.constant('branch' as const),
    at: fc.integer({ min: 0, max: 999_999_999 }).map((micros) => micros / 1e6),
    change: changes,
  }),
  fc.record({
    kind: fc.constant('other' as const),
    scenario: fc.constant('root-crash'),
    edited: fc.constant(undefined),
    seed: fc.integer({ min: 0, max: 4_294_967_295 }),
  }),
  fc.record({
    kind: fc.constant('other' as const),
    scenario: fc.constant('edited'),
    edited: fc.constant('{"question": "Which ß+ wins?"}'),
    seed: fc.constant(3),
  }),
)

describe('an address', () => {
  it('says again what it was made from', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          scenario: fc.constantFrom('root-crash', 'edited'),
          edited: fc.constant(undefined),
          seed: fc.integer({ min: 0, max: 4_294_967_295 }),
          dither: fc.boolean(),
          isRecorded: fc.boolean(),
          at: fc.integer({ min: 0, max: 999_999_999 }).map((micros) => micros / 1e6),
          layers: fc.subarray([...LAYERS]),
          colour: fc.constantFrom(...COLOURS),
          vlan: fc.integer({ min: -1, max: 1_000 }),
          node: fc.integer({ min: -1, max: 100_000 }),
          second: seconds,
          version: fc.constantFrom('0.1.0-01234567', ''),
        }),
        async (place: Place) => {
          const edited = place.scenario === 'edited' ? '{"question": "Where ä/+ go?"}' : undefined
          const whole = { ...place, edited }
          expect(await readPlace(`#${await writePlace(whole)}`)).toEqual(whole)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('is nothing when it is empty', async () => {
    expect(await readPlace('')).toBeUndefined()
    expect(await readPlace('#')).toBeUndefined()
  })

  it('takes defaults for what it does not say', async () => {
    const version = ''
    expect(await readPlace('#scenario=steady-16')).toEqual({ ...PLACE, version })
  })

  const wrong = [
    ['scenario=steady-16&branch=60:melt:7', 'branch is "60:melt:7"'],
    ['scenario=steady-16&branch=60:kill:-7', 'branch is "60:kill:-7"'],
    ['scenario=steady-16&branch=60:link:7:7', 'branch is "60:link:7:7"'],
    ['scenario=steady-16&branch=60:loss:1.5', 'branch is "60:loss:1.5"'],
    ['scenario=steady-16&branch=60:heal:1', 'branch is "60:heal:1"'],
    ['scenario=steady-16&branch=:heal', 'branch is ":heal"'],
    ['scenario=steady-16&with=../x:1', 'with is "../x:1"'],
    ['scenario=steady-16&with=steady-16:9999999999', 'with is "steady-16:9999999999"'],
    ['scenario=steady-16&with=edited:1', 'needs its withfile'],
    ['scenario=steady-16&with=edited:1&withfile=AAAA', 'withfile is damaged'],
    ['scenario=../secret', 'scenario is "../secret"'],
    ['seed=1', 'scenario is ""'],
    ['scenario=edited', 'lacks its file'],
    ['scenario=edited&file=%00', 'file is damaged'],
    ['scenario=edited&file=AAAA', 'file is damaged'],
    [`scenario=edited&file=${'A'.repeat(100_001)}`, 'file has 100001 characters'],
    ['scenario=steady-16&seed=4294967296', 'seed is "4294967296"'],
    ['scenario=steady-16&seed=-1', 'seed is "-1"'],
    ['scenario=steady-16&at=1e9', 'at is "1e9"'],
    ['scenario=steady-16&node=1.5', 'node is "1.5"'],
  ] as const
  for (const [hash, message] of wrong) {
    it(`is refused as ${hash.slice(0, 50)}`, async () => {
      await expect(readPlace(`#${hash}`)).rejects.toThrow(message)
    })
  }

  it('unpacks no more than a scenario can have', async () => {
    const bomb = await writePlace({ ...PLACE, scenario: 'edited', edited: ' '.repeat(3_000_000) })
    await expect(readPlace(bomb)).rejects.toThrow('file is damaged')
  })
})
