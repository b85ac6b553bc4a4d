/** Which epoch is sealed and received under over time (sec:B9, B10, S12, S15), seen through whole members. */
import { describe, expect, test } from 'vitest'
import { signNamed } from '../../core/crypto/signed.ts'
import { UsageError } from '../../core/errors.ts'
import { type LinkId, MILLISECOND, MINUTE, SECOND } from '../../core/io.ts'
import { FROZEN_FRAMES } from '../../core/seal/limits.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { mlsIdIs } from '../../core/wire/packet.ts'
import { Forger } from '../support/seal-forge.ts'
import { SealWorld, type TestEpoch, type TestMember, type WorldOptions } from '../support/seal-world.ts'

type Trio = readonly [TestMember, TestMember, TestMember]

function trio(options: WorldOptions = {}): [SealWorld, ...Trio] {
  const world = new SealWorld(3, options)
  world.adoptAll()
  world.runFor(3 * SECOND)
  const [alice, bob, carol] = world.members as unknown as Trio
  for (const from of world.members) for (const to of world.members) if (from !== to) from.send(to)
  world.runFor(3 * SECOND)
  return [world, alice, bob, carol]
}

/** Packets of a member from now on, as they leave. */
function tap(world: SealWorld, of: TestMember): Uint8Array[] {
  const packets: Uint8Array[] = []
  world.onPacket = (from, packet) => {
    if (from === of) packets.push(packet)
    return true
  }
  return packets
}

function isOf(epoch: TestEpoch | undefined): (packet: Uint8Array) => boolean {
  return (packet) => epoch !== undefined && mlsIdIs(packet, epoch.mlsId)
}

test('what others sign meanwhile changes nothing of what frames are signed by', () => {
  const [world, alice, bob] = trio()
  const { signatures } = world.crypto
  const seed = new Uint8Array(32).fill(5)
  const { frame } = alice.send('all')
  // As long as the name of frames, and in the same place.
  signNamed(signatures, seed, 'beat', new Uint8Array(9).fill(0xff))
  world.runFor(SECOND)
  expect(world.got(bob)).toContain(frame)
  expect(bob.count('dropBadSignature')).toBe(0)
})

describe('a commit that removes nobody', () => {
  test('the parent is sealed under for 300 ms, then the child', () => {
    const [world, alice] = trio()
    const parent = alice.epoch
    const child = world.epoch()
    alice.adopt(child)
    const packets = tap(world, alice)
    alice.send('all')
    world.runFor(299 * MILLISECOND)
    alice.send('all')
    expect(packets.every(isOf(parent))).toBe(true)
    world.runFor(MILLISECOND)
    packets.length = 0
    alice.send('all')
    expect(packets.every(isOf(child))).toBe(true)
  })

  test('nothing is lost while members adopt it at different times', () => {
    const [world, ...members] = trio()
    const child = world.epoch()
    members.forEach((member, index) => {
      world.at(world.now + index * 140 * MILLISECOND, () => member.adopt(child))
    })
    const sent: { frame: number; from: number; to: number }[] = []
    for (let step = 0; step < 100; step++) {
      world.runFor(10 * MILLISECOND)
      for (const from of members) {
        const { frame } = from.send('all')
        for (const to of members)
          if (to !== from) {
            sent.push({ frame, from: from.number, to: to.number })
            sent.push({ frame: from.send(to).frame, from: from.number, to: to.number })
          }
      }
    }
    world.runFor(SECOND)
    for (const { frame, to } of sent) expect(world.got(members[to] as TestMember)).toContain(frame)
    expect(world.watch.repeats).toEqual([])
  })

  test('a member seen under the child is sent to under the child at once', () => {
    const [world, alice, bob] = trio()
    const child = world.epoch()
    for (const member of [alice, bob]) member.adopt(child, member === alice)
    bob.send(alice)
    world.runFor(20 * MILLISECOND)
    const packets = tap(world, alice)
    alice.send(bob)
    expect(packets.length).toBe(1)
    expect(packets.every(isOf(child))).toBe(true)
  })

  test('sessions follow into ten epochs without a signature', () => {
    const [world, alice, bob] = trio()
    world.runFor(SECOND)
    const before = world.watch.signed
    const cards = alice.count('cardsSent') + bob.count('cardsSent')
    for (let count = 0; count < 10; count++) {
      world.adoptAll()
      world.runFor(400 * MILLISECOND)
      const frames = [alice.send(bob).frame, bob.send(alice).frame]
      world.runFor(100 * MILLISECOND)
      expect([world.got(bob), world.got(alice)].map((got) => got.at(-1))).toEqual(frames)
    }
    const signed = world.watch.signed - before
    expect(signed).toBe(alice.count('cardsSent') + bob.count('cardsSent') - cards)
  })

  test('a member that joins later is not sent to under the parent, where it is none', () => {
    const world = new SealWorld(3)
    const [alice, bob, carol] = world.members as unknown as Trio
    world.adoptAll([alice, bob])
    world.runFor(3 * MINUTE)
    const child = world.epoch()
    for (const member of [alice, bob, carol]) member.adopt(child)
    world.runFor(50 * MILLISECOND)
    const { frame, outcome } = alice.send(carol)
    expect(outcome).toBe('sealed')
    world.runFor(SECOND)
    expect(world.got(carol)).toEqual([frame])
  })
})

describe('a commit that removes somebody', () => {
  test('the parent is not sealed under any more', () => {
    const [world, alice, bob] = trio()
    const child = world.epoch([alice, bob])
    alice.adopt(child)
    const packets = tap(world, alice)
    alice.send('all')
    alice.send(bob)
    expect(packets.length).toBe(2)
    expect(packets.every(isOf(child))).toBe(true)
  })

  test('what the others sealed under the parent is taken for ten seconds, of the removed nothing', () => {
    const [world, alice, bob, carol] = trio()
    const child = world.epoch([alice, bob])
    alice.adopt(child)
    const frames: number[] = []
    const late = (): number => bob.send('all').frame
    frames.push(late())
    world.runFor(20 * MILLISECOND)
    const lost = [carol.send('all').frame, carol.send(alice).frame]
    world.runFor(9_900 * MILLISECOND)
    frames.push(late())
    world.runFor(50 * MILLISECOND)
    lost.push(late())
    world.runFor(100 * MILLISECOND)
    lost.push(late())
    world.runFor(SECOND)
    const got = world.got(alice)
    expect(got.filter((frame) => frames.includes(frame))).toEqual(frames)
    expect(got).not.toContain(lost[0])
    expect(got).not.toContain(lost[1])
    expect(got).not.toContain(lost[3])
    expect(alice.events.some(({ kind }) => kind === 'epochErased')).toBe(true)
  })

  test('nor are its handshakes taken under the parent', () => {
    const [world, alice, bob, carol] = trio()
    const parent = carol.epoch as TestEpoch
    const packet = new Forger(world, parent, carol).sealChannel(carol.number, {
      kind: PAYLOAD_KIND.handshake,
      payload: new Uint8Array(20),
      token: world.broadcast,
    })
    expect(alice.open(packet)).toBe('opened')
    alice.adopt(world.epoch([alice, bob]))
    expect(alice.open(packet)).toBe('dropNotMember')
  })
})

describe('a revocation that was heard of', () => {
  test('freezes group frames until a clean epoch, and unicast goes on', () => {
    const [world, alice, bob, carol] = trio()
    alice.refuse(carol)
    const packets = tap(world, alice)
    const waiting = [alice.send('all'), alice.send('all')]
    expect(waiting.map(({ outcome }) => outcome)).toEqual(['waiting', 'waiting'])
    expect(packets).toEqual([])
    const direct = alice.send(bob)
    expect(direct.outcome).toBe('sealed')
    world.runFor(100 * MILLISECOND)
    expect(world.got(bob)).toContain(direct.frame)
    const clean = world.epoch([alice, bob])
    for (const member of [alice, bob]) member.adopt(clean)
    world.runFor(100 * MILLISECOND)
    expect(world.got(bob).slice(-2)).toEqual(waiting.map(({ frame }) => frame))
    expect(alice.send('all').outcome).toBe('sealed')
    world.runFor(SECOND)
    expect(world.got(carol)).not.toContain(waiting[0]?.frame)
  })

  test('nothing that the revoked can open is sealed: no frame, card, request or INIT', () => {
    const [world, alice, bob, carol] = trio()
    const packets = tap(world, alice)
    alice.refuse(carol)
    for (let count = 0; count < 50; count++) {
      alice.send('all')
      alice.send(bob)
      world.runFor(10 * SECOND)
    }
    const eve = new Forger(world, carol.epoch as TestEpoch, carol)
    for (const packet of packets) expect(eve.openChannel(packet, world.broadcast)).toBeUndefined()
    for (const packet of packets) expect(eve.openChannel(packet, bob.token)).toBeUndefined()
    // Frames to bob under the session that there was.
    expect(packets.length).toBeGreaterThan(40)
  })

  test('nor an INIT begun before it was heard of, or for a member that there is no session with', () => {
    const world = new SealWorld(4)
    const [alice, bob, carol, dave] = world.members as unknown as [...Trio, TestMember]
    world.adoptAll()
    world.runFor(3 * SECOND)
    world.onPacket = (from) => from !== bob
    alice.send(bob)
    world.onPacket = () => true
    alice.refuse(carol)
    const packets = tap(world, alice)
    bob.up = false
    const waiting = alice.send(dave)
    expect(waiting.outcome).toBe('waiting')
    world.runFor(SECOND)
    expect(packets).toEqual([])
    const clean = world.epoch([alice, bob, dave])
    for (const member of [alice, dave]) member.adopt(clean)
    world.runFor(SECOND)
    expect(world.got(dave)).toEqual([waiting.frame])
  })

  test('but for what removes it: handshakes and facts', () => {
    const [, alice, bob, carol] = trio()
    alice.refuse(carol)
    const body = new Uint8Array(40)
    const announce = (kind: 4 | 5 | 7) => alice.sealer.announce(alice.now, kind, alice.token, body)
    expect(announce(PAYLOAD_KIND.handshake)).toBe('sealed')
    expect(announce(PAYLOAD_KIND.ledger)).toBe('sealed')
    expect(announce(PAYLOAD_KIND.control)).toBe('dropFrozen')
    expect(bob.up).toBe(true)
  })

  test('at most 64 frames wait, for two seconds', () => {
    const [world, alice, bob, carol] = trio()
    alice.refuse(carol)
    const outcomes = Array.from({ length: FROZEN_FRAMES + 3 }, () => alice.send('all').outcome)
    expect(outcomes.filter((outcome) => outcome === 'waiting')).toHaveLength(FROZEN_FRAMES)
    expect(outcomes.slice(FROZEN_FRAMES)).toEqual(['dropFrozen', 'dropFrozen', 'dropFrozen'])
    world.runFor(1_990 * MILLISECOND)
    expect(alice.count('dropFrozen')).toBe(3)
    world.runFor(20 * MILLISECOND)
    expect(alice.count('dropFrozen')).toBe(3 + FROZEN_FRAMES)
    const got = world.got(bob).length
    const clean = world.epoch([alice, bob])
    for (const member of [alice, bob]) member.adopt(clean)
    world.runFor(SECOND)
    expect(world.got(bob)).toHaveLength(got)
  })

  test('what waited leaves in order, before what comes after it, a few in each step', () => {
    const [world, alice, bob, carol] = trio()
    alice.refuse(carol)
    const frames = Array.from({ length: 40 }, () => alice.send('all').frame)
    const clean = world.epoch([alice, bob])
    const packets = tap(world, alice)
    bob.adopt(clean)
    const before = packets.length
    alice.adopt(clean)
    expect(packets.length - before).toBeLessThanOrEqual(8)
    frames.push(alice.send('all').frame)
    world.runFor(SECOND)
    expect(world.got(bob).slice(-41)).toEqual(frames)
  })

  test('of the revoked nothing is taken: frames, cards, INITs, handshakes', () => {
    const [world, alice, , carol] = trio()
    const eve = new Forger(world, carol.epoch as TestEpoch, carol)
    alice.refuse(carol)
    const got = world.got(alice).length
    carol.send('all')
    carol.send(alice)
    world.runFor(SECOND)
    carol.restart()
    carol.send(alice)
    world.runFor(5 * SECOND)
    carol.send(alice)
    world.runFor(SECOND)
    expect(world.got(alice)).toHaveLength(got)
    const packet = eve.sealChannel(carol.number, {
      kind: PAYLOAD_KIND.handshake,
      payload: new Uint8Array(20),
      token: world.broadcast,
    })
    expect(alice.open(packet)).toBe('dropRefused')
    expect(alice.send(carol).outcome).toBe('dropRefused')
    expect(alice.count('dropRefused')).toBeGreaterThan(2)
  })

  test('within the grace after a commit the parent is given up too', () => {
    const [world, alice, bob, carol] = trio()
    alice.adopt(world.epoch())
    alice.refuse(carol)
    const packets = tap(world, alice)
    expect(alice.send('all').outcome).toBe('waiting')
    expect(packets).toEqual([])
    expect(bob.up).toBe(true)
  })
})

describe('packets of an epoch that is not known yet', () => {
  test('wait two seconds and come out in order', () => {
    const [world, alice, bob] = trio()
    const child = world.epoch()
    alice.adopt(child, false)
    const frames = Array.from({ length: 5 }, () => {
      const { frame } = alice.send('all')
      world.runFor(10 * MILLISECOND)
      return frame
    })
    world.runFor(1_800 * MILLISECOND)
    bob.adopt(child)
    expect(world.got(bob).slice(-5)).toEqual(frames)
  })

  test('and are dropped and counted after that', () => {
    const [world, alice, bob] = trio()
    const child = world.epoch()
    alice.adopt(child, false)
    alice.send('all')
    world.runFor(3 * SECOND)
    expect(bob.count('dropUnknownEpoch')).toBe(1)
    bob.adopt(child)
    expect(bob.count('packetsHeld')).toBe(1)
  })

  test('64 KiB of each link and 512 KiB in all', () => {
    const [world, alice, bob] = trio()
    const stranger = new Forger(world, world.epoch(), alice)
    const packet = stranger.sealChannel(0, { kind: 7, payload: new Uint8Array(900), token: world.broadcast })
    const perLink = Math.floor(65_536 / packet.length)
    const kept = (link: number): number => {
      let count = 0
      while (bob.open(packet, link as LinkId) === 'held') count += 1
      return count
    }
    expect(kept(1)).toBe(perLink)
    expect(bob.count('boundHold')).toBe(1)
    let all = perLink
    for (let link = 2; link < 20; link++) all += kept(link)
    expect(all).toBe(Math.floor(524_288 / packet.length))
  })

  test('those of an epoch that was left long ago are not waited for', () => {
    const [world, alice, bob] = trio()
    const old = alice.epoch as TestEpoch
    const packet = new Forger(world, old, alice).sealChannel(0, {
      kind: 4,
      payload: new Uint8Array(9),
      token: world.broadcast,
    })
    world.adoptAll()
    world.runFor(11 * SECOND)
    expect(bob.open(packet)).toBe('dropUnknownEpoch')
    expect(bob.count('packetsHeld')).toBe(0)
  })
})

describe('packets of an index that is not known yet', () => {
  test('data that overtook its INIT waits for it', () => {
    const world = new SealWorld(2)
    const [alice, bob] = world.members as [TestMember, TestMember]
    world.adoptAll()
    world.runFor(3 * SECOND)
    const packets: Uint8Array[] = []
    world.onPacket = (_, packet) => {
      packets.push(packet)
      return false
    }
    const { frame } = alice.send(bob)
    world.onPacket = () => true
    const [init, data] = packets as [Uint8Array, Uint8Array]
    expect(packets).toHaveLength(2)
    expect(bob.open(data)).toBe('held')
    expect(bob.open(init)).toBe('consumed')
    expect(world.got(bob)).toEqual([frame])
  })

  test('sixteen of them, for a tenth of a second', () => {
    const [world, alice, bob] = trio()
    const forger = new Forger(world, alice.epoch as TestEpoch, alice)
    const key = { key: new Uint8Array(32), index: 77, commitment: new Uint8Array(16) }
    const outcomes = Array.from({ length: 18 }, (_, counter) =>
      bob.open(forger.seal(key, counter, { kind: 0, payload: new Uint8Array(9), token: world.broadcast })),
    )
    expect(outcomes.filter((outcome) => outcome === 'held')).toHaveLength(16)
    expect(outcomes.slice(16)).toEqual(['dropUnknownKey', 'dropUnknownKey'])
    world.runFor(101 * MILLISECOND)
    expect(bob.count('dropUnknownKey')).toBe(18)
  })
})

describe('group keys', () => {
  test('turn to the next boot at half of their packets, unnoticed by those who listen', () => {
    const [world, alice, bob, carol] = trio({ keyLimits: { packets: 64 } })
    world.runFor(2 * MINUTE)
    const asked = bob.count('cardsAsked') + carol.count('cardsAsked')
    const frames = Array.from({ length: 200 }, () => {
      world.runFor(20 * MILLISECOND)
      return alice.send('all').frame
    })
    world.runFor(SECOND)
    expect(world.got(bob).slice(-200)).toEqual(frames)
    expect(world.got(carol).slice(-200)).toEqual(frames)
    expect(alice.count('groupKeysTurned')).toBe(6)
    expect(bob.count('cardsAsked') + carol.count('cardsAsked')).toBe(asked)
    expect(world.watch.repeats).toEqual([])
  })

  test('turn after half an hour, on clocks a day apart, and nothing is lost for three hours', () => {
    const world = new SealWorld(3)
    const [alice, bob, carol] = world.members as unknown as Trio
    alice.wallOffsetMillis = 86_400_000
    carol.wallOffsetMillis = -86_400_000
    world.adoptAll()
    world.runFor(3 * SECOND)
    const frames: number[] = []
    for (let minute = 0; minute < 180; minute++) {
      world.runFor(MINUTE)
      frames.push(alice.send('all').frame, alice.send(bob).frame)
    }
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual(frames)
    expect(alice.count('groupKeysTurned')).toBe(5)
    expect(world.watch.repeats).toEqual([])
  })

  test('after a long epoch a sender that turned unheard is heard in the next', () => {
    const [world, alice, bob] = trio()
    alice.send('all')
    world.runFor(29 * MINUTE)
    // Bob hears nothing of alice while she turns, no card either.
    world.onPacket = (from) => from !== alice
    world.runFor(2 * MINUTE)
    alice.send('all')
    expect(alice.count('groupKeysTurned')).toBe(1)
    world.adoptAll()
    world.runFor(400 * MILLISECOND)
    world.onPacket = () => true
    const { frame } = alice.send('all')
    world.runFor(100 * MILLISECOND)
    expect(world.got(bob)).toContain(frame)
  })

  test('a turn that shows under the parent gives its key there no second window', () => {
    const [world, alice, bob] = trio({ keyLimits: { packets: 64 } })
    world.runFor(3 * MINUTE)
    // Bob has the successor's key in this epoch; in the next he has not.
    bob.adopt(world.epoch())
    const packets = tap(world, alice)
    for (let count = 0; count < 40; count++) {
      alice.send('all')
      world.runFor(MILLISECOND)
    }
    expect(alice.count('groupKeysTurned')).toBe(1)
    world.runFor(SECOND)
    const got = world.got(bob).length
    for (const packet of packets) expect(bob.open(packet)).toBe('dropReplay')
    expect(world.got(bob)).toHaveLength(got)
  })
})

describe('wrong calls are named', () => {
  test.each<[string, (world: SealWorld, member: TestMember, epoch: TestEpoch) => void]>([
    ['an MLS-ID that is none', (_, member, epoch) => member.adopt({ ...epoch, mlsId: new Uint8Array(15) })],
    ['a roster without oneself', (_, member, epoch) => member.adopt({ ...epoch, roster: new Map() })],
    [
      'the seed of another leaf',
      (world, member, epoch) => member.sealer.adopt(world.now, { ...world.source(member, epoch), self: 1 }),
    ],
    [
      'packets too small to cut for',
      (world, member) =>
        member.sealer.seal(world.now, PAYLOAD_KIND.frame, 1, member.token, new Uint8Array(9), 100),
    ],
    [
      'a frame under a channel key',
      (world, member) =>
        member.sealer.announce(world.now, PAYLOAD_KIND.frame, member.token, new Uint8Array(9)),
    ],
  ])('%s', (_, call) => {
    const world = new SealWorld(3)
    const [alice] = world.members as unknown as Trio
    expect(() => call(world, alice, world.epoch())).toThrow(UsageError)
  })

  test('without an epoch nothing is sealed, and what comes waits', () => {
    const world = new SealWorld(3)
    const [alice, bob] = world.members as unknown as Trio
    expect(alice.send('all').outcome).toBe('dropNoEpoch')
    expect(alice.send(bob).outcome).toBe('dropNoEpoch')
    world.adoptAll()
    expect(alice.send(bob).outcome).toBe('dropNoCard')
    expect(alice.send(alice).outcome).toBe('dropNotMember')
  })
})
