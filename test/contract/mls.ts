/**
 * What every MLS engine does alike (core/mls/engine.ts): run against the real one and the simulator's. The
 * attacks of hostile members are in mls-attacks.ts.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { utf8 } from '../../core/ids.ts'
import { exportSecret } from '../../core/mls/exporter.ts'
import { Cast, type EngineKit, GROUP, got, type Member, printed, SALTS, WISH } from '../support/mls-cast.ts'

/** Everybody's secret of the current epoch, in order. */
async function secrets(...members: readonly Member[]): Promise<string[]> {
  const found: string[] = []
  for (const member of members) found.push(await member.secret())
  return found
}

const distinct = (values: readonly string[]): number => new Set(values).size

function epochContract(kit: EngineKit): void {
  test('a founder is alone in epoch 0', async () => {
    const cast = new Cast(kit)
    const alice = cast.member('alice')
    const epoch = await alice.found()
    expect(epoch).toMatchObject({ epoch: 0, ownLeaf: 0, suite: kit.suite })
    expect(epoch.groupId).toEqual(cast.groupId)
    expect(epoch.charter).toEqual(cast.charter)
    expect(epoch.roster).toHaveLength(1)
    expect(epoch.exports[0]?.join()).toBe(await alice.secret())
  })

  test('an added member joins by Welcome and shares the epoch, its salts and its roster', async () => {
    const cast = new Cast(kit)
    const [alice, bob] = [cast.member('alice'), cast.member('bob')]
    await alice.found()
    const { bytes, waiting } = await bob.keyPackage()
    const made = await alice.make({ adds: [bytes] })
    expect(made.candidate).toMatchObject({ epoch: 1, committer: 0, members: 2, updated: undefined })
    const joined = await bob.enter(made.welcome as Uint8Array, waiting)
    expect(joined).toMatchObject({ signer: 0, welcomeData: SALTS, epoch: { epoch: 1, ownLeaf: 1 } })
    expect(joined.epoch.charter).toEqual(cast.charter)
    expect(joined.epoch.authenticator).toEqual(made.candidate.authenticator)
    expect(joined.epoch.exports).toEqual(made.candidate.exports)
    expect(joined.epoch.roster.map(({ leaf }) => leaf)).toEqual([0, 1])
    expect(made.candidate.proposals).toEqual([{ kind: 'add', leaf: joined.epoch.roster[1] }])
  })

  test('an inspected KeyPackage shows the leaf that it becomes', async () => {
    const cast = new Cast(kit)
    const [alice, bob] = [cast.member('alice'), cast.member('bob')]
    await alice.found()
    const { bytes } = await bob.keyPackage()
    const { suite } = kit
    const job = { kind: 'inspect', group: GROUP, suite, groupId: cast.groupId, keyPackage: bytes } as const
    const { leaf } = got(await alice.run(job), 'inspected')
    const made = await alice.make({ adds: [bytes] })
    expect(made.candidate.proposals).toEqual([{ kind: 'add', leaf: { leaf: 1, ...leaf } }])
  })

  test('an empty commit gives the committer new keys, and all a new secret', async () => {
    const [alice, bob, carol] = (await new Cast(kit).group('alice', 'bob', 'carol')) as [
      Member,
      Member,
      Member,
    ]
    const before = await alice.secret()
    const made = await bob.make({ data: utf8('why') })
    const seen = await alice.follow(made.commit)
    await carol.follow(made.commit)
    bob.adopt(made.into, made.candidate)
    expect(distinct(await secrets(alice, bob, carol))).toBe(1)
    expect(await alice.secret()).not.toBe(before)
    expect(seen).toMatchObject({
      committer: bob.leaf,
      proposals: [],
      members: 3,
      authenticatedData: utf8('why'),
    })
    expect(seen.updated).toEqual(made.candidate.updated)
    expect(seen.updated?.leaf).toBe(bob.leaf)
    expect(seen.authenticator).toEqual(made.candidate.authenticator)
  })

  test('a removed member cannot follow; its place goes to the next', async () => {
    const cast = new Cast(kit)
    const [alice, bob, carol] = (await cast.group('alice', 'bob', 'carol')) as [Member, Member, Member]
    const made = await alice.make({ removes: [bob.leaf] })
    const seen = await carol.follow(made.commit)
    alice.adopt(made.into, made.candidate)
    expect(seen.members).toBe(2)
    expect(seen.proposals).toMatchObject([{ kind: 'remove', leaf: { leaf: bob.leaf } }])
    const { outcome, into } = await bob.process(made.commit)
    expect(outcome).toEqual({ ok: false, why: 'removed' })
    expect(await bob.run({ kind: 'export', group: GROUP, state: into, wishes: [WISH] })).toEqual({
      ok: false,
      why: 'unknownState',
    })
    expect(await bob.secret()).not.toBe(await alice.secret())
    const dave = cast.member('dave')
    const admitted = await carol.admit([dave], [alice])
    expect(dave.leaf).toBe(bob.leaf)
    expect((await bob.process(admitted.commit)).outcome).toEqual({ ok: false, why: 'wrongEpoch' })
    expect(distinct(await secrets(alice, carol, dave))).toBe(1)
  })

  test('one commit removes and adds a member that comes back with a fresh leaf key', async () => {
    const cast = new Cast(kit)
    const [alice, bob, carol] = (await cast.group('alice', 'bob', 'carol')) as [Member, Member, Member]
    const { bytes, waiting } = await bob.keyPackage()
    const made = await alice.make({ removes: [bob.leaf], adds: [bytes] })
    await carol.follow(made.commit)
    alice.adopt(made.into, made.candidate)
    expect((await bob.process(made.commit)).outcome).toEqual({ ok: false, why: 'removed' })
    expect(made.candidate.proposals.map(({ kind, leaf }) => [kind, leaf.leaf])).toEqual([
      ['remove', 1],
      ['add', 1],
    ])
    await bob.enter(made.welcome as Uint8Array, waiting)
    expect(distinct(await secrets(alice, bob, carol))).toBe(1)
    await bob.update([alice, bob, carol])
    expect(distinct(await secrets(alice, bob, carol))).toBe(1)
  })

  test('a member joins where a node lists an unmerged leaf that those above have taken in', async () => {
    const cast = new Cast(kit)
    const members = await cast.group('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')
    const [a, b] = members as [Member, Member]
    const leaver = await a.make({ removes: [b.leaf] })
    const present = members.filter((member) => member !== b)
    for (const member of present) if (member !== a) await member.follow(leaver.commit)
    a.adopt(leaver.into, leaver.candidate)
    // Into the empty place: unmerged in the left half and at the root. Then one of the right half commits.
    const late = cast.member('late')
    await a.admit(
      [late],
      present.filter((member) => member !== a),
    )
    await (members[7] as Member).update([...present, late])
    const last = cast.member('last')
    await a.admit(
      [last],
      [...present, late].filter((member) => member !== a),
    )
    expect(distinct(await secrets(...present, late, last))).toBe(1)
  })

  test('several join by one Welcome and all can commit afterwards', async () => {
    const members = (await new Cast(kit).group('a', 'b', 'c', 'd', 'e')) as Member[]
    for (const member of members) {
      await member.update(members)
      expect(distinct(await secrets(...members))).toBe(1)
    }
  })
}

function branchContract(kit: EngineKit): void {
  let alice: Member
  let bob: Member
  let carol: Member
  beforeAll(async () => {
    ;[alice, bob, carol] = (await new Cast(kit).group('alice', 'bob', 'carol')) as [Member, Member, Member]
  })

  test('siblings are processed on the kept parent, both ways, and have different secrets', async () => {
    const [x, y] = [await alice.make(), await bob.make({ removes: [] })]
    const onX = await carol.process(x.commit)
    const onY = await carol.process(y.commit)
    expect(got(onX.outcome, 'candidate').candidate.authenticator).toEqual(x.candidate.authenticator)
    expect(got(onY.outcome, 'candidate').candidate.authenticator).toEqual(y.candidate.authenticator)
    expect(await carol.secret(onX.into)).toBe(await alice.secret(x.into))
    expect(await carol.secret(onY.into)).toBe(await bob.secret(y.into))
    expect(await carol.secret(onX.into)).not.toBe(await carol.secret(onY.into))
  })

  test('a committer rolls back to the parent, follows the rival and forgets its own candidate', async () => {
    const [x, y] = [await alice.make(), await bob.make()]
    const onY = await alice.process(y.commit)
    await alice.drop(x.into)
    expect(await alice.secret(onY.into)).toBe(await bob.secret(y.into))
    const next = await bob.make({ from: y.into })
    const further = await alice.process(next.commit, onY.into)
    expect(await alice.secret(further.into)).toBe(await bob.secret(next.into))
  })

  test('dropping takes nothing from a parent that is kept, nor from a child', async () => {
    const [x, y] = [await alice.make(), await alice.make()]
    const onX = await carol.process(x.commit)
    await carol.drop(onX.into)
    const onY = await carol.process(y.commit)
    expect(await carol.secret(onY.into)).toBe(await alice.secret(y.into))
    const child = carol.cast.member('carol again')
    const stored = await carol.stored()
    const restored = { kind: 'restore', group: GROUP, into: 1, stored, wishes: [WISH] } as const
    got(await child.run(restored), 'epoch')
    const followed = await child.run({ ...processOf(y.commit, 1), into: 2 })
    got(followed, 'candidate')
    await child.drop(1)
    const z = await alice.make({ from: y.into })
    got(await child.run({ ...processOf(z.commit, 2), into: 3 }), 'candidate')
    expect(await child.secret(3)).toBe(await alice.secret(z.into))
  })

  test('a commit of a sibling branch is refused, whoever signed it', async () => {
    const [x, y] = [await alice.make(), await bob.make()]
    const onX = await carol.process(x.commit)
    const later = await bob.make({ from: y.into })
    expect((await carol.process(later.commit, onX.into)).outcome).toEqual({ ok: false, why: 'unverified' })
  })

  test('a member that is removed on one branch has the secret of the other', async () => {
    const [x, y] = [await alice.make({ removes: [carol.leaf] }), await bob.make()]
    expect((await carol.process(x.commit)).outcome).toEqual({ ok: false, why: 'removed' })
    const onY = await carol.process(y.commit)
    expect(await carol.secret(onY.into)).toBe(await bob.secret(y.into))
  })

  test("a member's own commit is refused by name, and so is an old one", async () => {
    const made = await alice.make()
    expect((await alice.process(made.commit)).outcome).toEqual({ ok: false, why: 'ownCommit' })
    const on = await bob.process(made.commit)
    expect((await bob.process(made.commit, on.into)).outcome).toEqual({ ok: false, why: 'wrongEpoch' })
  })
}

const processOf = (commit: Uint8Array, from: number) =>
  ({ kind: 'process', group: GROUP, from, commit, wishes: [WISH] }) as const

function storageContract(kit: EngineKit): void {
  test('a restored state goes on where the stored one was', async () => {
    const cast = new Cast(kit)
    const [alice, bob] = (await cast.group('alice', 'bob')) as [Member, Member]
    const stored = await bob.stored()
    const later = cast.member('bob after a crash')
    const restore = { kind: 'restore', group: GROUP, into: 9, stored, wishes: [WISH] } as const
    const { epoch } = got(await later.run(restore), 'epoch')
    later.adopt(9, epoch)
    expect(epoch).toMatchObject({ epoch: 1, ownLeaf: 1 })
    expect(epoch.charter).toEqual(cast.charter)
    expect(epoch.roster).toHaveLength(2)
    expect(await later.secret()).toBe(await alice.secret())
    await alice.update([alice, later])
    await later.update([alice, later])
    expect(await later.secret()).toBe(await alice.secret())
  })

  test('changed, cut and foreign bytes are no stored state', async () => {
    const [alice] = (await new Cast(kit).group('alice')) as [Member]
    const stored = await alice.stored()
    const restore = async (bytes: Uint8Array) =>
      await alice.run({ kind: 'restore', group: GROUP, into: 99, stored: bytes, wishes: [] })
    for (let at = 0; at < stored.length; at += 97) {
      const changed = stored.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(await restore(changed)).toEqual({ ok: false, why: 'undecodable' })
    }
    for (const length of [0, 1, 18, 19, stored.length - 1]) {
      expect(await restore(stored.subarray(0, length))).toEqual({ ok: false, why: 'undecodable' })
    }
    expect(await restore(new Uint8Array(1_048_577))).toEqual({ ok: false, why: 'tooLarge' })
  })

  test('no earlier epoch is kept in a state', async () => {
    const [alice, bob] = (await new Cast(kit).group('alice', 'bob')) as [Member, Member]
    await alice.update([alice, bob])
    await bob.update([alice, bob])
    const { length } = await alice.stored()
    for (let round = 0; round < 4; round++) await bob.update([alice, bob])
    expect(await alice.stored()).toHaveLength(length)
  })
}

function reproducibleContract(kit: EngineKit): void {
  /** A short life of a group, as everything its engines answered. */
  async function life(seed: string): Promise<string> {
    const cast = new Cast(kit, `life ${seed}`)
    const [alice, bob] = [cast.member('alice'), cast.member('bob')]
    const lines = [printed({ ok: true, kind: 'epoch', epoch: await alice.found() })]
    const { bytes, waiting } = await bob.keyPackage()
    const made = await alice.make({ adds: [bytes], entropy: seed })
    lines.push(bytes.join(), printed(made))
    alice.adopt(made.into, made.candidate)
    lines.push(printed(await bob.enter(made.welcome as Uint8Array, waiting)))
    const updated = await bob.make({ entropy: `${seed} again` })
    lines.push(printed(updated), printed((await alice.process(updated.commit)).outcome))
    lines.push((await alice.stored()).join())
    return lines.join('\n')
  }

  test('the same jobs give the same bytes', async () => {
    expect(await life('one')).toBe(await life('one'))
  })

  test('other entropy gives other bytes, secrets and keys', async () => {
    const [alice] = (await new Cast(kit).group('alice', 'bob')) as [Member, Member]
    const [x, again, y] = [
      await alice.make({ entropy: 'x' }),
      await alice.make({ entropy: 'x' }),
      await alice.make({ entropy: 'y' }),
    ]
    expect(again.commit).toEqual(x.commit)
    expect(again.candidate).toEqual(x.candidate)
    expect(y.commit).not.toEqual(x.commit)
    expect(y.candidate.updated?.hpkeKey).not.toEqual(x.candidate.updated?.hpkeKey)
    expect(await alice.secret(y.into)).not.toBe(await alice.secret(x.into))
  })

  test('exports differ by label, context and length, and agree with the exporter secret', async () => {
    const [alice, bob] = (await new Cast(kit).group('alice', 'bob')) as [Member, Member]
    const context = utf8('context')
    const wishes = [
      { label: 'a', context, length: 32 },
      { label: 'b', context, length: 32 },
      { label: 'a', context: utf8('other'), length: 32 },
      { label: 'a', context, length: 52 },
    ]
    const job = { kind: 'export', group: GROUP, wishes } as const
    const ours = got(await alice.run({ ...job, state: alice.current }), 'exported').exports
    const theirs = got(await bob.run({ ...job, state: bob.current }), 'exported').exports
    expect(ours).toEqual(theirs)
    expect(ours.map((bytes) => bytes.length)).toEqual([32, 32, 32, 52])
    expect(distinct(ours.map((bytes) => bytes.subarray(0, 32).join()))).toBe(4)
    const root = alice.facts?.exporterSecret as Uint8Array
    const derived = wishes.map((wish) => exportSecret(kit.suite, root, wish.label, wish.context, wish.length))
    expect(derived).toEqual(ours)
  })
}

function tableContract(kit: EngineKit): void {
  test('names of states are checked, and what is refused stays out', async () => {
    const [alice, bob] = (await new Cast(kit).group('alice', 'bob')) as [Member, Member]
    const { waiting } = await bob.keyPackage()
    const exported = (state: number, group = GROUP) => ({ kind: 'export', group, state, wishes: [] }) as const
    expect(await bob.run(exported(1_000))).toEqual({ ok: false, why: 'unknownState' })
    expect(await bob.run(exported(bob.current, GROUP + 1))).toEqual({ ok: false, why: 'unknownState' })
    expect(await bob.run(exported(waiting))).toEqual({ ok: false, why: 'stateKind' })
    const made = await alice.make()
    const taken = await bob.run({ ...processOf(made.commit, bob.current), into: waiting })
    expect(taken).toEqual({ ok: false, why: 'stateTaken' })
    const from = await bob.run({ ...processOf(made.commit, waiting), into: 1_001 })
    expect(from).toEqual({ ok: false, why: 'stateKind' })
    await bob.drop(bob.current, 12_345)
    expect(await bob.run(exported(bob.current))).toEqual({ ok: false, why: 'unknownState' })
    got(await bob.run({ kind: 'drop', group: GROUP, states: 'all' }), 'dropped')
    expect(await bob.run(exported(waiting))).toEqual({ ok: false, why: 'unknownState' })
  })

  test('sixteen states of a group are held, and no more', async () => {
    const [alice] = (await new Cast(kit).group('alice')) as [Member]
    for (let count = 1; count < 16; count++) await alice.make()
    expect((await alice.commit()).outcome).toEqual({ ok: false, why: 'tableFull' })
    await alice.drop(alice.current)
    expect((await alice.commit({ from: 2 })).outcome).toMatchObject({ ok: true })
  })

  test('wrong calls are usage errors, not refusals', async () => {
    const [alice] = (await new Cast(kit).group('alice')) as [Member]
    const job = {
      kind: 'export',
      group: GROUP,
      state: alice.current,
      wishes: [{ ...WISH, length: 256 }],
    } as const
    await expect(alice.run(job)).rejects.toThrow(/an export of 256 bytes; ask for 1 to 255/)
    await expect(alice.run({ ...job, wishes: [{ ...WISH, label: 'ü' }] })).rejects.toThrow(/ASCII/)
    const many = Array.from({ length: 17 }, () => WISH)
    await expect(alice.run({ ...job, wishes: many })).rejects.toThrow(/17 wishes; ask for at most 16/)
    await expect(alice.run({ ...job, group: -1 })).rejects.toThrow(/group is -1/)
  })
}

export function mlsContract(kit: EngineKit): void {
  describe(`${kit.name}: epochs`, () => epochContract(kit))
  describe(`${kit.name}: branches`, () => branchContract(kit))
  describe(`${kit.name}: storage`, () => storageContract(kit))
  describe(`${kit.name}: reproducible`, () => reproducibleContract(kit))
  describe(`${kit.name}: table of states`, () => tableContract(kit))
}
