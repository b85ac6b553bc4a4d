/**
 * Forwarding over directed acyclic graphs that never hold still: links take and lose roles at random, with
 * the two halves at different times, members come and go, everybody sends. Whatever happens no frame is
 * delivered twice or to a non-member, and once it is quiet everybody reaches everybody.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MILLISECOND, SECOND, TREE_ROLE } from '../../core/io.ts'
import { type Member, VlanWorld } from '../support/vlan-world.ts'

const LABELS = ['lab', 'office']

interface Pair {
  readonly lower: number
  readonly upper: number
}

/** A world whose nodes may hang under any two nodes of a smaller number: acyclic whatever is chosen. */
class Storm {
  readonly world: VlanWorld
  readonly members: Member[] = []
  readonly #pairs: Pair[] = []
  readonly #senders = new Map<number, { label: string; from: string }>()

  constructor(seed: number, nodes: number) {
    this.world = new VlanWorld(seed)
    for (let node = 0; node < nodes; node++) this.world.node()
    for (let node = 1; node < nodes; node++) this.hang(node)
  }

  /** One more upper, in front of the others or behind them, its halves opening some time apart. */
  hang(lower: number): void {
    const { world } = this
    const upper = world.random.below(lower)
    if (this.#pairs.some((pair) => pair.lower === lower && pair.upper === upper)) return
    if (this.#pairs.filter((pair) => pair.lower === lower).length >= 3) return
    this.#pairs.push({ lower, upper })
    const latency = (1 + world.random.below(40)) * MILLISECOND
    const preferred = world.random.below(2) === 0
    const gap = world.random.below(3) * latency
    // Most often the upper's half is open first; sometimes the lower's registration comes before it.
    const upperFirst = world.random.below(4) > 0
    const halves = [
      () => world.openHalf(upper, lower, TREE_ROLE.lower, latency),
      () => world.openHalf(lower, upper, TREE_ROLE.upper, latency, preferred),
    ]
    if (!upperFirst) halves.reverse()
    ;(halves[0] as () => void)()
    world.after(gap, halves[1] as () => void)
  }

  /** Ends a random link that has others beside it, by word or by breaking. */
  drop(): void {
    const { world } = this
    const spare = this.#pairs.filter(
      ({ lower }) => this.#pairs.filter((other) => other.lower === lower).length > 1,
    )
    const pair = spare[world.random.below(Math.max(1, spare.length))]
    // A link whose second half is still to open is left alone.
    if (pair === undefined || !this.#isOpen(pair)) return
    this.#pairs.splice(this.#pairs.indexOf(pair), 1)
    if (world.random.below(2) === 0) world.cut(pair.lower, pair.upper)
    else world.detach(pair.lower, pair.upper)
  }

  /** The upper forgets its lowers, as in a new generation; the lower hears of it and attaches anew. */
  renew(): void {
    const { world } = this
    const pair = this.#pairs[world.random.below(Math.max(1, this.#pairs.length))]
    if (pair === undefined || !this.#isOpen(pair)) return
    const { lower, upper } = pair
    // Until both halves are open again nothing else happens to the pair.
    world.closeHalf(upper, lower)
    world.after(20 * MILLISECOND, () => {
      world.closeHalf(lower, upper)
      world.openHalf(lower, upper, TREE_ROLE.upper)
    })
    world.after((20 + world.random.below(400)) * MILLISECOND, () =>
      world.openHalf(upper, lower, TREE_ROLE.lower),
    )
  }

  join(): void {
    const { world } = this
    const label = LABELS[world.random.below(LABELS.length)] as string
    this.members.push(world.join(world.random.below(world.nodes.length), label))
  }

  leave(): void {
    const { world } = this
    if (this.members.length < 3) return
    world.leave(this.members.splice(world.random.below(this.members.length), 1)[0] as Member)
  }

  send(): void {
    const { world } = this
    const from = this.members[world.random.below(this.members.length)]
    const to = this.members[world.random.below(this.members.length)]
    if (from === undefined || to === undefined) return
    const frame = world.random.below(2) === 0 ? world.broadcast(from) : world.send(from, to.mac)
    this.#senders.set(frame, { label: from.label, from: `${from.node}:${from.port}` })
  }

  /** What must never be: a frame twice at one port, at another VLAN's port, or back at its sender. */
  wrong(labels: ReadonlyMap<number, string>): string[] {
    const seen = new Set<string>()
    const found: string[] = []
    for (const { frame, node, port } of this.world.deliveries) {
      const at = `${node}:${port}`
      const sent = this.#senders.get(frame)
      if (seen.has(`${frame} ${at}`)) found.push(`frame ${frame} twice at ${at}`)
      if (sent?.label !== labels.get(port)) found.push(`frame ${frame} of ${sent?.label} at ${at}`)
      if (sent?.from === at) found.push(`frame ${frame} back at ${at}`)
      seen.add(`${frame} ${at}`)
    }
    return found
  }

  /** Pairs of members that cannot reach each other, by unicast or by broadcast. */
  unreachable(): string[] {
    const { world, members } = this
    const found: string[] = []
    for (const from of members) {
      const others = members.filter((each) => each.label === from.label && each !== from)
      const expected = others.map((each) => `${each.node}:${each.port}`).sort()
      const unicasts = others.map((to) => ({ to, frame: world.send(from, to.mac) }))
      const cast = world.broadcast(from)
      world.run(SECOND)
      if (String(world.received(cast)) !== String(expected)) {
        found.push(`broadcast of ${from.port}: ${world.received(cast)} instead of ${expected}`)
      }
      for (const { to, frame } of unicasts) {
        if (String(world.received(frame)) !== `${to.node}:${to.port}`)
          found.push(`${from.port} to ${to.port}`)
      }
    }
    return found
  }

  #isOpen({ lower, upper }: Pair): boolean {
    const { world } = this
    const roleOf = (node: number, other: number) => world.at(node).tree.role(world.link(node, other).id)
    try {
      return roleOf(lower, upper) === TREE_ROLE.upper && roleOf(upper, lower) === TREE_ROLE.lower
    } catch {
      return false
    }
  }
}

function storm(seed: number, nodes: number, steps: number): Storm {
  const it = new Storm(seed, nodes)
  const { world } = it
  const labels = new Map<number, string>()
  for (let count = 0; count < 5; count++) it.join()
  for (let step = 0; step < steps; step++) {
    const choice = world.random.below(40)
    if (choice < 3) it.hang(1 + world.random.below(nodes - 1))
    else if (choice < 5) it.drop()
    else if (choice < 6) it.join()
    else if (choice < 7) it.leave()
    else if (choice < 8) it.renew()
    else it.send()
    for (const { port, label } of it.members) labels.set(port, label)
    world.run(world.random.below(30) * MILLISECOND)
  }
  expect(it.wrong(labels)).toEqual([])
  return it
}

describe('forwarding over random graphs', () => {
  const runs = process.env.PEERTAP_BUDGET === 'full' ? 1_000 : 100

  it('delivers nothing twice or astray while roles change, and everything when they rest', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 3, max: 14 }), (seed, nodes) => {
        const it = storm(seed, nodes, 400)
        it.world.run(20 * SECOND)
        expect(it.unreachable()).toEqual([])
      }),
      { numRuns: runs, seed: 20_260_701 },
    )
  })

  it('brings each member node exactly one packet of a broadcast when it rests', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 3, max: 14 }), (seed, nodes) => {
        const it = storm(seed, nodes, 60)
        const { world } = it
        world.run(20 * SECOND)
        for (const from of it.members) {
          const arrivals = new Map<number, number>()
          world.onData = ({ to }) => arrivals.set(to, (arrivals.get(to) ?? 0) + 1)
          world.broadcast(from)
          world.run(SECOND)
          const nodesOf = new Set(
            it.members.filter((each) => each.label === from.label).map(({ node }) => node),
          )
          for (const node of nodesOf) expect(arrivals.get(node) ?? 0).toBe(node === from.node ? 0 : 1)
          expect(Math.max(0, ...arrivals.values())).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: runs, seed: 20_260_702 },
    )
  })

  it('gives the same run for the same seed', () => {
    const digest = (): string => JSON.stringify([storm(99, 9, 300).world.deliveries])
    expect(digest()).toBe(digest())
  })
})
