/**
 * What a commit may do to a roster (sec:B4, M7), as pure checks on the rosters before and after it. ts-mls
 * does not enforce them (R5 to R8), so engines ask here twice: before processing, what the roster will be;
 * after, whether it became exactly that. Group logic may ask again. Knows no keys and no messages; whether
 * a proposal is justified is told by the ledger.
 */
import { compareBytes, hex, sameBytes } from '../ids.ts'
import { readCredential } from './credential.ts'
import type { Proposed, RosterLeaf } from './engine.ts'
import { ADDS_MAX, REMOVES_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'

/** Leaves in ascending order of their index. */
export type Roster = readonly RosterLeaf[]
/** A leaf that has no place yet. */
export type Unplaced = Omit<RosterLeaf, 'leaf'>

/** A proposal by value, of the only two kinds there are here (sec:B2). */
export type Proposal =
  | { readonly kind: 'remove'; readonly leaf: number }
  | { readonly kind: 'add'; readonly entry: Unplaced }

/** A group as one epoch has it, as far as it is public among members. */
export interface GroupFacts {
  readonly roster: Roster
  /** HPKE keys of the non-blank parent nodes of the ratchet tree: they must not be a leaf's either (R6). */
  readonly parentKeys: readonly Uint8Array[]
  /** The group's extensions, encoded: 0xF001 and nothing else. */
  readonly extensions: Uint8Array
  /** False once suspended or left (R8). */
  readonly active: boolean
}

export type Expected =
  | {
      readonly ok: true
      /** Before the committer's path, which changes the HPKE key of the committer alone. */
      readonly roster: Roster
      readonly proposals: readonly Proposed[]
    }
  | { readonly ok: false; readonly why: MlsRefusal /** Which of the Adds. */; readonly add?: number }

/** What the roster will be, and what each proposal does; or why it may not be. */
export function expectRoster(
  before: GroupFacts,
  committer: number,
  proposals: readonly Proposal[],
): Expected {
  if (!before.active) return { ok: false, why: MLS_REFUSAL.groupInactive }
  const removes = proposals.filter((one) => one.kind === 'remove')
  const adds = proposals.length - removes.length
  if (adds > ADDS_MAX || removes.length > REMOVES_MAX) {
    return { ok: false, why: MLS_REFUSAL.tooManyProposals }
  }
  const leaves = new Map(before.roster.map((leaf) => [leaf.leaf, leaf]))
  const removed = new Map<number, RosterLeaf>()
  for (const { leaf } of removes) {
    const entry = leaves.get(leaf)
    if (entry === undefined || leaf === committer) return { ok: false, why: MLS_REFUSAL.badRemove }
    leaves.delete(leaf)
    removed.set(leaf, entry)
  }
  const placed = placeAdds(before, leaves, [...removed.values()], proposals)
  if (!placed.ok) return placed
  const proposed = proposals.map((one, at) =>
    one.kind === 'remove'
      ? { kind: one.kind, leaf: removed.get(one.leaf) as RosterLeaf }
      : { kind: one.kind, leaf: placed.adds.get(at) as RosterLeaf },
  )
  const roster = [...leaves.values()].sort((left, right) => left.leaf - right.leaf)
  return { ok: true, roster, proposals: proposed }
}

type Placed =
  | { readonly ok: true; readonly adds: ReadonlyMap<number, RosterLeaf> }
  | { readonly ok: false; readonly why: MlsRefusal; readonly add: number }

/** Puts each added leaf into the leftmost empty place (RFC 9420, section 7.7), if its keys are new. */
function placeAdds(
  before: GroupFacts,
  leaves: Map<number, RosterLeaf>,
  removed: Roster,
  proposals: readonly Proposal[],
): Placed {
  const adds = new Map<number, RosterLeaf>()
  const taken = new Taken(before.parentKeys)
  if (proposals.some((one) => one.kind === 'add')) for (const leaf of leaves.values()) taken.add(leaf)
  let place = 0
  for (const [at, proposal] of proposals.entries()) {
    if (proposal.kind === 'remove') continue
    const { entry } = proposal
    const why = taken.refusal(entry) ?? staleness(entry, removed)
    if (why !== undefined) return { ok: false, why, add: adds.size }
    taken.add(entry)
    while (leaves.has(place)) place += 1
    const leaf = { leaf: place, ...entry }
    leaves.set(place, leaf)
    adds.set(at, leaf)
  }
  return { ok: true, adds }
}

/** An old KeyPackage must not displace a member's newer leaf (sec:C1). */
function staleness(entry: Unplaced, removed: Roster): MlsRefusal | undefined {
  const credential = readCredential(entry.credential)
  if (credential === undefined) return MLS_REFUSAL.undecodable
  for (const { credential: bytes } of removed) {
    const old = readCredential(bytes)
    if (old === undefined || compareBytes(old.memberKey, credential.memberKey) !== 0) continue
    if (credential.joinNumber <= old.joinNumber) return MLS_REFUSAL.staleJoinNumber
  }
  return undefined
}

/**
 * Refuses unless `after` is what `expected` says, but for a new HPKE key of the committer: no other leaf
 * changed, no key occurs twice, the committer is who it was, extensions and state are what they were.
 */
export function checkTransition(
  before: GroupFacts,
  after: GroupFacts,
  committer: number,
  expected: Roster,
): MlsRefusal | undefined {
  if (!after.active) return MLS_REFUSAL.groupInactive
  if (!sameBytes(before.extensions, after.extensions)) return MLS_REFUSAL.extensionChanged
  const signer = after.roster.find(({ leaf }) => leaf === committer)
  const former = expected.find(({ leaf }) => leaf === committer)
  if (signer === undefined || former === undefined) return MLS_REFUSAL.rosterMismatch
  if (!sameBytes(signer.credential, former.credential)) return MLS_REFUSAL.committerIdentityChanged
  if (!sameBytes(signer.signatureKey, former.signatureKey)) return MLS_REFUSAL.committerKeyChanged
  if (after.roster.length !== expected.length) return MLS_REFUSAL.rosterMismatch
  for (const [at, leaf] of after.roster.entries()) {
    const other = expected[at] as RosterLeaf
    const same = leaf.leaf === committer ? { ...other, hpkeKey: leaf.hpkeKey } : other
    if (!sameLeaf(leaf, same)) return MLS_REFUSAL.rosterMismatch
  }
  return checkDistinct(after)
}

/** Refuses a group in which two leaves share a member key or leaf key, or two nodes an HPKE key. */
export function checkDistinct(group: Pick<GroupFacts, 'roster' | 'parentKeys'>): MlsRefusal | undefined {
  const taken = new Taken([])
  for (const leaf of group.roster) {
    const why = taken.refusal(leaf)
    if (why !== undefined) return why
    taken.add(leaf)
  }
  return taken.refusalOfKeys(group.parentKeys)
}

function sameLeaf(left: RosterLeaf, right: RosterLeaf): boolean {
  return (
    left.leaf === right.leaf &&
    sameBytes(left.credential, right.credential) &&
    sameBytes(left.signatureKey, right.signatureKey) &&
    sameBytes(left.hpkeKey, right.hpkeKey) &&
    sameBytes(left.extensions, right.extensions)
  )
}

/** Keys in use, each kind for itself. */
class Taken {
  readonly #members = new Set<string>()
  readonly #signatureKeys = new Set<string>()
  readonly #hpkeKeys = new Set<string>()

  constructor(hpkeKeys: readonly Uint8Array[]) {
    for (const key of hpkeKeys) this.#hpkeKeys.add(hex(key))
  }

  refusal({ credential, signatureKey, hpkeKey }: Unplaced): MlsRefusal | undefined {
    if (this.#members.has(memberOf(credential))) return MLS_REFUSAL.duplicateMember
    if (this.#signatureKeys.has(hex(signatureKey))) return MLS_REFUSAL.duplicateSignatureKey
    return this.#hpkeKeys.has(hex(hpkeKey)) ? MLS_REFUSAL.duplicateHpkeKey : undefined
  }

  add({ credential, signatureKey, hpkeKey }: Unplaced): void {
    this.#members.add(memberOf(credential))
    this.#signatureKeys.add(hex(signatureKey))
    this.#hpkeKeys.add(hex(hpkeKey))
  }

  /** Takes all of them too. */
  refusalOfKeys(hpkeKeys: readonly Uint8Array[]): MlsRefusal | undefined {
    for (const key of hpkeKeys) {
      const text = hex(key)
      if (this.#hpkeKeys.has(text)) return MLS_REFUSAL.duplicateHpkeKey
      this.#hpkeKeys.add(text)
    }
    return undefined
  }
}

const MEMBER_KEY_BYTES = 32

function memberOf(credential: Uint8Array): string {
  return hex(credential.subarray(0, MEMBER_KEY_BYTES))
}
