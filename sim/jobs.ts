/**
 * The slow work of simulated machines: each has one thread for it, as a real node has (drivers/mls), so jobs
 * of a machine are done one after the other, in the order in which they were started. Whichever engine does
 * the work, what came of it comes back when the real one would have been ready (sim/mls/cost.ts); a machine
 * that crashes meanwhile loses its states and never hears of it.
 */
import type { Crypto } from '../core/crypto/ports.ts'
import type { JobId, JobOutcome, Micros } from '../core/io.ts'
import type { MlsJob } from '../core/mls/engine.ts'
import { DistantEngine, type MachineEngine, type MlsEngines, PromptEngine } from './mls/engines.ts'
import { Verdicts } from './mls/judge.ts'
import type { KeptStates } from './mls/kept.ts'
import { StandInEngine } from './mls/standin.ts'
import type { SimNode } from './node.ts'

/** A job that was started, until it is due. */
export interface PendingJob {
  readonly life: number
  readonly job: JobId
  /** To be called once, when it is due, in the life that started it. */
  readonly outcome: () => JobOutcome
}

interface Thread {
  readonly life: number
  readonly engine: MachineEngine
  busyUntil: Micros
}

export class Jobs {
  readonly #crypto: Crypto
  readonly #engines: MlsEngines | undefined
  /** Where states go of machines whose owners keep all. */
  readonly #kept: KeptStates | undefined
  readonly #verdicts = new Verdicts()
  readonly #threads = new Map<SimNode, Thread>()

  /** `engines`: where the work is done; without them stand-ins do it. */
  constructor(crypto: Crypto, engines: MlsEngines | undefined, kept: KeptStates | undefined) {
    this.#crypto = crypto
    this.#engines = engines
    this.#kept = kept
  }

  /** Begins the work; answers when it is due. */
  start(now: Micros, node: SimNode, job: JobId, work: MlsJob): { at: Micros; pending: PendingJob } {
    const thread = this.#threadOf(node)
    const { engine } = thread
    const cost = Math.round(engine.costMicros(work) * node.slowness)
    thread.busyUntil = Math.max(now, thread.busyUntil) + Math.max(1, cost)
    engine.start(work)
    const outcome = (): JobOutcome => {
      const came = engine.take()
      this.#kept?.note(node.index, work, came, engine)
      return came
    }
    return { at: thread.busyUntil, pending: { life: node.life, job, outcome } }
  }

  /** The machine stopped: its memory is gone. */
  stopped(node: SimNode): void {
    this.#threads.get(node)?.engine.close()
    this.#threads.delete(node)
  }

  /** Nothing that was started is wanted any more. */
  end(): void {
    for (const { engine } of this.#threads.values()) engine.close()
    this.#threads.clear()
  }

  #threadOf(node: SimNode): Thread {
    const known = this.#threads.get(node)
    if (known !== undefined && known.life === node.life) return known
    const thread = { life: node.life, engine: this.newEngine(), busyUntil: 0 }
    this.#threads.set(node, thread)
    return thread
  }

  newEngine(): MachineEngine {
    return this.#engines === undefined
      ? new PromptEngine(new StandInEngine(this.#crypto, this.#verdicts))
      : new DistantEngine(this.#engines)
  }
}
