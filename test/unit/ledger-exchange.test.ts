/** Two ledgers that find what each lacks, in bounded messages (sec:B1). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hex, unhex } from '../../core/ids.ts'
import {
  answerExchange,
  decodeLedgerPayload,
  type Exchange,
  encodeExchange,
  encodeFacts,
  openExchange,
} from '../../core/ledger/exchange.ts'
import type { Fact } from '../../core/ledger/facts.ts'
import type { Ledger } from '../../core/ledger/ledger.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { DAY, NOW, Vlan } from '../support/ledger.ts'
import vectors from '../vectors/ledger.json' with { type: 'json' }

const { hash } = crypto
/** What a sealed payload may hold: fragments carry 65,600 bytes (sec:A12). */
const PAYLOAD_MAX = 65_000

interface Talk {
  messages: number
  facts: number
  bytes: number
  exchanges: number
}

/** Carries payloads between two ledgers until both have the same digest; every byte goes over the wire. */
function reconcile(
  one: Ledger,
  other: Ledger,
  { limit = 40, now = undefined as number | undefined } = {},
): Talk {
  const talk = { messages: 0, facts: 0, bytes: 0, exchanges: 0 }
  let turn = 0
  while (hex(one.digest()) !== hex(other.digest()) && talk.exchanges < limit) {
    talk.exchanges += 1
    const before = one.size + other.size
    let [from, to] = [one, other]
    let next: Uint8Array | undefined = encodeExchange(openExchange(hash, one, turn))
    while (next !== undefined) {
      talk.messages += 1
      talk.bytes += next.length
      expect(next.length).toBeLessThan(PAYLOAD_MAX)
      const message = decodeLedgerPayload(next)
      if (message?.kind !== 'exchange') throw new Error('an exchange that is none')
      const answer = answerExchange(hash, to, message)
      for (const payload of encodeFacts(answer.facts)) talk.bytes += deliver(payload, from, now)
      talk.facts += answer.facts.length
      next = answer.reply === undefined ? undefined : encodeExchange(answer.reply)
      ;[from, to] = [to, from]
    }
    if (one.size + other.size === before) turn += 1
  }
  return talk
}

function deliver(payload: Uint8Array, to: Ledger, now?: number): number {
  expect(payload.length).toBeLessThan(PAYLOAD_MAX)
  const message = decodeLedgerPayload(payload)
  if (message?.kind !== 'facts') throw new Error('facts that are none')
  for (const fact of message.facts) to.add(fact, now)
  return payload.length
}

/** A VLAN with this many facts of members by an admin. */
function crowd(count: number): { readonly vlan: Vlan; readonly facts: readonly Fact[] } {
  const vlan = new Vlan()
  const admin = vlan.admin()
  const facts: Fact[] = [vlan.founding.charter, admin.grant]
  while (facts.length < count) {
    const invited = vlan.invitation(admin.issuer)
    facts.push(invited.grant, vlan.redeemer(invited).redemption)
  }
  return { vlan, facts: facts.slice(0, count) }
}

describe('two ledgers', () => {
  test('that agree need one message', () => {
    const { vlan, facts } = crowd(50)
    const [one, other] = [vlan.ledger(...facts), vlan.ledger(...facts)]
    const answer = answerExchange(hash, other, openExchange(hash, one))
    expect(answer).toEqual({ reply: undefined, facts: [] })
  })

  test.each([
    ['nothing and some', 0, 20, 0],
    ['some and nothing', 20, 0, 0],
    ['few of each', 3, 4, 20],
    ['few among many', 3, 4, 1_500],
    ['many of each', 400, 300, 600],
  ])('%s become the same', (_, mine, yours, common) => {
    const { vlan, facts } = crowd(2 + mine + yours + common)
    const [base, rest] = [facts.slice(0, 2), facts.slice(2)]
    const one = vlan.ledger(...base, ...rest.slice(0, mine), ...rest.slice(mine + yours))
    const other = vlan.ledger(...base, ...rest.slice(mine))
    const talk = reconcile(one, other)
    expect(one.digest()).toEqual(other.digest())
    expect(one.size).toBe(facts.length)
    expect(one.waiting + other.waiting).toBe(0)
    // A difference of a few costs messages and bytes by the difference, not by the size.
    if (common === 1_500) expect(talk).toMatchObject({ exchanges: 2 })
    if (common === 1_500) expect(talk.bytes).toBeLessThan(15_000)
  })

  test('a joiner catches up with thousands in bounded steps', () => {
    const { vlan, facts } = crowd(4_000)
    const [joiner, sponsor] = [vlan.ledger(), vlan.ledger(...facts)]
    const talk = reconcile(joiner, sponsor)
    expect(joiner.digest()).toEqual(sponsor.digest())
    expect(talk.exchanges).toBeLessThanOrEqual(20)
    // Nothing is carried twice: grants come before what rests on them.
    expect(talk.facts).toBe(facts.length)
  })

  test('what waits is asked for', () => {
    const vlan = new Vlan()
    const admin = vlan.admin()
    const member = vlan.member(admin.issuer)
    const one = vlan.ledger(member.grant)
    expect(openExchange(hash, one).wanted.map(hex)).toEqual([hex(admin.serial)])
    reconcile(one, vlan.ledger(admin.grant, member.grant))
    expect(one.certificate(member.key)).toBeDefined()
  })

  test('facts that wait for one in a part that has no room yet are helped out of it', () => {
    const { vlan, facts } = crowd(1_507)
    // Without the admin's Grant everything waits, and more than can wait is given up.
    const [one, other] = [vlan.ledger(facts[0] as Fact, facts[1] as Fact), vlan.ledger(...facts.slice(2))]
    expect(other.size).toBe(0)
    reconcile(one, other)
    expect(one.digest()).toEqual(other.digest())
    expect(other.size).toBeGreaterThan(1)
  })

  test('what one side refuses does not keep the rest from it', () => {
    const vlan = new Vlan()
    const old = Array.from({ length: 3_000 }, () => vlan.member(vlan.authority, NOW).grant)
    const admin = vlan.admin(NOW + 90 * DAY)
    const fresh = Array.from({ length: 300 }, () => vlan.member(admin.issuer).grant)
    const keeper = vlan.ledger(...old, admin.grant, ...fresh)
    const young = vlan.ledger()
    reconcile(young, keeper, { now: NOW + 31 * DAY })
    expect(young.size).toBe(301)
  })

  test('different floods of one invitation come to agree', () => {
    const vlan = new Vlan()
    const invited = vlan.invitation()
    const redeemers = Array.from({ length: 6 }, () => vlan.redeemer(invited).redemption)
    const one = vlan.ledger(invited.grant, ...redeemers.slice(0, 4))
    const other = vlan.ledger(invited.grant, ...redeemers.slice(3, 6))
    expect(reconcile(one, other).exchanges).toBe(1)
    expect(one.digest()).toEqual(other.digest())
  })

  test('one that refuses what is over does not ask for ever', () => {
    const vlan = new Vlan()
    const old = vlan.member(vlan.authority, NOW)
    const [young, keeper] = [vlan.ledger(), vlan.ledger(old.grant)]
    const answer = answerExchange(hash, keeper, openExchange(hash, young))
    for (const fact of answer.facts) expect(young.add(fact.bytes, NOW + 31 * DAY)).toBe('over')
    expect(young.size).toBe(0)
  })
})

describe('messages', () => {
  test('have the layout of the vectors', () => {
    const { exchange, facts } = vectors
    const [charter] = facts
    const opening = decodeLedgerPayload(unhex(exchange.opening))
    expect(opening).toMatchObject({ kind: 'exchange', ranges: [{ depth: 0 }] })
    const length = ((charter?.bytes.length ?? 0) / 2).toString(16).padStart(4, '0')
    expect(exchange.facts).toEqual([`0101${length}${charter?.bytes}`])
    // The answer of one that has the Charter alone: a list of it for the whole range.
    expect(exchange.reply).toBe(`0200000100${'0101'}${charter?.id}0000`)
  })

  test('facts go in as many payloads as their sizes need', () => {
    const vlan = new Vlan()
    const kept = Array.from({ length: 1_024 }, () => vlan.keys.bytes(16))
    const large = [1, 2, 3, 4, 5].map((number) =>
      vlan.revoke(vlan.person().key, number, vlan.authority, { kept }),
    )
    const small = Array.from({ length: 300 }, () => vlan.member().grant)
    const payloads = encodeFacts([...large, ...small])
    const ledger = vlan.ledger()
    for (const payload of payloads) deliver(payload, ledger)
    expect(ledger.size).toBe(305)
    expect(payloads).toHaveLength(3)
    expect(encodeFacts([])).toEqual([])
  })

  test('any bytes are answered or refused', () => {
    const { vlan, facts } = crowd(200)
    const ledger = vlan.ledger(...facts)
    fc.assert(
      fc.property(fc.nat(2), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        const message = decodeLedgerPayload(Uint8Array.of(type, ...bytes))
        if (message?.kind === 'exchange') answerExchange(hash, ledger, message)
      }),
      { numRuns: 1_000 },
    )
  })

  test('whatever is asked, the answer is bounded', () => {
    const { vlan, facts } = crowd(2_000)
    const ledger = vlan.ledger(...facts)
    const inside = fc.oneof(
      fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map((value) => ({ kind: 'hash' as const, hash: value })),
      fc.constant({ kind: 'ids' as const, ids: [] }),
    )
    const range = fc
      .record({ depth: fc.nat(32), fill: fc.nat(255), inside })
      .map(({ depth, fill, ...rest }) => {
        const prefix = new Uint8Array((depth + 1) >> 1).fill(fill)
        if (depth % 2 === 1) prefix[prefix.length - 1] = fill & 0xf0
        return { depth, prefix, ...rest }
      })
    const id = fc.oneof(fc.constantFrom(...ledger.ids()), fc.uint8Array({ minLength: 16, maxLength: 16 }))
    const message: fc.Arbitrary<Exchange> = fc.record({
      turn: fc.nat(255),
      ranges: fc.array(range, { maxLength: 64 }),
      wanted: fc.array(id, { maxLength: 400 }),
    })
    fc.assert(
      fc.property(message, (asked) => {
        const decoded = decodeLedgerPayload(encodeExchange(asked))
        expect(decoded).toEqual({ kind: 'exchange', ...asked })
        const { reply, facts: given } = answerExchange(hash, ledger, asked)
        expect(given.length).toBeLessThanOrEqual(255)
        if (reply !== undefined) expect(encodeExchange(reply).length).toBeLessThan(PAYLOAD_MAX)
      }),
      { numRuns: 50 },
    )
  })
})
