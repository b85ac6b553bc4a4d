/**
 * Members for tests of MLS engines: each has an engine of its own, names its states by counting, and keeps
 * the one that is current for it. Says what a test means; the mechanics of jobs are here.
 */

import { utf8, vlanId } from '../../core/ids.ts'
import { makeCredential } from '../../core/mls/credential.ts'
import type {
  CandidateFacts,
  EngineCrypto,
  EpochFacts,
  ExportWish,
  MlsEngine,
  MlsJob,
  MlsOutcome,
  MlsSuccess,
  RosterFacts,
  StateName,
  Suite,
} from '../../core/mls/engine.ts'

/** What the suite is run with. */
export interface EngineKit {
  readonly name: string
  readonly crypto: EngineCrypto
  readonly suite: Suite
  engine(): MlsEngine
}

export const GROUP = 7
export const WISH: ExportWish = { label: 'peertap group init', context: new Uint8Array(0), length: 32 }
export const SALTS = new Uint8Array(64).fill(0x5a)

/** 32 bytes that a name stands for. */
function secretOf(crypto: EngineCrypto, name: string): Uint8Array {
  return crypto.hash.hash32(utf8(name))
}

/** What a commit job may want. */
export interface Wanted {
  readonly adds?: readonly Uint8Array[]
  readonly removes?: readonly number[]
  readonly data?: Uint8Array
  readonly entropy?: string
  readonly from?: StateName
}

type Of<Kind extends MlsSuccess['kind']> = Extract<MlsSuccess, { kind: Kind }>

/** The outcome if it is of that kind; an error that names the refusal otherwise. */
export function got<Kind extends MlsSuccess['kind']>(outcome: MlsOutcome, kind: Kind): Of<Kind> {
  if (!outcome.ok) throw new Error(`refused: ${outcome.why}`)
  if (outcome.kind !== kind) throw new Error(`a '${outcome.kind}' where a '${kind}' was expected`)
  return outcome as Of<Kind>
}

/** One VLAN's worth of names that all members of a test share. */
export class Cast {
  readonly kit: EngineKit
  readonly groupId: Uint8Array
  readonly charter: Uint8Array

  constructor(kit: EngineKit, label = 'test') {
    this.kit = kit
    this.groupId = vlanId(kit.crypto.hash, secretOf(kit.crypto, 'authority'), label)
    this.charter = secretOf(kit.crypto, `charter of ${label}`)
  }

  member(name: string): Member {
    return new Member(this, name)
  }

  /** Founds with the first and adds the others in one commit; all joined, all in one epoch. */
  async group(...names: readonly string[]): Promise<Member[]> {
    const [first, ...others] = names.map((name) => this.member(name))
    if (first === undefined) return []
    await first.found()
    if (others.length > 0) await first.admit(others)
    return [first, ...others]
  }
}

export class Member {
  readonly cast: Cast
  readonly name: string
  readonly engine: MlsEngine
  /** The state that this member holds to be current. */
  current: StateName = 0
  /** What was last reported of it. */
  facts: EpochFacts | undefined
  #names = 0
  #joins = 0

  constructor(cast: Cast, name: string) {
    this.cast = cast
    this.name = name
    this.engine = cast.kit.engine()
  }

  get leaf(): number {
    return this.facts?.ownLeaf ?? -1
  }

  fresh(): StateName {
    this.#names += 1
    return this.#names
  }

  async run(job: MlsJob): Promise<MlsOutcome> {
    return await this.engine.run(job)
  }

  /** Credential and seed of this member's next leaf: a higher join number and a new leaf key each time. */
  newLeaf(chosen?: number): { credential: Uint8Array; leafSeed: Uint8Array } {
    const { crypto } = this.cast.kit
    this.#joins += 1
    const joinNumber = chosen ?? this.#joins
    const leafSeed = secretOf(crypto, `leaf ${joinNumber} of ${this.name}`)
    return { credential: this.credentialFor(leafSeed, joinNumber), leafSeed }
  }

  /** A credential of this member that binds a leaf key, by default with the newest join number. */
  credentialFor(leafSeed: Uint8Array, joinNumber = this.#joins): Uint8Array {
    const { crypto } = this.cast.kit
    return makeCredential(crypto.signatures, secretOf(crypto, `member ${this.name}`), {
      vlan: this.cast.groupId,
      serial: secretOf(crypto, `serial of ${this.name}`).subarray(0, 16),
      joinNumber,
      leafKey: crypto.signatures.publicKey(leafSeed),
    })
  }

  async found(): Promise<RosterFacts> {
    const { kit, groupId, charter } = this.cast
    const into = this.fresh()
    const outcome = await this.run({
      kind: 'create',
      group: GROUP,
      suite: kit.suite,
      groupId,
      charter,
      ...this.newLeaf(),
      entropy: secretOf(kit.crypto, `founding by ${this.name}`),
      into,
      wishes: [WISH],
    })
    const { epoch } = got(outcome, 'epoch')
    this.adopt(into, epoch)
    return epoch
  }

  /** A KeyPackage, and the name under which its private half waits. */
  async keyPackage(joinNumber?: number): Promise<{ bytes: Uint8Array; waiting: StateName }> {
    const { kit, groupId } = this.cast
    const waiting = this.fresh()
    const leaf = this.newLeaf(joinNumber)
    const outcome = await this.run({
      kind: 'keyPackage',
      group: GROUP,
      suite: kit.suite,
      groupId,
      ...leaf,
      entropy: secretOf(kit.crypto, `key package ${waiting} of ${this.name}`),
      into: waiting,
    })
    return { bytes: got(outcome, 'keyPackage').keyPackage, waiting }
  }

  async commit(wanted: Wanted = {}): Promise<{ outcome: MlsOutcome; into: StateName }> {
    const { crypto } = this.cast.kit
    const into = this.fresh()
    const outcome = await this.run({
      kind: 'commit',
      group: GROUP,
      from: wanted.from ?? this.current,
      into,
      adds: wanted.adds ?? [],
      removes: wanted.removes ?? [],
      authenticatedData: wanted.data ?? utf8(`by ${this.name}`),
      welcomeData: SALTS,
      entropy: wanted.entropy === undefined ? this.entropyOf(into) : secretOf(crypto, wanted.entropy),
      wishes: [WISH],
    })
    return { outcome, into }
  }

  /** What a commit into that state is made with, unless the test says otherwise. */
  entropyOf(into: StateName): Uint8Array {
    return secretOf(this.cast.kit.crypto, `commit ${into} of ${this.name}`)
  }

  /** A commit that is made, not yet adopted. */
  async make(wanted: Wanted = {}): Promise<Of<'committed'> & { into: StateName }> {
    const { outcome, into } = await this.commit(wanted)
    return { ...got(outcome, 'committed'), into }
  }

  async process(commit: Uint8Array, from = this.current): Promise<{ outcome: MlsOutcome; into: StateName }> {
    const into = this.fresh()
    const outcome = await this.run({ kind: 'process', group: GROUP, from, into, commit, wishes: [WISH] })
    return { outcome, into }
  }

  /** Processes and adopts. */
  async follow(commit: Uint8Array, from = this.current): Promise<CandidateFacts> {
    const { outcome, into } = await this.process(commit, from)
    const { candidate } = got(outcome, 'candidate')
    this.adopt(into, candidate)
    return candidate
  }

  async join(welcome: Uint8Array, waiting: StateName): Promise<{ outcome: MlsOutcome; into: StateName }> {
    const into = this.fresh()
    const { charter } = this.cast
    const outcome = await this.run({
      kind: 'join',
      group: GROUP,
      keyPackage: waiting,
      into,
      welcome,
      charter,
      wishes: [WISH],
    })
    return { outcome, into }
  }

  async enter(welcome: Uint8Array, waiting: StateName): Promise<Of<'joined'>> {
    const { outcome, into } = await this.join(welcome, waiting)
    const joined = got(outcome, 'joined')
    this.adopt(into, joined.epoch)
    return joined
  }

  /** Adds these in one commit; they join, this member adopts, others in `present` follow. */
  async admit(joiners: readonly Member[], present: readonly Member[] = []): Promise<Of<'committed'>> {
    const offers: { bytes: Uint8Array; waiting: StateName }[] = []
    for (const joiner of joiners) offers.push(await joiner.keyPackage())
    const made = await this.make({ adds: offers.map(({ bytes }) => bytes) })
    for (const member of present) await member.follow(made.commit)
    for (const [at, joiner] of joiners.entries()) {
      await joiner.enter(made.welcome as Uint8Array, offers[at]?.waiting ?? 0)
    }
    this.adopt(made.into, made.candidate)
    return made
  }

  /** Updates this member's keys; all in `present` follow. */
  async update(present: readonly Member[]): Promise<void> {
    const made = await this.make()
    for (const member of present) if (member !== this) await member.follow(made.commit)
    this.adopt(made.into, made.candidate)
  }

  adopt(state: StateName, facts: EpochFacts): void {
    this.current = state
    this.facts = facts
  }

  /** The secret that members of one epoch share, of a state. */
  async secret(state = this.current): Promise<string> {
    const outcome = await this.run({ kind: 'export', group: GROUP, state, wishes: [WISH] })
    return got(outcome, 'exported').exports[0]?.join() ?? ''
  }

  async stored(state = this.current): Promise<Uint8Array> {
    const outcome = await this.run({ kind: 'encode', group: GROUP, state })
    return got(outcome, 'encoded').stored
  }

  async drop(...states: readonly StateName[]): Promise<void> {
    got(await this.run({ kind: 'drop', group: GROUP, states }), 'dropped')
  }
}

/** All bytes of an outcome in one line, to compare two. */
export function printed(outcome: MlsOutcome): string {
  return JSON.stringify(outcome, (_key, value) => (value instanceof Uint8Array ? [...value].join() : value))
}
