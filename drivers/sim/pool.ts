/**
 * Runs seeds on worker threads, whole seeds on each: parallel runs keep every run deterministic, parallel
 * nodes within a run would not. The main thread stays free to show progress.
 */
import { availableParallelism, totalmem } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Progress, RunReport } from '../../sim/index.ts'
import type { Failure } from './failure.ts'
import type { Job } from './job.ts'
import type { WorkerAnswer } from './worker.ts'

export type Outcome =
  | { readonly seed: number; readonly report: RunReport }
  | { readonly seed: number; readonly failure: Failure }

export interface PoolListener {
  progress(seed: number, progress: Progress): void
  finished(outcome: Outcome): void
}

/** What a job can end with. */
type End = Exclude<WorkerAnswer, { kind: 'progress' }>

/** Heaps of all threads together may take this share of the machine's memory. */
const MEMORY_SHARE = 0.75

/**
 * One outcome for each job, in the order of the jobs whatever the number of threads. After a failure all
 * others are given up: the outcomes are then those of the jobs that ended before.
 */
export async function runAll(jobs: readonly Job[], listener: PoolListener): Promise<Outcome[]> {
  const threads = Math.min(jobs.length, availableParallelism())
  const outcomes: Outcome[] = []
  let next = 0
  let giveUp: (nothing: undefined) => void = () => {}
  const givenUp = new Promise<undefined>((resolve) => {
    giveUp = resolve
  })
  const serve = async (): Promise<void> => {
    let thread: Thread | undefined
    while (next < jobs.length) {
      const index = next++
      const job = jobs[index] as Job
      thread ??= new Thread(threads)
      const ran = thread.run(job, (progress) => listener.progress(job.seed, progress))
      const outcome = await Promise.race([givenUp, ran])
      if (outcome === undefined) break
      outcomes[index] = outcome
      listener.finished(outcome)
      if ('failure' in outcome) giveUp(undefined)
    }
    await thread?.stop()
  }
  await Promise.all(Array.from({ length: threads }, serve))
  // Without the holes that given up jobs leave.
  return outcomes.flatMap((outcome) => [outcome])
}

/** Three times V8's own: less is copied that dies soon, a tenth of the time of large runs. */
const YOUNG_MEGABYTES = 192

class Thread {
  readonly #worker: Worker
  /** Who waits for the job under way. */
  #waiting:
    | { readonly onProgress: (progress: Progress) => void; readonly settle: (end: End) => void }
    | undefined

  /** `threads` share the memory. */
  constructor(threads: number) {
    const heapMegabytes = Math.floor((totalmem() * MEMORY_SHARE) / threads / 1_048_576)
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      execArgv: ['--no-warnings'],
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    })
    this.#worker.on('message', (answer: WorkerAnswer) => {
      if (answer.kind === 'progress') this.#waiting?.onProgress(answer.progress)
      else this.#settle(answer)
    })
    this.#worker.on('error', (error) => this.#settle({ kind: 'failure', failure: brokenThread(error) }))
    this.#worker.on('exit', (code) => {
      const message = `the thread of the simulation ended with code ${code}`
      this.#settle({ kind: 'failure', failure: { usage: false, message, stack: '' } })
    })
  }

  run(job: Job, onProgress: (progress: Progress) => void): Promise<Outcome> {
    return new Promise((resolve) => {
      const settle = (end: End): void => {
        const { seed } = job
        resolve(end.kind === 'report' ? { seed, report: end.report } : { seed, failure: end.failure })
      }
      this.#waiting = { onProgress, settle }
      this.#worker.postMessage(job)
    })
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  /** The first end counts; that of a thread that nobody waits for any more is none. */
  #settle(end: End): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.settle(end)
  }
}

function brokenThread(error: unknown): Failure {
  if (!(error instanceof Error)) return { usage: false, message: String(error), stack: '' }
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = 'the simulation ran out of memory; run fewer nodes, or fewer seeds at once'
    return { usage: true, message, stack: '' }
  }
  return { usage: false, message: error.message, stack: error.stack ?? '' }
}
