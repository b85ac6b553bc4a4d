/**
 * Speed and memory of the simulator, as JSON on standard output: `npm run bench:sim`. Each case runs in
 * a process of its own, one after another, so that memory is its own and nothing shares the core.
 * `--only NAME` runs one case, `--quick` leaves out the cases of 100,000 nodes and of six hours.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Figure, printJson, thisMachine } from './figures.ts'

/** What a case reports: values by figure name. */
interface Target {
  readonly name: string
  readonly unit: string
  readonly target: number | null
  /** Whether more is better. */
  readonly more: boolean
}

const CASES: readonly {
  readonly name: string
  readonly slow: boolean
  readonly figures: readonly Target[]
}[] = [
  {
    name: 'queue',
    slow: false,
    figures: [
      { name: 'queue hold 10^3', unit: 'million/s', target: 6.4, more: true },
      { name: 'queue hold 10^4', unit: 'million/s', target: 4.8, more: true },
      { name: 'queue hold 10^5', unit: 'million/s', target: 3.6, more: true },
      { name: 'queue hold 10^6', unit: 'million/s', target: 1.9, more: true },
    ],
  },
  {
    name: 'idle-memory',
    slow: false,
    figures: [{ name: 'memory of an idle node', unit: 'kB', target: 100, more: false }],
  },
  {
    name: 'messages-1000',
    slow: false,
    figures: [
      { name: 'messages, 1,000 nodes with churn', unit: '1/s', target: 200_000, more: true },
      { name: 'share of data, 1,000 nodes', unit: '', target: 0.2, more: false },
      { name: 'mean message, 1,000 nodes', unit: 'bytes', target: null, more: true },
    ],
  },
  {
    name: 'nodes-10000',
    slow: false,
    figures: [
      { name: 'messages, 10,000 nodes with churn', unit: '1/s', target: 100_000, more: true },
      { name: '10,000 nodes for 10 minutes', unit: 's', target: 120, more: false },
      { name: 'memory of 10,000 nodes', unit: 'GB', target: 3, more: false },
    ],
  },
  {
    name: 'churn-skype',
    slow: true,
    figures: [{ name: 'churn-skype, 6 hours', unit: 's', target: 120, more: false }],
  },
  {
    name: 'nodes-100000',
    slow: true,
    figures: [
      { name: '100,000 nodes form one mesh: share attached', unit: '', target: 1, more: true },
      { name: '100,000 nodes: time', unit: 's', target: null, more: false },
      { name: '100,000 nodes: memory', unit: 'GB', target: null, more: false },
    ],
  },
]

const CASE_FILE = fileURLToPath(new URL('./sim-case.ts', import.meta.url))
// As runs have it (drivers/sim): the heap's limit counts arrays outside of it, and the young part is large.
const HEAP = [
  '--max-old-space-size=20000',
  '--external-memory-accounted-in-global-limit',
  '--max-semi-space-size=64',
]

function runCase(name: string): Record<string, number> {
  const child = spawnSync(
    process.execPath,
    ['--expose-gc', ...HEAP, '--disable-warning=ExperimentalWarning', CASE_FILE, name],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 1 << 26,
    },
  )
  if (child.status !== 0) throw new Error(`case ${name} ended with ${child.status ?? child.signal}`)
  return JSON.parse(child.stdout)
}

function judge(target: Target, value: number): Figure {
  const { name, unit } = target
  const ok = target.target === null ? null : target.more ? value >= target.target : value <= target.target
  return { name, value: Number(value.toPrecision(4)), unit, target: target.target, ok }
}

function main(): void {
  const args = process.argv.slice(2)
  const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined
  const quick = args.includes('--quick')
  const figures: Figure[] = []
  for (const each of CASES) {
    if (only !== undefined ? each.name !== only : quick && each.slow) continue
    const values = runCase(each.name)
    for (const target of each.figures) {
      const value = values[target.name]
      if (value !== undefined) figures.push(judge(target, value))
    }
  }
  printJson(thisMachine(), figures)
}

main()
