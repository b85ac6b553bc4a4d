/**
 * The real MLS engine: ts-mls 1.6.4 behind the seam of core/mls/engine.ts. It waits, so it may only be run
 * where waiting is allowed: a driver's thread (drivers/mls), a browser worker, a test. How ts-mls is made
 * reproducible is in tsmls-suite.ts, what it is not trusted with in tsmls-commit.ts.
 *
 * It can still be made to work for very long by hostile bytes within the limits, and cannot be stopped from
 * inside: who runs it gives it a deadline and throws the whole engine away (sec:S18, R12).
 */
import {
  type ClientState,
  createGroup,
  decodeGroupState,
  encodeGroupState,
  type KeyPackage,
  type PrivateKeyPackage,
} from 'ts-mls'
import { assert, InvariantError, UsageError } from '../errors.ts'
import { checkJob } from './check.ts'
import { verifyCredential } from './credential.ts'
import type {
  CandidateFacts,
  CommitJob,
  CreateJob,
  EncodeJob,
  EngineCrypto,
  EpochFacts,
  ExportJob,
  ExportWish,
  InspectJob,
  JoinJob,
  KeyPackageJob,
  MlsEngine,
  MlsFailure,
  MlsGroup,
  MlsJob,
  MlsOutcome,
  ProcessJob,
  RestoreJob,
  RosterFacts,
  RosterLeaf,
  StateName,
  Suite,
} from './engine.ts'
import { exportSecret } from './exporter.ts'
import { TREE_BYTES_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'
import type { GroupFacts } from './roster.ts'
import { StateTable } from './states.ts'
import { openStored, STORED_BY, sealStored } from './stored.ts'
import {
  CLIENT_CONFIG,
  factsOfState,
  makeCommit,
  processCommit,
  type Refused,
  type Stepped,
} from './tsmls-commit.ts'
import { charterOf, joinByWelcome } from './tsmls-join.ts'
import {
  CHARTER_EXTENSION,
  encodeKeyPackage,
  makeKeyPackage,
  readKeyPackage,
  tryDecode,
} from './tsmls-leaf.ts'
import { secretsOf, secretsOfKeyPackage, wipe } from './tsmls-secrets.ts'
import { type LoadedSuite, loadSuite, suiteFor, type Workshop } from './tsmls-suite.ts'

type HeldState = { readonly kind: 'state'; readonly suite: Suite; readonly state: ClientState }
type HeldKeyPackage = {
  readonly kind: 'keyPackage'
  readonly suite: Suite
  readonly groupId: Uint8Array
  readonly keyPackage: KeyPackage
  readonly keys: PrivateKeyPackage
}
type TsMlsHeld = HeldState | HeldKeyPackage

const refused = (why: MlsRefusal): MlsFailure => ({ ok: false, why })

export class TsMlsEngine implements MlsEngine<Promise<MlsOutcome>> {
  readonly #crypto: EngineCrypto
  readonly #states = new StateTable<TsMlsHeld>()
  readonly #suites = new Map<Suite, LoadedSuite>()
  #busy = false

  constructor(crypto: EngineCrypto) {
    this.#crypto = crypto
  }

  /** One job at a time: a UsageError while another is under way. */
  async run(job: MlsJob): Promise<MlsOutcome> {
    if (this.#busy)
      throw new UsageError(`a job '${job.kind}' while another is under way; wait for its outcome`)
    checkJob(job)
    this.#busy = true
    try {
      return await this.#run(job)
    } catch (error) {
      if (error instanceof UsageError || error instanceof InvariantError) throw error
      return refused(MLS_REFUSAL.engineFailed)
    } finally {
      this.#busy = false
    }
  }

  async #run(job: MlsJob): Promise<MlsOutcome> {
    if ('into' in job) {
      const why = this.#states.refusal(job.group, job.into, job.kind === 'join' ? 1 : 0)
      if (why !== undefined) return refused(why)
    }
    switch (job.kind) {
      case 'create':
        return this.#create(job)
      case 'keyPackage':
        return this.#keyPackage(job)
      case 'inspect':
        return this.#inspect(job)
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
        this.#drop(job.group, job.states)
        return { ok: true, kind: 'dropped' }
    }
  }

  async #create(job: CreateJob): Promise<MlsOutcome> {
    const shop = await this.#shop(job.suite, job.entropy)
    const own = await makeKeyPackage(shop, job)
    if (!this.#binds(job.groupId, own.publicPackage, job.credential))
      return refused(MLS_REFUSAL.badCredential)
    const state = await createGroup(
      job.groupId.slice(),
      own.publicPackage,
      own.privatePackage,
      [{ extensionType: CHARTER_EXTENSION, extensionData: job.charter.slice() }],
      shop.cs,
      CLIENT_CONFIG,
    )
    own.privatePackage.initPrivateKey.fill(0)
    return this.#admit(job, shop.loaded, state)
  }

  async #keyPackage(job: KeyPackageJob): Promise<MlsOutcome> {
    const { suite } = job
    const shop = await this.#shop(suite, job.entropy)
    const { publicPackage: keyPackage, privatePackage: keys } = await makeKeyPackage(shop, job)
    if (!this.#binds(job.groupId, keyPackage, job.credential)) return refused(MLS_REFUSAL.badCredential)
    const groupId = job.groupId.slice()
    this.#states.put(job.group, job.into, { kind: 'keyPackage', suite, groupId, keyPackage, keys })
    return { ok: true, kind: 'keyPackage', keyPackage: encodeKeyPackage(keyPackage) }
  }

  async #inspect(job: InspectJob): Promise<MlsOutcome> {
    const shop = await this.#shop(job.suite, undefined)
    const read = await readKeyPackage(shop, job.groupId, job.keyPackage)
    return read.ok ? { ok: true, kind: 'inspected', leaf: read.entry } : read
  }

  async #commit(job: CommitJob): Promise<MlsOutcome> {
    const found = this.#states.find(job.group, job.from, 'state')
    if (!found.ok) return found
    const shop = await this.#shop(found.held.suite, job.entropy)
    const made = await makeCommit(shop, found.held.state, job)
    if (!made.ok) return this.#discard(job.group, made)
    const candidate = this.#step(job, shop.loaded, made)
    return { ok: true, kind: 'committed', candidate, commit: made.commit, welcome: made.welcome }
  }

  async #process(job: ProcessJob): Promise<MlsOutcome> {
    const found = this.#states.find(job.group, job.from, 'state')
    if (!found.ok) return found
    const shop = await this.#shop(found.held.suite, undefined)
    const made = await processCommit(shop, found.held.state, job.commit)
    if (!made.ok) return this.#discard(job.group, made)
    return { ok: true, kind: 'candidate', candidate: this.#step(job, shop.loaded, made) }
  }

  async #join(job: JoinJob): Promise<MlsOutcome> {
    const found = this.#states.find(job.group, job.keyPackage, 'keyPackage')
    if (!found.ok) return found
    const waiting = found.held
    const shop = await this.#shop(waiting.suite, undefined)
    const joined = await joinByWelcome(shop, waiting, job.welcome, job.charter)
    if (!joined.ok) return this.#discard(job.group, joined)
    const { state, facts, signer, welcomeData } = joined
    this.#states.take(job.group, [job.keyPackage])
    this.#states.put(job.group, job.into, { kind: 'state', suite: waiting.suite, state })
    this.#wipe(job.group, secretsOfKeyPackage(waiting.keys))
    const epoch = rosterFacts(shop.loaded, state, facts, job.wishes)
    return { ok: true, kind: 'joined', epoch, signer, welcomeData }
  }

  #export(job: ExportJob): MlsOutcome {
    const found = this.#states.find(job.group, job.state, 'state')
    if (!found.ok) return found
    const { suite, state } = found.held
    return { ok: true, kind: 'exported', exports: exportsOf(suite, state, job.wishes) }
  }

  #encode(job: EncodeJob): MlsOutcome {
    const found = this.#states.find(job.group, job.state, 'state')
    if (!found.ok) return found
    const { suite, state } = found.held
    const body = encodeGroupState(state)
    const stored = sealStored(this.#crypto.hash, STORED_BY.tsMls, suite, body)
    body.fill(0)
    return stored.length > TREE_BYTES_MAX
      ? refused(MLS_REFUSAL.tooLarge)
      : { ok: true, kind: 'encoded', stored }
  }

  async #restore(job: RestoreJob): Promise<MlsOutcome> {
    const opened = openStored(this.#crypto.hash, STORED_BY.tsMls, job.stored)
    if (!opened.ok) return opened
    const body = opened.body.slice()
    const decoded = tryDecode(() => decodeGroupState(body, 0))
    if (decoded === undefined || decoded[1] !== body.length) return refused(MLS_REFUSAL.undecodable)
    const shop = await this.#shop(opened.suite, undefined)
    return this.#admit(job, shop.loaded, { ...decoded[0], clientConfig: CLIENT_CONFIG })
  }

  async #shop(suite: Suite, entropy: Uint8Array | undefined): Promise<Workshop> {
    const loaded = this.#suites.get(suite) ?? (await loadSuite(suite))
    this.#suites.set(suite, loaded)
    return { loaded, cs: suiteFor(loaded, this.#crypto, entropy), crypto: this.#crypto }
  }

  #binds(groupId: Uint8Array, { leafNode }: KeyPackage, credential: Uint8Array): boolean {
    return verifyCredential(this.#crypto.signatures, groupId, credential, leafNode.signaturePublicKey)
  }

  /** Takes in a state that has no parent here. */
  #admit(job: CreateJob | RestoreJob, loaded: LoadedSuite, state: ClientState): MlsOutcome {
    const facts = factsOfState(loaded, state)
    if (facts === undefined) return refused(MLS_REFUSAL.undecodable)
    this.#states.put(job.group, job.into, { kind: 'state', suite: loaded.suite, state })
    return { ok: true, kind: 'epoch', epoch: rosterFacts(loaded, state, facts, job.wishes) }
  }

  /** Takes in the state after a commit. */
  #step(job: CommitJob | ProcessJob, loaded: LoadedSuite, made: Stepped): CandidateFacts {
    const { state, facts, committer, proposals, authenticatedData } = made
    this.#states.put(job.group, job.into, { kind: 'state', suite: loaded.suite, state })
    this.#wipe(job.group, made.spilt)
    return {
      ...epochFacts(loaded, state, job.wishes),
      committer,
      proposals,
      updated: made.updates ? leafOf(facts, committer) : undefined,
      authenticatedData: authenticatedData.slice(),
      members: facts.roster.length,
    }
  }

  /** Leaves nothing of a refused attempt. */
  #discard(group: MlsGroup, { why, add, spilt = [], candidate }: Refused): MlsFailure {
    this.#wipe(group, candidate === undefined ? spilt : [...spilt, ...secretsOf(candidate)])
    return add === undefined ? { ok: false, why } : { ok: false, why, add }
  }

  #drop(group: MlsGroup, names: readonly StateName[] | 'all'): void {
    const dropped = this.#states.take(group, names)
    this.#wipe(group, dropped.flatMap(secretsOfHeld))
  }

  #wipe(group: MlsGroup, secrets: readonly Uint8Array[]): void {
    if (secrets.length > 0) wipe(secrets, [...this.#states.of(group)].flatMap(secretsOfHeld))
  }
}

function secretsOfHeld(held: TsMlsHeld): Uint8Array[] {
  return held.kind === 'state' ? secretsOf(held.state) : secretsOfKeyPackage(held.keys)
}

function leafOf(facts: GroupFacts, index: number): RosterLeaf {
  const leaf = facts.roster.find((one) => one.leaf === index)
  assert(leaf !== undefined, 'a committer that is not in the roster after its commit')
  return leaf
}

function exportsOf(suite: Suite, state: ClientState, wishes: readonly ExportWish[]): Uint8Array[] {
  const { exporterSecret } = state.keySchedule
  return wishes.map(({ label, context, length }) =>
    exportSecret(suite, exporterSecret, label, context, length),
  )
}

function epochFacts({ suite }: LoadedSuite, state: ClientState, wishes: readonly ExportWish[]): EpochFacts {
  const { groupContext, keySchedule, privatePath } = state
  return {
    groupId: groupContext.groupId.slice(),
    suite,
    epoch: Number(groupContext.epoch),
    ownLeaf: privatePath.leafIndex,
    authenticator: keySchedule.epochAuthenticator.slice(),
    exporterSecret: keySchedule.exporterSecret.slice(),
    exports: exportsOf(suite, state, wishes),
  }
}

function rosterFacts(
  loaded: LoadedSuite,
  state: ClientState,
  facts: GroupFacts,
  wishes: readonly ExportWish[],
): RosterFacts {
  const charter = charterOf(state.groupContext.extensions)
  assert(charter !== undefined, 'a group without extension 0xF001 was let in')
  return { ...epochFacts(loaded, state, wishes), charter: charter.slice(), roster: facts.roster }
}
