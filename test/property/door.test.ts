/** Doors under any weather, and against whatever may come in a packet. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DOOR_KIND, type DoorKind } from '../../core/door/envelope.ts'
import { decodeMessage } from '../../core/door/messages.ts'
import { MILLISECOND, MINUTE } from '../../core/io.ts'
import { Hand } from '../support/door-knock.ts'
import { talk } from '../support/door-talk.ts'
import { DoorWorld, FAIR } from '../support/door-world.ts'

const rate = (most: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 100 }).map((part) => (part * most) / 100)

test('a stream delivers every message once, whole, in order, whatever is lost or overtakes', () => {
  const message = fc
    .integer({ min: 0, max: 6_000 })
    .map((length) => new Uint8Array(length).fill(length & 0xff))
  const messages = fc.array(message, { maxLength: 8 })
  const spread = fc.integer({ min: 0, max: 300 * MILLISECOND })
  const path = fc.record({ seed: fc.nat(), loss: rate(0.3), double: rate(0.3), spread })
  fc.assert(
    fc.property(path, messages, messages, (over, left, right) => {
      const { received, isLost } = talk(over, left, right)
      expect(isLost).toBe(false)
      expect(received.right).toEqual(left)
      expect(received.left).toEqual(right)
    }),
    { numRuns: 150 },
  )
})

test('all get in under any weather, each invitation gives one member, all end in one epoch', () => {
  const weather = fc.record({
    loss: rate(0.25),
    double: rate(0.3),
    delayMin: fc.constant(5 * MILLISECOND),
    delayMax: fc.integer({ min: 10, max: 300 }).map((millis) => millis * MILLISECOND),
  })
  fc.assert(
    fc.property(fc.nat(), weather, fc.integer({ min: 1, max: 4 }), (seed, over, count) => {
      const world = new DoorWorld(seed, over)
      const [creator] = world.members('creator', 'alice', 'bob')
      const urls = Array.from({ length: count }, () => world.url())
      // The first URL is redeemed by two.
      const guests = [...urls, urls[0] as string].map((url, place) => {
        const node = world.node(`guest ${place}`, world.person())
        node.joinBy(url)
        return node
      })
      const oneEpoch = (): boolean =>
        new Set(world.group('main').map((node) => node.head()?.join())).size === 1
      const isIn = (): boolean => guests.filter((guest) => guest.isMember).length === count
      expect(world.runUntil(() => isIn() && oneEpoch(), 5 * MINUTE)).toBe(true)
      world.run(MINUTE)
      expect(isIn()).toBe(true)
      expect(creator.members()).toHaveLength(3 + count)
    }),
    { numRuns: 40 },
  )
})

test('no packet makes a door throw, keep a session or learn a fact', () => {
  const kind = fc.constantFrom<DoorKind>(...Object.values(DOOR_KIND))
  const body = fc.uint8Array({ maxLength: 1_340 })
  const raw = fc.uint8Array({ maxLength: 1_500 })
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.record({ kind, body }), raw), { maxLength: 40 }), (packets) => {
      const world = new DoorWorld(1, FAIR)
      const [node] = world.members('creator')
      const hand = new Hand(world, node)
      for (const packet of packets) {
        if (packet instanceof Uint8Array) node.sponsor?.packet(world.now, packet)
        else hand.send(packet.kind, packet.body)
      }
      expect(node.sponsor?.sessions).toBe(0)
      expect(node.ledger.size).toBe(2)
    }),
    { numRuns: 100 },
  )
})

test('no bytes make the reader of messages throw', () => {
  const message = fc.tuple(fc.nat(10), fc.uint8Array({ maxLength: 300 }))
  fc.assert(
    fc.property(message, ([kind, body]) => {
      decodeMessage(Uint8Array.of(kind, ...body))
    }),
  )
})
