/** Two runs side by side in Chromium: branches of a run, and other runs that it is compared with. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requires } from '../support/requirements.ts'
import { digestAt, START_MILLIS, Viewer } from './viewer.ts'

const chromium = requires.chromium()
const AT = 20

async function said(page: Page, id: string): Promise<string> {
  const place = page.locator(`#${id}`)
  await place.waitFor({ timeout: START_MILLIS })
  return (await place.textContent()) ?? ''
}

/** What stands in the table of the two runs. */
async function figures(page: Page, name: string): Promise<string[]> {
  const row = page
    .locator('#difference tbody tr')
    .filter({ has: page.getByRole('cell', { name, exact: true }) })
  return (await row.locator('td').allTextContents()).slice(1)
}

describe.skipIf(!chromium)('two runs', { timeout: 600_000 }, () => {
  let viewer: Viewer
  beforeAll(async () => {
    viewer = await Viewer.start(chromium as string, 'steady-16')
  }, START_MILLIS)
  afterAll(async () => {
    await viewer?.close()
  }, START_MILLIS)

  it('branch at a moment, have one past, and say what was the first that differed', async () => {
    const page = await viewer.open(`scenario=steady-16&seed=1&at=${AT}&node=5`)
    const digest = await digestAt(page, AT)
    await page.locator('#branching summary').click()
    expect(await page.locator('#changeNode').inputValue()).toBe('5')
    await page.locator('#branching button').click()
    expect(await said(page, 'past')).toContain(`both have the digest ${digest}`)
    expect(await page.locator('#secondName').textContent()).toContain('at 20.0 s node 5 stops')
    await page.locator('#step').click()
    const first = await said(page, 'firstDifference')
    expect(Number(/at (\d+\.\d+) s/.exec(first)?.[1])).toBeGreaterThanOrEqual(AT)
    await digestAt(page, AT + 1)
    expect(await figures(page, 'nodes up')).toEqual(['16', '15'])
    expect(await said(page, 'otherNodes')).toMatch(/\b5\b/)
    expect(await page.locator('#timeline .moment title').allTextContents()).toContain(
      'at 20.0 s node 5 stops',
    )
    const [here, there] = await figures(page, 'digest')
    const hash = new URL(page.url()).hash.slice(1)
    expect(hash).toContain('branch=20%3Akill%3A5')
    await page.context().close()

    const again = await viewer.open(hash)
    await digestAt(again, AT + 1)
    expect(await said(again, 'firstDifference')).toBe(first)
    expect(await figures(again, 'digest')).toEqual([here, there])
    await again.locator('#closeSecond').click()
    expect(await again.locator('#secondStage').isVisible()).toBe(false)
    await again.context().close()
  })

  it('play and stop at one moment', async () => {
    const page = await viewer.open('scenario=steady-16&seed=1&at=10&branch=10:loss:0.2')
    await page.getByText('One past').waitFor({ timeout: START_MILLIS })
    await page.locator('#speed').selectOption('100')
    await page.locator('#play').click()
    const seen = (): Promise<number> => page.locator('#digest').getAttribute('data-at').then(Number)
    await expect.poll(seen, { timeout: START_MILLIS }).toBeGreaterThan(14)
    await page.locator('#play').click()
    await page.locator('#play', { hasText: 'Play' }).waitFor()
    const [here, there] = await figures(page, 'at')
    expect(here).toBe(there)
    await page.context().close()
  })

  it('can be two seeds, whose topologies differ', async () => {
    const page = await viewer.open(`scenario=steady-16&seed=1&at=${AT}`)
    await digestAt(page, AT)
    await page.locator('#comparing summary').click()
    await page.locator('#comparing button[type="submit"]').click()
    expect(await said(page, 'onlyFirst')).toMatch(/^\d+ trunks only in the first: \d+ – \d+/)
    expect(await said(page, 'onlySecond')).toMatch(/^\d+ trunks only in the second: \d+ – \d+/)
    expect(await page.locator('#secondName').textContent()).toBe('Second: steady-16, seed 2')
    expect(await page.locator('#timeline .curve').count()).toBe(6)
    await page.waitForURL(/with=steady-16%3A2/)
    expect(viewer.complaints).toEqual([])
    await page.context().close()
  })

  it('say what is wrong with the second one', async () => {
    const page = await viewer.open('scenario=steady-16&seed=1&at=1&with=no-such:2')
    await page.getByText('no scenario "no-such"').waitFor()
    await page.context().close()
  })
})
