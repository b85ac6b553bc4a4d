/** Captures as files: made by a node's owner or by tcpdump, read by tshark, and searched for secrets. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MAIN } from './cli.ts'
import type { RealNode } from './real-node.ts'
import { REPOSITORY } from './requirements.ts'

const DISSECTOR = join(REPOSITORY, 'drivers/node/peertap.lua')
/** `ip netns exec` and tshark take a while on a machine that does much else. */
const TSHARK_MILLIS = 60_000

/** One that runs; what it has when it is stopped is its file. */
export class RunningCapture {
  readonly file: string
  readonly #child: ChildProcess

  constructor(file: string, child: ChildProcess) {
    this.file = file
    this.#child = child
  }

  /** Interrupts it as a user does; all bytes of its file. */
  async stop(): Promise<Buffer> {
    const end = once(this.#child, 'exit')
    this.#child.kill('SIGINT')
    const [code] = (await end) as [number | null]
    if (code !== 0) throw new Error(`the capture to ${this.file} ended with ${code}`)
    return readFileSync(this.file)
  }
}

/** `peertap capture` at a node, from when it captures. */
export function capture(
  node: RealNode,
  name: string,
  only: 'all' | 'inner' | 'outer',
): Promise<RunningCapture> {
  const file = join(node.folder, name)
  const words = [MAIN, 'capture', '--socket', node.paths.socket, '--write', file, '--only', only]
  return begun(
    node,
    file,
    node.host.spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit'] }),
  )
}

/** tcpdump on all interfaces of a node's host. */
export function dump(node: RealNode, name: string): Promise<RunningCapture> {
  const file = join(node.folder, name)
  const words = ['-i', 'any', '-U', '-s', '0', '-Z', 'root', '-w', file]
  return begun(node, file, node.host.spawn('tcpdump', words, { stdio: 'ignore' }))
}

async function begun(node: RealNode, file: string, child: ChildProcess): Promise<RunningCapture> {
  await node.until(`something is in ${file}`, () => existsSync(file) && statSync(file).size > 0)
  return new RunningCapture(file, child)
}

/** What tshark, with the dissector, prints for a file. Throws if it finds fault with it. */
export function tshark(file: string, ...words: readonly string[]): string {
  const all = ['-X', `lua_script:${DISSECTOR}`, '-r', file, ...words]
  const { status, stdout, stderr, error } = spawnSync('tshark', all, {
    encoding: 'utf8',
    timeout: TSHARK_MILLIS,
    maxBuffer: 256 * 1_024 * 1_024,
  })
  if (error) throw error
  const faults = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Running as user'))
  if (status !== 0 || faults.length > 0) throw new Error(`tshark ${words.join(' ')}: ${status}\n${stderr}`)
  return stdout
}

/** Columns of the packets that a filter lets through. */
export function fields(file: string, filter: string, ...names: readonly string[]): string[][] {
  const lines = tshark(file, '-Y', filter, '-T', 'fields', ...names.flatMap((name) => ['-e', name]))
  // Each line ends; one may be empty.
  return lines
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'))
}

/** Something that only members may know, in each form in which it could show. */
export type Secrets = ReadonlyMap<string, readonly Uint8Array[]>

/** The names of those secrets that are found in the bytes, in any of their forms. */
export function found(secrets: Secrets, bytes: Buffer): string[] {
  return [...secrets].flatMap(([name, forms]) => (forms.some((form) => bytes.includes(form)) ? [name] : []))
}

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1')

/** A MAC with colons: its bytes, and as people and programs write it. */
export function macForms(mac: string): Uint8Array[] {
  const bare = mac.replaceAll(':', '')
  const texts = [mac, mac.replaceAll(':', '-'), bare].flatMap((each) => [
    each.toLowerCase(),
    each.toUpperCase(),
  ])
  return [Buffer.from(bare, 'hex'), ...texts.map(text)]
}

export function hexForms(hex: string): Uint8Array[] {
  return [Buffer.from(hex, 'hex'), text(hex.toLowerCase()), text(hex.toUpperCase())]
}

/** An IP address: its text, and its bytes. */
export function ipForms(address: string, bytes: Uint8Array): Uint8Array[] {
  return [bytes, text(address)]
}

export function textForms(value: string): Uint8Array[] {
  return [text(value), text(Buffer.from(value).toString('hex')), text(Buffer.from(value).toString('base64'))]
}
