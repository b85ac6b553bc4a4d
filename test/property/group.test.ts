/**
 * Groups under any order of joins, leaves, evictions, crashes and partitions. While it lasts: no epoch with
 * two keys (GroupWorld throws). Afterwards: one epoch, of exactly those who belong; what the authority said
 * is known to all; nobody can derive the secrets of an epoch that it was not in, with every state it ever
 * had and every packet that was ever sent.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '../../core/io.ts'
import type { GroupNode } from '../support/group-node.ts'
import { Spies } from '../support/group-spy.ts'
import { GroupWorld } from '../support/group-world.ts'
import { budget } from '../support/requirements.ts'

const RUNS = budget === 'full' ? 500 : 20
/** Beyond the cards of those who were cut off, a merge and a few retries. */
const HEALED_WITHIN = 240 * SECOND

type Act =
  | { readonly kind: 'join' | 'joinTwice' | 'heal' }
  | { readonly kind: 'leave' | 'crash' | 'restart'; readonly who: number }
  | { readonly kind: 'evict'; readonly who: number; readonly at: number }
  | { readonly kind: 'partition'; readonly mask: number }
  | { readonly kind: 'wait'; readonly millis: number }

const who = fc.nat(15)
const act: fc.Arbitrary<Act> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('join' as const) }), weight: 3 },
  { arbitrary: fc.record({ kind: fc.constant('joinTwice' as const) }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('leave' as const), who }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('evict' as const), who, at: who }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('crash' as const), who }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('restart' as const), who }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('partition' as const), mask: fc.nat(0xffff) }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('heal' as const) }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('wait' as const), millis: fc.nat(40_000) }), weight: 5 },
)

/** A world of a few members, and who of them belongs. */
class Play {
  readonly spies = new Spies()
  readonly world: GroupWorld
  readonly out = new Set<GroupNode>()
  readonly members: GroupNode[]
  readonly #twins = new Set<GroupNode>()
  readonly told: { readonly first: GroupNode; readonly life: number; readonly target: GroupNode }[] = []

  constructor(seed: number) {
    this.world = new GroupWorld({ seed, loss: 0.03, engine: (node) => this.spies.engineOf(node) })
    this.world.watch = (packet) => this.spies.see(packet)
    this.members = this.world.established(5)
  }

  #one(which: number, fits: (node: GroupNode) => boolean): GroupNode | undefined {
    const fitting = this.members.filter((node) => !this.out.has(node) && fits(node))
    return fitting[which % Math.max(1, fitting.length)]
  }

  take(act: Act): void {
    const { world } = this
    switch (act.kind) {
      case 'join':
        this.members.push(world.join())
        break
      case 'joinTwice': {
        const invitation = world.invitation()
        for (let count = 0; count < 2; count++) {
          const node = world.join(world.person(undefined, invitation))
          this.members.push(node)
          this.#twins.add(node)
        }
        break
      }
      case 'leave': {
        const node = this.#one(act.who, (each) => each.head !== undefined)
        if (node === undefined || this.#staying() <= 2) break
        this.out.add(node)
        world.leave(node)
        break
      }
      case 'evict': {
        const node = this.#one(act.who, () => true)
        if (node === undefined || this.#staying() <= 2) break
        this.out.add(node)
        const first = this.#one(act.at, (each) => each.head !== undefined)
        if (first === undefined) this.out.delete(node)
        else {
          world.revoke(node, first)
          this.told.push({ first, life: first.life, target: node })
        }
        break
      }
      case 'crash': {
        const node = this.#one(act.who, (each) => each.isAlive)
        if (node !== undefined) world.crash(node)
        break
      }
      case 'restart': {
        const node = this.#one(act.who, (each) => !each.isAlive)
        if (node !== undefined) world.restart(node)
        break
      }
      case 'partition':
        world.partition(
          this.members.filter((_, index) => ((act.mask >> index) & 1) === 0),
          this.members.filter((_, index) => ((act.mask >> index) & 1) === 1),
        )
        break
      case 'heal':
        world.heal()
        break
      case 'wait':
        world.run(act.millis * MILLISECOND)
        break
    }
  }

  #staying(): number {
    return this.members.filter((node) => !this.out.has(node) && node.disk.head !== undefined).length
  }

  /** Everybody who belongs starts again and can talk. */
  end(): boolean {
    const { world, members, out } = this
    world.heal()
    for (const node of members) if (!out.has(node) && !node.isAlive) world.restart(node)
    return world.until(() => this.#isWhole(), HEALED_WITHIN)
  }

  #isWhole(): boolean {
    const staying = this.staying()
    const roster = this.world.rosters.get(staying[0]?.head ?? '')
    if (roster === undefined || !this.world.isOne(staying)) return false
    // A word that was lost with the only one who had heard it is lost.
    const isHeard = ({ key }: GroupNode): boolean =>
      staying.some(({ ledger }) => ledger.refused(key) !== undefined)
    const isClean = [...this.out].every((node) => !roster.has(node.name) || !isHeard(node))
    return isClean && staying.every(({ name }) => roster.has(name))
  }

  /** Revocations that somebody heard who has been there ever since, and that it does not know. */
  lost(): number {
    const staying = new Set(this.staying())
    return this.told.filter(
      ({ first, life, target }) =>
        staying.has(first) && first.life === life && first.ledger.refused(target.key) === undefined,
    ).length
  }

  /** Those who belong at the end: of two under one invitation, whoever the group took in, if it stands. */
  staying(): GroupNode[] {
    const rosters = this.members
      .filter((node) => !this.#twins.has(node) && !this.out.has(node))
      .map(({ head }) => this.world.rosters.get(head ?? ''))
    return this.members.filter(
      (node) =>
        !this.out.has(node) && (!this.#twins.has(node) || rosters.some((roster) => roster?.has(node.name))),
    )
  }
}

function check(seed: number, acts: readonly Act[]): void {
  const play = new Play(seed)
  for (const act of acts) play.take(act)
  const whole = play.end()
  const told = (): string =>
    JSON.stringify(
      play
        .staying()
        .map(({ index, group, isAlive }) => [
          index,
          isAlive,
          group?.view().mlsId?.slice(0, 6),
          group?.view().members,
          group?.view().phase,
        ]),
    )
  expect(whole, `in one epoch: ${told()}`).toBe(true)
  expect(play.lost(), 'decisions of the authority that were lost').toBe(0)
  for (const node of play.members) {
    const beyond = [...play.spies.reach(node)].filter(
      (name) => play.world.rosters.get(name)?.has(node.name) === false,
    )
    expect(beyond, `epochs that node ${node.index} is not in and can read`).toEqual([])
  }
}

test('a group heals, whatever happened, and nobody reads epochs that it is not in', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.array(act, { maxLength: 14 }), check), {
    numRuns: RUNS,
    seed: 1,
    endOnFailure: budget !== 'full',
  })
})
