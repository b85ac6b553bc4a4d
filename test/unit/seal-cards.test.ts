/** Cards: their bytes, when they are sent, and which member a MAC is behind (sec:A7, S7). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BROADCAST_MAC, hex } from '../../core/ids.ts'
import { MILLISECOND, MINUTE, SECOND } from '../../core/io.ts'
import {
  CARD_ADDRESSES_MAX,
  CARD_FOREIGN_MAX,
  type Card,
  CONTROL,
  decodeAcknowledge,
  decodeCard,
  decodeRequest,
  ECHOES_MAX,
  EVERYBODY,
  encodeAcknowledge,
  encodeCard,
  encodeRequest,
  isAsked,
  leafSet,
} from '../../core/seal/cards.ts'
import { NO_LEAF } from '../../core/seal/directory.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { idIs, TOKEN_OFFSET, TRUNK_PACKET_BYTES } from '../../core/wire/packet.ts'
import { cardOf, Forger } from '../support/seal-forge.ts'
import { SealWorld, type TestEpoch, type TestMember } from '../support/seal-world.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const localMac = fc.nat(0xff_ffff_ffff).map((low) => 0x0200_0000_0000 + low)
const unicastMac = fc.nat(0xff_ffff_ffff)

const cards: fc.Arbitrary<Card> = fc.record({
  boot: bytes(16),
  number: fc.nat(0xffff_ffff),
  wallMillis: fc.nat({ max: 2 ** 48 - 1 }),
  groupCounter: fc.nat({ max: 2 ** 53 - 1 }),
  head: bytes(16),
  saltId: bytes(16),
  frameKey: bytes(32),
  mac: localMac,
  macNonce: bytes(16),
  foreign: fc
    .uniqueArray(unicastMac, { maxLength: CARD_FOREIGN_MAX })
    .map((macs) => macs.sort((left, right) => left - right)),
  capabilities: fc.nat(0xffff_ffff),
  addresses: fc.array(fc.uint8Array({ maxLength: 32 }), { maxLength: CARD_ADDRESSES_MAX }),
  echoes: fc.array(bytes(16), { maxLength: ECHOES_MAX }),
})

describe('bytes', () => {
  test('a card is read as it was written', () => {
    fc.assert(
      fc.property(cards, (card) => {
        expect(decodeCard(encodeCard(card))).toEqual(card)
      }),
    )
  })

  test('whatever else is no card: shorter, longer, or random', () => {
    fc.assert(
      fc.property(cards, fc.nat(), (card, cut) => {
        const good = encodeCard(card)
        expect(decodeCard(good.subarray(0, cut % good.length))).toBeUndefined()
        expect(decodeCard(Uint8Array.of(...good, 0))).toBeUndefined()
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_500 }), (junk) => {
        const card = decodeCard(junk)
        if (card !== undefined) expect(hex(encodeCard(card))).toBe(hex(junk))
      }),
    )
  })

  const plain = (changes: Partial<Card>): Card => ({
    boot: new Uint8Array(16),
    number: 0,
    wallMillis: 0,
    groupCounter: 0,
    head: new Uint8Array(16),
    saltId: new Uint8Array(16),
    frameKey: new Uint8Array(32),
    mac: 0x0200_0000_0001,
    macNonce: new Uint8Array(16),
    foreign: [],
    capabilities: 0,
    addresses: [],
    echoes: [],
    ...changes,
  })

  test.each<[string, Partial<Card>]>([
    ['a multicast MAC of its own', { mac: 0x0300_0000_0001 }],
    ['a MAC that is not local', { mac: 0x0000_0000_0001 }],
    ['foreign MACs out of order', { foreign: [5, 4] }],
    ['a foreign MAC twice', { foreign: [4, 4] }],
    ['a multicast foreign MAC', { foreign: [0x0100_5e00_0001] }],
    ['its own MAC among the foreign', { foreign: [0x0200_0000_0001] }],
  ])('%s is a refusal', (_, changes) => {
    expect(decodeCard(encodeCard(plain({})))).toBeDefined()
    expect(decodeCard(encodeCard(plain(changes)))).toBeUndefined()
  })

  test('a counter beyond 2^53 is a refusal', () => {
    const encoded = encodeCard(plain({ groupCounter: 2 ** 53 - 1 }))
    expect(decodeCard(encoded)?.groupCounter).toBe(2 ** 53 - 1)
    // boot 16, number 4, wall 6, then the counter's eight bytes.
    encoded[26] = 1
    expect(decodeCard(encoded)).toBeUndefined()
  })

  test('requests and acknowledgements are read as written, and as nothing else', () => {
    const reply = new Uint8Array(16)
    const request = { targets: EVERYBODY, challenge: new Uint8Array(16).fill(3), reply }
    expect(decodeRequest(encodeRequest(request))).toMatchObject(request)
    const some = { targets: leafSet([2, 9, 700]), challenge: undefined, reply }
    const read = decodeRequest(encodeRequest(some))
    expect(read).toMatchObject(some)
    const asked = [0, 2, 8, 9, 10, 699, 700, 701, 4_095].filter((leaf) => isAsked(some.targets, leaf))
    expect(asked).toEqual([2, 9, 700])
    expect(decodeRequest(encodeRequest({ ...some, targets: Uint8Array.of(4, 0) }))).toBeUndefined()
    const ack = new Uint8Array(16).fill(7)
    expect(decodeAcknowledge(encodeAcknowledge(ack))).toEqual(ack)
    expect(decodeRequest(encodeAcknowledge(ack))).toBeUndefined()
    expect(decodeAcknowledge(encodeRequest(request))).toBeUndefined()
    const other = encodeAcknowledge(ack)
    other[0] = CONTROL.request
    expect(decodeAcknowledge(other)).toBeUndefined()
  })
})

function meeting(count: number, seed = 1): SealWorld {
  const world = new SealWorld(count, { seed })
  world.adoptAll()
  world.runFor(3 * SECOND)
  return world
}

/** When a member sends to the broadcast token, in milliseconds from now on. */
function broadcasts(world: SealWorld, of: TestMember): number[] {
  const start = world.now
  const times: number[] = []
  world.onPacket = (from, packet) => {
    if (from === of && idIs(packet, TOKEN_OFFSET, world.broadcast))
      times.push((world.now - start) / MILLISECOND)
    return true
  }
  return times
}

describe('a crowd', () => {
  test('speaks in turns, is asked once, and all know all in the end', () => {
    const world = new SealWorld(60, { origin: 'entered' })
    const sent: number[] = []
    world.onPacket = (_, packet) => {
      if (idIs(packet, TOKEN_OFFSET, world.broadcast)) sent.push(Math.floor(world.now / SECOND))
      return true
    }
    world.adoptAll()
    world.runFor(25 * SECOND)
    const perSecond = new Map<number, number>()
    for (const second of sent) perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
    // Ten cards a second are meant; all at once they were a hundred and more.
    expect(Math.max(...perSecond.values())).toBeLessThan(30)
    expect(sent.length).toBeLessThan(4 * 60)
    for (const { sealer, number } of world.members)
      for (const other of world.members)
        if (other.number !== number) expect(sealer.macOf(other.number)).toBe(other.mac)
  })

  // Traffic of all is owed 5 s after an entry.
  test.each([
    [10, 0.3],
    [30, 0.3],
    [40, 5],
  ])('is not what %i members are: who comes in knows all and is known within %f s', (count, seconds) => {
    const world = new SealWorld(count, { origin: 'entered' })
    const newcomer = world.members[count - 1] as TestMember
    world.adoptAll(world.members.slice(0, -1))
    world.runFor(MINUTE)
    world.adoptAll()
    world.runFor(seconds * SECOND)
    for (const other of world.members) {
      if (other === newcomer) continue
      expect(other.sealer.macOf(newcomer.number)).toBe(newcomer.mac)
      expect(newcomer.sealer.macOf(other.number)).toBe(other.mac)
    }
  })
})

describe('schedule', () => {
  test('at 0, 0.2 and 1 s after a start, then every minute or so', () => {
    const world = new SealWorld(1)
    const [alice] = world.members as [TestMember]
    const times = broadcasts(world, alice)
    world.adoptAll()
    world.runFor(100 * MINUTE)
    // Nobody else is in the roster, so nobody is asked. The hourly frame key makes three more.
    expect(times.slice(0, 3)).toEqual([0, 200, 1_000])
    const gaps = times.slice(3).map((at, index) => at - (times[index + 2] as number))
    const usual = gaps.filter((gap) => gap > 5_000)
    expect(Math.min(...usual)).toBeGreaterThanOrEqual(30_000)
    expect(Math.max(...usual)).toBeLessThanOrEqual(90_000)
    expect(usual.reduce((sum, gap) => sum + gap, 0) / usual.length).toBeGreaterThan(50_000)
    expect(alice.count('cardsSent')).toBeGreaterThan(85)
    expect(alice.count('cardsSent')).toBeLessThan(125)
  })

  test('who starts is told of everybody within a second, by those alone whom it asks', () => {
    const world = meeting(20)
    world.runFor(3 * MINUTE)
    const [alice, bob] = world.members as [TestMember, TestMember]
    const before = bob.count('cardsTaken')
    const sent = broadcasts(world, bob)
    alice.restart()
    world.runFor(SECOND)
    for (const member of world.members)
      if (member !== alice) expect(cardOf(member, alice).boot).toHaveLength(16)
    // The answers went to alice alone: nobody else had to verify them.
    expect(bob.count('cardsTaken') - before).toBeLessThan(10)
    expect(sent.length).toBeLessThanOrEqual(1)
  })

  test('asked by many at once: one card a second, with the challenges of all', () => {
    const world = meeting(30)
    const [alice] = world.members as [TestMember]
    world.runFor(3 * MINUTE)
    const before = alice.count('cardsSent')
    for (const member of world.members) if (member !== alice) member.restart()
    world.runFor(4 * SECOND)
    expect(alice.count('cardsSent') - before).toBeLessThanOrEqual(6)
    for (const member of world.members) if (member !== alice) expect(cardOf(alice, member)).toBeDefined()
  })

  test('who is heard under an unknown key is asked, if what was said at the start was lost', () => {
    const world = new SealWorld(4, { origin: 'entered' })
    const [alice, bob, carol, away] = world.members as [TestMember, TestMember, TestMember, TestMember]
    away.up = false
    world.onPacket = () => false
    world.adoptAll()
    world.runFor(10 * SECOND)
    const asked = bob.count('cardsAsked')
    world.onPacket = () => true
    alice.send('all')
    world.runFor(2 * SECOND)
    expect(bob.count('dropUnknownKey')).toBe(1)
    const { frame } = alice.send('all')
    world.runFor(SECOND)
    for (const member of [bob, carol]) expect(world.got(member)).toEqual([frame])
    // Who does not answer is asked a few times more, and nobody else.
    world.runFor(20 * SECOND)
    expect(bob.count('cardsAsked') - asked).toBe(4)
    const forger = new Forger(world, alice.epoch as TestEpoch, alice)
    const key = { key: new Uint8Array(32), index: 77, commitment: new Uint8Array(16) }
    for (let counter = 0; counter < 100; counter++) {
      bob.open(forger.seal(key, counter, { kind: 0, payload: new Uint8Array(9), token: world.broadcast }))
      world.runFor(SECOND)
    }
    expect(bob.count('cardsAsked') - asked).toBeLessThanOrEqual(12)
  })

  test('the longest card fits one packet', () => {
    const world = meeting(2)
    const [alice, bob] = world.members as [TestMember, TestMember]
    const foreign = Array.from({ length: 100 }, (_, at) => 1_000 + at)
    const addresses = Array.from({ length: 5 }, () => new Uint8Array(32).fill(1))
    alice.sealer.setProfile({ foreign, capabilities: 7, addresses })
    const lengths: number[] = []
    world.onPacket = (from, packet) => {
      if (from === alice) lengths.push(packet.length)
      return true
    }
    world.runFor(2 * MINUTE)
    const card = cardOf(alice, bob)
    expect(card.foreign).toHaveLength(CARD_FOREIGN_MAX)
    expect(card.addresses).toHaveLength(CARD_ADDRESSES_MAX)
    const longest = encodeCard({
      ...card,
      echoes: Array.from({ length: ECHOES_MAX }, () => new Uint8Array(16)),
    })
    // Plaintext header 13, leaf index 4, signature 64.
    expect(longest.length + 13 + 4 + 64).toBeLessThanOrEqual(1_343)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(TRUNK_PACKET_BYTES)
  })
})

describe('which member a MAC is behind', () => {
  const BRIDGED = 0x0a00_0000_0001

  function behind(member: TestMember, ...foreign: number[]): void {
    member.sealer.setProfile({ foreign, capabilities: 0, addresses: [] })
  }

  test('its own, by the nonce in its card; those it says are behind it', () => {
    const world = meeting(3)
    const [alice, bob] = world.members as [TestMember, TestMember]
    behind(bob, BRIDGED)
    world.runFor(2 * MINUTE)
    const { directory } = alice.sealer
    expect(directory.holder(alice.now, bob.mac)).toBe(bob.number)
    expect(directory.holder(alice.now, BRIDGED)).toBe(bob.number)
    expect(directory.holder(alice.now, 0x0a00_0000_0002)).toBe(NO_LEAF)
    expect(directory.holder(alice.now, BROADCAST_MAC)).toBe(NO_LEAF)
    expect(directory.maySend(alice.now, bob.number, BRIDGED)).toBe(true)
    expect(directory.maySend(alice.now, 2, BRIDGED)).toBe(false)
    expect(directory.maySend(alice.now, bob.number, alice.mac)).toBe(false)
  })

  test('a card with a MAC that its nonce does not give is refused', () => {
    const world = meeting(3)
    const [alice, bob, mallory] = world.members as [TestMember, TestMember, TestMember]
    const forger = new Forger(world, mallory.epoch as TestEpoch, mallory)
    const card = cardOf(mallory, bob)
    const claim = (changes: Partial<Card>) =>
      bob.open(
        forger.sealChannel(mallory.number, {
          kind: PAYLOAD_KIND.card,
          payload: encodeCard({ ...card, number: card.number + 10, ...changes }),
          token: world.broadcast,
        }),
      )
    expect(claim({ mac: alice.mac })).toBe('dropCard')
    expect(bob.sealer.directory.holder(bob.now, alice.mac)).toBe(alice.number)
    expect(claim({})).toBe('consumed')
    expect(claim({})).toBe('dropStale')
  })

  test('the first live claimant holds it; the other is told of once, and follows it', () => {
    const world = meeting(3)
    const [alice, bob, carol] = world.members as [TestMember, TestMember, TestMember]
    behind(bob, BRIDGED)
    world.runFor(2 * MINUTE)
    behind(carol, BRIDGED)
    world.runFor(6 * MINUTE)
    expect(alice.sealer.directory.holder(alice.now, BRIDGED)).toBe(bob.number)
    const conflicts = alice.events.filter(({ kind }) => kind === 'macConflict')
    expect(conflicts).toEqual([
      { kind: 'macConflict', mac: BRIDGED, holder: bob.number, claimant: carol.number },
    ])
    bob.up = false
    world.runFor(6 * MINUTE)
    expect(alice.sealer.directory.holder(alice.now, BRIDGED)).toBe(carol.number)
    expect(alice.events).toContainEqual({
      kind: 'macMoved',
      mac: BRIDGED,
      from: bob.number,
      to: carol.number,
    })
  })

  test('frames show what cards do not, and move it; a card outweighs them', () => {
    const world = meeting(3)
    const [alice, bob, carol] = world.members as [TestMember, TestMember, TestMember]
    const { directory } = alice.sealer
    directory.learn(alice.now, bob.number, BRIDGED)
    expect(directory.holder(alice.now, BRIDGED)).toBe(bob.number)
    directory.learn(alice.now, carol.number, BRIDGED)
    expect(directory.holder(alice.now, BRIDGED)).toBe(carol.number)
    behind(bob, BRIDGED)
    world.runFor(2 * MINUTE)
    expect(directory.holder(alice.now, BRIDGED)).toBe(bob.number)
    directory.learn(alice.now, carol.number, BRIDGED)
    expect(directory.holder(alice.now, BRIDGED)).toBe(bob.number)
    directory.learn(alice.now, carol.number, 77)
    world.runFor(301 * SECOND)
    expect(directory.holder(alice.now, 77)).toBe(NO_LEAF)
  })

  test('two with one MAC of their own: the later takes another and says so', () => {
    const world = meeting(2)
    const [alice, bob] = world.members as [TestMember, TestMember]
    world.runFor(3 * MINUTE)
    // A forged card would take 2^46 hashes, so here the formula is told to give bob what alice has.
    const { mac } = alice
    const { hash } = world.crypto
    const inner = hash.hash32
    const forgedDigest = new Uint8Array(32)
    for (let at = 0; at < 6; at++) forgedDigest[26 + at] = Math.floor(mac / 2 ** (8 * (5 - at))) & 0xff
    let forging = true
    Object.assign(hash, {
      hash32: (input: Uint8Array) =>
        forging && input.length === 64 && hex(input).startsWith(hex(bob.memberKey))
          ? forgedDigest.slice()
          : inner(input),
    })
    try {
      world.runFor(SECOND)
      bob.restart()
      expect(bob.mac).toBe(mac)
      world.at(world.now + 7 * MILLISECOND, () => {
        forging = false
      })
      world.runFor(5 * SECOND)
    } finally {
      Object.assign(hash, { hash32: inner })
    }
    expect(alice.mac).toBe(mac)
    expect(bob.mac).not.toBe(mac)
    expect(bob.events).toContainEqual({ kind: 'ownMac', mac: bob.mac })
    expect(alice.sealer.directory.holder(alice.now, bob.mac)).toBe(bob.number)
  })

  test('the table is bounded', () => {
    const world = meeting(2)
    const [alice, bob] = world.members as [TestMember, TestMember]
    const { directory } = alice.sealer
    for (let mac = 0; mac < 9_000; mac++) directory.learn(alice.now, bob.number, mac)
    expect(directory.size).toBe(8_192)
    expect(alice.count('boundClaims')).toBeGreaterThan(800)
    world.runFor(301 * SECOND)
    directory.learn(alice.now, bob.number, 100_000)
    expect(directory.size).toBeLessThan(10)
  })
})
