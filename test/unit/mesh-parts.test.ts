/** The small tables below membership: coordinates, the passive view, ways back, limits on rates. */
import { describe, expect, it } from 'vitest'
import type { Dice } from '../../core/dice.ts'
import { peerIdOf } from '../../core/ids.ts'
import { type LinkId, REACHABILITY, SECOND } from '../../core/io.ts'
import { UNREACHED_FIRST, UNREACHED_LONGEST, UNREACHED_MAX } from '../../core/mesh/limits.ts'
import { type Descriptor, neighbour, PRIORITY, shuffle } from '../../core/mesh/messages.ts'
import { PeerTable } from '../../core/mesh/peer-table.ts'
import { take } from '../../core/mesh/roster.ts'
import { Unreached } from '../../core/mesh/unreached.ts'
import { UNKNOWN_COORDINATES, Vivaldi } from '../../core/mesh/vivaldi.ts'
import { Walks } from '../../core/mesh/walks.ts'
import { readU32 } from '../../core/wire/cursor.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { decodeControl, encodeControl } from '../../core/wire/schema.ts'
import { Streams } from '../../sim/random.ts'

function peer(id: number, address = Uint8Array.of(id)): Descriptor {
  const key = new Uint8Array(32).fill(id)
  return { key, reach: REACHABILITY.public, relay: true, coordinates: UNKNOWN_COORDINATES, address }
}

function update(node: Vivaldi, rtt: number, peer: Uint8Array, dice: Dice): void {
  node.update(rtt, readU32(peer, 0), readU32(peer, 4), dice)
}

describe('coordinates', () => {
  it('guess round trips that were never measured to a fifth, and know when they cannot', () => {
    const dice = new Streams(1).stream('vivaldi')
    const places = Array.from({ length: 40 }, () => ({
      x: dice.unit() * 120,
      y: dice.unit() * 120,
      height: 5 + dice.unit() * 10,
    }))
    const nodes = places.map(() => new Vivaldi())
    expect(nodes[0]?.estimate(UNKNOWN_COORDINATES)).toBeUndefined()
    const rtt = (a: number, b: number): number => {
      const [one, two] = [places[a], places[b]]
      if (one === undefined || two === undefined) throw new Error('no such place')
      const [dx, dy] = [one.x - two.x, one.y - two.y]
      return Math.sqrt(dx * dx + dy * dy) + one.height + two.height
    }
    // Eight neighbours each, as in a mesh; HELLOs of an hour.
    for (let round = 0; round < 180; round++) {
      for (const [index, node] of nodes.entries()) {
        const other = (index + 1 + 5 * (round % 8)) % nodes.length
        update(node, rtt(index, other), (nodes[other] as Vivaldi).bytes(), dice)
      }
    }
    const errors: number[] = []
    for (const [index, node] of nodes.entries()) {
      const other = (index + 3) % nodes.length
      const guess = node.estimate((nodes[other] as Vivaldi).bytes())
      errors.push(Math.abs((guess ?? 0) - rtt(index, other)) / rtt(index, other))
    }
    errors.sort((a, b) => a - b)
    expect(errors[20]).toBeLessThan(0.2)
  })

  it('stay finite whatever a liar says', () => {
    const dice = new Streams(2).stream('liar')
    const node = new Vivaldi()
    for (let round = 0; round < 1_000; round++) {
      const lie = Uint8Array.from({ length: 8 }, () => dice.below(256))
      update(node, dice.unit() * 3_000 - 500, lie, dice)
      expect(node.bytes()).toHaveLength(8)
      expect(node.estimate(lie) ?? 0).toBeLessThan(20_000)
    }
    expect(node.estimate(node.bytes()) ?? 0).toSatisfy(Number.isFinite)
  })
})

describe('the passive view', () => {
  it('keeps to its limit and gives up first who failed', () => {
    const dice = new Streams(3).stream('table')
    const table = new PeerTable(5)
    for (let id = 1; id <= 5; id++) table.put(peer(id), dice)
    table.delay(table.find(peer(3).key), SECOND, 2)
    table.put(peer(6), dice)
    expect(table.size).toBe(5)
    expect(table.find(peer(3).key)).toBe(-1)
    for (const id of [1, 2, 4, 5, 6]) expect(table.find(peer(id).key)).toBeGreaterThanOrEqual(0)
  })

  it('takes a new address by hearsay only for a peer whose old one failed', () => {
    const dice = new Streams(4).stream('table')
    const table = new PeerTable(5)
    table.put(peer(1), dice)
    table.put(peer(1, Uint8Array.of(9, 9)), dice)
    expect(table.address(0)).toEqual(Uint8Array.of(1))
    table.delay(0, SECOND, 1)
    table.put(peer(1, Uint8Array.of(9, 9)), dice)
    expect(table.address(0)).toEqual(Uint8Array.of(9, 9))
    expect(table.retryAt(0)).toBe(SECOND)
  })

  it('moves the last entry whole into the place of a removed one', () => {
    const dice = new Streams(5).stream('table')
    const table = new PeerTable(40)
    for (let id = 1; id <= 36; id++) table.delay(table.put(peer(id), dice), id, id)
    table.remove(table.find(peer(10).key))
    const moved = table.find(peer(36).key)
    expect([table.size, table.retryAt(moved), table.failures(moved)]).toEqual([35, 36, 36])
    expect(table.descriptor(moved)).toEqual(peer(36))
  })
})

describe('ways back', () => {
  const [a, b] = [1 as LinkId, 2 as LinkId]

  it('lead an answer back once, from where the walk went, and not for ever', () => {
    const walks = new Walks()
    walks.add(0, 7, a, b)
    expect(walks.take(1, 7, a).kind).toBe('unknown')
    expect(walks.take(1, 7, b)).toEqual({ kind: 'link', link: a })
    expect(walks.take(1, 7, b).kind).toBe('unknown')
    walks.add(0, 8, undefined, b)
    expect(walks.take(1, 8, b).kind).toBe('here')
    walks.add(0, 9, a, b)
    expect(walks.take(10 * SECOND, 9, b).kind).toBe('unknown')
  })

  it('are forgotten oldest first beyond 64', () => {
    const walks = new Walks()
    for (let id = 0; id < 65; id++) walks.add(0, id, a, b)
    expect(walks.take(1, 0, b).kind).toBe('unknown')
    expect(walks.take(1, 1, b).kind).toBe('link')
  })
})

describe('a limit on rates', () => {
  it('allows a burst, then its rate', () => {
    const bucket = { tokens: 3, at: 0 }
    const taken = (now: number): number => {
      let count = 0
      while (take(bucket, now, 2, 3)) count += 1
      return count
    }
    expect([taken(0), taken(SECOND), taken(100 * SECOND)]).toEqual([3, 2, 3])
  })
})

describe('messages', () => {
  it('come back as they were sent', () => {
    const value = {
      walk: 0xffff_ffff,
      hops: 6,
      peers: [peer(1), { ...peer(2), relay: false, reach: REACHABILITY.private }],
    }
    expect(decodeControl(shuffle, encodeControl(KIND.shuffle, shuffle, value))).toEqual(value)
  })

  it('are refused for what has no meaning', () => {
    const good = encodeControl(KIND.neighbour, neighbour, {
      priority: PRIORITY.optimise,
      address: new Uint8Array(8),
    })
    const worse = (at: number, byte: number): unknown =>
      decodeControl(neighbour, Uint8Array.from(good).fill(byte, at, at + 1))
    expect(worse(2, 3)).toBeUndefined()
    expect(worse(3, 7)).toBeUndefined()
    expect(worse(3, 33)).toBeUndefined()
    const one = encodeControl(KIND.shuffle, shuffle, { walk: 1, hops: 1, peers: [peer(1)] })
    const flags = 2 + 4 + 1 + 1 + 32
    for (const bad of [3, 7, 8])
      expect(decodeControl(shuffle, Uint8Array.from(one).fill(bad, flags, flags + 1))).toBeUndefined()
  })
})

describe('peers that were never reached', () => {
  const keyOf = (id: number): Uint8Array => new Uint8Array(32).fill(id)

  it('are kept from hearsay for twice as long each time, until a link to them comes up', () => {
    const unreached = new Unreached()
    const [peer, key] = [peerIdOf(keyOf(1)), keyOf(1)]
    expect(unreached.isPaused(0, key)).toBe(false)
    unreached.note(0, peer)
    expect(unreached.isPaused(UNREACHED_FIRST - 1, key)).toBe(true)
    expect(unreached.isPaused(UNREACHED_FIRST, key)).toBe(false)
    expect(unreached.has(peer)).toBe(true)
    for (let time = 0; time < 20; time++) unreached.note(0, peer)
    expect(unreached.isPaused(UNREACHED_LONGEST - 1, key)).toBe(true)
    expect(unreached.isPaused(UNREACHED_LONGEST, key)).toBe(false)
    unreached.forget(peer)
    expect(unreached.isPaused(1, key)).toBe(false)
  })

  it('are remembered up to a limit, the latest ones', () => {
    const unreached = new Unreached()
    for (let id = 0; id <= UNREACHED_MAX; id++) unreached.note(0, peerIdOf(keyOf(id)))
    expect(unreached.has(peerIdOf(keyOf(0)))).toBe(false)
    expect(unreached.has(peerIdOf(keyOf(1)))).toBe(true)
    unreached.clear()
    expect(unreached.has(peerIdOf(keyOf(1)))).toBe(false)
  })
})
