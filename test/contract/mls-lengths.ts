/**
 * The stand-in's messages are as long as the real ones, whatever happened to the tree: blank places,
 * unmerged leaves, removed and grown again, both suites.
 */
import { expect, test } from 'vitest'
import { utf8 } from '../../core/ids.ts'
import { Cast, type EngineKit, type Member } from '../support/mls-cast.ts'

/** Lengths of everything that is sent and stored in a short life of a group. */
async function lengthsOf(kit: EngineKit): Promise<number[]> {
  const cast = new Cast(kit, 'lengths')
  const lengths: number[] = []
  const present: Member[] = [cast.member('founder')]
  const [founder] = present as [Member]
  await founder.found()

  async function step(committer: Member, joiners: readonly Member[], leavers: readonly Member[]) {
    const offers: { bytes: Uint8Array; waiting: number }[] = []
    for (const joiner of joiners) offers.push(await joiner.keyPackage())
    const removes = leavers.map(({ leaf }) => leaf)
    const data = utf8('x'.repeat(7 * lengths.length))
    const made = await committer.make({ adds: offers.map(({ bytes }) => bytes), removes, data })
    for (const leaver of leavers) present.splice(present.indexOf(leaver), 1)
    for (const member of present) {
      if (member !== committer && !joiners.includes(member)) await member.follow(made.commit)
    }
    for (const [at, joiner] of joiners.entries()) {
      await joiner.enter(made.welcome as Uint8Array, offers[at]?.waiting ?? 0)
      if (!present.includes(joiner)) present.push(joiner)
    }
    committer.adopt(made.into, made.candidate)
    lengths.push(made.commit.length, made.welcome?.length ?? 0, ...offers.map(({ bytes }) => bytes.length))
    for (const member of present) lengths.push((await member.stored()).length)
  }

  await step(founder, [], [])
  await step(founder, [cast.member('b'), cast.member('c'), cast.member('d'), cast.member('e')], [])
  const [, b, c, d, e] = present as [Member, Member, Member, Member, Member]
  await step(d, [], [])
  await step(founder, [], [])
  await step(b, [cast.member('f')], [])
  await step(e, [], [c])
  const f = present.at(-1) as Member
  // Into the empty place, under nodes that know nothing of it; then one that comes back.
  await step(f, [cast.member('g')], [])
  await step(founder, [b], [b])
  // The right half becomes empty: the tree shrinks, and grows again.
  await step(founder, [], [e, f])
  await step(b, [], [])
  await step(d, [cast.member('h'), cast.member('i')], [])
  await step(present.at(-1) as Member, [], [])
  return lengths
}

export function sameLengths(real: EngineKit, standIn: EngineKit): void {
  test(`${standIn.name} has the lengths of ${real.name}, suite ${real.suite}`, async () => {
    const lengths = await lengthsOf(real)
    expect(lengths.length).toBeGreaterThan(80)
    expect(await lengthsOf(standIn)).toEqual(lengths)
  })
}
