/**
 * What real nodes do on this machine, each in a namespace, as root: `npm run bench:node`, with `--json` as
 * JSON on standard output. `--only start,ping` chooses parts; `--minutes 60` says for how long memory is
 * watched under traffic. The parts are in node/. Figures are medians of rounds; those of a machine that has
 * much else to do are poor, and its load is told with them.
 */
import { parseArgs } from 'node:util'
import { requires } from '../support/requirements.ts'
import { measureCrowd, measureLan } from './node/crowd.ts'
import { measureFailover, WAYS } from './node/failover.ts'
import { Figures, progress } from './node/figures.ts'
import { isInstalled, withLab } from './node/ground.ts'
import { measureLife } from './node/life.ts'
import { measureSpeed } from './node/speed.ts'

const PARTS = ['start', 'failover', 'restart', 'memory', 'idle', 'iperf', 'ping'] as const
type Part = (typeof PARTS)[number]

interface Order {
  readonly parts: ReadonlySet<Part>
  readonly minutes: number
  readonly json: boolean
}

/** Programs that are measured with. */
const TOOLS: Readonly<Record<string, readonly Part[]>> = {
  ping: PARTS,
  iperf3: ['memory', 'iperf'],
  ss: ['memory', 'iperf'],
}

/** Undefined, with a word about it, if the command line is wrong. */
function orderOf(args: readonly string[]): Order | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean', default: false },
        only: { type: 'string', default: PARTS.join(',') },
        minutes: { type: 'string', default: '2' },
      },
    })
    const names = values.only.split(',')
    const unknown = names.filter((name) => !(PARTS as readonly string[]).includes(name))
    if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}; there are ${PARTS.join(', ')}`)
    const minutes = Number(values.minutes)
    if (!(minutes > 0)) throw new Error(`--minutes is "${values.minutes}", and has to be more than 0`)
    return { parts: new Set(names as Part[]), minutes, json: values.json }
  } catch (error) {
    console.error((error as Error).message)
    return undefined
  }
}

/** Empty if there is all that is needed. */
function lacking({ parts }: Order): string {
  if (!requires.namespaces())
    return 'this needs root, /dev/net/tun and network namespaces; run it as root on Linux'
  const tools = Object.entries(TOOLS).filter(([, needed]) => needed.some((part) => parts.has(part)))
  const missing = tools.map(([tool]) => tool).filter((tool) => !isInstalled(tool))
  return missing.length > 0 ? `this needs the programs ${missing.join(', ')}` : ''
}

async function measure({ parts, minutes }: Order, figures: Figures): Promise<void> {
  const some = (...wanted: readonly Part[]): boolean => wanted.some((part) => parts.has(part))
  const steps: readonly [boolean, () => Promise<void>][] = [
    [
      some('start', 'restart'),
      () =>
        withLab((lab) =>
          measureLife(lab, figures, { start: parts.has('start'), restart: parts.has('restart') }),
        ),
    ],
    ...WAYS.map((way): [boolean, () => Promise<void>] => [
      some('failover'),
      () => withLab((lab) => measureFailover(lab, figures, way)),
    ]),
    [
      some('idle', 'memory'),
      () =>
        withLab((lab) =>
          measureCrowd(lab, figures, { idle: parts.has('idle'), memory: parts.has('memory'), minutes }),
        ),
    ],
    [some('idle'), () => withLab((lab) => measureLan(lab, figures))],
    [
      some('iperf', 'ping'),
      () =>
        withLab((lab) => measureSpeed(lab, figures, { iperf: parts.has('iperf'), ping: parts.has('ping') })),
    ],
  ]
  for (const [wanted, step] of steps) {
    if (!wanted) continue
    try {
      await step()
    } catch (error) {
      // The others are worth having.
      progress(`a part failed: ${(error as Error).message}`)
      process.exitCode = 1
    }
  }
}

async function main(): Promise<void> {
  const order = orderOf(process.argv.slice(2))
  const lack = order === undefined ? '' : lacking(order)
  if (order === undefined || lack !== '') {
    if (lack !== '') console.error(lack)
    process.exitCode = 2
    return
  }
  // What was started ends with this process, which then has to end in good order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
  const figures = new Figures()
  figures.watch()
  await measure(order, figures)
  figures.print(order.json)
}

await main()
