/**
 * Whatever facts there are and in whatever order they come, everybody who has them says the same: which are
 * in, who is refused, who lost an invitation, which head is preferred (sec: tests 3 and 10).
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hex, unhex } from '../../core/ids.ts'
import { type Ack, AckTally } from '../../core/ledger/acks.ts'
import { answerExchange, decodeLedgerPayload, encodeFacts, openExchange } from '../../core/ledger/exchange.ts'
import type { Fact } from '../../core/ledger/facts.ts'
import type { IssuerKeys } from '../../core/ledger/issue.ts'
import type { Ledger } from '../../core/ledger/ledger.ts'
import { type Child, preferred } from '../../core/ledger/preference.ts'
import { witnessesOf } from '../../core/ledger/rank.ts'
import { SpentSerials } from '../../core/ledger/spent.ts'
import type { Lineage } from '../../core/ledger/standing.ts'
import { standInCrypto as crypto } from '../../sim/crypto.ts'
import { DAY, type Invited, NOW, type Person, Vlan } from '../support/ledger.ts'
import { Oracle } from '../support/ledger-oracle.ts'
import { byBudget } from '../support/requirements.ts'

const RUNS = byBudget(300, 20_000)
const FEWER_RUNS = byBudget(100, 7_000)

/** One thing that somebody does; numbers choose among what there is, round and round. */
type Act = readonly [what: number, who: number, whom: number, more: number]

const act: fc.Arbitrary<Act> = fc.tuple(fc.nat(9), fc.nat(30), fc.nat(30), fc.nat(30))
const script = fc.array(act, { minLength: 3, maxLength: 40 })

/** What a script makes: true facts, with the people and serials in them. */
class Story {
  readonly vlan = new Vlan(crypto, 5)
  readonly facts: Fact[] = [this.vlan.founding.charter]
  readonly issuers: IssuerKeys[] = [this.vlan.authority]
  readonly people: Person[] = []
  readonly serials: Uint8Array[] = []
  readonly invitations: Invited[] = []
  /** Who holds what, in the order it came about. */
  readonly holdings: { readonly person: Person; readonly serial: Uint8Array }[] = []
  readonly #numbers = new Map<IssuerKeys, number>()

  constructor(acts: readonly Act[]) {
    for (const each of acts) this.#play(each)
  }

  /** In which order the serials were spent, as `more` of the script would have it. */
  lineage(order: readonly number[]): Lineage {
    const spent = new SpentSerials()
    for (const [epoch, which] of order.entries()) {
      const holding = this.holdings[which % Math.max(1, this.holdings.length)]
      if (holding === undefined) continue
      spent.spend({ serial: holding.serial, memberKey: holding.person.key, joinNumber: 1 }, epoch)
    }
    return spent
  }

  /** Whether the person holds a Grant that ended less than 30 days before. */
  isLive(person: Person, now: number): boolean {
    const ends = new Map(this.facts.map((fact) => [hex(fact.id), 'end' in fact ? fact.end : 0]))
    const held = this.holdings.filter((holding) => holding.person === person)
    return held.some(({ serial }) => (ends.get(hex(serial)) ?? 0) + 30 * DAY >= now)
  }

  #play([what, who, whom, more]: Act): void {
    const { vlan } = this
    const issuer = pick(this.issuers, who) ?? vlan.authority
    const known = pick(this.people, whom)
    // Half of the time somebody who is there already.
    const person = known !== undefined && more % 2 === 0 ? known : vlan.person()
    switch (what) {
      case 0: {
        const admin = vlan.admin(NOW + 90 * DAY, person)
        this.issuers.push(admin.issuer)
        this.#hold(person, admin.grant)
        return
      }
      case 1:
      case 2:
        this.#hold(person, vlan.member(issuer, this.#end(issuer, more), person).grant)
        return
      case 3: {
        const invited = vlan.invitation(issuer, this.#end(issuer, more))
        this.invitations.push(invited)
        this.serials.push(invited.serial)
        this.facts.push(invited.grant)
        return
      }
      case 4:
      case 5:
        this.#redeem(pick(this.invitations, who), person)
        return
      case 6:
      case 7:
      case 8:
        this.#revoke(issuer, what === 6 ? pick(this.serials, whom) : known?.key, more)
        return
      default: {
        const holding = pick(this.holdings, whom)
        if (holding !== undefined) this.#once(vlan.leave(holding.serial, holding.person))
      }
    }
  }

  /** The authority grants for up to half a year, admins for as long as they last themselves. */
  #end(issuer: IssuerKeys, more: number): number {
    return NOW + (1 + more * (issuer.kind === 'admin' ? 2 : 6)) * DAY
  }

  #hold(person: Person, grant: Fact): void {
    if (!this.people.includes(person)) this.people.push(person)
    this.serials.push(grant.id)
    this.holdings.push({ person, serial: grant.id })
    this.facts.push(grant)
  }

  #redeem(invited: Invited | undefined, person: Person): void {
    if (invited === undefined) return
    // Below the bound beyond which the order of arrival decides.
    const before = this.holdings.filter(({ serial }) => hex(serial) === hex(invited.serial))
    if (before.length >= 3 || before.some((each) => each.person === person)) return
    if (!this.people.includes(person)) this.people.push(person)
    this.holdings.push({ person, serial: invited.serial })
    this.facts.push(this.vlan.redeemer(invited, person).redemption)
  }

  #revoke(issuer: IssuerKeys, target: Uint8Array | undefined, more: number): void {
    if (target === undefined) return
    const number = (this.#numbers.get(issuer) ?? 0) + 1
    this.#numbers.set(issuer, number)
    const kept = more % 3 === 0 ? this.serials.filter((_, index) => (index + more) % 2 === 0) : []
    const falls = issuer.kind === 'authority' ? { kept, standing: more % 4 } : {}
    this.facts.push(this.vlan.revoke(target, number, issuer, falls))
  }

  #once(fact: Fact): void {
    if (!this.facts.some((each) => hex(each.id) === hex(fact.id))) this.facts.push(fact)
  }
}

function pick<T>(items: readonly T[], which: number): T | undefined {
  return items.length === 0 ? undefined : items[which % items.length]
}

/** The items in an order that numbers give: each is put before the place it names. */
function reordered<T>(items: readonly T[], order: readonly number[]): T[] {
  const result: T[] = []
  for (const [index, item] of items.entries())
    result.splice((order[index % order.length] ?? 0) % (result.length + 1), 0, item)
  return result
}

function filled(story: Story, facts: readonly Fact[], now?: number): Ledger {
  const ledger = story.vlan.ledger()
  for (const fact of facts) expect(ledger.add(fact.bytes, now)).toMatch(/added|waiting/)
  return ledger
}

const order = fc.array(fc.nat(60), { minLength: 1, maxLength: 60 })

/** All that the ledger says of everybody. */
function answers(ledger: Ledger, story: Story, lineage: Lineage): unknown {
  return {
    digest: hex(ledger.digest()),
    waiting: ledger.waiting,
    floors: story.issuers.map((issuer) => ledger.floor(issuer.kind === 'admin' ? issuer.serial : undefined)),
    people: story.people.map(({ key }) => {
      const refused = ledger.refused(key, lineage)
      const certificate = ledger.certificate(key, lineage)
      return [
        refused?.why,
        refused?.facts.map((fact) => hex(fact.id)),
        certificate &&
          [certificate.grant, certificate.redemption, certificate.issuer].map((fact) => fact && hex(fact.id)),
      ]
    }),
    winners: story.serials.map((serial) => {
      const winner = ledger.winner(serial, lineage)
      return winner && hex(winner)
    }),
  }
}

describe('random ledgers in random order', () => {
  test('have one digest and give the same answers', () => {
    fc.assert(
      fc.property(script, order, order, order, (acts, first, second, joins) => {
        const story = new Story(acts)
        const lineage = story.lineage(joins)
        const one = answers(filled(story, reordered(story.facts, first)), story, lineage)
        const other = answers(filled(story, reordered(story.facts, second)), story, lineage)
        expect(other).toEqual(one)
        expect(one).toMatchObject({ waiting: 0 })
      }),
      { numRuns: RUNS },
    )
  })

  test('say of everybody what the sentences of the protocol say', () => {
    const reasons = new Set<string | undefined>()
    fc.assert(
      fc.property(script, order, (acts, joins) => {
        const story = new Story(acts)
        const lineage = story.lineage(joins)
        const ledger = filled(story, story.facts)
        const oracle = new Oracle(story.facts, lineage)
        for (const { key } of story.people) {
          const refused = ledger.refused(key, lineage)
          reasons.add(refused?.why)
          expect(refused?.why).toBe(oracle.why(hex(key)))
          const certified = ledger.certificate(key, lineage)
          if (refused !== undefined) {
            expect(certified).toBeUndefined()
            // Its own evidence is enough for whoever has heard nothing else against the key.
            expect(
              ledger.isRefusedBy(
                key,
                lineage,
                refused.facts.map((fact) => fact.id),
              ),
            ).toBe(true)
          } else expect(oracle.standing(hex(key))).toContain(certified && hex(certified.grant.id))
        }
      }),
      { numRuns: RUNS },
    )
    // The scripts reach every reason, or this test says little.
    expect(reasons).toEqual(new Set([undefined, 'revoked', 'left', 'void', 'lost']))
  })

  test('revocations, leaves and redemptions commute pairwise', () => {
    fc.assert(
      fc.property(script, fc.nat(), fc.nat(), (acts, left, right) => {
        const story = new Story(acts)
        const [a, b] = [left, right].map((which) => pick(story.facts, which)) as [Fact, Fact]
        const rest = story.facts.filter((fact) => fact !== a && fact !== b)
        const lineage = story.lineage([left, right])
        const pair = a === b ? [a] : [a, b]
        const there = answers(filled(story, [...rest, ...pair]), story, lineage)
        const back = answers(filled(story, [...rest, ...pair.toReversed()]), story, lineage)
        expect(back).toEqual(there)
      }),
      { numRuns: RUNS },
    )
  })

  test('a fact is never lost by being repeated, in between or afterwards', () => {
    fc.assert(
      fc.property(script, order, (acts, first) => {
        const story = new Story(acts)
        const twice = reordered([...story.facts, ...story.facts], first)
        const ledger = story.vlan.ledger()
        for (const fact of twice) expect(ledger.add(fact.bytes)).toMatch(/added|waiting|known/)
        expect(ledger.digest()).toEqual(filled(story, story.facts).digest())
      }),
      { numRuns: FEWER_RUNS },
    )
  })

  test('pruned they agree again, and say the same as before of whoever has a Grant that lives', () => {
    let dropped = 0
    let judged = 0
    fc.assert(
      fc.property(script, order, fc.nat(250), fc.nat(90), (acts, first, days, earlier) => {
        const story = new Story(acts)
        const now = NOW + days * DAY
        const one = filled(story, story.facts)
        const other = filled(story, reordered(story.facts, first))
        const before = story.people.map(({ key }) => one.refused(key)?.why)
        dropped += one.prune(now)
        // The other was pruned in between too, as clocks and habits differ.
        other.prune(now - earlier * DAY)
        other.prune(now)
        expect(other.digest()).toEqual(one.digest())
        expect(one.prune(now)).toBe(0)
        for (const [index, person] of story.people.entries()) {
          if (!story.isLive(person, now)) continue
          judged += before[index] === undefined ? 0 : 1
          expect(one.refused(person.key)?.why).toBe(before[index])
        }
      }),
      { numRuns: RUNS },
    )
    expect(Math.min(dropped, judged)).toBeGreaterThan(100)
  })

  test('two halves become one by an exchange', () => {
    fc.assert(
      fc.property(script, order, (acts, sides) => {
        const story = new Story(acts)
        const side = (which: number) =>
          story.facts.filter((_, at) => ((sides[at % sides.length] ?? 0) >> which) % 2 === 0)
        const [one, other] = [filled(story, side(0)), filled(story, side(1))]
        for (let round = 0; round < 4; round++) exchange(one, other)
        expect(one.digest()).toEqual(other.digest())
        const all = new Set([...side(0), ...side(1)].map((fact) => hex(fact.id)))
        expect(one.size + one.waiting).toBeLessThanOrEqual(all.size)
      }),
      { numRuns: FEWER_RUNS },
    )
  })
})

function exchange(one: Ledger, other: Ledger): void {
  let [from, to] = [one, other]
  let message = openExchange(crypto.hash, one)
  for (;;) {
    const { reply, facts } = answerExchange(crypto.hash, to, message)
    for (const payload of encodeFacts(facts)) {
      const decoded = decodeLedgerPayload(payload)
      if (decoded?.kind === 'facts') for (const fact of decoded.facts) from.add(fact)
    }
    if (reply === undefined) return
    message = reply
    ;[from, to] = [to, from]
  }
}

describe('the preferred head', () => {
  const parent = new Uint8Array(16).fill(0xaa)
  const childOf = fc.record({
    committer: fc.nat(30),
    proposals: fc.nat(2),
    // Which people the branch's head lacks.
    lacks: fc.array(fc.nat(30), { maxLength: 3 }),
  })
  const ackOf = fc.record({ witness: fc.nat(30), child: fc.nat(6), counter: fc.nat(3) })

  test('is the same for all who have the same facts and acks, in whatever order they came', () => {
    fc.assert(
      fc.property(
        script,
        fc.array(childOf, { minLength: 2, maxLength: 6 }),
        fc.array(ackOf, { maxLength: 40 }),
        order,
        order,
        (acts, branches, words, first, second) => {
          const story = new Story(acts)
          fc.pre(story.people.length > 0)
          const keys = story.people.map(({ key }) => key)
          const children = branches.map(
            ({ committer, proposals, lacks }, index): Child => ({
              mlsId: new Uint8Array(16).fill(index),
              headRoster: keys.filter((_, at) => !lacks.includes(at)),
              proposals,
              committer: pick(keys, committer) as Uint8Array,
              commitHash: crypto.hash.hash32(Uint8Array.of(index)),
            }),
          )
          const acks = words.map(
            ({ witness, child, counter }): Ack => ({
              witness: pick(keys, witness) as Uint8Array,
              child: new Uint8Array(16).fill(child),
              counter,
            }),
          )
          const head = (seen: readonly number[]): string => {
            const tally = new AckTally(witnessesOf(crypto.hash, parent, reordered(keys, seen)))
            for (const ack of reordered(acks, seen)) tally.add(ack)
            const ledger = filled(story, reordered(story.facts, seen))
            return hex(
              (preferred(crypto.hash, parent, reordered(children, seen), ledger, tally) as Child).mlsId,
            )
          }
          expect(head(second)).toBe(head(first))
        },
      ),
      { numRuns: RUNS },
    )
  })

  test('is clean if any is', () => {
    fc.assert(
      fc.property(script, fc.array(childOf, { minLength: 1, maxLength: 5 }), (acts, branches) => {
        const story = new Story(acts)
        fc.pre(story.people.length > 0)
        const keys = story.people.map(({ key }) => key)
        const ledger = filled(story, story.facts)
        const children = branches.map(
          ({ committer, proposals, lacks }, index): Child => ({
            mlsId: new Uint8Array(16).fill(index),
            headRoster: keys.filter((_, at) => !lacks.includes(at)),
            proposals,
            committer: pick(keys, committer) as Uint8Array,
            commitHash: crypto.hash.hash32(Uint8Array.of(index)),
          }),
        )
        const isClean = (child: Child): boolean =>
          child.headRoster.every((key) => ledger.refused(key) === undefined)
        const tally = new AckTally(witnessesOf(crypto.hash, parent, keys))
        const head = preferred(crypto.hash, parent, children, ledger, tally) as Child
        expect(isClean(head)).toBe(children.some(isClean))
      }),
      { numRuns: RUNS },
    )
  })
})

test('an invitation redeemed in both halves of a partition: one member, the same loser for all', () => {
  fc.assert(
    fc.property(order, order, fc.nat(3), fc.nat(3), (first, second, epochHere, epochThere) => {
      const story = new Story([])
      const { vlan } = story
      const invited = vlan.invitation()
      const [ann, bob] = [vlan.redeemer(invited), vlan.redeemer(invited)]
      const facts = [invited.grant, ann.redemption, bob.redemption]
      const half = ({ key }: Person, epoch: number): SpentSerials => {
        const spent = new SpentSerials()
        spent.spend({ serial: invited.serial, memberKey: key, joinNumber: 1 }, epoch)
        return spent
      }
      // Ann's half wins; those of the other half come over and take up its line.
      const winning = half(ann, epochHere)
      const losing = half(bob, epochThere)
      const [one, other] = [first, second].map((seen) => filled(story, reordered(facts, seen))) as [
        Ledger,
        Ledger,
      ]
      losing.rewind(-1)
      losing.spend({ serial: invited.serial, memberKey: ann.key, joinNumber: 1 }, epochHere)
      for (const [ledger, line] of [
        [one, winning],
        [other, losing],
      ] as const) {
        expect(ledger.refused(ann.key, line)).toBeUndefined()
        expect(ledger.refused(bob.key, line)?.why).toBe('lost')
      }
    }),
    { numRuns: 100 },
  )
})

test('bytes of any kind never throw, and leave the ledger as it was or with a true fact more', () => {
  const story = new Story([
    [0, 0, 0, 1],
    [3, 1, 0, 1],
    [4, 0, 0, 1],
    [1, 1, 0, 1],
    [7, 0, 1, 1],
    [9, 0, 0, 0],
  ])
  const ledger = filled(story, story.facts)
  const digest = hex(ledger.digest())
  const known = new Set(story.facts.map((fact) => hex(fact.bytes)))
  const turn = fc.record({ at: fc.nat(400), to: fc.nat(255) })
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(fc.constantFrom(...story.facts), fc.array(turn, { minLength: 1, maxLength: 4 }), fc.nat(400))
      .map(([fact, turns, cut]) => {
        const bytes = fact.bytes.slice(0, cut % 7 === 0 ? cut : undefined)
        for (const { at, to } of turns) if (bytes.length > 0) bytes[at % bytes.length] = to
        return bytes
      }),
  )
  fc.assert(
    fc.property(hostile, (bytes) => {
      const outcome = ledger.add(bytes, NOW)
      if (!known.has(hex(bytes))) expect(outcome).not.toBe('added')
      expect(hex(ledger.digest())).toBe(digest)
    }),
    { numRuns: byBudget(3_000, 200_000) },
  )
  expect(unhex(digest)).toEqual(ledger.digest())
})
