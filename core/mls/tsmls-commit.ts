/**
 * Making and processing commits with ts-mls. It accepts much that a group without a server must not
 * (R5 to R10), and its errors have no names. So every commit is opened and judged here first, by what it
 * says; then ts-mls processes it; then the result is compared with what was expected (sec:M7).
 */
import {
  type ClientConfig,
  type ClientState,
  createCommit,
  defaultKeyPackageEqualityConfig,
  defaultLifetimeConfig,
  emptyPskIndex,
  encodeMlsMessage,
  type Proposal as MlsProposal,
  type PrivateMessage,
  type ProposalAdd,
  type ProposalRemove,
  processPrivateMessage,
} from 'ts-mls'
import type { Commit } from 'ts-mls/commit.js'
import { unprotectPrivateMessage } from 'ts-mls/messageProtection.js'
import { CodecError, CryptoVerificationError } from 'ts-mls/mlsError.js'
import { InvariantError, UsageError } from '../errors.ts'
import { sameBytes } from '../ids.ts'
import type { CommitJob, Proposed } from './engine.ts'
import { type CommitFraming, readCommitFraming } from './framing.ts'
import { ADDS_MAX, COMMIT_BYTES_MAX, CREDENTIAL_BYTES, REMOVES_MAX, TREE_BYTES_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'
import { checkTransition, expectRoster, type GroupFacts, type Proposal, type Roster } from './roster.ts'
import { factsOf, inspectKeyPackage, readKeyPackage, SALT_EXTENSION } from './tsmls-leaf.ts'
import { pruned } from './tsmls-secrets.ts'
import { keyWorks, type LoadedSuite, type Workshop } from './tsmls-suite.ts'

/**
 * How ts-mls treats our states; not part of what it encodes, so it is put back after a restore. No earlier
 * epoch is kept (0 would mean all of them, R13; `pruned` takes the one that 1 keeps). A sender's commit is
 * under its first key; four more are tried, so that one that follows a proposal, which nobody may send, is
 * refused for what it is. Nothing is padded (packets are, sec:A12). The binding of a credential is checked
 * where the group is known, not in the authentication service, which is told of no group.
 */
export const CLIENT_CONFIG: ClientConfig = {
  keyRetentionConfig: {
    retainKeysForEpochs: 1,
    retainKeysForGenerations: 1,
    maximumForwardRatchetSteps: 4,
  },
  lifetimeConfig: defaultLifetimeConfig,
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  paddingConfig: { kind: 'alwaysPad', paddingLength: 0 },
  authService: {
    validateCredential: async (credential) =>
      credential.credentialType === 'basic' &&
      'identity' in credential &&
      credential.identity.length === CREDENTIAL_BYTES,
  },
}

export interface Refused {
  readonly ok: false
  readonly why: MlsRefusal
  readonly add?: number
  /** Secrets that the attempt left behind. */
  readonly spilt?: readonly Uint8Array[]
  /** A state that was made and is not to be. */
  readonly candidate?: ClientState
}

export interface Stepped {
  readonly ok: true
  readonly state: ClientState
  readonly committer: number
  readonly proposals: readonly Proposed[]
  /** Whether the commit had a path. */
  readonly updates: boolean
  readonly facts: GroupFacts
  readonly authenticatedData: Uint8Array
  readonly spilt: readonly Uint8Array[]
}

export interface Committed extends Stepped {
  readonly commit: Uint8Array
  readonly welcome: Uint8Array | undefined
}

const refused = (why: MlsRefusal): Refused => ({ ok: false, why })

/** The public facts of a state; undefined if it has a leaf that is not ordinary. */
export function factsOfState(loaded: LoadedSuite, state: ClientState): GroupFacts | undefined {
  const active = state.groupActiveState.kind === 'active'
  return factsOf(state.groupContext, state.ratchetTree, loaded.suite, active)
}

/** Makes the commit that a job describes on `state`. */
export async function makeCommit(
  shop: Workshop,
  state: ClientState,
  job: CommitJob,
): Promise<Committed | Refused> {
  const before = factsOfState(shop.loaded, state)
  if (before === undefined) return refused(MLS_REFUSAL.rosterMismatch)
  if (job.adds.length > ADDS_MAX) return refused(MLS_REFUSAL.tooManyProposals)
  const committer = state.privatePath.leafIndex
  const proposals: Proposal[] = job.removes.map((leaf) => ({ kind: 'remove', leaf }))
  const wanted: MlsProposal[] = job.removes.map((removed) => ({
    proposalType: 'remove',
    remove: { removed },
  }))
  for (const [add, bytes] of job.adds.entries()) {
    const read = await readKeyPackage(shop, state.groupContext.groupId, bytes)
    if (!read.ok) return { ...read, add }
    proposals.push({ kind: 'add', entry: read.entry })
    wanted.push({ proposalType: 'add', add: { keyPackage: read.keyPackage } })
  }
  const expected = expectRoster(before, committer, proposals)
  if (!expected.ok) return expected
  const adding = job.adds.length > 0
  const made = await createCommit(
    { state, cipherSuite: shop.cs, pskIndex: emptyPskIndex },
    {
      extraProposals: wanted,
      ratchetTreeExtension: adding,
      authenticatedData: job.authenticatedData.slice(),
      groupInfoExtensions:
        adding && job.welcomeData.length > 0
          ? [{ extensionType: SALT_EXTENSION, extensionData: job.welcomeData.slice() }]
          : [],
    },
  )
  const after = settle(shop, made.newState, before, committer, expected.roster)
  const spilt = made.consumed
  if (!after.ok) return { ...after, candidate: made.newState, spilt }
  const commit = encodeMlsMessage(made.commit)
  const welcome = made.welcome && encodeMlsMessage({ ...WELCOME, welcome: made.welcome })
  if (commit.length > COMMIT_BYTES_MAX || (welcome?.length ?? 0) > TREE_BYTES_MAX) {
    return { ...refused(MLS_REFUSAL.tooLarge), candidate: made.newState, spilt }
  }
  return {
    ...after,
    committer,
    proposals: expected.proposals,
    // As RFC 9420, section 12.4 has it: only Adds do without a path.
    updates: proposals.length === 0 || job.removes.length > 0,
    authenticatedData: job.authenticatedData,
    spilt,
    commit,
    welcome,
  }
}

const WELCOME = { version: 'mls10', wireformat: 'mls_welcome' } as const

/** Processes another member's commit on `state`. */
export async function processCommit(
  shop: Workshop,
  state: ClientState,
  bytes: Uint8Array,
): Promise<Stepped | Refused> {
  const framing = readCommitFraming(bytes)
  if (!framing.ok) return framing
  const misplaced = placeRefusal(state, framing.value)
  if (misplaced !== undefined) return refused(misplaced)
  const before = factsOfState(shop.loaded, state)
  if (before === undefined) return refused(MLS_REFUSAL.rosterMismatch)
  const message = messageOf(framing.value)
  const opened = await openCommit(shop, state, message)
  if (!opened.ok) return opened
  const { committer, commit, spilt } = opened
  const judged = await judgeCommit(shop, state, before, committer, commit)
  if (!judged.ok) return { ...judged, spilt }
  const processed = await attempt(MLS_REFUSAL.badPath, () =>
    processPrivateMessage(state, message, emptyPskIndex, shop.cs, () => 'accept'),
  )
  if (!processed.ok) return { ...processed, spilt }
  const { newState, consumed } = processed.value
  const left = [...spilt, ...consumed]
  const after = settle(shop, newState, before, committer, judged.roster)
  if (!after.ok) return { ...after, candidate: newState, spilt: left }
  if (!(await pathWorks(shop, state, after.state, commit))) {
    return { ...refused(MLS_REFUSAL.badPath), candidate: newState, spilt: left }
  }
  const updates = commit.path !== undefined
  const { authenticatedData } = message
  return { ...after, committer, proposals: judged.proposals, updates, authenticatedData, spilt: left }
}

function placeRefusal(state: ClientState, framing: CommitFraming): MlsRefusal | undefined {
  const { groupContext, groupActiveState } = state
  if (!sameBytes(framing.groupId, groupContext.groupId)) return MLS_REFUSAL.wrongGroup
  if (BigInt(framing.epoch) !== groupContext.epoch) return MLS_REFUSAL.wrongEpoch
  return groupActiveState.kind === 'active' ? undefined : MLS_REFUSAL.groupInactive
}

function messageOf(framing: CommitFraming): PrivateMessage {
  return {
    groupId: framing.groupId.slice(),
    epoch: BigInt(framing.epoch),
    contentType: 'commit',
    authenticatedData: framing.authenticatedData.slice(),
    encryptedSenderData: framing.encryptedSenderData.slice(),
    ciphertext: framing.ciphertext.slice(),
  }
}

type Opened =
  | {
      readonly ok: true
      readonly committer: number
      readonly commit: Commit
      readonly spilt: readonly Uint8Array[]
    }
  | Refused

/** Decrypts the commit and verifies whose it is, without processing it. */
async function openCommit(shop: Workshop, state: ClientState, message: PrivateMessage): Promise<Opened> {
  const opened = await attempt(MLS_REFUSAL.unverified, () =>
    unprotectPrivateMessage(
      state.keySchedule.senderDataSecret,
      message,
      state.secretTree,
      state.ratchetTree,
      state.groupContext,
      CLIENT_CONFIG.keyRetentionConfig,
      shop.cs,
    ),
  )
  if (!opened.ok) return opened
  const { content } = opened.value.content
  const spilt = opened.value.consumed
  if (content.contentType !== 'commit' || content.sender.senderType !== 'member') {
    return { ...refused(MLS_REFUSAL.messageKind), spilt }
  }
  const committer = content.sender.leafIndex
  if (committer === state.privatePath.leafIndex) return { ...refused(MLS_REFUSAL.ownCommit), spilt }
  return { ok: true, committer, commit: content.commit, spilt }
}

type Judged =
  | { readonly ok: true; readonly roster: Roster; readonly proposals: readonly Proposed[] }
  | Refused

/** What the commit says it does: only Adds and Removes by value, and to what roster they lead. */
async function judgeCommit(
  shop: Workshop,
  state: ClientState,
  before: GroupFacts,
  committer: number,
  commit: Commit,
): Promise<Judged> {
  const wanted = valuesOf(commit)
  if (!wanted.ok) return wanted
  const own = state.privatePath.leafIndex
  // Cheap refusals come before the verifications that KeyPackages cost.
  if (wanted.values.some((one) => 'remove' in one && one.remove.removed === own)) {
    return refused(MLS_REFUSAL.removed)
  }
  const proposals: Proposal[] = []
  for (const one of wanted.values) {
    if ('remove' in one) {
      proposals.push({ kind: 'remove', leaf: one.remove.removed })
      continue
    }
    const { groupId } = state.groupContext
    const inspected = await inspectKeyPackage(shop, groupId, one.add.keyPackage)
    if (!inspected.ok) return inspected
    proposals.push({ kind: 'add', entry: inspected.entry })
  }
  const expected = expectRoster(before, committer, proposals)
  return expected.ok ? expected : refused(expected.why)
}

type Values = { readonly ok: true; readonly values: readonly (ProposalAdd | ProposalRemove)[] } | Refused

/** The proposals, if they are of the kinds there may be, by value, and not too many. */
function valuesOf(commit: Commit): Values {
  const values: (ProposalAdd | ProposalRemove)[] = []
  let adds = 0
  for (const one of commit.proposals) {
    if (one.proposalOrRefType !== 'proposal') return refused(MLS_REFUSAL.byReference)
    const { proposal } = one
    if ('externalInit' in proposal) return refused(MLS_REFUSAL.externalCommit)
    if (!('add' in proposal) && !('remove' in proposal)) return refused(MLS_REFUSAL.proposalKind)
    values.push(proposal)
    if ('add' in proposal) adds += 1
  }
  const many = adds > ADDS_MAX || values.length - adds > REMOVES_MAX
  return many ? refused(MLS_REFUSAL.tooManyProposals) : { ok: true, values }
}

type Settled = { readonly ok: true; readonly state: ClientState; readonly facts: GroupFacts } | Refused

/** Compares the state that ts-mls made with what it should be, and takes from it what is not needed. */
function settle(
  shop: Workshop,
  made: ClientState,
  before: GroupFacts,
  committer: number,
  expected: Roster,
): Settled {
  const after = factsOfState(shop.loaded, made)
  if (after === undefined) return refused(MLS_REFUSAL.rosterMismatch)
  const why = checkTransition(before, after, committer, expected)
  if (why !== undefined) return refused(why)
  return { ok: true, state: pruned(made), facts: after }
}

/**
 * Whether every public key of the path can be sealed to, and those of this member's own nodes are those of
 * the private keys it was given: RFC 9420, section 12.4.2 demands the latter, ts-mls does not check it.
 */
async function pathWorks(
  shop: Workshop,
  before: ClientState,
  after: ClientState,
  commit: Commit,
): Promise<boolean> {
  if (commit.path === undefined) return true
  const publicKeys = [commit.path.leafNode, ...commit.path.nodes].map((node) => node.hpkePublicKey)
  for (const key of publicKeys) if (!(await keyWorks(shop.loaded, key))) return false
  const former = before.privatePath.privateKeys
  return ownKeysWork(shop, after, (node, key) => former[node] !== key)
}

/** Whether private keys of this member's path belong to the public keys of the tree. */
export async function ownKeysWork(
  shop: Workshop,
  state: ClientState,
  concerns: (node: number, key: Uint8Array) => boolean,
): Promise<boolean> {
  for (const [text, key] of Object.entries(state.privatePath.privateKeys)) {
    const index = Number(text)
    if (!concerns(index, key)) continue
    const node = state.ratchetTree[index]
    if (node === undefined) continue
    const publicKey = node.nodeType === 'leaf' ? node.leaf.hpkePublicKey : node.parent.hpkePublicKey
    if (!(await keyWorks(shop.loaded, publicKey, key))) return false
  }
  return true
}

type Attempted<T> = { readonly ok: true; readonly value: T } | Refused

/**
 * Runs a part of ts-mls over a peer's bytes. Whatever it throws is a refusal: what cannot be decoded, what
 * does not verify, and otherwise `why`. Only our own faults pass.
 */
export async function attempt<T>(why: MlsRefusal, part: () => Promise<T>): Promise<Attempted<T>> {
  try {
    return { ok: true, value: await part() }
  } catch (error) {
    if (error instanceof UsageError || error instanceof InvariantError) throw error
    if (error instanceof CodecError) return refused(MLS_REFUSAL.undecodable)
    if (error instanceof CryptoVerificationError) return refused(MLS_REFUSAL.unverified)
    return refused(why)
  }
}
