/**
 * MLS engines as a simulated machine uses them: a job is given in, and what came of it is taken out when the
 * modelled cost is over. The stand-in does the work at once. Real engines wait for promises, which no step of
 * a simulation may, so they live with the driver, which works at its own pace; whoever takes an outcome waits
 * for it. An outcome is a function of job and states alone (core/mls/engine.ts), so how long it really took,
 * and on which core, changes nothing.
 */
import { assert } from '../../core/errors.ts'
import { decodeCommitData } from '../../core/ledger/commit-data.ts'
import {
  type MlsGroup,
  type MlsJob,
  type MlsOutcome,
  type StateName,
  SUITE,
  type Suite,
} from '../../core/mls/engine.ts'
import { readCommitFraming } from '../../core/mls/framing.ts'
import { type CostShape, costMicros } from './cost.ts'
import { keyPackageBytes, STORED_BYTES_PER_MEMBER } from './sizes.ts'
import type { StandInEngine } from './standin.ts'

/** Names one engine of a driver. */
export type EngineId = number

/** Engines of a driver. Each does its jobs one after the other; several may work at once. */
export interface MlsEngines {
  /** A new engine without states. */
  open(): EngineId
  /** Returns at once. */
  start(engine: EngineId, job: MlsJob): void
  /** What came of the earliest job of the engine that was not taken yet; waits for it if need be. */
  take(engine: EngineId): MlsOutcome
  /** States and jobs of the engine are forgotten. */
  close(engine: EngineId): void
}

/** The engine of one life of one machine. */
export interface MachineEngine {
  /** Microseconds of one core that a job would take; to be asked before it is started. */
  costMicros(job: MlsJob): number
  start(job: MlsJob): void
  /** Outcomes in the order of their jobs. */
  take(): MlsOutcome
  /** Does a job at once and at no cost, as attackers do; undefined while others are under way. */
  run(job: MlsJob): MlsOutcome | undefined
  close(): void
}

export class PromptEngine implements MachineEngine {
  readonly #engine: StandInEngine
  readonly #done: MlsOutcome[] = []

  constructor(engine: StandInEngine) {
    this.#engine = engine
  }

  costMicros(job: MlsJob): number {
    return this.#engine.costMicros(job)
  }

  start(job: MlsJob): void {
    this.#done.push(this.#engine.run(job))
  }

  take(): MlsOutcome {
    const outcome = this.#done.shift()
    assert(outcome !== undefined, 'the outcome of a job that was not started')
    return outcome
  }

  run(job: MlsJob): MlsOutcome {
    return this.#engine.run(job)
  }

  close(): void {
    this.#done.length = 0
  }
}

/** A Welcome grows so much with each leaf of the tree in it. */
const WELCOME_BYTES_PER_MEMBER = 288

interface KnownState {
  readonly suite: Suite
  readonly members: number
}

/**
 * An engine of the driver. What a job costs has to be known when it is started, and so from what can be seen
 * from outside: how many members a state has is known from its making, how many proposals a commit holds is
 * told by what it has in clear. Where that leaves a doubt, the dearer is taken.
 */
export class DistantEngine implements MachineEngine {
  readonly #engines: MlsEngines
  readonly #id: EngineId
  readonly #started: MlsJob[] = []
  readonly #states = new Map<MlsGroup, Map<StateName, KnownState>>()

  constructor(engines: MlsEngines) {
    this.#engines = engines
    this.#id = engines.open()
  }

  costMicros(job: MlsJob): number {
    return costMicros(job.kind, this.#shapeOf(job))
  }

  start(job: MlsJob): void {
    this.#started.push(job)
    this.#engines.start(this.#id, job)
  }

  take(): MlsOutcome {
    const job = this.#started.shift()
    assert(job !== undefined, 'the outcome of a job that was not started')
    const outcome = this.#engines.take(this.#id)
    this.#note(job, outcome)
    return outcome
  }

  run(job: MlsJob): MlsOutcome | undefined {
    if (this.#started.length > 0) return undefined
    this.start(job)
    return this.take()
  }

  close(): void {
    this.#engines.close(this.#id)
  }

  #shapeOf(job: MlsJob): CostShape {
    const none = { suite: SUITE.x25519, members: 0, adds: 0, path: false, ciphertexts: 0 }
    switch (job.kind) {
      case 'commit': {
        const adds = job.adds.length
        const path = adds === 0 || job.removes.length > 0
        const state = this.#known(job.group, job.from)
        // Sealed to everybody alone, as after many Adds.
        return { ...none, ...state, adds, path, ciphertexts: path ? state.members : 0 }
      }
      case 'process':
        return { ...none, ...this.#known(job.group, job.from), adds: addsAtMost(job.commit), path: true }
      case 'join':
        return { ...none, members: Math.ceil(job.welcome.length / WELCOME_BYTES_PER_MEMBER) }
      case 'encode':
        return { ...none, ...this.#known(job.group, job.state) }
      case 'restore':
        return { ...none, members: Math.ceil(job.stored.length / STORED_BYTES_PER_MEMBER) }
      case 'create':
      case 'keyPackage':
      case 'inspect':
        return { ...none, suite: job.suite }
      default:
        return none
    }
  }

  #known(group: MlsGroup, state: StateName): KnownState {
    return this.#states.get(group)?.get(state) ?? { suite: SUITE.x25519, members: 0 }
  }

  #note(job: MlsJob, outcome: MlsOutcome): void {
    const known = this.#states.get(job.group) ?? new Map<StateName, KnownState>()
    this.#states.set(job.group, known)
    if (job.kind === 'drop') {
      if (job.states === 'all') known.clear()
      else for (const state of job.states) known.delete(state)
      return
    }
    if (!outcome.ok || !('into' in job)) return
    if ('epoch' in outcome)
      known.set(job.into, { suite: outcome.epoch.suite, members: outcome.epoch.roster.length })
    else if ('candidate' in outcome)
      known.set(job.into, { suite: outcome.candidate.suite, members: outcome.candidate.members })
  }
}

function addsAtMost(commit: Uint8Array): number {
  const framing = readCommitFraming(commit)
  if (!framing.ok) return 0
  const { authenticatedData, ciphertext } = framing.value
  const proposals = decodeCommitData(authenticatedData)?.facts.length ?? 0
  return Math.min(proposals, Math.floor(ciphertext.length / keyPackageBytes(SUITE.x25519)))
}
