/**
 * What machines would have whose owners keep everything: each state that their engine ever had, by the
 * MLS-ID of its epoch, with the leaf key that goes with it. Simulated attackers draw on it.
 */
import type { Hash } from '../../core/crypto/ports.ts'
import { hex, mlsId } from '../../core/ids.ts'
import type { EpochFacts, MlsJob, MlsOutcome, StateName } from '../../core/mls/engine.ts'
import type { MachineEngine } from './engines.ts'

export interface KeptState {
  /** MLS-ID of the epoch in hex. */
  readonly name: string
  readonly facts: EpochFacts
  readonly stored: Uint8Array
  readonly leafSeed: Uint8Array
}

export class KeptStates {
  readonly #hash: Hash
  readonly #kept = new Map<number, Map<string, KeptState>>()
  /** Leaf seeds by node, group and state. */
  readonly #seeds = new Map<string, Uint8Array>()

  constructor(hash: Hash) {
    this.#hash = hash
  }

  /** A job of the node came to this; the engine still has its states. */
  note(node: number, job: MlsJob, outcome: MlsOutcome, engine: MachineEngine): void {
    if (!outcome.ok || !('into' in job)) return
    const place = (state: StateName): string => `${node}/${job.group}/${state}`
    const facts = factsOf(outcome)
    const kept = this.by(node)
    const name = facts && hex(mlsId(this.#hash, facts.exports[0] as Uint8Array))
    const seed = this.#seedOf(job, place) ?? (name === undefined ? undefined : kept.get(name)?.leafSeed)
    if (seed === undefined) return
    this.#seeds.set(place(job.into), seed)
    if (facts === undefined || name === undefined || kept.has(name)) return
    const stored = engine.run({ kind: 'encode', group: job.group, state: job.into })
    if (stored?.ok && stored.kind === 'encoded')
      kept.set(name, { name, facts, stored: stored.stored, leafSeed: seed })
  }

  by(node: number): Map<string, KeptState> {
    const kept = this.#kept.get(node) ?? new Map<string, KeptState>()
    this.#kept.set(node, kept)
    return kept
  }

  #seedOf(job: MlsJob, place: (state: StateName) => string): Uint8Array | undefined {
    switch (job.kind) {
      case 'create':
      case 'keyPackage':
        return job.leafSeed
      case 'join':
        return this.#seeds.get(place(job.keyPackage))
      case 'commit':
      case 'process':
        return this.#seeds.get(place(job.from))
      default:
        return undefined
    }
  }
}

export function factsOf(outcome: MlsOutcome): EpochFacts | undefined {
  if (!outcome.ok) return undefined
  return 'epoch' in outcome ? outcome.epoch : 'candidate' in outcome ? outcome.candidate : undefined
}
