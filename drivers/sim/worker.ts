/**
 * The thread that simulates: takes one job after another, whole seeds, and answers each with progress
 * and then its report or what went wrong.
 */
import { parentPort } from 'node:worker_threads'
import { UsageError } from '../../core/errors.ts'
import type { Progress, RunReport } from '../../sim/index.ts'
import { type Job, runJob } from './job.ts'

/** Something went wrong in another thread or process; errors themselves lose their class on the way. */
export interface Failure {
  /** The user's mistake, not ours. */
  readonly usage: boolean
  readonly message: string
  readonly stack: string
}

export type WorkerAnswer =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'report'; readonly report: RunReport }
  | { readonly kind: 'failure'; readonly failure: Failure }

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { usage: false, message: String(error), stack: '' }
  return { usage: error instanceof UsageError, message: error.message, stack: error.stack ?? '' }
}

parentPort?.on('message', (job: Job) => {
  const answer = (one: WorkerAnswer): void => parentPort?.postMessage(one)
  try {
    answer({ kind: 'report', report: runJob(job, (progress) => answer({ kind: 'progress', progress })) })
  } catch (error) {
    answer({ kind: 'failure', failure: failureOf(error) })
  }
})
