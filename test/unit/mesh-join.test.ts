/** How a mesh comes to be: crowds, reachability classes, leaves, and what it costs to keep. */
import { expect, test } from 'vitest'
import { MILLISECOND, REACHABILITY, type Reachability, SECOND } from '../../core/io.ts'
import { isRelay } from '../../core/links/link.ts'
import { crowd, MeshWorld, mean } from '../support/mesh-world.ts'

test('two hundred nodes that join through three contacts form one mesh of even degrees', () => {
  const world = crowd(1, 200, 3, 10 * SECOND)
  world.until(5 * SECOND, () => world.parts().length === 1)
  world.until(20 * SECOND, () => Math.min(...world.degrees()) >= 6)
  world.run(120 * SECOND)
  // The crowd at the contacts has been sent on by now.
  expect(world.parts()).toEqual([200])
  world.until(3 * SECOND, () => world.lopsided() === 0)
  // Now and then one is looking for a neighbour in place of one that found a nearer.
  expect(world.degrees().filter((degree) => degree < 6).length).toBeLessThanOrEqual(4)
  expect(Math.min(...world.degrees())).toBeGreaterThanOrEqual(5)
  expect(Math.max(...world.degrees())).toBeLessThanOrEqual(10)
  expect(mean(world.degrees())).toBeLessThan(8)
  for (const node of world.living()) expect(node.mesh.view().passive).toBeLessThanOrEqual(36)
})

test('a thousand nodes that come within ten seconds are one mesh two seconds later', () => {
  const world = crowd(2, 1_000, 4, 10 * SECOND)
  expect(world.until(3 * SECOND, () => world.parts().length === 1)).toBeLessThanOrEqual(2 * SECOND)
  expect(Math.max(...world.degrees())).toBeLessThanOrEqual(64)
})

test('peers behind NATs link only where somebody can dial, and keep a public neighbour', () => {
  const world = new MeshWorld(3)
  const contacts = [0, 1, 2]
  for (const contact of contacts) world.add({ contacts: contacts.slice(0, contact) })
  for (let index = 3; index < 200; index++) {
    const draw = world.dice.unit()
    const reach: Reachability =
      draw < 0.3 ? REACHABILITY.public : draw < 0.6 ? REACHABILITY.punchable : REACHABILITY.private
    world.at(index * 50 * MILLISECOND, () => world.add({ contacts, reach }))
  }
  world.run(60 * SECOND)
  expect(world.parts()).toEqual([200])
  for (const node of world.living()) {
    const { reach } = node
    expect(node.neighbours().length).toBeGreaterThanOrEqual(5)
    if (reach === REACHABILITY.public) continue
    const classes = node.neighbours().map((link) => link.reach)
    expect(classes).toContain(REACHABILITY.public)
    if (reach === REACHABILITY.private) expect(classes).not.toContain(REACHABILITY.private)
  }
})

test.each([4, 5, 6])(
  'leaves link to relays alone, and relays keep relays whatever the number of leaves (%i)',
  (seed) => {
    const world = new MeshWorld(seed)
    const contacts = [0, 1, 2]
    for (const contact of contacts) world.add({ contacts: contacts.slice(0, contact) })
    for (let index = 3; index < 150; index++) {
      const relay = index % 4 === 0
      const reach = relay ? REACHABILITY.public : REACHABILITY.private
      world.at(index * 50 * MILLISECOND, () => world.add({ contacts, reach, config: { relay } }))
    }
    world.run(15 * SECOND)
    expect(world.parts()).toEqual([150])
    for (const node of world.living()) {
      const relays = node.neighbours().filter(isRelay).length
      if (node.config.relay) expect(relays).toBeGreaterThanOrEqual(3)
      else expect(relays).toBe(node.neighbours().length)
      if (!node.config.relay) expect(relays).toBeGreaterThanOrEqual(2)
    }
  },
)

test('too few relays for everybody: each gets some, and asking for more stays rare', () => {
  const world = new MeshWorld(5)
  const contacts = [0, 1]
  for (const contact of contacts) world.add({ contacts: contacts.slice(0, contact) })
  for (let index = 2; index < 150; index++) {
    const reach = index < 6 ? REACHABILITY.public : REACHABILITY.private
    world.at(index * 10 * MILLISECOND, () => world.add({ contacts, reach }))
  }
  world.run(90 * SECOND)
  expect(world.parts()).toEqual([150])
  const before = world.dialled.length
  world.run(120 * SECOND)
  expect((world.dialled.length - before) / 120 / 150).toBeLessThan(0.2)
})

test('the first node of a mesh waits in silence, the second is enough', () => {
  const world = new MeshWorld(6)
  world.add()
  world.run(60 * SECOND)
  expect(world.dialled.length).toBe(0)
  world.add({ contacts: [0] })
  world.until(2 * SECOND, () => world.parts().length === 1)
  expect(world.node(0).mesh.publicProved()).toBe(true)
  expect(world.node(1).mesh.publicProved()).toBe(false)
  // Both are short of neighbours for ever, and that costs nearly nothing.
  world.run(600 * SECOND)
  const bytes = world.node(1).shuffleBytes()
  world.run(600 * SECOND)
  expect((world.node(1).shuffleBytes() - bytes) / 600).toBeLessThan(5)
  expect(world.dialled.length).toBeLessThan(10)
})

test('shuffles cost less than 30 bytes a second, and everybody gets known', () => {
  const world = crowd(7, 150, 3, 5 * SECOND)
  world.run(300 * SECOND)
  const before = world.nodes.map((node) => node.shuffleBytes())
  world.run(600 * SECOND)
  const perSecond = world.nodes.map((node, index) => (node.shuffleBytes() - (before[index] as number)) / 600)
  expect(mean(perSecond)).toBeGreaterThan(15)
  expect(mean(perSecond)).toBeLessThan(30)
  for (const node of world.nodes) expect(node.mesh.view().passive).toBeGreaterThanOrEqual(30)
})

test('neighbours get nearer with time while links that a tree uses stay', () => {
  const world = crowd(8, 150, 3, 5 * SECOND)
  world.run(30 * SECOND)
  const roundTrips = (): number =>
    mean(world.living().flatMap((node) => node.neighbours().map((link) => link.rtt)))
  const used = world.living().map((node) => {
    // One that the other end has not given up: that would be on its way.
    const link = node.neighbours().find(({ id, peer }) => world.node(world.indexOf(peer)).get(id)?.neighbour)
    if (link !== undefined) world.useInTree(node, link)
    return link
  })
  const before = roundTrips()
  world.run(1_200 * SECOND)
  expect(roundTrips()).toBeLessThan(0.75 * before)
  expect(world.parts()).toEqual([150])
  for (const [index, link] of used.entries()) {
    expect(world.node(index).neighbours()).toContain(link)
  }
})

test('the same seed gives the same mesh', () => {
  const [one, two] = [crowd(9, 60, 3, 5 * SECOND), crowd(9, 60, 3, 5 * SECOND)]
  for (const world of [one, two]) world.run(200 * SECOND)
  expect(two.dialled).toEqual(one.dialled)
  expect(two.nodes.map((node) => node.mesh.view())).toEqual(one.nodes.map((node) => node.mesh.view()))
})
