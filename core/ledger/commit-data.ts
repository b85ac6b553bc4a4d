/**
 * The authenticated data of a commit (sec:B3): what its committer knew and by which facts it acts.
 *
 *     1 | parent MLS-ID 16 | ledger digest 32 | wall time 6 |
 *     count of proposals 1, each: count of facts 1, each id 16
 *
 * Proposals stand in the order of the commit. The digest tells a receiver whether to exchange ledgers; no
 * commit is refused for it.
 */
import { decode, encode, fixed, list, struct, u8, u48 } from '../wire/schema.ts'
import { epochId, factId, type WallMillis } from './fields.ts'

const VERSION = 1
export const ADDS_MAX = 64
/** Adds and as many Removes: a batch of members that rejoin (sec:B4, B11). */
export const PROPOSALS_MAX = 2 * ADDS_MAX
/** A Grant, its Redemption and its issuer's Grant; or one fact for each of a few Grants that fell. Guess. */
export const FACTS_OF_PROPOSAL_MAX = 8

/** Facts by which one proposal stands. */
export type ProposalFacts = readonly Uint8Array[]

export interface CommitData {
  readonly parent: Uint8Array
  readonly digest: Uint8Array
  readonly wallTime: WallMillis
  readonly facts: readonly ProposalFacts[]
}

const commitData = struct({
  version: u8,
  parent: epochId,
  digest: fixed(32),
  wallTime: u48,
  facts: list(list(factId, FACTS_OF_PROPOSAL_MAX), PROPOSALS_MAX),
})

export function encodeCommitData(data: CommitData): Uint8Array {
  return encode(commitData, { ...data, version: VERSION })
}

/** Undefined for anything that is not exactly of this form and version. Fields are views. */
export function decodeCommitData(bytes: Uint8Array): CommitData | undefined {
  const said = decode(commitData, bytes)
  if (said === undefined || said.version !== VERSION) return undefined
  const { parent, digest, wallTime, facts } = said
  return { parent, digest, wallTime, facts }
}
