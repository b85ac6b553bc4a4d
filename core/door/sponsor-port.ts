/**
 * What a door asks of the group behind it. The group's machine implements it; the door calls it within its
 * own inputs and keeps nothing that it answers. Everything is synchronous: what takes time (an Add, a clean
 * roster) is answered later, by `Sponsor.welcome` and its kin, or by asking again.
 */
import type { Micros } from '../io.ts'
import type { WallMillis } from '../ledger/fields.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Certificate, Lineage } from '../ledger/standing.ts'
import type { Purpose } from './handshake.ts'
import type { Evidence, LogEntry } from './messages.ts'
import type { Learner } from './reconcile.ts'
import type { DoorRefusal } from './refusals.ts'

/** A KeyPackage that somebody wants added (sec:C5, B11). */
export interface AddRequest {
  /** Unique within the life of the door: names the answer. */
  readonly id: number
  /**
   * Whose it must be: inspect it, and refuse it if its credential is another member's. Undefined for one
   * that the ambassador of a losing branch brings: then it must be that of any certified member.
   */
  readonly member: Uint8Array | undefined
  readonly purpose: Purpose
  /** Copy it to keep it. */
  readonly keyPackage: Uint8Array
}

/** The member behind a door. */
export interface DoorMember extends Learner {
  /** The VLAN's; the door reads it and adds by `learn`, which also gossips what was new. */
  readonly ledger: Ledger
  /** MLS-ID of the adopted epoch; undefined while there is none, then the door is shut. */
  head(): Uint8Array | undefined
  /** Whether this member knows to be where its group is. If not it lets nobody in: it may be left behind. */
  mayLetIn(now: Micros): boolean
  /** This member's own, standing and in force. */
  certificate(): Certificate | undefined
  /** Who was added when in the adopted lineage (sec:C5). */
  lineage(): Lineage
  /** Member keys of those that keep the door and were heard in the last 60 s (sec:B5, C4). */
  keepers(now: Micros): readonly Uint8Array[]
  /** Wall time; undefined while the clock is not set. */
  wall(now: Micros): WallMillis | undefined
  /** Whether this member has the commits that lead on from an epoch. */
  leadsOn(mlsId: Uint8Array): boolean
  /** MLS-IDs of the adopted lineage, the newest first, at most LINEAGE_MAX. */
  lineageIds(): readonly Uint8Array[]
}

/** The group behind a door whose sessions are served here (serve.ts). */
export interface SponsorPort extends DoorMember {
  /** Asks for an Add, replacing the member's older leaf if it has one. A refusal ends the request. */
  requestAdd(now: Micros, request: AddRequest): DoorRefusal | undefined
  /** Whoever asked has gone. */
  withdrawAdd(id: number): void

  /** The commits from that epoch to the head, at most LOG_MAX; undefined if the log does not have it. */
  log(now: Micros, from: Uint8Array): readonly LogEntry[] | undefined

  // Merging of branches (sec:B11).
  /**
   * What this branch shows for itself at the fork from `parent` (undefined: no epoch in common), as soon as
   * its roster has no refused member that a commit could remove; undefined until then.
   */
  evidence(now: Micros, parent: Uint8Array | undefined): Evidence | undefined
  /** Both branches have shown theirs. `session`: names it for `MergeTalk.offer`. */
  met(now: Micros, meeting: Meeting): void
  /** A Welcome, or a refusal, for KeyPackages that this end offered in a merge. Copy to keep. */
  welcomed(now: Micros, numbers: readonly number[], welcome: Uint8Array): void
  notAdded(now: Micros, number: number): void
}

/** What two ambassadors know after they met: the same at both, with own and theirs changed about. */
export interface Meeting {
  /** Member key of the other ambassador. */
  readonly with: Uint8Array
  /** The newest epoch that both lineages have. */
  readonly parent: Uint8Array | undefined
  readonly own: Evidence
  readonly theirs: Evidence
}
