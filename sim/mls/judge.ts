/**
 * What the stand-in engine makes of a commit or a Welcome: the same verdicts in the same order as the real
 * engine (core/mls/tsmls-commit.ts, tsmls-join.ts), by the same roster checks. Whatever does not depend on
 * who asks is judged once for the whole world and remembered: five hundred simulated members of one epoch
 * share one roster, one tree and one verdict.
 */
import { concat, hex, sameBytes, utf8 } from '../../core/ids.ts'
import { verifyCredential } from '../../core/mls/credential.ts'
import type { EngineCrypto, Proposed, RosterLeaf, Suite } from '../../core/mls/engine.ts'
import { checkFormat, readCommitFraming, WIRE_FORMAT } from '../../core/mls/framing.ts'
import {
  ADDS_MAX,
  CREDENTIAL_BYTES,
  KEY_PACKAGE_BYTES_MAX,
  REMOVES_MAX,
  TREE_BYTES_MAX,
} from '../../core/mls/limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from '../../core/mls/refusal.ts'
import {
  checkDistinct,
  checkTransition,
  expectRoster,
  type GroupFacts,
  type Proposal,
  type Unplaced,
} from '../../core/mls/roster.ts'
import { readU32 } from '../../core/wire/cursor.ts'
import {
  commitSchema,
  decodePadded,
  type EpochRecord,
  HEADER_BYTES,
  isSuite,
  KEY_PACKAGE_HEADER_BYTES,
  keyPackageSchema,
  PROPOSAL,
  REFERENCE,
  type StandInCommit,
  type StandInKeyPackage,
  unsignedPart,
  welcomeSchema,
} from './messages.ts'
import { hpkeKeyBytes, keyPackageBytes, secretBytes } from './sizes.ts'
import { leavesOf, type Tree, withLeaf, withoutLeaf, withPath } from './tree.ts'

/** One epoch of one branch: the same object for all its members where they come from one commit. */
export interface Epoch extends EpochRecord {
  readonly suite: Suite
  readonly facts: GroupFacts
  readonly authenticator: Uint8Array
  readonly exporterSecret: Uint8Array
}

const NONE = new Uint8Array(0)

export function epochOf({ hash }: EngineCrypto, suite: Suite, record: EpochRecord): Epoch {
  const { tree, secret, charter } = record
  const parentKeys: Uint8Array[] = []
  for (const node of tree) if (node?.kind === 'parent') parentKeys.push(node.key)
  const derived = (name: string): Uint8Array => {
    const first = hash.keyed32(secret, utf8(name))
    const second = hash.keyed32(secret, utf8(`${name}, second half`))
    return concat(first, second).subarray(0, secretBytes(suite))
  }
  return {
    ...record,
    suite,
    facts: { roster: leavesOf(tree), parentKeys, extensions: charter, active: true },
    authenticator: derived('authenticator'),
    exporterSecret: derived('exporter'),
  }
}

/** Sixteen bytes that only a member of the epoch can make: stands for the seal of a PrivateMessage. */
export function sealTag(
  { hash }: EngineCrypto,
  epoch: Epoch,
  nonce: Uint8Array,
  authenticatedData: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array {
  const covered = concat(nonce, hash.hash32(authenticatedData), ciphertext)
  return hash.keyed32(epoch.secret, covered).subarray(0, TAG_BYTES)
}

/** Together as long as the real encrypted sender data: leaf, generation and reuse guard, and a tag. */
export const NONCE_BYTES = 12
const TAG_BYTES = 16

/** What a commit's signature covers. */
export function signedCommit(epoch: Epoch, authenticatedData: Uint8Array, commit: StandInCommit): Uint8Array {
  return concat(epoch.authenticator, unsignedPart(commitSchema, commit), authenticatedData)
}

/** What became of a commit, as far as it is the same for everybody; `stage` says how far it came. */
export type Judgement =
  | { readonly stage: 'opening'; readonly why: MlsRefusal }
  | { readonly stage: 'content'; readonly why: MlsRefusal; readonly committer: number }
  | {
      readonly stage: 'roster'
      readonly why: MlsRefusal
      readonly committer: number
      readonly removed: ReadonlySet<number>
    }
  | ({ readonly stage: 'good'; readonly removed: ReadonlySet<number> } & Transition)

export interface Transition {
  readonly committer: number
  readonly proposals: readonly Proposed[]
  readonly updated: RosterLeaf | undefined
  readonly authenticatedData: Uint8Array
  readonly epoch: Epoch
}

export type WelcomeJudgement =
  | { readonly ok: false; readonly why: MlsRefusal }
  | {
      readonly ok: true
      readonly joiners: readonly string[]
      readonly epoch: Epoch
      readonly signer: number
      readonly data: Uint8Array
      /** What is wrong with it, to be told to those that it is for. */
      readonly flaw: MlsRefusal | undefined
    }

/** Verdicts kept: the commits that are on their way at one time, over all groups of a world. A guess. */
const VERDICTS_MAX = 512

/** What all stand-in engines of a world share: verdicts, by what they are about. Oldest go first. */
export class Verdicts {
  readonly #commits = new Map<string, Judgement>()
  readonly #welcomes = new Map<string, WelcomeJudgement>()

  commit(crypto: EngineCrypto, epoch: Epoch, bytes: Uint8Array): Judgement {
    const key = hex(crypto.hash.hash32(concat(epoch.authenticator, crypto.hash.hash32(bytes))))
    return remembered(this.#commits, key, () => judgeCommit(crypto, epoch, bytes))
  }

  welcome(crypto: EngineCrypto, suite: Suite, bytes: Uint8Array): WelcomeJudgement {
    const key = `${suite}/${hex(crypto.hash.hash32(bytes))}`
    return remembered(this.#welcomes, key, () => judgeWelcome(crypto, suite, bytes))
  }
}

function remembered<T>(known: Map<string, T>, key: string, judge: () => T): T {
  const found = known.get(key)
  if (found !== undefined) return found
  if (known.size >= VERDICTS_MAX) for (const oldest of known.keys()) if (known.delete(oldest)) break
  const verdict = judge()
  known.set(key, verdict)
  return verdict
}

function judgeCommit(crypto: EngineCrypto, epoch: Epoch, bytes: Uint8Array): Judgement {
  const framing = readCommitFraming(bytes)
  if (!framing.ok) return { stage: 'opening', why: framing.why }
  const { groupId, encryptedSenderData: sender, ciphertext, authenticatedData } = framing.value
  const opening = (why: MlsRefusal): Judgement => ({ stage: 'opening', why })
  if (!sameBytes(groupId, epoch.groupId)) return opening(MLS_REFUSAL.wrongGroup)
  if (framing.value.epoch !== epoch.epoch) return opening(MLS_REFUSAL.wrongEpoch)
  const nonce = sender.subarray(0, NONCE_BYTES)
  const tag = sealTag(crypto, epoch, nonce, authenticatedData, ciphertext)
  if (!sameBytes(tag, sender.subarray(NONCE_BYTES))) return opening(MLS_REFUSAL.unverified)
  const commit = decodePadded(commitSchema, ciphertext)
  if (commit === undefined) return opening(MLS_REFUSAL.undecodable)
  const signer = epoch.facts.roster.find(({ leaf }) => leaf === commit.committer)
  const signed = signedCommit(epoch, authenticatedData, commit)
  const { signatures } = crypto
  if (signer === undefined || !signatures.verify(signer.signatureKey, signed, commit.signature)) {
    return opening(MLS_REFUSAL.unverified)
  }
  return judgeContent(crypto, epoch, bytes, authenticatedData.slice(), commit)
}

function judgeContent(
  crypto: EngineCrypto,
  epoch: Epoch,
  bytes: Uint8Array,
  authenticatedData: Uint8Array,
  commit: StandInCommit,
): Judgement {
  const { committer } = commit
  const kinds = kindsRefusal(commit)
  if (kinds !== undefined) return { stage: 'content', why: kinds, committer }
  const removed = new Set(removesOf(commit))
  const roster = (why: MlsRefusal): Judgement => ({ stage: 'roster', why, committer, removed })
  const proposals: Proposal[] = []
  for (const { type, body } of commit.proposals) {
    if (type === PROPOSAL.remove) {
      proposals.push({ kind: 'remove', leaf: readU32(body, 0) })
      continue
    }
    const inspected = inspectKeyPackage(
      crypto,
      epoch.suite,
      epoch.groupId,
      concat(KEY_PACKAGE_HEADER_BYTES, body),
    )
    if (!inspected.ok) return roster(inspected.why)
    proposals.push({ kind: 'add', entry: inspected.entry })
  }
  const expected = expectRoster(epoch.facts, committer, proposals)
  if (!expected.ok) return roster(expected.why)
  const next = nextEpoch(crypto, epoch, bytes, commit, expected.proposals)
  if (!next.ok) return roster(next.why)
  const why = checkTransition(epoch.facts, next.epoch.facts, committer, expected.roster)
  if (why !== undefined) return roster(why)
  if (commit.path?.sound === false) return roster(MLS_REFUSAL.badPath)
  const updated = commit.path && next.epoch.facts.roster.find(({ leaf }) => leaf === committer)
  const { proposals: proposed } = expected
  const { epoch: after } = next
  return { stage: 'good', removed, committer, proposals: proposed, updated, authenticatedData, epoch: after }
}

function kindsRefusal({ proposals }: StandInCommit): MlsRefusal | undefined {
  let adds = 0
  for (const { type, body } of proposals) {
    if ((type & REFERENCE) !== 0) return MLS_REFUSAL.byReference
    if (type === PROPOSAL.externalInit) return MLS_REFUSAL.externalCommit
    if (type === PROPOSAL.add) adds += 1
    else if (type !== PROPOSAL.remove || body.length !== 4) return MLS_REFUSAL.proposalKind
  }
  const many = adds > ADDS_MAX || proposals.length - adds > REMOVES_MAX
  return many ? MLS_REFUSAL.tooManyProposals : undefined
}

function removesOf({ proposals }: StandInCommit): number[] {
  return proposals.filter(({ type }) => type === PROPOSAL.remove).map(({ body }) => readU32(body, 0))
}

type Next = { readonly ok: true; readonly epoch: Epoch } | { readonly ok: false; readonly why: MlsRefusal }

/** The epoch that a commit leads to, whether or not it may. */
function nextEpoch(
  crypto: EngineCrypto,
  epoch: Epoch,
  bytes: Uint8Array,
  commit: StandInCommit,
  proposals: readonly Proposed[],
): Next {
  const { hash } = crypto
  const { path, committer } = commit
  const added = new Set<number>()
  let tree: Tree = epoch.tree
  for (const { kind, leaf } of proposals) if (kind === 'remove') tree = withoutLeaf(tree, leaf.leaf)
  for (const { kind, leaf } of proposals) {
    if (kind !== 'add') continue
    tree = withLeaf(tree, leaf)
    added.add(leaf.leaf)
  }
  const digest = hash.hash32(bytes)
  if (path === undefined && added.size < Math.max(1, proposals.length)) {
    return { ok: false, why: MLS_REFUSAL.badPath }
  }
  if (path !== undefined) {
    if (!path.ordinary || path.hpkeKey.length !== hpkeKeyBytes(epoch.suite)) {
      return { ok: false, why: MLS_REFUSAL.rosterMismatch }
    }
    const { credential, signatureKey, hpkeKey } = path
    const entry = { leaf: committer, credential, signatureKey, hpkeKey, extensions: NONE }
    const keyOfNode = (node: number): Uint8Array =>
      hash.keyed32(digest, Uint8Array.of(node >>> 24, node >>> 16, node >>> 8, node))
    tree = withPath(tree, entry, added, keyOfNode).tree
  }
  const { groupId, charter } = epoch
  const secret = hash.keyed32(epoch.secret, digest)
  const record = { groupId, charter, epoch: epoch.epoch + 1, secret, tree }
  return { ok: true, epoch: epochOf(crypto, epoch.suite, record) }
}

export type Inspected =
  | { readonly ok: true; readonly entry: Unplaced; readonly keyPackage: StandInKeyPackage }
  | { readonly ok: false; readonly why: MlsRefusal }

const refused = (why: MlsRefusal): { readonly ok: false; readonly why: MlsRefusal } => ({ ok: false, why })

/** All that does not depend on the group's roster. */
export function inspectKeyPackage(
  crypto: EngineCrypto,
  suite: Suite,
  groupId: Uint8Array,
  bytes: Uint8Array,
): Inspected {
  if (bytes.length > KEY_PACKAGE_BYTES_MAX) return refused(MLS_REFUSAL.tooLarge)
  const format = checkFormat(bytes, WIRE_FORMAT.keyPackage)
  if (format !== undefined) return refused(format)
  const said = bytes.length < HEADER_BYTES + 2 ? 0 : readU32(bytes, HEADER_BYTES) >>> 16
  if (!isSuite(said)) return refused(MLS_REFUSAL.undecodable)
  const length = keyPackageBytes(said)
  if (bytes.length > length) return refused(MLS_REFUSAL.trailingBytes)
  const keyPackage = bytes.length < length ? undefined : decodePadded(keyPackageSchema, bytes)
  if (keyPackage === undefined) return refused(MLS_REFUSAL.undecodable)
  if (said !== suite) return refused(MLS_REFUSAL.wrongSuite)
  const { credential, signatureKey, hpkeKey, ordinary, sound, signature } = keyPackage
  if (credential.length !== CREDENTIAL_BYTES) return refused(MLS_REFUSAL.undecodable)
  const inOrder = ordinary && sound && hpkeKey.length === hpkeKeyBytes(suite)
  const signed = unsignedPart(keyPackageSchema, keyPackage)
  if (!inOrder || !crypto.signatures.verify(signatureKey, signed, signature)) {
    return refused(MLS_REFUSAL.badKeyPackage)
  }
  if (!verifyCredential(crypto.signatures, groupId, credential, signatureKey)) {
    return refused(MLS_REFUSAL.badCredential)
  }
  return { ok: true, entry: { credential, signatureKey, hpkeKey, extensions: NONE }, keyPackage }
}

function judgeWelcome(crypto: EngineCrypto, suite: Suite, bytes: Uint8Array): WelcomeJudgement {
  if (bytes.length > TREE_BYTES_MAX) return refused(MLS_REFUSAL.tooLarge)
  const format = checkFormat(bytes, WIRE_FORMAT.welcome)
  if (format !== undefined) return refused(format)
  const length = bytes.length < HEADER_BYTES + 4 ? 0 : readU32(bytes, HEADER_BYTES)
  if (bytes.length < length || length === 0) return refused(MLS_REFUSAL.undecodable)
  if (bytes.length > length) return refused(MLS_REFUSAL.trailingBytes)
  const welcome = decodePadded(welcomeSchema, bytes)
  if (welcome === undefined) return refused(MLS_REFUSAL.undecodable)
  if (welcome.suite !== suite) return refused(MLS_REFUSAL.wrongSuite)
  const epoch = epochOf(crypto, suite, welcome.epoch)
  const { roster } = epoch.facts
  const signer = roster.find(({ leaf }) => leaf === welcome.signer)
  const signed = unsignedPart(welcomeSchema, welcome)
  const { signatures } = crypto
  const verified = signer !== undefined && signatures.verify(signer.signatureKey, signed, welcome.signature)
  const flaw = verified ? rosterFlaw(crypto, epoch) : MLS_REFUSAL.unverified
  return {
    ok: true,
    joiners: welcome.joiners.map(hex),
    epoch,
    signer: welcome.signer,
    data: welcome.data,
    flaw,
  }
}

function rosterFlaw({ signatures }: EngineCrypto, epoch: Epoch): MlsRefusal | undefined {
  const { groupId, facts } = epoch
  const bound = facts.roster.every(({ credential, signatureKey }) =>
    verifyCredential(signatures, groupId, credential, signatureKey),
  )
  return checkDistinct(facts) ?? (bound ? undefined : MLS_REFUSAL.badCredential)
}
