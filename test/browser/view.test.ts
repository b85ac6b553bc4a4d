/** The picture of the mesh in Chromium, by what `peertap view` serves. */
import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { perform } from '../../drivers/cli/perform.ts'
import { createRun } from '../../drivers/sim/job.ts'
import { loadScenario } from '../../drivers/sim/scenario-files.ts'
import { CliFolder } from '../support/cli.ts'
import { byBudget, requires } from '../support/requirements.ts'
import { digestAt, loadedBytes, START_MILLIS, Viewer } from './viewer.ts'

const chromium = requires.chromium()

/** The digest of the command line's run, at a moment or at its end. */
function digestHere(name: string, seed: number, at: number): { digest: string; at: number } {
  const { scenario } = loadScenario(name, [])
  const run = createRun({ scenario, seed, dataDirectory: '', dither: true }, () => undefined)
  run.step(at)
  return { digest: run.digest, at: run.world.now / 1e6 }
}

/** What a request with this name of the host is answered. */
function statusFor(url: string, host: string, path = ''): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(`${url}${path}`, { headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject)
  })
}

async function downloaded(page: Page, what: string): Promise<string> {
  await page.locator('#export summary').click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator(`[data-export="${what}"]`).click(),
  ])
  return readFileSync(await download.path(), 'utf8')
}

describe.skipIf(!chromium)('the page of peertap view', () => {
  let viewer: Viewer
  beforeAll(async () => {
    viewer = await Viewer.start(chromium as string, 'fork-heal', '--seed', '7', '--set', 'nodes.count=23')
  }, START_MILLIS)
  afterAll(async () => {
    await viewer?.close()
  }, START_MILLIS)

  it('shows the run that the program was asked for', async () => {
    const page = await viewer.open()
    await page.getByText('Do two halves of a group').waitFor()
    await page.locator('#digest[data-at]').waitFor()
    expect(await page.locator('#seed').inputValue()).toBe('7')
    expect(await page.locator('#scenario').inputValue()).toBe('edited')
    await page.context().close()
  })

  // Looked at in every way while it runs: whoever looks changes nothing.
  const cases = [
    ['steady-16', 1, 10_000, 'layers=trunks.tree.numbers&colour=latency&vlan=0&node=3'],
    ['root-crash', 2, byBudget(75, 10_000), 'colour=load&node=0'],
    ['fork-heal', 3, 10_000, 'colour=epoch&vlan=0&node=5'],
  ] as const
  for (const [name, seed, until, looks] of cases) {
    it(`has the digest of the command line for ${name}`, async () => {
      const here = digestHere(name, seed, until)
      const page = await viewer.open(`scenario=${name}&seed=${seed}&at=${until}&${looks}`)
      expect(await digestAt(page, here.at)).toBe(here.digest)
      await page.context().close()
    }, 600_000)
  }

  it('plays to the same moment as it leaps to, and back', async () => {
    const page = await viewer.open('scenario=steady-16&seed=4&at=20')
    const first = await digestAt(page, 20)
    await page.locator('#step').click()
    expect(await digestAt(page, 21)).not.toBe(first)
    await page.locator('#speed').selectOption('max')
    await page.locator('#play').click()
    await page.locator('#finalDigest').waitFor({ timeout: START_MILLIS })
    expect(await page.locator('#result summary').textContent()).toContain('all bounds hold')
    await page.locator('#back').click()
    expect(await digestAt(page, 0)).not.toBe(first)
    await page.locator('#stepSize').selectOption('10')
    await page.locator('#step').click()
    await digestAt(page, 10)
    await page.locator('#step').click()
    expect(await digestAt(page, 20)).toBe(first)
    await page.context().close()
  }, 600_000)

  it('says in its address what is seen, so that it can be opened again', async () => {
    const page = await viewer.open('scenario=steady-16&seed=9&at=12.5')
    const digest = await digestAt(page, 12.5)
    await page.locator('#mesh').focus()
    for (const key of ['ArrowRight', 'ArrowRight', 'n', 'v']) await page.keyboard.press(key)
    await page.getByRole('heading', { name: 'Node 1' }).waitFor()
    await page.waitForURL(/node=1/)
    const url = page.url()
    await page.context().close()
    const hash = url.slice(url.indexOf('#') + 1)
    expect(hash).toMatch(/layers=trunks\.tree\.numbers.*vlan=0.*node=1/)
    const again = await viewer.open(hash)
    expect(await digestAt(again, 12.5)).toBe(digest)
    await again.getByRole('heading', { name: 'Node 1' }).waitFor()
    expect(await again.locator('input[value="numbers"]').isChecked()).toBe(true)
    expect(await again.locator('#notice').isVisible()).toBe(false)
    await again.context().close()
  })

  it('says that an address is of another version, and what is wrong with one', async () => {
    const page = await viewer.open('scenario=steady-16&seed=1&at=1&version=0.0.9-aaaaaaaa')
    await page.getByText('made by PeerTap 0.0.9-aaaaaaaa').waitFor()
    await digestAt(page, 1)
    await page.context().close()
    const wrong = await viewer.open('scenario=steady-16&seed=x')
    await wrong.getByText('seed is "x"').waitFor()
    await wrong.context().close()
  })

  it('refuses a wrong scenario with its place, and goes on with a mended one', async () => {
    const page = await viewer.open('scenario=steady-16&seed=1&at=1')
    await digestAt(page, 1)
    await page.locator('#edit').click()
    const text = await page.locator('#text').inputValue()
    await page.locator('#text').fill(text.replace('"count": 16', '"count": -16'))
    await page.locator('#editor button[value="open"]').click()
    await page.getByText('nodes.count').first().waitFor()
    await page.getByText('Choose a scenario and open it').waitFor()
    for (const id of ['play', 'step', 'back']) expect(await page.locator(`#${id}`).isDisabled()).toBe(true)
    expect(await page.locator('#play').textContent()).toBe('Play')
    await page.locator('#edit').click()
    await page.locator('#text').fill(text.replace('"count": 16', '"count": 20'))
    await page.locator('#editor button[value="open"]').click()
    await page.getByText('of 20 nodes up').waitFor()
    await page.waitForURL(/scenario=edited.*file=/)
    await page.context().close()
  })

  it('exports picture, curves and topology', async () => {
    const page = await viewer.open('scenario=steady-16&seed=1&at=90')
    await digestAt(page, 90)
    const svg = await downloaded(page, 'svg')
    expect(svg).toMatch(/^<svg .*<title>steady-16, seed 1, at 1:30\.0/s)
    expect(svg.match(/<title>node \d+<\/title>/g)).toHaveLength(16)
    expect((await downloaded(page, 'png')).slice(1, 4)).toBe('PNG')
    const csv = await downloaded(page, 'csv')
    expect(csv.split('\r\n')).toHaveLength(1 + 91 + 1)
    expect((await downloaded(page, 'graphml')).match(/<node /g)).toHaveLength(16)
    expect((await downloaded(page, 'dot')).match(/kind=tree/g)).toHaveLength(15)
    await page.context().close()
  })

  it('fits a phone, dark or light', async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      const page = await viewer.open('scenario=steady-16&seed=1&at=5', {
        viewport: { width: 360, height: 740 },
        colorScheme,
      })
      await digestAt(page, 5)
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
      const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor')
      expect(ground).toBe(colorScheme === 'dark' ? 'rgb(18, 22, 27)' : 'rgb(255, 255, 255)')
      await page.context().close()
    }
  })

  it('loads less than 300 kB, from its own origin alone, and complains of nothing', async () => {
    const page = await viewer.open('scenario=steady-16&seed=1&at=1')
    await digestAt(page, 1)
    const loaded = await loadedBytes(page)
    expect(loaded).toBeGreaterThan(100_000)
    expect(loaded).toBeLessThan(300_000)
    await page.context().close()
    expect(viewer.complaints).toEqual([])
  })

  it('shows a kept run, and says whether it is the same', async () => {
    const folder = new CliFolder()
    const scenario = folder.scenario('small.json')
    const kept = join(folder.folder, 'kept')
    expect(await perform(['sim', 'run', scenario, '--seed', '5', '--out', kept, '--quiet'])).toBe(0)
    const { digest } = JSON.parse(readFileSync(join(kept, 'result.json'), 'utf8')) as { digest: string }
    for (const says of ['This is the recorded run', 'ended with 0123456789abcdef']) {
      const other = await Viewer.start(chromium as string, kept)
      const page = await other.open()
      await page.locator('#speed').selectOption('max')
      await page.getByText(says).waitFor({ timeout: START_MILLIS })
      expect(await page.locator('#finalDigest').textContent()).toBe(digest)
      expect(await other.close()).toBe(0)
      const result = readFileSync(join(kept, 'result.json'), 'utf8')
      writeFileSync(join(kept, 'result.json'), result.replace(digest, '0123456789abcdef'))
    }
    folder.remove()
  }, 600_000)

  it('answers to its own name alone, and serves nothing of the disk', async () => {
    const { host } = new URL(viewer.url)
    expect(await statusFor(viewer.url, host)).toBe(200)
    expect(await statusFor(viewer.url, 'example.org')).toBe(421)
    for (const path of ['package.json', '..%2fpackage.json', 'data/..%2f..%2fpackage.json'])
      expect(await statusFor(viewer.url, host, path)).toBe(404)
  })
})
