/**
 * The program as a child process: a folder with small scenarios to call it in, and simulations of another
 * make, since faults of our own cannot be had otherwise.
 */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { format } from 'node:util'
import { perform } from '../../drivers/cli/perform.ts'
import { REPOSITORY } from './requirements.ts'

export const MAIN = join(REPOSITORY, 'drivers/cli/main.ts')

const SMALL = {
  version: 1,
  name: 'small',
  question: 'Does the program do what it says?',
  seconds: 30,
  warmupSeconds: 10,
  healSeconds: 5,
  nodes: { count: 6, joinSeconds: 1 },
  vlans: [{ count: 1, members: 4 }],
  traffic: [{ kind: 'unicast', perMemberPerSecond: 1 }],
  bounds: { delivery: { min: 0.99 } },
}

/** No call takes that long; the code of one that is ended for it is null. */
const HANG_MILLIS = 60_000

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

type Environment = Readonly<Record<string, string>>

/** A directory of its own, where the program is called; to be removed at the end. */
export class CliFolder {
  readonly folder = mkdtempSync(join(tmpdir(), 'peertap-cli-'))

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Writes a small scenario with some of its parts changed and returns its path. */
  scenario(name: string, changes: object = {}): string {
    return this.file(name, JSON.stringify({ ...SMALL, ...changes }))
  }

  file(name: string, text: string | Uint8Array): string {
    const path = join(this.folder, name)
    writeFileSync(path, text)
    return path
  }

  /**
   * The program without a process of its own, which takes most of the time of a short call: for what follows
   * from words and files alone. One at a time.
   */
  async perform(words: readonly string[], env: Environment = {}): Promise<Ended> {
    const stopListening = listen()
    const cwd = process.cwd()
    const before = Object.keys(env).map((name) => [name, process.env[name]] as const)
    process.chdir(this.folder)
    Object.assign(process.env, env)
    try {
      const code = await perform(words)
      return { code, ...stopListening() }
    } finally {
      stopListening()
      process.chdir(cwd)
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  }

  call(words: readonly string[], env: Environment = {}): Ended {
    return ended(
      spawnSync(process.execPath, [MAIN, ...words], {
        encoding: 'utf8',
        cwd: this.folder,
        env: { ...process.env, ...env },
        timeout: HANG_MILLIS,
      }),
    )
  }

  /** In a shell, where `peertap` is the program: for what redirections and pipes do to it. */
  shell(command: string): Ended {
    const program = `peertap() { "${process.execPath}" "${MAIN}" "$@"; }`
    const options = { encoding: 'utf8', cwd: this.folder, timeout: HANG_MILLIS } as const
    return ended(spawnSync('sh', ['-c', `${program}; ${command}`], options))
  }

  /** Begins a call and does not wait; `input`: to write to its standard input. */
  start(words: readonly string[], env: Environment = {}, input = false): ChildProcess {
    return spawn(process.execPath, [MAIN, ...words], {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    })
  }
}

/** Takes what this process says from now on, until it is asked for. */
function listen(): () => { readonly out: string; readonly err: string } {
  const said = { out: '', err: '' }
  const { log, error } = console
  const { stdout, stderr } = process
  const writes = [stdout.write, stderr.write] as const
  const into = (stream: keyof typeof said) => (chunk: unknown) => {
    said[stream] += chunk instanceof Uint8Array ? Buffer.from(chunk).toString('utf8') : String(chunk)
    return true
  }
  console.log = (...parts: readonly unknown[]) => into('out')(`${format(...parts)}\n`)
  console.error = (...parts: readonly unknown[]) => into('err')(`${format(...parts)}\n`)
  stdout.write = into('out')
  stderr.write = into('err')
  return () => {
    Object.assign(console, { log, error })
    ;[stdout.write, stderr.write] = writes
    return said
  }
}

function ended({ status, stdout, stderr }: SpawnSyncReturns<string>): Ended {
  return { code: status, out: stdout, err: stderr }
}

/** Environment in which `source` stands for the module of the simulation. */
export function withSimulation(source: string): Record<string, string> {
  const hook = `import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => url.endsWith('/sim/run.ts')
      ? { format: 'module', shortCircuit: true, source: ${JSON.stringify(source)} } : next(url, context) })`
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(hook)}` }
}
