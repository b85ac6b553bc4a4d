/**
 * What runner and thread say to each other, and the thread's side of it. Jobs and outcomes are plain data
 * and cross as they are; errors lose their class on the way, so they cross as what they were.
 */
import type { MessagePort } from 'node:worker_threads'
import { InvariantError, UsageError } from '../../core/errors.ts'
import type { MlsEngine, MlsJob, MlsOutcome } from '../../core/mls/engine.ts'

/** An exception: the caller's mistake or ours, never a peer's. */
export interface Fault {
  readonly usage: boolean
  readonly message: string
}

export type Answer =
  /** The thread has loaded all it needs and takes jobs. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'outcome'; readonly outcome: MlsOutcome }
  | { readonly kind: 'fault'; readonly fault: Fault }

/** Answers each job that comes through the port, then says that it is ready. */
export function serve(port: MessagePort, engine: MlsEngine): void {
  const say = (answer: Answer): void => port.postMessage(answer)
  port.on('message', (job: MlsJob) => {
    void answerTo(engine, job).then(say)
  })
  say({ kind: 'ready' })
}

/** Never rejects. */
export async function answerTo(engine: MlsEngine, job: MlsJob): Promise<Exclude<Answer, { kind: 'ready' }>> {
  try {
    return { kind: 'outcome', outcome: await engine.run(job) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { kind: 'fault', fault: { usage: error instanceof UsageError, message } }
  }
}

export function errorOf({ usage, message }: Fault): Error {
  return usage ? new UsageError(message) : new InvariantError(message)
}
