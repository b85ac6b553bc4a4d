/** The way into a group, and what all members then agree on. */
import { expect, test } from 'vitest'
import { SECOND } from '../../core/io.ts'
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
