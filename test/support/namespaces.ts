/**
 * Network namespaces for system tests: hosts with interfaces of their own on this machine, wired by veth
 * pairs and bridges. Root only; ask `requires.namespaces()` first. Everything has names of this process,
 * and goes with `close`, with the end of the process, and at the latest with the next Lab of a process that
 * finds the namespaces of a dead one.
 *
 *   beforeAll(() => { lab = new Lab(); alice = lab.namespace('alice') })
 *   afterAll(() => lab.close())
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Koffi } from '../../drivers/linux/libc.ts'

/** The program of iproute2. */
const IP = 'ip'
/** A command in a namespace takes milliseconds; one that takes this long hangs. */
const HANG_MILLIS = 30_000
/** linux/sched.h */
const CLONE_NEWNET = 0x4000_0000
/** Where iproute2 keeps them. */
const FOLDER = '/run/netns'
const OURS = /^peertap-(\d+)-\d+-/

let labs = 0

export class Lab {
  readonly #number = labs++
  readonly #namespaces: Namespace[] = []
  readonly #children = new Set<ChildProcess>()
  readonly #atExit = () => this.close()

  constructor() {
    sweep()
    process.on('exit', this.#atExit)
  }

  /** A host with nothing but a loopback interface, which is up. */
  namespace(label: string): Namespace {
    const name = `peertap-${process.pid}-${this.#number}-${label}`
    ip('netns', 'add', name)
    const namespace = new Namespace(name, this.#children)
    this.#namespaces.push(namespace)
    namespace.ip('link', 'set', 'lo', 'up')
    return namespace
  }

  /** A cable between two hosts; both ends are up and have no address. Names have at most 15 bytes. */
  veth(left: Namespace, leftName: string, right: Namespace, rightName: string): void {
    left.ip('link', 'add', 'name', leftName, 'type', 'veth', 'peer', 'name', rightName, 'netns', right.name)
    left.ip('link', 'set', 'dev', leftName, 'up')
    right.ip('link', 'set', 'dev', rightName, 'up')
  }

  /** Starts a command in the network of this process; it ends with the Lab at the latest. */
  spawn(program: string, words: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return start(this.#children, program, words, options)
  }

  /** Ends what was started in the namespaces, and removes them; twice does no harm. */
  close(): void {
    process.off('exit', this.#atExit)
    for (const child of this.#children) child.kill('SIGKILL')
    this.#children.clear()
    for (const { name } of this.#namespaces.splice(0)) spawnSync(IP, ['netns', 'del', name])
  }
}

export class Namespace {
  readonly name: string
  readonly #children: Set<ChildProcess>

  constructor(name: string, children: Set<ChildProcess>) {
    this.name = name
    this.#children = children
  }

  /** Runs the program `ip` here; throws with what it says if it fails. */
  ip(...words: readonly string[]): string {
    return ip('-n', this.name, ...words)
  }

  /** What `ip -j` says of the words. */
  list<T>(...words: readonly string[]): readonly T[] {
    // It says nothing at all where there is nothing.
    return JSON.parse(this.ip('-j', ...words) || '[]') as readonly T[]
  }

  /** What `ip -j addr` says of one interface; undefined if there is none of that name. */
  link(name: string): Link | undefined {
    return this.list<Link>('addr').find((link) => link.ifname === name)
  }

  /** A switch that joins interfaces of this host. It is up. */
  bridge(name: string, ports: readonly string[]): void {
    this.ip('link', 'add', 'name', name, 'type', 'bridge')
    for (const port of ports) this.ip('link', 'set', 'dev', port, 'master', name)
    this.ip('link', 'set', 'dev', name, 'up')
  }

  /** Runs a command here to its end and returns its standard output; throws if it fails. */
  run(program: string, ...words: readonly string[]): string {
    return ip('netns', 'exec', this.name, program, ...words)
  }

  /** Starts a command here; it ends with the Lab at the latest. */
  spawn(program: string, words: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return start(this.#children, IP, ['netns', 'exec', this.name, program, ...words], options)
  }

  /**
   * Calls a function here, in this process: sockets and interfaces that it opens are of this host, and stay
   * so. It must not wait: the whole thread is here meanwhile.
   */
  inside<T>(call: () => T): T {
    return inNamespace(this.name, call)
  }
}

/** The part of `ip -j addr` that tests look at. */
export interface Link {
  readonly ifname: string
  readonly flags: readonly string[]
  readonly mtu: number
  readonly operstate: string
  /** With colons. */
  readonly address: string
  readonly addr_info: readonly {
    readonly family: 'inet' | 'inet6'
    readonly local: string
    readonly prefixlen: number
    readonly scope: string
    readonly broadcast?: string
    readonly tentative?: boolean
  }[]
}

/** `Namespace.inside` for a namespace of another process, by its name. setns(2). */
export function inNamespace<T>(name: string, call: () => T): T {
  const own = openSync('/proc/thread-self/ns/net', 'r')
  const other = openSync(`${FOLDER}/${name}`, 'r')
  try {
    enter(other)
    try {
      return call()
    } finally {
      enter(own)
    }
  } finally {
    closeSync(own)
    closeSync(other)
  }
}

function start(
  children: Set<ChildProcess>,
  program: string,
  words: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const child = spawn(program, words, options)
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

let setns: ((fd: number, kind: number) => number) | undefined

function enter(fd: number): void {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  setns ??= koffi.load(null).func('setns', 'int', ['int', 'int']) as (fd: number, kind: number) => number
  if (setns(fd, CLONE_NEWNET) !== 0) throw new Error(`setns failed with errno ${koffi.errno()}`)
}

function ip(...words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(IP, words, { encoding: 'utf8', timeout: HANG_MILLIS })
  if (error) throw error
  if (status !== 0) throw new Error(`ip ${words.join(' ')} ended with ${status}: ${stderr}${stdout}`)
  return stdout
}

/** A process that was killed leaves its namespaces behind. */
function sweep(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const name = line.split(' ')[0] as string
    const owner = OURS.exec(name)?.[1]
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) spawnSync(IP, ['netns', 'del', name])
  }
}
