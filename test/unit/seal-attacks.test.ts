/**
 * What an insider may try with keys that it can derive (sec:M1, M2, R19, S5, S6): each is refused by name,
 * and the window of the one it speaks for is as it was.
 */
import { describe, expect, test } from 'vitest'
import { hex } from '../../core/ids.ts'
import { type LinkId, MILLISECOND, SECOND } from '../../core/io.ts'
import type { DataKey } from '../../core/seal/derive.ts'
import { INIT_BYTES } from '../../core/seal/init.ts'
import { KEY_LIMITS } from '../../core/seal/limits.ts'
import { FLAG, PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { writeU32 } from '../../core/wire/cursor.ts'
import {
  CIPHER_OFFSET,
  INNER_HEADER_BYTES,
  NONCE_OFFSET,
  PACKET_OVERHEAD,
  tokenOf,
} from '../../core/wire/packet.ts'
import { cardOf, Forger } from '../support/seal-forge.ts'
import {
  framePayload,
  SealWorld,
  type TestEpoch,
  type TestMember,
  type WorldOptions,
} from '../support/seal-world.ts'

interface Stage {
  readonly world: SealWorld
  readonly alice: TestMember
  readonly bob: TestMember
  readonly mallory: TestMember
  readonly forger: Forger
  /** Alice's group key, which every member can derive. */
  readonly key: DataKey
}

function stage(options: WorldOptions = {}): Stage {
  const world = new SealWorld(3, options)
  world.adoptAll()
  world.runFor(3 * SECOND)
  const [alice, bob, mallory] = world.members as [TestMember, TestMember, TestMember]
  const forger = new Forger(world, mallory.epoch as TestEpoch, mallory)
  return { world, alice, bob, mallory, forger, key: forger.groupKey(alice, cardOf(alice, mallory)) }
}

/** The packets of one call, which reach nobody. */
function intercept(world: SealWorld, call: () => void): Uint8Array[] {
  const packets: Uint8Array[] = []
  world.onPacket = (_, packet) => {
    packets.push(packet)
    return false
  }
  call()
  world.onPacket = () => true
  return packets
}

describe('a group frame of Alice in the hands of Mallory', () => {
  const attacks: [string, (on: Stage, packet: Uint8Array, plain: Uint8Array) => Uint8Array, string][] = [
    [
      'sealed again under another counter',
      ({ forger, key }, packet, plain) => forger.reseal(key, 9, tokenOf(packet), plain),
      'dropBadSignature',
    ],
    [
      'sealed again to another token',
      ({ forger, key, bob }, _, plain) => forger.reseal(key, 0, bob.token, plain),
      'dropBadSignature',
    ],
    [
      'unsigned',
      ({ forger, key, world }) =>
        forger.seal(key, 1, {
          kind: 0,
          payload: framePayload(9, 0, 60),
          token: world.broadcast,
          flags: FLAG.none,
        }),
      'dropUnsigned',
    ],
    [
      'signed by Mallory',
      ({ forger, key, world }) =>
        forger.seal(key, 1, { kind: 0, payload: framePayload(9, 0, 60), token: world.broadcast }),
      'dropBadSignature',
    ],
    [
      'sealed again under her own key',
      ({ forger, mallory, bob, world }, _, plain) =>
        forger.reseal(forger.groupKey(mallory, cardOf(mallory, bob)), 0, world.broadcast, plain),
      'dropBadSignature',
    ],
    [
      'cut into a fragment that was not one',
      ({ forger, key }, packet, plain) => {
        const copy = plain.slice()
        copy[1] = FLAG.signed | FLAG.fragment
        return forger.reseal(key, 0, tokenOf(packet), copy)
      },
      'dropPlaintext',
    ],
    [
      'with padding that says something',
      ({ forger, key }, packet, plain) => {
        const copy = plain.slice()
        copy[copy.length - 1] = 1
        return forger.reseal(key, 0, tokenOf(packet), copy)
      },
      'dropPlaintext',
    ],
    [
      'with another time',
      ({ forger, key }, packet, plain) => {
        const copy = plain.slice()
        copy[8] = (copy[8] as number) ^ 1
        return forger.reseal(key, 0, tokenOf(packet), copy)
      },
      'dropBadSignature',
    ],
    [
      'under a counter beyond 2^32, which no key has',
      ({ forger, key }, packet, plain) => {
        const again = forger.reseal(key, 0, tokenOf(packet), plain).slice()
        // Fifth byte of the nonce: the counter's high half.
        again[NONCE_OFFSET + 4] = (again[NONCE_OFFSET + 4] as number) ^ 1
        return again
      },
      'dropReplay',
    ],
  ]

  test.each(attacks)('%s', (_, attack, outcome) => {
    const on = stage()
    const { world, alice, bob, forger, key } = on
    const [packet] = intercept(world, () => alice.send('all')) as [Uint8Array]
    const plain = forger.open(key.key, packet) as Uint8Array
    expect(plain).toBeDefined()
    const forged = attack(on, packet, plain)
    expect(bob.open(forged)).toBe(outcome)
    expect(bob.open(forged)).toBe(outcome)
    // Counters 0 to 9 are all free still: the window never moved.
    expect(bob.open(packet)).toBe('opened')
    for (let count = 1; count < 10; count++) {
      const [next] = intercept(world, () => alice.send('all')) as [Uint8Array]
      expect(bob.open(next)).toBe('opened')
    }
  })

  test('any changed byte is a refusal', () => {
    const { world, alice, bob } = stage()
    const [packet] = intercept(world, () => alice.send('all')) as [Uint8Array]
    for (let at = 0; at < packet.length; at++) {
      const changed = packet.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(['opened', 'consumed', 'piece']).not.toContain(bob.open(changed))
    }
    expect(bob.open(packet)).toBe('opened')
    expect(bob.open(packet)).toBe('dropReplay')
  })

  test('own packets that come back are replays', () => {
    const { world, alice } = stage()
    const [packet] = intercept(world, () => alice.send('all')) as [Uint8Array]
    expect(alice.open(packet)).toBe('dropReplay')
  })

  test('failed signatures use up the budget of the link that they come on, and of no other', () => {
    const { world, alice, bob, forger, key } = stage()
    const forged = forger.seal(key, 5, { kind: 0, payload: framePayload(9, 0, 60), token: world.broadcast })
    const outcomes = Array.from({ length: 210 }, () => bob.open(forged, 7 as LinkId))
    expect(outcomes.filter((outcome) => outcome === 'dropBadSignature')).toHaveLength(200)
    expect(outcomes.slice(200).every((outcome) => outcome === 'boundVerify')).toBe(true)
    const [packet] = intercept(world, () => alice.send('all')) as [Uint8Array]
    expect(bob.open(packet, 8 as LinkId)).toBe('opened')
  })
})

describe('where a signature is due', () => {
  test('under session keys only if the VLAN says so', () => {
    for (const sign of ['session', 'all'] as const) {
      const { world, alice, bob } = stage({ sign })
      alice.send(bob)
      world.runFor(SECOND)
      const before = world.watch.signed
      const { frame } = alice.send(bob)
      expect(world.watch.signed - before).toBe(sign === 'all' ? 1 : 0)
      world.runFor(SECOND)
      expect(world.got(bob)).toContain(frame)
    }
  })

  test('a member that signs less than the VLAN demands is refused, one that signs more is not', () => {
    const { world, alice, bob } = stage({ sign: ['session', 'all', 'session'] })
    alice.send(bob)
    bob.send(alice)
    world.runFor(SECOND)
    const [unsigned, signed] = [alice.send(bob).frame, bob.send(alice).frame]
    world.runFor(SECOND)
    expect(world.got(bob)).not.toContain(unsigned)
    expect(bob.count('dropUnsigned')).toBeGreaterThan(0)
    expect(world.got(alice)).toContain(signed)
  })
})

describe('INITs', () => {
  test('shown to a third member: they do not open', () => {
    const { world, alice, bob, mallory } = stage()
    const [init] = intercept(world, () => alice.send(bob)) as [Uint8Array]
    expect(mallory.open(init)).toBe('dropInit')
    expect(bob.open(init)).toBe('consumed')
    expect(mallory.count('initsTaken')).toBe(0)
  })

  test('hide their sender from it: nothing inside tells Alice from Bob', () => {
    const { world, alice, bob, mallory, forger } = stage()
    const inits = [alice, bob].map((from) => (intercept(world, () => from.send(mallory)) as [Uint8Array])[0])
    for (const init of inits) {
      const plain = forger.openChannel(init, mallory.token) as Uint8Array
      const text = hex(plain)
      for (const { leafKey, memberKey } of [alice, bob]) {
        expect(text).not.toContain(hex(leafKey))
        expect(text).not.toContain(hex(memberKey))
      }
    }
    expect(inits[0]).toHaveLength((inits[1] as Uint8Array).length)
  })

  test('in another outer packet, to another token or with a changed byte: refused', () => {
    const { world, alice, bob, forger } = stage()
    const [init] = intercept(world, () => alice.send(bob)) as [Uint8Array]
    const plain = forger.openChannel(init, bob.token) as Uint8Array
    const payload = plain.slice(INNER_HEADER_BYTES, INNER_HEADER_BYTES + INIT_BYTES)
    const wrap = (token: Uint8Array, bytes = payload) =>
      forger.sealChannel(undefined, { kind: PAYLOAD_KIND.init, payload: bytes, token, flags: FLAG.none })
    expect(bob.open(wrap(world.broadcast))).toBe('dropInit')
    for (const at of [0, 31, 32, 100, payload.length - 1]) {
      const changed = payload.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(bob.open(wrap(bob.token, changed))).toBe('dropInit')
    }
    expect(bob.open(wrap(bob.token, payload.subarray(1)))).toBe('dropInit')
    // The same box to the same token in a fresh packet is what Alice herself would repeat.
    expect(bob.open(wrap(bob.token))).toBe('consumed')
    expect(bob.count('initsTaken')).toBe(1)
  })

  test('that are signed outside, or cut, are refused', () => {
    const { bob, forger } = stage()
    const forgery = { kind: PAYLOAD_KIND.init, payload: new Uint8Array(INIT_BYTES), token: bob.token }
    expect(bob.open(forger.sealChannel(undefined, forgery))).toBe('dropPlaintext')
  })

  test('200 a second from one link, and known ones cost nothing', () => {
    const { world, alice, bob, forger } = stage()
    const [init] = intercept(world, () => alice.send(bob)) as [Uint8Array]
    expect(bob.open(init)).toBe('consumed')
    const agreed = world.watch.agreed
    for (let count = 0; count < 20; count++) expect(bob.open(init)).toBe('consumed')
    expect(world.watch.agreed).toBe(agreed)
    const payload = new Uint8Array(INIT_BYTES).fill(9)
    const outcomes = Array.from({ length: 250 }, (_, count) => {
      writeU32(payload, 0, count)
      const forgery = { kind: PAYLOAD_KIND.init, payload, token: bob.token, flags: FLAG.none }
      return bob.open(forger.sealChannel(undefined, forgery))
    })
    expect(outcomes.filter((outcome) => outcome === 'dropInit')).toHaveLength(199)
    expect(outcomes.at(-1)).toBe('boundInits')
  })
})

describe('channel packets', () => {
  const handshake = (world: SealWorld, flags: number = FLAG.signed) => ({
    kind: PAYLOAD_KIND.handshake,
    payload: new Uint8Array(30).fill(3),
    token: world.broadcast,
    flags,
  })

  test('name their sender, who has signed them', () => {
    const { world, bob, mallory, alice, forger } = stage()
    expect(bob.open(forger.sealChannel(mallory.number, handshake(world)))).toBe('opened')
    expect(bob.sealer.opened).toMatchObject({ way: 'channel', leaf: mallory.number, kind: 4 })
    expect(bob.sealer.opened.payload).toEqual(new Uint8Array(30).fill(3))
    expect(bob.sealer.opened.mlsId).toEqual((mallory.epoch as TestEpoch).mlsId)
    expect(bob.open(forger.sealChannel(alice.number, handshake(world)))).toBe('dropBadSignature')
    expect(bob.open(forger.sealChannel(99, handshake(world)))).toBe('dropNotMember')
    expect(bob.open(forger.sealChannel(bob.number, handshake(world)))).toBe('dropReplay')
    expect(bob.open(forger.sealChannel(mallory.number, handshake(world, FLAG.none)))).toBe('dropUnsigned')
    expect(bob.open(forger.sealChannel(undefined, { ...handshake(world), payload: new Uint8Array(2) }))).toBe(
      'dropPlaintext',
    )
  })

  test('of frames, super-frames and probes are none', () => {
    const { world, bob, mallory, forger } = stage()
    for (const kind of [PAYLOAD_KIND.frame, PAYLOAD_KIND.superFrame, PAYLOAD_KIND.probe])
      expect(bob.open(forger.sealChannel(mallory.number, { ...handshake(world), kind }))).toBe(
        'dropPlaintext',
      )
  })

  test('a thousand openings a second for each link, two hundred verifications', () => {
    const { world, bob, mallory, forger } = stage()
    world.runFor(2 * SECOND)
    const good = forger.sealChannel(mallory.number, handshake(world))
    const outcomes = Array.from({ length: 1_010 }, () => bob.open(good, 3 as LinkId))
    const of = (name: string): number => outcomes.filter((outcome) => outcome === name).length
    expect([of('opened'), of('boundVerify'), of('boundOpens')]).toEqual([200, 800, 10])
  })

  test('a card under a session or group key is none, nor is an INIT', () => {
    const { world, bob, forger, mallory } = stage()
    const own = forger.groupKey(mallory, cardOf(mallory, bob))
    for (const kind of [PAYLOAD_KIND.card, PAYLOAD_KIND.init]) {
      const packet = forger.seal(own, kind, { kind, payload: new Uint8Array(9), token: world.broadcast })
      expect(bob.open(packet)).toBe('dropPlaintext')
    }
  })

  test('no more under one key in one epoch than 64 random bits bear', () => {
    expect(KEY_LIMITS.channelPackets).toBe(1_048_576)
    const { world, alice } = stage({ keyLimits: { channelPackets: 20 } })
    const announce = (token: Uint8Array, bytes = 1): string =>
      alice.sealer.announce(alice.now, PAYLOAD_KIND.ledger, token, new Uint8Array(bytes))
    const outcomes = Array.from({ length: 20 }, () => announce(alice.token))
    expect(outcomes.every((outcome) => outcome === 'sealed')).toBe(true)
    expect(announce(alice.token)).toBe('dropKeySpent')
    expect(announce(world.token(1))).toBe('sealed')
    expect(announce(world.token(1), 40_000)).toBe('dropKeySpent')
    expect(alice.count('dropKeySpent')).toBe(2)
    world.adoptAll()
    expect(announce(alice.token)).toBe('sealed')
  })
})

describe('nonces on the wire', () => {
  test('of 2,000 consecutive packets: all distinct, half of the bits set', () => {
    const { world, alice, bob } = stage()
    alice.send(bob)
    world.runFor(SECOND)
    const packets = intercept(world, () => {
      for (let count = 0; count < 1_000; count++) {
        alice.send(bob)
        alice.send('all')
      }
    })
    expect(packets).toHaveLength(2_000)
    const wires = packets.map((packet) => packet.subarray(NONCE_OFFSET, CIPHER_OFFSET))
    expect(new Set(wires.map(hex)).size).toBe(2_000)
    let ones = 0
    for (const wire of wires)
      for (const byte of wire) for (let rest = byte; rest > 0; rest >>= 1) ones += rest & 1
    // 192,000 bits: the standard deviation of the share is 0.0011.
    expect(Math.abs(ones / (2_000 * 96) - 0.5)).toBeLessThan(0.005)
  })

  test('small packets of all kinds have one length', () => {
    const { world, alice, bob } = stage()
    const lengths = new Set<number>()
    world.onPacket = (_, packet) => {
      lengths.add(packet.length)
      return true
    }
    alice.send(bob)
    world.runFor(100 * MILLISECOND)
    lengths.clear()
    alice.send('all', 42)
    alice.send(bob, 42)
    alice.sealer.announce(alice.now, PAYLOAD_KIND.handshake, world.broadcast, new Uint8Array(40))
    world.settle(alice)
    expect([...lengths]).toEqual([PACKET_OVERHEAD + 128])
  })
})
