/** What neighbours may try on a tree: nothing throws, nothing is believed, everything is counted. */
import { describe, expect, it } from 'vitest'
import { type LinkId, MILLISECOND, MINUTE, SECOND, TREE_ROLE } from '../../core/io.ts'
import { Link } from '../../core/links/link.ts'
import { path, pathRequest, voidMessage, WANTED } from '../../core/tree/messages.ts'
import { KIND } from '../../core/wire/kinds.ts'
import {
  type Actor,
  actor,
  attachMessage,
  beatMessage,
  beatOf,
  type Claimed,
  certificate,
  certificateMessage,
  detachMessage,
  pathMessage,
  requestMessage,
  TreeBench,
  updateOf,
  voidOf,
  voidPacket,
} from '../support/tree-bench.ts'

const ROOT = actor(1)
const ANN = actor(2)
const BOB = actor(3)
const FAR = actor(5)
const honest: Claimed = { beat: beatOf(ROOT), path: [ROOT, FAR, BOB] }

/** Bob is a neighbour; the node is still detached. */
function benchWithBob(): TreeBench {
  const bench = new TreeBench()
  bench.meet(BOB)
  return bench
}

function certificatesOf(actors: readonly Actor[], forge: number): Uint8Array[] {
  return actors.slice(1).map((to, index) => {
    const from = actors[index] as Actor
    return certificate(from, to, index === forge ? { signer: BOB } : {})
  })
}

describe('labels that are not true', () => {
  const lies: [
    string,
    Claimed,
    'dropBadSignature' | 'dropPath' | 'dropUnproven' | 'dropRootClass' | undefined,
  ][] = [
    [
      'a forged certificate in the path',
      { ...honest, certificates: certificatesOf([ROOT, FAR, BOB], 0) },
      'dropBadSignature',
    ],
    ['a metric below the sum of the costs', { ...honest, metric: 12 }, 'dropPath'],
    ['a metric above it', { ...honest, metric: 41 }, 'dropPath'],
    ['a path that ends at another node', { ...honest, path: [ROOT, BOB, FAR] }, 'dropPath'],
    ['a path that goes round', { ...honest, path: [ROOT, FAR, ANN, FAR, BOB] }, 'dropPath'],
    ['a path through this very node', { ...honest, path: [ROOT, actor(0), BOB] }, undefined],
    ['a class that no beat proves', { ...honest, class: 1 }, undefined],
    ['a priority that no beat proves', { ...honest, priority: 0 }, undefined],
    ['a seq that no beat proves', { ...honest, seq: 70_000 }, undefined],
    [
      'a beat that another one signed',
      { ...honest, beat: beatOf(ROOT, { signer: BOB }) },
      'dropBadSignature',
    ],
    ['class 0 without an operator', { ...honest, beat: beatOf(ROOT, { class: 0 }) }, 'dropRootClass'],
  ]

  it.each(lies)('are not adopted: %s', (_what, claimed, counter) => {
    const bench = benchWithBob()
    bench.from(BOB, updateOf({ claimed }))
    bench.from(BOB, pathMessage(claimed))
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    if (counter !== undefined) expect(bench.count(counter)).toBeGreaterThan(0)
    bench.wait(2 * SECOND)
    expect(bench.crst.view()).toMatchObject({ depth: 0, detached: false })
  })

  it('do not stick: the truth afterwards is adopted', () => {
    const bench = benchWithBob()
    for (const [, claimed] of lies) bench.from(BOB, updateOf({ claimed }))
    bench.from(BOB, updateOf({ claimed: { ...honest, serial: 2 } }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
  })

  it('a path of 48 is too deep to hang below, one of 49 cannot even be written', () => {
    const line = [ROOT, ...Array.from({ length: 47 }, (_, index) => actor(100 + index)), BOB]
    const bench = benchWithBob()
    const deep: Claimed = { beat: beatOf(ROOT), path: line, costs: line.map(() => 6) }
    bench.from(BOB, updateOf({ claimed: deep }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    const fits: Claimed = { ...deep, path: [ROOT, ...line.slice(2)], serial: 2 }
    bench.from(BOB, updateOf({ claimed: fits }))
    expect(bench.crst.view()).toMatchObject({ depth: 48 })

    const packet = updateOf({ claimed: deep })
    const long = new Uint8Array(packet.length + 4)
    long.set(packet)
    // The count of ids follows the label and its flag.
    expect(long[46]).toBe(48)
    long[46] = 49
    bench.from(BOB, long)
    expect(bench.count('dropMalformed')).toBe(1)
  })

  it('a certificate of no cost is refused: heights rest on positive ones', () => {
    const bench = new TreeBench()
    bench.meet(BOB, { certified: false })
    bench.from(BOB, certificateMessage(certificate(BOB, bench.self, { cost: 0 })))
    bench.from(BOB, updateOf({ claimed: honest }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    expect(bench.count('dropMalformed')).toBeGreaterThan(0)
  })

  it('certificates for others, by others, or older than the last are not taken for the link', () => {
    const bench = new TreeBench()
    bench.meet(BOB, { certified: false })
    bench.from(BOB, updateOf({ claimed: honest }))
    bench.from(BOB, certificateMessage(certificate(BOB, FAR)))
    bench.from(BOB, certificateMessage(certificate(FAR, bench.self)))
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    bench.from(BOB, certificateMessage(certificate(BOB, bench.self, { serial: 9, cost: 30 })))
    bench.from(BOB, certificateMessage(certificate(BOB, bench.self, { serial: 8, cost: 6 })))
    expect(bench.crst.view().metric).toBe(70)
    expect(bench.count('dropUnexpected')).toBe(2)
  })
})

describe('replays', () => {
  it('a path with a void link stays unusable, however it comes', () => {
    const bench = benchWithBob()
    bench.meet(ANN)
    bench.from(BOB, updateOf({ claimed: honest }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    bench.from(ANN, voidPacket(voidOf(ROOT, FAR)))
    bench.wait(2 * SECOND)
    bench.from(BOB, updateOf({ claimed: honest }))
    bench.from(BOB, pathMessage(honest))
    const replayed: Claimed = { beat: beatOf(ROOT), path: [ROOT, FAR, ANN] }
    bench.from(ANN, updateOf({ claimed: replayed }))
    expect(bench.crst.view()).toMatchObject({ depth: 0 })
    // The pair's next link has a later serial.
    bench.from(BOB, updateOf({ claimed: { ...honest, serial: 2 } }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
  })

  it('a void that came before the certificate counts too', () => {
    const bench = benchWithBob()
    bench.from(BOB, updateOf({ claimed: honest, voids: [voidOf(ROOT, FAR)] }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
  })

  it('only the lower end of a link can void it', () => {
    const bench = benchWithBob()
    bench.meet(ANN)
    bench.from(BOB, updateOf({ claimed: honest }))
    bench.from(ANN, voidPacket(voidOf(ROOT, FAR, 1, ANN)))
    bench.from(ANN, voidPacket(voidOf(ROOT, FAR, 1, ROOT)))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    expect(bench.count('dropBadSignature')).toBe(2)
    expect(bench.to(BOB, KIND.void, voidMessage)).toEqual([])
  })

  it('a certificate ends with its life, from when it was first seen', () => {
    const bench = benchWithBob()
    const short = certificate(ROOT, FAR, { life: 30 })
    const claimed: Claimed = { ...honest, certificates: [short, certificate(FAR, BOB)] }
    bench.from(BOB, updateOf({ claimed }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    bench.wait(29 * SECOND)
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    bench.from(BOB, updateOf({ claimed, generation: 1 }))
    bench.wait(2 * SECOND)
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
  })

  it('an old beat changes nothing, and a seq that is far behind is unusable', () => {
    const bench = benchWithBob()
    bench.meet(ANN)
    bench.from(ANN, updateOf({ claimed: { beat: beatOf(ROOT, { seq: 65_540 }), path: [ROOT, ANN] } }))
    bench.from(BOB, updateOf({ claimed: { ...honest, beat: beatOf(ROOT, { seq: 65_538 }) } }))
    bench.part(ANN)
    bench.wait(3 * SECOND)
    expect(bench.crst.view().depth).toBe(0)
    bench.from(BOB, updateOf({ claimed: { ...honest, beat: beatOf(ROOT, { seq: 65_539 }), serial: 2 } }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
  })
})

describe('floods', () => {
  it('beats of one seq faster than one a second are dropped unverified', () => {
    const bench = benchWithBob()
    bench.from(BOB, updateOf({ claimed: honest }))
    const verified = bench.count('verified')
    for (let count = 1; count <= 50; count++) {
      bench.from(BOB, beatMessage(beatOf(ROOT, { count })))
      bench.wait(10 * MILLISECOND)
    }
    expect(bench.count('verified')).toBe(verified)
    expect(bench.count('boundControlRate')).toBe(50)
  })

  it('a neighbour makes this node check a thousand signatures at once and then 500 a second', () => {
    const bench = benchWithBob()
    for (let serial = 2; serial < 3_000; serial++) {
      bench.from(BOB, certificateMessage(certificate(BOB, bench.self, { serial, signer: FAR })))
    }
    expect(bench.count('verified')).toBe(1_000)
    expect(bench.count('boundVerify')).toBe(1_999)
    bench.wait(SECOND)
    for (let serial = 2; serial < 3_000; serial++) {
      bench.from(BOB, certificateMessage(certificate(BOB, bench.self, { serial, signer: FAR })))
    }
    expect(bench.count('verified')).toBe(1_500)
  })

  it('all neighbours together make it check four thousand at once, however often they come back', () => {
    const bench = benchWithBob()
    for (let round = 0; round < 5; round++) {
      for (let serial = 2; serial < 1_002; serial++) {
        bench.from(BOB, certificateMessage(certificate(BOB, bench.self, { serial, signer: FAR })))
      }
      bench.part(BOB)
      bench.meet(BOB)
    }
    expect(bench.count('verified')).toBe(4_000)
    expect(bench.count('boundVerify')).toBeGreaterThan(1_000)
  })

  it('a HELLO that is never content makes it ask at the pace of answers only', () => {
    const bench = benchWithBob()
    bench.from(BOB, updateOf({ claimed: honest }))
    bench.wait(2 * SECOND)
    const before = bench.to(BOB, KIND.pathRequest, pathRequest).length
    for (let number = 1; number <= 100; number++) {
      const wrong = { generation: 1, sentHash: number, receivedHash: 0, rootHash: 0, beat: 0 }
      bench.crst.onSummary(bench.now, bench.link(BOB), wrong)
      bench.wait(MILLISECOND)
    }
    expect(bench.to(BOB, KIND.pathRequest, pathRequest)).toHaveLength(before + 1)
  })

  it('fresh roots push out no root that a label names', () => {
    const bench = benchWithBob()
    bench.from(BOB, updateOf({ claimed: honest }))
    bench.meet(ANN)
    for (let number = 0; number < 100; number++) {
      bench.from(ANN, beatMessage(beatOf(actor(100 + number), { priority: 2 })))
    }
    expect(bench.count('boundRoots')).toBe(100 - 15)
    bench.from(BOB, updateOf({ claimed: { ...honest, serial: 2 }, beat: undefined }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    expect(bench.crst.view().detached).toBe(false)
  })

  it('voids of made-up links stay in their bound and go no further', () => {
    const bench = benchWithBob()
    bench.meet(ANN)
    for (let number = 0; number < 300; number++) {
      bench.from(ANN, voidPacket(voidOf(actor(100 + (number & 127)), actor(60 + (number >> 3)))))
    }
    expect(bench.count('boundVoids')).toBe(300 - 32)
    bench.wait(2 * SECOND)
    expect(bench.to(BOB, KIND.void, voidMessage)).toEqual([])
    expect(bench.updatesTo(BOB).length).toBeGreaterThan(1)
    expect(bench.updatesTo(BOB).flatMap(({ voids }) => voids)).toEqual([])
  })

  it('a lower that comes and goes is one at its rate only, and the word that it goes is always taken', () => {
    const bench = benchWithBob()
    bench.wait(3 * SECOND)
    const { generation } = bench.lastUpdate(BOB)
    const flip = (): boolean => {
      bench.from(BOB, attachMessage(generation))
      const isLower = bench.role(BOB) === TREE_ROLE.lower
      bench.from(BOB, detachMessage(generation))
      expect(bench.role(BOB)).toBe(TREE_ROLE.none)
      return isLower
    }
    expect(Array.from({ length: 500 }, flip).filter(Boolean).length).toBe(20)
    expect(bench.count('boundControlRate')).toBe(480)
    bench.wait(SECOND)
    expect([flip(), flip()]).toEqual([true, false])
  })

  it('an upper that regresses without end is one at its rate only', () => {
    const bench = benchWithBob()
    bench.from(BOB, updateOf({ claimed: honest }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    const opened = (): number => bench.roles.filter(({ role }) => role === TREE_ROLE.upper).length
    for (let turn = 0; turn < 2_000; turn++) {
      bench.from(BOB, updateOf({ claimed: honest, generation: turn + 2 }))
      bench.wait(10 * MILLISECOND)
    }
    expect(opened()).toBeGreaterThan(10)
    // Twenty at once and two in each of twenty seconds: one after the pause, one for what came in meanwhile.
    expect(opened()).toBeLessThanOrEqual(61)
    // One that has come to rest is an upper again.
    bench.from(BOB, updateOf({ claimed: honest, generation: 9_999 }))
    bench.wait(3 * SECOND)
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
  })

  it('requests and attachments are answered at their pace only', () => {
    const bench = benchWithBob()
    bench.wait(2 * SECOND)
    const before = bench.sent.length
    for (let number = 0; number < 100; number++) {
      bench.from(BOB, requestMessage(WANTED.path | WANTED.certificate | WANTED.update))
      bench.from(BOB, attachMessage(number))
      bench.wait(MILLISECOND)
    }
    expect(bench.sent.length - before).toBeLessThan(10)
    expect(bench.count('boundPathRequests')).toBe(99)
  })

  it('a sixty-fifth neighbour is counted and not used', () => {
    const bench = new TreeBench()
    const crowd = Array.from({ length: 64 }, (_, number) => actor(10 + number))
    for (const who of crowd) bench.meet(who)
    const before = bench.sent.length
    bench.meet(ANN)
    expect(bench.count('boundLinks')).toBe(1)
    expect(bench.sent.slice(before)).toEqual([])
    bench.part(crowd[40] as Actor)
    bench.meet(BOB)
    bench.from(BOB, updateOf({ claimed: honest }))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
  })
})

describe('messages out of place', () => {
  it('of strangers, of other trees, of unknown kinds and of no form', () => {
    const bench = benchWithBob()
    const { peer, key } = bench.link(BOB)
    const stranger = new Link(99 as LinkId, peer, key, true, bench.now)
    bench.crst.onMessage(bench.now, stranger, KIND.update, updateOf({ claimed: honest }))
    expect(bench.count('dropNotNeighbour')).toBe(1)
    const other = updateOf({ claimed: honest })
    other[2] = 1
    bench.from(BOB, other)
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    for (const packet of [Uint8Array.of(0x10, 99, 0), Uint8Array.of(0x10, KIND.update), requestMessage(0)]) {
      bench.from(BOB, packet)
    }
    expect(bench.count('dropMalformed')).toBe(3)
  })

  it('a path that nobody asked for, or another one than was named', () => {
    const bench = benchWithBob()
    bench.from(BOB, pathMessage(honest))
    expect(bench.count('dropUnexpected')).toBe(1)
    bench.from(BOB, updateOf({ claimed: honest, certificates: [] }))
    bench.from(BOB, pathMessage({ ...honest, serial: 2 }))
    expect(bench.count('dropUnexpected')).toBe(2)
    expect(bench.to(BOB, KIND.pathRequest, pathRequest)).toHaveLength(1)
    bench.from(BOB, pathMessage(honest))
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
  })

  it('a link that ends while the tree is sending is dealt with at the end of the step', () => {
    const bench = benchWithBob()
    bench.meet(ANN)
    bench.from(BOB, updateOf({ claimed: honest }))
    bench.from(ANN, updateOf({ claimed: { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [25] } }))
    bench.wait(MINUTE / 60)
    bench.onSend = (link) => {
      bench.onSend = undefined
      bench.crst.onLink(bench.now, link, false)
    }
    bench.part(BOB)
    // Bob was the upper, Ann the alternate: she went while she was being told of it.
    expect(bench.crst.view()).toMatchObject({ detached: true, upper: undefined })
    expect(bench.crst.uppers()).toEqual([])
    expect(bench.to(ANN, KIND.path, path)).toEqual([])
    bench.wait(2 * SECOND)
    expect(bench.crst.view()).toMatchObject({ detached: false, depth: 0 })
  })
})
