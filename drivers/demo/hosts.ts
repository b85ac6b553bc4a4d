/**
 * Hosts for the demonstration: network namespaces with a running node in each, joined by virtual cables. All
 * of it has names of this process and goes with `close`; what a killed demonstration left behind goes with
 * the next one. Knows `ip` and processes, and nothing of what is shown.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../../core/errors.ts'
import { ControlClient } from '../control/client.ts'
import { makeNode } from '../node/make.ts'

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
const PREFIX = 'peertap-demo-'
const OURS = new RegExp(`^${PREFIX}(\\d+)-`)
/** A node takes leave of its neighbours first. */
const LEAVE_MILLIS = 5_000
/** Until a node answers, on a busy machine. */
const START_MILLIS = 120_000
const LOOK_MILLIS = 50

/** How a command ended; the code is null if a signal ended it. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export class Hosts {
  readonly #folder: string
  readonly #names: string[] = []
  readonly #children = new Set<ChildProcess>()
  #closing: Promise<void> | undefined

  /** A UsageError where no hosts can be made. */
  constructor() {
    if (process.platform !== 'linux')
      throw new UsageError('the demo needs network namespaces: run it on Linux')
    if (process.geteuid?.() !== 0)
      throw new UsageError('the demo makes network namespaces, which takes root; write sudo npm run demo')
    if (!existsSync('/dev/net/tun'))
      throw new UsageError('/dev/net/tun is not there; load the driver with modprobe tun')
    sweep()
    this.#folder = mkdtempSync(join(tmpdir(), PREFIX))
  }

  /** A host with nothing but a loopback interface. It forwards nothing. */
  host(label: string): DemoHost {
    const name = `${PREFIX}${process.pid}-${label}`
    ip('netns', 'add', name)
    this.#names.push(name)
    ip('-n', name, 'link', 'set', 'lo', 'up')
    const folder = join(this.#folder, label)
    mkdirSync(folder)
    return new DemoHost(label, name, folder, (words, env) => this.#start(words, env))
  }

  /** A cable between two hosts, with an address at each end. */
  cable(left: DemoHost, leftAddress: string, right: DemoHost, rightAddress: string): void {
    const [leftName, rightName] = [`to-${right.label}`, `to-${left.label}`]
    ip('link', 'add', leftName, 'netns', left.name, 'type', 'veth', 'peer', rightName, 'netns', right.name)
    for (const [host, name, address] of [
      [left, leftName, leftAddress],
      [right, rightName, rightAddress],
    ] as const) {
      ip('-n', host.name, 'addr', 'add', address, 'dev', name)
      ip('-n', host.name, 'link', 'set', name, 'up')
    }
  }

  /** Ends everything and leaves nothing behind. Twice does no harm. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const running = [...this.#children]
    for (const child of running) child.kill('SIGTERM')
    await within(LEAVE_MILLIS, Promise.all(running.map(ended)))
    for (const child of this.#children) child.kill('SIGKILL')
    await Promise.all([...this.#children].map(ended))
    for (const name of this.#names.splice(0)) spawnSync('ip', ['netns', 'del', name])
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #start(words: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    if (this.#closing !== undefined) throw new Error('the demo is over')
    const child = spawn('ip', words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }
}

export class DemoHost {
  readonly label: string
  /** Of its network namespace. */
  readonly name: string
  readonly client: ControlClient
  readonly #folder: string
  readonly #start: (words: readonly string[], env: NodeJS.ProcessEnv) => ChildProcess

  constructor(
    label: string,
    name: string,
    folder: string,
    start: (words: readonly string[], env: NodeJS.ProcessEnv) => ChildProcess,
  ) {
    this.label = label
    this.name = name
    this.#folder = folder
    this.#start = start
    this.client = new ControlClient(join(folder, 'socket'))
  }

  /** The program `peertap`, to its end. */
  peertap(...words: readonly string[]): Promise<Ended> {
    return this.run(process.execPath, MAIN, ...words)
  }

  /** Any program, to its end. */
  run(...words: readonly string[]): Promise<Ended> {
    return outcomeOf(this.#spawn(words))
  }

  /** What `peertap init` does; its peer id. */
  init(relay: boolean): string {
    const [config, state] = ['config.json', 'state'].map((name) => join(this.#folder, name)) as [
      string,
      string,
    ]
    return makeNode({ config, state }, relay).peer
  }

  /** Writes over what `init` wrote. */
  configure(changes: object): void {
    const file = join(this.#folder, 'config.json')
    const config = JSON.parse(readFileSync(file, 'utf8')) as object
    writeFileSync(file, JSON.stringify({ ...config, ...changes }))
  }

  /** `peertap up`, until the node answers. */
  async up(): Promise<void> {
    const child = this.#spawn([process.execPath, MAIN, 'up'])
    const outcome = outcomeOf(child)
    const giveUpAt = Date.now() + START_MILLIS
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the node of ${this.label} ended: ${(await outcome).err}`)
      const isUp = await this.client.get('/v1/status').then(
        () => true,
        () => false,
      )
      if (isUp) return
      if (Date.now() > giveUpAt) throw new Error(`the node of ${this.label} does not answer`)
      await pause(LOOK_MILLIS)
    }
  }

  #spawn(words: readonly string[]): ChildProcess {
    const places = {
      PEERTAP_CONFIG: join(this.#folder, 'config.json'),
      PEERTAP_STATE: join(this.#folder, 'state'),
      PEERTAP_SOCKET: join(this.#folder, 'socket'),
    }
    return this.#start(['netns', 'exec', this.name, ...words], { ...process.env, ...places })
  }
}

export function pause(millis: number): Promise<void> {
  return new Promise((done) => setTimeout(done, millis))
}

function outcomeOf(child: ChildProcess): Promise<Ended> {
  const [out, err]: [string[], string[]] = [[], []]
  child.stdout?.setEncoding('utf8').on('data', (part: string) => out.push(part))
  child.stderr?.setEncoding('utf8').on('data', (part: string) => err.push(part))
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', (code) => done({ code, out: out.join(''), err: err.join('') }))
  })
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done()
    else child.once('exit', () => done())
  })
}

/** Not longer than that. */
async function within(millis: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([
    work,
    new Promise((done) => {
      timer = setTimeout(done, millis)
    }),
  ])
  clearTimeout(timer)
}

function ip(...words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ip', words, { encoding: 'utf8' })
  if (error !== undefined) throw new UsageError('the program ip is not there; install iproute2')
  if (status !== 0)
    throw new UsageError(`ip ${words.join(' ')}: ${stderr.trim()}; the demo needs this to work`)
  return stdout
}

/** A demonstration that was killed leaves its namespaces behind. */
function sweep(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const name = line.split(' ')[0] as string
    const owner = OURS.exec(name)?.[1]
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) spawnSync('ip', ['netns', 'del', name])
  }
}
