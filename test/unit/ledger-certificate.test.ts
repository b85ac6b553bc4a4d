/** What stands in a leaf, the chain shown at a door, and what a joiner demands of a group (sec:C1, C4, C6). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { verifyNamed } from '../../core/crypto/signed.ts'
import { concat, hex } from '../../core/ids.ts'
import {
  decodeChain,
  encodeChain,
  judgeIdentity,
  LEAF_REFUSAL,
  type LeafRefusal,
  makeCredential,
  readCredential,
  verifyCredential,
} from '../../core/ledger/certificate.ts'
import { fixedHash } from '../../core/ledger/facts.ts'
import {
  judgeWelcome,
  type OfferedGroup,
  WELCOME_REFUSAL,
  type WelcomeRefusal,
} from '../../core/ledger/joining.ts'
import { REFUSED } from '../../core/ledger/refusals.ts'
import { SpentSerials } from '../../core/ledger/spent.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { type Holder, NOW, Vlan } from '../support/ledger.ts'

const { signatures } = crypto
const leafKey = new Uint8Array(32).fill(7)

function credentialOf(vlan: Vlan, member: Holder, key = leafKey, joinNumber = NOW): Uint8Array {
  return makeCredential(signatures, vlan.id, member.seed, { serial: member.serial, joinNumber, leafKey: key })
}

describe('a credential', () => {
  const vlan = new Vlan()
  const ann = vlan.member()
  const credential = credentialOf(vlan, ann)

  test('is member key, serial, join number and a signature over VLAN and leaf', () => {
    expect(credential).toHaveLength(118)
    expect(hex(credential.subarray(0, 54))).toBe(
      hex(concat(ann.key, ann.serial)) + NOW.toString(16).padStart(12, '0'),
    )
    const body = concat(vlan.id, ann.serial, credential.subarray(48, 54), leafKey)
    expect(verifyNamed(signatures, ann.key, 'leaf', body, credential.subarray(54))).toBe(true)
  })

  test('is taken for its own leaf key and VLAN only', () => {
    const identity = { memberKey: ann.key, serial: ann.serial, joinNumber: NOW }
    expect(verifyCredential(signatures, vlan.id, credential, leafKey)).toEqual(identity)
    expect(readCredential(credential)).toMatchObject(identity)
    const other = new Uint8Array(32).fill(8)
    expect(verifyCredential(signatures, vlan.id, credential, other)).toBe('badLeafSignature')
    expect(verifyCredential(signatures, new Vlan(crypto, 2).id, credential, leafKey)).toBe('badLeafSignature')
    expect(verifyCredential(signatures, vlan.id, credential.subarray(1), leafKey)).toBe('malformedCredential')
    expect(readCredential(concat(credential, leafKey))).toBeUndefined()
  })

  test('any changed byte is refused', () => {
    fc.assert(
      fc.property(fc.nat(117), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = credential.slice()
        bytes[at] = (bytes[at] as number) ^ change
        expect(verifyCredential(signatures, vlan.id, bytes, leafKey)).toBe('badLeafSignature')
      }),
    )
  })
})

/** One way to each refusal of a leaf. */
const LEAVES: Readonly<Record<LeafRefusal, () => string | object>> = {
  malformedCredential: () => verifyCredential(signatures, new Uint8Array(16), new Uint8Array(9), leafKey),
  badLeafSignature: () => verifyCredential(signatures, new Uint8Array(16), new Uint8Array(118), leafKey),
  unknownCertificate: () => {
    const vlan = new Vlan()
    const [ann, bob] = [vlan.member(), vlan.member()]
    const stolen = { memberKey: ann.key, serial: bob.serial, joinNumber: 1 }
    return judgeIdentity(vlan.ledger(ann.grant, bob.grant), stolen)
  },
  revoked: () => {
    const vlan = new Vlan()
    const eve = vlan.member()
    const ledger = vlan.ledger(eve.grant, vlan.revoke(eve.key, 1))
    return judgeIdentity(ledger, { memberKey: eve.key, serial: eve.serial, joinNumber: 1 })
  },
  left: () => {
    const vlan = new Vlan()
    const ann = vlan.member()
    const ledger = vlan.ledger(ann.grant, vlan.leave(ann.serial, ann))
    return judgeIdentity(ledger, { memberKey: ann.key, serial: ann.serial, joinNumber: 1 })
  },
  void: () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const ann = vlan.member(admin.issuer)
    const ledger = vlan.ledger(admin.grant, ann.grant, vlan.revoke(admin.key, 1))
    return judgeIdentity(ledger, { memberKey: ann.key, serial: ann.serial, joinNumber: 1 })
  },
  lost: () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const [ann, bob] = [vlan.redeemer(invited), vlan.redeemer(invited)]
    const spent = new SpentSerials()
    spent.spend({ memberKey: ann.key, serial: invited.serial, joinNumber: 1 }, 0)
    const ledger = vlan.ledger(invited.grant, ann.redemption, bob.redemption)
    return judgeIdentity(ledger, { memberKey: bob.key, serial: invited.serial, joinNumber: 1 }, spent)
  },
}

describe('a leaf', () => {
  test.each(Object.entries(LEAVES))('%s', (name, reach) => {
    expect(reach()).toBe(name)
  })
  test('there are no other reasons', () => {
    const all = [...Object.values(LEAF_REFUSAL), ...Object.values(REFUSED)]
    expect(Object.keys(LEAVES).sort()).toEqual(all.sort())
  })
  test('with the serial of an older Grant stays certified by a renewal', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const old = vlan.member(admin.issuer)
    const renewal = vlan.member(vlan.authority, NOW * 2, old)
    const ledger = vlan.ledger(admin.grant, old.grant, renewal.grant, vlan.revoke(admin.serial, 1))
    expect(judgeIdentity(ledger, { memberKey: old.key, serial: old.serial, joinNumber: 1 })).toBe('certified')
  })
})

describe('a chain', () => {
  test('brings another ledger all it needs', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const invited = vlan.invitation(admin.issuer)
    const ann = vlan.redeemer(invited)
    const certificate = vlan.ledger(admin.grant, invited.grant, ann.redemption).certificate(ann.key)
    expect(certificate).toBeDefined()
    if (certificate === undefined) return
    const fresh = vlan.ledger()
    const facts = decodeChain(encodeChain(certificate)) ?? []
    for (const fact of facts) fresh.add(fact)
    expect(fresh.certificate(ann.key)).toEqual(certificate)
  })

  test('any bytes are decoded or refused', () => {
    expect(decodeChain(Uint8Array.of(4))).toBeUndefined()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(() => decodeChain(bytes)).not.toThrow()
      }),
    )
  })
})

/** A group of three with all that a joiner asks of it. */
function offered() {
  const vlan = new Vlan()
  const admin = vlan.admin()
  const members = [vlan.member(), vlan.member(admin.issuer), admin]
  const ledger = vlan.ledger(vlan.founding.charter, admin.grant)
  for (const { grant } of members) ledger.add(grant.bytes)
  ledger.add(vlan.revoke(vlan.person().key, 1).bytes)
  const leaves = new Map(
    members.map((member, index) => {
      const key = new Uint8Array(32).fill(100 + index)
      return [2 * index, { credential: credentialOf(vlan, member, key), leafKey: key }] as const
    }),
  )
  const group: OfferedGroup = {
    groupId: vlan.id,
    fixedHash: fixedHash(crypto.hash, vlan.id, vlan.founding.charter),
    suite: 3,
    leaves,
    signer: 2,
  }
  const expected = { floor: { authority: 1, issuer: 0 }, issuer: admin.serial }
  return { vlan, admin, members, ledger, group, leaves, expected }
}

const judge = ({ ledger, expected, group }: ReturnType<typeof offered>) =>
  judgeWelcome(crypto, ledger, expected, group)

/** One change to the group or the ledger for each refusal. */
const WELCOMES: Readonly<Record<WelcomeRefusal, () => ReturnType<typeof offered>>> = {
  otherVlan: () => {
    const all = offered()
    return { ...all, group: { ...all.group, groupId: new Vlan(crypto, 2).id } }
  },
  noCharter: () => {
    const all = offered()
    return { ...all, ledger: all.vlan.ledger(all.admin.grant) }
  },
  otherFixedTerms: () => {
    const all = offered()
    return { ...all, group: { ...all.group, fixedHash: new Uint8Array(32) } }
  },
  otherSuite: () => {
    const all = offered()
    return { ...all, group: { ...all.group, suite: 1 } }
  },
  belowFloor: () => {
    const all = offered()
    return { ...all, expected: { ...all.expected, floor: { authority: 2, issuer: 0 } } }
  },
  signerUnknown: () => {
    const all = offered()
    return { ...all, group: { ...all.group, signer: 1 } }
  },
  keyTwice: () => {
    const all = offered()
    const twice = new Map([
      ...all.leaves,
      [9, all.leaves.get(0) as { credential: Uint8Array; leafKey: Uint8Array }],
    ])
    return { ...all, group: { ...all.group, leaves: twice } }
  },
}

describe('a Welcome', () => {
  test('to the right group is accepted', () => {
    expect(judge(offered())).toEqual({ kind: 'accepted' })
  })

  test.each(Object.entries(WELCOMES))('%s', (reason, reach) => {
    expect(judge(reach())).toEqual({ kind: 'refused', reason })
  })

  test('there are no other reasons', () => {
    expect(Object.keys(WELCOMES).sort()).toEqual(Object.values(WELCOME_REFUSAL).sort())
  })

  test('a gap below the floor of the inviting admin', () => {
    const all = offered()
    all.ledger.add(all.vlan.revoke(all.vlan.person().key, 2, all.admin.issuer).bytes)
    const expected = { floor: { authority: 1, issuer: 2 }, issuer: all.admin.serial }
    expect(judge({ ...all, expected })).toEqual({ kind: 'refused', reason: 'belowFloor' })
    all.ledger.add(all.vlan.revoke(all.vlan.person().key, 1, all.admin.issuer).bytes)
    expect(judge({ ...all, expected })).toEqual({ kind: 'accepted' })
  })

  test('a ghost branch with an evicted member in it is refused, and names the leaf', () => {
    const all = offered()
    all.ledger.add(all.vlan.revoke((all.members[1] as Holder).key, 2).bytes)
    expect(judge(all)).toEqual({ kind: 'refused', reason: 'revoked', leaf: 2 })
  })

  test('a stranger in the roster, and a leaf key that its member did not sign', () => {
    const all = offered()
    const stranger = all.vlan.member()
    const leaf = { credential: credentialOf(all.vlan, stranger), leafKey }
    const unsigned = { credential: leaf.credential, leafKey: new Uint8Array(32).fill(55) }
    for (const [added, reason] of [
      [leaf, 'unknownCertificate'],
      [unsigned, 'badLeafSignature'],
      [{ ...leaf, credential: new Uint8Array(9) }, 'malformedCredential'],
    ] as const) {
      const group = { ...all.group, leaves: new Map([...all.leaves, [7, added]]) }
      expect(judge({ ...all, group })).toEqual({ kind: 'refused', reason, leaf: 7 })
    }
  })
})
