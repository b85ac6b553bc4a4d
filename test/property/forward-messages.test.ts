/**
 * Whatever neighbours send, the VLAN part neither throws nor loses its own members: bytes at random,
 * messages that are well formed and mean, packets with honest headers and nothing behind them.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MINUTE, SECOND } from '../../core/io.ts'
import { encodeOthers, encodeRefused, encodeRegister } from '../../core/vlan/messages.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { type Member, VlanWorld, vlanIdOf } from '../support/vlan-world.ts'

/** 1 and 2 hang under 0, 3 and 4 under 1. Ann sits on 3 and bob on 2; 4 and 0 may be hostile. */
function scene(): { world: VlanWorld; ann: Member; bob: Member } {
  const world = new VlanWorld(3)
  world.tree([undefined, 0, 0, 1, 1])
  const scene = { world, ann: world.join(3, 'lab'), bob: world.join(2, 'lab') }
  world.run(10 * SECOND)
  return scene
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const vlan = fc.oneof(fc.constant(vlanIdOf('lab')), bytes(16))
const token = fc.oneof(
  bytes(16),
  fc.integer({ min: 0, max: 5 }).map((fill) => new Uint8Array(16).fill(fill)),
)
const tokens = fc.array(token, { maxLength: 10 })
const tree = fc.oneof(
  { weight: 9, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
)
const serial = fc.integer({ min: 0, max: 8 })

const registers = fc
  .record({
    vlan,
    tree,
    serial,
    flags: fc.integer({ min: 0, max: 7 }),
    removed: tokens,
    setHash: bytes(8),
    added: fc.array(fc.record({ token, proof: fc.oneof(fc.constant(undefined), bytes(105)) }), {
      maxLength: 10,
    }),
  })
  .map((message) => [KIND.register, encodeRegister(message)] as const)
const answers = fc
  .record({
    vlan,
    tree,
    serial,
    state: fc.integer({ min: 0, max: 2 }),
    resend: fc.integer({ min: 0, max: 1 }),
    yes: tokens,
    no: tokens,
  })
  .map((message) => [KIND.others, encodeOthers(message)] as const)
const refusals = fc
  .record({ vlan, tree, serial, reason: fc.integer({ min: 0, max: 1 }), tokens })
  .map((message) => [KIND.registerRefused, encodeRefused(message)] as const)
const junk = fc.tuple(
  fc.constantFrom(KIND.register, KIND.others, KIND.registerRefused),
  fc.uint8Array({ maxLength: 300 }),
)
const cut = fc
  .tuple(fc.oneof(registers, answers, refusals), fc.nat({ max: 400 }))
  .map(([[kind, packet], length]) => [kind, packet.subarray(0, length)] as const)
const message = fc.oneof(registers, answers, refusals, junk, cut)

const packets = fc
  .tuple(vlan, token, fc.uint8Array({ maxLength: 200 }), fc.boolean())
  .map(([id, target, rest, honest]) => {
    const packet = Uint8Array.from([0x11, ...id, ...new Uint8Array(16), ...target, ...rest])
    return honest ? packet : rest
  })

/** One input from a neighbour: who, a message or a packet, how long after the last. */
const input = fc.record({
  from: fc.constantFrom(0, 3, 4),
  what: fc.oneof(
    message.map((said) => ({ said })),
    packets.map((packet) => ({ packet })),
  ),
  pause: fc.nat({ max: 500_000 }),
})

describe('what neighbours send', () => {
  const numRuns = process.env.PEERTAP_BUDGET === 'full' ? 5_000 : 200

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 60 }), (inputs) => {
        const { world } = scene()
        for (const { from, what, pause } of inputs) {
          const node = world.at(1)
          const link = world.link(1, from)
          world.input(1, () => {
            if ('said' in what) node.vlans.onMessage(world.now, link, what.said[0], what.said[1])
            else node.vlans.packet(world.now, link, 0x11_00_40, what.packet)
          })
          world.run(pause)
        }
        world.run(10 * MINUTE)
        expect(world.at(1).vlans.view().length).toBeLessThan(200)
      }),
      { numRuns, seed: 20_260_703 },
    )
  })

  it('from a lower beside them takes nothing from members', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 60 }), (inputs) => {
        const { world, ann, bob } = scene()
        for (const { what, pause } of inputs) {
          const node = world.at(1)
          world.input(1, () => {
            if ('said' in what) node.vlans.onMessage(world.now, world.link(1, 4), what.said[0], what.said[1])
            else node.vlans.packet(world.now, world.link(1, 4), 0x11_00_40, what.packet)
          })
          world.run(pause)
          const frames = [world.send(ann, bob.mac), world.broadcast(bob)]
          world.run(200_000)
          expect(frames.map((frame) => world.received(frame).length)).toEqual([1, 1])
        }
      }),
      { numRuns: numRuns / 4, seed: 20_260_704 },
    )
  })
})
