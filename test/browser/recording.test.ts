/** Recordings in Chromium: by `sim run --record`, shown by `peertap view FILE` or dropped on its page. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRun } from '../../drivers/sim/job.ts'
import { loadScenario } from '../../drivers/sim/scenario-files.ts'
import { CliFolder } from '../support/cli.ts'
import { requires } from '../support/requirements.ts'
import { digestAt, START_MILLIS, Viewer } from './viewer.ts'

const chromium = requires.chromium()
const NAME = 'fork-heal'
const SEED = 3
const MARK = 5

/** Of the run itself at a moment. */
function digestHere(at: number): string {
  const { scenario } = loadScenario(NAME, [])
  const run = createRun({ scenario, seed: SEED, dataDirectory: '', dither: true }, () => undefined)
  run.step(at)
  return run.digest
}

/** As somebody drops a file. */
async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  const text = JSON.stringify(Buffer.from(bytes).toString('base64'))
  const transfer = await page.evaluateHandle(`(() => {
    const data = new DataTransfer()
    const bytes = Uint8Array.from(atob(${text}), (each) => each.charCodeAt(0))
    data.items.add(new File([bytes], ${JSON.stringify(name)}))
    return data
  })()`)
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer })
}

describe.skipIf(!chromium)('a recording in the page', () => {
  const folder = new CliFolder()
  const path = join(folder.folder, 'run.ptrec')
  let viewer: Viewer
  beforeAll(async () => {
    const words = ['sim', 'run', NAME, '--seed', String(SEED), '--record', path, '--mark', String(MARK)]
    expect((await folder.perform([...words, '--quiet'])).code).toBe(0)
    viewer = await Viewer.start(chromium as string, path)
  }, START_MILLIS * 2)
  afterAll(async () => {
    await viewer?.close()
    folder.remove()
  }, START_MILLIS)

  it('plays at once, and shows the run at whatever moment', async () => {
    const page = await viewer.open()
    await page.getByText('Do two halves of a group').waitFor()
    await page.locator('#digest[data-at]').waitFor()
    expect(await page.locator('#scenario').inputValue()).toBe(NAME)
    expect(await page.locator('#seed').inputValue()).toBe(String(SEED))
    await page.locator('#speed').selectOption('max')
    await page.locator('#finalDigest').waitFor({ timeout: START_MILLIS })
    expect(await page.locator('#result summary').textContent()).toContain('all bounds hold')
    await page.locator('#back').click()
    await digestAt(page, 0)
    await page.locator('#stepSize').selectOption('10')
    for (const at of [10, 20, 30]) {
      await page.locator('#step').click()
      const digest = await digestAt(page, at)
      if (at === 30) expect(digest).toBe(digestHere(30))
    }
    expect(await page.locator('#happenings li').count()).toBeGreaterThan(5)
    await page.context().close()
  }, 600_000)

  it('is opened again at the moment that its address says', async () => {
    const page = await viewer.open(`scenario=${NAME}&seed=${SEED}&recording=yes&at=42&colour=latency&vlan=0`)
    expect(await digestAt(page, 42)).toBe(digestHere(42))
    await page.waitForURL(/recording=yes/)
    await page.context().close()
  }, 600_000)

  it('has the tables of marked nodes, and offers to run again for others', async () => {
    const page = await viewer.open(`scenario=${NAME}&seed=${SEED}&recording=yes&at=15&node=${MARK}`)
    await digestAt(page, 15)
    await page.locator('#detail').getByText('next timer').waitFor()
    await page.locator('#mesh').focus()
    await page.keyboard.press('ArrowRight')
    await page.getByText(`which has those of ${MARK} alone`).waitFor()
    const digest = await page.locator('#digest').textContent()
    await page.getByText('Run it again to this moment').click()
    await page.locator('#detail').getByText('next timer').waitFor({ timeout: START_MILLIS })
    expect(await digestAt(page, 15)).toBe(digest)
    expect(page.url()).not.toContain('recording=yes')
    await page.context().close()
  }, 600_000)

  it('may be dropped on the page, and a broken one says what is wrong with it', async () => {
    const page = await viewer.open('scenario=steady-16&seed=1&at=1')
    await digestAt(page, 1)
    const bytes = readFileSync(path)
    const flipped = Uint8Array.from(bytes)
    flipped[200] = (flipped[200] as number) ^ 1
    await drop(page, 'flipped.ptrec', flipped)
    await page.getByText(/flipped\.ptrec: byte 80: .* do not have their checksum/).waitFor()
    await page.getByText('Choose a scenario and open it').waitFor()
    await drop(page, 'empty.ptrec', new Uint8Array(0))
    await page.getByText('empty.ptrec: byte 0: the file is empty').waitFor()
    await drop(page, 'whole', bytes)
    await page.getByText('Do two halves of a group').waitFor()
    await page.waitForURL(/recording=yes/)
    await drop(page, 'cut.ptrec', bytes.subarray(0, bytes.length / 2))
    await page.getByText(/ends before the run did: the file is cut off before its index/).waitFor()
    await page.context().close()
    expect(viewer.complaints).toEqual([])
  }, 600_000)

  it('is handed out in pieces, and a broken one is refused before there is a page', async () => {
    const size = readFileSync(path).length
    const answers = await Promise.all(
      [
        'bytes=0-7',
        `bytes=${size - 3}-${size + 100}`,
        `bytes=${size}-${size + 1}`,
        'bytes=9-3',
        'lines=0-1',
      ].map(async (range) => {
        const response = await fetch(`${viewer.url}recording`, { headers: { range } })
        return [response.status, (await response.arrayBuffer()).byteLength]
      }),
    )
    expect(answers.map(([status]) => status)).toEqual([206, 206, 416, 416, 416])
    expect(answers.slice(0, 2).map(([, length]) => length)).toEqual([8, 3])
    const broken = folder.file('broken.ptrec', readFileSync(path).subarray(0, 60))
    const { code, err } = await folder.perform(['view', broken, '--no-browser'])
    expect(code).toBe(2)
    expect(err).toMatch(/broken\.ptrec: byte 60: the file ends within its first 80 bytes; copy it again/)
    const other = folder.file('other.txt', 'somebody else wrote this')
    const refused = await folder.perform(['sim', 'run', NAME, '--record', other])
    expect(refused.code).toBe(2)
    expect(refused.err).toMatch(/other\.txt: another file is there; name a new one/)
    writeFileSync(other, '')
    for (const [words, says] of [
      [['--mark', '1'], '--mark is for recordings'],
      [['--record', other, '--mark', '5-99'], '"5-99" is no node'],
      [['--record', other, '--seeds', '2'], '--record keeps one run'],
      [['--record', folder.folder], 'this is no file'],
    ] as const) {
      const said = await folder.perform(['sim', 'run', NAME, ...words])
      expect([said.code, said.err]).toEqual([2, expect.stringContaining(says)])
    }
  }, 600_000)
})
