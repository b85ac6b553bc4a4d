/**
 * The seam between the logic of a group and the engine that does its MLS (RFC 9420).
 *
 * MLS is slow (milliseconds for each member and commit) and its library is asynchronous; the core is
 * neither. So the core describes work as a job of plain data, starts it (core/io.ts) and goes on when the
 * outcome, plain data too, comes back as an input. core/mls/tsmls.ts is the real engine, a driver runs it in
 * a thread that it can kill (drivers/mls), sim/mls/standin.ts has the same refusals and sizes without the
 * cost; test/contract/mls.ts holds them to one behaviour. Which facts justify a commit, which branch wins
 * and when a state is stored is the group's business; an engine knows nothing of it.
 *
 * **States** are named by the caller: a number of 0 … 2^32 − 1, unique among the live ones of its group.
 * A state never changes. A commit made or processed leaves the old state as it was and puts the next epoch
 * under a new name; so a rollback is to process another commit on the older name (R1), and a committer
 * whose commit loses processes the winner's on the parent. Which state is current is known to the caller
 * alone. A new state is a *candidate* until the caller has judged what the outcome reports: keep it, or
 * drop it, and then nothing of it remains. An engine that refuses leaves no state behind and changes none.
 * The table is bounded: the caller drops what it does not need. Dropping zeroes those secrets of the state
 * that no state still held shares with it (R2).
 *
 * **Randomness** comes with the job: `entropy` is 32 fresh bytes from `Keys` (core/dice.ts), never used for
 * two jobs. An outcome is a function of job and states alone: the same job on the same state gives the same
 * bytes, whichever engine of that kind runs it. Time is not an input; lifetimes are unbounded, what expires
 * is a Grant (sec:B4).
 *
 * **Bytes** of jobs and outcomes are borrowed for reading and never written by either side. What belongs to
 * peers (commits, Welcomes, KeyPackages) is hostile until the outcome says otherwise.
 *
 * What an engine checks of a commit, all of it before the candidate is named: a PrivateMessage of a member
 * of that state's group and epoch, exact length; only Adds and Removes, by value, at most 64 of each;
 * KeyPackages valid and their credentials bound to their leaf keys; after processing, that the roster
 * changed exactly as the proposals say (core/mls/roster.ts). What it leaves to the caller: whether signer,
 * Adds and Removes are justified by the ledger (sec:B4), and everything about branches.
 */
import type { Crypto } from '../crypto/ports.ts'
import type { MlsRefusal } from './refusal.ts'

/** The ports that an engine needs. */
export type EngineCrypto = Pick<Crypto, 'hash' | 'signatures'>

/** MLS ciphersuites by their number; all sign with Ed25519. The hybrid one has no registered number. */
export const SUITE = {
  /** MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, the default. */
  x25519: 1,
  /** MLS_256_XWING_AES256GCM_SHA512_Ed25519 as ts-mls numbers it (sec:N7): ML-KEM-768 with X25519. */
  xwing: 83,
} as const
export type Suite = (typeof SUITE)[keyof typeof SUITE]

/** Which of a node's groups: a number the caller assigns, such as that of its port. */
export type MlsGroup = number
/** Names one state within its group; see above. */
export type StateName = number

/**
 * An exporter result wanted: MLS-Exporter(label, context, length) of RFC 9420, section 8.5. Every length is
 * given, because hashes differ between suites. For keys needed later in the epoch take `exporterSecret`
 * from the outcome and derive at once (core/mls/exporter.ts).
 */
export interface ExportWish {
  /** ASCII, such as `peertap mask`. */
  readonly label: string
  readonly context: Uint8Array
  /** Bytes, 1 to 255. */
  readonly length: number
}

/** Who a new leaf is. The leaf key is fresh at each join (sec:C1). */
export interface NewLeaf {
  /** 118 bytes: see core/mls/credential.ts; it must bind the public key of `leafSeed`. */
  readonly credential: Uint8Array
  /** Ed25519 seed of the leaf key, 32 bytes. */
  readonly leafSeed: Uint8Array
}

interface JobBase {
  readonly group: MlsGroup
}

/** Founds a lineage: epoch 0, this member alone at leaf 0 (sec:C7). Answers `epoch`. */
export interface CreateJob extends JobBase, NewLeaf {
  readonly kind: 'create'
  readonly suite: Suite
  /** The VLAN-ID, 16 bytes: the MLS group id. */
  readonly groupId: Uint8Array
  /** The Charter's hash, 32 bytes: extension 0xF001, the same for ever (sec:C2). */
  readonly charter: Uint8Array
  readonly entropy: Uint8Array
  readonly into: StateName
  readonly wishes: readonly ExportWish[]
}

/**
 * Makes a KeyPackage to be added with; its private half is kept under `into` until `join` has used it or it
 * is dropped. It cannot be stored: after a restart make a fresh one (sec:S1). Answers `keyPackage`.
 */
export interface KeyPackageJob extends JobBase, NewLeaf {
  readonly kind: 'keyPackage'
  readonly suite: Suite
  readonly groupId: Uint8Array
  readonly entropy: Uint8Array
  readonly into: StateName
}

/** Reads and verifies a peer's KeyPackage, for the committer to judge whom it adds. Answers `inspected`. */
export interface InspectJob extends JobBase {
  readonly kind: 'inspect'
  readonly suite: Suite
  readonly groupId: Uint8Array
  readonly keyPackage: Uint8Array
}

/**
 * Makes a commit on `from` and puts the epoch after it under `into`. Without Adds and Removes it is a key
 * update. Commit and Welcome are to be stored with the new state before they are sent (sec:B8). With Adds
 * only it has no path: whoever has the parent's state can follow, so an empty one is due (sec:S19).
 * Answers `committed`.
 */
export interface CommitJob extends JobBase {
  readonly kind: 'commit'
  readonly from: StateName
  readonly into: StateName
  /** Leaf indices. They stand before the Adds in the commit. */
  readonly removes: readonly number[]
  /** KeyPackages. */
  readonly adds: readonly Uint8Array[]
  /** In clear inside the commit, bound to it by signature and tag (sec:B3). */
  readonly authenticatedData: Uint8Array
  /** Extension 0xF002 of the Welcome's GroupInfo, the salts (sec:C6); unused without Adds. */
  readonly welcomeData: Uint8Array
  readonly entropy: Uint8Array
  readonly wishes: readonly ExportWish[]
}

/** Processes a commit of another member on `from` into the candidate `into`. Answers `candidate`. */
export interface ProcessJob extends JobBase {
  readonly kind: 'process'
  readonly from: StateName
  readonly into: StateName
  readonly commit: Uint8Array
  readonly wishes: readonly ExportWish[]
}

/**
 * Joins by a Welcome with the KeyPackage whose private half is `keyPackage`, which is spent and forgotten
 * when this succeeds and stays when it is refused (a forged Welcome must not burn it). Answers `joined`.
 */
export interface JoinJob extends JobBase {
  readonly kind: 'join'
  readonly keyPackage: StateName
  readonly into: StateName
  readonly welcome: Uint8Array
  /** What extension 0xF001 must be: the hash of the Charter that the invitation leads to (sec:C6). */
  readonly charter: Uint8Array
  readonly wishes: readonly ExportWish[]
}

/** Exports secrets of a state's epoch. Answers `exported`. */
export interface ExportJob extends JobBase {
  readonly kind: 'export'
  readonly state: StateName
  readonly wishes: readonly ExportWish[]
}

/**
 * Encodes a state for storage: secret bytes. Only what may outlive a crash: the adopted state, or the next
 * one with its commit (sec:B8); never a state kept for rollback (sec:M6). Answers `encoded`.
 */
export interface EncodeJob extends JobBase {
  readonly kind: 'encode'
  readonly state: StateName
}

/** Puts a stored state under `into`; `undecodable` if the bytes are not as they were. Answers `epoch`. */
export interface RestoreJob extends JobBase {
  readonly kind: 'restore'
  readonly into: StateName
  readonly stored: Uint8Array
  readonly wishes: readonly ExportWish[]
}

/** Forgets states (unknown ones are no fault), or all states of the group. Answers `dropped`. */
export interface DropJob extends JobBase {
  readonly kind: 'drop'
  readonly states: readonly StateName[] | 'all'
}

export type MlsJob =
  | CreateJob
  | KeyPackageJob
  | InspectJob
  | CommitJob
  | ProcessJob
  | JoinJob
  | ExportJob
  | EncodeJob
  | RestoreJob
  | DropJob

/** A member as the ratchet tree has it. */
export interface RosterLeaf {
  /** Leaf index, from 0. A place that a Remove emptied is given to a later Add. */
  readonly leaf: number
  /** 118 bytes (core/mls/credential.ts): its first 32 are the member key. */
  readonly credential: Uint8Array
  /** The leaf key, 32 bytes of Ed25519. */
  readonly signatureKey: Uint8Array
  readonly hpkeKey: Uint8Array
  /** Leaf extensions, encoded; no bytes where there are none. */
  readonly extensions: Uint8Array
}

/** What one proposal did, in the order of the commit; the leaf as it was, or as it is. */
export type Proposed =
  | { readonly kind: 'remove'; readonly leaf: RosterLeaf }
  | { readonly kind: 'add'; readonly leaf: RosterLeaf }

/** What every new state is reported with. */
export interface EpochFacts {
  readonly groupId: Uint8Array
  readonly suite: Suite
  /** MLS epoch number. Siblings share it: the MLS-ID names a branch, this does not. */
  readonly epoch: number
  /** This member's own leaf index. */
  readonly ownLeaf: number
  /** RFC 9420, section 8.7: equal for two members if and only if they are in the same state. */
  readonly authenticator: Uint8Array
  /** Root of all exports of this epoch (core/mls/exporter.ts); zero it when the epoch's keys are erased. */
  readonly exporterSecret: Uint8Array
  /** Of each wish, in order. */
  readonly exports: readonly Uint8Array[]
}

/** What a commit changed. */
export interface CandidateFacts extends EpochFacts {
  /** Leaf index of the signer, in the parent. */
  readonly committer: number
  readonly proposals: readonly Proposed[]
  /** The committer's leaf after its path gave it a new HPKE key; undefined for a commit of Adds only. */
  readonly updated: RosterLeaf | undefined
  readonly authenticatedData: Uint8Array
  /** Leaves of the new roster. */
  readonly members: number
}

export type MlsSuccess =
  | { readonly ok: true; readonly kind: 'epoch'; readonly epoch: RosterFacts }
  | { readonly ok: true; readonly kind: 'keyPackage'; readonly keyPackage: Uint8Array }
  | { readonly ok: true; readonly kind: 'inspected'; readonly leaf: Omit<RosterLeaf, 'leaf'> }
  | {
      readonly ok: true
      readonly kind: 'committed'
      readonly candidate: CandidateFacts
      readonly commit: Uint8Array
      /** One for all that were added; undefined if nobody was. */
      readonly welcome: Uint8Array | undefined
    }
  | { readonly ok: true; readonly kind: 'candidate'; readonly candidate: CandidateFacts }
  | {
      readonly ok: true
      readonly kind: 'joined'
      readonly epoch: RosterFacts
      /** Leaf index of who made the Welcome. */
      readonly signer: number
      /** Extension 0xF002, or no bytes. */
      readonly welcomeData: Uint8Array
    }
  | { readonly ok: true; readonly kind: 'exported'; readonly exports: readonly Uint8Array[] }
  | { readonly ok: true; readonly kind: 'encoded'; readonly stored: Uint8Array }
  | { readonly ok: true; readonly kind: 'dropped' }

/** A state of which the caller knows no parent, with its whole roster in ascending order of leaves. */
export interface RosterFacts extends EpochFacts {
  readonly charter: Uint8Array
  readonly roster: readonly RosterLeaf[]
}

export interface MlsFailure {
  readonly ok: false
  readonly why: MlsRefusal
  /** Which of the Adds of a `commit` job is at fault, if it is one: leave it out and try again. */
  readonly add?: number
}

export type MlsOutcome = MlsSuccess | MlsFailure

/**
 * Runs one job at a time: the next only after the outcome of the last. A wrong call (bytes of a wrong
 * length, limits of the caller's own side exceeded) is a UsageError; what peers sent never is.
 */
export interface MlsEngine<
  Outcome extends MlsOutcome | Promise<MlsOutcome> = MlsOutcome | Promise<MlsOutcome>,
> {
  run(job: MlsJob): Outcome
}
