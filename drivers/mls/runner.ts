/**
 * Runs MLS jobs in a thread of their own, so that neither their cost nor a hostile message that never ends
 * (R12) stops the node. A job that takes longer than its deadline is answered `deadline`, and its thread
 * is killed and replaced.
 *
 * States live in the thread and die with it, those of all groups. What names one of them afterwards is
 * answered `stateLost`, until the caller puts the stored bytes back under that name or another (`restore`)
 * or drops it. States kept for rollback were never stored (sec:M6) and are gone: the group goes on from the
 * adopted one. Candidates and KeyPackages are made again.
 *
 * One job at a time; groups take turns, so that one that asks for much does not make the others wait. Jobs
 * of one group keep their order. All that waits is bounded.
 */
import { Worker } from 'node:worker_threads'
import type { MlsEngine, MlsGroup, MlsJob, MlsOutcome, StateName } from '../../core/mls/engine.ts'
import { STATES_PER_GROUP_MAX } from '../../core/mls/limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from '../../core/mls/refusal.ts'
import { type Answer, errorOf } from './serve.ts'

/** A join among 2,000 members takes about 4 s on the reference machine; a slow one gets five times that. */
const DEADLINE_MILLIS = 20_000
/** Loading the engine takes under a second. A guess for a machine that is starting everything at once. */
const START_MILLIS = 60_000
/** Jobs of one group that wait: a commit, its rivals and what follows from them. A guess. */
const QUEUE_MAX = 64
/** Names of lost states remembered for each group; an older one reads as unknown. */
const LOST_MAX = 4 * STATES_PER_GROUP_MAX
/** Memory of the thread: thousands of members and many kept states are some ten megabytes. */
const HEAP_MEGABYTES = 512
/** A node has one such thread, idle most of the time; V8's own choice would cost it some ten megabytes. */
const NURSERY_MEGABYTES = 3

export interface RunnerOptions {
  readonly deadlineMillis?: number
  /** Jobs that may wait for each group. */
  readonly queueMax?: number
  /** The module that the thread runs. */
  readonly worker?: URL
}

interface Waiting {
  readonly job: MlsJob
  readonly resolve: (outcome: MlsOutcome) => void
  readonly reject: (error: Error) => void
}

interface Thread {
  readonly worker: Worker
  ready: boolean
}

const refused = (why: MlsRefusal): MlsOutcome => ({ ok: false, why })

export class MlsRunner implements MlsEngine<Promise<MlsOutcome>> {
  readonly #deadlineMillis: number
  readonly #queueMax: number
  readonly #module: URL
  /** Groups with something waiting, in the order of their turns. */
  readonly #queues = new Map<MlsGroup, Waiting[]>()
  readonly #states = new StateNames()
  #thread: Thread | undefined
  #current: Waiting | undefined
  #alarm: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: RunnerOptions = {}) {
    this.#deadlineMillis = options.deadlineMillis ?? DEADLINE_MILLIS
    this.#queueMax = options.queueMax ?? QUEUE_MAX
    this.#module = options.worker ?? new URL('./worker.ts', import.meta.url)
  }

  /** Jobs will come soon: the thread loads meanwhile what it takes to do them. */
  warm(): void {
    if (!this.#closed) this.#thread ??= this.#start()
  }

  /** Rejects with a UsageError or an InvariantError only; everything else is an outcome. */
  run(job: MlsJob): Promise<MlsOutcome> {
    if (this.#closed) return Promise.resolve(refused(MLS_REFUSAL.engineFailed))
    const queue = this.#queues.get(job.group) ?? []
    if (queue.length >= this.#queueMax) return Promise.resolve(refused(MLS_REFUSAL.queueFull))
    return new Promise((resolve, reject) => {
      queue.push({ job, resolve, reject })
      this.#queues.set(job.group, queue)
      this.#next()
    })
  }

  /** Ends the thread; whatever waits is answered `engineFailed`. */
  async close(): Promise<void> {
    this.#closed = true
    const waiting = [...this.#queues.values()].flat()
    this.#queues.clear()
    const thread = this.#thread
    this.#fail(MLS_REFUSAL.engineFailed)
    for (const { resolve } of waiting) resolve(refused(MLS_REFUSAL.engineFailed))
    await thread?.worker.terminate()
  }

  #next(): void {
    while (this.#current === undefined) {
      const waiting = this.#take()
      if (waiting === undefined) return
      if (this.#states.namesLost(waiting.job)) waiting.resolve(refused(MLS_REFUSAL.stateLost))
      else this.#begin(waiting)
    }
  }

  /** The first job of the group whose turn it is; that group then comes last. */
  #take(): Waiting | undefined {
    for (const [group, queue] of this.#queues) {
      const waiting = queue.shift()
      this.#queues.delete(group)
      if (queue.length > 0) this.#queues.set(group, queue)
      return waiting
    }
    return undefined
  }

  #begin(waiting: Waiting): void {
    this.#current = waiting
    const thread = this.#thread ?? this.#start()
    if (thread.ready) this.#post(thread, waiting)
    else this.#expire(START_MILLIS, MLS_REFUSAL.engineFailed)
  }

  #post({ worker }: Thread, { job }: Waiting): void {
    worker.postMessage(job)
    this.#expire(this.#deadlineMillis, MLS_REFUSAL.deadline)
  }

  #start(): Thread {
    const worker = new Worker(this.#module, {
      execArgv: ['--no-warnings'],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES, maxYoungGenerationSizeMb: NURSERY_MEGABYTES },
    })
    const thread: Thread = { worker, ready: false }
    // A thread that was given up may still have something to say.
    const ours = (): boolean => this.#thread === thread
    worker.on('message', (answer: Answer) => {
      if (ours()) this.#onAnswer(thread, answer)
    })
    worker.on('error', () => {
      if (ours()) this.#fail(MLS_REFUSAL.engineFailed)
    })
    worker.on('exit', () => {
      if (ours()) this.#fail(MLS_REFUSAL.engineFailed)
    })
    // The node lives as long as the node wants, not as long as its helper.
    worker.unref()
    this.#thread = thread
    return thread
  }

  #onAnswer(thread: Thread, answer: Answer): void {
    const current = this.#current
    if (answer.kind === 'ready') {
      thread.ready = true
      if (current !== undefined) this.#post(thread, current)
      return
    }
    clearTimeout(this.#alarm)
    this.#current = undefined
    if (current !== undefined) {
      if (answer.kind === 'fault') current.reject(errorOf(answer.fault))
      else {
        this.#states.onOutcome(current.job, answer.outcome)
        current.resolve(answer.outcome)
      }
    }
    this.#next()
  }

  #expire(millis: number, why: MlsRefusal): void {
    clearTimeout(this.#alarm)
    this.#alarm = setTimeout(() => this.#fail(why), millis)
  }

  /** Gives up the thread and all states in it; the job under way is answered so, the next gets another. */
  #fail(why: MlsRefusal): void {
    clearTimeout(this.#alarm)
    const thread = this.#thread
    this.#thread = undefined
    this.#states.loseAll()
    const current = this.#current
    this.#current = undefined
    void thread?.worker.terminate()
    current?.resolve(refused(why))
    this.#next()
  }
}

/** Which names stand for states in the thread, and which for states that were lost with one. */
class StateNames {
  readonly #held = new Map<MlsGroup, Set<StateName>>()
  readonly #lost = new Map<MlsGroup, Set<StateName>>()

  namesLost(job: MlsJob): boolean {
    const lost = this.#lost.get(job.group)
    if (lost === undefined) return false
    switch (job.kind) {
      case 'commit':
      case 'process':
        return lost.has(job.from)
      case 'export':
      case 'encode':
        return lost.has(job.state)
      case 'join':
        return lost.has(job.keyPackage)
      default:
        return false
    }
  }

  onOutcome(job: MlsJob, outcome: MlsOutcome): void {
    if (!outcome.ok) return
    const { group } = job
    if ('into' in job) {
      remove(this.#lost, group, [job.into])
      const held = this.#held.get(group) ?? new Set()
      this.#held.set(group, held.add(job.into))
    }
    if (job.kind === 'join') remove(this.#held, group, [job.keyPackage])
    if (job.kind === 'drop') {
      remove(this.#held, group, job.states)
      remove(this.#lost, group, job.states)
    }
  }

  loseAll(): void {
    for (const [group, held] of this.#held) {
      const lost = this.#lost.get(group) ?? new Set()
      for (const name of held) lost.add(name)
      for (const name of lost) if (lost.size > LOST_MAX) lost.delete(name)
      this.#lost.set(group, lost)
    }
    this.#held.clear()
  }
}

function remove(
  from: Map<MlsGroup, Set<StateName>>,
  group: MlsGroup,
  names: readonly StateName[] | 'all',
): void {
  const found = from.get(group)
  if (found === undefined) return
  if (names === 'all') found.clear()
  else for (const name of names) found.delete(name)
  if (found.size === 0) from.delete(group)
}
