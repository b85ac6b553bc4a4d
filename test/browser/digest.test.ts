/**
 * The same run in Node and in Chromium, event for event: the digest covers time, node, effect, link and
 * every control byte, and the metrics cover what was made of them.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { byBudget, REPOSITORY, requires } from '../support/requirements.ts'
import { type EntryPage, openPage } from './bundle.ts'
import { type Outcome, outcome } from './pages/run.ts'

const chromium = requires.chromium()

describe.skipIf(!chromium)('a run in Chromium', () => {
  let page: EntryPage
  beforeAll(async () => {
    page = await openPage('test/browser/pages/run.ts', chromium as string)
  }, 60_000)
  afterAll(() => page?.close())

  const cases = [
    ['steady-16', 60],
    ['churn-fitted-500', byBudget(20, 300)],
    ['lossy-wan', byBudget(30, 120)],
  ] as const
  for (const [name, seconds] of cases) {
    it(`has the digest of Node for ${name}`, async () => {
      const text = readFileSync(join(REPOSITORY, 'scenarios', `${name}.json`), 'utf8')
      const there = await page.call<Outcome>('outcome', text, 11, seconds)
      const here = outcome(text, 11, seconds)
      expect(there.digest).toBe(here.digest)
      expect(there.events).toBeGreaterThan(1_000)
      expect(there).toEqual(JSON.parse(JSON.stringify(here)))
    }, 120_000)
  }
})
