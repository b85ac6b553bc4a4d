/**
 * `peertap sim shell`: somebody sits at the machines of a simulated mesh and tells them what to do, line by
 * line, from a terminal, a pipe or a file.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { Readable } from 'node:stream'
import { UsageError } from '../../core/errors.ts'
import { SECOND } from '../../core/io.ts'
import type { Live } from '../../sim/index.ts'
import { failureOf } from '../sim/failure.ts'
import { createLive } from '../sim/job.ts'
import { EXIT, type ExitCode, errorOf } from './exit.ts'
import type { Given, Verb } from './flags.ts'
import { quoted } from './repeat.ts'
import { type Performed, Session, type Spoken } from './shell/session.ts'
import { type Request, readRequest, SCENARIO_ARGUMENT, SCENARIO_FLAGS, seedOf } from './sim-request.ts'

export const simShell: Verb = {
  words: ['sim', 'shell'],
  describe: 'Sit at the machines of a simulated mesh: VLANs, invitations, evictions, faults',
  arguments: [SCENARIO_ARGUMENT],
  flags: {
    ...SCENARIO_FLAGS,
    json: { kind: 'switch', describe: 'Print one JSON object for each answer and nothing else' },
    script: { kind: 'text', describe: 'Read the lines from this file (default: from standard input)' },
  },
  examples: [
    ['peertap sim shell steady-16', 'line by line; "help" lists the commands'],
    ['peertap sim shell steady-16 --script demo.txt', 'a script; stops at the first refused line'],
  ],
  run,
}

/** Where lines come from. */
interface Source {
  readonly name: string
  readonly lines: Interface
  readonly isTerminal: boolean
}

async function run(given: Given): Promise<ExitCode> {
  const seed = seedOf(given)
  const request = readRequest(given, 'sim shell')
  const { scenario, directory, dither } = request
  const source = openSource(given.text('script'))
  const live = createLive({ scenario, seed, dataDirectory: directory, dither })
  const voice = given.on('json') ? jsonVoice : humanVoice
  const session = new Session(live, voice)
  const isEchoed = !given.on('json') && !source.isTerminal
  let performed: Performed = 'done'
  try {
    performed = await converse(session, live, source, isEchoed)
  } catch (error) {
    throw error instanceof UsageError ? error : errorOf(failureOf(error), repeatLine(request, seed, given))
  } finally {
    source.lines.close()
  }
  sayEnd(request, seed, live, given)
  return performed === 'failed' || session.isBroken ? EXIT.failed : EXIT.ok
}

/** To the end of the lines, or in a script to the first that fails. */
async function converse(session: Session, live: Live, source: Source, isEchoed: boolean): Promise<Performed> {
  const { name, lines, isTerminal } = source
  let number = 0
  const place = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      throw new UsageError(`${name}: line ${number}: ${error.message}`)
    }
  }
  const ask = (): void => {
    if (!isTerminal) return
    lines.setPrompt(`${clock(live.now)}> `)
    lines.prompt()
  }
  ask()
  for await (const text of lines) {
    number += 1
    if (isEchoed && /^\s*[^#\s]/.test(text)) console.log(`${clock(live.now)}> ${text.trim()}`)
    let performed: Performed
    try {
      performed = place(() => session.perform(number, text))
    } catch (error) {
      if (!isTerminal || !(error instanceof UsageError)) throw error
      console.error(error.message)
      performed = 'done'
    }
    if (performed === 'quit') return 'done'
    if (performed === 'failed' && !isTerminal) return 'failed'
    ask()
  }
  return isTerminal ? 'done' : place(() => session.finish())
}

function openSource(script: string | undefined): Source {
  const isTerminal = script === undefined && process.stdin.isTTY === true
  const input: Readable = script === undefined ? process.stdin : openScript(script)
  const lines = createInterface({ input, ...(isTerminal ? { output: process.stdout } : {}) })
  return { name: script ?? (isTerminal ? 'shell' : 'standard input'), lines, isTerminal }
}

function openScript(path: string): Readable {
  try {
    return Readable.from([readFileSync(path, 'utf8')])
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const known: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'this is a directory' }
    const what = known[code] ?? `it cannot be read (${code})`
    throw new UsageError(
      `--script ${path}: ${what}; it must be a text file, a command a line; ` +
        'name one, or leave out --script and type the lines',
    )
  }
}

function humanVoice({ kind, at, to, lines }: Spoken): void {
  if (to !== undefined) console.log(`${clock(at)}  ${to}`)
  for (const line of lines) console.log(kind === 'answer' ? `  ${line}` : `${clock(at)}  ${line}`)
}

function jsonVoice({ kind, at, value }: Spoken): void {
  console.log(JSON.stringify({ kind, atSeconds: at / SECOND, ...value }))
}

function repeatLine({ repeat }: Request, seed: number, given: Given): string {
  const script = given.text('script')
  if (script === undefined) return `${repeat(seed)} < LINES`
  return `${repeat(seed)} --script ${quoted(resolve(script))}`
}

function sayEnd(request: Request, seed: number, live: Live, given: Given): void {
  const { source } = request
  const seconds = live.now / SECOND
  const { digest, violations } = live
  if (given.on('json')) {
    const end = {
      kind: 'end',
      atSeconds: seconds,
      scenario: source,
      seed,
      digest,
      violations: violations.length,
      repeat: repeatLine(request, seed, given),
    }
    console.log(JSON.stringify(end))
    return
  }
  console.log(`digest  ${digest}, after ${seconds.toFixed(2)} simulated s`)
  console.log(`repeat  ${repeatLine(request, seed, given)}`)
}

function clock(at: number): string {
  return `${(at / SECOND).toFixed(2)} s`.padStart(10)
}
