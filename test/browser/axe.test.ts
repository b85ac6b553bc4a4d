/** What axe finds wrong with the page for whoever does not see it, or sees it otherwise: nothing. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requires } from '../support/requirements.ts'
import { digestAt, START_MILLIS, Viewer } from './viewer.ts'

const chromium = requires.chromium()
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Each finding with its rule, its place and what is wrong there. */
async function findings(page: Page): Promise<string[]> {
  // No script tag, which the page's policy would refuse.
  await page.evaluate(AXE)
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary}`),
  )
}

const STATES: readonly (readonly [string, string, (page: Page) => Promise<void>])[] = [
  [
    'a node and all tables',
    'scenario=steady-16&seed=1&at=20&node=3&layers=trunks.tree.numbers&vlan=0',
    async (page) => {
      await digestAt(page, 20)
      await page.getByRole('heading', { name: 'Node 3' }).waitFor()
      for (const id of ['nodes', 'keys', 'branching', 'comparing', 'export'])
        await page.locator(`#${id} > summary`).click()
      await page.getByRole('table', { name: /^Nodes at/ }).waitFor()
    },
  ],
  [
    'two runs',
    'scenario=steady-16&seed=1&at=11&branch=10:kill:3',
    async (page) => {
      await digestAt(page, 11)
      await page.getByText('The first difference is').waitFor({ timeout: START_MILLIS })
    },
  ],
  ['something wrong', 'scenario=steady-16&seed=x', (page) => page.getByText('seed is "x"').waitFor()],
  [
    'the editor',
    'scenario=steady-16&seed=1&at=1&colour=load',
    async (page) => {
      await digestAt(page, 1)
      await page.locator('#edit').click()
      await page.locator('#text').waitFor()
    },
  ],
]

const LOOKS: readonly (readonly [string, BrowserContextOptions])[] = [
  ['dark', { colorScheme: 'dark', viewport: { width: 1280, height: 800 } }],
  ['light', { colorScheme: 'light', viewport: { width: 1280, height: 800 } }],
  ['light on a phone', { colorScheme: 'light', viewport: { width: 360, height: 740 } }],
]

describe.skipIf(!chromium)('axe finds nothing wrong', { timeout: 600_000 }, () => {
  let viewer: Viewer
  beforeAll(async () => {
    viewer = await Viewer.start(chromium as string)
  }, START_MILLIS)
  afterAll(async () => {
    await viewer?.close()
  }, START_MILLIS)

  for (const [look, options] of LOOKS)
    for (const [state, hash, reach] of STATES)
      it(`with ${state}, ${look}`, async () => {
        const page = await viewer.open(hash, options)
        await reach(page)
        expect(await findings(page)).toEqual([])
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
          options.viewport?.width ?? 0,
        )
        await page.context().close()
      })
})
