/**
 * What members could know who keep everything: every state their engine ever had, candidates and siblings
 * among them, and every packet that was ever sent. Asked after a run from above.
 */

import { WISHES } from '../../core/group/epoch.ts'
import { decodeHandshake } from '../../core/group/messages.ts'
import { hex, mlsId } from '../../core/ids.ts'
import type { EpochFacts, MlsJob, MlsOutcome } from '../../core/mls/engine.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { StandInEngine } from '../../sim/mls/standin.ts'
import type { GroupNode, Packet } from './group-node.ts'

/** Keeps the bytes of each state that is reported, by the MLS-ID of its epoch. */
class KeepingEngine extends StandInEngine {
  readonly kept: Map<string, Uint8Array>

  constructor(kept: Map<string, Uint8Array>) {
    super(standInCrypto)
    this.kept = kept
  }

  override run(job: MlsJob): MlsOutcome {
    const outcome = super.run(job)
    const facts = factsOf(outcome)
    if (facts === undefined || !('into' in job)) return outcome
    const stored = super.run({ kind: 'encode', group: job.group, state: job.into })
    if (stored.ok && stored.kind === 'encoded') this.kept.set(nameOf(facts), stored.stored)
    return outcome
  }
}

function factsOf(outcome: MlsOutcome): EpochFacts | undefined {
  if (!outcome.ok) return undefined
  if (outcome.kind === 'epoch' || outcome.kind === 'joined') return outcome.epoch
  return outcome.kind === 'candidate' || outcome.kind === 'committed' ? outcome.candidate : undefined
}

function nameOf(facts: EpochFacts): string {
  return hex(mlsId(standInCrypto.hash, facts.exports[0] as Uint8Array))
}

export class Spies {
  /** By node, over all its lives. */
  readonly #kept = new Map<number, Map<string, Uint8Array>>()
  readonly #commits: { readonly parent: string; readonly commit: Uint8Array }[] = []

  engineOf(node: GroupNode): StandInEngine {
    const kept = this.#kept.get(node.index) ?? new Map<string, Uint8Array>()
    this.#kept.set(node.index, kept)
    return new KeepingEngine(kept)
  }

  see(packet: Packet): void {
    if (packet.kind !== PAYLOAD_KIND.handshake) return
    const said = decodeHandshake(packet.payload)
    if (said?.kind === 'commit') this.#commits.push({ parent: packet.mlsId, commit: said.commit.slice() })
  }

  /** MLS-IDs of all epochs whose secrets the node can derive from what it kept and saw. */
  reach(node: GroupNode): Set<string> {
    const states = new Map(this.#kept.get(node.index))
    for (let before = -1; before < states.size; ) {
      before = states.size
      for (const { parent, commit } of this.#commits) {
        const stored = states.get(parent)
        if (stored !== undefined) follow(stored, commit, states)
      }
    }
    return new Set(states.keys())
  }
}

function follow(stored: Uint8Array, commit: Uint8Array, states: Map<string, Uint8Array>): void {
  const engine = new StandInEngine(standInCrypto)
  engine.run({ kind: 'restore', group: 1, into: 1, stored, wishes: WISHES })
  const outcome = engine.run({ kind: 'process', group: 1, from: 1, into: 2, commit, wishes: WISHES })
  const facts = factsOf(outcome)
  if (facts === undefined || states.has(nameOf(facts))) return
  const next = engine.run({ kind: 'encode', group: 1, state: 2 })
  if (next.ok && next.kind === 'encoded') states.set(nameOf(facts), next.stored)
}
