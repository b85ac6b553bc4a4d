/** What a mesh survives: crashes, restarts, goodbyes, splits, and crowds at one door. */
import { expect, test } from 'vitest'
import { CLOSE, MINUTE, SECOND } from '../../core/io.ts'
import { crowd } from '../support/mesh-world.ts'

test('three nodes of ten crash at once: the rest stays one mesh and is complete within 15 s', () => {
  const world = crowd(11, 200, 3, 10 * SECOND)
  world.run(60 * SECOND)
  for (let index = 0; index < 200; index++) if (index % 10 < 3) world.crash(index)
  world.run(3 * SECOND)
  expect(world.parts()).toEqual([140])
  world.until(12 * SECOND, () => Math.min(...world.degrees()) >= 6)
  expect(world.lopsided()).toBe(0)
})

test('all hundred nodes restart at once and are one mesh within 8 s', () => {
  const world = crowd(12, 100, 3, 10 * SECOND)
  world.run(60 * SECOND)
  for (let index = 0; index < 100; index++) world.crash(index)
  world.run(SECOND)
  for (let index = 0; index < 100; index++) world.restart(index)
  expect(world.until(8 * SECOND, () => world.parts().length === 1)).toBeLessThanOrEqual(4 * SECOND)
})

test('the contacts alone restart: they find the mesh again and it keeps them', () => {
  const world = crowd(13, 60, 3, 5 * SECOND)
  world.run(60 * SECOND)
  for (const contact of [0, 1, 2]) world.crash(contact)
  world.run(30 * SECOND)
  expect(world.parts()).toEqual([57])
  for (const contact of [0, 1, 2]) world.restart(contact)
  // They know only each other: those who lost them ask for them again, less and less often.
  world.until(MINUTE, () => world.parts().length === 1)
})

test('a node that restarts at once replaces the link its neighbours still believe in', () => {
  const world = crowd(14, 20, 2, 2 * SECOND)
  world.run(60 * SECOND)
  world.restart(10)
  world.run(10 * SECOND)
  expect(world.node(10).neighbours().length).toBeGreaterThanOrEqual(6)
  expect(world.parts()).toEqual([20])
  expect(world.lopsided()).toBe(0)
})

test('an isolated node never gives up, stays modest, and is back soon after its contacts', () => {
  const world = crowd(15, 10, 2, SECOND)
  world.run(30 * SECOND)
  for (let index = 0; index < 9; index++) world.crash(index)
  world.run(10 * MINUTE)
  const before = world.dialled.length
  world.run(10 * MINUTE)
  const perMinute = (world.dialled.length - before) / 10
  expect(perMinute).toBeGreaterThan(4)
  expect(perMinute).toBeLessThan(30)
  world.restart(0)
  world.until(30 * SECOND, () => world.parts().length === 1)
})

test('a goodbye is heard at once and the one that left is not dialled', () => {
  const world = crowd(16, 40, 2, 2 * SECOND)
  world.run(60 * SECOND)
  const left = world.now
  const friends = world
    .node(20)
    .neighbours()
    .map((link) => world.indexOf(link.peer))
  world.leave(20)
  expect(world.node(20).all()).toEqual([])
  world.run(SECOND)
  expect(world.lopsided()).toBe(0)
  expect(world.living().length).toBe(39)
  world.run(4 * MINUTE)
  // Those who heard it. Others may have the one that left in their passive views, and find out.
  const redials = world.dialled.filter(({ from, to, at }) => to === 20 && at > left && friends.includes(from))
  expect(redials).toEqual([])
  // In one second of twenty-five some node is between two neighbours, since swaps go on.
  world.until(2 * SECOND, () => Math.min(...world.degrees()) >= 6)
})

test('a node that has left accepts nobody and wants nothing', () => {
  const world = crowd(17, 3, 1, SECOND)
  world.run(10 * SECOND)
  const node = world.node(1)
  node.mesh.leave(world.now)
  const link = world.intrude(1)
  expect(node.get(link.id)).toBeUndefined()
  expect(node.mesh.wake(world.now + MINUTE)).toBe(Number.MAX_SAFE_INTEGER)
  expect(node.closed.at(-1)).toBe(CLOSE.leaving)
})

test.each([
  [10, 5],
  [120, 60],
  [3_600, 240],
])('halves that could not reach each other for %i s are one mesh again within %i s', (span, limit) => {
  const world = crowd(18, 60, 4, 5 * SECOND)
  world.run(60 * SECOND)
  world.split((a, b) => a % 2 !== b % 2)
  world.run(span * SECOND)
  expect(world.parts()).toEqual([30, 30])
  world.split(undefined)
  world.until(limit * SECOND, () => world.parts().length === 1)
})

test('a new address is told to the neighbours, who dial it when the link is lost', () => {
  const world = crowd(19, 5, 2, SECOND)
  world.run(30 * SECOND)
  world.move(4)
  world.run(3 * SECOND)
  world.split((a, b) => a === 4 || b === 4)
  world.run(5 * SECOND)
  world.split(undefined)
  world.until(30 * SECOND, () => world.parts().length === 1)
  expect(world.dialled.filter(({ to }) => to === 4).length).toBeGreaterThan(0)
  expect(world.misrouted).toBe(0)
})

test('a crowd at one contact is taken in, sent on and never exceeds the links there may be', () => {
  const world = crowd(20, 300, 1, 2 * SECOND)
  let most = 0
  world.until(10 * SECOND, () => {
    most = Math.max(most, world.node(0).neighbours().length)
    return world.parts().length === 1
  })
  expect(most).toBeLessThanOrEqual(64)
  expect(world.node(0).counters.get('boundLinks')).toBeGreaterThan(0)
  world.run(6 * MINUTE)
  expect(world.node(0).neighbours().length).toBeLessThanOrEqual(12)
})
