/**
 * How large a recording is, and how long it takes to be at any moment of it: in Node, and in Chromium from
 * the click on the timeline until the picture is drawn.
 *
 *   npm run bench:recording -- FILE [--seeks 40] [--json]
 */
import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { RecordingOnDisk } from '../../drivers/sim/recording-file.ts'
import { Recording } from '../../sim/index.ts'
import { Viewer } from '../browser/viewer.ts'
import { drawnAt } from '../support/recordings.ts'
import { requires } from '../support/requirements.ts'

interface Times {
  readonly p50Millis: number
  readonly p95Millis: number
  readonly maxMillis: number
}

function timesOf(millis: readonly number[]): Times {
  const sorted = millis.toSorted((a, b) => a - b)
  const at = (share: number): number => round(sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN)
  return { p50Millis: at(0.5), p95Millis: at(0.95), maxMillis: at(1) }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

/** Spread over the whole, in an order that goes back and forth. */
function moments(until: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.floor(until * ((index * 0.618_034 + 0.1) % 1)))
}

async function inNode(path: string, seeks: number): Promise<object> {
  const began = performance.now()
  const recording = await Recording.open(await RecordingOnDisk.open(path), path)
  const openMillis = round(performance.now() - began)
  const wall: number[] = []
  const processor: number[] = []
  for (const at of moments(recording.until, seeks)) {
    const [from, used] = [performance.now(), process.cpuUsage()]
    ;(await drawnAt(recording, at)).picture(at, 0, true, true)
    wall.push(performance.now() - from)
    const { user, system } = process.cpuUsage(used)
    processor.push((user + system) / 1_000)
  }
  const { about, budgetBytesPerHour } = recording.header
  const hours = recording.until / 3.6e9
  return {
    nodes: about.nodes,
    seconds: recording.until / 1e6,
    bytes: statSync(path).size,
    bytesPerHour: Math.round(statSync(path).size / hours),
    budgetBytesPerHour,
    thinned: recording.thinned,
    openMillis,
    seek: timesOf(wall),
    seekProcessor: timesOf(processor),
  }
}

/** Notes when a page's workers are sent what: a source is told when its picture is on the screen. */
const NOTES = `
  globalThis.sent = []
  const post = Worker.prototype.postMessage
  Worker.prototype.postMessage = function (message, ...rest) {
    globalThis.sent.push({ kind: message.kind, at: performance.now() })
    return post.call(this, message, ...rest)
  }`

async function inChromium(path: string, program: string, seeks: number): Promise<object> {
  const viewer = await Viewer.start(program, path)
  const page = await viewer.open('', {}, NOTES)
  await page.locator('#digest[data-at]').waitFor()
  await page.locator('#play').click()
  const box = await page.locator('#timeline').boundingBox()
  if (box === null) throw new Error('the page has no timeline')
  const millis: number[] = []
  for (const share of moments(1_000, seeks)) {
    // Between the margins.
    await page.mouse.click(box.x + box.width * (0.08 + (share / 1_000) * 0.88), box.y + box.height / 2)
    const taken = await page.waitForFunction(() => {
      const { sent } = globalThis as unknown as { sent: { kind: string; at: number }[] }
      const seek = sent.findLastIndex(({ kind }) => kind === 'seek')
      const drawn = sent.findIndex(({ kind }, index) => index > seek && kind === 'drawn')
      if (seek < 0 || drawn < 0) return undefined
      const time = (sent[drawn]?.at ?? 0) - (sent[seek]?.at ?? 0)
      sent.length = 0
      return time
    })
    millis.push((await taken.jsonValue()) as number)
  }
  await viewer.close()
  return { seek: timesOf(millis) }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeks: { type: 'string', default: '40' }, json: { type: 'boolean', default: false } },
})
const [path] = positionals
if (path === undefined) throw new Error('name a recording: npm run bench:recording -- FILE')
const seeks = Number(values.seeks)
const node = await inNode(path, seeks)
const program = requires.chromium()
const chromium = program === undefined ? undefined : await inChromium(path, program, seeks)
if (values.json) console.log(JSON.stringify({ node, chromium }))
else console.dir({ node, chromium }, { depth: 4 })
process.exit()
