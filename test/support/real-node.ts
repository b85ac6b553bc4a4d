/**
 * A node as its owner runs it: the program in a namespace, its files in a folder, its control socket. All
 * waits are for conditions, with a deadline and an error that shows what the node logged last. Made by a
 * RealLab (real-lab.ts), which ends it.
 */
import type { ChildProcess } from 'node:child_process'
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { SUITE } from '../../core/mls/engine.ts'
import { ControlClient } from '../../drivers/control/client.ts'
import type { CreateOrder } from '../../drivers/control/enter.ts'
import type { Invited } from '../../drivers/control/invite.ts'
import type { Outcome } from '../../drivers/control/outcome.ts'
import type { MemberRow } from '../../drivers/control/views.ts'
import type { Entered } from '../../drivers/control/vlans.ts'
import type { configSchema } from '../../drivers/node/config-schema.ts'
import type { Pinged } from '../../drivers/node/echoes.ts'
import { makeNode } from '../../drivers/node/make.ts'
import type { NodeStatus } from '../../drivers/node/views.ts'
import { type Ended, MAIN } from './cli.ts'
import type { Namespace } from './namespaces.ts'
import { datagrams } from './requirements.ts'

/** What may be written in a configuration; the version is added. */
export type NodeConfigText = Partial<z.input<typeof configSchema>>

/** A machine with two cores that does much else starts a node in a few seconds. */
const START_MILLIS = 60_000
const STOP_MILLIS = 20_000
const PATIENCE_MILLIS = 30_000
const LOOK_MILLIS = 25
/** Of a log, where something is not as it should be. */
const LOG_LINES = 40

export const TRANSPORT = { quic: 'udp/4001/quic-v1', tcp: 'tcp/4001', ws: 'tcp/4002/ws' } as const
export type Transport = keyof typeof TRANSPORT

const FETCH = `fetch(process.argv[1]).then(async (answer) =>
  console.log(JSON.stringify({ status: answer.status, text: await answer.text() })))`

/** For tests: one address family, and nobody is found by accident. */
const COMMON = {
  version: 1,
  listen: Object.values(TRANSPORT).map((way) => `/ip4/0.0.0.0/${way}`),
  mdns: false,
  datagrams,
} as const

/** As the verb of the program asks by default. */
const ORDER = {
  privacy: 'private',
  mtu: 1_280,
  suite: SUITE.x25519,
  sign: 'group',
  padding: 'small',
} as const

export interface StartOptions {
  /** A program that runs the node, with its arguments: `setpriv --bounding-set -net_admin`. */
  readonly under?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The script of the program; by default the one behind the launcher. */
  readonly script?: string
}

export interface NodeFiles {
  readonly config: string
  readonly state: string
  readonly socket: string
}

export class RealNode {
  readonly name: string
  readonly host: Namespace
  readonly folder: string
  readonly #paths: NodeFiles
  readonly #logFile: string
  #config: NodeConfigText = {}
  #child: ChildProcess | undefined
  #peer = ''
  #key = ''

  constructor(name: string, host: Namespace, folder: string) {
    this.name = name
    this.host = host
    this.folder = folder
    mkdirSync(folder, { recursive: true })
    this.#paths = {
      config: join(folder, 'config.json'),
      state: join(folder, 'state'),
      socket: join(folder, 'socket'),
    }
    this.#logFile = join(folder, 'log')
    appendFileSync(this.#logFile, '')
  }

  get paths(): NodeFiles {
    return this.#paths
  }

  /** As libp2p writes it: what stands behind `/p2p/`. */
  get peer(): string {
    return this.#peer
  }

  /** The node's key in hex, as `links` of a status name their peers. */
  get key(): string {
    return this.#key
  }

  get config(): NodeConfigText {
    return this.#config
  }

  get isUp(): boolean {
    return this.#child !== undefined
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.name} does not run`)
    return pid
  }

  /** A key, a state and a configuration, which is written anew if it is there. */
  init(config: NodeConfigText = {}): this {
    const { peer, key } = makeNode(this.#paths, false)
    this.#peer = peer
    this.#key = key
    return this.configure(config)
  }

  /** Changes some of the configuration's keys. A running node reads it when it is told to. */
  configure(changes: NodeConfigText): this {
    this.#config = { ...this.#config, ...changes }
    writeFileSync(this.#paths.config, JSON.stringify({ ...COMMON, ...this.#config }))
    return this
  }

  /** What others write into `bootstrap` to find this node at an address of its host. */
  contact(address: string, transport: Transport = 'quic'): string {
    return `/${address.includes(':') ? 'ip6' : 'ip4'}/${address}/${TRANSPORT[transport]}/p2p/${this.#peer}`
  }

  // Its process.

  /** Starts it, until it answers. Throws with its log if it ends before. */
  async up(options: StartOptions = {}): Promise<this> {
    const child = this.start(options)
    await this.until(
      'it answers',
      async () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`${this.name} ended with ${child.exitCode ?? child.signalCode}\n${this.log()}`)
        return (await this.tryStatus()) !== undefined
      },
      START_MILLIS,
    )
    return this
  }

  /** Starts it and waits for nothing. */
  start({ under = [], env = {}, script = MAIN }: StartOptions = {}): ChildProcess {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already`)
    const log = openSync(this.#logFile, 'a')
    const child = this.host.spawn('env', [...under, process.execPath, script, 'up'], {
      env: { ...this.#environment(), ...env },
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    return child
  }

  /** Stops it in good order; its exit code. */
  async down(): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return null
    const code = exitOf(child)
    await this.client().post('/v1/stop', {})
    return within(code, STOP_MILLIS, () => this.trouble(`it has not stopped in ${STOP_MILLIS} ms`))
  }

  /** Ends it as a failing power supply does, until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const code = exitOf(child)
    // `ip netns exec` becomes the program itself.
    child.kill('SIGKILL')
    await code
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  // What it says.

  client(): ControlClient {
    return new ControlClient(this.#paths.socket)
  }

  async status(): Promise<NodeStatus> {
    return (await this.client().get('/v1/status')) as NodeStatus
  }

  /** Undefined while it does not answer. */
  async tryStatus(): Promise<NodeStatus | undefined> {
    try {
      return await this.status()
    } catch {
      return undefined
    }
  }

  /** Runs the program at this node's host and files, to its end. */
  cli(...words: readonly string[]): Promise<Ended> {
    return this.run([process.execPath, MAIN, ...words])
  }

  /** Runs any program at this node's host, in its folder, to its end. */
  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const [program, ...words] = command as [string, ...string[]]
    const child = this.host.spawn(program, words, {
      cwd: this.folder,
      env: { ...this.#environment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const texts = { out: '', err: '' }
    child.stdout?.setEncoding('utf8').on('data', (part: string) => (texts.out += part))
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (texts.err += part))
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MILLIS)
    const code = await new Promise<number | null>((done) => child.once('close', done))
    clearTimeout(timer)
    return { code, ...texts }
  }

  /** What comes from a URL at this node's host. */
  async fetch(url: string): Promise<{ readonly status: number; readonly text: string }> {
    const { out, err } = await this.run([process.execPath, '-e', FETCH, url])
    if (out === '') throw this.trouble(`${url} cannot be had: ${err}`)
    return JSON.parse(out) as { status: number; text: string }
  }

  /** An outcome of a verb's; throws where it is refused. */
  async ask<T extends object>(verb: string, ...args: readonly unknown[]): Promise<T> {
    const outcome = (await this.client().ask(verb, args)) as Outcome<T>
    if (outcome.ok) return outcome.value
    throw this.trouble(`${verb} was refused: ${outcome.message}`)
  }

  /** What it and its predecessors on these files logged. */
  log(lines = LOG_LINES): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** An error that shows the log. */
  trouble(message: string): Error {
    return new Error(`${this.name}: ${message}\nIts log:\n${this.log()}`)
  }

  // Its VLANs.

  create(label: string, order: Partial<CreateOrder> = {}): Promise<Entered> {
    return this.ask('create', { ...ORDER, label, ...order })
  }

  async invite(vlan: string, count = 1): Promise<readonly [string, ...string[]]> {
    const made = await this.ask<Invited>('invite', vlan, { count, lifeMillis: 86_400_000 })
    return made.invitations.map(({ url }) => url) as [string, ...string[]]
  }

  join(url: string): Promise<Entered> {
    return this.ask('join', url)
  }

  async members(vlan: string): Promise<readonly MemberRow[]> {
    return (await this.ask<{ members: readonly MemberRow[] }>('members', vlan)).members
  }

  /** Its own member key in a VLAN. */
  async memberKey(vlan: string): Promise<string> {
    return (await this.ask<{ member: string }>('show', vlan)).member
  }

  /** Echoes to a member below IP; how many came back. */
  async echoes(vlan: string, member: string, count = 3): Promise<number> {
    const order = { to: member, vlan, count, bytes: 64, intervalMillis: 50 }
    const outcome = (await this.client().ask('ping', [order])) as Outcome<Pinged>
    return outcome.ok ? outcome.value.millis.filter((each) => each !== null).length : 0
  }

  // Waiting.

  /** Asks until it is so; throws with the log when it has not become so in time. Returns the milliseconds. */
  async until(what: string, holds: () => unknown, patience = PATIENCE_MILLIS): Promise<number> {
    const began = performance.now()
    while (!(await holds())) {
      if (performance.now() - began > patience) throw this.trouble(`not so after ${patience} ms: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLIS))
    }
    return performance.now() - began
  }

  /** Asks until its status is so. */
  untilStatus(what: string, holds: (status: NodeStatus) => boolean, patience?: number): Promise<number> {
    const look = async (): Promise<boolean> => {
      const status = await this.tryStatus()
      return status !== undefined && holds(status)
    }
    return this.until(what, look, patience)
  }

  /** Until the other is its neighbour in the mesh. */
  untilNeighbour(other: RealNode, patience?: number): Promise<number> {
    const isThere = ({ links }: NodeStatus): boolean =>
      links.some(({ peer, neighbour }) => neighbour && peer === other.key)
    return this.untilStatus(`${other.name} is a neighbour`, isThere, patience)
  }

  #environment(): NodeJS.ProcessEnv {
    const { config, state, socket } = this.#paths
    return { ...process.env, PEERTAP_CONFIG: config, PEERTAP_STATE: state, PEERTAP_SOCKET: socket }
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((done) => child.once('exit', done))
}

function within<T>(wanted: Promise<T>, millis: number, trouble: () => Error): Promise<T> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(trouble()), millis)
    void wanted.then((value) => {
      clearTimeout(timer)
      done(value)
    })
  })
}
