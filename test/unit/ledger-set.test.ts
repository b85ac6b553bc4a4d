/** The ledger as a set: what is taken in, what is refused and under which name, what waits, what goes. */
import { describe, expect, test } from 'vitest'
import { signNamed } from '../../core/crypto/signed.ts'
import { concat, hex } from '../../core/ids.ts'
import {
  approvedFact,
  charterBody,
  type Fact,
  fixedHash,
  grantBody,
  type RevocationTerms,
  redemptionBody,
  revocationBody,
  signedFact,
} from '../../core/ledger/facts.ts'
import { Ledger, type Outcome } from '../../core/ledger/ledger.ts'
import { GRANTS_MAX, REDEMPTIONS_MAX, REVOCATIONS_MAX } from '../../core/ledger/limits.ts'
import { joinParts, makePart, oneKey, type Part, severalKeys } from '../../core/ledger/policy.ts'
import { REFUSAL, type Refusal } from '../../core/ledger/refusals.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { DAY, type Holder, NOW, TERMS, Vlan } from '../support/ledger.ts'

const { hash, signatures } = crypto

/** The same fact with one bit of its last byte turned: always in a signature. */
function forged(fact: Fact): Uint8Array {
  const bytes = fact.bytes.slice()
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1
  return bytes
}

function seedOf(vlan: Vlan): Uint8Array {
  return vlan.authority.kind === 'authority' ? (vlan.authority.seeds[0] as Uint8Array) : vlan.authority.seed
}

/** A fact with a body that the makers would not make, signed by whoever. */
function signedBy(seed: Uint8Array, name: string, body: Uint8Array): Uint8Array {
  return approvedFact(hash, body, { kind: 'one', signature: signNamed(signatures, seed, name, body) }).bytes
}

function grantTerms(vlan: Vlan, more: object) {
  const holder = vlan.person().key
  const random = vlan.keys.bytes(16)
  const end = NOW + 90 * DAY
  return { random, holderKind: 'member', holder, role: 'member', end, issuer: undefined, ...more } as const
}

function revocationTerms(more: Partial<RevocationTerms>): RevocationTerms {
  const target = { kind: 'key', bytes: new Uint8Array(32) } as const
  return { target, issuer: undefined, number: 1, standing: 0xffff_ffff, kept: [], ...more }
}

/** One way to reach each refusal: the type demands that none is left out. */
const CASES: Readonly<Record<Refusal, () => Outcome>> = {
  tooLong: () => new Vlan().ledger().add(new Uint8Array(18_433)),
  malformed: () => {
    const vlan = new Vlan()
    return vlan.ledger().add(vlan.member().grant.bytes.subarray(0, -1))
  },
  unknownKind: () => {
    const vlan = new Vlan()
    const bytes = vlan.member().grant.bytes.slice()
    bytes[16] = 6
    return vlan.ledger().add(bytes)
  },
  wrongVlan: () => new Vlan(crypto, 1).ledger().add(new Vlan(crypto, 2).member().grant.bytes),
  wrongPolicy: () => {
    const vlan = new Vlan()
    const body = charterBody(vlan.id, {
      ...TERMS,
      policy: oneKey(vlan.person().key),
      version: 1,
      settled: 0,
    })
    return vlan.ledger().add(signedBy(seedOf(vlan), 'charter', body))
  },
  wrongLabel: () => {
    const vlan = new Vlan()
    return vlan.ledger().add(vlan.charter({ label: 'work' }).bytes)
  },
  fixedTermsChanged: () => {
    const vlan = new Vlan()
    const ledger = vlan.ledger()
    ledger.pin(fixedHash(hash, vlan.id, vlan.founding.charter))
    return ledger.add(vlan.charter({ privacy: 'spec' }).bytes)
  },
  adminByInvitation: () => {
    const vlan = new Vlan()
    const body = grantBody(vlan.id, grantTerms(vlan, { holderKind: 'invitation', role: 'admin' }))
    return vlan.ledger().add(signedBy(seedOf(vlan), 'grant', body))
  },
  adminByAdmin: () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const body = grantBody(vlan.id, grantTerms(vlan, { role: 'admin', issuer: admin.serial }))
    return vlan.ledger(admin.grant).add(signedBy(admin.seed, 'grant', body))
  },
  issuerNotAdmin: () => {
    const vlan = new Vlan()
    const member = vlan.member()
    return vlan.ledger(member.grant).add(vlan.member(member.issuer).grant.bytes)
  },
  outlivesIssuer: () => {
    const vlan = new Vlan()
    const admin = vlan.admin(NOW + DAY)
    return vlan.ledger(admin.grant).add(vlan.member(admin.issuer, NOW + DAY + 1).grant.bytes)
  },
  notInvitation: () => {
    const vlan = new Vlan()
    const member = vlan.member()
    const { redemption } = vlan.redeemer({ grant: member.grant, seed: member.seed, serial: member.serial })
    return vlan.ledger(member.grant).add(redemption.bytes)
  },
  invitationKeyReused: () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const { redemption } = vlan.redeemer(invited, { seed: invited.seed, key: invited.grant.holder })
    return vlan.ledger(invited.grant).add(redemption.bytes)
  },
  notHolder: () => {
    const vlan = new Vlan()
    const member = vlan.member()
    return vlan.ledger(member.grant).add(vlan.leave(member.serial, vlan.person()).bytes)
  },
  numberZero: () => {
    const vlan = new Vlan()
    const body = revocationBody(vlan.id, revocationTerms({ number: 0 }))
    return vlan.ledger().add(signedBy(seedOf(vlan), 'revocation', body))
  },
  keepsAsAdmin: () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const terms = revocationTerms({ issuer: admin.serial, kept: [new Uint8Array(16)] })
    return vlan.ledger(admin.grant).add(signedBy(admin.seed, 'revocation', revocationBody(vlan.id, terms)))
  },
  wrongSigners: () => {
    const vlan = new Vlan()
    const { body } = vlan.member().grant
    const signature = signNamed(signatures, seedOf(vlan), 'grant', body)
    const fact = approvedFact(hash, body, { kind: 'several', parts: [{ index: 0, signature }] })
    return vlan.ledger().add(fact.bytes)
  },
  badSignature: () => {
    const vlan = new Vlan()
    return vlan.ledger().add(forged(vlan.member().grant))
  },
  superseded: () => {
    const vlan = new Vlan()
    return vlan.ledger(vlan.charter({ version: 2 })).add(vlan.founding.charter.bytes)
  },
  settled: () => {
    const vlan = new Vlan()
    return vlan.ledger(vlan.charter({ settled: 3 })).add(vlan.revoke(vlan.person().key, 3).bytes)
  },
  over: () => {
    const vlan = new Vlan()
    return vlan.ledger().add(vlan.member(vlan.authority, NOW).grant.bytes, NOW + 30 * DAY + 1)
  },
  issuerFull: () => {
    const vlan = new Vlan()
    const ledger = vlan.ledger()
    for (let count = 0; count < GRANTS_MAX; count++) ledger.add(vlan.member().grant.bytes)
    expect(ledger.size).toBe(GRANTS_MAX)
    return ledger.add(vlan.member().grant.bytes)
  },
  serialFull: () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const ledger = vlan.ledger(invited.grant)
    for (let count = 0; count < REDEMPTIONS_MAX; count++)
      expect(ledger.add(vlan.redeemer(invited).redemption.bytes)).toBe('added')
    return ledger.add(vlan.redeemer(invited).redemption.bytes)
  },
}

describe('refusals', () => {
  test.each(Object.entries(CASES))('%s', (name, reach) => {
    expect(reach()).toBe(name)
  })

  test('the table above leaves none out', () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.values(REFUSAL).sort())
  })

  test('a forged fact of each kind', () => {
    const vlan = new Vlan()
    const { grant, seed, serial } = vlan.invitation()
    const redeemer = vlan.redeemer({ grant, seed, serial })
    const facts = [
      vlan.founding.charter,
      vlan.member().grant,
      redeemer.redemption,
      vlan.revoke(serial, 1),
      vlan.leave(serial, redeemer),
    ]
    for (const fact of facts) expect(vlan.ledger(grant).add(forged(fact))).toBe(REFUSAL.badSignature)
  })

  test('a Redemption needs both signatures, each over this member key', () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const [ann, bob] = [vlan.redeemer(invited), vlan.redeemer(invited)]
    const body = redemptionBody(vlan.id, invited.serial, ann.key)
    const byAnn = signNamed(signatures, ann.seed, 'redemption member', body)
    const swapped = signedFact(hash, body, bob.redemption.byInvitation, byAnn)
    const unagreed = signedFact(hash, body, ann.redemption.byInvitation, bob.redemption.byMember)
    expect(vlan.ledger(invited.grant).add(swapped.bytes)).toBe('badSignature')
    expect(vlan.ledger(invited.grant).add(unagreed.bytes)).toBe('badSignature')
    expect(vlan.ledger(invited.grant).add(ann.redemption.bytes)).toBe('added')
  })

  test('a Grant signed by an admin of another serial', () => {
    const vlan = new Vlan()
    const [ann, bob] = [vlan.admin(), vlan.admin()]
    const forgery = vlan.member({ kind: 'admin', serial: ann.serial, seed: bob.seed })
    expect(vlan.ledger(ann.grant, bob.grant).add(forgery.grant.bytes)).toBe('badSignature')
  })

  test('revocations keep their room when Grants have filled theirs', () => {
    const vlan = new Vlan()
    const ledger = vlan.ledger()
    for (let count = 0; count < GRANTS_MAX; count++) ledger.add(vlan.member().grant.bytes)
    for (let number = 1; number <= REVOCATIONS_MAX; number++)
      expect(ledger.add(vlan.revoke(vlan.person().key, number).bytes)).toBe('added')
    expect(ledger.add(vlan.revoke(vlan.person().key, REVOCATIONS_MAX + 1).bytes)).toBe('issuerFull')
    expect(ledger.add(vlan.founding.charter.bytes)).toBe('added')
    expect(ledger.size).toBe(4_096)
  })
})

describe('taking in', () => {
  test('once, whatever the signatures: m of n signers can sign one body in many ways', () => {
    const vlan = new Vlan()
    const { grant } = vlan.member()
    const ledger = vlan.ledger(grant)
    expect(ledger.add(grant.bytes)).toBe('known')
    expect(ledger.add(forged(grant))).toBe('known')
    expect(ledger.size).toBe(1)
    expect(ledger.get(grant.id)?.bytes).toEqual(grant.bytes)
  })

  test('whoever of m in n signs: signers at several machines, other signers, one fact', () => {
    const seeds = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill))
    const policy = severalKeys(
      2,
      seeds.map((seed) => signatures.publicKey(seed)),
    )
    const vlan = new Vlan(crypto, 6, { kind: 'authority', policy, seeds })
    const body = grantBody(vlan.id, grantTerms(vlan, {}))
    const parts = seeds.map((seed) => makePart(signatures, policy, seed, 'grant', body))
    const by = (...some: readonly number[]): Fact =>
      approvedFact(
        hash,
        body,
        joinParts(
          policy,
          some.map((index) => parts[index] as Part),
        ),
      )
    const ledger = vlan.ledger(by(0, 1))
    expect(ledger.add(by(1, 2).bytes)).toBe('known')
    expect(vlan.ledger(by(2, 0)).digest()).toEqual(ledger.digest())
  })

  test('what was stored is read back whole, in the order given', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const ledger = vlan.ledger(admin.grant)
    for (let count = 0; count < 700; count++) {
      const invited = vlan.invitation(admin.issuer)
      ledger.add(invited.grant.bytes)
      ledger.add(vlan.redeemer(invited).redemption.bytes)
    }
    const back = vlan.ledger()
    for (const fact of ledger.facts()) expect(back.add(fact.bytes)).toBe('added')
    expect(back.digest()).toEqual(ledger.digest())
  })

  test('bytes are copied', () => {
    const vlan = new Vlan()
    const { grant } = vlan.member()
    const ledger = vlan.ledger()
    const borrowed = grant.bytes.slice()
    ledger.add(borrowed)
    borrowed.fill(0)
    expect(ledger.get(grant.id)?.bytes).toEqual(grant.bytes)
  })

  test('what was added is told once', () => {
    const vlan = new Vlan()
    const ledger = vlan.ledger(vlan.founding.charter, vlan.founding.grant)
    expect(ledger.takeAdded().map((fact) => fact.kind)).toEqual([1, 2])
    expect(ledger.takeAdded()).toEqual([])
  })

  test('the newest Charter stays, alone', () => {
    const vlan = new Vlan()
    const [second, third] = [vlan.charter({ version: 2 }), vlan.charter({ version: 3, mtu: 9_000 })]
    const ledger = vlan.ledger(vlan.founding.charter, third)
    expect(ledger.add(second.bytes)).toBe('superseded')
    expect(ledger.charter()?.mtu).toBe(9_000)
    expect(ledger.size).toBe(1)
  })

  test('of two Charters of one version all take the same', () => {
    const vlan = new Vlan()
    const [ann, bob] = [vlan.charter({ mtu: 1_400 }), vlan.charter({ mtu: 1_500 })]
    const one = vlan.ledger()
    const other = vlan.ledger()
    for (const fact of [ann, bob]) one.add(fact.bytes)
    for (const fact of [bob, ann]) other.add(fact.bytes)
    expect(one.digest()).toEqual(other.digest())
    expect(one.charter()?.mtu).toBe(other.charter()?.mtu)
  })

  test('fixed terms that come to be known drop a Charter with others', () => {
    const vlan = new Vlan()
    const ledger = vlan.ledger(vlan.charter({ version: 7, suite: 9 }))
    ledger.pin(fixedHash(hash, vlan.id, vlan.founding.charter))
    expect(ledger.charter()).toBeUndefined()
    expect(ledger.add(vlan.founding.charter.bytes)).toBe('added')
  })
})

describe('waiting', () => {
  /** An admin's member by invitation that left: the longest row of facts that rest on each other. */
  function row(vlan: Vlan): readonly Fact[] {
    const admin = vlan.admin()
    const invited = vlan.invitation(admin.issuer)
    const redeemer = vlan.redeemer(invited)
    return [admin.grant, invited.grant, redeemer.redemption, vlan.leave(invited.serial, redeemer)]
  }

  test('a row of facts that comes from its end counts once its beginning is there', () => {
    const vlan = new Vlan()
    const [admin, grant, redemption, leave] = row(vlan) as [Fact, Fact, Fact, Fact]
    const ledger = vlan.ledger()
    for (const fact of [leave, redemption, grant]) expect(ledger.add(fact.bytes)).toBe('waiting')
    expect(ledger.size).toBe(0)
    expect(ledger.waiting).toBe(3)
    expect(ledger.wanted().map(hex).sort()).toEqual([hex(admin.id), hex(grant.id)].sort())
    // Whoever asks for the last is told what it rests on.
    expect(ledger.missing([redemption.id, leave.id]).map(hex)).toEqual([hex(admin.id)])
    expect(ledger.add(admin.bytes)).toBe('added')
    expect(ledger.waiting).toBe(0)
    expect(ledger.takeAdded()).toHaveLength(4)
  })

  test('nobody waits in a way that counts', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const member = vlan.member(admin.issuer)
    const ledger = vlan.ledger()
    ledger.add(member.grant.bytes)
    ledger.add(vlan.revoke(vlan.founding.grant.holder, 1, admin.issuer).bytes)
    ledger.add(vlan.founding.grant.bytes)
    expect(ledger.certificate(member.key)).toBeUndefined()
    expect(ledger.refused(vlan.founding.grant.holder)).toBeUndefined()
  })

  test('a false copy that came first does not keep the true one out', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const { grant } = vlan.member(admin.issuer)
    const ledger = vlan.ledger()
    expect(ledger.add(forged(grant))).toBe('waiting')
    expect(ledger.add(grant.bytes)).toBe('waiting')
    ledger.add(admin.grant.bytes)
    expect(ledger.get(grant.id)?.bytes).toEqual(grant.bytes)
    expect(ledger.waiting).toBe(0)
  })

  test('the room is bounded and gives up the oldest', () => {
    const vlan = new Vlan()
    const [first, last] = [vlan.admin(), vlan.admin()]
    const early = vlan.member(first.issuer)
    const late = vlan.member(last.issuer)
    const ledger = vlan.ledger()
    ledger.add(early.grant.bytes)
    for (let count = 0; count < 1_100; count++) {
      const nobody = { kind: 'admin', serial: vlan.keys.bytes(16), seed: first.seed } as const
      expect(ledger.add(vlan.member(nobody).grant.bytes)).toBe('waiting')
    }
    ledger.add(late.grant.bytes)
    expect(ledger.waiting).toBe(1_024)
    ledger.add(first.grant.bytes)
    ledger.add(last.grant.bytes)
    expect(ledger.get(early.serial)).toBeUndefined()
    expect(ledger.get(late.serial)).toBeDefined()
    // It comes again with the next exchange.
    expect(ledger.add(early.grant.bytes)).toBe('added')
  })

  test('many that wait for one do not push out others', () => {
    const vlan = new Vlan()
    const [busy, other] = [vlan.admin(), vlan.admin()]
    const ledger = vlan.ledger()
    const quiet = vlan.member(other.issuer)
    ledger.add(quiet.grant.bytes)
    for (let count = 0; count < 2_000; count++) ledger.add(vlan.member(busy.issuer).grant.bytes)
    expect(ledger.waiting).toBe(257)
    ledger.add(other.grant.bytes)
    expect(ledger.get(quiet.serial)).toBeDefined()
  })
})

describe('time', () => {
  const end = NOW + DAY
  const later = end + 30 * DAY + 1

  test('30 days after its end a Grant goes with what hangs on it, and does not come back', () => {
    const vlan = new Vlan()
    const invited = vlan.invitation(vlan.authority, end)
    const redeemer = vlan.redeemer(invited)
    const leave = vlan.leave(invited.serial, redeemer)
    const ledger = vlan.ledger(invited.grant, redeemer.redemption, leave)
    expect(ledger.prune(later - 1)).toBe(0)
    expect(ledger.prune(later)).toBe(3)
    expect(ledger.size).toBe(0)
    expect(ledger.digest()).toEqual(vlan.ledger().digest())
    expect(ledger.add(invited.grant.bytes, later)).toBe('over')
    expect(ledger.add(invited.grant.bytes, later - 1)).toBe('added')
    // Nothing is left of what hung on it.
    expect(ledger.holders(invited.serial)).toEqual([])
    expect([ledger.refused(redeemer.key), ledger.leavers(invited.serial)]).toEqual([undefined, []])
    expect(ledger.add(redeemer.redemption.bytes, later)).toBe('over')
    expect(ledger.add(redeemer.redemption.bytes, later - 1)).toBe('added')
    expect(ledger.add(leave.bytes, later)).toBe('over')
  })

  test('a node without a clock takes and keeps what is old', () => {
    const vlan = new Vlan()
    expect(vlan.ledger().add(vlan.member(vlan.authority, 1).grant.bytes)).toBe('added')
  })

  test('facts of members that are still in a roster can be kept', () => {
    const vlan = new Vlan()
    const member = vlan.member(vlan.authority, end)
    const ledger = vlan.ledger(member.grant)
    expect(ledger.prune(later, (key) => hex(key) === hex(member.key))).toBe(0)
    expect(ledger.prune(later)).toBe(1)
  })

  test('a renewal keeps the old Grant, so that a revocation of the old serial still hits the key', () => {
    const vlan = new Vlan()
    const old = vlan.member(vlan.authority, end)
    const renewal = vlan.member(vlan.authority, NOW + 365 * DAY, old)
    const ledger = vlan.ledger(old.grant, renewal.grant, vlan.revoke(old.serial, 1))
    ledger.prune(later)
    expect(ledger.refused(old.key)?.why).toBe('revoked')
    expect(ledger.certificate(old.key)).toBeUndefined()
    // And a ledger that hears of it only now takes it in, though it is old.
    const fresh = vlan.ledger(renewal.grant)
    expect(fresh.add(old.grant.bytes, later)).toBe('added')
  })

  test('what an admin revoked stays revoked after the admin is gone', () => {
    const vlan = new Vlan()
    const admin = vlan.admin(end)
    const eve = vlan.member(vlan.authority, NOW + 365 * DAY)
    const mal = vlan.member(admin.issuer, end)
    const ledger = vlan.ledger(admin.grant, eve.grant, mal.grant)
    ledger.add(vlan.revoke(eve.key, 1, admin.issuer).bytes)
    ledger.add(vlan.revoke(mal.key, 2, admin.issuer).bytes)
    // Mal's Grant and the revocation against it go; eve's stays with what proves it.
    expect(ledger.prune(later)).toBe(2)
    expect(ledger.refused(eve.key)?.why).toBe('revoked')
    // A ledger that starts then gets there too, because what waits makes the admin's old Grant wanted.
    const fresh = vlan.ledger(eve.grant)
    expect(fresh.add(admin.grant.bytes, later)).toBe('over')
    expect(fresh.add(vlan.revoke(eve.key, 1, admin.issuer).bytes, later)).toBe('waiting')
    expect(fresh.add(admin.grant.bytes, later)).toBe('added')
    expect(fresh.digest()).toEqual(ledger.digest())
    // Once eve's own Grant is gone, all of it goes.
    expect(ledger.prune(NOW + 400 * DAY)).toBe(3)
    expect(ledger.size).toBe(0)
  })

  test('revocations by the authority stay until a Charter calls them settled', () => {
    const vlan = new Vlan()
    const eve = vlan.member(vlan.authority, end)
    const ledger = vlan.ledger(eve.grant)
    for (let number = 1; number <= 3; number++) ledger.add(vlan.revoke(eve.key, number).bytes)
    ledger.prune(later)
    expect(ledger.size).toBe(3)
    expect(ledger.floor()).toBe(3)
    ledger.add(vlan.charter({ settled: 2 }).bytes)
    expect(ledger.size).toBe(2)
    expect(ledger.floor()).toBe(3)
    expect(vlan.ledger(vlan.charter({ settled: 2 })).floor()).toBe(2)
  })
})

describe('revocation numbers', () => {
  test('the floor is what is reached without a gap, for each issuer', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const ledger = vlan.ledger(admin.grant)
    const target = vlan.person().key
    for (const number of [1, 2, 4]) ledger.add(vlan.revoke(target, number).bytes)
    for (const number of [2, 3]) ledger.add(vlan.revoke(target, number, admin.issuer).bytes)
    expect([ledger.floor(), ledger.newestNumber()]).toEqual([2, 4])
    expect([ledger.floor(admin.serial), ledger.newestNumber(admin.serial)]).toEqual([0, 3])
    ledger.add(vlan.revoke(target, 3).bytes)
    ledger.add(vlan.revoke(target, 1, admin.issuer).bytes)
    expect([ledger.floor(), ledger.floor(admin.serial)]).toEqual([4, 3])
    expect(ledger.floor(vlan.keys.bytes(16))).toBe(0)
  })

  test('a number used twice counts as one and both revocations count', () => {
    const vlan = new Vlan()
    const [ann, bob] = [vlan.member(), vlan.member()]
    const ledger = vlan.ledger(ann.grant, bob.grant, vlan.revoke(ann.key, 1), vlan.revoke(bob.key, 1))
    expect(ledger.floor()).toBe(1)
    expect([ann, bob].map(({ key }) => ledger.refused(key)?.why)).toEqual(['revoked', 'revoked'])
  })
})

describe('what is full', () => {
  /** Two ledgers of one VLAN in which an invitation was redeemed by other crowds. */
  function flooded(vlan: Vlan, first: Holder) {
    const invited = vlan.invitation()
    const crowd = Array.from({ length: REDEMPTIONS_MAX + 2 }, () => vlan.redeemer(invited))
    const one = vlan.ledger(first.grant, invited.grant)
    const other = vlan.ledger(first.grant, invited.grant)
    for (const each of crowd) one.add(each.redemption.bytes)
    for (const each of crowd.toReversed()) other.add(each.redemption.bytes)
    return { one, other, crowd }
  }

  test('is one mark in the digest, whoever filled it', () => {
    const vlan = new Vlan()
    const { one, other, crowd } = flooded(vlan, vlan.member())
    expect(one.facts().map((fact) => hex(fact.id))).not.toEqual(other.facts().map((fact) => hex(fact.id)))
    expect(one.digest()).toEqual(other.digest())
    // Who was there first is not pushed out.
    expect(one.certificate((crowd[0] as (typeof crowd)[number]).key)).toBeDefined()
  })

  test('is given whole to whoever asks for the mark', () => {
    const vlan = new Vlan()
    const { one } = flooded(vlan, vlan.member())
    const mark = one.ids().find((id) => one.get(id) === undefined)
    expect(mark).toBeDefined()
    expect(one.behind(mark as Uint8Array)).toHaveLength(REDEMPTIONS_MAX)
    expect(one.behind(vlan.keys.bytes(16))).toEqual([])
  })
})

test('the digest is H32 over the sorted ids', () => {
  const vlan = new Vlan()
  const facts = [vlan.founding.charter, vlan.founding.grant, vlan.member().grant]
  const ids = facts.map((fact) => hex(fact.id)).sort()
  const joined = concat(...ids.map((id) => Uint8Array.from(Buffer.from(id, 'hex'))))
  expect(vlan.ledger(...facts).digest()).toEqual(hash.hash32(joined))
})

test('a ledger pins authority and label, and computes its VLAN-ID', () => {
  const vlan = new Vlan()
  const policy = oneKey(vlan.person().key)
  expect(new Ledger(crypto, { policy, label: TERMS.label }).vlan).not.toEqual(vlan.id)
  expect(new Ledger(crypto, { policy: vlan.founding.charter.policy, label: TERMS.label }).vlan).toEqual(
    vlan.id,
  )
})
