/**
 * PeerTap beside other programs that carry Ethernet or IP between two hosts, as root: `npm run bench:peers`,
 * with `--json` as JSON on standard output. All rows take turns in rounds, so that whatever else the machine
 * does hits all of them. The parts are in peers/; what is measured of a row stands in peers/readings.ts, what
 * is aimed at in peers/verdict.ts.
 *
 *   --rounds 3 --seconds 5      how often, and how long each run of iperf3 takes
 *   --only link,tinc            rows; --parts tcp,ping what is measured of them
 *   --loss 0.5 --reorder 1      percentages of all frames, in each direction
 *   --delay 4                   milliseconds one way; --seed 1 which frames are lost
 */
import { readFileSync } from 'node:fs'
import { requires } from '../support/requirements.ts'
import { Figures, progress } from './node/figures.ts'
import { isInstalled, withLab } from './node/ground.ts'
import { measure } from './peers/measure.ts'
import { type Order, orderOf } from './peers/order.ts'
import { READINGS, type Reading } from './peers/readings.ts'
import { LEFT_OUT, type Opened, openAll, SPECS } from './peers/rig.ts'
import { judge, type Row, ratioOf, summariesOf, titleOf } from './peers/verdict.ts'

/** Programs that are measured with, and the packages of Debian that have them. */
const TOOLS = { iperf3: 'iperf3', ping: 'iputils-ping', ss: 'iproute2' } as const
const CONGESTION = '/proc/sys/net/ipv4/tcp_congestion_control'

async function run(order: Order): Promise<Row[]> {
  const { only, impairment, rounds } = order
  const specs = SPECS.filter(({ name }) => only.length === 0 || only.includes(name))
  return withLab(async (lab) => {
    const { opened, failed } = await openAll(lab, specs, impairment)
    for (let round = 1; round <= rounds; round++)
      for (const each of opened) if (each.row.failed === undefined) await turn(each, order, round)
    for (const each of opened) await tellOfMiddle(each)
    return [...opened.map(({ row }) => row), ...failed]
  })
}

/** One that fails has no more turns. */
async function turn(opened: Opened, { parts, seconds }: Order, round: number): Promise<void> {
  const { row } = opened
  try {
    const readings = await measure(opened, parts, seconds)
    row.rounds.push(readings)
    const mode = await opened.modeNow?.()
    if (mode !== undefined && !row.mode.includes(mode)) row.mode += `, then ${mode}`
    const said = Object.entries(readings).map(([key, value]) => `${key} ${Number(value.toPrecision(3))}`)
    progress(`round ${round}, ${titleOf(row)}: ${said.join(', ')}`)
  } catch (error) {
    row.failed = (error as Error).message
    progress(`round ${round}, ${titleOf(row)} failed: ${row.failed}`)
  }
}

/** Whether the line itself lost what it was not told to lose. */
async function tellOfMiddle({ row, middle }: Opened): Promise<void> {
  const lines = (await middle?.counts()) ?? []
  for (const { received, lost, reordered, refused, missed } of lines) {
    const own = refused + missed
    const text = `${received} frames, ${lost} lost and ${reordered} reordered on purpose, ${own} by itself`
    progress(`the line of ${titleOf(row)}: ${text}`)
  }
}

function collect(order: Order, rows: readonly Row[], figures: Figures): void {
  for (const row of rows) {
    const all = summariesOf(row)
    for (const [reading, value] of Object.entries(all) as [Reading, number][])
      figures.atLeast(`${READINGS[reading].label}, ${titleOf(row)}`, value, READINGS[reading].unit)
  }
  const judged = judge(rows, order.aims)
  const names = new Set<string>()
  for (const each of judged) {
    if ('lack' in each) {
      progress(`not judged: ${each.lack}`)
      continue
    }
    const { name, value, aim } = each
    const { better, unit } = READINGS[aim.reading]
    names.add(name)
    const as = better === 'more' ? 'atLeast' : 'atMost'
    const label = aim.over === null ? `${name}, judged` : name
    figures[as](label, value, aim.over === null ? unit : '', aim.target)
  }
  for (const row of rows.filter(({ name, rounds }) => name === 'PeerTap' && rounds.length > 0))
    for (const reading of Object.keys(READINGS) as Reading[])
      for (const over of ['layer2', 'all'] as const) {
        const ratio = ratioOf(rows, row, reading, over)
        if (ratio !== undefined && !names.has(ratio.name)) figures.atLeast(ratio.name, ratio.value, '')
      }
}

/** Empty if there is all that is needed. */
function lacking(): string {
  if (!requires.namespaces())
    return 'this needs root, /dev/net/tun and network namespaces; run it as root on Linux'
  const missing = Object.entries(TOOLS).filter(([tool]) => !isInstalled(tool))
  const packages = missing.map(([, name]) => name).join(' ')
  return missing.length > 0 ? `this needs programs that are not here: apt-get install ${packages}` : ''
}

async function main(): Promise<void> {
  let order: Order
  try {
    order = orderOf(
      process.argv.slice(2),
      SPECS.map(({ name }) => name),
    )
    const lack = lacking()
    if (lack !== '') throw new Error(lack)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 2
    return
  }
  // What was started ends with this process, which then has to end in good order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
  const figures = new Figures()
  figures.watch()
  const rows = await run(order)
  collect(order, rows, figures)
  const { rounds, seconds, impairment } = order
  const congestion = readFileSync(CONGESTION, 'utf8').trim()
  figures.print(
    order.json,
    { congestion, rounds, seconds, ...impairment },
    {
      rows: rows.map((row) => ({ ...row, medians: summariesOf(row) })),
    },
  )
  for (const row of rows.filter(({ failed }) => failed !== undefined)) {
    progress(`${titleOf(row)}: ${row.failed}`)
    if (row.mode !== LEFT_OUT) process.exitCode = 1
  }
}

await main()
