/** What goes to many in pieces leaves by and by: relays take many copies for a storm (mesh:S6). */
import { expect, test } from 'vitest'
import { SAY_MANY_FROM, SAY_PACED_FROM, SAY_PER_BYTE, SAY_PER_BYTE_MANY } from '../../core/group/limits.ts'
import { MILLISECOND, SECOND } from '../../core/io.ts'
import type { Reach } from '../../core/seal/context.ts'
import { PACE_ALONE_FROM, PACE_PAUSE, PACE_STEP, TURN_FROM } from '../../core/seal/limits.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { idIs, TOKEN_OFFSET } from '../../core/wire/packet.ts'
import { SealWorld, type TestEpoch, type TestMember } from '../support/seal-world.ts'

const BODY = new Uint8Array(20_000)

/** A world of two, of which one takes so many for members. */
function large(members: number): { world: SealWorld; alice: TestMember; epoch: TestEpoch } {
  const world = new SealWorld(2)
  const [alice, bob] = world.members as [TestMember, TestMember]
  const epoch = world.epoch()
  const roster = new Map(epoch.roster)
  const { memberKey, leafKey } = bob
  for (let leaf = 2; leaf < members; leaf++)
    roster.set(leaf, { memberKey: memberKey.map((byte) => byte ^ leaf), leafKey })
  alice.adopt({ ...epoch, roster })
  world.runFor(SECOND)
  return { world, alice, epoch }
}

/** How many pieces have left at the start and in each 100 ms after it, where so many are members. */
function pieces(members: number, reach: Reach): number[] {
  const { world, alice, epoch } = large(members)
  const before = world.recorded.length
  const big = (): number => world.recorded.slice(before).filter(({ packet }) => packet.length > 1_000).length
  const token = reach === 'one' ? world.token(1) : world.broadcast
  alice.sealer.announce(alice.now, PAYLOAD_KIND.handshake, token, BODY, epoch.mlsId, reach)
  world.settle(alice)
  const counts = [big()]
  while ((counts.at(-1) as number) < 16 && counts.length < 20) {
    world.runFor(100 * MILLISECOND)
    counts.push(big())
  }
  return counts
}

test('few members get all at once', () => {
  expect(pieces(20, 'all')).toEqual([16])
})

test('many get three pieces in 50 ms, and very many one', () => {
  expect(pieces(100, 'all').slice(1, 4)).toEqual([9, 15, 19])
  const alone = pieces(300, 'all')
  expect(alone.slice(1, 5)).toEqual([3, 5, 7, 9])
})

test('the few who keep the door get three in 50 ms, however many members there are', () => {
  expect(pieces(300, 'few').slice(1, 4)).toEqual([9, 15, 19])
})

test('what goes to few does not wait behind what goes to all', () => {
  const { alice, epoch, world } = large(300)
  const { sealer } = alice
  sealer.announce(alice.now, PAYLOAD_KIND.handshake, world.broadcast, BODY, epoch.mlsId)
  sealer.announce(alice.now, PAYLOAD_KIND.handshake, world.token(1), BODY, epoch.mlsId, 'few')
  const before = world.recorded.length
  world.settle(alice)
  world.runFor(350 * MILLISECOND)
  const sent = world.recorded.slice(before).filter(({ packet }) => packet.length > 1_000)
  expect(sent.filter(({ packet }) => idIs(packet, TOKEN_OFFSET, world.token(1))).length).toBe(19)
  expect(sent.filter(({ packet }) => idIs(packet, TOKEN_OFFSET, world.broadcast)).length).toBe(8)
})

test('one member gets sixteen at a time, however many there are: no relay makes copies', () => {
  expect(pieces(300, 'one')).toEqual([0, 16])
})

test('the logic of groups reckons with the same pace', () => {
  const bytes = 1_200
  expect(SAY_PACED_FROM).toBe(TURN_FROM)
  expect(SAY_MANY_FROM).toBe(PACE_ALONE_FROM)
  const withParity = 9 / 8
  expect(SAY_PER_BYTE_MANY).toBe(Math.round((withParity * PACE_PAUSE) / bytes))
  expect(SAY_PER_BYTE).toBe(Math.round((withParity * PACE_PAUSE) / (PACE_STEP * bytes)))
})

test('three packets in a row that a relay took for a storm are not missed', () => {
  const world = new SealWorld(2, { wire: { loss: 1 } })
  const [alice, bob] = world.members as [TestMember, TestMember]
  const epoch = world.epoch()
  const roster = new Map(epoch.roster)
  const { memberKey, leafKey } = bob
  for (let leaf = 2; leaf < 300; leaf++)
    roster.set(leaf, { memberKey: memberKey.map((byte) => byte ^ leaf), leafKey })
  bob.adopt(epoch)
  alice.adopt({ ...epoch, roster })
  world.runFor(SECOND)
  const before = world.recorded.length
  alice.sealer.announce(alice.now, PAYLOAD_KIND.handshake, world.broadcast, BODY, epoch.mlsId)
  world.settle(alice)
  world.runFor(3 * SECOND)
  const pieces = world.recorded.slice(before).filter(({ packet }) => packet.length > 340)
  const outcomes = pieces
    .filter((_, at) => at < 5 || at > 7)
    .map(({ packet }) => bob.open(packet))
    .filter((outcome) => outcome !== 'piece')
  expect(outcomes).toEqual(['opened'])
  expect(bob.sealer.opened.payload).toEqual(BODY)
})
