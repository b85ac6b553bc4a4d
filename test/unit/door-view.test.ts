/** What relays can tell from door packets, and two branches that meet through a door. */
import { expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { Ambassador } from '../../core/door/ambassador.ts'
import { doorRoute, routeOf, routeProof } from '../../core/door/token.ts'
import { hex, utf8 } from '../../core/ids.ts'
import { SECOND } from '../../core/io.ts'
import { checkProof, proofNamesToken } from '../../core/vlan/tokens.ts'
import { AAD_BYTES, MLS_OFFSET, NONCE_OFFSET } from '../../core/wire/packet.ts'
import { DoorWorld, FAIR } from '../support/door-world.ts'

test('a relay finds no member key, serial, leaf key or MLS content in the packets of a door', () => {
  const world = new DoorWorld(1, FAIR, noble)
  const members = world.members('creator', 'alice', 'bob')
  const joiner = world.node('joiner', world.person())
  joiner.joinBy(world.url())
  expect(world.runUntil(() => joiner.isMember, 10 * SECOND)).toBe(true)
  members[1].online = false
  const second = world.node('second', world.person())
  second.joinBy(world.url())
  world.runUntil(() => second.isMember, 10 * SECOND)
  members[1].online = true
  members[1].startCatchUp()
  expect(world.runUntil(() => members[1].events.includes('caughtUp'), 10 * SECOND)).toBe(true)
  const view = world.seen.map(hex).join('\n')
  const secrets = new Map<string, Uint8Array>()
  for (const node of world.nodes) {
    for (const { credential, signatureKey, hpkeKey } of node.roster) {
      secrets.set('member key', credential.subarray(0, 32))
      secrets.set('serial', credential.subarray(32, 48))
      secrets.set('leaf key', signatureKey)
      secrets.set('HPKE key', hpkeKey)
      for (const [name, bytes] of secrets) expect(view.includes(hex(bytes)), name).toBe(false)
    }
    for (const fact of node.ledger.facts())
      for (const bytes of [fact.id, fact.bytes.subarray(0, 32), fact.bytes.subarray(-32)])
        expect(view.includes(hex(bytes)), 'a fact').toBe(false)
    for (const { commit } of node.entries)
      for (let at = 0; at + 16 <= commit.length; at += 16)
        expect(view.includes(hex(commit.subarray(at, at + 16))), 'a commit').toBe(false)
    for (const id of node.lineageOf) expect(view.includes(hex(id)), 'an MLS-ID').toBe(false)
  }
  expect(view.includes(hex(world.founding.doorKey))).toBe(false)
  expect(view.includes(hex(utf8('MLS 1.0')))).toBe(false)
})

test('headers differ in nothing but tokens and random bytes', () => {
  const world = new DoorWorld(2, FAIR, noble)
  world.members('creator')
  const joiner = world.node('joiner', world.person())
  joiner.joinBy(world.url())
  world.runUntil(() => joiner.isMember, 10 * SECOND)
  expect(new Set(world.seen.map((packet) => hex(packet.subarray(0, MLS_OFFSET)))).size).toBe(1)
  const ids = new Set(world.seen.map((packet) => hex(packet.subarray(MLS_OFFSET, MLS_OFFSET + 16))))
  const nonces = new Set(world.seen.map((packet) => hex(packet.subarray(NONCE_OFFSET, NONCE_OFFSET + 12))))
  expect(ids.size).toBe(world.seen.length)
  expect(nonces.size).toBe(world.seen.length)
  expect(AAD_BYTES).toBe(NONCE_OFFSET)
})

test('the door is registered by whoever has its key and by nobody else', () => {
  const { founding, crypto } = new DoorWorld(3, FAIR, noble)
  const { vlan, doorKey } = founding
  const door = doorRoute(crypto, vlan, doorKey)
  expect(checkProof(crypto, vlan, door.token, routeProof(crypto, vlan, door, 1))).toBe(true)
  for (const other of [
    doorRoute(crypto, vlan, new Uint8Array(32)),
    doorRoute(crypto, new Uint8Array(16), doorKey),
    routeOf(crypto, vlan, doorKey),
  ])
    expect(proofNamesToken(crypto, vlan, door.token, routeProof(crypto, vlan, other, 1))).toBe(false)
})

test('two branches meet by their ambassadors, share what they know and show the same evidence', () => {
  const world = new DoorWorld(4)
  const [creator, alice, bob, carol] = world.members('creator', 'alice', 'bob', 'carol')
  const fork = creator.head() as Uint8Array
  for (const node of [bob, carol]) node.branch = 'other'
  const gone = world.person()
  const late = world.grant(gone)
  for (const node of [creator, alice]) node.ledger.add(late.bytes)
  world.revoke(gone.key, [bob, carol])
  const [first, second] = [
    world.node('guest', world.person()),
    world.node('other guest', world.person(), 'other'),
  ]
  world.admitInto(creator, first)
  world.admitInto(bob, second)
  expect(creator.head()).not.toEqual(bob.head())

  const ambassador = new Ambassador(world.now, alice.context, alice, alice.person.seed, 1_000)
  alice.ambassador = ambassador
  const moment = { now: world.now, wall: world.wall() }
  ambassador.seek(moment, bob.head() as Uint8Array)
  const met = (): boolean =>
    alice.meeting !== undefined && [bob, carol, second].some((node) => node.meeting !== undefined)
  expect(world.runUntil(met, 20 * SECOND)).toBe(true)
  const other = [bob, carol, second].find((node) => node.meeting !== undefined)
  expect(alice.meeting?.parent).toEqual(fork)
  expect(other?.meeting?.parent).toEqual(fork)
  expect(alice.meeting?.theirs).toEqual(other?.meeting?.own)
  expect(alice.meeting?.own).toEqual(other?.meeting?.theirs)
  expect(alice.meeting?.theirs.roster).toHaveLength(5)
  expect(alice.ledger.digest()).toEqual(other?.ledger.digest())
  expect(alice.ledger.refused(gone.key)?.why).toBe('revoked')
  // Nobody of the caller's own branch answered.
  expect(creator.meeting).toBeUndefined()
})

test('an ambassador that is refused on the other side does not get through', () => {
  const world = new DoorWorld(5)
  const [creator, eve] = world.members('creator', 'eve')
  eve.branch = 'ghost'
  world.revoke(eve.person.key, [creator])
  creator.removeByHand(eve.person.key)
  world.admitInto(eve, world.node('ghost guest', world.person(), 'ghost'))
  const ambassador = new Ambassador(world.now, eve.context, eve, eve.person.seed, 1_000)
  eve.ambassador = ambassador
  ambassador.seek({ now: world.now, wall: world.wall() }, creator.head() as Uint8Array)
  world.run(10 * SECOND)
  expect(eve.failures).toContain('revoked')
  expect(creator.meeting ?? eve.meeting).toBeUndefined()
})
