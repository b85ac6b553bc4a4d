/** Ranks, step-in, witnesses, acks, and which child is preferred by which clause (sec:B5, B6). */
import { blake3 } from '@noble/hashes/blake3.js'
import { describe, expect, test } from 'vitest'
import { verifyNamed } from '../../core/crypto/signed.ts'
import type { Dice } from '../../core/dice.ts'
import { concat, hex, unhex } from '../../core/ids.ts'
import { MILLISECOND } from '../../core/io.ts'
import { type Ack, AckTally, makeAck, verifyAck } from '../../core/ledger/acks.ts'
import {
  type Child,
  CLAUSE,
  compareWeights,
  HOLD,
  maySwitch,
  preferred,
  weigh,
} from '../../core/ledger/preference.ts'
import { byRank, rankOf, stepInDelay, WITNESSES, witnessesOf } from '../../core/ledger/rank.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { type Holder, Vlan } from '../support/ledger.ts'
import vectors from '../vectors/ledger.json' with { type: 'json' }

const { hash, signatures } = crypto
const parent = new Uint8Array(16).fill(0xaa)
const id = (fill: number): Uint8Array => new Uint8Array(16).fill(fill)
const nobody = (): boolean => false

/** Draws the same share always. */
const drawing = (share: number): Dice => ({ u32: () => share * 2 ** 32, fork: () => drawing(share) })

describe('rank', () => {
  test.each(vectors.epoch.rank)('of $key is H16 over label, parent and member', ({ key, rank }) => {
    const input = Buffer.from('peertap rank v1\0', 'latin1').toString('hex') + vectors.epoch.parent + key
    expect(Buffer.from(blake3(unhex(input), { dkLen: 16 })).toString('hex')).toBe(rank)
  })

  test('orders members whatever order they come in, and anew for each epoch', () => {
    const vlan = new Vlan()
    const members = Array.from({ length: 40 }, () => vlan.person().key)
    const order = byRank(hash, parent, members).map(hex)
    expect(byRank(hash, parent, members.toReversed()).map(hex)).toEqual(order)
    expect(byRank(hash, id(1), members).map(hex)).not.toEqual(order)
    const ranks = order.map((key) => hex(rankOf(hash, parent, unhex(key))))
    expect(ranks).toEqual(ranks.toSorted())
    expect(vectors.epoch.order).toEqual(
      vectors.epoch.rank.toSorted((a, b) => (a.rank < b.rank ? -1 : 1)).map(({ key }) => key),
    )
  })

  test('the witnesses are the sixteen lowest of the roster', () => {
    const vlan = new Vlan()
    const members = Array.from({ length: 40 }, () => vlan.person().key)
    expect(witnessesOf(hash, parent, members)).toEqual(byRank(hash, parent, members).slice(0, WITNESSES))
    expect(witnessesOf(hash, parent, members.slice(0, 5))).toHaveLength(5)
  })

  test('the k-th steps in after k steps and a part of one; removals sooner', () => {
    expect(stepInDelay(0, false, drawing(0.99))).toBe(0)
    expect(stepInDelay(1, false, drawing(0))).toBe(400 * MILLISECOND)
    expect(stepInDelay(3, false, drawing(0.5))).toBe(1_250 * MILLISECOND)
    expect(stepInDelay(3, true, drawing(0))).toBe(900 * MILLISECOND)
    // Jitter never lets one overtake the one before.
    expect(stepInDelay(1, true, drawing(0.999))).toBeLessThan(stepInDelay(2, true, drawing(0)))
  })
})

describe('an ack', () => {
  const place = { vlan: id(1), parent }
  const leafSeed = new Uint8Array(32).fill(3)
  const signer = { leafKey: signatures.publicKey(leafSeed), memberKey: new Uint8Array(32).fill(4) }
  const bytes = makeAck(signatures, place, leafSeed, id(2), 7)

  test('is child, counter and a signature over VLAN, parent, child and counter', () => {
    expect(hex(bytes.subarray(0, 20))).toBe(`${hex(id(2))}00000007`)
    const body = concat(place.vlan, parent, id(2), Uint8Array.of(0, 0, 0, 7))
    expect(verifyNamed(signatures, signer.leafKey, 'ack', body, bytes.subarray(20))).toBe(true)
    expect(vectors.epoch.ack).toHaveLength(168)
  })

  test('counts for its parent, VLAN and signer only', () => {
    expect(verifyAck(signatures, place, signer, bytes)).toEqual({
      witness: signer.memberKey,
      child: id(2),
      counter: 7,
    })
    expect(verifyAck(signatures, { ...place, parent: id(9) }, signer, bytes)).toBeUndefined()
    expect(verifyAck(signatures, { ...place, vlan: id(9) }, signer, bytes)).toBeUndefined()
    expect(verifyAck(signatures, place, { ...signer, leafKey: signer.memberKey }, bytes)).toBeUndefined()
    expect(verifyAck(signatures, place, signer, bytes.subarray(1))).toBeUndefined()
  })
})

describe('a tally', () => {
  const witnesses = [1, 2, 3, 4, 5].map((fill) => new Uint8Array(32).fill(fill))
  const [ann, bob, cyd] = witnesses as [Uint8Array, Uint8Array, Uint8Array]
  const say = (witness: Uint8Array, child: number, counter: number): Ack => ({
    witness,
    child: id(child),
    counter,
  })

  test('takes the last word of each witness, whatever came first', () => {
    const words = [say(ann, 1, 1), say(ann, 2, 2), say(bob, 1, 5), say(ann, 1, 0)]
    for (const order of [words, words.toReversed()]) {
      const tally = new AckTally(witnesses)
      for (const word of order) tally.add(word)
      expect([tally.count(id(1), nobody), tally.count(id(2), nobody)]).toEqual([1, 1])
    }
  })

  test('does not hear who is no witness, nor count who is refused', () => {
    const tally = new AckTally(witnesses)
    expect(tally.add(say(new Uint8Array(32).fill(9), 1, 1))).toBe(false)
    expect(tally.add(say(ann, 1, 1))).toBe(true)
    expect(tally.add(say(ann, 1, 1))).toBe(false)
    tally.add(say(bob, 1, 1))
    expect(tally.count(id(1), (member) => hex(member) === hex(ann))).toBe(1)
  })

  test('a witness that says two things under one counter says nothing, until it says more', () => {
    for (const order of [
      [1, 2],
      [2, 1],
      [1, 2, 1],
      [2, 2, 1, 2],
    ]) {
      const tally = new AckTally(witnesses)
      for (const child of order) tally.add(say(ann, child, 3))
      expect([tally.count(id(1), nobody), tally.count(id(2), nobody)]).toEqual([0, 0])
      tally.add(say(ann, 2, 4))
      expect(tally.count(id(2), nobody)).toBe(1)
    }
  })

  test('settled is more than half of the unrefused witnesses heard', () => {
    const tally = new AckTally(witnesses)
    tally.add(say(ann, 1, 1))
    tally.add(say(bob, 1, 1))
    expect(tally.isSettled(id(1), witnesses.slice(0, 3), nobody)).toBe(true)
    expect(tally.isSettled(id(1), witnesses.slice(0, 4), nobody)).toBe(false)
    expect(tally.isSettled(id(2), witnesses.slice(0, 3), nobody)).toBe(false)
    expect(tally.isSettled(id(1), [], nobody)).toBe(false)
    // Who was not heard lately is neither in the count nor in the half.
    expect(tally.isSettled(id(1), [ann], nobody)).toBe(true)
    expect(tally.isSettled(id(1), [cyd, ann], nobody)).toBe(false)
    // Nor is who is refused, nor who is no witness.
    expect(tally.isSettled(id(1), [cyd, ann], (member) => hex(member) === hex(cyd))).toBe(true)
    expect(tally.isSettled(id(1), [new Uint8Array(32).fill(77), ann], nobody)).toBe(true)
  })
})

describe('preference', () => {
  const vlan = new Vlan()
  const members = Array.from({ length: 20 }, () => vlan.member())
  const keys = members.map(({ key }) => key)
  const ordered = byRank(hash, parent, keys)
  const eve = members[7] as Holder
  const ledger = vlan.ledger(...members.map(({ grant }) => grant), vlan.revoke(eve.key, 1))
  const clean = keys.filter((key) => hex(key) !== hex(eve.key))
  const witnesses = witnessesOf(hash, parent, keys)

  const child = (fill: number, more: Partial<Child> = {}): Child => ({
    mlsId: id(fill),
    headRoster: clean,
    proposals: 1,
    committer: ordered[10] as Uint8Array,
    commitHash: new Uint8Array(32).fill(fill),
    ...more,
  })
  const tally = (...counts: readonly (readonly [fill: number, acks: number])[]): AckTally => {
    const acks = new AckTally(witnesses)
    let next = 0
    for (const [fill, count] of counts)
      for (let said = 0; said < count; said++)
        acks.add({ witness: witnesses[next++] as Uint8Array, child: id(fill), counter: 1 })
    return acks
  }
  const weight = (of: Child, acks: AckTally) => weigh(hash, parent, of, ledger, acks)
  const compare = (left: Child, right: Child, acks = tally()) =>
    compareWeights(weight(left, acks), weight(right, acks))

  // In every row the first is preferred, though all later clauses speak for the second.
  const late = { committer: ordered[15] as Uint8Array, commitHash: new Uint8Array(32).fill(0xff) }
  const early = { committer: ordered[0] as Uint8Array, commitHash: new Uint8Array(32) }
  test.each([
    ['clean', child(1, { ...late, proposals: 0 }), child(2, { ...early, headRoster: keys }), tally([2, 14])],
    ['witnesses', child(1, { ...late, proposals: 0 }), child(2, early), tally([1, 7], [2, 6])],
    ['proposals', child(1, late), child(2, { ...early, proposals: 0 }), tally([1, 4], [2, 6])],
    [
      'rank',
      child(1, { ...early, commitHash: late.commitHash }),
      child(2, { ...late, commitHash: early.commitHash }),
      tally(),
    ],
    ['hash', child(1, early), child(2, { ...early, commitHash: late.commitHash }), tally([2, 0])],
  ] as const)('%s decides before all that come after', (clause, better, worse, acks) => {
    expect(compare(better, worse, acks)).toMatchObject({ clause })
    expect(compare(better, worse, acks).order).toBeLessThan(0)
    expect(compare(worse, better, acks).order).toBeGreaterThan(0)
    expect(preferred(hash, parent, [worse, better], ledger, acks)).toBe(better)
  })

  test('witnesses count in powers of two: a few insiders late with their acks move nobody', () => {
    const support = [0, 1, 2, 3, 4, 6, 7, 14, 15, 16].map(
      (acks) => weight(child(1), tally([1, acks])).support,
    )
    expect(support).toEqual([0, 1, 1, 2, 2, 2, 3, 3, 4, 4])
  })

  test('acks of refused witnesses do not count', () => {
    const acks = new AckTally(keys)
    acks.add({ witness: eve.key, child: id(1), counter: 1 })
    expect(weight(child(1), acks).support).toBe(0)
  })

  test('the same commit is the same, and nothing is preferred of nothing', () => {
    expect(compare(child(1), child(1))).toEqual({ order: 0, clause: CLAUSE.same })
    expect(preferred(hash, parent, [], ledger, tally())).toBeUndefined()
  })

  test('Eve, removed, makes a thousand siblings: none is preferred once she is known (M3)', () => {
    const eviction = child(1, { ...late, headRoster: clean })
    const siblings = Array.from({ length: 1_000 }, (_, index) =>
      child(2, {
        headRoster: keys,
        committer: eve.key,
        commitHash: hash.hash32(Uint8Array.of(index, index >> 8)),
      }),
    )
    const acks = tally([2, 5])
    expect(preferred(hash, parent, [...siblings, eviction], ledger, acks)).toBe(eviction)
    // Without the revocation her best try wins: that is why the facts travel before the commit (B1).
    const deaf = vlan.ledger(...members.map(({ grant }) => grant))
    expect(preferred(hash, parent, [...siblings, eviction], deaf, acks)).not.toBe(eviction)
  })

  test('nobody goes back to Eve because another is to be removed as well', () => {
    const mallory = members.find(({ key }) => hex(key) !== hex(eve.key)) as Holder
    const facts = [vlan.revoke(eve.key, 1), vlan.revoke(mallory.key, 2)]
    const both = vlan.ledger(...members.map(({ grant }) => grant), ...facts)
    // The way that was gone is without Eve; her sibling has more witnesses, and both have Mallory still.
    const gone = child(1, late)
    const back = child(2, { ...early, headRoster: keys })
    const acks = tally([1, 2], [2, 12])
    const order = compareWeights(weigh(hash, parent, gone, both, acks), weigh(hash, parent, back, both, acks))
    expect(order).toMatchObject({ clause: CLAUSE.clean })
    expect(preferred(hash, parent, [back, gone], both, acks)).toBe(gone)
  })

  test('a child is kept for 300 ms, unless a clean one comes', () => {
    expect(maySwitch(CLAUSE.rank, 1_000, 1_000 + HOLD - 1)).toBe(false)
    expect(maySwitch(CLAUSE.rank, 1_000, 1_000 + HOLD)).toBe(true)
    expect(maySwitch(CLAUSE.clean, 1_000, 1_000)).toBe(true)
  })
})
