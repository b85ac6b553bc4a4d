/**
 * The simulator's MLS engine: the jobs, refusals, rosters and message lengths of the real one
 * (core/mls/tsmls.ts) without the cryptography, thousands of times faster and synchronous. Members of one
 * epoch have the same secrets; forks of one parent have different ones; whoever is not in the roster cannot
 * go on. What it does not give: secrecy. A Welcome tells everybody who reads it what the epoch's secret is;
 * no simulated attacker reads there, because no code here asks for it. Never for real nodes.
 *
 * Engines of one world share their verdicts (judge.ts), which changes no outcome. What the real work
 * would cost is told by cost.ts before a job is run.
 */
import { hex, sameBytes, utf8 } from '../../core/ids.ts'
import { checkJob } from '../../core/mls/check.ts'
import { verifyCredential } from '../../core/mls/credential.ts'
import {
  type CandidateFacts,
  type CommitJob,
  type CreateJob,
  type EncodeJob,
  type EngineCrypto,
  type EpochFacts,
  type ExportJob,
  type ExportWish,
  type JoinJob,
  type KeyPackageJob,
  type MlsEngine,
  type MlsFailure,
  type MlsJob,
  type MlsOutcome,
  type NewLeaf,
  type ProcessJob,
  type RestoreJob,
  type RosterFacts,
  SUITE,
  type Suite,
} from '../../core/mls/engine.ts'
import { exportSecret } from '../../core/mls/exporter.ts'
import { ADDS_MAX, COMMIT_BYTES_MAX, TREE_BYTES_MAX } from '../../core/mls/limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from '../../core/mls/refusal.ts'
import { expectRoster, type Proposal, type Unplaced } from '../../core/mls/roster.ts'
import { StateTable } from '../../core/mls/states.ts'
import { openStored, STORED_BY, sealStored } from '../../core/mls/stored.ts'
import { encode } from '../../core/wire/schema.ts'
import { composeCommit, composeWelcome, type Insider, pathOf } from './compose.ts'
import { type CostShape, costMicros } from './cost.ts'
import { type Epoch, epochOf, inspectKeyPackage, type Transition, Verdicts } from './judge.ts'
import {
  decodePadded,
  KEY_PACKAGE_HEADER,
  keyOf,
  keyPackageSchema,
  padded,
  signedAndPadded,
  storedSchema,
  UNSIGNED,
} from './messages.ts'
import { keyPackageBytes, STORED_BYTES_PER_MEMBER, stateBytes } from './sizes.ts'
import { keysOfMember, treeOfOne } from './tree.ts'

interface HeldState extends Insider {
  readonly kind: 'state'
}
interface HeldKeyPackage {
  readonly kind: 'keyPackage'
  readonly suite: Suite
  readonly groupId: Uint8Array
  readonly entry: Unplaced
  readonly leafSeed: Uint8Array
  /** Of the KeyPackage, in hex. */
  readonly reference: string
}
type Held = HeldState | HeldKeyPackage

const NONE = new Uint8Array(0)
const NO_WORK: CostShape = {
  suite: SUITE.x25519,
  members: 0,
  adds: 0,
  path: false,
  ciphertexts: 0,
}

const refused = (why: MlsRefusal): MlsFailure => ({ ok: false, why })

export class StandInEngine implements MlsEngine<MlsOutcome> {
  readonly #crypto: EngineCrypto
  readonly #verdicts: Verdicts
  readonly #states = new StateTable<Held>()

  /** `verdicts`: one for all engines of a world. */
  constructor(crypto: EngineCrypto, verdicts = new Verdicts()) {
    this.#crypto = crypto
    this.#verdicts = verdicts
  }

  /** Microseconds of one core that the real engine would need for the job, which has not been run yet. */
  costMicros(job: MlsJob): number {
    return costMicros(job.kind, this.#shapeOf(job))
  }

  run(job: MlsJob): MlsOutcome {
    checkJob(job)
    if ('into' in job) {
      const why = this.#states.refusal(job.group, job.into, job.kind === 'join' ? 1 : 0)
      if (why !== undefined) return refused(why)
    }
    switch (job.kind) {
      case 'create':
        return this.#create(job)
      case 'keyPackage':
        return this.#keyPackage(job)
      case 'inspect': {
        const read = inspectKeyPackage(this.#crypto, job.suite, job.groupId, job.keyPackage)
        return read.ok ? { ok: true, kind: 'inspected', leaf: read.entry } : read
      }
      case 'commit':
        return this.#commit(job)
      case 'process':
        return this.#process(job)
      case 'join':
        return this.#join(job)
      case 'export':
        return this.#export(job)
      case 'encode':
        return this.#encode(job)
      case 'restore':
        return this.#restore(job)
      case 'drop':
        this.#states.take(job.group, job.states)
        return { ok: true, kind: 'dropped' }
    }
  }

  #create(job: CreateJob): MlsOutcome {
    const { hash } = this.#crypto
    const entry = this.#leaf(job.suite, job.groupId, job, job.entropy)
    if (entry === undefined) return refused(MLS_REFUSAL.badCredential)
    const record = {
      groupId: job.groupId.slice(),
      charter: job.charter.slice(),
      epoch: 0,
      secret: hash.keyed32(job.entropy, utf8('epoch')),
      tree: treeOfOne({ leaf: 0, ...entry }),
    }
    const epoch = epochOf(this.#crypto, job.suite, record)
    return this.#admit(job, epoch, 0, job.leafSeed.slice())
  }

  #keyPackage(job: KeyPackageJob): MlsOutcome {
    const { suite, entropy, leafSeed } = job
    const { hash } = this.#crypto
    const entry = this.#leaf(suite, job.groupId, job, entropy)
    if (entry === undefined) return refused(MLS_REFUSAL.badCredential)
    const keyPackage = signedAndPadded(
      keyPackageSchema,
      {
        header: KEY_PACKAGE_HEADER,
        suite,
        ...entry,
        ordinary: true,
        sound: true,
        initKey: hash.keyed32(entropy, utf8('init key')),
        signature: UNSIGNED,
      },
      (message) => this.#crypto.signatures.sign(leafSeed, message),
      keyPackageBytes(suite),
    )
    this.#states.put(job.group, job.into, {
      kind: 'keyPackage',
      suite,
      groupId: job.groupId.slice(),
      entry,
      leafSeed: leafSeed.slice(),
      reference: hex(hash.hash32(keyPackage)),
    })
    return { ok: true, kind: 'keyPackage', keyPackage }
  }

  #commit(job: CommitJob): MlsOutcome {
    const found = this.#states.find(job.group, job.from, 'state')
    if (!found.ok) return found
    const { epoch, ownLeaf, leafSeed } = found.held
    if (job.adds.length > ADDS_MAX) return refused(MLS_REFUSAL.tooManyProposals)
    const proposals: Proposal[] = job.removes.map((leaf) => ({ kind: 'remove', leaf }))
    for (const [add, bytes] of job.adds.entries()) {
      const read = inspectKeyPackage(this.#crypto, epoch.suite, epoch.groupId, bytes)
      if (!read.ok) return { ...read, add }
      proposals.push({ kind: 'add', entry: read.entry })
    }
    const expected = expectRoster(epoch.facts, ownLeaf, proposals)
    if (!expected.ok) return expected
    const commit = composeCommit(this.#crypto, found.held, job)
    if (commit.length > COMMIT_BYTES_MAX) return refused(MLS_REFUSAL.tooLarge)
    const judged = this.#verdicts.commit(this.#crypto, epoch, commit)
    if (judged.stage !== 'good') return refused(judged.why)
    const welcome = job.adds.length === 0 ? undefined : composeWelcome(this.#crypto, found.held, job, judged)
    if (welcome !== undefined && welcome.length > TREE_BYTES_MAX) return refused(MLS_REFUSAL.tooLarge)
    const candidate = this.#step(job, judged, ownLeaf, leafSeed)
    return { ok: true, kind: 'committed', candidate, commit, welcome }
  }

  #process(job: ProcessJob): MlsOutcome {
    const found = this.#states.find(job.group, job.from, 'state')
    if (!found.ok) return found
    const { epoch, ownLeaf, leafSeed } = found.held
    const judged = this.#verdicts.commit(this.#crypto, epoch, job.commit)
    if (judged.stage === 'opening') return refused(judged.why)
    if (judged.committer === ownLeaf) return refused(MLS_REFUSAL.ownCommit)
    if (judged.stage === 'content') return refused(judged.why)
    if (judged.removed.has(ownLeaf)) return refused(MLS_REFUSAL.removed)
    if (judged.stage === 'roster') return refused(judged.why)
    return { ok: true, kind: 'candidate', candidate: this.#step(job, judged, ownLeaf, leafSeed) }
  }

  #join(job: JoinJob): MlsOutcome {
    const found = this.#states.find(job.group, job.keyPackage, 'keyPackage')
    if (!found.ok) return found
    const { suite, groupId, entry, leafSeed, reference } = found.held
    const judged = this.#verdicts.welcome(this.#crypto, suite, job.welcome)
    if (!judged.ok) return judged
    const { epoch, signer, flaw } = judged
    if (!judged.joiners.includes(reference)) return refused(MLS_REFUSAL.notForUs)
    if (!sameBytes(epoch.groupId, groupId)) return refused(MLS_REFUSAL.wrongGroup)
    if (!sameBytes(epoch.charter, job.charter)) return refused(MLS_REFUSAL.wrongCharter)
    if (flaw !== undefined) return refused(flaw)
    const own = epoch.facts.roster.find(
      (leaf) => sameBytes(leaf.signatureKey, entry.signatureKey) && sameBytes(leaf.hpkeKey, entry.hpkeKey),
    )
    if (own === undefined) return refused(MLS_REFUSAL.unverified)
    this.#states.take(job.group, [job.keyPackage])
    this.#states.put(job.group, job.into, { kind: 'state', epoch, ownLeaf: own.leaf, leafSeed })
    const facts = rosterFacts(epoch, own.leaf, job.wishes)
    return { ok: true, kind: 'joined', epoch: facts, signer, welcomeData: judged.data }
  }

  #export(job: ExportJob): MlsOutcome {
    const found = this.#states.find(job.group, job.state, 'state')
    if (!found.ok) return found
    return { ok: true, kind: 'exported', exports: exportsOf(found.held.epoch, job.wishes) }
  }

  #encode(job: EncodeJob): MlsOutcome {
    const found = this.#states.find(job.group, job.state, 'state')
    if (!found.ok) return found
    const { epoch, ownLeaf, leafSeed } = found.held
    const { suite, tree } = epoch
    const said = encode(storedSchema, { ownLeaf, leafSeed, epoch })
    const body = padded(said, stateBytes(suite, tree, keysOfMember(tree, ownLeaf), epoch.epoch))
    const stored = sealStored(this.#crypto.hash, STORED_BY.standIn, suite, body)
    return stored.length > TREE_BYTES_MAX
      ? refused(MLS_REFUSAL.tooLarge)
      : { ok: true, kind: 'encoded', stored }
  }

  #restore(job: RestoreJob): MlsOutcome {
    const opened = openStored(this.#crypto.hash, STORED_BY.standIn, job.stored)
    if (!opened.ok) return opened
    const said = decodePadded(storedSchema, opened.body)
    if (said === undefined) return refused(MLS_REFUSAL.undecodable)
    const epoch = epochOf(this.#crypto, opened.suite, said.epoch)
    return this.#admit(job, epoch, said.ownLeaf, said.leafSeed)
  }

  #admit(job: CreateJob | RestoreJob, epoch: Epoch, ownLeaf: number, leafSeed: Uint8Array): MlsOutcome {
    this.#states.put(job.group, job.into, { kind: 'state', epoch, ownLeaf, leafSeed })
    return { ok: true, kind: 'epoch', epoch: rosterFacts(epoch, ownLeaf, job.wishes) }
  }

  #step(
    job: CommitJob | ProcessJob,
    made: Transition,
    ownLeaf: number,
    leafSeed: Uint8Array,
  ): CandidateFacts {
    const { epoch, committer, proposals, updated, authenticatedData } = made
    this.#states.put(job.group, job.into, { kind: 'state', epoch, ownLeaf, leafSeed })
    const members = epoch.facts.roster.length
    const facts = epochFacts(epoch, ownLeaf, job.wishes)
    return { ...facts, committer, proposals, updated, authenticatedData, members }
  }

  /** A leaf of one's own; undefined if the credential does not bind its key. */
  #leaf(suite: Suite, groupId: Uint8Array, leaf: NewLeaf, entropy: Uint8Array): Unplaced | undefined {
    const { hash, signatures } = this.#crypto
    const signatureKey = signatures.publicKey(leaf.leafSeed)
    if (!verifyCredential(signatures, groupId, leaf.credential, signatureKey)) return undefined
    const hpkeKey = keyOf(hash, suite, hash.keyed32(entropy, utf8('leaf key')))
    return { credential: leaf.credential.slice(), signatureKey, hpkeKey, extensions: NONE }
  }

  #shapeOf(job: MlsJob): CostShape {
    switch (job.kind) {
      case 'commit': {
        const found = this.#states.find(job.group, job.from, 'state')
        if (!found.ok) return NO_WORK
        const { epoch, ownLeaf } = found.held
        const path = pathOf(epoch, ownLeaf, job)
        const ciphertexts = sum(path ?? [])
        return { ...sizeOf(epoch), adds: job.adds.length, ciphertexts, path: path !== undefined }
      }
      case 'process': {
        const found = this.#states.find(job.group, job.from, 'state')
        if (!found.ok) return NO_WORK
        const judged = this.#verdicts.commit(this.#crypto, found.held.epoch, job.commit)
        if (judged.stage !== 'good') return NO_WORK
        const adds = judged.proposals.filter(({ kind }) => kind === 'add').length
        return { ...sizeOf(judged.epoch), adds, path: judged.updated !== undefined }
      }
      case 'join': {
        const found = this.#states.find(job.group, job.keyPackage, 'keyPackage')
        if (!found.ok) return NO_WORK
        const judged = this.#verdicts.welcome(this.#crypto, found.held.suite, job.welcome)
        return judged.ok ? sizeOf(judged.epoch) : NO_WORK
      }
      case 'encode': {
        const found = this.#states.find(job.group, job.state, 'state')
        return found.ok ? sizeOf(found.held.epoch) : NO_WORK
      }
      case 'restore':
        return { ...NO_WORK, members: Math.ceil(job.stored.length / STORED_BYTES_PER_MEMBER) }
      case 'create':
      case 'keyPackage':
      case 'inspect':
        return { ...NO_WORK, suite: job.suite }
      default:
        return NO_WORK
    }
  }
}

function sizeOf({ suite, facts }: Epoch): CostShape {
  return { ...NO_WORK, suite, members: facts.roster.length }
}

function epochFacts(epoch: Epoch, ownLeaf: number, wishes: readonly ExportWish[]): EpochFacts {
  const { groupId, suite, authenticator, exporterSecret } = epoch
  return {
    groupId,
    suite,
    epoch: epoch.epoch,
    ownLeaf,
    authenticator,
    // The caller may zero it; the epoch is shared.
    exporterSecret: exporterSecret.slice(),
    exports: exportsOf(epoch, wishes),
  }
}

function rosterFacts(epoch: Epoch, ownLeaf: number, wishes: readonly ExportWish[]): RosterFacts {
  const { charter, facts } = epoch
  return { ...epochFacts(epoch, ownLeaf, wishes), charter, roster: facts.roster }
}

function exportsOf({ suite, exporterSecret }: Epoch, wishes: readonly ExportWish[]): Uint8Array[] {
  return wishes.map(({ label, context, length }) =>
    exportSecret(suite, exporterSecret, label, context, length),
  )
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}
