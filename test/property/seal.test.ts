/**
 * Sealed members over a wire that loses, doubles, reorders and replays, while members start again with old
 * state, clocks jump and epochs come and go. Whatever happens: no key seals under one nonce twice, and no
 * frame is delivered twice to one member, over all its lives. Once it is quiet everybody hears everybody.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hex } from '../../core/ids.ts'
import { MILLISECOND, MINUTE, SECOND } from '../../core/io.ts'
import { byBudget } from '../support/requirements.ts'
import { SealWorld, type TestEpoch, type TestMember } from '../support/seal-world.ts'

type Step =
  | { readonly kind: 'send'; readonly from: number; readonly to: number; readonly bytes: number }
  | { readonly kind: 'wait'; readonly millis: number }
  | { readonly kind: 'epoch'; readonly spreadMillis: number }
  | { readonly kind: 'without'; readonly member: number; readonly spreadMillis: number }
  | { readonly kind: 'back'; readonly member: number; readonly epochs: number }
  | { readonly kind: 'restart'; readonly member: number; readonly epochs: number }
  | { readonly kind: 'crash'; readonly member: number; readonly millis: number }
  | { readonly kind: 'jump'; readonly member: number; readonly seconds: number }
  | { readonly kind: 'replay'; readonly member: number; readonly from: number; readonly count: number }

const MEMBERS = 4
const member = fc.nat(MEMBERS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      from: member,
      to: fc.nat(MEMBERS),
      bytes: fc.oneof(fc.constant(60), fc.integer({ min: 8, max: 1_600 }), fc.constant(9_000)),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      millis: fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 400 }) },
        { weight: 3, arbitrary: fc.integer({ min: 0, max: 15_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 45 * 60_000 }) },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('epoch' as const), spreadMillis: fc.nat(400) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('without' as const), member, spreadMillis: fc.nat(400) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('back' as const),
      member,
      epochs: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), member, epochs: fc.nat(3) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), member, millis: fc.nat(90_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('jump' as const),
      member,
      seconds: fc.integer({ min: -100_000, max: 100_000 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('replay' as const),
      member,
      from: fc.nat(400),
      count: fc.integer({ min: 1, max: 80 }),
    }),
  },
)

/** Plays the steps; every epoch so far is kept, so that members can be restored to old ones. */
class Play {
  readonly world: SealWorld
  readonly epochs: TestEpoch[] = []

  constructor(seed: number, skewed: boolean) {
    this.world = new SealWorld(MEMBERS, {
      seed,
      wire: { loss: 0.1, duplicates: 0.1, minMicros: MILLISECOND, maxMicros: 150 * MILLISECOND },
    })
    const [first, second] = this.world.members as [TestMember, TestMember]
    if (skewed) {
      first.wallOffsetMillis = 86_400_000
      second.wallOffsetMillis = -86_400_000
    }
    this.epochs.push(this.world.adoptAll())
    this.world.runFor(2 * SECOND)
  }

  play(each: Step): void {
    const { world } = this
    switch (each.kind) {
      case 'send': {
        const from = this.#member(each.from)
        const to = world.members[each.to]
        if (from.up && to !== from) from.send(to ?? 'all', each.bytes)
        break
      }
      case 'wait':
        world.runFor(each.millis * MILLISECOND)
        break
      case 'epoch':
        this.#spread(world.members, each.spreadMillis)
        break
      case 'without':
        this.#spread(
          world.members.filter(({ number }) => number !== each.member),
          each.spreadMillis,
        )
        break
      case 'back': {
        const one = this.#member(each.member)
        if (one.up) this.#adopt(one, this.#past(each.epochs))
        break
      }
      case 'restart': {
        // Restored to an old state, it catches up commit by commit.
        const one = this.#member(each.member)
        one.restart(undefined)
        for (const epoch of this.epochs.slice(-each.epochs - 1)) this.#adopt(one, epoch)
        break
      }
      case 'crash': {
        const one = this.#member(each.member)
        one.up = false
        world.at(world.now + each.millis * MILLISECOND, () => {
          one.restart(undefined)
          this.#adopt(one, this.#past(0))
        })
        break
      }
      case 'jump':
        this.#member(each.member).wallOffsetMillis += each.seconds * 1_000
        break
      case 'replay': {
        const one = this.#member(each.member)
        const start = Math.max(0, world.recorded.length - each.from)
        for (const { packet } of world.recorded.slice(start, start + each.count)) if (one.up) one.open(packet)
        break
      }
    }
  }

  /** Frames that a member got more than once. */
  doubles(): string[] {
    const seen = new Set<string>()
    const found: string[] = []
    for (const { member: at, frame } of this.world.deliveries) {
      const name = `frame ${frame} at ${at}`
      if (seen.has(name)) found.push(name)
      seen.add(name)
    }
    return found
  }

  /** Frames that came to a member of which the sender's epoch did not know. */
  strays(): string[] {
    const rosters = new Map(this.epochs.map(({ mlsId, roster }) => [hex(mlsId), roster]))
    return this.world.deliveries
      .filter(({ member: at, opened }) => rosters.get(hex(opened.mlsId))?.has(at) === false)
      .map(({ frame, member: at }) => `frame ${frame} at ${at}`)
  }

  /** Everybody up in a fresh epoch on a good wire: pairs that still do not hear each other. */
  silent(): string[] {
    const { world } = this
    world.runFor(2 * MINUTE)
    Object.assign(world.wire, { loss: 0, duplicates: 0, maxMicros: 20 * MILLISECOND })
    world.adoptAll()
    world.runFor(3 * MINUTE)
    const sent: { frame: number; from: number; to: TestMember }[] = []
    for (const from of world.members)
      for (const to of world.members)
        if (from !== to) {
          sent.push({ frame: from.send(to, 100).frame, from: from.number, to })
          sent.push({ frame: from.send('all', 100).frame, from: from.number, to })
          world.runFor(50 * MILLISECOND)
        }
    world.runFor(SECOND)
    return sent
      .filter(({ frame, to }) => !world.got(to).includes(frame))
      .map(({ frame, from, to }) => `frame ${frame} of ${from} at ${to.number}`)
  }

  /** A new epoch of these members, which they adopt at different times. */
  #spread(members: readonly TestMember[], spreadMillis: number): void {
    const { world } = this
    const epoch = world.epoch(members)
    this.epochs.push(epoch)
    for (const one of members) {
      const after = (world.dice.u32() % (spreadMillis + 1)) * MILLISECOND
      world.at(world.now + after, () => {
        if (one.up) one.adopt(epoch)
      })
    }
  }

  #adopt(one: TestMember, epoch: TestEpoch): void {
    if (epoch.roster.has(one.number)) one.adopt(epoch)
  }

  #member(number: number): TestMember {
    return this.world.members[number] as TestMember
  }

  #past(epochs: number): TestEpoch {
    return this.epochs[Math.max(0, this.epochs.length - 1 - epochs)] as TestEpoch
  }
}

describe('whatever happens', () => {
  test.each([
    ['clocks that agree', false],
    ['clocks a day apart', true],
  ])('no pair of key and nonce twice, no frame twice, and in the end all hear all: %s', (_, skewed) => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.array(step, { maxLength: 60 }), (seed, steps) => {
        const play = new Play(seed, skewed)
        for (const each of steps) play.play(each)
        expect(play.silent()).toEqual([])
        expect(play.doubles()).toEqual([])
        expect(play.strays()).toEqual([])
        expect(play.world.watch.repeats).toEqual([])
      }),
      { numRuns: byBudget(250, 20_000) },
    )
  })
})
