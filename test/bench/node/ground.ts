/**
 * Where nodes are measured: hosts and cables of a RealLab outside the test runner, nodes that are started
 * as their owners start them, and programs that end with the lab whatever happens.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Namespace } from '../../support/namespaces.ts'
import { RealLab } from '../../support/real-lab.ts'
import { type NodeConfigText, type RealNode, TRANSPORT, type Transport } from '../../support/real-node.ts'
import { REPOSITORY } from '../../support/requirements.ts'
import { sleep } from './figures.ts'

/** What `npm` links as the command `peertap`. */
const LAUNCHER = join(REPOSITORY, 'drivers/cli/peertap.mjs')
/** Nodes that start at once on a small machine. */
const GROUP = 4
const LOOK_MILLIS = 50

/** For people. */
export const LABELS = { quic: 'QUIC', tcp: 'TCP', ws: 'WebSocket' } as const satisfies Record<
  Transport,
  string
>

/** Trunks by one transport alone. */
export function only(transport: Transport): NodeConfigText {
  const transports = { quic: false, tcp: false, ws: false, [transport]: true }
  return { transports, listen: [`/ip4/0.0.0.0/${TRANSPORT[transport]}`] }
}

/** A lab for one part of the benchmark, gone with it. */
export async function withLab<T>(run: (lab: RealLab) => Promise<T>): Promise<T> {
  const lab = new RealLab()
  const close = () => lab.close()
  process.once('exit', close)
  try {
    return await run(lab)
  } catch (error) {
    lab.showLogs(console.error)
    throw error
  } finally {
    process.off('exit', close)
    close()
  }
}

/** As `peertap up` starts it; returns when it answers. */
export function up(node: RealNode): Promise<RealNode> {
  return node.up({ script: LAUNCHER })
}

/** As `peertap up` starts it; returns at once. Wall time of the start in milliseconds. */
export function startAt(node: RealNode): number {
  const now = Date.now()
  node.start({ script: LAUNCHER })
  return now
}

/** The first runs before the others are started, which come in small groups. */
export async function upAll(nodes: readonly RealNode[]): Promise<void> {
  await up(nodes[0] as RealNode)
  for (let at = 1; at < nodes.length; at += GROUP) await Promise.all(nodes.slice(at, at + GROUP).map(up))
}

export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

/** A command of this machine, to its end; throws with what it says if it fails. */
export function run(program: string, words: readonly string[], cwd?: string): string {
  const options = { encoding: 'utf8', timeout: 60_000, ...(cwd === undefined ? {} : { cwd }) } as const
  const { status, stdout, stderr, error } = spawnSync(program, words, options)
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}${stdout}`)
  return stdout
}

/** A command in a host, to its end, without blocking this thread; throws if it fails or hangs. */
export async function runIn(host: Namespace, words: readonly string[], patience: number): Promise<string> {
  const [program, ...others] = words as [string, ...string[]]
  const child = host.spawn(program, others, { stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (texts.out += part))
  child.stderr?.setEncoding('utf8').on('data', (part: string) => (texts.err += part))
  const timer = setTimeout(() => child.kill('SIGKILL'), patience)
  const code = await new Promise<number | null>((done) => child.once('close', done))
  clearTimeout(timer)
  if (code === 0) return texts.out
  throw new Error(`${words.join(' ')} ended with ${code}: ${texts.err}${texts.out.slice(-400)}`)
}

export async function until(what: string, holds: () => unknown, patience = 30_000): Promise<void> {
  const end = performance.now() + patience
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not so after ${patience} ms: ${what}`)
    await sleep(LOOK_MILLIS)
  }
}

interface Counters {
  readonly ifname: string
  readonly stats64: Record<'rx' | 'tx', { readonly bytes: number; readonly packets: number }>
}

/** Bytes and packets that went out by the interfaces of a host whose names begin so. */
export function sentBy(host: Namespace, prefix: string): { bytes: number; packets: number } {
  const links = host.list<Counters>('-s', 'link').filter(({ ifname }) => ifname.startsWith(prefix))
  return links.reduce(
    (sum, { stats64: { tx } }) => ({ bytes: sum.bytes + tx.bytes, packets: sum.packets + tx.packets }),
    { bytes: 0, packets: 0 },
  )
}

/** Of a process, in MB: all that is resident, and its share of what others use too. proc_pid_smaps(5) */
export function memoryOf(pid: number): { rss: number; pss: number } {
  const read = (file: string, key: string): number => {
    const text = readFileSync(`/proc/${pid}/${file}`, 'utf8')
    return (Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1_024) / 1e6
  }
  return { rss: read('status', 'VmRSS'), pss: read('smaps_rollup', 'Pss') }
}

/** Ticks of the clock that the kernel tells programs of. getconf(1), CLK_TCK */
const TICKS_PER_SECOND = 100

/** Seconds of processors that a process has used, in all its threads. proc_pid_stat(5) */
export function workOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // Behind the name, which may hold anything, comes the third field.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
