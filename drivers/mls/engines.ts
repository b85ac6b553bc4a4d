/**
 * Real MLS engines for a caller that cannot wait for promises, such as a simulation (sim/mls/engines.ts).
 * They live in threads, each engine in one of them, and work while the caller goes on; whoever takes an
 * outcome that is not there yet sleeps until it is (Atomics.wait). Unlike drivers/mls/runner.ts this knows no
 * hostile bytes: a job that never ends is a fault.
 */
import { availableParallelism } from 'node:os'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { assert, InvariantError } from '../../core/errors.ts'
import type { MlsJob, MlsOutcome } from '../../core/mls/engine.ts'
import type { EngineId, MlsEngines } from '../../sim/index.ts'
import type { EngineAnswer, EngineOrder, EngineThreadData } from './engine-thread.ts'
import { errorOf } from './serve.ts'

/** Real time for whatever is queued before one job, on a machine with much else to do. */
const PATIENCE_MILLIS = 300_000
/** Memory of a thread: the states of some hundred members. */
const HEAP_MEGABYTES = 1_024

interface Engine {
  readonly thread: EngineThread
  readonly answers: EngineAnswer[]
}

export class EngineThreads implements MlsEngines {
  readonly #threads: EngineThread[] = []
  readonly #engines = new Map<EngineId, Engine>()
  readonly #threadsMax: number
  #opened = 0

  constructor(threads = availableParallelism()) {
    this.#threadsMax = threads
  }

  open(): EngineId {
    const id = ++this.#opened
    this.#engines.set(id, { thread: this.#threadFor(id), answers: [] })
    return id
  }

  start(engine: EngineId, job: MlsJob): void {
    this.#engine(engine).thread.say({ engine, job })
  }

  take(engine: EngineId): MlsOutcome {
    const { thread, answers } = this.#engine(engine)
    for (;;) {
      const answer = answers.shift()
      if (answer !== undefined) return outcomeOf(answer)
      // Read before looking: what comes afterwards makes the wait end at once.
      const said = thread.said
      let found = thread.hear()
      if (found === undefined) {
        thread.sleep(said)
        found = thread.hear()
      }
      // Answers of engines that were closed meanwhile are nobody's.
      if (found !== undefined) this.#engines.get(found.engine)?.answers.push(found)
    }
  }

  close(engine: EngineId): void {
    this.#engines.get(engine)?.thread.say({ engine, job: undefined })
    this.#engines.delete(engine)
  }

  #engine(id: EngineId): Engine {
    const engine = this.#engines.get(id)
    assert(engine !== undefined, `engine ${id} is not open`)
    return engine
  }

  /** In turn. */
  #threadFor(id: EngineId): EngineThread {
    const place = id % this.#threadsMax
    while (this.#threads.length <= place) this.#threads.push(new EngineThread())
    return this.#threads[place] as EngineThread
  }
}

class EngineThread {
  readonly #port: MessagePort
  /** How many answers were said; the thread counts, this side waits. */
  readonly #count = new Int32Array(new SharedArrayBuffer(4))

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const workerData: EngineThreadData = { port: port2, count: this.#count }
    const worker = new Worker(new URL('./engine-thread.ts', import.meta.url), {
      execArgv: ['--no-warnings'],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
      transferList: [port2],
      workerData,
    })
    // The caller lives as long as it wants, not as long as its helpers.
    worker.unref()
    this.#port.unref()
  }

  get said(): number {
    return Atomics.load(this.#count, 0)
  }

  say(order: EngineOrder): void {
    this.#port.postMessage(order)
  }

  hear(): EngineAnswer | undefined {
    return receiveMessageOnPort(this.#port)?.message as EngineAnswer | undefined
  }

  sleep(said: number): void {
    if (Atomics.wait(this.#count, 0, said, PATIENCE_MILLIS) === 'timed-out')
      throw new InvariantError(`a thread for MLS has not answered for ${PATIENCE_MILLIS / 1_000} s`)
  }
}

function outcomeOf({ answer }: EngineAnswer): MlsOutcome {
  if (answer.kind === 'fault') throw errorOf(answer.fault)
  return answer.outcome
}
