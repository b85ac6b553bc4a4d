/**
 * How large a recording is, and how long it takes to be at any moment of it: in Node, and in Chromium from
 * the click on the timeline until the picture is drawn.
 *
 *   npm run bench:recording -- FILE [--seeks 40] [--json]
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
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
  const file = await RecordingOnDisk.open(path)
  const recording = await Recording.open(file, path)
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
  await file.close()
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

/** Notes what passes between a page and its workers: a source is told when its picture is on the screen. */
const NOTES = `
  globalThis.sent = []
  const post = Worker.prototype.postMessage
  Worker.prototype.postMessage = function (message, ...rest) {
    globalThis.sent.push({ kind: message.kind, at: performance.now() })
    return post.call(this, message, ...rest)
  }
  const listen = Worker.prototype.addEventListener
  Worker.prototype.addEventListener = function (type, heard) {
    return listen.call(this, type, (event) => {
      if (event.data) globalThis.sent.push({ kind: event.data.kind, at: performance.now() })
      heard.call(this, event)
    })
  }`

/** Of a process's living descendants, to 10 ms (proc_pid_stat(5)). */
function processorMillis(parent: number): number {
  const rows = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
        return [
          { pid: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) },
        ]
      } catch {
        // It has ended meanwhile.
        return []
      }
    })
  const sum = (of: number): number =>
    rows.filter((row) => row.parent === of).reduce((all, { pid, ticks }) => all + ticks * 10 + sum(pid), 0)
  return sum(parent)
}

async function inChromium(path: string, program: string, seeks: number): Promise<object> {
  const viewer = await Viewer.start(program, path)
  const page = await viewer.open('', {}, NOTES)
  await page.locator('#digest[data-at]').waitFor()
  await page.locator('#play').click()
  const box = await page.locator('#timeline').boundingBox()
  if (box === null) throw new Error('the page has no timeline')
  const arrives: number[] = []
  const millis: number[] = []
  const processor: number[] = []
  for (const share of moments(1_000, seeks)) {
    const used = processorMillis(process.pid)
    // Between the margins.
    await page.mouse.click(box.x + box.width * (0.08 + (share / 1_000) * 0.88), box.y + box.height / 2)
    const taken = await page.waitForFunction(() => {
      const { sent } = globalThis as unknown as { sent: { kind: string; at: number }[] }
      const seek = sent.findLastIndex(({ kind }) => kind === 'seek')
      const comes = sent.findIndex(({ kind }, index) => index > seek && kind === 'picture')
      const drawn = sent.findIndex(({ kind }, index) => index > comes && kind === 'drawn')
      if (seek < 0 || comes < 0 || drawn < 0) return undefined
      const times = [comes, drawn].map((index) => (sent[index]?.at ?? 0) - (sent[seek]?.at ?? 0))
      sent.length = 0
      return times
    })
    const [came = 0, drawn = 0] = (await taken.jsonValue()) as number[]
    arrives.push(came)
    millis.push(drawn)
    processor.push(processorMillis(process.pid) - used)
  }
  await viewer.close()
  return { picture: timesOf(arrives), drawn: timesOf(millis), seekProcessor: timesOf(processor) }
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
