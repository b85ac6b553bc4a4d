/**
 * What no MLS engine lets in, each refused by its name (R5 to R8, R10, R12 to R14, M7, M8, S16, S18), and
 * that the refusal harmed nobody: the state it was tried on goes on as before.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { concat, vlanId } from '../../core/ids.ts'
import { makeCredential } from '../../core/mls/credential.ts'
import { type MlsOutcome, type RosterLeaf, SUITE } from '../../core/mls/engine.ts'
import type { MlsRefusal } from '../../core/mls/refusal.ts'
import { Cast, GROUP, got, type Member, WISH } from '../support/mls-cast.ts'
import type { AttackedKit, CommitAttack, KeyPackageFlaw, WelcomeFlaw } from '../support/mls-forge.ts'

const refusal = (why: MlsRefusal): MlsOutcome => ({ ok: false, why })

/** Three members and the roster that they see. */
interface Scene {
  readonly cast: Cast
  readonly alice: Member
  readonly bob: Member
  readonly eve: Member
  readonly roster: readonly RosterLeaf[]
}

async function scene(kit: AttackedKit): Promise<Scene> {
  const cast = new Cast(kit)
  const [alice, bob, eve] = (await cast.group('alice', 'bob', 'eve')) as [Member, Member, Member]
  // A path, so that the tree has parent nodes.
  await alice.update([alice, bob, eve])
  const stored = await bob.stored()
  const job = { kind: 'restore', group: GROUP, into: bob.fresh(), stored, wishes: [] } as const
  return { cast, alice, bob, eve, roster: got(await bob.run(job), 'epoch').epoch.roster }
}

function commitContract(kit: AttackedKit): void {
  let at: Scene
  beforeAll(async () => {
    at = await scene(kit)
  })

  /** Bob is offered the attack; afterwards he follows an honest commit on the same state. */
  async function offered(attack: CommitAttack): Promise<MlsOutcome> {
    const bytes = await kit.forge.commit(at.eve, attack)
    const { outcome, into } = await at.bob.process(bytes)
    expect(await at.bob.run({ kind: 'export', group: GROUP, state: into, wishes: [WISH] })).toEqual(
      refusal('unknownState'),
    )
    const honest = await at.alice.make()
    const followed = await at.bob.process(honest.commit)
    expect(await at.bob.secret(followed.into)).toBe(await at.alice.secret(honest.into))
    await at.bob.drop(followed.into)
    await at.alice.drop(honest.into)
    return outcome
  }

  const leafOf = (member: Member): RosterLeaf =>
    at.roster.find(({ leaf }) => leaf === member.leaf) as RosterLeaf

  test('R5: a stranger joins from outside and removes another', async () => {
    const attack = { kind: 'externalRemove', victim: leafOf(at.alice) } as const
    expect(await offered(attack)).toEqual(refusal('externalCommit'))
  })

  test('R6: an external commit with the signature key of a live leaf', async () => {
    expect(await offered({ kind: 'externalSameKey' })).toEqual(refusal('externalCommit'))
  })

  test('R12: an external rejoin, and a GroupInfo where a Welcome is due', async () => {
    expect(await offered({ kind: 'externalResync' })).toEqual(refusal('externalCommit'))
    const { waiting } = await at.bob.keyPackage()
    const { outcome } = await at.bob.join(await kit.forge.groupInfo(at.eve), waiting)
    expect(outcome).toEqual(refusal('messageKind'))
    await at.bob.drop(waiting)
  })

  test('R6: an added KeyPackage with the HPKE key of a member, or of a node above', async () => {
    for (const key of [leafOf(at.alice).hpkeKey, ...(await kit.forge.parentKeys(at.bob))]) {
      const keyPackage = await kit.forge.keyPackage(at.cast.member('mallory'), { kind: 'hpkeKey', key })
      expect(await offered({ kind: 'add', keyPackage })).toEqual(refusal('duplicateHpkeKey'))
      const { outcome } = await at.bob.commit({ adds: [keyPackage] })
      expect(outcome).toEqual({ ok: false, why: 'duplicateHpkeKey', add: 0 })
    }
  })

  test('an added KeyPackage with the signature key or the member key of a member', async () => {
    const same = { kind: 'signatureKeyOf', member: at.eve } as const
    const signature = await kit.forge.keyPackage(at.cast.member('mallory'), same)
    expect(await offered({ kind: 'add', keyPackage: signature })).toEqual(refusal('duplicateSignatureKey'))
    const { bytes, waiting } = await at.eve.keyPackage()
    await at.eve.drop(waiting)
    expect(await offered({ kind: 'add', keyPackage: bytes })).toEqual(refusal('duplicateMember'))
  })

  test("R7: the committer's new leaf in another's name, with another key, with fewer abilities", async () => {
    const stolen = { kind: 'identityOf', victim: leafOf(at.alice) } as const
    expect(await offered(stolen)).toEqual(refusal('committerIdentityChanged'))
    expect(await offered({ kind: 'otherSignatureKey' })).toEqual(refusal('committerKeyChanged'))
    expect(await offered({ kind: 'fewerCapabilities' })).toEqual(refusal('rosterMismatch'))
  })

  test.each(['reinit', 'extensions', 'preSharedKey', 'update', 'unknown'] as const)(
    'R8, R9: a proposal of another kind: %s',
    async (kind) => {
      expect(await offered({ kind })).toEqual(refusal('proposalKind'))
    },
  )

  test('R10: a proposal by reference; an external init from inside', async () => {
    expect(await offered({ kind: 'byReference', leaf: at.alice.leaf })).toEqual(refusal('byReference'))
    expect(await offered({ kind: 'externalInit' })).toEqual(refusal('externalCommit'))
  })

  test('Removes of nobody, of the same twice, of oneself, of too many, and without a path', async () => {
    const { alice, eve } = at
    const removes = (...leaves: readonly number[]) => offered({ kind: 'removes', leaves })
    expect(await removes(99)).toEqual(refusal('badRemove'))
    expect(await removes(2_000_000_000)).toEqual(refusal('badRemove'))
    expect(await removes(alice.leaf, alice.leaf)).toEqual(refusal('badRemove'))
    expect(await removes(eve.leaf)).toEqual(refusal('badRemove'))
    expect(await removes(...Array.from({ length: 65 }, () => alice.leaf))).toEqual(
      refusal('tooManyProposals'),
    )
    expect(await offered({ kind: 'removeWithoutPath', leaf: alice.leaf })).toEqual(refusal('badPath'))
  })

  test('a path whose keys nobody can seal to, or that are not those of its secrets', async () => {
    expect(await offered({ kind: 'smallOrderPath' })).toEqual(refusal('badPath'))
    expect(await offered({ kind: 'misfitPath' })).toEqual(refusal('badPath'))
  })

  test('M8: what is in clear, and what is no commit', async () => {
    expect(await offered({ kind: 'inClear' })).toEqual(refusal('messageKind'))
    expect(await offered({ kind: 'application' })).toEqual(refusal('messageKind'))
    expect(await offered({ kind: 'proposal', leaf: at.alice.leaf })).toEqual(refusal('messageKind'))
    expect(await offered({ kind: 'garbage' })).toEqual(refusal('undecodable'))
  })

  test('R14: trailing bytes; cuts, changes, other groups, other epochs, too much', async () => {
    const { commit } = await at.alice.make()
    const why = async (bytes: Uint8Array): Promise<string> => {
      const { outcome } = await at.bob.process(bytes)
      return outcome.ok ? 'let in' : outcome.why
    }
    expect(await why(concat(commit, new Uint8Array(1)))).toBe('trailingBytes')
    for (const length of [0, 3, 20, 60, commit.length - 1]) {
      expect(await why(commit.subarray(0, length))).toBe('undecodable')
    }
    const changed = (place: number): Uint8Array => {
      const copy = commit.slice()
      copy[place] = (copy[place] as number) ^ 1
      return copy
    }
    expect(await why(changed(10))).toBe('wrongGroup')
    expect(await why(changed(28))).toBe('wrongEpoch')
    // The authenticated data, the sender and the content are all bound.
    for (const place of [33, 50, 80, commit.length - 1]) expect(await why(changed(place))).toBe('unverified')
    expect(await why(new Uint8Array(65_537))).toBe('tooLarge')
    const other = new Cast(kit, 'another group')
    const [carol] = (await other.group('carol', 'dave')) as [Member]
    expect(await why((await carol.make()).commit)).toBe('wrongGroup')
  })
}

function keyPackageContract(kit: AttackedKit): void {
  let at: Scene
  beforeAll(async () => {
    at = await scene(kit)
  })

  /** The same word from whoever inspects it, whoever would add it, and whoever is told of its Add. */
  async function verdict(keyPackage: Uint8Array): Promise<MlsOutcome> {
    const { suite } = kit
    const { groupId } = at.cast
    const inspected = await at.alice.run({ kind: 'inspect', group: GROUP, suite, groupId, keyPackage })
    const { outcome } = await at.alice.commit({ adds: [(await honest()).bytes, keyPackage] })
    expect(outcome).toEqual({ ...inspected, add: 1 })
    return inspected
  }

  const honest = () => at.cast.member('honest').keyPackage()

  async function flawed(flaw: KeyPackageFlaw): Promise<MlsOutcome> {
    const keyPackage = await kit.forge.keyPackage(at.cast.member('mallory'), flaw)
    const outcome = await verdict(keyPackage)
    const added = await at.bob.process(await kit.forge.commit(at.eve, { kind: 'add', keyPackage }))
    expect(added.outcome).toEqual(outcome)
    return outcome
  }

  test('R14: a credential that is no basic one of 118 bytes', async () => {
    expect(await flawed({ kind: 'x509' })).toEqual(refusal('undecodable'))
    expect(await flawed({ kind: 'credential', bytes: new Uint8Array(117) })).toEqual(refusal('undecodable'))
  })

  test('a credential that binds another leaf key, or in another VLAN', async () => {
    const { crypto } = kit
    const mallory = at.cast.member('mallory')
    const bytes = mallory.credentialFor(crypto.hash.hash32(new Uint8Array(3)))
    expect(await flawed({ kind: 'credential', bytes })).toEqual(refusal('badCredential'))
    const elsewhere = vlanId(crypto.hash, new Uint8Array(32), 'elsewhere')
    const claim = {
      vlan: elsewhere,
      serial: new Uint8Array(16),
      joinNumber: 1,
      leafKey: crypto.signatures.publicKey(mallory.newLeaf(1).leafSeed),
    }
    const foreign = makeCredential(crypto.signatures, new Uint8Array(32).fill(1), claim)
    expect(await flawed({ kind: 'credential', bytes: foreign })).toEqual(refusal('badCredential'))
  })

  test.each(['capabilities', 'lifetime', 'leafSignature', 'signature', 'initKey'] as const)(
    'a KeyPackage that would hinder later commits, or that nobody signed: %s',
    async (kind) => {
      expect(await flawed({ kind })).toEqual(refusal('badKeyPackage'))
    },
  )

  test('an HPKE key that nobody can seal to', async () => {
    const { length } = (at.roster[0] as RosterLeaf).hpkeKey
    expect(await flawed({ kind: 'hpkeKey', key: new Uint8Array(length) })).toEqual(refusal('badKeyPackage'))
    expect(await flawed({ kind: 'hpkeKey', key: new Uint8Array(length - 1).fill(7) })).toEqual(
      refusal('badKeyPackage'),
    )
  })

  test('trailing bytes, cuts, other messages, other suites, too much', async () => {
    const { bytes } = await honest()
    expect(await verdict(concat(bytes, new Uint8Array(1)))).toEqual(refusal('trailingBytes'))
    for (const length of [0, 3, 4, 5, 100, bytes.length - 1]) {
      expect(await verdict(bytes.subarray(0, length))).toEqual(refusal('undecodable'))
    }
    expect(await verdict((await at.alice.make()).commit)).toEqual(refusal('messageKind'))
    expect(await verdict(new Uint8Array(4_097))).toEqual(refusal('tooLarge'))
    const suite = kit.suite === SUITE.x25519 ? SUITE.xwing : SUITE.x25519
    const other = new Cast({ ...kit, suite }, 'test').member('hybrid')
    expect(await verdict((await other.keyPackage()).bytes)).toEqual(refusal('wrongSuite'))
  })

  test('an old KeyPackage does not displace a newer leaf of the same member', async () => {
    const { bob, alice } = at
    const old = await bob.keyPackage(1)
    const { outcome } = await alice.commit({ removes: [bob.leaf], adds: [old.bytes] })
    expect(outcome).toEqual({ ok: false, why: 'staleJoinNumber', add: 0 })
  })

  test('65 Adds', async () => {
    const { bytes } = await honest()
    const { outcome } = await at.alice.commit({ adds: Array.from({ length: 65 }, () => bytes) })
    expect(outcome).toEqual(refusal('tooManyProposals'))
  })

  test('a leaf that the credential does not bind is not made at all', async () => {
    const { crypto, suite } = kit
    const { groupId, charter } = at.cast
    const mallory = at.cast.member('mallory')
    const { credential } = mallory.newLeaf()
    const common = {
      group: GROUP,
      suite,
      groupId,
      credential,
      leafSeed: new Uint8Array(32).fill(5),
      entropy: crypto.hash.hash32(groupId),
      into: 1,
    }
    const refused = refusal('badCredential')
    expect(await mallory.run({ kind: 'keyPackage', ...common })).toEqual(refused)
    expect(await mallory.run({ kind: 'create', ...common, charter, wishes: [] })).toEqual(refused)
  })
}

function welcomeContract(kit: AttackedKit): void {
  let cast: Cast
  beforeAll(() => {
    cast = new Cast(kit)
  })

  /** A joiner is offered a hostile Welcome first; then it joins the honest group with the same KeyPackage. */
  async function offered(flawOf: (joiner: Member) => Promise<WelcomeFlaw>): Promise<MlsOutcome> {
    const [alice, joiner] = [cast.member('alice'), cast.member('joiner')]
    await alice.found()
    const { bytes, waiting } = await joiner.keyPackage()
    const hostile = await kit.forge.welcome(cast, bytes, await flawOf(joiner))
    const { outcome } = await joiner.join(hostile, waiting)
    const made = await alice.make({ adds: [bytes] })
    await joiner.enter(made.welcome as Uint8Array, waiting)
    expect(await joiner.secret()).toBe(await alice.secret(made.into))
    return outcome
  }

  test('S16: a group of another id, or of another Charter', async () => {
    const groupId = new Uint8Array(16).fill(1)
    expect(await offered(async () => ({ kind: 'groupId', groupId }))).toEqual(refusal('wrongGroup'))
    const charter = new Uint8Array(32).fill(1)
    expect(await offered(async () => ({ kind: 'charter', charter }))).toEqual(refusal('wrongCharter'))
  })

  test('a group in which somebody is there twice, or is nobody', async () => {
    const again = async (joiner: Member): Promise<WelcomeFlaw> => {
      const { bytes, waiting } = await joiner.keyPackage()
      await joiner.drop(waiting)
      return { kind: 'with', keyPackage: bytes }
    }
    expect(await offered(again)).toEqual(refusal('duplicateMember'))
    const nobody = async (): Promise<WelcomeFlaw> => {
      const mallory = cast.member('mallory')
      const bytes = mallory.credentialFor(new Uint8Array(32).fill(8))
      return { kind: 'with', keyPackage: await kit.forge.keyPackage(mallory, { kind: 'credential', bytes }) }
    }
    expect(await offered(nobody)).toEqual(refusal('badCredential'))
  })

  test('changed, cut, too long, of another kind, for others, and used twice', async () => {
    const [alice, joiner] = [cast.member('alice'), cast.member('joiner')]
    await alice.found()
    const { bytes, waiting } = await joiner.keyPackage()
    const made = await alice.make({ adds: [bytes] })
    const honest = made.welcome as Uint8Array
    const offer = async (welcome: Uint8Array): Promise<MlsOutcome> =>
      (await joiner.join(welcome, waiting)).outcome
    expect(await offer(concat(honest, new Uint8Array(1)))).toEqual(refusal('trailingBytes'))
    for (const length of [0, 3, 20, honest.length - 1]) {
      expect(await offer(honest.subarray(0, length))).toEqual(refusal('undecodable'))
    }
    const changed = honest.slice()
    changed[honest.length - 20] = (changed[honest.length - 20] as number) ^ 1
    const why = await offer(changed)
    expect([refusal('unverified'), refusal('undecodable')]).toContainEqual(why)
    expect(await offer(made.commit)).toEqual(refusal('messageKind'))
    expect(await offer(new Uint8Array(1_048_577))).toEqual(refusal('tooLarge'))
    const other = cast.member('other')
    const theirs = await other.keyPackage()
    const elsewhere = await alice.make({ adds: [theirs.bytes] })
    expect(await offer(elsewhere.welcome as Uint8Array)).toEqual(refusal('notForUs'))
    await joiner.enter(honest, waiting)
    expect(await offer(honest)).toEqual(refusal('unknownState'))
  })
}

export function mlsAttacks(kit: AttackedKit): void {
  describe(`${kit.name}: hostile commits`, () => commitContract(kit))
  describe(`${kit.name}: hostile KeyPackages`, () => keyPackageContract(kit))
  describe(`${kit.name}: hostile Welcomes`, () => welcomeContract(kit))
}
