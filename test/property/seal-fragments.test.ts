/**
 * Frames larger than packets, through fragments of 1,420-byte packets over a wire that loses, doubles and
 * reorders: what arrives whole is what was sent, once, and nothing is kept for long (sec:A12, S13).
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '../../core/io.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { TRUNK_PACKET_BYTES } from '../../core/wire/packet.ts'
import { byBudget } from '../support/requirements.ts'
import { framePayload, SealWorld, type TestMember } from '../support/seal-world.ts'

const RUNS = { numRuns: byBudget(25, 1_000) }

function meeting(seed: number): [SealWorld, TestMember, TestMember] {
  const world = new SealWorld(2, { seed })
  world.adoptAll()
  world.runFor(3 * SECOND)
  const [alice, bob] = world.members as [TestMember, TestMember]
  alice.send(bob)
  world.runFor(SECOND)
  world.deliveries.length = 0
  return [world, alice, bob]
}

describe('frames of 1,500 and 9,000 bytes', () => {
  test.each([0, 0.02, 0.1])('to one and to all, at a loss of %d', (loss) => {
    fc.assert(
      fc.property(fc.nat(1_000_000), (seed) => {
        const [world, alice, bob] = meeting(seed)
        Object.assign(world.wire, { loss, duplicates: 0.1, minMicros: 0, maxMicros: 80 * MILLISECOND })
        const longest: number[] = []
        const lost = new Set<number>()
        let frame = 0
        world.onPacket = (_, packet) => {
          longest.push(packet.length)
          return true
        }
        const sent = new Map<number, number>()
        for (let count = 0; count < 60; count++) {
          const bytes = count % 2 === 0 ? 1_500 : 9_000
          frame = alice.send(count % 4 < 2 ? bob : 'all', bytes).frame
          sent.set(frame, bytes)
          world.runFor(40 * MILLISECOND)
        }
        world.runFor(3 * SECOND)
        for (const { frame: got, opened } of world.deliveries) {
          expect(opened.payload).toEqual(framePayload(got, alice.number, sent.get(got) as number))
          lost.add(got)
        }
        expect(lost.size).toBe(world.deliveries.length)
        expect(Math.max(...longest)).toBe(TRUNK_PACKET_BYTES)
        // 2 and 7 packets: the chance that all arrive, less four standard deviations over 60 frames.
        const expected = 30 * (1 - loss) ** 2 + 30 * (1 - loss) ** 7
        expect(world.deliveries.length).toBeGreaterThanOrEqual(loss === 0 ? 60 : expected - 16)
        expect(bob.count('framesIncomplete')).toBeLessThanOrEqual(60 - world.deliveries.length)
        expect(bob.count('dropFragment') + bob.count('boundFragments')).toBe(0)
      }),
      RUNS,
    )
  })

  test('any payload up to the largest, in packets of any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 65_600 }),
        fc.integer({ min: 512, max: 9_000 }),
        fc.boolean(),
        (bytes, packetBytes, unicast) => {
          const [world, alice, bob] = meeting(7)
          let longest = 0
          world.onPacket = (_, packet) => {
            longest = Math.max(longest, packet.length)
            return true
          }
          const { frame } = alice.send(unicast ? bob : 'all', bytes, packetBytes)
          world.runFor(SECOND)
          expect(world.got(bob)).toEqual([frame])
          expect(world.deliveries[0]?.opened.payload).toEqual(framePayload(frame, alice.number, bytes))
          expect(longest).toBeLessThanOrEqual(packetBytes)
        },
      ),
      RUNS,
    )
  })

  test('handshakes too, though their packets may come twice', () => {
    const [world, alice, bob] = meeting(3)
    Object.assign(world.wire, { duplicates: 1, maxMicros: 50 * MILLISECOND })
    const body = Uint8Array.from({ length: 12_000 }, (_, at) => (at * 5) & 0xff)
    const heard: Uint8Array[] = []
    bob.open = (packet) => {
      const outcome = bob.sealer.open(bob.now, 1 as never, packet)
      const { opened } = bob.sealer
      if (outcome === 'opened' && opened.kind === PAYLOAD_KIND.handshake) heard.push(opened.payload)
      return outcome
    }
    for (let count = 0; count < 5; count++) {
      alice.sealer.announce(alice.now, PAYLOAD_KIND.handshake, world.broadcast, body)
      world.settle(alice)
      world.runFor(100 * MILLISECOND)
    }
    expect(heard).toHaveLength(5)
    for (const payload of heard) expect(payload).toEqual(body)
    expect(bob.count('dropFragment')).toBe(0)
  })

  test('a frame whose pieces do not all come is forgotten after two seconds', () => {
    const [world, alice, bob] = meeting(4)
    let count = 0
    world.onPacket = () => ++count % 7 !== 3
    alice.send(bob, 9_000)
    world.onPacket = () => true
    world.runFor(1_900 * MILLISECOND)
    expect(bob.count('framesIncomplete')).toBe(0)
    world.runFor(200 * MILLISECOND)
    expect(bob.count('framesIncomplete')).toBe(1)
    const { frame } = alice.send(bob, 9_000)
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual([frame])
  })
})
