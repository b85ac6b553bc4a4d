/**
 * Whether a commit does only what facts allow (sec:B4). It sees the parent's roster, the proposals and the
 * authenticated data, and nothing of MLS: that the engine's new roster differs by exactly these proposals
 * is for the engine's side (core/mls) to check.
 *
 * A commit names the facts it rests on, so two members judge it alike whichever gossip reached them first:
 * who lacks one fetches it before judging (sec:M9). What a member knows beyond them counts in one direction
 * only, against refused keys: a member that has heard a revocation takes no commit by the revoked and none
 * that adds them. Whoever had not heard it adopts such a commit, learns, and finds its head dirty (sec:B6).
 *
 * Removals are judged by everything known and not by the listed facts alone, or an admin could have another
 * thrown out by listing its own worthless revocation. Two members may part over that for as long as one of
 * them has not heard that the removed was made an admin; the merge of branches heals it.
 */
import type { Crypto } from '../crypto/ports.ts'
import { hex, sameBytes } from '../ids.ts'
import { type Identity, type LeafRefusal, verifyCredential } from './certificate.ts'
import {
  ADDS_MAX,
  type CommitData,
  decodeCommitData,
  PROPOSALS_MAX,
  type ProposalFacts,
} from './commit-data.ts'
import { redemptionId } from './facts.ts'
import type { WallMillis } from './fields.ts'
import type { Ledger } from './ledger.ts'
import type { Lineage } from './standing.ts'

/** Room for clocks that run behind the committer's when a member is removed because its Grants ended. */
const EXPIRY_SLACK: WallMillis = 3_600_000

export interface Leaf {
  readonly identity: Identity
  /** MLS signature key, 32 bytes. */
  readonly leafKey: Uint8Array
}

/** By leaf index. */
export type Roster = ReadonlyMap<number, Leaf>

export type Proposal =
  | { readonly kind: 'add'; readonly credential: Uint8Array; readonly leafKey: Uint8Array }
  | { readonly kind: 'remove'; readonly leaf: number }

/** The epoch that a commit changes, and what this member knows when it judges. */
export interface Scene {
  readonly ledger: Ledger
  /** MLS-ID, 16 bytes. */
  readonly parent: Uint8Array
  readonly roster: Roster
  /** Who was added when, up to the parent. */
  readonly lineage: Lineage
  /** Wall time; undefined while the clock is not set. */
  readonly now: WallMillis | undefined
}

export interface Commit {
  /** Leaf index of the sender. */
  readonly signer: number
  readonly authenticatedData: Uint8Array
  /** In the order of the commit. */
  readonly proposals: readonly Proposal[]
}

/** Every way in which a commit can be wrong that can be seen from here. */
export const COMMIT_REFUSAL = {
  dataMalformed: 'dataMalformed',
  /** Made for another epoch. */
  wrongParent: 'wrongParent',
  /** Not one list of facts for each proposal. */
  factsMiscounted: 'factsMiscounted',
  tooManyProposals: 'tooManyProposals',
  tooManyAdds: 'tooManyAdds',
  signerUnknown: 'signerUnknown',
  signerRefused: 'signerRefused',
  /** The credential is malformed or was not signed for that leaf key. */
  addBadLeaf: 'addBadLeaf',
  /** A key of the new leaf is in use, or was that of the leaf it replaces. */
  addKeyInUse: 'addKeyInUse',
  addMemberTwice: 'addMemberTwice',
  /** Two keys under one serial in one commit. */
  addSerialTwice: 'addSerialTwice',
  /** The member is there and its leaf is not removed by this commit. */
  addMemberPresent: 'addMemberPresent',
  /** The leaf it replaces is as new or newer. */
  addJoinNumber: 'addJoinNumber',
  /** The Grant, or the Redemption of an invitation, is not among the listed facts. */
  addFactsUnlisted: 'addFactsUnlisted',
  /** The Grant belongs to another key. */
  addNotHolder: 'addNotHolder',
  addRefused: 'addRefused',
  /** Another member has spent the serial. */
  addSerialSpent: 'addSerialSpent',
  removeUnknownLeaf: 'removeUnknownLeaf',
  removeTwice: 'removeTwice',
  removeSigner: 'removeSigner',
  removeUnjustified: 'removeUnjustified',
} as const
export type CommitRefusal = (typeof COMMIT_REFUSAL)[keyof typeof COMMIT_REFUSAL]

export type Verdict =
  | { readonly kind: 'valid' }
  /** `proposal`: the index of the one at fault. */
  | { readonly kind: 'invalid'; readonly reason: CommitRefusal; readonly proposal: number | undefined }
  /** Fetch these and judge again. */
  | { readonly kind: 'missing'; readonly ids: readonly Uint8Array[] }

/** A commit as it is being judged. */
interface Case extends Scene {
  readonly crypto: Crypto
  readonly data: CommitData
  readonly signer: number
  readonly proposals: readonly Proposal[]
  /** Of each Add, by the index of the proposal. */
  readonly added: ReadonlyMap<number, Leaf>
  readonly removed: ReadonlySet<number>
}

/** Judges by form first, then by facts; the answer for a commit changes only with the ledger. Never throws. */
export function judgeCommit(crypto: Crypto, scene: Scene, commit: Commit): Verdict {
  const { proposals, signer } = commit
  const data = decodeCommitData(commit.authenticatedData)
  if (data === undefined) return invalid(COMMIT_REFUSAL.dataMalformed)
  const form = formOf(scene, commit, data)
  if (form !== undefined) return invalid(form)
  const added = new Map<number, Leaf>()
  for (const [index, proposal] of proposals.entries()) {
    if (proposal.kind !== 'add') continue
    const identity = verifyCredential(
      crypto.signatures,
      scene.ledger.vlan,
      proposal.credential,
      proposal.leafKey,
    )
    if (isLeafRefusal(identity)) return invalid(COMMIT_REFUSAL.addBadLeaf, index)
    added.set(index, { identity, leafKey: proposal.leafKey })
  }
  const removed = new Set<number>()
  for (const proposal of proposals) if (proposal.kind === 'remove') removed.add(proposal.leaf)
  const judged = { ...scene, crypto, data, signer, proposals, added, removed }
  return judgeForms(judged) ?? judgeFacts(judged)
}

function isLeafRefusal(identity: Identity | LeafRefusal): identity is LeafRefusal {
  return typeof identity === 'string'
}

function formOf(scene: Scene, { proposals, signer }: Commit, data: CommitData): CommitRefusal | undefined {
  if (!sameBytes(data.parent, scene.parent)) return COMMIT_REFUSAL.wrongParent
  if (proposals.length > PROPOSALS_MAX) return COMMIT_REFUSAL.tooManyProposals
  if (proposals.filter((each) => each.kind === 'add').length > ADDS_MAX) return COMMIT_REFUSAL.tooManyAdds
  if (data.facts.length !== proposals.length) return COMMIT_REFUSAL.factsMiscounted
  const leaf = scene.roster.get(signer)
  if (leaf === undefined) return COMMIT_REFUSAL.signerUnknown
  const refused = scene.ledger.refused(leaf.identity.memberKey, scene.lineage)
  return refused === undefined ? undefined : COMMIT_REFUSAL.signerRefused
}

/** What is wrong whatever the facts say. */
function judgeForms(judged: Case): Verdict | undefined {
  const seen = new Set<number>()
  for (const [index, proposal] of judged.proposals.entries()) {
    if (proposal.kind !== 'remove') continue
    if (!judged.roster.has(proposal.leaf)) return invalid(COMMIT_REFUSAL.removeUnknownLeaf, index)
    if (seen.has(proposal.leaf)) return invalid(COMMIT_REFUSAL.removeTwice, index)
    if (proposal.leaf === judged.signer) return invalid(COMMIT_REFUSAL.removeSigner, index)
    seen.add(proposal.leaf)
  }
  return judgeKeys(judged)
}

/** All member and leaf keys are distinct, and nobody comes back with an old KeyPackage. */
function judgeKeys({ roster, added, removed }: Case): Verdict | undefined {
  const leafOf = new Map<string, number>()
  const used = new Set<string>()
  for (const [leaf, { identity, leafKey }] of roster) {
    leafOf.set(hex(identity.memberKey), leaf)
    used.add(hex(identity.memberKey)).add(hex(leafKey))
  }
  const members = new Set<string>()
  const serials = new Set<string>()
  for (const [index, { identity, leafKey }] of added) {
    const member = hex(identity.memberKey)
    if (members.has(member)) return invalid(COMMIT_REFUSAL.addMemberTwice, index)
    if (serials.has(hex(identity.serial))) return invalid(COMMIT_REFUSAL.addSerialTwice, index)
    const old = leafOf.get(member)
    if (old !== undefined) {
      if (!removed.has(old)) return invalid(COMMIT_REFUSAL.addMemberPresent, index)
      if ((roster.get(old) as Leaf).identity.joinNumber >= identity.joinNumber)
        return invalid(COMMIT_REFUSAL.addJoinNumber, index)
    } else if (used.has(member)) return invalid(COMMIT_REFUSAL.addKeyInUse, index)
    if (used.has(hex(leafKey)) || member === hex(leafKey)) return invalid(COMMIT_REFUSAL.addKeyInUse, index)
    members.add(member)
    serials.add(hex(identity.serial))
    used.add(member).add(hex(leafKey))
  }
  return undefined
}

function judgeFacts(judged: Case): Verdict {
  const { ledger, data, proposals } = judged
  const ids = ledger.missing(data.facts.flat())
  if (ids.length > 0) return { kind: 'missing', ids }
  for (const [index, proposal] of proposals.entries()) {
    const facts = data.facts[index] as ProposalFacts
    const reason =
      proposal.kind === 'add'
        ? judgeAdd(judged, (judged.added.get(index) as Leaf).identity, facts)
        : judgeRemove(judged, proposal.leaf, facts)
    if (reason !== undefined) return invalid(reason, index)
  }
  return { kind: 'valid' }
}

function judgeAdd(judged: Case, identity: Identity, facts: ProposalFacts): CommitRefusal | undefined {
  const { ledger, crypto, lineage } = judged
  const { memberKey, serial } = identity
  if (!lists(facts, serial)) return COMMIT_REFUSAL.addFactsUnlisted
  const grant = ledger.get(serial)
  if (grant === undefined || !('holderKind' in grant)) return COMMIT_REFUSAL.addFactsUnlisted
  if (grant.holderKind === 'invitation') {
    if (!lists(facts, redemptionId(crypto.hash, ledger.vlan, serial, memberKey)))
      return COMMIT_REFUSAL.addFactsUnlisted
  } else if (!sameBytes(grant.holder, memberKey)) return COMMIT_REFUSAL.addNotHolder
  if (isSpent(judged, identity)) return COMMIT_REFUSAL.addSerialSpent
  return ledger.refused(memberKey, lineage) === undefined ? undefined : COMMIT_REFUSAL.addRefused
}

/** Whether another member has the serial, had it in this line of epochs, or had it and said goodbye. */
function isSpent({ ledger, roster, lineage }: Case, { memberKey, serial }: Identity): boolean {
  for (const { identity } of roster.values()) {
    if (sameBytes(identity.serial, serial) && !sameBytes(identity.memberKey, memberKey)) return true
  }
  const winner = ledger.winner(serial, lineage)
  if (winner !== undefined) return !sameBytes(winner, memberKey)
  // A member that joined later does not know who was here before it; a Leave tells.
  return ledger.leavers(serial).some((member) => !sameBytes(member, memberKey))
}

function judgeRemove(judged: Case, leaf: number, facts: ProposalFacts): CommitRefusal | undefined {
  const { ledger, lineage } = judged
  const { memberKey } = (judged.roster.get(leaf) as Leaf).identity
  for (const { identity } of judged.added.values()) {
    // The join number was compared before.
    if (sameBytes(identity.memberKey, memberKey)) return undefined
  }
  const isJust =
    ledger.refused(memberKey, lineage) === undefined
      ? isExpired(judged, memberKey, facts)
      : ledger.isRefusedBy(memberKey, lineage, facts)
  return isJust ? undefined : COMMIT_REFUSAL.removeUnjustified
}

/** The member's last Grant, which is listed, ended before the commit, and not against this member's clock. */
function isExpired({ ledger, lineage, data, now }: Case, member: Uint8Array, facts: ProposalFacts): boolean {
  const last = ledger.certificate(member, lineage)?.grant
  if (last === undefined || !lists(facts, last.id) || last.end >= data.wallTime) return false
  return now === undefined || now > last.end - EXPIRY_SLACK
}

function lists(facts: ProposalFacts, id: Uint8Array): boolean {
  return facts.some((each) => sameBytes(each, id))
}

function invalid(reason: CommitRefusal, proposal?: number): Verdict {
  return { kind: 'invalid', reason, proposal }
}
