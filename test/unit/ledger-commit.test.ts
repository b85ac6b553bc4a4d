/** Commits judged by facts: every refusal of B4, what is fetched first, and what a committer makes itself. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hex } from '../../core/ids.ts'
import { makeCredential, verifyCredential } from '../../core/ledger/certificate.ts'
import {
  ADDS_MAX,
  type CommitData,
  decodeCommitData,
  encodeCommitData,
  PROPOSALS_MAX,
} from '../../core/ledger/commit-data.ts'
import type { Fact } from '../../core/ledger/facts.ts'
import {
  COMMIT_REFUSAL,
  type Commit,
  type CommitRefusal,
  judgeCommit,
  type Leaf,
  type Proposal,
  type Scene,
  type Verdict,
} from '../../core/ledger/judgement.ts'
import { dueRemovals, factsForAdd, factsForRemove } from '../../core/ledger/proposals.ts'
import { SpentSerials } from '../../core/ledger/spent.ts'
import { NO_LINEAGE } from '../../core/ledger/standing.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { DAY, type Holder, type Invited, NOW, type Person, Vlan } from '../support/ledger.ts'
import vectors from '../vectors/ledger.json' with { type: 'json' }

const parent = new Uint8Array(16).fill(0xaa)
const { signatures } = crypto

/** A VLAN with an admin and three members in a group; the first member commits. */
class Group {
  readonly vlan = new Vlan()
  readonly admin = this.vlan.admin()
  readonly members = [this.vlan.member(), this.vlan.member(), this.vlan.member(this.admin.issuer)] as const
  readonly ledger = this.vlan.ledger(
    this.vlan.founding.charter,
    this.admin.grant,
    ...this.members.map(({ grant }) => grant),
  )
  readonly roster = new Map<number, Leaf>()
  readonly spent = new SpentSerials()
  now: number | undefined = NOW
  #leafCount = 0

  constructor() {
    for (const [index, member] of [...this.members, this.admin].entries())
      this.seat(index, member, member.serial)
  }

  seat(leaf: number, member: Person, serial: Uint8Array, joinNumber = 100): void {
    const identity = { memberKey: member.key, serial, joinNumber }
    this.roster.set(leaf, { identity, leafKey: this.leafKey() })
    this.spent.spend(identity, leaf)
  }

  leafKey(): Uint8Array {
    this.#leafCount += 1
    return new Uint8Array(32).fill(this.#leafCount).fill(0xee, 16)
  }

  learn(...facts: readonly Fact[]): void {
    for (const fact of facts) expect(this.ledger.add(fact.bytes)).toBe('added')
  }

  add({ key, seed }: Person, serial: Uint8Array, joinNumber = 200, leafKey = this.leafKey()): Proposal {
    expect(signatures.publicKey(seed)).toEqual(key)
    const credential = makeCredential(signatures, this.vlan.id, seed, { serial, joinNumber, leafKey })
    return { kind: 'add', credential, leafKey }
  }

  scene(): Scene {
    const { ledger, roster, spent: lineage, now } = this
    return { ledger, parent, roster, lineage, now }
  }

  judge(
    proposals: readonly Proposal[],
    facts: CommitData['facts'],
    more: Partial<Commit & CommitData> = {},
  ): Verdict {
    const data = { parent, digest: this.ledger.digest(), wallTime: NOW, facts, ...more }
    const authenticatedData = more.authenticatedData ?? encodeCommitData(data)
    return judgeCommit(crypto, this.scene(), { signer: more.signer ?? 0, authenticatedData, proposals })
  }
}

const remove = (leaf: number): Proposal => ({ kind: 'remove', leaf })
const ids = (...facts: readonly Fact[]): Uint8Array[] => facts.map((fact) => fact.id)
const valid: Verdict = { kind: 'valid' }

/** Somebody new with a Grant that the group knows. */
function newcomer(group: Group): Holder {
  const member = group.vlan.member()
  group.learn(member.grant)
  return member
}

/** An invitation that two keys redeemed, both known. */
function redeemedTwice(group: Group) {
  const invited: Invited = group.vlan.invitation()
  const [ann, bob] = [group.vlan.redeemer(invited), group.vlan.redeemer(invited)]
  group.learn(invited.grant, ann.redemption, bob.redemption)
  const facts = (of: typeof ann) => [invited.serial, of.redemption.id]
  return { invited, ann, bob, facts }
}

/** One commit for each refusal. */
const CASES: Readonly<Record<CommitRefusal, () => Verdict>> = {
  dataMalformed: () => new Group().judge([], [], { authenticatedData: new Uint8Array(9) }),
  wrongParent: () => new Group().judge([], [], { parent: new Uint8Array(16) }),
  factsMiscounted: () => new Group().judge([remove(1)], []),
  tooManyProposals: () => {
    const many = Array.from({ length: PROPOSALS_MAX + 1 }, () => remove(1))
    return new Group().judge(many, [])
  },
  tooManyAdds: () => {
    const group = new Group()
    const add = group.add(group.members[0], group.members[0].serial)
    return group.judge(new Array<Proposal>(ADDS_MAX + 1).fill(add), [])
  },
  signerUnknown: () => new Group().judge([], [], { signer: 17 }),
  signerRefused: () => {
    const group = new Group()
    group.learn(group.vlan.revoke(group.members[0].key, 1))
    return group.judge([], [])
  },
  addBadLeaf: () => {
    const group = new Group()
    const { grant, ...member } = newcomer(group)
    const add = group.add(member, grant.id)
    return group.judge([{ ...add, leafKey: group.leafKey() } as Proposal], [ids(grant)])
  },
  addKeyInUse: () => {
    const group = new Group()
    const { grant, ...member } = newcomer(group)
    const taken = (group.roster.get(1) as Leaf).leafKey
    return group.judge([group.add(member, grant.id, 200, taken)], [ids(grant)])
  },
  addMemberTwice: () => {
    const group = new Group()
    const { grant, ...member } = newcomer(group)
    const twice = [group.add(member, grant.id), group.add(member, grant.id, 201)]
    return group.judge(twice, [ids(grant), ids(grant)])
  },
  addSerialTwice: () => {
    const group = new Group()
    const { invited, ann, bob, facts } = redeemedTwice(group)
    const both = [group.add(ann, invited.serial), group.add(bob, invited.serial)]
    return group.judge(both, [facts(ann), facts(bob)])
  },
  addMemberPresent: () => {
    const group = new Group()
    const [, ann] = group.members
    return group.judge([group.add(ann, ann.serial)], [ids(ann.grant)])
  },
  addJoinNumber: () => {
    const group = new Group()
    const [, ann] = group.members
    return group.judge([remove(1), group.add(ann, ann.serial, 100)], [[], ids(ann.grant)])
  },
  addFactsUnlisted: () => {
    const group = new Group()
    const { grant, ...member } = newcomer(group)
    return group.judge([group.add(member, grant.id)], [[]])
  },
  addNotHolder: () => {
    const group = new Group()
    const { grant } = newcomer(group)
    return group.judge([group.add(group.vlan.person(), grant.id)], [ids(grant)])
  },
  addRefused: () => {
    const group = new Group()
    const { grant, ...member } = newcomer(group)
    group.learn(group.vlan.revoke(member.key, 1))
    return group.judge([group.add(member, grant.id)], [ids(grant)])
  },
  addSerialSpent: () => {
    const group = new Group()
    const { invited, ann, bob, facts } = redeemedTwice(group)
    group.seat(9, ann, invited.serial)
    return group.judge([group.add(bob, invited.serial)], [facts(bob)])
  },
  removeUnknownLeaf: () => new Group().judge([remove(17)], [[]]),
  removeTwice: () => new Group().judge([remove(1), remove(1)], [[], []]),
  removeSigner: () => new Group().judge([remove(0)], [[]]),
  removeUnjustified: () => new Group().judge([remove(1)], [[]]),
}

describe('refusals', () => {
  test.each(Object.entries(CASES))('%s', (reason, reach) => {
    expect(reach()).toMatchObject({ kind: 'invalid', reason })
  })
  test('there are no others', () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.values(COMMIT_REFUSAL).sort())
  })
})

describe('an Add', () => {
  test('of a member, of an invited and of an admin’s member is valid with its facts', () => {
    const group = new Group()
    const member = newcomer(group)
    const byAdmin = group.vlan.member(group.admin.issuer)
    group.learn(byAdmin.grant)
    const { invited, ann, facts } = redeemedTwice(group)
    const proposals = [
      group.add(member, member.serial),
      group.add(byAdmin, byAdmin.serial),
      group.add(ann, invited.serial),
    ]
    expect(group.judge(proposals, [ids(member.grant), ids(byAdmin.grant), facts(ann)])).toEqual(valid)
  })

  test('needs both facts of an invitation listed, so that whoever lacks one asks for it', () => {
    const group = new Group()
    const { invited, ann, facts } = redeemedTwice(group)
    for (const some of [[invited.serial], [ann.redemption.id]])
      expect(group.judge([group.add(ann, invited.serial)], [some])).toMatchObject({
        reason: 'addFactsUnlisted',
      })
    expect(group.judge([group.add(ann, invited.serial)], [facts(ann)])).toEqual(valid)
  })

  test('with facts that are not here: they are named, and of one that waits what it waits for', () => {
    const group = new Group()
    const admin = group.vlan.admin()
    const invited = group.vlan.invitation(admin.issuer)
    const ann = group.vlan.redeemer(invited)
    const proposals = [group.add(ann, invited.serial)]
    const facts = [ids(invited.grant, ann.redemption)]
    const missing = (...of: readonly Fact[]): Verdict => ({ kind: 'missing', ids: ids(...of) })
    expect(group.judge(proposals, facts)).toEqual(missing(invited.grant, ann.redemption))
    group.ledger.add(ann.redemption.bytes)
    expect(group.judge(proposals, facts)).toEqual(missing(invited.grant))
    group.ledger.add(invited.grant.bytes)
    expect(group.judge(proposals, facts)).toEqual(missing(admin.grant))
    group.ledger.add(admin.grant.bytes)
    expect(group.judge(proposals, facts)).toEqual(valid)
  })

  test('under a serial that was spent stays invalid after its member was removed', () => {
    const group = new Group()
    const { invited, ann, bob, facts } = redeemedTwice(group)
    group.seat(9, ann, invited.serial)
    group.roster.delete(9)
    expect(group.judge([group.add(bob, invited.serial)], [facts(bob)])).toMatchObject({
      reason: 'addSerialSpent',
    })
    expect(group.judge([group.add(ann, invited.serial)], [facts(ann)])).toEqual(valid)
  })

  test('a member that joined late knows from a Leave that the serial was spent', () => {
    const group = new Group()
    const { invited, ann, bob, facts } = redeemedTwice(group)
    group.learn(group.vlan.leave(invited.serial, ann))
    expect(group.judge([group.add(bob, invited.serial)], [facts(bob)])).toMatchObject({
      reason: 'addSerialSpent',
    })
  })

  test('does not ask the end of the Grant: only the committer does (M9)', () => {
    const group = new Group()
    const old = group.vlan.member(group.vlan.authority, NOW - DAY)
    group.learn(old.grant)
    expect(group.judge([group.add(old, old.serial)], [ids(old.grant)])).toEqual(valid)
    const identity = { memberKey: old.key, serial: old.serial, joinNumber: 1 }
    expect(factsForAdd(group.ledger, identity, NO_LINEAGE, NOW)).toBeUndefined()
  })
})

describe('a Remove', () => {
  test('of a member that comes back with a newer leaf needs no fact', () => {
    const group = new Group()
    const [, ann] = group.members
    expect(group.judge([remove(1), group.add(ann, ann.serial, 101)], [[], ids(ann.grant)])).toEqual(valid)
  })

  test('for each reason, with the fact that shows it', () => {
    const group = new Group()
    const [, ann, bob] = group.members
    const { invited, ann: first, bob: second } = redeemedTwice(group)
    group.seat(8, first, invited.serial)
    group.seat(9, second, invited.serial)
    const revocation = group.vlan.revoke(ann.key, 1)
    const fall = group.vlan.revoke(group.admin.key, 2)
    const leave = group.vlan.leave(bob.serial, bob)
    group.learn(revocation, fall, leave)
    expect(group.judge([remove(1)], [ids(revocation)])).toEqual(valid)
    expect(group.judge([remove(2)], [ids(leave)])).toEqual(valid)
    expect(group.judge([remove(2)], [ids(fall)])).toEqual(valid)
    expect(group.judge([remove(3)], [ids(fall)])).toEqual(valid)
    expect(group.judge([remove(9)], [ids(first.redemption)])).toEqual(valid)
    expect(group.judge([remove(8)], [ids(second.redemption)])).toMatchObject({ reason: 'removeUnjustified' })
  })

  test('by facts that do not show it to everybody is invalid, though it is true', () => {
    const group = new Group()
    const [, ann, bob] = group.members
    const revocation = group.vlan.revoke(ann.key, 1)
    group.learn(revocation, group.vlan.leave(bob.serial, bob))
    for (const facts of [[], ids(ann.grant), ids(group.vlan.founding.charter)])
      expect(group.judge([remove(1)], [facts])).toMatchObject({ reason: 'removeUnjustified' })
    expect(group.judge([remove(2)], [ids(revocation)])).toMatchObject({ reason: 'removeUnjustified' })
  })

  test('of an admin by another’s revocation is invalid (S9)', () => {
    const group = new Group()
    const rival = group.vlan.admin()
    const revocation = group.vlan.revoke(group.admin.key, 1, rival.issuer)
    group.learn(rival.grant, revocation)
    expect(group.judge([remove(3)], [ids(revocation)])).toMatchObject({ reason: 'removeUnjustified' })
  })

  describe('because its Grants ended', () => {
    const end = NOW + 90 * DAY
    const scene = () => {
      const group = new Group()
      return { group, last: ids(group.members[1].grant) }
    }

    test.each([
      ['before the commit, and by this clock', end + 1, end + 1, true],
      ['an hour less by this clock', end + 1, end - 3_599_999, true],
      ['more than an hour before by this clock', end + 1, end - 3_600_000, false],
      ['by a clock that is not set', end + 1, undefined, true],
      ['at the time of the commit, not before', end, end + DAY, false],
    ])('%s', (_, wallTime, now, isValid) => {
      const { group, last } = scene()
      group.now = now
      const verdict = group.judge([remove(1)], [last], { wallTime })
      expect(verdict.kind).toBe(isValid ? 'valid' : 'invalid')
    })

    test('not if it was renewed', () => {
      const { group, last } = scene()
      const [, ann] = group.members
      const renewal = group.vlan.member(group.vlan.authority, end + DAY, ann)
      group.learn(renewal.grant)
      group.now = end + 2 * DAY
      const reason = 'removeUnjustified'
      expect(group.judge([remove(1)], [last], { wallTime: end + 1 })).toMatchObject({ reason })
      expect(group.judge([remove(1)], [last], { wallTime: end + 2 * DAY })).toMatchObject({ reason })
      expect(group.judge([remove(1)], [ids(renewal.grant)], { wallTime: end + 2 * DAY })).toEqual(valid)
    })
  })
})

test('an empty commit by a member is valid: a key update', () => {
  expect(new Group().judge([], [])).toEqual(valid)
})

describe('a committer', () => {
  test('makes what others find valid', () => {
    const group = new Group()
    const [, ann, bob] = group.members
    const { invited, ann: first } = redeemedTwice(group)
    group.learn(group.vlan.revoke(ann.key, 1), group.vlan.leave(bob.serial, bob))
    const later = NOW + 100 * DAY
    group.now = later
    group.roster.delete(3)
    const removals = dueRemovals(group.ledger, group.roster, group.spent, later, 10)
    // Refused ones first; the committer itself is not spared: somebody else will have to commit that.
    expect(removals.map(({ leaf }) => leaf)).toEqual([1, 2, 0])
    const proposals: Proposal[] = removals.slice(0, 2).map(({ leaf }) => remove(leaf))
    const facts = removals.slice(0, 2).map((removal) => removal.facts)
    const add = group.add(first, invited.serial)
    const identity = verifyCredential(
      signatures,
      group.vlan.id,
      (add as { credential: Uint8Array }).credential,
      (add as { leafKey: Uint8Array }).leafKey,
    )
    if (typeof identity === 'string') throw new Error(identity)
    const forAdd = factsForAdd(group.ledger, identity, group.spent, NOW)
    expect(forAdd?.map(hex)).toEqual([hex(invited.serial), hex(first.redemption.id)])
    expect(group.judge([...proposals, add], [...facts, forAdd ?? []], { wallTime: later })).toEqual(valid)
    expect(dueRemovals(group.ledger, group.roster, group.spent, later, 1)).toHaveLength(1)
  })

  test('names the admin’s Grant too, and nothing for whom nothing speaks against', () => {
    const group = new Group()
    const [ann, , bob] = group.members
    const identity = { memberKey: bob.key, serial: bob.serial, joinNumber: 1 }
    const facts = factsForAdd(group.ledger, identity, NO_LINEAGE, NOW) ?? []
    expect(facts.map(hex)).toEqual([hex(bob.serial), hex(group.admin.serial)])
    expect(factsForRemove(group.ledger, ann.key, NO_LINEAGE, NOW)).toBeUndefined()
    const stranger = { memberKey: group.vlan.person().key, serial: bob.serial, joinNumber: 1 }
    expect(factsForAdd(group.ledger, stranger, NO_LINEAGE, NOW)).toBeUndefined()
    const elsewhere = { ...identity, serial: ann.serial }
    expect(factsForAdd(group.ledger, elsewhere, NO_LINEAGE, NOW)).toBeUndefined()
  })
})

describe('authenticated data', () => {
  test('has the layout of B3', () => {
    const { epoch, facts } = vectors
    const idOf = (name: string) => facts.find((each) => each.name === name)?.id
    const listed = `02${idOf('grant of a member by the admin')}${idOf('grant of an admin')}`
    const wallTime = NOW.toString(16).padStart(12, '0')
    expect(epoch.commitData).toBe(`01${epoch.parent}${epoch.digest}${wallTime}02${listed}00`)
  })

  test('comes back as it was; anything else is refused', () => {
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 })
    const data = fc.record({
      parent: id,
      digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      wallTime: fc.nat(),
      facts: fc.array(fc.array(id, { maxLength: 8 }), { maxLength: 20 }),
    })
    fc.assert(
      fc.property(data, (value) => {
        const bytes = encodeCommitData(value)
        expect(decodeCommitData(bytes)).toEqual(value)
        expect(decodeCommitData(bytes.subarray(0, bytes.length - 1))).toBeUndefined()
        expect(decodeCommitData(Uint8Array.of(...bytes, 0))).toBeUndefined()
        bytes[0] = 2
        expect(decodeCommitData(bytes)).toBeUndefined()
      }),
    )
  })

  test('whatever a commit holds, the judge answers', () => {
    const group = new Group()
    const leaf = fc.nat(12)
    const bytes = fc.uint8Array({ maxLength: 130 })
    const proposal = fc.oneof(
      leaf.map(remove),
      fc.record({ kind: fc.constant('add' as const), credential: bytes, leafKey: bytes }),
    )
    const known = fc.constantFrom(...group.ledger.ids())
    const facts = fc.array(
      fc.array(fc.oneof(known, fc.uint8Array({ minLength: 16, maxLength: 16 })), { maxLength: 3 }),
      {
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(fc.array(proposal, { maxLength: 3 }), facts, leaf, (proposals, lists, signer) => {
        expect(group.judge(proposals, lists, { signer }).kind).toMatch(/valid|invalid|missing/)
      }),
      { numRuns: 500 },
    )
  })
})
