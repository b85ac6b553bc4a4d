import fc from 'fast-check'
/** The checkers themselves: each must report the mistake that it exists for. */
import { describe, expect, it, vi } from 'vitest'
import { CHANNEL, type LinkId, type Micros, SECOND, TREE_ROLE } from '../../core/io.ts'
import { fingerprint } from '../../core/wire/fingerprint.ts'
import { Connectivity } from '../../sim/checks/connectivity.ts'
import { CycleCheck } from '../../sim/checks/cycles.ts'
import { Delivery, FRAME_KIND, type FrameKind, type FrameRecord } from '../../sim/checks/delivery.ts'
import { Digest, hashData } from '../../sim/digest.ts'
import { SimNode } from '../../sim/node.ts'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'
import { Convergence } from '../../sim/script/convergence.ts'
import type { Stage } from '../../sim/stage.ts'
import { LOST } from '../../sim/trunks.ts'

const end = (trunk: number, side: 0 | 1): LinkId => (trunk * 2 + side) as LinkId

describe('the cycle check', () => {
  it('reports a cycle at the moment its last half opens, and only then', () => {
    const check = new CycleCheck()
    // 1 below 2 below 3, each link opened from both ends.
    check.roleChanged(1, end(10, 0), TREE_ROLE.upper)
    check.roleChanged(2, end(10, 1), TREE_ROLE.lower)
    check.roleChanged(2, end(11, 0), TREE_ROLE.upper)
    expect(check.roleChanged(3, end(11, 1), TREE_ROLE.lower)).toBeUndefined()
    expect(check.pathUp(1)).toEqual([1, 2, 3])
    expect(check.roleChanged(3, end(12, 0), TREE_ROLE.upper)).toBeUndefined()
    const cycle = check.roleChanged(1, end(12, 1), TREE_ROLE.lower)
    expect([...(cycle ?? [])].sort((a, b) => a - b)).toEqual(expect.arrayContaining([1, 2, 3]))
    expect(check.cycles).toBe(1)
  })

  it('finds a cycle through a further upper', () => {
    const check = new CycleCheck()
    check.roleChanged(1, end(1, 0), TREE_ROLE.upper)
    check.roleChanged(9, end(1, 1), TREE_ROLE.lower)
    check.roleChanged(1, end(2, 0), TREE_ROLE.upper)
    check.roleChanged(2, end(2, 1), TREE_ROLE.lower)
    check.roleChanged(2, end(3, 0), TREE_ROLE.upper)
    expect(check.roleChanged(1, end(3, 1), TREE_ROLE.lower)).toBeDefined()
  })

  it('knows that half a link is no link, and forgets a node that died', () => {
    const check = new CycleCheck()
    check.roleChanged(1, end(1, 0), TREE_ROLE.upper)
    check.roleChanged(2, end(1, 1), TREE_ROLE.upper)
    expect(check.pathUp(1)).toEqual([1])
    check.roleChanged(2, end(1, 1), TREE_ROLE.lower)
    expect(check.pathUp(1)).toEqual([1, 2])
    check.nodeGone(2)
    expect(check.pathUp(1)).toEqual([1])
    check.roleChanged(1, end(1, 0), TREE_ROLE.none)
    expect(check.cycles).toBe(0)
  })
})

describe('connectivity', () => {
  const all = [0, 1, 2, 3]
  function meshOf(...links: (readonly [number, number])[]): Connectivity {
    const mesh = new Connectivity(4)
    for (const node of all) mesh.setAlive(node, true)
    for (const [a, b] of links) mesh.connect(a, b)
    return mesh
  }

  it('tells whether two have been in one part of the mesh since then', () => {
    const mesh = meshOf([0, 1], [1, 2])
    const sinceFirst = (since: Micros): boolean[] => all.map((node) => mesh.togetherSince(0, node, since))
    mesh.refresh(100, undefined)
    expect(sinceFirst(99)).toEqual([false, false, false, false])
    expect(sinceFirst(100)).toEqual([true, true, true, false])
    mesh.connect(2, 3)
    mesh.refresh(200, undefined)
    expect(sinceFirst(199)).toEqual([true, true, true, false])
    expect(sinceFirst(200)).toEqual([true, true, true, true])
    // A cut between 1 and 2: both halves go on, each by itself, as they were.
    mesh.touch()
    mesh.refresh(300, (a, b) => (a === 1 && b === 2) || (a === 2 && b === 1))
    expect(sinceFirst(100)).toEqual([true, true, false, false])
    expect([mesh.togetherSince(2, 3, 199), mesh.togetherSince(2, 3, 200)]).toEqual([false, true])
    expect(mesh.largestShare).toBe(0.5)
    // And are one again: across the cut from now on only.
    mesh.touch()
    mesh.refresh(400, undefined)
    expect([sinceFirst(399), sinceFirst(400)]).toEqual([
      [true, true, false, false],
      [true, true, true, true],
    ])
    mesh.disconnect(0, 1)
    expect(mesh.togetherSince(0, 1, 1_000)).toBe(false)
  })

  it.each([0, 3])('breaks nothing between others when node %i goes and comes', (node) => {
    const links = all.filter((other) => other !== node).map((other) => [node, other] as const)
    const [a, b, c] = links.map(([, other]) => other) as [number, number, number]
    const mesh = meshOf(...links, [a, b], [b, c])
    mesh.refresh(1, undefined)
    mesh.setAlive(node, false)
    for (const [from, to] of links) mesh.disconnect(from, to)
    mesh.refresh(100, undefined)
    mesh.setAlive(node, true)
    for (const [from, to] of links) mesh.connect(from, to)
    mesh.refresh(200, undefined)
    expect([mesh.togetherSince(a, b, 1), mesh.togetherSince(b, c, 1)]).toEqual([true, true])
    expect([mesh.togetherSince(node, a, 199), mesh.togetherSince(node, a, 200)]).toEqual([false, true])
  })

  it('claims nothing of a time that it has forgotten', () => {
    const mesh = meshOf([0, 1])
    for (let at = 1; at <= 100; at++) {
      mesh.touch()
      mesh.refresh(at * SECOND, undefined)
    }
    expect(mesh.togetherSince(0, 1, 89 * SECOND)).toBe(true)
    expect(mesh.togetherSince(0, 1, 50 * SECOND)).toBe(false)
  })

  it('counts double links once, and links of the dead not at all', () => {
    const mesh = new Connectivity(4)
    for (const node of [0, 1, 2]) mesh.setAlive(node, true)
    mesh.connect(1, 0)
    mesh.connect(0, 1)
    mesh.connect(1, 2)
    mesh.connect(2, 3)
    mesh.disconnect(0, 1)
    mesh.refresh(100, undefined)
    const together = (a: number, b: number): boolean => mesh.togetherSince(a, b, 100)
    expect([together(0, 2), together(2, 3), mesh.living]).toEqual([true, false, 3])
    mesh.setAlive(1, false)
    mesh.refresh(200, undefined)
    expect([together(0, 2), mesh.largestShare]).toEqual([false, 0.5])
  })

  it('finds the same parts as a search from every node', () => {
    const links = fc.array(fc.tuple(fc.nat(19), fc.nat(19)), { maxLength: 40 })
    fc.assert(
      fc.property(links, fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), (pairs, alive) => {
        const mesh = new Connectivity(20)
        alive.forEach((up, node) => {
          mesh.setAlive(node, up)
        })
        const open = pairs.filter(([a, b]) => a !== b)
        for (const [a, b] of open) mesh.connect(a, b)
        mesh.refresh(1, undefined)
        for (let from = 0; from < 20; from++) {
          const reached = reachable(from, open, alive)
          for (let to = 0; to < 20; to++)
            if (to !== from) expect(mesh.togetherSince(from, to, 1)).toBe(reached.has(to))
        }
      }),
    )
  })
})

function reachable(
  from: number,
  links: readonly (readonly [number, number])[],
  alive: boolean[],
): Set<number> {
  const reached = new Set(alive[from] ? [from] : [])
  for (const node of reached) {
    for (const [a, b] of links) {
      if (a === node && alive[b]) reached.add(b)
      if (b === node && alive[a]) reached.add(a)
    }
  }
  return reached
}

class FakeWorld {
  readonly violations: string[] = []
  readonly lives = new Map<number, number>()
  since: Micros = 0
  life(node: number): number {
    return this.lives.get(node) ?? 1
  }
  alive(): boolean {
    return true
  }
  /** 2 below 5 below 1; 3 below 1. */
  readonly paths = new Map<number, readonly number[]>([
    [2, [2, 5, 1]],
    [3, [3, 1]],
  ])
  pathUp(node: number): readonly number[] {
    return this.paths.get(node) ?? [node]
  }
  togetherSince(_a: number, _b: number, since: Micros): boolean {
    return this.since <= since
  }
  isMember(node: number): boolean {
    return node < 10
  }
  violation(kind: string): void {
    this.violations.push(kind)
  }
}

describe('the delivery check', () => {
  const sentAt = 100 * SECOND
  const setUp = (): { world: FakeWorld; delivery: Delivery } => {
    const world = new FakeWorld()
    return { world, delivery: new Delivery(world, 0) }
  }

  it('counts what was owed and came, each receiver once', () => {
    const { world, delivery } = setUp()
    const { number } = delivery.sent(sentAt, FRAME_KIND.broadcast, 0, 1, [2, 3, 4])
    delivery.delivered(sentAt + 10, 2, 0, number)
    delivery.delivered(sentAt + 20, 3, 0, number)
    delivery.settle(sentAt + 6 * SECOND)
    expect([delivery.owed, delivery.came]).toEqual([3, 2])
    expect(world.violations).toEqual([])
  })

  it('reports a frame twice, at a non-member, back at its sender, on another VLAN, and long after', () => {
    const { world, delivery } = setUp()
    const { number } = delivery.sent(sentAt, FRAME_KIND.broadcast, 0, 1, [2])
    delivery.delivered(sentAt + 1, 2, 0, number)
    delivery.delivered(sentAt + 2, 2, 0, number)
    delivery.delivered(sentAt + 3, 99, 0, number)
    delivery.delivered(sentAt + 4, 1, 0, number)
    delivery.delivered(sentAt + 5, 2, 7, number)
    delivery.settle(sentAt + 40 * SECOND)
    delivery.delivered(sentAt + 40 * SECOND, 2, 0, number)
    expect(world.violations).toEqual([
      'delivered-twice',
      'delivered-to-non-member',
      'delivered-to-sender',
      'delivered-to-non-member',
      'delivered-late',
    ])
  })

  it('owes nothing to who restarted or was connected too late, nor for what the link model dropped', () => {
    const { world, delivery } = setUp()
    delivery.sent(sentAt, FRAME_KIND.unicast, 0, 1, [2])
    world.lives.set(2, 2)
    delivery.settle(sentAt + 6 * SECOND)
    expect(delivery.owed).toBe(0)
    const dropped = delivery.sent(sentAt, FRAME_KIND.unicast, 0, 1, [3])
    delivery.linkModelDropped(dropped.number, 1, 3, true)
    delivery.settle(sentAt + 6 * SECOND)
    expect([delivery.owed, delivery.excusedByLinkModel]).toEqual([0, 1])
    world.since = sentAt - 4 * SECOND
    delivery.sent(sentAt, FRAME_KIND.unicast, 0, 1, [4])
    delivery.settle(sentAt + 6 * SECOND)
    expect(delivery.owed).toBe(0)
  })

  it('excuses of a group frame only the receivers behind the drop', () => {
    const { delivery } = setUp()
    const { number } = delivery.sent(sentAt, FRAME_KIND.broadcast, 0, 1, [2, 3])
    delivery.linkModelDropped(number, 1, 5, true)
    delivery.settle(sentAt + 6 * SECOND)
    expect([delivery.owed, delivery.came, delivery.excusedByLinkModel]).toEqual([1, 0, 1])
  })

  it('judges who is behind a drop by the tree as it was then', () => {
    const { world, delivery } = setUp()
    const { number } = delivery.sent(sentAt, FRAME_KIND.broadcast, 0, 1, [2, 3])
    delivery.linkModelDropped(number, 1, 5, false)
    world.paths.set(2, [2, 1])
    world.paths.set(3, [3, 5, 1])
    delivery.delivered(sentAt + 10, 3, 0, number)
    delivery.settle(sentAt + 6 * SECOND)
    expect([delivery.owed, delivery.came, delivery.excusedByLinkModel]).toEqual([1, 1, 1])
  })

  it('owes no group frame to a VLAN while somebody storms in it, and everything else', () => {
    const { delivery } = setUp()
    const lostAt = (seconds: number, kind: FrameKind, vlan: number): number => {
      const before = delivery.owed
      delivery.sent(sentAt + seconds * SECOND, kind, vlan, 1, [2])
      delivery.settle(sentAt + (seconds + 6) * SECOND)
      return delivery.owed - before
    }
    expect(lostAt(-20, FRAME_KIND.broadcast, 0)).toBe(1)
    for (let count = 0; count <= 100; count++)
      delivery.sent(sentAt + (count * SECOND) / 10, FRAME_KIND.storm, 0, 3, [1, 2])
    delivery.settle(sentAt + 16 * SECOND)
    const owed = [
      [-1, FRAME_KIND.broadcast, 0],
      [5, FRAME_KIND.multicast, 0],
      [10.9, FRAME_KIND.broadcast, 0],
      [5, FRAME_KIND.unicast, 0],
      [5, FRAME_KIND.broadcast, 1],
      [11.1, FRAME_KIND.broadcast, 0],
    ] as const
    expect(owed.map(([seconds, kind, vlan]) => lostAt(seconds, kind, vlan))).toEqual([0, 0, 0, 1, 1, 1])
    expect(delivery.excusedByStorm).toBe(3)
  })

  it('counts each frame and receiver in one of four sums, and neither probes nor storms in any', () => {
    const { world, delivery } = setUp()
    const settle = (): void => delivery.settle(sentAt + 6 * SECOND)
    const came = delivery.sent(sentAt, FRAME_KIND.broadcast, 0, 1, [2, 3, 4])
    for (const node of [2, 3]) delivery.delivered(sentAt + 1, node, 0, came.number)
    for (const kind of [FRAME_KIND.unicast, FRAME_KIND.probe, FRAME_KIND.storm])
      delivery.linkModelDropped(delivery.sent(sentAt, kind, 1, 1, [3]).number, 1, 3, true)
    settle()
    world.since = sentAt - 4 * SECOND
    const apart = delivery.sent(sentAt, FRAME_KIND.broadcast, 0, 1, [5, 6])
    delivery.delivered(sentAt + 1, 5, 0, apart.number)
    delivery.delivered(sentAt + 5.5 * SECOND, 6, 0, apart.number)
    settle()
    const { givenOut, owed, excusedByLinkModel, excusedByStorm, unconnected, arrivedInTime } = delivery
    expect([owed, excusedByLinkModel, excusedByStorm, unconnected]).toEqual([3, 1, 0, 2])
    expect([givenOut, delivery.came, arrivedInTime]).toEqual([6, 2, 3])
  })

  it('counts copies of group frames at members, those of the link model left out', () => {
    const { delivery } = setUp()
    const { number } = delivery.sent(sentAt, FRAME_KIND.multicast, 0, 1, [2, 3])
    for (const node of [2, 3, 3, 50]) delivery.arrived(number, node, false)
    delivery.arrived(number, 2, true)
    expect(delivery.groupArrivals).toBe(3)
  })
})

const TWO = {
  version: 1,
  name: 'two',
  question: 'Do two talk to each other?',
  seconds: 40,
  warmupSeconds: 5,
  healSeconds: 5,
  nodes: { count: 2, contacts: 1, joinSeconds: 0 },
  vlans: [{ count: 1, members: 2 }],
}
const NO_DATA = { text: (): string => '' }

describe('convergence', () => {
  /** Two members that probe each other twice a second for three seconds; `fate` settles each probe. */
  function converge(fate: (record: FrameRecord) => void): Convergence {
    const scripts: { at: Micros; run: () => void }[] = []
    const world = {
      now: 0,
      nodes: [0, 1].map(() => ({ life: 1 })),
      at: (at: Micros, run: () => void) => scripts.push({ at, run }),
    }
    const delivery = new Delivery(new FakeWorld(), 0)
    const stage = {
      world,
      vlans: [{ index: 0, members: [0, 1] }],
      isUp: () => true,
      isIn: () => true,
      attachedShare: () => 1,
      sendTo(kind: FrameKind, vlan: number, from: number, to: number): FrameRecord {
        const record = delivery.sent(world.now, kind, vlan, from, [to])
        fate(record)
        return record
      },
    }
    const convergence = new Convergence(stage as unknown as Stage, 100, 3)
    for (let next = 0; next < scripts.length; next++) {
      scripts.sort((a, b) => a.at - b.at)
      const { at, run } = scripts[next] as (typeof scripts)[number]
      world.now = at
      run()
    }
    return convergence
  }

  const came = (record: FrameRecord): void => {
    record.cameAt[0] = record.sentAt + 1
  }
  const isEarly = (record: FrameRecord): boolean => record.sentAt < 101.2 * SECOND

  it('is from the first round on of which every probe came, or was lost by chance', () => {
    expect(converge(came).talkSeconds()).toBe(0)
    expect(converge((record) => !isEarly(record) && came(record)).talkSeconds()).toBe(1.5)
    const chance = converge((record) => {
      if (isEarly(record)) record.lostByChance = true
      else came(record)
    })
    expect([chance.talkSeconds(), chance.reachableShare()]).toEqual([0, 1])
  })

  it('is not yet while probes run into a path that takes nothing', () => {
    const never = converge(() => {})
    expect([never.talkSeconds(), never.reachableShare()]).toEqual([undefined, 0])
    const run = new Run(checkScenario(TWO, 'two.json'), { seed: 1, data: NO_DATA })
    run.step(5)
    const [a, b] = run.world.nodes as [SimNode, SimNode]
    const byChance = (reason: number): boolean => {
      const record = run.stage.sendTo(FRAME_KIND.probe, 0, 0, 1, 100) as FrameRecord
      run.linkModelDropped(record.number, reason, a, b)
      return record.lostByChance
    }
    const { loss, corrupted, queue, cut, dead, clogged, processor } = LOST
    expect([loss, corrupted, queue].map(byChance)).toEqual([true, true, true])
    expect([cut, dead, clogged, processor].map(byChance)).toEqual([false, false, false, false])
  })

  it('begins when a cut has ended, not just before', () => {
    const cut = { kind: 'partition', atSeconds: 20, who: { nodes: [1] }, healAfterSeconds: 0.3 }
    const run = new Run(checkScenario({ ...TWO, faults: [cut] }, 'two.json'), { seed: 1, data: NO_DATA })
    while (!run.done) run.step(run.endsAtSeconds)
    expect(run.convergence?.talkSeconds()).toBe(0)
  })
})

describe('the digest', () => {
  it('changes with every part of an effect and with their order', () => {
    const of = (...effects: [number, number, number, number, number][]): string => {
      const digest = new Digest()
      for (const effect of effects) digest.fold(...effect)
      return digest.text()
    }
    const base = of([1, 2, 3, 4, 5], [6, 7, 0, 9, 10])
    const all = [
      base,
      of([6, 7, 0, 9, 10], [1, 2, 3, 4, 5]),
      of([2, 2, 3, 4, 5], [6, 7, 0, 9, 10]),
      of([1, 3, 3, 4, 5], [6, 7, 0, 9, 10]),
      of([1, 2, 1, 4, 5], [6, 7, 0, 9, 10]),
      of([1, 2, 3, 5, 5], [6, 7, 0, 9, 10]),
      of([1, 2, 3, 4, 6], [6, 7, 0, 9, 10]),
      of([1 + 2 ** 32, 2, 3, 4, 5], [6, 7, 0, 9, 10]),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(of([1, 2, 3, 4, 5], [6, 7, 0, 9, 10])).toBe(base)
  })

  it('tells data apart by every text, number and byte of it, and by their order', () => {
    const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9])
    const other = new Uint8Array([5, 6, 7, 8, 1, 2, 3, 4, 9])
    const all: unknown[] = [
      { kind: 'a', first: 1, second: 2 },
      { kind: 'b', first: 1, second: 2 },
      { kind: 'a', first: 2, second: 1 },
      { kind: 'a', first: 1 + 2 ** 32, second: 2 },
      { kind: 'a', first: 1, second: undefined },
      { kind: 'a', first: 1 },
      { kind: 'a', first: 1, second: bytes },
      { kind: 'a', first: 1, second: other },
      { kind: 'a', first: 1, second: [bytes, other] },
      { kind: 'a', first: 1, second: [other, bytes] },
      { kind: 'a', first: 1, second: { third: bytes } },
      { kind: 'a', first: true, second: '' },
      { kind: 'a', first: false, second: '' },
      [['a', 'b'], ['c']],
      [['a'], ['b', 'c']],
    ]
    expect(new Set(all.map((data) => hashData(data))).size).toBe(all.length)
  })

  it.each(['deliver', 'store', 'dial', 'note', 'send'] as const)(
    'takes in what a node says: %s',
    (effect) => {
      const digestWith = (last: number): string => {
        const bytes = Uint8Array.of(0, last)
        const real = SimNode.prototype
        // At the end of what is said, where nobody in this run takes notice.
        const said = {
          deliver: (...[port, frame]: Parameters<SimNode['deliver']>) => [port, withLast(frame, last)],
          store: (...[id, record]: Parameters<SimNode['store']>) => [id, withLast(record, last)],
          dial: (...[peer, to]: Parameters<SimNode['dial']>) => [peer, [...to, bytes]],
          note: (...[event]: Parameters<SimNode['note']>) => [{ ...event, more: bytes }],
          send: (...[link, channel, hop, packet]: Parameters<SimNode['send']>) => [
            link,
            channel,
            hop,
            channel === CHANNEL.data ? withLast(packet, last) : packet,
          ],
        }
        const original = real[effect] as (...args: unknown[]) => void
        vi.spyOn(real, effect as 'note').mockImplementation(function (this: SimNode, ...args: unknown[]) {
          original.call(this, ...(said[effect] as (...args: unknown[]) => unknown[])(...args))
        } as never)
        const traffic = [{ kind: 'unicast', perMemberPerSecond: 1 }]
        const run = new Run(checkScenario({ ...TWO, traffic }, 'two.json'), { seed: 1, data: NO_DATA })
        while (!run.done) run.step(run.endsAtSeconds)
        vi.restoreAllMocks()
        return run.digest
      }
      expect(digestWith(1)).toBe(digestWith(1))
      expect(digestWith(1)).not.toBe(digestWith(2))
    },
  )

  it('tells control messages apart that differ in the order of a list only', () => {
    expect(fingerprint(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]))).not.toBe(
      fingerprint(new Uint8Array([5, 6, 7, 8, 1, 2, 3, 4, 9])),
    )
  })
})

function withLast(bytes: Uint8Array, last: number): Uint8Array {
  const changed = bytes.slice()
  changed[bytes.length - 1] = last
  return changed
}
