import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COLOURS, LAYERS, type Place, readPlace, writePlace } from '../../viz/model/address.ts'

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
  version: '0.1.0-01234567',
}

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
