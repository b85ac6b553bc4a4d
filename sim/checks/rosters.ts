/**
 * Who is in which epoch's roster, and what its secret is, from what engines answer: not from what nodes say.
 */
import type { Hash } from '../../core/crypto/ports.ts'
import { hex, mlsId } from '../../core/ids.ts'
import { decodeCommitData } from '../../core/ledger/commit-data.ts'
import type { CandidateFacts, EpochFacts, MlsOutcome, RosterLeaf } from '../../core/mls/engine.ts'

const MEMBER_KEY_BYTES = 32

export class Rosters {
  readonly #hash: Hash
  /** Member keys in hex by the MLS-ID of the epoch. */
  readonly #members = new Map<string, ReadonlySet<string>>()
  readonly #secrets = new Map<string, string>()

  constructor(hash: Hash) {
    this.#hash = hash
  }

  /** Answers the epoch that the outcome tells of, if its secret is another than was seen before. */
  note(outcome: MlsOutcome): string | undefined {
    if (!outcome.ok) return undefined
    const made = 'epoch' in outcome ? outcome.epoch : 'candidate' in outcome ? outcome.candidate : undefined
    const name = made && this.#nameOf(made)
    if (made === undefined || name === undefined) return undefined
    if (!this.#members.has(name)) {
      const members = 'roster' in made ? new Set(made.roster.map(memberKey)) : this.#after(made)
      if (members !== undefined) this.#members.set(name, members)
    }
    const secret = hex(made.exporterSecret)
    const known = this.#secrets.get(name) ?? secret
    this.#secrets.set(name, known)
    return known === secret ? undefined : name
  }

  /** Undefined for an epoch that no engine made. */
  of(epoch: string): ReadonlySet<string> | undefined {
    return this.#members.get(epoch)
  }

  #nameOf({ exports }: EpochFacts): string | undefined {
    const init = exports[0]
    return init && hex(mlsId(this.#hash, init))
  }

  #after({ authenticatedData, proposals }: CandidateFacts): ReadonlySet<string> | undefined {
    const parent = decodeCommitData(authenticatedData)?.parent
    const before = parent && this.#members.get(hex(parent))
    if (before === undefined) return undefined
    const members = new Set(before)
    for (const { kind, leaf } of proposals) {
      if (kind === 'remove') members.delete(memberKey(leaf))
      else members.add(memberKey(leaf))
    }
    return members
  }
}

function memberKey({ credential }: RosterLeaf): string {
  return hex(credential.subarray(0, MEMBER_KEY_BYTES))
}
