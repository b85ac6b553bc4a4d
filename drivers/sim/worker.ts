/**
 * The thread that simulates: takes one job after another, whole seeds, and answers each with progress
 * and then its report or what went wrong.
 */
import { parentPort } from 'node:worker_threads'
import type { Progress, RunReport } from '../../sim/index.ts'
import { type Failure, failureOf } from './failure.ts'
import { type Job, runJob } from './job.ts'

export type WorkerAnswer =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'report'; readonly report: RunReport }
  | { readonly kind: 'failure'; readonly failure: Failure }

parentPort?.on('message', (job: Job) => {
  const answer = (one: WorkerAnswer): void => parentPort?.postMessage(one)
  try {
    answer({ kind: 'report', report: runJob(job, (progress) => answer({ kind: 'progress', progress })) })
  } catch (error) {
    answer({ kind: 'failure', failure: failureOf(error) })
  }
})
