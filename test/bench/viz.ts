/**
 * Speed of the page, in Chromium with software rendering: `npm run bench:viz`, as a table, or with
 * `-- --json` for programs. It needs the Chromium that the browser tests use. Page and command line run
 * the same seconds of one scenario, one after the other, so that their speeds can be compared.
 */
import { createRun } from '../../drivers/sim/job.ts'
import { loadScenario } from '../../drivers/sim/scenario-files.ts'
import { openPage } from '../browser/bundle.ts'
import { digestAt, loadedBytes, START_MILLIS, Viewer } from '../browser/viewer.ts'
import { requires } from '../support/requirements.ts'
import { type Figure, printJson, printTable, thisMachine } from './figures.ts'

const SCENARIO = 'churn-fitted-500'
/** Simulated seconds: engines have compiled by the first, and the others are measured. */
const SPAN = { from: 60, to: 180 } as const
const FRAME_SECONDS = 4
/** The page that is measured for frames. */
const FRAMES = 'viz/frames.ts'
const SEEK_AT = 60

/** As that page says them (viz/frames.ts). */
type Frames = Readonly<Record<'moving' | 'still' | 'sceneMillis' | 'paintMillis' | 'firstMillis', number>>

function figure(name: string, value: number, unit: string, target: number | null, more: boolean): Figure {
  const rounded = Number(value.toPrecision(3))
  return {
    name,
    value: rounded,
    unit,
    target,
    ok: target === null ? null : more ? rounded >= target : rounded <= target,
  }
}

async function frameFigures(chromium: string): Promise<Figure[]> {
  const page = await openPage(FRAMES, chromium)
  try {
    const many = await page.call<Frames>('frames', 2_000, 8_000, FRAME_SECONDS)
    const most = await page.call<Frames>('frames', 10_000, 40_000, FRAME_SECONDS)
    return [
      figure('frames, 2,000 nodes and 8,000 links, moving', many.moving, '1/s', 60, true),
      figure('frames, 2,000 nodes and 8,000 links, still', many.still, '1/s', 60, true),
      figure('scene of 2,000 nodes', many.sceneMillis, 'ms', null, false),
      figure('painting of 2,000 nodes', many.paintMillis, 'ms', null, false),
      figure('first picture of 10,000 nodes and 40,000 links', most.firstMillis / 1_000, 's', null, false),
      figure('frames, 10,000 nodes and 40,000 links, still', most.still, '1/s', null, true),
    ]
  } finally {
    await page.close()
  }
}

async function pageFigures(viewer: Viewer): Promise<Figure[]> {
  const page = await viewer.open('scenario=steady-16&seed=1&at=1')
  await digestAt(page, 1)
  const loaded = await loadedBytes(page)
  await page.context().close()

  const back = await viewer.open('scenario=steady-16&seed=1&at=1200')
  await digestAt(back, 1_200)
  const seekMillis = (await back.evaluate(`new Promise((resolve) => {
    const began = performance.now()
    const look = () => {
      if (document.querySelector('#digest').dataset.at === '${SEEK_AT}') resolve(performance.now() - began)
      else requestAnimationFrame(look)
    }
    location.hash = location.hash.replace(/at=[0-9.]+/, 'at=${SEEK_AT}')
    look()
  })`)) as number
  await back.context().close()

  const { seconds, digest } = await pageSeconds(viewer)
  const here = commandLineSeconds()
  if (here.digest !== digest) throw new Error(`page ${digest} and command line ${here.digest} differ`)
  return [
    figure('first load, compressed', loaded / 1_000, 'kB', 300, false),
    figure(`back to ${SEEK_AT} s of a run of 16 nodes, by running it again`, seekMillis, 'ms', null, false),
    figure(
      `${SCENARIO} in the page: share of the command line's speed`,
      here.seconds / seconds,
      '',
      0.5,
      true,
    ),
    figure('the same in the page', (SPAN.to - SPAN.from) / seconds, '× real time', null, true),
    figure('10,000 nodes: until they are seen', (await openSeconds(viewer)) / 1_000, 's', 5, false),
  ]
}

/** Of the page's worker, for the span. */
async function pageSeconds(viewer: Viewer): Promise<{ seconds: number; digest: string }> {
  const page = await viewer.open(`scenario=${SCENARIO}&seed=1&at=${SPAN.from}`)
  await digestAt(page, SPAN.from)
  const began = performance.now()
  await page.locator('#stepSize').selectOption('60')
  for (let at = SPAN.from + 60; at <= SPAN.to; at += 60) {
    await page.locator('#step').click()
    await digestAt(page, at)
  }
  const seconds = (performance.now() - began) / 1_000
  const digest = await digestAt(page, SPAN.to)
  await page.context().close()
  return { seconds, digest }
}

function commandLineSeconds(): { seconds: number; digest: string } {
  const { scenario } = loadScenario(SCENARIO, [])
  const run = createRun({ scenario, seed: 1, dataDirectory: '', dither: true }, () => undefined)
  run.step(SPAN.from)
  const began = performance.now()
  run.step(SPAN.to)
  return { seconds: (performance.now() - began) / 1_000, digest: run.digest }
}

/** Milliseconds from the order to open until the first picture of 10,000 nodes is there. */
async function openSeconds(viewer: Viewer): Promise<number> {
  const page = await viewer.open('scenario=steady-16&seed=1&at=1')
  await digestAt(page, 1)
  await page.locator('#edit').click()
  const text = await page.locator('#text').inputValue()
  await page.locator('#text').fill(text.replace('"count": 16', '"count": 10000'))
  const millis = (await page.evaluate(`new Promise((resolve) => {
    const began = performance.now()
    const look = () => {
      if (/of 10000 nodes/.test(document.querySelector('#summary').textContent))
        resolve(performance.now() - began)
      else requestAnimationFrame(look)
    }
    document.querySelector('#editor button[value="open"]').click()
    look()
  })`)) as number
  await page.context().close()
  return millis
}

async function main(): Promise<void> {
  const chromium = requires.chromium()
  if (!chromium) throw new Error('there is no Chromium; install it, or set CHROMIUM to its program')
  const figures = await frameFigures(chromium)
  const viewer = await Viewer.start(chromium)
  try {
    figures.push(...(await pageFigures(viewer)))
  } finally {
    await viewer.close()
  }
  const machine = thisMachine({ rendering: 'software', waitMillis: START_MILLIS })
  if (process.argv.includes('--json')) printJson(machine, figures)
  else printTable('the page in Chromium', figures)
}

await main()
