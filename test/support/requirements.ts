/**
 * What tests need from the machine beyond the repository: a browser, recorded data, time. A test asks
 * here and skips itself when the answer is undefined; the gap is written down, `npm test` lists it at
 * the end, and with PEERTAP_REQUIRE=all it is a failure.
 *
 *   const data = requires.data()
 *   describe.skipIf(!data)('recorded churn', () => { ... })
 */
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

/** Something a test wanted and the machine did not have. */
export interface Gap {
  readonly what: string
  readonly mend: string
}

export const requires = {
  /** Directory of the recorded traces, latencies and topologies that are not part of the repository. */
  data(): string | undefined {
    const directory = process.env.PEERTAP_DATA ?? resolve(REPOSITORY, '../shared/data')
    return existing(directory, {
      what: `recorded data (looked in ${directory})`,
      mend: 'set PEERTAP_DATA to the directory that holds it',
    })
  },

  /** Path of a Chromium that playwright-core can drive. */
  chromium(): string | undefined {
    const program = process.env.CHROMIUM ?? '/usr/bin/chromium'
    return existing(program, {
      what: `Chromium (looked for ${program})`,
      mend: 'apt-get install chromium, or set CHROMIUM to its path',
    })
  },

  /** The right to mount file systems, for one that is full. */
  mounting(): true | undefined {
    const may = process.geteuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0
    return may || missing({ what: 'the right to mount file systems', mend: 'run the tests as root' })
  },

  /** Whether all of these programs are there: each with the package of Debian that has it. */
  programs(packages: Readonly<Record<string, string>>): boolean {
    const absent = Object.keys(packages).filter((program) => !isProgram(program))
    for (const program of absent)
      missing({ what: `program ${program}`, mend: `apt-get install ${packages[program]}` })
    return absent.length === 0
  },

  /** The program `ping` of iputils, as root may use it. */
  pinging(): true | undefined {
    const { status } = spawnSync('ping', ['-V'])
    return status === 0 || missing({ what: 'the program ping', mend: 'apt-get install iputils-ping' })
  },

  /** Whether network namespaces can be made, and TAP interfaces in them. */
  namespaces(): boolean {
    namespacesLack ??= lackOfNamespaces()
    if (namespacesLack === '') return true
    missing({
      what: `network namespaces with TAP interfaces (${namespacesLack})`,
      mend: 'run as root on Linux, with iproute2 and /dev/net/tun (modprobe tun)',
    })
    return false
  },
}

/** How long tests may take: `quick` on every change, `full` (PEERTAP_BUDGET=full) before a release. */
export const budget: 'quick' | 'full' = readBudget(process.env.PEERTAP_BUDGET)

/** Datagrams beside streams of real nodes, where a test does not say: PEERTAP_DATAGRAMS=on or off. */
export const datagrams: { readonly enabled?: boolean } = readDatagrams(process.env.PEERTAP_DATAGRAMS)

/** Chooses a size by the budget: `const seeds = byBudget(5, 500)`. */
export function byBudget<T>(quick: T, full: T): T {
  return budget === 'full' ? full : quick
}

/** Gaps that test processes wrote to the file named by PEERTAP_GAPS, each once. */
export function recordedGaps(file: string): Gap[] {
  if (!existsSync(file)) return []
  const lines = new Set(readFileSync(file, 'utf8').split('\n').filter(Boolean))
  return [...lines].map((line) => JSON.parse(line) as Gap)
}

function existing(path: string, gap: Gap): string | undefined {
  return existsSync(path) ? path : missing(gap)
}

/** Those of root lie where not everybody looks. */
function isProgram(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => existsSync(join(folder, name)))
}

/** Asked once for each process; empty for nothing. */
let namespacesLack: string | undefined

function lackOfNamespaces(): string {
  if (process.platform !== 'linux') return `this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'not root'
  if (!existsSync('/dev/net/tun')) return 'no /dev/net/tun'
  const iproute = 'ip'
  const name = `peertap-${process.pid}-probe`
  const added = spawnSync(iproute, ['netns', 'add', name], { encoding: 'utf8' })
  if (added.error) return 'no program ip'
  const entered = spawnSync(iproute, ['netns', 'exec', name, 'true'], { encoding: 'utf8' })
  spawnSync(iproute, ['netns', 'del', name])
  return `${added.stderr}${entered.stderr}`.trim()
}

/** Writes the gap down; throws where nothing may be left out. */
function missing(gap: Gap): undefined {
  const file = process.env.PEERTAP_GAPS
  // One short line in append mode: processes do not overwrite each other's.
  if (file) appendFileSync(file, `${JSON.stringify(gap)}\n`)
  if (process.env.PEERTAP_REQUIRE === 'all') {
    throw new Error(`PEERTAP_REQUIRE=all, but there is no ${gap.what}: ${gap.mend}`)
  }
}

function readDatagrams(value: string | undefined): { readonly enabled?: boolean } {
  if (value === undefined || value === '') return {}
  if (value === 'on' || value === 'off') return { enabled: value === 'on' }
  throw new Error(`PEERTAP_DATAGRAMS is "${value}"; it must be on or off`)
}

function readBudget(value = 'quick'): 'quick' | 'full' {
  if (value === 'quick' || value === 'full') return value
  throw new Error(`PEERTAP_BUDGET is "${value}"; it must be quick or full`)
}
