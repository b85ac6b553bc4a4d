/** What the facts say together: revocations, admins that fall, leaving, invitations used twice. */
import { describe, expect, test } from 'vitest'
import { hex } from '../../core/ids.ts'
import { fallOfAdmin } from '../../core/ledger/issue.ts'
import type { Ledger } from '../../core/ledger/ledger.ts'
import { REFUSED, type Refused } from '../../core/ledger/refusals.ts'
import { SpentSerials } from '../../core/ledger/spent.ts'
import { isInForce, type Lineage, NO_LINEAGE } from '../../core/ledger/standing.ts'
import { DAY, NOW, Vlan } from '../support/ledger.ts'

/** A line of epochs in which these joined, one after the other. */
function lineOf(...joins: readonly { readonly serial: Uint8Array; readonly key: Uint8Array }[]): Lineage {
  const spent = new SpentSerials()
  for (const [epoch, { serial, key }] of joins.entries())
    spent.spend({ serial, memberKey: key, joinNumber: 1 }, epoch)
  return spent
}

const why = (ledger: Ledger, key: Uint8Array, lineage?: Lineage): Refused | undefined =>
  ledger.refused(key, lineage)?.why

/** One way to be refused for each reason. */
const CASES: Readonly<Record<Refused, () => Refused | undefined>> = {
  revoked: () => {
    const vlan = new Vlan()
    const eve = vlan.member()
    return why(vlan.ledger(eve.grant, vlan.revoke(eve.key, 1)), eve.key)
  },
  left: () => {
    const vlan = new Vlan()
    const ann = vlan.member()
    return why(vlan.ledger(ann.grant, vlan.leave(ann.serial, ann)), ann.key)
  },
  void: () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const ann = vlan.member(admin.issuer)
    return why(vlan.ledger(admin.grant, ann.grant, vlan.revoke(admin.key, 1)), ann.key)
  },
  lost: () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const [ann, bob] = [vlan.redeemer(invited), vlan.redeemer(invited)]
    const ledger = vlan.ledger(invited.grant, ann.redemption, bob.redemption)
    return why(ledger, bob.key, lineOf({ serial: invited.serial, key: ann.key }))
  },
}

describe('every reason', () => {
  test.each(Object.entries(CASES))('%s', (name, reach) => {
    expect(reach()).toBe(name)
  })
  test('is above', () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.values(REFUSED).sort())
  })
})

describe('a certificate', () => {
  test('is the chain of Grant, Redemption and the admin behind it', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const invited = vlan.invitation(admin.issuer)
    const ann = vlan.redeemer(invited)
    const ledger = vlan.ledger(admin.grant, invited.grant)
    expect(ledger.certificate(ann.key)).toBeUndefined()
    ledger.add(ann.redemption.bytes)
    const { grant, redemption, issuer } = ledger.certificate(ann.key) ?? {}
    expect([grant?.id, redemption?.id, issuer?.id]).toEqual([invited.serial, ann.redemption.id, admin.serial])
    expect(ledger.holders(invited.serial)).toEqual([ann.key])
    expect(ledger.holds(ann.key, invited.serial)).toBe(true)
    expect(ledger.holds(ann.key, admin.serial)).toBe(false)
  })

  test('is in force until the end of its Grant', () => {
    const vlan = new Vlan()
    const ann = vlan.member(vlan.authority, NOW + DAY)
    const certificate = vlan.ledger(ann.grant).certificate(ann.key)
    expect(certificate).toBeDefined()
    if (certificate === undefined) return
    expect(isInForce(certificate, NOW + DAY - 1)).toBe(true)
    expect(isInForce(certificate, NOW + DAY)).toBe(false)
  })

  test('is renewed by a Grant that ends later, whoever issues it', () => {
    const vlan = new Vlan()
    const admin = vlan.admin(NOW + 200 * DAY)
    const ann = vlan.member(vlan.authority, NOW + 90 * DAY)
    const renewal = vlan.member(admin.issuer, NOW + 180 * DAY, ann)
    const ledger = vlan.ledger(admin.grant, ann.grant, renewal.grant)
    expect(ledger.certificate(ann.key)?.grant.id).toEqual(renewal.serial)
    // The admin falls: the older Grant stands, so ann stays.
    ledger.add(vlan.revoke(admin.key, 1).bytes)
    expect(why(ledger, ann.key)).toBeUndefined()
    expect(ledger.certificate(ann.key)?.grant.id).toEqual(ann.serial)
  })

  test('a key without any Grant is not refused and not certified', () => {
    const vlan = new Vlan()
    const { key } = vlan.person()
    expect(vlan.ledger().refused(key)).toBeUndefined()
    expect(vlan.ledger().certificate(key)).toBeUndefined()
  })
})

describe('a revocation', () => {
  test('of the key burns the serial: the evicted does not come back with its old URL (M5)', () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const [eve, again] = [vlan.redeemer(invited), vlan.redeemer(invited)]
    const ledger = vlan.ledger(invited.grant, eve.redemption, vlan.revoke(eve.key, 1), again.redemption)
    expect(why(ledger, eve.key)).toBe('revoked')
    expect(why(ledger, again.key)).toBe('revoked')
    expect(ledger.certificate(again.key)).toBeUndefined()
  })

  test('of the serial hits the key, and so all its Grants', () => {
    const vlan = new Vlan()
    const eve = vlan.member()
    const renewal = vlan.member(vlan.authority, NOW + 365 * DAY, eve)
    const ledger = vlan.ledger(eve.grant, renewal.grant, vlan.revoke(eve.serial, 1))
    expect(why(ledger, eve.key)).toBe('revoked')
  })

  test('beats every Grant that comes later', () => {
    const vlan = new Vlan()
    const eve = vlan.member()
    const ledger = vlan.ledger(vlan.revoke(eve.key, 1), eve.grant)
    expect(why(ledger, eve.key)).toBe('revoked')
    ledger.add(vlan.member(vlan.authority, NOW + 365 * DAY, eve).grant.bytes)
    expect(why(ledger, eve.key)).toBe('revoked')
  })

  test('of a key that redeemed a leaked invitation costs its other holder that one Grant only', () => {
    const vlan = new Vlan()
    const leaked = vlan.invitation()
    const [ann, eve] = [vlan.redeemer(leaked), vlan.redeemer(leaked)]
    const ledger = vlan.ledger(leaked.grant, ann.redemption, eve.redemption, vlan.revoke(eve.key, 1))
    expect(why(ledger, ann.key)).toBe('revoked')
    const own = vlan.member(vlan.authority, NOW + 90 * DAY, ann)
    ledger.add(own.grant.bytes)
    expect(why(ledger, ann.key)).toBeUndefined()
    expect(ledger.certificate(ann.key)?.grant.id).toEqual(own.serial)
    expect(why(ledger, eve.key)).toBe('revoked')
  })

  test('by an admin hits members of any issuer', () => {
    const vlan = new Vlan()
    const [admin, other] = [vlan.admin(), vlan.admin()]
    const members = [vlan.member(), vlan.member(admin.issuer), vlan.member(other.issuer)]
    const ledger = vlan.ledger(admin.grant, other.grant, ...members.map(({ grant }) => grant))
    for (const [index, { key }] of members.entries())
      ledger.add(vlan.revoke(key, index + 1, admin.issuer).bytes)
    expect(members.map(({ key }) => why(ledger, key))).toEqual(['revoked', 'revoked', 'revoked'])
  })

  test('shows facts by which others see it too', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const ann = vlan.member(admin.issuer)
    const revocation = vlan.revoke(admin.serial, 1)
    const ledger = vlan.ledger(admin.grant, ann.grant, revocation)
    const facts = ledger.refused(ann.key)?.facts ?? []
    expect(facts.map((fact) => hex(fact.id))).toEqual([hex(revocation.id)])
    expect(ledger.isRefusedBy(ann.key, NO_LINEAGE, [revocation.id])).toBe(true)
    expect(ledger.isRefusedBy(ann.key, NO_LINEAGE, [ann.serial, admin.serial])).toBe(false)
  })
})

describe('admins', () => {
  test('never revoke each other, by key, by serial, or by the serial of an older Grant', () => {
    const vlan = new Vlan()
    const [ann, bob] = [vlan.admin(), vlan.admin()]
    const asMember = vlan.member(ann.issuer, NOW + 9 * DAY, bob)
    const ledger = vlan.ledger(ann.grant, bob.grant, asMember.grant)
    for (const [index, target] of [bob.key, bob.serial, asMember.serial].entries())
      expect(ledger.add(vlan.revoke(target, index + 1, ann.issuer).bytes)).toBe('added')
    expect(why(ledger, bob.key)).toBeUndefined()
    expect(ledger.certificate(bob.key)?.grant.id).toEqual(bob.serial)
    ledger.add(vlan.revoke(bob.key, 1).bytes)
    expect(why(ledger, bob.key)).toBe('revoked')
  })

  test('so a member that shares an invitation with one of them is not hit through it', () => {
    const vlan = new Vlan()
    const rival = vlan.admin()
    const invited = vlan.invitation()
    const [bob, ann] = [vlan.redeemer(invited), vlan.redeemer(invited)]
    const ledger = vlan.ledger(rival.grant, invited.grant, bob.redemption, ann.redemption)
    ledger.add(vlan.revoke(bob.key, 1, rival.issuer).bytes)
    expect([bob, ann].map(({ key }) => why(ledger, key))).toEqual(['revoked', 'revoked'])
    ledger.add(vlan.admin(NOW + 90 * DAY, bob).grant.bytes)
    expect([bob, ann].map(({ key }) => why(ledger, key))).toEqual([undefined, undefined])
  })

  test('one that the authority makes admin rises above what another admin revoked', () => {
    const vlan = new Vlan()
    const ann = vlan.admin()
    const bob = vlan.member()
    const ledger = vlan.ledger(ann.grant, bob.grant, vlan.revoke(bob.key, 1, ann.issuer))
    expect(why(ledger, bob.key)).toBe('revoked')
    ledger.add(vlan.admin(NOW + 90 * DAY, bob).grant.bytes)
    expect(why(ledger, bob.key)).toBeUndefined()
  })

  test('cannot touch a serial of the authority by granting it again: a serial is the id of its Grant', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const [one, two] = [vlan.member(admin.issuer), vlan.member(admin.issuer)]
    expect(hex(one.serial)).toBe(hex(one.grant.id))
    expect(hex(one.serial)).not.toBe(hex(two.serial))
  })

  test('that fall take along what they issued, except what is kept', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const [ann, bob, cyd] = [vlan.member(admin.issuer), vlan.member(admin.issuer), vlan.member(admin.issuer)]
    const ledger = vlan.ledger(admin.grant, ann.grant, bob.grant, cyd.grant, vlan.member().grant)
    ledger.add(vlan.revoke(admin.serial, 1, vlan.authority, { kept: [ann.serial] }).bytes)
    expect([admin, ann, bob].map(({ key }) => why(ledger, key))).toEqual(['revoked', undefined, 'void'])
    // A second revocation of the same admin can keep more, and none can keep less.
    ledger.add(vlan.revoke(admin.key, 2, vlan.authority, { kept: [bob.serial] }).bytes)
    expect([ann, bob, cyd].map(({ key }) => why(ledger, key))).toEqual([undefined, undefined, 'void'])
    ledger.add(vlan.revoke(ann.serial, 3).bytes)
    expect(why(ledger, ann.key)).toBe('revoked')
  })

  test('a Grant that a thief dates back after the fall is void, since dates prove nothing', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const ledger = vlan.ledger(admin.grant, vlan.revoke(admin.serial, 1))
    const mal = vlan.member(admin.issuer)
    expect(ledger.add(mal.grant.bytes)).toBe('added')
    expect(why(ledger, mal.key)).toBe('void')
  })

  test('the revocations of one that fell stand up to the number that the authority says', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const [eve, ann] = [vlan.member(), vlan.member()]
    const ledger = vlan.ledger(admin.grant, eve.grant, ann.grant)
    ledger.add(vlan.revoke(eve.key, 1, admin.issuer).bytes)
    ledger.add(vlan.revoke(admin.key, 1, vlan.authority, fallOfAdmin(ledger, admin.serial)).bytes)
    // A thief of the admin's key goes on.
    ledger.add(vlan.revoke(ann.key, 2, admin.issuer).bytes)
    expect(why(ledger, eve.key)).toBe('revoked')
    expect(why(ledger, ann.key)).toBeUndefined()
  })

  test('what is kept of a fall is what the ledger knows, but for what is named', () => {
    const vlan = new Vlan()
    const [admin, other] = [vlan.admin(), vlan.admin()]
    const [ann, mal] = [vlan.member(admin.issuer), vlan.member(admin.issuer)]
    const ledger = vlan.ledger(
      admin.grant,
      other.grant,
      ann.grant,
      mal.grant,
      vlan.member(other.issuer).grant,
    )
    ledger.add(vlan.revoke(vlan.person().key, 1, admin.issuer).bytes)
    const fall = fallOfAdmin(ledger, admin.serial, [mal.serial])
    expect(fall).toEqual({ standing: 1, kept: [ann.serial] })
    ledger.add(vlan.revoke(admin.key, 1, vlan.authority, fall).bytes)
    expect([ann, mal].map(({ key }) => why(ledger, key))).toEqual([undefined, 'void'])
  })

  test('leaving is not falling: what an admin issued stays', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const ann = vlan.member(admin.issuer)
    const ledger = vlan.ledger(admin.grant, ann.grant, vlan.leave(admin.serial, admin))
    expect(why(ledger, admin.key)).toBe('left')
    expect(why(ledger, ann.key)).toBeUndefined()
  })
})

describe('leaving', () => {
  test('is final for the key and does not touch another that redeemed the same', () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const [ann, bob] = [vlan.redeemer(invited), vlan.redeemer(invited)]
    const ledger = vlan.ledger(invited.grant, ann.redemption, bob.redemption)
    ledger.add(vlan.leave(invited.serial, ann).bytes)
    ledger.add(vlan.member(vlan.authority, NOW + 365 * DAY, ann).grant.bytes)
    expect(why(ledger, ann.key)).toBe('left')
    expect(ledger.certificate(ann.key)).toBeUndefined()
    expect(why(ledger, bob.key)).toBeUndefined()
    expect(ledger.leavers(invited.serial)).toEqual([ann.key])
  })
})

describe('an invitation used twice', () => {
  const vlan = new Vlan()
  const invited = vlan.invitation()
  const [ann, bob, cyd] = [vlan.redeemer(invited), vlan.redeemer(invited), vlan.redeemer(invited)]
  const ledger = vlan.ledger(invited.grant, ann.redemption, bob.redemption, cyd.redemption)
  const at = ({ key }: { readonly key: Uint8Array }) => ({ serial: invited.serial, key })

  test('nobody has lost while the lineage added nobody', () => {
    expect([ann, bob, cyd].map(({ key }) => why(ledger, key))).toEqual([undefined, undefined, undefined])
    expect(ledger.winner(invited.serial, lineOf())).toBeUndefined()
  })

  test.each([
    ['bob', bob, [ann, cyd]],
    ['cyd', cyd, [ann, bob]],
  ])('%s was added first: the others lose, whether added later or never', (_, winner, losers) => {
    const line = lineOf(at(winner), at(losers[0] as typeof ann))
    expect(ledger.winner(invited.serial, line)).toEqual(winner.key)
    expect(why(ledger, winner.key, line)).toBeUndefined()
    expect(losers.map(({ key }) => why(ledger, key, line))).toEqual(['lost', 'lost'])
    expect(ledger.refused((losers[0] as typeof ann).key, line)?.facts).toEqual([winner.redemption])
  })

  test('each branch has its own winner, and the winning branch decides', () => {
    const [here, there] = [lineOf(at(ann)), lineOf(at(bob))]
    expect(why(ledger, ann.key, here)).toBeUndefined()
    expect(why(ledger, ann.key, there)).toBe('lost')
  })

  test('two in one epoch, which no valid commit does, still have one loser for all', () => {
    const spent = new SpentSerials()
    for (const { key } of [bob, ann])
      spent.spend({ serial: invited.serial, memberKey: key, joinNumber: 1 }, 4)
    const reversed = new SpentSerials()
    for (const { key } of [ann, bob])
      reversed.spend({ serial: invited.serial, memberKey: key, joinNumber: 1 }, 4)
    expect(ledger.winner(invited.serial, spent)).toEqual(ledger.winner(invited.serial, reversed))
  })

  test('a Grant in the own name saves the loser', () => {
    const fresh = vlan.ledger(...ledger.facts())
    fresh.add(vlan.member(vlan.authority, NOW + DAY, bob).grant.bytes)
    expect(why(fresh, bob.key, lineOf(at(ann)))).toBeUndefined()
  })
})

describe('spent serials', () => {
  const vlan = new Vlan()
  const [ann, bob] = [vlan.member(), vlan.member()]
  const identity = ({ serial, key }: typeof ann) => ({ serial, memberKey: key, joinNumber: 1 })

  test('the first time counts, also when the member comes again', () => {
    const spent = new SpentSerials()
    spent.spend(identity(ann), 3)
    spent.spend(identity(ann), 8)
    expect(spent.joined(ann.serial, ann.key)).toBe(3)
    expect(spent.joined(bob.serial, ann.key)).toBeUndefined()
  })

  test('are taken back when the line goes on by another child', () => {
    const spent = new SpentSerials()
    spent.spend(identity(ann), 3)
    spent.spend(identity(bob), 4)
    spent.rewind(3)
    expect(spent.joined(ann.serial, ann.key)).toBe(3)
    expect(spent.joined(bob.serial, bob.key)).toBeUndefined()
  })

  test('go with the ledger, and are bounded', () => {
    const spent = new SpentSerials()
    spent.spend(identity(ann), 0)
    spent.spend(identity(bob), 1)
    spent.forget((serial) => hex(serial) === hex(bob.serial))
    expect(spent.size).toBe(1)
    for (let epoch = 2; epoch < 9_000; epoch++)
      spent.spend({ serial: vlan.keys.bytes(16), memberKey: ann.key, joinNumber: 1 }, epoch)
    expect(spent.size).toBe(8_192)
    expect(spent.joined(bob.serial, bob.key)).toBeUndefined()
  })
})
