/**
 * Commits that came for kept epochs, and which of them to process: the one that everybody with the same
 * evidence prefers (sec:B6). They are weighed by what they claim until they are processed; nothing is
 * adopted on claims.
 */
import { hex, sameBytes } from '../ids.ts'
import type { Micros } from '../io.ts'
import { decodeCommitData } from '../ledger/commit-data.ts'
import type { Proposal } from '../ledger/judgement.ts'
import { judgeCommit } from '../ledger/judgement.ts'
import { compareWeights, HOLD, maySwitch, type Weight, weigh } from '../ledger/preference.ts'
import type { CandidateFacts } from '../mls/engine.ts'
import { readCommitFraming } from '../mls/framing.ts'
import type { Epoch } from './epoch.ts'
import { forkOf } from './evidence.ts'
import { RIVALS_MAX, RIVALS_OF_ONE_MAX } from './limits.ts'
import type { CommitMessage } from './messages.ts'
import type { GroupState, Rival } from './state.ts'

/** Takes in a commit for a kept epoch as it came; the rival if it may be one, new or known. */
export function takeRival(
  group: GroupState,
  parent: Epoch,
  said: CommitMessage,
  message: Uint8Array,
): Rival | undefined {
  const { counts } = group.ports
  const rivals = group.rivals.get(parent.name) ?? []
  const hash = group.hash32(said.commit)
  const known = rivals.find((rival) => sameBytes(rival.hash, hash))
  if (known !== undefined) {
    counts.add('commitKnown')
    return known
  }
  const committer = parent.roster.get(said.committer)?.identity.memberKey
  const framing = readCommitFraming(said.commit)
  const data = framing.ok ? decodeCommitData(framing.value.authenticatedData) : undefined
  if (committer === undefined || data === undefined || !sameBytes(data.parent, parent.mlsId)) {
    counts.add('commitRefused')
    return undefined
  }
  if (group.isRefused(hex(committer))) {
    counts.add('senderRefused')
    return undefined
  }
  const own = rivals.filter((rival) => sameBytes(rival.committer, committer)).length
  if (rivals.length >= RIVALS_MAX || own >= RIVALS_OF_ONE_MAX) {
    counts.add('boundRivals')
    return undefined
  }
  const kept = message.slice()
  const rival: Rival = {
    parent: parent.name,
    child: said.child.slice(),
    childName: hex(said.child),
    committer,
    proposals: said.proposals,
    removes: [...said.removes],
    commit: kept.subarray(kept.length - said.commit.length),
    hash,
    message: kept,
    missing: group.ledger.missing(data.facts.flat()),
    verdict: 'open',
    made: undefined,
  }
  rivals.push(rival)
  group.rivals.set(parent.name, rivals)
  return rival
}

/** Of commits that waited for facts, which facts are still missing. */
export function lookAgain(group: GroupState): void {
  for (const rivals of group.rivals.values())
    for (const rival of rivals)
      if (rival.missing.length > 0) rival.missing = group.ledger.missing(rival.missing)
}

/**
 * The commit to follow next: for the head, the preferred one; for an older kept epoch, one that is preferred
 * to the way that was gone. Undefined if all is as it should be, or held.
 */
export function preferredRival(group: GroupState, now: Micros): Rival | undefined {
  for (const [place, parent] of group.line.entries()) {
    const child = group.line[place + 1]
    const best = bestOf(group, parent, child)
    if (best === undefined) continue
    if (child === undefined) return best.rival
    const { order, clause } = compareWeights(best.weight, weightOfLine(group, parent, child))
    if (order >= 0) continue
    if (maySwitch(clause, child.adoptedAt, now)) return best.rival
    group.wakeBy(child.adoptedAt + HOLD)
  }
  return undefined
}

function bestOf(
  group: GroupState,
  parent: Epoch,
  child: Epoch | undefined,
): { readonly rival: Rival; readonly weight: Weight } | undefined {
  let best: { readonly rival: Rival; readonly weight: Weight } | undefined
  for (const rival of group.rivals.get(parent.name) ?? []) {
    if (rival.verdict === 'failed' || rival.missing.length > 0 || rival.childName === child?.name) continue
    if (group.isRefused(hex(rival.committer)) || group.storing?.rival === rival) continue
    const weight = weightOfRival(group, parent, rival)
    if (best === undefined || compareWeights(weight, best.weight).order < 0) best = { rival, weight }
  }
  return best
}

/** Whether a rival that is not adopted yet would be, with today's evidence. */
export function wouldLead(group: GroupState, rival: Rival): boolean {
  const place = group.placeOf(rival.parent)
  const parent = group.line[place]
  if (parent === undefined) return false
  const weight = weightOfRival(group, parent, rival)
  const child = group.line[place + 1]
  if (child !== undefined && compareWeights(weight, weightOfLine(group, parent, child)).order > 0)
    return false
  const best = bestOf(group, parent, child)
  return best === undefined || best.rival === rival || compareWeights(weight, best.weight).order < 0
}

function weightOfRival(group: GroupState, parent: Epoch, rival: Rival): Weight {
  const removed = new Set(rival.removes)
  const suspects: Uint8Array[] = []
  for (const [name, member] of group.refused) {
    const leaf = parent.leafOf.get(name)
    if (leaf !== undefined && !removed.has(leaf)) suspects.push(member)
  }
  const { child: mlsId, proposals, committer, hash: commitHash } = rival
  const child = { mlsId, headRoster: suspects, proposals, committer, commitHash }
  const { tally } = forkOf(group, parent)
  return weigh(group.ports.crypto.hash, parent.mlsId, child, group.ledger, tally)
}

/** The way that was gone from the parent, with the head that it led to. */
function weightOfLine(group: GroupState, parent: Epoch, child: Epoch): Weight {
  const suspects: Uint8Array[] = []
  for (const [name, member] of group.refused) if (group.head?.leafOf.has(name)) suspects.push(member)
  const step = child.step as NonNullable<Epoch['step']>
  const { tally } = forkOf(group, parent)
  const view = { mlsId: child.mlsId, headRoster: suspects, ...step }
  return weigh(group.ports.crypto.hash, parent.mlsId, view, group.ledger, tally)
}

/** Whether a processed commit is what it claimed, and does only what facts allow (sec:B4). */
export function judgeRival(
  group: GroupState,
  parent: Epoch,
  rival: Rival,
  facts: CandidateFacts,
  child: Uint8Array,
): 'valid' | 'claimsFalse' | 'commitUnjustified' | 'missing' {
  const committer = parent.roster.get(facts.committer)?.identity.memberKey
  const removes: number[] = []
  for (const { kind, leaf } of facts.proposals) if (kind === 'remove') removes.push(leaf.leaf)
  const isAsClaimed =
    sameBytes(child, rival.child) &&
    committer !== undefined &&
    sameBytes(committer, rival.committer) &&
    facts.proposals.length === rival.proposals &&
    removes.join() === rival.removes.join()
  if (!isAsClaimed) return 'claimsFalse'
  const { ledger, spent: lineage } = group
  const scene = { ledger, parent: parent.mlsId, roster: parent.roster, lineage, now: group.wall() }
  const proposals = facts.proposals.map(
    ({ kind, leaf }): Proposal =>
      kind === 'remove'
        ? { kind, leaf: leaf.leaf }
        : { kind, credential: leaf.credential, leafKey: leaf.signatureKey },
  )
  const { authenticatedData, committer: signer } = facts
  const verdict = judgeCommit(group.ports.crypto, scene, { signer, authenticatedData, proposals })
  if (verdict.kind === 'valid') return 'valid'
  if (verdict.kind === 'invalid') return 'commitUnjustified'
  rival.missing = verdict.ids
  return 'missing'
}
