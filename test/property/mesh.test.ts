/** Membership against whatever a peer may send, in any order, and a world that does what worlds do. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MILLISECOND, type PeerId, REACHABILITY, type Reachability, SECOND } from '../../core/io.ts'
import {
  disconnect,
  forwardJoin,
  join,
  neighbour,
  neighbourReply,
  type Parting,
  type Priority,
  shuffle,
  shuffleReply,
} from '../../core/mesh/messages.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { encodeControl } from '../../core/wire/schema.ts'
import { crowd, type MeshWorld } from '../support/mesh-world.ts'

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
const reach = fc.constantFrom<Reachability>(REACHABILITY.public, REACHABILITY.punchable, REACHABILITY.private)
const address = fc.uint8Array({ maxLength: 32 })
const walk = fc.oneof(fc.nat(3), fc.nat(0xffff_ffff))
const hops = fc.nat(255)
const descriptor = fc.record({ key: bytes(32), reach, relay: fc.boolean(), coordinates: bytes(8), address })
const peers = fc.array(descriptor, { maxLength: 8 })

/** Messages of the right form with hostile contents, and bytes of no form at all. */
const packet = fc.oneof(
  fc.record({ address }).map((value) => encodeControl(KIND.join, join, value)),
  fc
    .record({ walk, hops, joiner: descriptor })
    .map((value) => encodeControl(KIND.forwardJoin, forwardJoin, value)),
  fc
    .record({ priority: fc.nat(2) as fc.Arbitrary<Priority>, address })
    .map((value) => encodeControl(KIND.neighbour, neighbour, value)),
  fc
    .record({ accepted: fc.boolean(), peers })
    .map((value) => encodeControl(KIND.neighbourReply, neighbourReply, value)),
  fc
    .record({ reason: fc.nat(1) as fc.Arbitrary<Parting> })
    .map((value) => encodeControl(KIND.disconnect, disconnect, value)),
  fc.record({ walk, hops, peers }).map((value) => encodeControl(KIND.shuffle, shuffle, value)),
  fc.record({ walk, peers }).map((value) => encodeControl(KIND.shuffleReply, shuffleReply, value)),
  fc
    .tuple(fc.integer({ min: KIND.join, max: KIND.shuffleReply }), fc.uint8Array({ maxLength: 80 }))
    .map(([kind, body]) => Uint8Array.of(0x10, kind, ...body)),
)

type Act = (world: MeshWorld) => void

/** On one of the node's links, whoever is at its other end. */
const say = fc.record({ which: fc.nat(80), packet }).map(
  ({ which, packet }): Act =>
    (world) => {
      const node = world.node(0)
      const link = node.all()[which % Math.max(1, node.all().length)]
      if (link !== undefined)
        world.step(node, () => node.mesh.onMessage(world.now, link, packet[1] as number, packet))
    },
)

const close = fc.nat(80).map(
  (which): Act =>
    (world) => {
      const node = world.node(0)
      const link = node.all()[which % Math.max(1, node.all().length)]
      if (link !== undefined) world.step(node, () => node.hangUp(world.now, link, 'lost'))
    },
)

const act = fc.oneof(
  { arbitrary: say, weight: 8 },
  { arbitrary: close, weight: 1 },
  {
    arbitrary: reach.map(
      (value): Act =>
        (world) =>
          void world.intrude(0, value),
    ),
    weight: 3,
  },
  {
    arbitrary: fc.nat(3_000).map(
      (span): Act =>
        (world) =>
          world.run(span * MILLISECOND),
    ),
    weight: 2,
  },
  {
    arbitrary: bytes(8).map(
      (coordinates): Act =>
        (world) => {
          const node = world.node(0)
          for (const link of node.all())
            world.step(node, () => node.mesh.onHello(world.now, link, coordinates, 0))
        },
    ),
    weight: 1,
  },
  {
    arbitrary: fc.tuple(address, reach).map(
      ([value, to]): Act =>
        (world) => {
          const node = world.node(0)
          world.step(node, () => node.mesh.addressesChanged(world.now, [value], to))
        },
    ),
    weight: 1,
  },
  {
    arbitrary: fc.nat(9).map(
      (digit): Act =>
        (world) => {
          const node = world.node(0)
          world.step(node, () => node.mesh.dialFailed(world.now, String(digit).repeat(64) as PeerId))
        },
    ),
    weight: 1,
  },
)

test('nothing a peer sends breaks a node or its bounds', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.array(act, { maxLength: 120 }), (seed, acts) => {
      const world = crowd(seed, 8, 2, SECOND)
      world.run(3 * SECOND)
      const node = world.node(0)
      for (const step of acts) {
        step(world)
        expect(node.neighbours().length).toBeLessThanOrEqual(64)
        expect(node.mesh.view().passive).toBeLessThanOrEqual(36)
        expect(node.ups - node.downs).toBe(node.neighbours().length)
      }
      // Whatever it was told, the node finds its way back into the mesh that it came from.
      for (const link of node.all()) world.step(node, () => node.hangUp(world.now, link, 'lost'))
      world.step(node, () => node.mesh.addressesChanged(world.now, [world.address(0)], REACHABILITY.public))
      world.until(60 * SECOND, () => world.parts()[0] === 8)
    }),
    { numRuns: 60 },
  )
})

test('whatever crashes, restarts and leaves, the rest is one mesh soon after', () => {
  const fault = fc.record({
    index: fc.nat(39),
    kind: fc.constantFrom('crash', 'restart', 'leave'),
    wait: fc.nat(2_000),
  })
  fc.assert(
    fc.property(fc.nat(1_000), fc.array(fault, { maxLength: 30 }), (seed, faults) => {
      const world = crowd(seed, 40, 3, 2 * SECOND)
      world.run(10 * SECOND)
      for (const { index, kind, wait } of faults) {
        // The contacts stay: a mesh that loses all of them and all of its members' memories is two.
        if (index >= 3 && kind === 'restart') world.restart(index)
        else if (index >= 3 && world.node(index).alive) world[kind === 'crash' ? 'crash' : 'leave'](index)
        world.run(wait * MILLISECOND)
      }
      world.until(30 * SECOND, () => world.parts().length === 1 && world.lopsided() === 0)
    }),
    { numRuns: 25 },
  )
})
