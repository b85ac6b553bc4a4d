/**
 * One half of a verification: a process of its own that runs a scenario and answers with its digests, or
 * with readable lines of one window of effects.
 */
import type { Progress } from '../../sim/index.ts'
import { type Failure, failureOf } from './failure.ts'
import { advance, createRun, type Job } from './job.ts'

export interface VerifyOrder {
  /** Process that asks: who is orphaned, even while it starts, has another parent. */
  readonly parent: number
  readonly job: Job
  /** Cut short here; undefined: to the end. */
  readonly untilSeconds: number | undefined
  /** Lines of these effects are wanted, not digests. */
  readonly record: { readonly from: number; readonly to: number } | undefined
}

/** What a run was, as far as two runs can be compared. */
export interface Fingerprint {
  readonly digest: string
  /** That the digest is made of. */
  readonly effects: number
  /** A word of the digest after each whole chunk of effects. */
  readonly digests: readonly number[]
}

export type VerifyAnswer =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'fingerprint'; readonly fingerprint: Fingerprint }
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'failure'; readonly failure: Failure }

function obey({ parent, job, untilSeconds, record }: VerifyOrder): VerifyAnswer {
  const run = createRun(job, (progress) => {
    // The end of the channel is an event, and no event is heard while this simulates.
    if (process.ppid !== parent) process.exit()
    answer({ kind: 'progress', progress })
  })
  if (record !== undefined) return { kind: 'lines', lines: run.record(record.from, record.to) }
  const until = untilSeconds ?? Number.POSITIVE_INFINITY
  if (untilSeconds !== undefined) advance(run, until)
  else while (!run.done) advance(run, until)
  return {
    kind: 'fingerprint',
    fingerprint: { digest: run.digest, effects: run.effects, digests: run.digests },
  }
}

function answer(one: VerifyAnswer): void {
  process.send?.(one)
}

process.once('message', (order: VerifyOrder) => {
  let last: VerifyAnswer
  try {
    last = obey(order)
  } catch (error) {
    last = { kind: 'failure', failure: failureOf(error) }
  }
  answer(last)
  // Closed from this end once the answer is out; then nothing keeps the process.
  process.disconnect?.()
})
