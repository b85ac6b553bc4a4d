/** Unicast sessions between whole members (sec:A8, A9, S6): what opens, repeats, replaces and ends them. */
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { hex, macText } from '../../core/ids.ts'
import { MILLISECOND, MINUTE, SECOND } from '../../core/io.ts'
import { NO_ACK } from '../../core/seal/init.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { TOKEN_OFFSET } from '../../core/wire/packet.ts'
import { cardOf, Forger } from '../support/seal-forge.ts'
import {
  framePayload,
  SealWorld,
  type TestEpoch,
  type TestMember,
  type WorldOptions,
} from '../support/seal-world.ts'

function pair(options: WorldOptions = {}): [SealWorld, TestMember, TestMember] {
  const world = new SealWorld(2, options)
  world.adoptAll()
  world.runFor(5 * SECOND)
  return [world, ...(world.members as [TestMember, TestMember])]
}

/** Signatures and verifications of both that are not those of cards and requests. */
function sessionWork(world: SealWorld): { signed: number; verified: number } {
  let cards = 0
  let taken = 0
  for (const member of world.members) {
    cards += member.count('cardsSent') + member.count('cardsAsked')
    taken += member.count('verified') - member.count('initsTaken')
  }
  return { signed: world.watch.signed - cards, verified: world.watch.verified - taken }
}

/** What a member sends from now on, by the time since then. */
function tap(world: SealWorld, of: TestMember, pass = true): { at: number; packet: Uint8Array }[] {
  const start = world.now
  const packets: { at: number; packet: Uint8Array }[] = []
  world.onPacket = (from, packet) => {
    if (from !== of) return true
    packets.push({ at: (world.now - start) / MILLISECOND, packet })
    return pass
  }
  return packets
}

describe('opening', () => {
  test('data follow the INIT at once; one signature and one verification in each direction', () => {
    const [world, alice, bob] = pair()
    const first = alice.send(bob).frame
    world.runFor(6 * MILLISECOND)
    expect(world.got(bob)).toEqual([first])
    const frames = [first]
    for (let count = 0; count < 100; count++) {
      world.runFor(30 * MILLISECOND)
      frames.push(alice.send(bob).frame)
      bob.send(alice)
    }
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual(frames)
    expect(world.got(alice)).toHaveLength(100)
    expect(sessionWork(world)).toEqual({ signed: 2, verified: 2 })
    expect(world.watch.agreed).toBe(4)
    expect(alice.count('initsRepeated') + bob.count('initsRepeated')).toBe(0)
  })

  test('an INIT without an answer is repeated after 50, 200 and 800 ms, each time another packet', () => {
    const [world, alice, bob] = pair()
    const packets = tap(world, alice, false)
    alice.send(bob)
    packets.splice(1)
    world.runFor(900 * MILLISECOND)
    expect(packets.map(({ at }) => at)).toEqual([0, 50, 200, 800])
    expect(new Set(packets.map(({ packet }) => packet.join())).size).toBe(4)
    expect(new Set(packets.map(({ packet }) => packet.length)).size).toBe(1)
    expect(alice.count('initsSent')).toBe(1)
    // And then only with traffic, ever more rarely.
    packets.length = 0
    world.runFor(20 * SECOND)
    expect(alice.count('initsRepeated')).toBe(3)
    for (let count = 0; count < 300; count++) {
      alice.send(bob)
      world.runFor(100 * MILLISECOND)
    }
    expect(alice.count('initsRepeated')).toBeGreaterThan(6)
    expect(alice.count('initsRepeated')).toBeLessThan(12)
    // One was lost with all its repeats; the next that gets through opens the session as it was.
    world.onPacket = () => true
    world.runFor(10 * SECOND)
    const { frame } = alice.send(bob)
    world.runFor(SECOND)
    expect(world.got(bob)).toContain(frame)
    expect(alice.count('initsSent')).toBe(1)
  })

  test('what was opened says who sealed it, how, when, and how far it had to go', () => {
    const [world, alice, bob] = pair()
    world.runFor(7 * SECOND)
    const sentMillis = 12_000
    alice.send(bob)
    alice.send('all')
    alice.send(bob, 9_000)
    world.runFor(SECOND)
    const common = { kind: 0, leaf: alice.number, firstHopLimit: 64, sentMillis, mlsId: alice.epoch?.mlsId }
    expect(world.deliveries.map(({ opened }) => opened)).toMatchObject([
      { ...common, way: 'session', sequence: 0 },
      { ...common, way: 'group', sequence: 0 },
      // Of seven pieces, the last.
      { ...common, way: 'session', sequence: 7 },
    ])
    expect(bob.sealer.opened.way).toBe('session')
  })

  test('both at once: each has its own, and nobody signs twice', () => {
    const [world, alice, bob] = pair()
    const frames = [alice.send(bob).frame, bob.send(alice).frame]
    world.runFor(SECOND)
    expect([world.got(bob), world.got(alice)]).toEqual([[frames[0]], [frames[1]]])
    expect(sessionWork(world)).toEqual({ signed: 2, verified: 2 })
    expect(alice.count('initsRepeated') + bob.count('initsRepeated')).toBe(0)
  })

  test.each([0.1, 0.3, 0.5])('under loss of %d still one signature for each direction', (loss) => {
    for (let seed = 1; seed < 30; seed++) {
      const [world, alice, bob] = pair({ seed })
      Object.assign(world.wire, { loss, duplicates: 0.2, maxMicros: 60 * MILLISECOND })
      for (let count = 0; count < 40; count++) {
        alice.send(bob)
        bob.send(alice)
        world.runFor(100 * MILLISECOND)
      }
      Object.assign(world.wire, { loss: 0 })
      world.runFor(9 * SECOND)
      alice.send(bob)
      bob.send(alice)
      world.runFor(2 * SECOND)
      const frames = [alice.send(bob).frame, bob.send(alice).frame]
      world.runFor(SECOND)
      expect(world.got(bob)).toContain(frames[0])
      expect(world.got(alice)).toContain(frames[1])
      expect(sessionWork(world)).toEqual({ signed: 2, verified: 2 })
    }
  })

  test('an INIT before the sender is known by card is answered once it is', () => {
    const [world, alice, bob] = pair()
    world.runFor(3 * MINUTE)
    bob.send(alice)
    world.runFor(SECOND)
    alice.restart()
    world.runFor(20 * MILLISECOND)
    // Of bob's, alice has a card now; hers do not get through.
    let blocked = true
    world.onPacket = (from) => !(blocked && from === alice)
    world.runFor(SECOND)
    blocked = false
    const { frame, outcome } = alice.send(bob)
    expect(outcome).toBe('sealed')
    world.runFor(2 * SECOND)
    expect(world.got(bob)).toContain(frame)
    expect(bob.count('initsTaken')).toBe(2)
  })
})

describe('answering', () => {
  test('an answer that was lost is given again to the repeat, and that ends the repeats', () => {
    const [world, alice, bob] = pair()
    // Both begin, so that each answers by a packet of its own session and not by an INIT.
    world.onPacket = (from) => from !== bob
    alice.send(bob)
    bob.send(alice)
    world.runFor(70 * MILLISECOND)
    world.onPacket = () => true
    for (let count = 0; count < 200; count++) {
      world.runFor(100 * MILLISECOND)
      alice.send(bob)
    }
    // The first repeat's answer was lost too; the second's was not.
    expect(alice.count('initsRepeated')).toBe(2)
    expect(bob.count('initsTaken')).toBe(1)
  })

  test('what is owed to a member without a card is given when the card comes, without a repeat', () => {
    const [world, alice, bob] = pair()
    world.runFor(3 * MINUTE)
    // Of what she says at first, card and request, only the request gets through.
    let open = false
    let said = 0
    world.onPacket = (from) => open || from !== alice || ++said === 2
    alice.restart()
    world.runFor(900 * MILLISECOND)
    open = true
    alice.send(bob)
    open = false
    world.runFor(10 * SECOND)
    expect([bob.count('initsTaken'), bob.count('initsSent')]).toEqual([1, 0])
    open = true
    world.runFor(100 * SECOND)
    expect([bob.count('initsTaken'), bob.count('initsSent')]).toEqual([1, 1])
    expect(alice.count('initsTaken')).toBe(1)
  })
})

describe('replacing', () => {
  test('at half of the packets: set up beside the old one, which goes on until it is acknowledged', () => {
    const [world, alice, bob] = pair({ keyLimits: { packets: 200 } })
    const frames: number[] = []
    for (let count = 0; count < 1_000; count++) {
      frames.push(alice.send(bob).frame)
      world.runFor(2 * MILLISECOND)
    }
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual(frames)
    // 100 packets and those of one round trip for each session.
    expect(alice.count('initsSent')).toBeGreaterThanOrEqual(9)
    expect(alice.count('initsSent')).toBeLessThanOrEqual(10)
    expect(sessionWork(world)).toEqual({
      signed: alice.count('initsSent') + bob.count('initsSent'),
      verified: alice.count('initsSent') + bob.count('initsSent'),
    })
    expect(bob.count('initsSent')).toBe(1)
    expect(world.watch.repeats).toEqual([])
  })

  test('at the end of its packets it takes the place even unacknowledged', () => {
    const [world, alice, bob] = pair({ keyLimits: { packets: 40 } })
    alice.send(bob)
    world.runFor(SECOND)
    world.onPacket = (from) => from !== bob
    const frames: number[] = []
    for (let count = 0; count < 100; count++) {
      const { frame, outcome } = alice.send(bob)
      expect(outcome).toBe('sealed')
      frames.push(frame)
      world.runFor(10 * MILLISECOND)
    }
    world.runFor(SECOND)
    expect(world.got(bob).slice(-100)).toEqual(frames)
    expect(world.watch.repeats).toEqual([])
  })

  test('after half an hour of its age, if it is used; each costs one signature', () => {
    const [world, alice, bob] = pair()
    const frames: number[] = []
    for (let minute = 0; minute < 240; minute++) {
      frames.push(alice.send(bob).frame)
      world.runFor(MINUTE)
    }
    expect(world.got(bob)).toEqual(frames)
    expect(alice.count('initsSent')).toBe(8)
    // Bob sends nothing himself: one session an hour, for his answers.
    expect(bob.count('initsSent')).toBeLessThanOrEqual(5)
    const sent = alice.count('initsSent') + bob.count('initsSent')
    expect(sessionWork(world)).toEqual({ signed: sent, verified: sent })
  })

  test('by the blocks that were sealed', () => {
    const [world, alice, bob] = pair({ keyLimits: { blocks: 2_000 } })
    const frames: number[] = []
    for (let count = 0; count < 100; count++) {
      frames.push(alice.send(bob, 1_200).frame)
      world.runFor(20 * MILLISECOND)
    }
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual(frames)
    // 83 blocks each: 13 packets to the half, one more on the way.
    expect(alice.count('initsSent')).toBeGreaterThanOrEqual(7)
    expect(alice.count('initsSent')).toBeLessThanOrEqual(9)
  })

  test('frame keys turn hourly: an INIT for the one before opens for another minute', () => {
    const [world, alice, bob] = pair()
    world.runFor(58 * MINUTE)
    world.onPacket = (from) => from !== bob
    // Bob has another frame key, and alice has not heard of it.
    world.run(60 * MINUTE + 40 * SECOND)
    world.onPacket = () => true
    const { frame } = alice.send(bob)
    world.runFor(10 * MILLISECOND)
    expect(world.got(bob)).toEqual([frame])
  })
})

describe('ending', () => {
  test('a peer that started again is sent another INIT when its card is here', () => {
    const [world, alice, bob] = pair()
    world.runFor(3 * MINUTE)
    alice.send(bob)
    world.runFor(SECOND)
    bob.restart()
    const lost = alice.send(bob).frame
    world.runFor(20 * MILLISECOND)
    const { frame } = alice.send(bob)
    world.runFor(SECOND)
    expect(world.got(bob)).not.toContain(lost)
    expect(world.got(bob)).toContain(frame)
    expect(alice.count('initsSent')).toBe(2)
  })

  test('with a member that a branch does not have go on with the next that has it', () => {
    const world = new SealWorld(3)
    const [alice, bob, carol] = world.members as [TestMember, TestMember, TestMember]
    world.adoptAll()
    world.runFor(3 * SECOND)
    alice.send(carol)
    carol.send(alice)
    world.runFor(SECOND)
    const recorded = world.recorded.length
    const without = world.epoch([alice, bob])
    for (const member of [alice, bob]) member.adopt(without)
    expect(alice.send(carol).outcome).toBe('dropNotMember')
    const lost = carol.send(alice).frame
    world.runFor(SECOND)
    const again = world.epoch()
    for (const member of world.members) member.adopt(again)
    // Carol seals under the epoch before for a moment, of which alice has nothing of hers any more.
    world.runFor(400 * MILLISECOND)
    const signed = world.watch.signed
    const frames = [alice.send(carol).frame, carol.send(alice).frame, carol.send('all').frame]
    world.runFor(100 * MILLISECOND)
    // One signature, of the group frame: sessions went on.
    expect(world.watch.signed - signed).toBe(1)
    expect(world.got(carol)).toContain(frames[0])
    expect(world.got(alice).slice(-2)).toEqual(frames.slice(1))
    expect(world.got(alice)).not.toContain(lost)
    for (const { packet } of world.recorded.slice(0, recorded)) alice.open(packet)
    expect(new Set(world.got(alice)).size).toBe(world.got(alice).length)
  })

  test('that the peer has lost: its next INIT does not name it, and another is opened', () => {
    const [world, alice, bob] = pair()
    alice.send(bob)
    bob.send(alice)
    world.runFor(SECOND)
    const forger = new Forger(world, bob.epoch as TestEpoch, bob)
    const { boot } = cardOf(bob, alice)
    const init = (number: number, ack: Uint8Array): string => {
      const fields = { leaf: bob.number, boot, number, sentMillis: 9_000, ack }
      return alice.open(forger.init(alice, cardOf(alice, bob), fields))
    }
    expect(init(10, NO_ACK)).toBe('consumed')
    expect(alice.count('initsSent')).toBe(2)
    const { frame } = alice.send(bob)
    world.runFor(SECOND)
    expect(world.got(bob)).toContain(frame)
    // Numbers rise, or it is a replay.
    expect(init(10, NO_ACK)).toBe('dropStale')
    expect(init(9, NO_ACK)).toBe('dropStale')
  })

  test('with a token that the peer has left goes on with another INIT, for the new one', () => {
    const [world, alice, bob] = pair()
    const stale = { token: () => new Uint8Array(16).fill(7), saltId: new Uint8Array(16) }
    alice.sealer.useTokens(stale)
    world.onPacket = (from, packet) => from !== alice || packet[TOKEN_OFFSET] !== 7
    alice.send(bob)
    world.runFor(2 * SECOND)
    expect(world.got(bob)).toEqual([])
    alice.sealer.useTokens(world.tokens)
    const { frame } = alice.send(bob)
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual([frame])
  })

  test('a frame key of low order opens nothing, and nothing breaks', () => {
    const [world, alice, bob] = pair({ keyLimits: {} })
    const inner = world.watch.crypto.agreement.shared
    Object.assign(world.watch.crypto.agreement, { shared: () => undefined })
    expect(alice.send(bob).outcome).toBe('dropKeySpent')
    Object.assign(world.watch.crypto.agreement, { shared: inner })
    expect(alice.send(bob).outcome).toBe('sealed')
  })
})

describe('with the real cryptography', () => {
  test('frames to one and to all, whole and in pieces, and what is not for one does not open', () => {
    const world = new SealWorld(3, { crypto: noble })
    world.adoptAll()
    world.runFor(2 * SECOND)
    const [alice, bob, carol] = world.members as [TestMember, TestMember, TestMember]
    const sent = [
      alice.send(bob, 60).frame,
      alice.send('all', 60).frame,
      alice.send(bob, 1_500).frame,
      alice.send('all', 9_000).frame,
    ]
    const packets: Uint8Array[] = []
    world.onPacket = (_, packet) => {
      packets.push(packet)
      return true
    }
    world.runFor(SECOND)
    world.adoptAll()
    world.runFor(SECOND)
    packets.length = 0
    sent.push(alice.send(bob, 300).frame)
    for (const packet of packets) expect(carol.open(packet)).toBe('held')
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual(sent)
    expect(world.got(carol)).toEqual([sent[1], sent[3]])
    expect(world.watch.repeats).toEqual([])
    expect(bob.count('dropBadTag') + bob.count('dropBadSignature') + bob.count('dropPlaintext')).toBe(0)
  })
  test('a relay sees no key, no boot, no MAC and no frame of anybody', () => {
    const world = new SealWorld(3, { crypto: noble, padding: 'small' })
    world.adoptAll()
    world.runFor(2 * SECOND)
    const [alice, bob] = world.members as [TestMember, TestMember]
    for (let count = 0; count < 3; count++) {
      alice.send(bob, 100)
      bob.send('all', 1_500)
      alice.sealer.announce(alice.now, PAYLOAD_KIND.handshake, world.broadcast, alice.leafKey)
      world.settle(alice)
      world.runFor(SECOND)
      if (count === 1) world.adoptAll()
    }
    const seen = world.recorded.map(({ packet }) => hex(packet)).join(' ')
    expect(world.recorded.length).toBeGreaterThan(20)
    const secrets = world.members.flatMap((member) => [member.leafKey, member.memberKey, member.leafSeed])
    const { boot, frameKey, macNonce } = cardOf(alice, bob)
    secrets.push(boot, frameKey, macNonce, framePayload(1, 0, 100).subarray(8, 24))
    for (const secret of secrets) expect(seen).not.toContain(hex(secret).slice(0, 16))
    for (const { mac } of world.members) expect(seen).not.toContain(macText(mac).toLowerCase())
    // What it does see: VLAN, epoch and token, which it forwards by.
    expect(seen).toContain(hex(world.broadcast))
  })
})
