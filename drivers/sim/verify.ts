/**
 * Proves that a scenario is deterministic, or finds the first effect that differs: two processes run it,
 * their digests are compared chunk by chunk, and the first chunk that differs is recorded and compared
 * line by line.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { CHUNK_EFFECTS, type Progress } from '../../sim/index.ts'
import type { Failure } from './failure.ts'
import type { Job } from './job.ts'
import type { Fingerprint, VerifyAnswer, VerifyOrder } from './verify-child.ts'

export type Verdict =
  /** The digest is made of every effect; those were compared so many. */
  | { readonly same: true; readonly digest: string; readonly effects: number }
  | {
      readonly same: false
      readonly digests: readonly [string, string]
      /** Counted from 0. */
      readonly effect: number
      /** The effect in each run; undefined where a run had none any more. */
      readonly lines: readonly [string | undefined, string | undefined]
      /** What both did just before. */
      readonly before: readonly string[]
    }

/** Carried by a rejection: what went wrong in the other process. */
export class ProcessFailure extends Error {
  override readonly name = 'ProcessFailure'
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

/** The second process lives in another place and time of the world, as other people's machines do. */
const ENVIRONMENTS = [
  { TZ: 'UTC', LC_ALL: 'C' },
  { TZ: 'Pacific/Chatham', LC_ALL: 'tr_TR.UTF-8' },
] as const

/** Lines that both runs share, shown before the first that differs. */
const BEFORE_LINES = 3

/** Both processes may take this share of the memory. */
const MEMORY_SHARE = 0.75

export function verify(
  job: Job,
  untilSeconds: number | undefined,
  onProgress: (progress: Progress) => void,
): Promise<Verdict> {
  return endingWithUs(() => compareTwo(job, untilSeconds, onProgress))
}

async function compareTwo(
  job: Job,
  untilSeconds: number | undefined,
  onProgress: (progress: Progress) => void,
): Promise<Verdict> {
  const order: VerifyOrder = { parent: process.pid, job, untilSeconds, record: undefined }
  const [first, second] = await Promise.all([
    fingerprintOf(order, 0, onProgress),
    // The slower of two like processes is not worth a second line.
    fingerprintOf(order, 1, () => {}),
  ])
  const chunk = firstDifferentChunk(first, second)
  if (chunk === undefined) return { same: true, digest: first.digest, effects: first.effects }
  const from = chunk * CHUNK_EFFECTS
  const again: VerifyOrder = { ...order, record: { from, to: from + CHUNK_EFFECTS } }
  const [a, b] = await Promise.all([linesOf(again, 0), linesOf(again, 1)])
  const line = firstDifferentLine(a, b)
  return {
    same: false,
    digests: [first.digest, second.digest],
    effect: from + line,
    lines: [a[line], b[line]],
    before: a.slice(Math.max(0, line - BEFORE_LINES), line),
  }
}

/** The number of the first chunk of effects in which two runs differ; undefined if they are the same. */
export function firstDifferentChunk(a: Fingerprint, b: Fingerprint): number | undefined {
  if (a.digest === b.digest && a.effects === b.effects) return undefined
  const different = a.digests.findIndex((word, index) => word !== b.digests[index])
  // What is left after the last whole chunk differs, or one run is longer.
  return different < 0 ? a.digests.length : different
}

/** Where two lists of lines part; the length of the shorter if one begins with the other. */
export function firstDifferentLine(a: readonly string[], b: readonly string[]): number {
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index++) if (a[index] !== b[index]) return index
  return shorter
}

async function fingerprintOf(
  order: VerifyOrder,
  place: 0 | 1,
  onProgress: (progress: Progress) => void,
): Promise<Fingerprint> {
  const answer = await ask(order, place, onProgress)
  if (answer.kind === 'fingerprint') return answer.fingerprint
  throw new Error(`a fingerprint was asked for and ${answer.kind} came`)
}

async function linesOf(order: VerifyOrder, place: 0 | 1): Promise<readonly string[]> {
  const answer = await ask(order, place, () => {})
  if (answer.kind === 'lines') return answer.lines
  throw new Error(`lines were asked for and ${answer.kind} came`)
}

/** Signals that end this process, with the code that shells report for each: 128 and its number. */
const ENDING = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Those that simulate now. */
const running = new Set<ChildProcess>()

function endChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** A child that simulates hears nothing, so whoever ends this process has to end it too. */
async function endingWithUs<T>(work: () => Promise<T>): Promise<T> {
  const handlers = Object.entries(ENDING).map(([signal, code]) => {
    const end = (): void => {
      endChildren()
      process.exit(code)
    }
    process.once(signal, end)
    return () => process.off(signal, end)
  })
  try {
    return await work()
  } finally {
    // If one failed, nobody waits for the other.
    endChildren()
    for (const remove of handlers) remove()
  }
}

function ask(
  order: VerifyOrder,
  place: 0 | 1,
  onProgress: (progress: Progress) => void,
): Promise<VerifyAnswer> {
  const heapMegabytes = Math.floor((totalmem() * MEMORY_SHARE) / 2 / 1_048_576)
  const child = fork(fileURLToPath(new URL('./verify-child.ts', import.meta.url)), {
    execArgv: ['--no-warnings', `--max-old-space-size=${heapMegabytes}`],
    env: { ...process.env, ...ENVIRONMENTS[place] },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  running.add(child)
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => reject(new ProcessFailure({ usage: false, message, stack: '' }))
    child.on('message', (answer: VerifyAnswer) => {
      if (answer.kind === 'progress') onProgress(answer.progress)
      else if (answer.kind === 'failure') reject(new ProcessFailure(answer.failure))
      else resolve(answer)
    })
    child.on('error', (error) => fail(error.message))
    // After an answer this changes nothing: the promise is settled.
    child.on('exit', (code, signal) => {
      running.delete(child)
      if (signal === null) fail(`the process of the simulation ended with code ${code}`)
      else reject(new ProcessFailure({ usage: true, message: killed(signal), stack: '' }))
    })
    child.send(order)
  })
}

function killed(signal: string): string {
  const ended = `the process of the simulation was ended from outside with ${signal}`
  // What systems send when memory runs out; other signals are somebody's will.
  if (signal !== 'SIGKILL') return `${ended}; run it again`
  return `${ended}, as systems do when memory runs out; run fewer nodes, or on a machine with more memory`
}
