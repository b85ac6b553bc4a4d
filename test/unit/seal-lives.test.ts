/**
 * Starts, restarts and what an attacker replays around them (sec:A2, A11, M13, M15): each test is an attack
 * on one condition of the rules, and the honest case beside it.
 */
import { describe, expect, test } from 'vitest'
import { MILLISECOND, MINUTE, SECOND } from '../../core/io.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { SealWorld, type TestMember, Watch, type WorldOptions } from '../support/seal-world.ts'

const DAY_MILLIS = 86_400_000

function meeting(count: number, options: WorldOptions = {}): SealWorld {
  const world = new SealWorld(count, options)
  world.adoptAll()
  world.runFor(3 * SECOND)
  return world
}

function pair(options: WorldOptions = {}): [SealWorld, TestMember, TestMember] {
  const world = meeting(2, options)
  return [world, ...(world.members as [TestMember, TestMember])]
}

/** Plays everything that ever passed the wire to one member. */
function replayAll(world: SealWorld, to: TestMember, until = world.recorded.length): void {
  for (const { packet } of world.recorded.slice(0, until)) to.open(packet)
}

function times(world: SealWorld, member: TestMember, frame: number): number {
  return world.got(member).filter((each) => each === frame).length
}

describe('replays to a receiver that started again', () => {
  test.each(['all', 'unicast'])('of frames that it had got: none is delivered (%s)', (way) => {
    const [world, alice, bob] = pair()
    const frames = Array.from({ length: 20 }, () => {
      world.runFor(100 * MILLISECOND)
      return alice.send(way === 'all' ? 'all' : bob).frame
    })
    world.runFor(SECOND)
    expect(world.got(bob)).toEqual(frames)
    const recorded = world.recorded.length
    bob.restart()
    replayAll(world, bob, recorded)
    // Within two minutes the old cards' wall times are near enough, and they must not do.
    world.runFor(3 * SECOND)
    replayAll(world, bob, recorded)
    for (const frame of frames) expect(times(world, bob, frame)).toBe(1)
    const after = alice.send(way === 'all' ? 'all' : bob).frame
    world.runFor(SECOND)
    expect(times(world, bob, after)).toBe(1)
  })

  test('restored to the epoch before, it takes no frame of the later epoch twice', () => {
    const [world, alice, bob] = pair()
    const first = bob.epoch
    const second = world.adoptAll()
    world.runFor(SECOND)
    const frame = alice.send('all').frame
    world.runFor(SECOND)
    const recorded = world.recorded.length
    bob.restart(first)
    replayAll(world, bob, recorded)
    bob.adopt(second)
    world.runFor(3 * SECOND)
    replayAll(world, bob, recorded)
    expect(times(world, bob, frame)).toBe(1)
    const next = alice.send('all').frame
    world.runFor(SECOND)
    expect(times(world, bob, next)).toBe(1)
  })

  test('an INIT proves its sender, and what was sealed before it stays refused', () => {
    const [world, alice, bob] = pair()
    world.runFor(3 * MINUTE)
    const frame = alice.send('all').frame
    world.runFor(SECOND)
    const recorded = world.recorded.length
    bob.restart()
    // Alice believes his card; of what she says only the INIT gets through to bob.
    let open = false
    world.onPacket = (from) => open || from !== alice
    world.runFor(20 * MILLISECOND)
    open = true
    alice.send(bob)
    open = false
    world.runFor(20 * MILLISECOND)
    expect(bob.count('initsTaken')).toBe(1)
    replayAll(world, bob, recorded)
    expect(times(world, bob, frame)).toBe(1)
    open = true
    const next = alice.send('all').frame
    world.runFor(SECOND)
    expect(times(world, bob, next)).toBe(1)
  })

  test('INITs and their data, over and over: one session, one delivery', () => {
    const [world, alice, bob] = pair()
    const frame = alice.send(bob).frame
    world.runFor(SECOND)
    const recorded = world.recorded.length
    for (let round = 0; round < 3; round++) replayAll(world, bob, recorded)
    expect(bob.count('initsTaken')).toBe(1)
    expect(times(world, bob, frame)).toBe(1)
  })

  test('five sessions later an old INIT is no news, and its data stay refused', () => {
    const [world, alice, bob] = pair({ keyLimits: { packets: 4 } })
    const frames: number[] = []
    for (let count = 0; count < 40; count++) {
      frames.push(alice.send(bob).frame)
      world.runFor(100 * MILLISECOND)
    }
    expect(bob.count('initsTaken')).toBeGreaterThan(8)
    const taken = bob.count('initsTaken')
    replayAll(world, bob)
    expect(bob.count('initsTaken')).toBe(taken)
    expect(bob.count('dropStale')).toBeGreaterThan(0)
    expect(world.got(bob)).toEqual(frames)
    expect(world.watch.repeats).toEqual([])
  })

  test('a frame key outlives its hour by a minute, and no INIT for it opens then', () => {
    const [world, alice, bob] = pair()
    alice.send(bob)
    world.runFor(SECOND)
    const recorded = world.recorded.length
    world.runFor(70 * MINUTE)
    const agreed = bob.count('initsTaken')
    replayAll(world, bob, recorded)
    expect(bob.count('initsTaken')).toBe(agreed)
  })
})

describe('an epoch that this process entered', () => {
  const unproven = (origin: 'entered' | 'restored'): number => {
    const world = new SealWorld(3, { origin })
    world.adoptAll()
    world.runFor(3 * SECOND)
    for (const member of world.members) expect(member.count('cardsTaken')).toBeGreaterThanOrEqual(2)
    return world.members.reduce((sum, member) => sum + member.count('cardsUnproven'), 0)
  }

  test('proves that its members are alive: no echo is needed', () => {
    expect(unproven('entered')).toBe(0)
    expect(unproven('restored')).toBeGreaterThan(0)
  })

  test('proves it for its children, and for no life after this one', () => {
    const world = new SealWorld(2, { origin: 'entered' })
    const [alice, bob] = world.members as [TestMember, TestMember]
    world.adoptAll()
    world.adoptAll()
    world.runFor(3 * SECOND)
    expect(bob.count('cardsUnproven')).toBe(0)
    const frame = alice.send('all').frame
    world.runFor(SECOND)
    expect(times(world, bob, frame)).toBe(1)
    const recorded = world.recorded.length
    bob.sealer.restart(bob.now)
    replayAll(world, bob, recorded)
    expect(bob.count('cardsUnproven')).toBeGreaterThan(0)
    bob.restart()
    replayAll(world, bob, recorded)
    expect(times(world, bob, frame)).toBe(1)
  })
})

describe('a boot that was left', () => {
  test('is not taken up again by its cards, nor by an answer that was held back', () => {
    const [world, alice, bob] = pair()
    const held: Uint8Array[] = []
    bob.restart()
    // Bob's question reaches alice, her answers are held back.
    world.onPacket = (from, packet) => {
      if (from === alice) held.push(packet)
      return from !== alice
    }
    world.runFor(2 * SECOND)
    world.onPacket = () => true
    alice.restart()
    world.runFor(3 * SECOND)
    const frame = alice.send('all').frame
    world.runFor(SECOND)
    expect(times(world, bob, frame)).toBe(1)
    expect(held.length).toBeGreaterThan(2)
    for (const packet of held) bob.open(packet)
    const next = alice.send('all').frame
    const direct = alice.send(bob).frame
    world.runFor(SECOND)
    expect([times(world, bob, next), times(world, bob, direct)]).toEqual([1, 1])
  })

  test('is not one whose INIT overtook a card of the start before it', () => {
    const [world, alice, bob] = pair()
    // Bob knows nobody; what alice answers him is on its way for long.
    bob.restart()
    const held: Uint8Array[] = []
    world.onPacket = (from, packet) => {
      if (from === alice) held.push(packet)
      return from !== alice
    }
    world.runFor(2 * SECOND)
    alice.restart()
    // She believes his card by the wall clock, though he hears none of her questions.
    world.runFor(5 * MINUTE)
    const later = held.length
    alice.send(bob)
    const inits = held.slice(later)
    world.onPacket = () => true
    for (const packet of inits) bob.open(packet)
    expect(bob.count('initsTaken')).toBe(1)
    for (const packet of held) bob.open(packet)
    world.runFor(3 * SECOND)
    const frames = [alice.send('all').frame, alice.send(bob).frame]
    world.runFor(SECOND)
    for (const frame of frames) expect(times(world, bob, frame)).toBe(1)
    expect(bob.events.some(({ kind }) => kind === 'identityTwice')).toBe(false)
  })

  test('that answers the newest challenge is two processes with one identity: an event', () => {
    const [world, alice, bob] = pair()
    // A copy of alice's process: its life goes on while another start speaks for her too.
    const copy = alice.sealer
    const copied = () => {
      copy.wake(alice.now)
      copy.drain(alice.now, {
        send: (packet) => world.carry(alice, packet),
        opened: () => {},
        event: () => {},
      })
    }
    world.runFor(3 * MINUTE)
    alice.restart()
    world.runFor(5 * SECOND)
    expect(bob.events.some(({ kind }) => kind === 'identityTwice')).toBe(false)
    world.onPacket = (from, packet) => {
      if (from === bob) copy.open(alice.now, 1 as never, packet)
      return true
    }
    for (let second = 0; second < 200; second++) {
      world.runFor(SECOND)
      copied()
    }
    expect(bob.events).toContainEqual({ kind: 'identityTwice', leaf: alice.number })
  })
})

describe('clocks', () => {
  test('a sender that starts again is believed at once by those whose clock agrees', () => {
    const [world, alice, bob] = pair()
    world.runFor(5 * MINUTE)
    alice.restart()
    world.runFor(20 * MILLISECOND)
    const frame = alice.send('all').frame
    world.runFor(20 * MILLISECOND)
    expect(times(world, bob, frame)).toBe(1)
  })

  test.each([
    ['a day ahead', DAY_MILLIS, true],
    ['a day behind', -DAY_MILLIS, true],
    ['not set', 0, false],
  ])('a sender whose clock is %s is challenged, and loses nothing afterwards', (_, offset, set) => {
    const world = new SealWorld(3)
    const [alice, bob, carol] = world.members as [TestMember, TestMember, TestMember]
    alice.wallOffsetMillis = offset
    alice.wallSet = set
    world.adoptAll()
    world.runFor(5 * MINUTE)
    alice.restart()
    world.runFor(500 * MILLISECOND)
    const frames: number[] = []
    for (let count = 0; count < 50; count++) {
      frames.push(alice.send('all').frame, alice.send(bob).frame)
      world.runFor(7 * SECOND)
    }
    expect(world.got(bob)).toEqual(frames)
    expect(world.got(carol)).toEqual(frames.filter((_, at) => at % 2 === 0))
  })

  test('an old card of a clock that was ahead opens nothing when its time has come', () => {
    const world = new SealWorld(2)
    const [alice, bob] = world.members as [TestMember, TestMember]
    alice.wallOffsetMillis = 10 * 60_000
    world.adoptAll()
    world.runFor(3 * SECOND)
    const frame = alice.send('all').frame
    world.runFor(SECOND)
    expect(times(world, bob, frame)).toBe(1)
    const recorded = world.recorded.length
    bob.restart()
    // Alice is heard again; her cards of before say a time that is bob's ten minutes later.
    world.runFor(10 * MINUTE)
    replayAll(world, bob, recorded)
    expect(times(world, bob, frame)).toBe(1)
    const next = alice.send('all').frame
    world.runFor(SECOND)
    expect(times(world, bob, next)).toBe(1)
  })

  test('clocks that err by 100 parts in a million hear each other after a week', () => {
    const [world, alice, bob] = pair()
    const until = world.now + 7 * 24 * 60 * MINUTE
    alice.monotonicOffset += Math.floor(world.now * 0.0001)
    alice.monotonicRate = 0.9999
    let frame = 0
    while (world.now < until) {
      world.runFor(60 * MINUTE)
      frame = alice.send('all').frame
    }
    world.runFor(SECOND)
    expect(times(world, bob, frame)).toBe(1)
    expect(bob.count('dropLate')).toBe(0)
  })

  test('a packet that was held back for half a minute is late', () => {
    const [world, alice, bob] = pair()
    let held: Uint8Array | undefined
    world.onPacket = (_, packet) => {
      held = packet
      return false
    }
    alice.send('all')
    world.onPacket = () => true
    world.runFor(31 * SECOND)
    expect(bob.open(held as Uint8Array)).toBe('dropLate')
  })

  test('a jump of the wall clock is a new life: another boot, and no nonce again', () => {
    const [world, alice, bob] = pair()
    alice.send('all')
    alice.send(bob)
    world.runFor(SECOND)
    alice.wallOffsetMillis += 6_000
    expect(alice.send(bob).outcome).toBe('dropNoCard')
    expect(alice.count('livesStarted')).toBe(2)
    world.runFor(3 * SECOND)
    const frames = [alice.send('all').frame, alice.send(bob).frame]
    world.runFor(SECOND)
    for (const frame of frames) expect(times(world, bob, frame)).toBe(1)
    // Slewing by less, over and over, is none.
    for (let count = 0; count < 10; count++) {
      bob.wallOffsetMillis += 4_000
      bob.send('all')
    }
    expect(bob.count('livesStarted')).toBe(1)
  })

  test.each([
    ['once its clocks have parted', 10_000, 0],
    // What the jump is there for: memory that nobody tells of its copy goes on where it was.
    ['but for one that nothing tells', 0, 10],
  ])('a copy of the machine that is set going again repeats no nonce, %s', (_, jumpMillis, repeats) => {
    const watch = new Watch(standInCrypto)
    // The same keys drawn, the same inputs: the state of a machine at the moment its memory was saved.
    const saved = (): [SealWorld, TestMember, TestMember] => {
      const [world, alice, bob] = pair({ seed: 5, watch })
      alice.send('all')
      alice.send(bob)
      world.runFor(SECOND)
      return [world, alice, bob]
    }
    const speak = (alice: TestMember, bob: TestMember): void => {
      for (let count = 0; count < 5; count++) {
        alice.send('all')
        alice.send(bob)
      }
    }
    const [, alice, bob] = saved()
    speak(alice, bob)
    watch.watching = false
    const [, copy, other] = saved()
    watch.watching = true
    copy.wallOffsetMillis += jumpMillis
    speak(copy, other)
    expect(watch.repeats).toHaveLength(repeats)
  })
})

describe('epochs that come back', () => {
  test('while they are received under: counters and windows go on', () => {
    const [world, alice, bob] = pair()
    const first = alice.epoch
    const early = alice.send('all').frame
    world.runFor(SECOND)
    const recorded = world.recorded.length
    world.adoptAll()
    world.runFor(SECOND)
    if (first !== undefined) for (const member of [alice, bob]) member.adopt(first, false)
    const late = alice.send('all').frame
    world.runFor(SECOND)
    replayAll(world, bob, recorded)
    expect([times(world, bob, early), times(world, bob, late)]).toEqual([1, 1])
    expect([alice, bob].map((each) => each.count('livesStarted'))).toEqual([1, 1])
    expect(world.watch.repeats).toEqual([])
  })

  test('after their keys were erased: a new life, no nonce again and no frame again', () => {
    const [world, alice, bob] = pair()
    const first = alice.epoch
    const early = [alice.send('all').frame, alice.send(bob).frame]
    world.runFor(SECOND)
    const recorded = world.recorded.length
    world.adoptAll()
    world.runFor(20 * SECOND)
    if (first !== undefined) for (const member of [alice, bob]) member.adopt(first, false)
    expect(alice.count('livesStarted')).toBe(2)
    replayAll(world, bob, recorded)
    alice.send('all')
    world.runFor(3 * SECOND)
    replayAll(world, bob, recorded)
    const late = [alice.send('all').frame, alice.send(bob).frame]
    world.runFor(SECOND)
    for (const frame of [...early, ...late]) expect(times(world, bob, frame)).toBe(1)
    expect(world.watch.repeats).toEqual([])
  })

  test('who was missing in between is met anew', () => {
    const world = meeting(3)
    const [alice, bob, carol] = world.members as [TestMember, TestMember, TestMember]
    const first = alice.epoch
    const early = [carol.send('all').frame, carol.send(bob).frame]
    world.runFor(SECOND)
    const recorded = world.recorded.length
    const without = world.epoch([alice, bob])
    for (const member of [alice, bob]) member.adopt(without)
    if (first !== undefined) for (const member of [alice, bob]) member.adopt(first, false)
    replayAll(world, bob, recorded)
    world.runFor(3 * SECOND)
    replayAll(world, bob, recorded)
    for (const frame of early) expect(times(world, bob, frame)).toBe(1)
    const late = carol.send('all').frame
    world.runFor(SECOND)
    expect(times(world, bob, late)).toBe(1)
  })

  test('more than a life can remember: another life begins, and nothing repeats', () => {
    const [world, alice] = pair()
    for (let count = 0; count < 1_030; count++) {
      alice.adopt(world.epoch(), false)
      alice.send('all')
    }
    expect(alice.count('livesStarted')).toBe(2)
    expect(world.watch.repeats).toEqual([])
  })
})
