/**
 * Ten states of the page as pictures to be looked at, in runs/screenshots, which git ignores. That they are
 * made is tested, and that no two are the same.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { REPOSITORY, requires } from '../support/requirements.ts'
import { digestAt, START_MILLIS, Viewer } from './viewer.ts'

const chromium = requires.chromium()
const FOLDER = join(REPOSITORY, 'runs/screenshots')
const DESK: BrowserContextOptions = { viewport: { width: 1_280, height: 800 }, colorScheme: 'light' }
const DARK: BrowserContextOptions = { ...DESK, colorScheme: 'dark' }
const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 740 }, colorScheme: 'light' }
/** Smaller meshes than some could show: each of the ten is made in seconds. */
const at = (seconds: number) => (page: Page) => digestAt(page, seconds)

type State = readonly [
  name: string,
  hash: string,
  look: BrowserContextOptions,
  reach: (page: Page) => unknown,
]

const STATES: readonly State[] = [
  ['tree', 'scenario=steady-16&seed=1&at=60&layers=trunks.tree.numbers', DESK, at(60)],
  ['dark', 'scenario=steady-16&seed=1&at=60&layers=tree.numbers', DARK, at(60)],
  ['phone', 'scenario=steady-16&seed=1&at=60', PHONE, at(60)],
  ['latency', 'scenario=steady-16&seed=1&at=60&colour=latency', DESK, at(60)],
  ['vlan', 'scenario=steady-16&seed=1&at=60&vlan=0', DESK, at(60)],
  [
    'node',
    'scenario=steady-16&seed=1&at=60&node=3',
    DESK,
    (page) => page.getByRole('heading', { name: 'Node 3' }).waitFor({ timeout: START_MILLIS }),
  ],
  ['partition', 'scenario=partition-heal&seed=1&at=70', DESK, at(70)],
  [
    'branch',
    'scenario=steady-16&seed=1&at=22&branch=20:kill:3',
    DESK,
    (page) => page.getByText('The first difference is at').waitFor({ timeout: START_MILLIS }),
  ],
  [
    'compare',
    'scenario=steady-16&seed=1&at=30&with=steady-16:2',
    DARK,
    (page) => page.locator('#onlyFirst').waitFor({ timeout: START_MILLIS }),
  ],
  ['wrong', 'scenario=steady-16&seed=x', DESK, (page) => page.getByText('seed is "x"').waitFor()],
]

describe.skipIf(!chromium)('screenshots', { timeout: 600_000 }, () => {
  let viewer: Viewer
  const seen = new Set<string>()
  beforeAll(async () => {
    mkdirSync(FOLDER, { recursive: true })
    viewer = await Viewer.start(chromium as string)
  }, START_MILLIS)
  afterAll(async () => {
    await viewer?.close()
  }, START_MILLIS)

  for (const [name, hash, look, reach] of STATES)
    it(`${name}.png`, async () => {
      const page = await viewer.open(hash, look)
      await reach(page)
      await isStill(page)
      const picture = await page.screenshot()
      writeFileSync(join(FOLDER, `${name}.png`), picture)
      expect(picture.subarray(1, 4).toString()).toBe('PNG')
      const content = picture.toString('base64')
      expect(seen.has(content)).toBe(false)
      seen.add(content)
      await page.context().close()
    })
})

/** Two pictures of the mesh, some frames apart, are the same. */
async function isStill(page: Page): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    const canvas = document.querySelector('#mesh')
    let before = ''
    const look = () => {
      const now = canvas.toDataURL()
      if (now === before) resolve()
      else setTimeout(look, 500)
      before = now
    }
    look()
  })`)
}
