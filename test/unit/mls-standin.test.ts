import { describe, expect, it } from 'vitest'
import { type MlsJob, type StateName, SUITE, type Suite } from '../../core/mls/engine.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { Verdicts } from '../../sim/mls/judge.ts'
import { StandInEngine } from '../../sim/mls/standin.ts'
import { Cast, GROUP, type Member, printed, WISH } from '../support/mls-cast.ts'

/** A cast whose engines share what they have judged, as in one world, or do not. */
function castWith(verdicts: () => Verdicts): Cast {
  const engine = () => new StandInEngine(standInCrypto, verdicts())
  return new Cast({ name: 'stand-in', crypto: standInCrypto, suite: SUITE.x25519, engine })
}

function world(): Cast {
  const verdicts = new Verdicts()
  return castWith(() => verdicts)
}

/** As many as named, added 64 at a time; all in one epoch. */
async function crowd(cast: Cast, count: number): Promise<Member[]> {
  const members = Array.from({ length: count }, (_, at) => cast.member(`member ${at}`))
  const [founder] = members as [Member]
  await founder.found()
  for (let at = 1; at < count; at += 64) await founder.admit(members.slice(at, at + 64), members.slice(1, at))
  return members
}

describe('what stand-in engines share', () => {
  async function life(cast: Cast): Promise<string[]> {
    const [alice, bob, carol] = (await cast.group('alice', 'bob', 'carol')) as [Member, Member, Member]
    const lines: string[] = []
    const commits = [await alice.make(), await bob.make({ removes: [carol.leaf] }), await carol.make()]
    for (const { commit } of commits) {
      for (const member of [alice, bob, carol]) {
        lines.push(printed((await member.process(commit)).outcome))
        lines.push(printed((await member.process(commit.subarray(1))).outcome))
      }
    }
    return lines
  }

  it('changes no outcome', async () => {
    const apart = await life(castWith(() => new Verdicts()))
    expect(await life(world())).toEqual(apart)
    expect(new Set(apart).size).toBeGreaterThan(6)
  })
})

describe('a crowd of stand-in members', () => {
  it('folds 250 of 500 in four commits, and all are in one epoch', async () => {
    const members = await crowd(world(), 500)
    const [founder, ...others] = members as [Member, ...Member[]]
    const staying = others.slice(0, 249)
    const folded = others.slice(249)
    for (let at = 0; at < folded.length; at += 63) {
      const batch = folded.slice(at, at + 63)
      const offers: { bytes: Uint8Array; waiting: StateName }[] = []
      for (const member of batch) offers.push(await member.keyPackage())
      const removes = batch.map(({ leaf }) => leaf)
      const made = await founder.make({ removes, adds: offers.map(({ bytes }) => bytes) })
      expect(made.commit.length).toBeLessThanOrEqual(65_536)
      const present = [...staying, ...folded.slice(0, at), ...folded.slice(at + 63)]
      for (const member of present) await member.follow(made.commit)
      for (const [place, member] of batch.entries()) {
        expect((await member.process(made.commit)).outcome).toEqual({ ok: false, why: 'removed' })
        await member.enter(made.welcome as Uint8Array, offers[place]?.waiting ?? 0)
      }
      founder.adopt(made.into, made.candidate)
    }
    const secrets = new Set<string>()
    for (const member of members) secrets.add(await member.secret())
    expect(secrets.size).toBe(1)
    expect(founder.facts?.epoch).toBe(8 + 4)
  })
})

/** As ts-mls 1.6.4 made them: members, empty commit, Add of one, its Welcome, stored state of the last. */
const LENGTHS = [
  [2, 655, 627, 1_317, 1_340],
  [8, 1_217, 627, 3_045, 3_980],
  [32, 3_255, 627, 9_957, 14_540],
  [128, 11_197, 627, 37_613, 56_784],
  [512, 42_761, 627, 148_205, 225_744],
] as const

/** Milliseconds as measured (sim/mls/cost.ts): members, empty commit, its processing, Add of one, join. */
const COSTS = [
  [2, 4.7, 6.5, 8.8, 11],
  [8, 7.7, 8.9, 16.5, 24],
  [32, 18, 8.6, 15, 73],
  [128, 93, 30, 38, 240],
  [512, 287, 76, 105, 860],
] as const

describe('what the stand-in knows of the real engine', () => {
  it.each(LENGTHS)('lengths among %i members', async (count, empty, add, welcome, stored) => {
    const cast = world()
    const members = await crowd(cast, count)
    const [founder] = members as [Member]
    const data = new Uint8Array(55)
    const { bytes } = await cast.member('newcomer').keyPackage()
    expect(bytes).toHaveLength(393)
    const made = await founder.make({ data, adds: [bytes] })
    expect((await founder.make({ data })).commit).toHaveLength(empty)
    expect([made.commit.length, made.welcome?.length]).toEqual([add, welcome])
    expect(await members.at(-1)?.stored()).toHaveLength(stored)
  })

  it.each(COSTS)(
    'costs among %i members, within a factor of two',
    async (count, empty, follow, add, join) => {
      const cast = world()
      const members = await crowd(cast, count)
      const [founder, last] = [members[0], members.at(-1)] as [Member, Member]
      const engine = (member: Member) => member.engine as StandInEngine
      const near = (member: Member, job: MlsJob, millis: number) => {
        const ratio = engine(member).costMicros(job) / 1_000 / millis
        expect(ratio).toBeGreaterThan(0.5)
        expect(ratio).toBeLessThan(2)
      }
      const newcomer = cast.member('newcomer')
      const { bytes, waiting } = await newcomer.keyPackage()
      const commit = (adds: readonly Uint8Array[]): MlsJob => ({
        kind: 'commit',
        group: GROUP,
        from: founder.current,
        into: 9_999,
        adds,
        removes: [],
        authenticatedData: new Uint8Array(55),
        welcomeData: new Uint8Array(64),
        entropy: new Uint8Array(32),
        wishes: [WISH],
      })
      near(founder, commit([]), empty)
      near(founder, commit([bytes]), add)
      const [update, admission] = [await founder.make(), await founder.make({ adds: [bytes] })]
      const offered: MlsJob = {
        kind: 'process',
        group: GROUP,
        from: last.current,
        into: 9_999,
        commit: update.commit,
        wishes: [],
      }
      near(last, offered, follow)
      const { charter } = cast
      const welcome = admission.welcome as Uint8Array
      const joining: MlsJob = {
        kind: 'join',
        group: GROUP,
        keyPackage: waiting,
        into: 9_999,
        welcome,
        charter,
        wishes: [],
      }
      near(newcomer, joining, join)
    },
  )

  it('charges nothing like that for what fails at once, and more for the hybrid suite', async () => {
    const cast = world()
    const [alice, bob] = (await cast.group('alice', 'bob')) as [Member, Member]
    const made = await alice.make()
    const job = { kind: 'process', group: GROUP, from: bob.current, into: 99, wishes: [] } as const
    const engine = bob.engine as StandInEngine
    const whole = engine.costMicros({ ...job, commit: made.commit })
    expect(engine.costMicros({ ...job, commit: made.commit.subarray(1) })).toBeLessThan(whole)
    const inspect = (suite: Suite) =>
      engine.costMicros({
        kind: 'inspect',
        group: GROUP,
        suite,
        groupId: cast.groupId,
        keyPackage: made.commit,
      })
    expect(inspect(SUITE.xwing)).toBeGreaterThan(inspect(SUITE.x25519))
    expect(engine.costMicros({ kind: 'drop', group: GROUP, states: 'all' })).toBeLessThan(1_000)
  })
})
