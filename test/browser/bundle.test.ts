import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requires } from '../support/requirements.ts'
import { type EntryPage, openPage } from './bundle.ts'
import * as here from './pages/draws.ts'

const chromium = requires.chromium()

describe.skipIf(!chromium)('an entry in Chromium', () => {
  let page: EntryPage
  beforeAll(async () => {
    page = await openPage('test/browser/pages/draws.ts', chromium as string)
  })
  afterAll(() => page.close())

  it('draws what Node draws', async () => {
    expect(await page.call('draws', 41, 100)).toEqual(here.draws(41, 100))
  })

  it('has Web Crypto', async () => {
    expect(await page.call('digestLength', [1, 2, 3])).toBe(32)
  })

  it('passes on what the entry throws', async () => {
    await expect(page.call('fail', 'because')).rejects.toThrow('because')
  })

  it('names an export that is missing', async () => {
    await expect(page.call('nothing')).rejects.toThrow('exports no function nothing')
  })
})

describe('an entry that no browser can run', () => {
  it('is refused with the name of the module, before any browser starts', async () => {
    const opening = openPage('test/support/requirements.ts', '')
    await expect(opening).rejects.toThrow(/requirements\.ts imports node:\w+, which no browser has/)
  })
})
