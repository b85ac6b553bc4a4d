/** The way into a group, and what all members then agree on. */
import { expect, test } from 'vitest'
import { SECOND } from '../../core/io.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { GroupWorld } from '../support/group-world.ts'

test('a founder lets in one who redeemed an invitation', () => {
  const world = new GroupWorld({ seed: 1 })
  const founder = world.found()
  const joiner = world.join()
  const held = world.until(() => world.isOne([founder, joiner], 2), 10 * SECOND)
  if (!held)
    console.log(
      founder.group?.view(),
      joiner.group?.view(),
      founder.counts.view(),
      joiner.counts.view(),
      founder.events,
      joiner.events,
    )
  expect(held).toBe(true)
})

test('who is turned away for what does not pass asks three times, and is out by name', () => {
  const world = new GroupWorld({ seed: 2 })
  const [founder] = [world.found()]
  world.doors = false
  const joiner = world.join()
  world.run(SECOND)
  const turnAway = (why: string) =>
    world.act(joiner, (group) => group.turnedAway(world.now, founder.key, why))
  turnAway('sessionsFull')
  for (let times = 0; times < 2; times++) turnAway('serialSpent')
  expect(joiner.events.some(({ kind }) => kind === 'ended')).toBe(false)
  turnAway('serialSpent')
  expect(joiner.events).toContainEqual({ kind: 'turnedAway', by: founder.name, why: 'sessionsFull' })
  expect(joiner.events).toContainEqual({ kind: 'ended', why: 'lost' })
})

test('a founder that started again lets others in within seconds: nobody can have gone on without it', () => {
  const world = new GroupWorld({ seed: 7 })
  const founder = world.found()
  world.run(2 * SECOND)
  world.crash(founder)
  world.restart(founder)
  const joiner = world.join()
  expect(world.until(() => world.isOne([founder, joiner], 2), 15 * SECOND)).toBe(true)
})

test('two that were away are no group of their own: they follow the others', () => {
  const world = new GroupWorld({ seed: 3 })
  const members = world.established(7)
  const [first, second, evicted, ...others] = members
  if (first === undefined || second === undefined || evicted === undefined) throw new Error('no members')
  for (const node of [first, second]) world.crash(node)
  world.run(5 * SECOND)
  world.revoke(evicted, others[0] as (typeof others)[number])
  const joiner = world.join()
  world.run(20 * SECOND)
  const head = others[0]?.head
  for (const node of [first, second]) world.restart(node)
  expect(world.until(() => world.isOne([first, second, ...others, joiner], 7), 20 * SECOND)).toBe(true)
  // The revocation that they hear of first is not theirs to carry out: nobody else had to move.
  expect(first.head).toBe(head)
})

test('who is restored after its eviction is out when those who are left turn it away', () => {
  const world = new GroupWorld({ seed: 5 })
  const [first, second, evicted] = world.established(3)
  if (first === undefined || second === undefined || evicted === undefined) throw new Error('no members')
  world.crash(evicted)
  world.revoke(evicted, first)
  world.run(10 * SECOND)
  world.doors = false
  world.restart(evicted)
  world.run(SECOND)
  world.act(evicted, (group) => group.turnedAway(world.now, first.key, 'revoked'))
  expect(evicted.events.some(({ kind }) => kind === 'ended')).toBe(false)
  world.act(evicted, (group) => group.turnedAway(world.now, second.key, 'revoked'))
  expect(evicted.events).toContainEqual({ kind: 'ended', why: 'revoked' })
})

test('who slept makes no epoch of its own before it has heard of those who did not', () => {
  const world = new GroupWorld({ seed: 6 })
  const sleeper = world.found()
  const [evicted, ...others] = [world.join(), world.join(), world.join(), world.join()]
  if (evicted === undefined) throw new Error('no member')
  expect(world.until(() => world.isOne([sleeper, evicted, ...others], 5), 20 * SECOND)).toBe(true)
  world.partition([evicted, ...others], [sleeper])
  const fact = world.revoke(evicted, ...others)
  expect(world.until(() => world.isOne(others, 4), 20 * SECOND)).toBe(true)
  world.run(20 * SECOND)
  const made = sleeper.counts.view().commitsMade
  world.act(sleeper, (group) => group.resumed(world.now))
  // What it hears of first is not its to carry out: they did so long ago.
  world.learn(sleeper, [fact])
  world.run(5 * SECOND)
  expect(sleeper.counts.view().commitsMade).toBe(made)
  world.partition([sleeper, ...others], [evicted])
  world.act(sleeper, (group) => group.present(world.now))
  expect(world.until(() => world.isOne([sleeper, ...others], 4), 10 * SECOND)).toBe(true)
  expect(sleeper.counts.view().commitsMade).toBe(made)
})

test('a crowd whose keys do not fit one commit comes in by several', () => {
  const world = new GroupWorld({ seed: 8, suite: SUITE.xwing })
  const members = [world.found(), world.join(), world.join(), world.join()]
  expect(world.until(() => world.isOne(members, 4), 30 * SECOND)).toBe(true)
  while (members.length < 40) members.push(world.join())
  expect(world.until(() => world.isOne(members, 40), 30 * SECOND)).toBe(true)
  const counts = members.map((node) => node.counts.view())
  expect(counts.some(({ commitTooLarge = 0 }) => commitTooLarge > 0)).toBe(true)
  expect(counts.reduce((sum, { commitTooLarge = 0 }) => sum + commitTooLarge, 0)).toBeLessThan(10)
})
