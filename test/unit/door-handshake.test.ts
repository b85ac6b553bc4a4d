/** What a sponsor makes of calls and proofs, one packet at a time, with real cryptography. */
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { DOOR_KIND } from '../../core/door/envelope.ts'
import { encodeMessage } from '../../core/door/messages.ts'
import { utf8 } from '../../core/ids.ts'
import { MINUTE, SECOND } from '../../core/io.ts'
import { parseInvitation } from '../../core/ledger/invitation.ts'
import { makeRedemption } from '../../core/ledger/issue.ts'
import type { Certificate } from '../../core/ledger/standing.ts'
import { CIPHER_OFFSET, NONCE_OFFSET, PACKET_OVERHEAD } from '../../core/wire/packet.ts'
import { Hand } from '../support/door-knock.ts'
import type { DoorNode, Person } from '../support/door-node.ts'
import { DoorWorld, FAIR } from '../support/door-world.ts'

interface Scene {
  readonly world: DoorWorld
  readonly node: DoorNode
  readonly hand: Hand
}

/** One member's door, which answers every call; `more`: members who are there too. */
function scene(crypto = noble, ...more: readonly string[]): Scene {
  const world = new DoorWorld(1, FAIR, crypto)
  const [node] = world.members('creator', ...more)
  return { world, node, hand: new Hand(world, node) }
}

/** Somebody invited, with papers; `life` in ms from NOW. */
function invited(world: DoorWorld, life?: number): { person: Person; certificate: Certificate } {
  const invitation = parseInvitation(world.crypto, world.url(life))
  const person = world.person()
  const redemption = makeRedemption(world.crypto, invitation.grant, invitation.seed, person.seed)
  return { person, certificate: { grant: invitation.grant, redemption, issuer: undefined } }
}

const refusals = (node: DoorNode): Record<string, number> => node.context.tally.view()

describe('a call', () => {
  test('is answered once, to the caller alone, and nothing of the caller is kept but its key', () => {
    const { hand, node } = scene()
    const { d1 } = hand.call()
    expect(hand.read(hand.send(DOOR_KIND.call, d1)).map(({ kind }) => kind)).toEqual([DOOR_KIND.answer])
    expect(hand.send(DOOR_KIND.call, d1)).toEqual([])
    expect(refusals(node)).toEqual({ repeatedCall: 1 })
    expect(node.sponsor?.sessions).toBe(0)
    expect(node.ledger.size).toBe(2)
  })

  test('is answered at most twenty times a second, whatever comes', () => {
    const { hand, node, world } = scene()
    let answers = 0
    for (let each = 0; each < 100; each++)
      answers += hand.read(hand.send(DOOR_KIND.call, hand.call().d1)).length
    expect(answers).toBe(20)
    expect(refusals(node)).toEqual({ callRate: 80 })
    world.run(SECOND)
    expect(hand.read(hand.send(DOOR_KIND.call, hand.call().d1))).toHaveLength(1)
  })

  test('that is repeated takes nothing from those who call for the first time', () => {
    const { hand } = scene()
    const { d1 } = hand.call()
    for (let each = 0; each < 200; each++) hand.send(DOOR_KIND.call, d1)
    expect(hand.read(hand.send(DOOR_KIND.call, hand.call().d1))).toHaveLength(1)
  })

  test('of outsiders without the door key stops at the opening, and beyond a rate before it', () => {
    const { hand, node } = scene()
    const packet = hand.envelope.seal(hand.door, DOOR_KIND.call, hand.call().d1)
    packet[packet.length - 1] = (packet[packet.length - 1] as number) ^ 1
    for (let each = 0; each < 1_500; each++) hand.put(packet)
    expect(refusals(node)).toEqual({ notSealed: 1_000, openRate: 500 })
  })

  test('with a key of small order is refused', () => {
    const { hand, node } = scene()
    const { d1 } = hand.call()
    d1.fill(0, 0, 32)
    expect(hand.send(DOOR_KIND.call, d1)).toEqual([])
    expect(refusals(node)).toEqual({ badKey: 1 })
  })

  test.each([
    ['cut short', (d1: Uint8Array) => d1.subarray(1)],
    ['too long', (d1: Uint8Array) => Uint8Array.of(...d1, 0)],
    ['of an unknown purpose', (d1: Uint8Array) => d1.map((byte, at) => (at === 64 ? 9 : byte))],
  ])('%s is malformed', (_name, change) => {
    const { hand, node } = scene()
    expect(hand.send(DOOR_KIND.call, change(hand.call().d1))).toEqual([])
    expect(refusals(node)).toEqual({ malformed: 1 })
  })

  test('falls to the three of lowest hash, after a second to the next three, and to nobody else', () => {
    const world = new DoorWorld(2)
    const names = Array.from({ length: 9 }, (_, place) => `member ${place}`)
    const members = world.members(...names) as readonly DoorNode[]
    const hands = members.map((member) => new Hand(world, member))
    const { d1 } = (hands[0] as Hand).call()
    const answered = (): number =>
      hands.reduce((sum, hand) => sum + (hand.send(DOOR_KIND.call, d1).length > 0 ? 1 : 0), 0)
    expect(answered()).toBe(3)
    const before = world.seen.length
    world.run(0.9 * SECOND)
    expect(world.seen.length - before).toBe(0)
    world.run(0.2 * SECOND)
    expect(world.seen.length - before).toBe(3)
    world.run(10 * SECOND)
    expect(world.seen.length - before).toBe(3)
  })

  test('is not answered by the second three if they hear that somebody was chosen', () => {
    const world = new DoorWorld(2)
    const names = Array.from({ length: 6 }, (_, place) => `member ${place}`)
    const members = world.members(...names) as readonly DoorNode[]
    const hands = members.map((member) => new Hand(world, member))
    const { d1 } = (hands[0] as Hand).call()
    for (const hand of hands) hand.send(DOOR_KIND.call, d1)
    const before = world.seen.length
    for (const hand of hands) hand.send(DOOR_KIND.proof, new Uint8Array([...d1, ...new Uint8Array(100)]))
    world.run(5 * SECOND)
    expect(world.seen.length - before).toBe(0)
  })
})

describe('a proof', () => {
  test('opens a session, and the same one again no second one', () => {
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    const knock = hand.knock()
    const d3 = hand.proof(knock, person, certificate)
    expect(hand.read(hand.send(DOOR_KIND.proof, d3)).map(({ kind }) => kind)).toEqual([DOOR_KIND.traffic])
    expect(node.sponsor?.sessions).toBe(1)
    hand.send(DOOR_KIND.proof, d3)
    expect(node.sponsor?.sessions).toBe(1)
    expect(refusals(node)).toEqual({})
  })

  test('played again after its session has ended is refused, now and when all is forgotten', () => {
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    const knock = hand.knock()
    const d3 = hand.proof(knock, person, certificate)
    hand.send(DOOR_KIND.proof, d3)
    const session = hand.session(knock)
    session.close(world.now)
    for (const packet of hand.sent()) hand.put(packet)
    expect(node.sponsor?.sessions).toBe(0)
    expect(hand.send(DOOR_KIND.proof, d3)).toEqual([])
    expect(refusals(node)['proofTwice']).toBe(1)
    world.run(3 * MINUTE)
    hand.send(DOOR_KIND.proof, d3)
    expect(refusals(node)['unasked']).toBe(1)
    // The recorded call gets another half: the recorded proof does not fit it.
    expect(hand.read(hand.send(DOOR_KIND.call, knock.d1))).toHaveLength(1)
    hand.send(DOOR_KIND.proof, d3)
    expect(node.sponsor?.sessions).toBe(0)
  })

  test('for a call that nobody made is refused', () => {
    const { hand, node } = scene()
    const { d1 } = hand.call()
    hand.send(DOOR_KIND.proof, new Uint8Array([...d1, ...new Uint8Array(200)]))
    expect(refusals(node)).toEqual({ unasked: 1 })
  })

  test('cut together from two handshakes does not open', () => {
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    const [one, two] = [hand.knock(), hand.knock()]
    const proofs = [one, two].map((knock) => hand.proof(knock, person, certificate))
    const mixed = new Uint8Array([
      ...(proofs[0] as Uint8Array).subarray(0, 113),
      ...(proofs[1] as Uint8Array).subarray(113),
    ])
    hand.send(DOOR_KIND.proof, mixed)
    expect(refusals(node)).toEqual({ badBox: 1 })
    // Nor does it spoil the handshake for its owner.
    hand.send(DOOR_KIND.proof, proofs[0] as Uint8Array)
    expect(node.sponsor?.sessions).toBe(1)
  })

  test('signed for another handshake is refused though its box opens', () => {
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    const [one, two] = [hand.knock(), hand.knock()]
    hand.send(
      DOOR_KIND.proof,
      hand.proof(
        { ...one, d2: two.d2.map((byte, at) => (at < 32 ? (one.d2[at] as number) : byte)) },
        person,
        certificate,
      ),
    )
    expect(refusals(node)).toEqual({ badSignature: 1 })
    expect(node.ledger.size).toBe(2)
  })

  test("with somebody else's papers is refused, and nothing of them is learnt", () => {
    const { hand, node, world } = scene()
    const { certificate } = invited(world)
    const thief = world.person()
    hand.send(DOOR_KIND.proof, hand.proof(hand.knock(), thief, certificate))
    expect(refusals(node)).toEqual({ badSignature: 1 })
    expect(node.ledger.size).toBe(2)
  })

  test('shown to a man in the middle of two calls does not pass at the other end', () => {
    // Mallory, who has the door key, answers Alice with her own half and hands the proof on.
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    const mallory = hand.knock()
    const alice = hand.call()
    const toMallory = hand.proof({ ...mallory, d1: alice.d1 }, person, certificate)
    hand.send(DOOR_KIND.proof, new Uint8Array([...mallory.d1, ...toMallory.subarray(81)]))
    expect(refusals(node)).toEqual({ badSignature: 1 })
    expect(node.sponsor?.sessions).toBe(0)
  })

  test('is looked at twenty times a second', () => {
    const { hand, node } = scene()
    const knock = hand.knock()
    const d3 = new Uint8Array([...knock.d1, ...knock.d2.subarray(0, 32), ...new Uint8Array(100)])
    for (let each = 0; each < 50; each++) hand.send(DOOR_KIND.proof, d3)
    expect(refusals(node)).toEqual({ badBox: 20, proofRate: 30 })
  })

  test("of a Grant that is over, burnt, spent or nobody's is refused by name", () => {
    const { hand, node, world } = scene()
    const why = (person: Person, certificate: Certificate): string[] => {
      const before = refusals(node)
      hand.send(DOOR_KIND.proof, hand.proof(hand.knock(), person, certificate))
      const after = refusals(node)
      return Object.keys(after).filter((name) => after[name] !== before[name])
    }
    const late = invited(world, -1)
    expect(why(late.person, late.certificate)).toEqual(['grantOver'])
    const burnt = invited(world)
    world.revoke(burnt.person.key, [node])
    expect(why(burnt.person, burnt.certificate)).toEqual(['revoked'])
    expect(why(node.person, node.certificate() as Certificate)).toEqual(['ownKey'])
    const other = new DoorWorld(99, FAIR, noble)
    const stranger = invited(other)
    expect(why(stranger.person, stranger.certificate)).toEqual(['badChain'])
    const { grant } = invited(world).certificate
    const thief = world.person()
    const redemption = makeRedemption(world.crypto, grant, thief.seed, thief.seed)
    expect(why(thief, { grant, redemption, issuer: undefined })).toEqual(['uncertified'])
  })

  test('by an invitation that was revoked leaves nothing in the ledger to be passed on', () => {
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    world.revoke(certificate.grant.id, [node])
    const { size } = node.ledger
    hand.send(DOOR_KIND.proof, hand.proof(hand.knock(), person, certificate))
    expect(refusals(node)).toEqual({ revoked: 1 })
    expect(node.ledger.size).toBe(size)
  })

  test('beyond sixteen sessions is turned away', () => {
    const { hand, node, world } = scene()
    for (let each = 0; each < 17; each++) {
      const { person, certificate } = invited(world)
      hand.send(DOOR_KIND.proof, hand.proof(hand.knock(), person, certificate))
      world.run(0.1 * SECOND)
    }
    expect(node.sponsor?.sessions).toBe(16)
    expect(refusals(node)['sessionsFull']).toBe(1)
  })

  test('of a member that has a session replaces it', () => {
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    for (let each = 0; each < 2; each++)
      hand.send(DOOR_KIND.proof, hand.proof(hand.knock(), person, certificate))
    expect(node.sponsor?.sessions).toBe(1)
    expect(refusals(node)).toEqual({ closed: 1 })
  })
})

describe('a session', () => {
  /** An open one, and its caller's end. */
  function open() {
    const { hand, node, world } = scene()
    const { person, certificate } = invited(world)
    const knock = hand.knock()
    hand.send(DOOR_KIND.proof, hand.proof(knock, person, certificate))
    return { hand, node, world, knock, session: hand.session(knock) }
  }

  test('takes each packet once', () => {
    const { hand, node, world, session } = open()
    session.flush(world.now, true)
    const [packet] = hand.sent() as [Uint8Array]
    for (let each = 0; each < 3; each++) hand.put(packet)
    expect(refusals(node)).toEqual({ replayed: 2 })
  })

  test('is closed after thirty seconds without anything new, though old packets come', () => {
    const { hand, node, world, session } = open()
    session.flush(world.now, true)
    const [packet] = hand.sent() as [Uint8Array]
    for (let second = 0; second < 30; second++) {
      expect(node.sponsor?.sessions).toBe(1)
      hand.put(packet)
      world.run(SECOND)
    }
    expect(node.sponsor?.sessions).toBe(0)
    expect(refusals(node)['silent']).toBe(1)
  })

  test('is closed after thirty seconds though new packets come, if they say nothing new', () => {
    const { hand, node, world, session } = open()
    for (let second = 0; second < 30; second++) {
      expect(node.sponsor?.sessions).toBe(1)
      session.flush(world.now, true)
      for (const packet of hand.sent()) hand.put(packet)
      world.run(SECOND)
    }
    expect(node.sponsor?.sessions).toBe(0)
  })

  test('refuses packets of other sessions and with other keys', () => {
    const { hand, node, world, knock } = open()
    const other = hand.session({ ...knock, keys: { ...knock.keys, id: new Uint8Array(16) } })
    other.flush(world.now, true)
    const forged = hand.session({ ...knock, keys: { ...knock.keys, toR: knock.keys.toI } })
    forged.flush(world.now, true)
    for (const packet of hand.sent()) hand.put(packet)
    expect(refusals(node)).toEqual({ unknownSession: 1, notOfSession: 1 })
    expect(node.sponsor?.sessions).toBe(1)
  })

  test.each([
    ['bytes of no form', Uint8Array.of(99)],
    ['a Welcome of the caller', encodeMessage({ kind: 'welcome', numbers: [0], welcome: Uint8Array.of(1) })],
    ['a lineage outside a merge', encodeMessage({ kind: 'lineage', ids: [] })],
    ['facts that are none', Uint8Array.of(1, 9, 9)],
  ])('ends at %s', (_name, message) => {
    const { hand, node, world, session } = open()
    session.say(message)
    session.flush(world.now)
    for (const packet of hand.sent()) hand.put(packet)
    expect(refusals(node)).toEqual({ badMessage: 1 })
    expect(node.sponsor?.sessions).toBe(0)
  })

  test('takes one KeyPackage and no second', () => {
    const { hand, node, world, session } = open()
    const keyPackage = encodeMessage({ kind: 'keyPackage', number: 0, keyPackage: new Uint8Array(300) })
    session.say(keyPackage, keyPackage)
    session.flush(world.now)
    for (const packet of hand.sent()) hand.put(packet)
    expect(refusals(node)).toEqual({ badMessage: 1 })
  })

  test('refuses a message that says it is longer than any may be', () => {
    const { hand, node, world, session } = open()
    session.say(new Uint8Array(70_000))
    session.flush(world.now)
    for (const packet of hand.sent()) hand.put(packet)
    expect(refusals(node)['badPieces']).toBe(1)
    expect(node.sponsor?.sessions).toBe(0)
  })
})

test('a packet with anything behind its body, in another class, or of an unknown kind is malformed', () => {
  const { hand, world } = scene()
  const { founding, crypto } = world
  const key = crypto.kdf.expand(crypto.kdf.extract(new Uint8Array(0), founding.doorKey), utf8('door'), 32)
  const sealed = (plain: Uint8Array): Uint8Array => {
    const packet = new Uint8Array(plain.length + PACKET_OVERHEAD)
    packet.set(hand.envelope.seal(hand.door, DOOR_KIND.call, new Uint8Array(0)).subarray(0, CIPHER_OFFSET))
    const [header, nonce] = [packet.subarray(0, NONCE_OFFSET), packet.subarray(NONCE_OFFSET, CIPHER_OFFSET)]
    crypto.aead.seal(key, nonce, header, plain, packet.subarray(CIPHER_OFFSET))
    return packet
  }
  const plain = (length: number, kind: number, at = 1, byte = 0): Uint8Array => {
    const bytes = new Uint8Array(length)
    bytes[0] = kind
    bytes[at] = byte
    return bytes
  }
  const wrong = [plain(128, 1, 127, 1), plain(256, 1), plain(128, 0), plain(128, 5), plain(128, 1, 1, 9)]
  for (const bytes of wrong) expect(hand.envelope.open(sealed(bytes))).toBe('malformed')
  expect(hand.envelope.open(sealed(plain(128, 1)))).toMatchObject({ kind: DOOR_KIND.call })
})

test('every door packet has one of the lengths that other packets have', () => {
  const world = new DoorWorld(3)
  world.members('creator', 'alice')
  const joiner = world.node('joiner', world.person())
  joiner.joinBy(world.url())
  world.runUntil(() => joiner.isMember, 10 * SECOND)
  const lengths = new Set(world.seen.map((packet) => packet.length - PACKET_OVERHEAD))
  for (const length of lengths) expect([128, 256, 512, 1_024, 1_343]).toContain(length)
})
