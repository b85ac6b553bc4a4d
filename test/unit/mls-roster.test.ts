import { describe, expect, it } from 'vitest'
import type { RosterLeaf } from '../../core/mls/engine.ts'
import { CREDENTIAL_BYTES } from '../../core/mls/limits.ts'
import {
  checkDistinct,
  checkTransition,
  expectRoster,
  type GroupFacts,
  type Proposal,
  type Roster,
  type Unplaced,
} from '../../core/mls/roster.ts'

const NONE = new Uint8Array(0)

function key(kind: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? kind : at === 1 ? seed : 7))
}

/** A member by its number; `join` is its join number. */
function entry(seed: number, join = 1, change: Partial<Unplaced> = {}): Unplaced {
  const credential = new Uint8Array(CREDENTIAL_BYTES)
  credential.set(key(1, seed))
  credential[53] = join
  return { credential, signatureKey: key(2, seed), hpkeKey: key(3, seed), extensions: NONE, ...change }
}

const leaf = (place: number, seed: number, join = 1): RosterLeaf => ({ leaf: place, ...entry(seed, join) })

function group(roster: Roster, change: Partial<GroupFacts> = {}): GroupFacts {
  return { roster, parentKeys: [key(3, 200)], extensions: key(4, 0), active: true, ...change }
}

const three = group([leaf(0, 10), leaf(2, 12), leaf(3, 13)])
const add = (one: Unplaced): Proposal => ({ kind: 'add', entry: one })
const remove = (place: number): Proposal => ({ kind: 'remove', leaf: place })
const whyOf = (proposals: readonly Proposal[], before = three, committer = 0): string => {
  const expected = expectRoster(before, committer, proposals)
  return expected.ok ? 'allowed' : expected.why
}

describe('what the roster will be', () => {
  it('gives Adds the leftmost empty places, also those that Removes of the same commit empty', () => {
    const expected = expectRoster(three, 0, [add(entry(20)), remove(2), add(entry(21)), add(entry(22))])
    expect(expected).toMatchObject({ ok: true })
    if (!expected.ok) return
    const places = expected.roster.map(({ leaf: place, signatureKey }) => [place, signatureKey[1]])
    expect(places).toEqual([
      [0, 10],
      [1, 20],
      [2, 21],
      [3, 13],
      [4, 22],
    ])
    const told = expected.proposals.map(({ kind, leaf: one }) => [kind, one.leaf, one.signatureKey[1]])
    expect(told).toEqual([
      ['add', 1, 20],
      ['remove', 2, 12],
      ['add', 2, 21],
      ['add', 4, 22],
    ])
  })

  it('refuses Removes of nobody, of the same twice and of the committer', () => {
    expect(whyOf([remove(1)])).toBe('badRemove')
    expect(whyOf([remove(2), remove(2)])).toBe('badRemove')
    expect(whyOf([remove(0)])).toBe('badRemove')
    expect(whyOf([remove(0)], three, 2)).toBe('allowed')
  })

  it('refuses a member, leaf key or HPKE key that is there, in the commit itself too', () => {
    const fresh = entry(20)
    expect(whyOf([add({ ...fresh, credential: entry(12).credential })])).toBe('duplicateMember')
    expect(whyOf([add({ ...fresh, signatureKey: key(2, 13) })])).toBe('duplicateSignatureKey')
    expect(whyOf([add({ ...fresh, hpkeKey: key(3, 10) })])).toBe('duplicateHpkeKey')
    expect(whyOf([add({ ...fresh, hpkeKey: key(3, 200) })])).toBe('duplicateHpkeKey')
    const second = expectRoster(three, 0, [add(fresh), add({ ...entry(21), hpkeKey: fresh.hpkeKey })])
    expect(second).toEqual({ ok: false, why: 'duplicateHpkeKey', add: 1 })
  })

  it('lets a member replace itself only with a higher join number', () => {
    const again = (join: number) => add(entry(12, join, { signatureKey: key(2, 30), hpkeKey: key(3, 30) }))
    expect(whyOf([remove(2), again(2)])).toBe('allowed')
    expect(whyOf([again(2), remove(2)])).toBe('allowed')
    for (const join of [0, 1]) expect(whyOf([remove(2), again(join)])).toBe('staleJoinNumber')
    expect(whyOf([again(2)])).toBe('duplicateMember')
    expect(whyOf([remove(3), again(2)])).toBe('duplicateMember')
  })

  it('refuses 65 of a kind, a suspended group, and a credential of another length', () => {
    const adds = Array.from({ length: 65 }, (_, at) => add(entry(100 + at)))
    expect(whyOf(adds)).toBe('tooManyProposals')
    expect(whyOf(adds.slice(1))).toBe('allowed')
    const many = group(Array.from({ length: 66 }, (_, at) => leaf(at, at)))
    const removes = Array.from({ length: 65 }, (_, at) => remove(at + 1))
    expect(whyOf(removes, many)).toBe('tooManyProposals')
    expect(whyOf(removes.slice(1), many)).toBe('allowed')
    expect(whyOf([], group([leaf(0, 10)], { active: false }))).toBe('groupInactive')
    expect(whyOf([add(entry(20, 1, { credential: new Uint8Array(117) }))])).toBe('undecodable')
  })
})

describe('whether it became that', () => {
  const committer = 2
  const updated = { ...leaf(2, 12), hpkeKey: key(3, 90) }
  const became = (change: Partial<GroupFacts> = {}, roster: Roster = [leaf(0, 10), updated, leaf(3, 13)]) =>
    group(roster, { parentKeys: [key(3, 91)], ...change })
  const verdict = (facts: GroupFacts) => checkTransition(three, facts, committer, three.roster)
  const withSigner = (change: Partial<RosterLeaf>) =>
    became({}, [leaf(0, 10), { ...updated, ...change }, leaf(3, 13)])

  it('allows a new HPKE key of the committer, and the same one', () => {
    expect(verdict(became())).toBeUndefined()
    expect(verdict(withSigner({ hpkeKey: key(3, 12) }))).toBeUndefined()
  })

  it('names what the committer changed of itself', () => {
    expect(verdict(withSigner({ credential: entry(10).credential }))).toBe('committerIdentityChanged')
    expect(verdict(withSigner({ signatureKey: key(2, 99) }))).toBe('committerKeyChanged')
    expect(verdict(withSigner({ extensions: key(5, 0) }))).toBe('rosterMismatch')
  })

  it('refuses every other difference', () => {
    const others: Partial<RosterLeaf>[] = [
      { hpkeKey: key(3, 99) },
      { signatureKey: key(2, 99) },
      { credential: entry(99).credential },
      { extensions: key(5, 0) },
      { leaf: 1 },
    ]
    for (const change of others) {
      const facts = became({}, [{ ...leaf(0, 10), ...change }, updated, leaf(3, 13)])
      expect(verdict(facts)).toBe('rosterMismatch')
    }
    expect(verdict(became({}, [leaf(0, 10), updated]))).toBe('rosterMismatch')
    expect(verdict(became({}, [leaf(0, 10), updated, leaf(3, 13), leaf(4, 14)]))).toBe('rosterMismatch')
    expect(verdict(became({}, [leaf(0, 10), leaf(3, 13)]))).toBe('rosterMismatch')
  })

  it('refuses changed extensions, a suspended group, and a key of the path that is somebody’s', () => {
    expect(verdict(became({ extensions: key(4, 1) }))).toBe('extensionChanged')
    expect(verdict(became({ active: false }))).toBe('groupInactive')
    expect(verdict(withSigner({ hpkeKey: key(3, 13) }))).toBe('duplicateHpkeKey')
    expect(verdict(became({ parentKeys: [key(3, 10)] }))).toBe('duplicateHpkeKey')
    expect(verdict(became({ parentKeys: [key(3, 91), key(3, 91)] }))).toBe('duplicateHpkeKey')
  })
})

describe('a group that is met for the first time', () => {
  it('has each key once', () => {
    expect(checkDistinct(three)).toBeUndefined()
    const second = { leaf: 1, ...entry(20) }
    const roster = (change: Partial<RosterLeaf>) => group([leaf(0, 10), { ...second, ...change }])
    expect(checkDistinct(roster({ credential: entry(10).credential }))).toBe('duplicateMember')
    expect(checkDistinct(roster({ signatureKey: key(2, 10) }))).toBe('duplicateSignatureKey')
    expect(checkDistinct(roster({ hpkeKey: key(3, 10) }))).toBe('duplicateHpkeKey')
    expect(checkDistinct(roster({ hpkeKey: key(3, 200) }))).toBe('duplicateHpkeKey')
  })
})
