/**
 * One epoch of one branch as the group's logic has it: names, roster, salts, and how it came from its
 * parent. Plain data made from what an engine reports; knows no time but when it was adopted.
 */
import type { Hash } from '../crypto/ports.ts'
import { concat, hex, mlsId } from '../ids.ts'
import type { Micros } from '../io.ts'
import { readCredential } from '../ledger/certificate.ts'
import { decodeCommitData } from '../ledger/commit-data.ts'
import type { WallMillis } from '../ledger/fields.ts'
import type { Leaf, Roster } from '../ledger/judgement.ts'
import type {
  CandidateFacts,
  EpochFacts,
  ExportWish,
  RosterFacts,
  RosterLeaf,
  StateName,
} from '../mls/engine.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import type { Salts } from './effects.ts'
import { SALT_LIFE_MILLIS } from './limits.ts'

const NONE = new Uint8Array(0)

/** What every new state is asked for: the GroupInitKey (design, section 2) and a salt. */
export const WISHES: readonly ExportWish[] = [
  { label: 'peertap group init', context: NONE, length: 32 },
  { label: 'peertap salt', context: NONE, length: 32 },
]

/** Salts with the wall time from which the current one counts. */
export interface DatedSalts extends Salts {
  readonly since: WallMillis
}

/** How an epoch came from its parent. */
export interface Step {
  /** MLS-ID, 16 bytes. */
  readonly parent: Uint8Array
  /** Member key. */
  readonly committer: Uint8Array
  readonly proposals: number
  /** H32 of the commit. */
  readonly commitHash: Uint8Array
  /** No path: whoever has the parent's state can follow (sec:S19). */
  readonly addsOnly: boolean
  readonly removes: boolean
  /** Member keys in hex of those that it let in. */
  readonly added: ReadonlySet<string>
}

export interface Epoch {
  readonly mlsId: Uint8Array
  /** The same in hex. */
  readonly name: string
  /** MLS epoch number: siblings share it. */
  readonly number: number
  /** What the engine knows it by. */
  readonly state: StateName
  readonly ownLeaf: number
  readonly leafSeed: Uint8Array
  readonly roster: Roster
  /** By member key in hex. */
  readonly leafOf: ReadonlyMap<string, number>
  readonly salts: DatedSalts
  /** Undefined for one that was founded, joined or restored. */
  readonly step: Step | undefined
  adoptedAt: Micros
}

/** An epoch with what is handed over when it is adopted. */
export interface NewEpoch {
  readonly epoch: Epoch
  readonly facts: EpochFacts
}

function epochName(hash: Hash, facts: EpochFacts): Uint8Array {
  return mlsId(hash, facts.exports[0] as Uint8Array)
}

/** Undefined for a credential that is not of its form. */
function leafFrom(entry: Omit<RosterLeaf, 'leaf'>): Leaf | undefined {
  const identity = readCredential(entry.credential)
  return identity && { identity, leafKey: entry.signatureKey }
}

/** An epoch whose whole roster was reported; undefined if a credential in it is not of its form. */
export function epochOfRoster(
  hash: Hash,
  facts: RosterFacts,
  given: { readonly state: StateName; readonly leafSeed: Uint8Array; readonly salts: DatedSalts },
): NewEpoch | undefined {
  const roster = new Map<number, Leaf>()
  const leafOf = new Map<string, number>()
  for (const entry of facts.roster) {
    const leaf = leafFrom(entry)
    if (leaf === undefined) return undefined
    roster.set(entry.leaf, leaf)
    leafOf.set(hex(leaf.identity.memberKey), entry.leaf)
  }
  const id = epochName(hash, facts)
  const { epoch: number, ownLeaf } = facts
  const names = { mlsId: id, name: hex(id), number, ownLeaf }
  return { epoch: { ...names, ...given, roster, leafOf, step: undefined, adoptedAt: 0 }, facts }
}

/** The child of `parent` that a judged commit leads to. */
export function childOf(
  hash: Hash,
  parent: Epoch,
  facts: CandidateFacts,
  made: { readonly state: StateName; readonly commitHash: Uint8Array },
): NewEpoch | undefined {
  const roster = new Map(parent.roster)
  const leafOf = new Map(parent.leafOf)
  const gone = new Set<string>()
  const added = new Set<string>()
  for (const { kind, leaf: entry } of facts.proposals) {
    const leaf = leafFrom(entry)
    if (leaf === undefined) return undefined
    const member = hex(leaf.identity.memberKey)
    if (kind === 'remove') {
      roster.delete(entry.leaf)
      leafOf.delete(member)
      gone.add(member)
    } else {
      roster.set(entry.leaf, leaf)
      leafOf.set(member, entry.leaf)
      gone.delete(member)
      added.add(member)
    }
  }
  const id = epochName(hash, facts)
  const step = {
    parent: parent.mlsId,
    committer: (parent.roster.get(facts.committer) as Leaf).identity.memberKey,
    proposals: facts.proposals.length,
    commitHash: made.commitHash,
    addsOnly: facts.updated === undefined,
    removes: facts.proposals.some(({ kind }) => kind === 'remove'),
    added,
  }
  const wallTime = decodeCommitData(facts.authenticatedData)?.wallTime ?? 0
  const salts = nextSalts(parent.salts, facts, gone.size > 0, wallTime)
  const names = { mlsId: id, name: hex(id), number: facts.epoch, ownLeaf: facts.ownLeaf }
  const { leafSeed } = parent
  const epoch = { ...names, state: made.state, leafSeed, roster, leafOf, salts, step, adoptedAt: 0 }
  return { epoch, facts }
}

/**
 * Rotated at each removal, and otherwise after seven days by the wall times in commits: all who follow a
 * branch decide alike. A member that comes back under a new leaf leaves nothing behind. A wall time before
 * that of the last change says that one of the two lied or erred: then it is rotated too, or a commit from
 * the far future would be the last to rotate it. What has no path has no secret that older states lack.
 */
function nextSalts(
  salts: DatedSalts,
  facts: CandidateFacts,
  removes: boolean,
  wallTime: WallMillis,
): DatedSalts {
  const isOld = wallTime >= salts.since + SALT_LIFE_MILLIS || wallTime < salts.since
  if (!removes && (!isOld || facts.updated === undefined)) return salts
  return { current: facts.exports[1] as Uint8Array, previous: salts.current, since: wallTime }
}

/** The salts of a lineage that begins: the previous is the same. */
export function firstSalts(facts: EpochFacts, wallTime: WallMillis): DatedSalts {
  const current = facts.exports[1] as Uint8Array
  return { current, previous: current, since: wallTime }
}

const SALTS_BYTES = 71

/**
 * Extension 0xF002 (sec:C6): rotated 1, current 32, previous 32, wall time of the last change 6. Who makes a
 * Welcome does not know the secrets of the epoch that it leads to: where its commit rotates the salts, it
 * gives those of the parent and says so.
 */
export function encodeSalts({ current, previous, since }: DatedSalts, rotatedAt?: WallMillis): Uint8Array {
  const flag = Uint8Array.of(rotatedAt === undefined ? 0 : 1)
  const time = new Writer(6)
  time.u48(rotatedAt ?? since)
  return concat(flag, current, previous, time.bytes)
}

/** The salts of the epoch joined, in own bytes; undefined if they are not exactly of their form. */
export function decodeSalts(given: Uint8Array, facts: EpochFacts): DatedSalts | undefined {
  const flag = given[0] ?? 2
  if (given.length !== SALTS_BYTES || flag > 1) return undefined
  const from = new Reader(given, 1)
  const said = { current: from.take(32).slice(), previous: from.take(32).slice(), since: from.u48() }
  if (flag === 0) return said
  return { current: (facts.exports[1] as Uint8Array).slice(), previous: said.current, since: said.since }
}

/** Whether a commit with these Removes, some of which make room for the same member, rotates the salts. */
export function rotates(salts: DatedSalts, gone: number, removes: number, wallTime: WallMillis): boolean {
  const isOld = wallTime >= salts.since + SALT_LIFE_MILLIS || wallTime < salts.since
  return gone > 0 || (isOld && removes > 0)
}
