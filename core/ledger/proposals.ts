/**
 * What a committer does about the ledger: whom to remove, and which facts to name for each proposal, so
 * that every member that gets them judges as it did (sec:B2 to B4). The counterpart of judgement.ts.
 */

import type { Identity } from './certificate.ts'
import { FACTS_OF_PROPOSAL_MAX, type ProposalFacts } from './commit-data.ts'
import type { WallMillis } from './fields.ts'
import type { Roster } from './judgement.ts'
import type { Ledger } from './ledger.ts'
import type { Lineage } from './standing.ts'

/**
 * The facts for an Add: the Grant of the identity's serial, its Redemption, its issuer's Grant; undefined
 * while the ledger does not certify the identity, or its last Grant ended before `now` (only the committer
 * asks that, sec:M9).
 */
export function factsForAdd(
  ledger: Ledger,
  identity: Identity,
  lineage: Lineage,
  now: WallMillis,
): ProposalFacts | undefined {
  const standing = ledger.certificate(identity.memberKey, lineage)
  if (standing === undefined || now >= standing.grant.end) return undefined
  const chain = ledger.chain(identity.memberKey, identity.serial)
  if (chain === undefined) return undefined
  const facts = [chain.grant, chain.redemption, chain.issuer]
  return facts.filter((fact) => fact !== undefined).map((fact) => fact.id)
}

/**
 * The facts for a Remove: those that refuse the key, or its last Grant if that ended before `wallTime`;
 * undefined if nothing justifies one.
 */
export function factsForRemove(
  ledger: Ledger,
  member: Uint8Array,
  lineage: Lineage,
  wallTime: WallMillis,
): ProposalFacts | undefined {
  const refused = ledger.refused(member, lineage)
  if (refused !== undefined) {
    // Fewer would convince nobody; who fell in so many ways takes a revocation of its key.
    return refused.facts.length > FACTS_OF_PROPOSAL_MAX ? undefined : refused.facts.map((fact) => fact.id)
  }
  const last = ledger.certificate(member, lineage)?.grant
  return last !== undefined && last.end < wallTime ? [last.id] : undefined
}

export interface Removal {
  readonly leaf: number
  readonly facts: ProposalFacts
}

/** Leaves that the next commit is to remove, in order of the roster, refused ones first; at most `limit`. */
export function dueRemovals(
  ledger: Ledger,
  roster: Roster,
  lineage: Lineage,
  wallTime: WallMillis,
  limit: number,
): Removal[] {
  const refused: Removal[] = []
  const expired: Removal[] = []
  for (const [leaf, { identity }] of roster) {
    const facts = factsForRemove(ledger, identity.memberKey, lineage, wallTime)
    if (facts === undefined) continue
    const isRefused = ledger.refused(identity.memberKey, lineage) !== undefined
    const removals = isRefused ? refused : expired
    removals.push({ leaf, facts })
  }
  return [...refused, ...expired].slice(0, limit)
}
