/** Branches that met: what their members know of where they parted, and who goes over to whom. */
import { describe, expect, test } from 'vitest'
import { decodeHandshake } from '../../core/group/messages.ts'
import { hex, sameBytes } from '../../core/ids.ts'
import { MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import type { GroupNode } from '../support/group-node.ts'
import { GroupWorld } from '../support/group-world.ts'

const wayOf = (node: GroupNode | undefined): string[] => node?.group?.lineageIds().map(hex) ?? []

const folded = (nodes: readonly GroupNode[]): GroupNode[] =>
  nodes.filter(({ events }) => events.some(({ kind }) => kind === 'folding'))

/** Two halves, cut from each other. */
function parted(
  seed: number,
  delay?: readonly [Micros, Micros],
): { world: GroupWorld; halves: [GroupNode[], GroupNode[]] } {
  const world = new GroupWorld({ seed, ...(delay && { delay }) })
  const members = world.established(8)
  const halves: [GroupNode[], GroupNode[]] = [members.slice(0, 4), members.slice(4)]
  world.partition(...halves)
  return { world, halves }
}

/** The same, of which one put out a member and the other let one in. */
function unlike(seed: number): ReturnType<typeof parted> {
  const { world, halves } = parted(seed)
  const [left, right] = halves
  const evicted = left.pop() as GroupNode
  world.revoke(evicted, left[0] as GroupNode)
  const joiner = world.person()
  right.push(joiner)
  world.partition(...halves)
  world.join(joiner)
  expect(world.until(() => world.isOne(left, 7) && world.isOne(right, 9), 20 * SECOND)).toBe(true)
  return { world, halves }
}

describe('the way of a branch', () => {
  test('is known to all who came in by a Welcome', () => {
    const world = new GroupWorld({ seed: 11 })
    const nodes = [world.found()]
    for (let count = 2; count <= 5; count++) {
      nodes.push(world.join())
      expect(world.until(() => world.isOne(nodes, count), 10 * SECOND)).toBe(true)
    }
    for (const node of nodes) expect(wayOf(node)).toEqual(wayOf(nodes[0]))
    expect(wayOf(nodes[4]).length).toBeGreaterThan(4)
  })

  test('is known after a restart', () => {
    const world = new GroupWorld({ seed: 12 })
    const nodes = [world.found(), world.join()]
    expect(world.until(() => world.isOne(nodes, 2), 10 * SECOND)).toBe(true)
    const [, second] = nodes
    const before = wayOf(second)
    world.run(2 * SECOND)
    world.crash(second as GroupNode)
    world.restart(second as GroupNode)
    world.run(SECOND)
    expect(wayOf(second)).toEqual(before)
  })
})

describe('two halves that were apart', () => {
  test.each([1, 2, 3, 4, 5, 6])('for a minute: one goes over and stays, seed %i', (seed) => {
    const { world, halves } = parted(seed)
    // Those who come in now know the fork by their Welcome alone.
    for (const half of halves)
      for (let more = 0; more < 2; more++) {
        const joiner = world.person()
        half.push(joiner)
        world.partition(...halves)
        world.join(joiner)
        expect(world.until(() => world.isOne(half, 5 + more + 4), 20 * SECOND)).toBe(true)
      }
    world.run(40 * SECOND)
    world.heal()
    const all = halves.flat()
    expect(world.until(() => world.isOne(all, 12), 60 * SECOND)).toBe(true)
    world.run(20 * SECOND)
    const sides = halves.filter((half) => folded(half).length > 0)
    expect(sides.length).toBe(1)
    for (const { events } of all)
      expect(events.filter(({ kind }) => kind === 'folding').length).toBeLessThanOrEqual(1)
  })

  test.each([1, 2, 3, 4, 5, 6])('find each other as soon as they hang in one tree, seed %i', (seed) => {
    const { world, halves } = parted(seed)
    const [left, right] = halves
    const evicted = left.pop() as GroupNode
    world.revoke(evicted, left[0] as GroupNode)
    expect(world.until(() => world.isOne(left, 7), 10 * SECOND)).toBe(true)
    // Tokens of the two differ since then: no packet of one is heard in the other.
    world.isSalted = true
    world.run(20 * SECOND)
    world.heal()
    for (const node of right) world.act(node, (group) => group.met(world.now))
    expect(world.until(() => world.isOne([...left, ...right], 7), 4 * SECOND)).toBe(true)
  })

  test.each([2, 15, 25, 26, 31])(
    'of which one put out a member that the other has: one goes over, seed %i',
    (seed) => {
      const { world, halves } = unlike(seed)
      const [left, right] = halves
      world.run(40 * SECOND)
      world.heal()
      // Everybody asks at once, the right half before it has heard of the revocation.
      for (const node of [...right, ...left]) world.act(node, (group) => group.met(world.now))
      expect(world.until(() => world.isOne([...left, ...right], 8), 30 * SECOND)).toBe(true)
      world.run(20 * SECOND)
      expect(halves.filter((half) => folded(half).length > 0).length).toBeLessThanOrEqual(1)
    },
  )

  test.each([2, 3, 4, 5, 8, 9, 11, 16])(
    'and one of whom heard no witness does not go over alone, seed %i',
    (seed) => {
      // What speaks against going over is heard after the word for it.
      const { world, halves } = parted(seed, [20 * MILLISECOND, 20 * MILLISECOND])
      const [, right] = halves
      const late = right.pop() as GroupNode
      for (const half of halves) {
        const joiner = world.person()
        half.push(joiner)
        world.partition(...halves, [late])
        world.join(joiner)
        expect(world.until(() => world.isOne(half, 9), 20 * SECOND)).toBe(true)
      }
      world.run(20 * SECOND)
      right.push(late)
      world.partition(...halves)
      world.act(late, (group) => group.met(world.now))
      expect(world.until(() => world.isOne(right, 9), 30 * SECOND)).toBe(true)
      world.run(40 * SECOND)
      world.heal()
      world.act(late, (group) => group.met(world.now))
      expect(world.until(() => world.isOne(halves.flat(), 10), 60 * SECOND)).toBe(true)
      world.run(20 * SECOND)
      expect(halves.filter((half) => folded(half).length > 0).length).toBeLessThanOrEqual(1)
    },
  )

  test.each([1, 2, 3, 4])('for a minute: whose KeyPackage gets lost says it again, seed %i', (seed) => {
    const { world, halves } = unlike(seed)
    const [, right] = halves
    world.run(60 * SECOND)
    const said: Uint8Array[] = []
    const { deliver } = world
    // The first that each of them says to its ambassador does not arrive.
    world.deliver = (node, packet) => {
      const handshake = packet.kind === PAYLOAD_KIND.handshake ? decodeHandshake(packet.payload) : undefined
      const offer = handshake?.kind === 'foldOffers' ? handshake.offers[0] : undefined
      const isFirst = offer !== undefined && !said.some((leafKey) => sameBytes(leafKey, offer.leafKey))
      if (isFirst) said.push(offer.leafKey.slice())
      else deliver.call(world, node, packet)
    }
    world.heal()
    for (const node of right) world.act(node, (group) => group.met(world.now))
    expect(world.until(() => world.isOne(halves.flat(), 8), 10 * SECOND)).toBe(true)
    expect(said.length).toBeGreaterThan(0)
  })

  test.each([1, 2, 3, 4, 5, 6])('for a moment: one goes back, and nobody is added anew, seed %i', (seed) => {
    const { world, halves } = parted(seed)
    const [left, right] = halves
    const evicted = left.pop() as GroupNode
    const fact = world.revoke(evicted, left[0] as GroupNode)
    world.learn(right[0] as GroupNode, [fact])
    expect(world.until(() => halves.every((half) => world.isOne(half, 7)), 10 * SECOND)).toBe(true)
    const heads = halves.map(([node]) => node?.head)
    expect(new Set(heads).size).toBe(2)
    world.run(2 * SECOND)
    world.heal()
    const all = halves.flat()
    expect(world.until(() => world.isOne(all, 7), 20 * SECOND)).toBe(true)
    expect(folded(all)).toEqual([])
    expect(heads).toContain(all[0]?.head)
    // Who went back came to where others were long since; those did not go anywhere.
    const head = all[0]?.head as string
    const isLate = halves.map((half) => half.map(({ late }) => late.has(head)))
    expect(isLate[heads.indexOf(head)]).not.toContain(true)
    expect(isLate[1 - heads.indexOf(head)]).not.toContain(false)
  })
})
