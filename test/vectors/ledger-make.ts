/**
 * Writes ledger.json beside this file: `npx node test/vectors/ledger-make.ts`. Like the other vectors it is
 * the reference for other implementations: each encoding with the parts it is made of, real signatures, and
 * ids. A change in it is a change of the protocol.
 */
import { writeFileSync } from 'node:fs'
import { noble } from '../../core/crypto/noble.ts'
import { hex } from '../../core/ids.ts'
import { REACHABILITY } from '../../core/io.ts'
import { makeAck } from '../../core/ledger/acks.ts'
import { encodeChain, makeCredential } from '../../core/ledger/certificate.ts'
import { encodeCommitData } from '../../core/ledger/commit-data.ts'
import { answerExchange, encodeExchange, encodeFacts, openExchange } from '../../core/ledger/exchange.ts'
import { type Fact, fixedHash } from '../../core/ledger/facts.ts'
import { invite } from '../../core/ledger/founding.ts'
import { invitationQrText, invitationText } from '../../core/ledger/invitation.ts'
import { policy, severalKeys } from '../../core/ledger/policy.ts'
import { byRank, rankOf } from '../../core/ledger/rank.ts'
import { encode } from '../../core/wire/schema.ts'
import { NOW, Vlan } from '../support/ledger.ts'

/** `length` bytes that count up from `first`. */
function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff)
}

const parent = counting(0x10, 16)
const child = counting(0x20, 16)
const leafSeed = counting(0x30, 32)
const leafKey = noble.signatures.publicKey(leafSeed)

interface Cast {
  readonly vlan: Vlan
  readonly facts: Readonly<Record<string, Fact>>
}

/** One of every fact, under an authority of one key. */
function cast(): Cast & ReturnType<typeof people> {
  const vlan = new Vlan(noble)
  const made = people(vlan)
  const { admin, member, invited, redeemer } = made
  const kept = [member.serial]
  const facts = {
    charter: vlan.founding.charter,
    'grant of a member by the authority': vlan.founding.grant,
    'grant of an admin': admin.grant,
    'grant of a member by the admin': member.grant,
    'grant of an invitation by the admin': invited.grant,
    redemption: redeemer.redemption,
    'revocation of a key by the admin': vlan.revoke(redeemer.key, 1, admin.issuer),
    'revocation of the admin by its serial': vlan.revoke(admin.serial, 1, vlan.authority, { standing: 1, kept }),
    leave: vlan.leave(member.serial, member),
  }
  return { vlan, facts, ...made }
}

function people(vlan: Vlan) {
  const admin = vlan.admin()
  const member = vlan.member(admin.issuer)
  const invited = vlan.invitation(admin.issuer)
  return { admin, member, invited, redeemer: vlan.redeemer(invited) }
}

/** A Grant under two of three keys. */
function several(): object {
  const seeds = [counting(1, 32), counting(2, 32), counting(3, 32)]
  const keys = seeds.map((seed) => noble.signatures.publicKey(seed))
  const of = severalKeys(2, keys)
  const vlan = new Vlan(noble, 2, { kind: 'authority', policy: of, seeds })
  const { grant } = vlan.founding
  return {
    policy: hex(encode(policy, of)),
    vlan: hex(vlan.id),
    grant: { bytes: hex(grant.bytes), body: hex(grant.body), id: hex(grant.id) },
  }
}

function invitation({ vlan, facts, admin }: ReturnType<typeof cast>): object {
  const ledger = vlan.ledger(...Object.values(facts))
  const address = counting(0x50, 8)
  const contacts = [{ peerKey: counting(0x40, 32), reach: REACHABILITY.public, address }]
  const order = { doorKey: vlan.founding.doorKey, now: NOW, contacts }
  const draft = invite(noble, vlan.keys, admin.issuer, ledger, order)
  return {
    doorKey: hex(draft.doorKey),
    seed: hex(draft.seed),
    grant: hex(draft.grant.bytes),
    issuer: hex(admin.grant.bytes),
    floor: draft.floor,
    contact: { peerKey: hex(counting(0x40, 32)), reach: REACHABILITY.public, address: hex(address) },
    text: invitationText(noble, draft),
    qrText: invitationQrText(noble, draft),
  }
}

function certificates({ vlan, facts, member, admin, redeemer }: ReturnType<typeof cast>): object {
  const ledger = vlan.ledger(...Object.values(facts).filter((fact) => !('target' in fact)))
  const joinNumber = NOW
  const join = { serial: member.serial, joinNumber, leafKey }
  const chain = ledger.certificate(redeemer.key)
  return {
    memberKey: hex(member.key),
    serial: hex(member.serial),
    joinNumber,
    leafKey: hex(leafKey),
    credential: hex(makeCredential(noble.signatures, vlan.id, member.seed, join)),
    issuer: hex(admin.grant.bytes),
    chain: chain === undefined ? '' : hex(encodeChain(chain)),
  }
}

function epochs({ vlan, facts, member, admin }: ReturnType<typeof cast>): object {
  const members = [admin, member, { key: vlan.founding.grant.holder }].map(({ key }) => key)
  const ledger = vlan.ledger(...Object.values(facts))
  const lists = [[member.serial, admin.serial], []]
  return {
    parent: hex(parent),
    digest: hex(ledger.digest()),
    rank: members.map((key) => ({ key: hex(key), rank: hex(rankOf(noble.hash, parent, key)) })),
    order: byRank(noble.hash, parent, members).map(hex),
    ack: hex(makeAck(noble.signatures, { vlan: vlan.id, parent }, leafSeed, child, 7)),
    commitData: hex(encodeCommitData({ parent, digest: ledger.digest(), wallTime: NOW, facts: lists })),
  }
}

function exchanges({ vlan, facts }: ReturnType<typeof cast>): object {
  const ledger = vlan.ledger(...Object.values(facts))
  const opening = openExchange(noble.hash, ledger)
  const { reply } = answerExchange(noble.hash, vlan.ledger(vlan.founding.charter), opening)
  return {
    opening: hex(encodeExchange(opening)),
    reply: reply === undefined ? '' : hex(encodeExchange(reply)),
    facts: encodeFacts([vlan.founding.charter]).map(hex),
  }
}

/** The content of ledger.json. */
export function ledgerVectors(): object {
  const all = cast()
  const { vlan, facts } = all
  return {
    vlan: hex(vlan.id),
    label: vlan.founding.charter.label,
    policy: hex(encode(policy, vlan.founding.charter.policy)),
    fixedHash: hex(fixedHash(noble.hash, vlan.id, vlan.founding.charter)),
    facts: Object.entries(facts).map(([name, fact]) => ({
      name,
      bytes: hex(fact.bytes),
      body: hex(fact.body),
      id: hex(fact.id),
    })),
    several: several(),
    invitation: invitation(all),
    certificate: certificates(all),
    epoch: epochs(all),
    exchange: exchanges(all),
  }
}

if (import.meta.main) {
  const file = new URL('ledger.json', import.meta.url)
  writeFileSync(file, `${JSON.stringify(ledgerVectors(), null, 2)}\n`)
}
