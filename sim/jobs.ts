/**
 * The slow work of simulated machines: each has one thread for it, as a real node has (drivers/mls), so jobs
 * of a machine are done one after the other, in the order in which they were started. The work is done by
 * the stand-in engine when it is started and comes back when the real one would have been ready
 * (sim/mls/cost.ts); a machine that crashes meanwhile loses its states and never hears of it.
 */
import type { Crypto } from '../core/crypto/ports.ts'
import type { JobId, JobOutcome, Micros } from '../core/io.ts'
import type { MlsJob } from '../core/mls/engine.ts'
import { Verdicts } from './mls/judge.ts'
import { StandInEngine } from './mls/standin.ts'
import type { SimNode } from './node.ts'

/** What came of a job, until it is due. */
export interface DoneJob {
  readonly life: number
  readonly job: JobId
  readonly outcome: JobOutcome
}

interface Thread {
  readonly life: number
  readonly engine: StandInEngine
  busyUntil: Micros
}

export class Jobs {
  readonly #crypto: Crypto
  readonly #verdicts = new Verdicts()
  readonly #threads = new Map<SimNode, Thread>()

  constructor(crypto: Crypto) {
    this.#crypto = crypto
  }

  /** Does the work; answers when it would be done and what came of it. */
  start(now: Micros, node: SimNode, job: JobId, work: MlsJob): { at: Micros; done: DoneJob } {
    const thread = this.#threadOf(node)
    const cost = Math.round(thread.engine.costMicros(work) * node.slowness)
    thread.busyUntil = Math.max(now, thread.busyUntil) + Math.max(1, cost)
    const outcome = thread.engine.run(work)
    return { at: thread.busyUntil, done: { life: node.life, job, outcome } }
  }

  /** The machine stopped: its memory is gone. */
  stopped(node: SimNode): void {
    this.#threads.delete(node)
  }

  #threadOf(node: SimNode): Thread {
    const known = this.#threads.get(node)
    if (known !== undefined && known.life === node.life) return known
    const thread = { life: node.life, engine: new StandInEngine(this.#crypto, this.#verdicts), busyUntil: 0 }
    this.#threads.set(node, thread)
    return thread
  }
}
