/** From a URL to membership in the door's world, and the ways in which it must not go. */
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { MINUTE, SECOND } from '../../core/io.ts'
import { parseInvitation } from '../../core/ledger/invitation.ts'
import type { DoorNode } from '../support/door-node.ts'
import { DoorWorld, FAIR, FOUL } from '../support/door-world.ts'

/** Everybody of the branch is in one epoch with the same roster. */
function agree(world: DoorWorld, branch = 'main'): void {
  const [first, ...others] = world.group(branch)
  for (const other of others) {
    expect(other.head()).toEqual(first?.head())
    expect(other.members()).toEqual(first?.members())
  }
}

/** Somebody new who tries the URL. */
function guest(world: DoorWorld, name: string, url: string): DoorNode {
  const node = world.node(name, world.person())
  node.joinBy(url)
  return node
}

describe('a joiner with a URL', () => {
  test('becomes a member while the creator is offline', () => {
    const world = new DoorWorld(1)
    const [creator, alice, bob] = world.members('creator', 'alice', 'bob')
    const url = world.url()
    creator.online = false
    const joiner = guest(world, 'joiner', url)
    expect(world.runUntil(() => joiner.isMember, 10 * SECOND)).toBe(true)
    expect(joiner.failures).toEqual([])
    expect(alice.has(joiner.person.key) && bob.has(joiner.person.key)).toBe(true)
    agree(world)
  })

  test('becomes one with the real cryptography of doors and facts', () => {
    const world = new DoorWorld(2, FAIR, noble)
    world.members('creator', 'alice')
    const joiner = guest(world, 'joiner', world.url())
    expect(world.runUntil(() => joiner.isMember, 10 * SECOND)).toBe(true)
    agree(world)
  })

  test('waits only for the cards of two others where there are some', () => {
    const world = new DoorWorld(3)
    world.members('creator', 'alice', 'bob', 'carol', 'dave')
    const joiner = guest(world, 'joiner', world.url())
    expect(world.runUntil(() => joiner.isMember, 2 * SECOND)).toBe(true)
  })

  test('is let in by the only other member on that word alone', () => {
    const world = new DoorWorld(4)
    world.members('creator')
    const joiner = guest(world, 'joiner', world.url())
    expect(world.runUntil(() => joiner.isMember, 2 * SECOND)).toBe(true)
  })

  test('opens its own door and lets the next one in when all others are gone', () => {
    const world = new DoorWorld(5)
    const members = world.members('creator', 'alice')
    const urls = [world.url(), world.url()] as const
    const first = guest(world, 'first', urls[0])
    expect(world.runUntil(() => first.isMember, 10 * SECOND)).toBe(true)
    for (const member of members) member.online = false
    const second = guest(world, 'second', urls[1])
    expect(world.runUntil(() => second.isMember, 20 * SECOND)).toBe(true)
    expect(first.has(second.person.key)).toBe(true)
  })

  test('tries until somebody comes online', () => {
    const world = new DoorWorld(6)
    const [creator] = world.members('creator')
    creator.online = false
    const joiner = guest(world, 'joiner', world.url())
    world.run(3 * MINUTE)
    expect(joiner.isMember).toBe(false)
    creator.online = true
    expect(world.runUntil(() => joiner.isMember, 30 * SECOND)).toBe(true)
  })

  test('asks another when its sponsor vanishes in the middle', () => {
    const world = new DoorWorld(7)
    const [creator, alice, bob] = world.members('creator', 'alice', 'bob')
    const joiner = guest(world, 'joiner', world.url())
    const served = (): DoorNode | undefined =>
      [creator, alice, bob].find((node) => (node.sponsor?.sessions ?? 0) > 0)
    expect(world.runUntil(() => served() !== undefined, SECOND)).toBe(true)
    const sponsor = served() as DoorNode
    sponsor.online = false
    expect(world.runUntil(() => joiner.isMember, 2 * MINUTE)).toBe(true)
    expect(joiner.failures.length).toBeGreaterThan(0)
    expect(sponsor.has(joiner.person.key)).toBe(false)
  })

  test('erases the seed of the invitation when it is in, and not before', () => {
    const world = new DoorWorld(8)
    world.members('creator')
    const invitation = parseInvitation(world.crypto, world.url())
    const joiner = world.node('joiner', world.person())
    joiner.joinWith(invitation)
    expect(invitation.seed.some((byte) => byte !== 0)).toBe(true)
    world.runUntil(() => joiner.isMember, 10 * SECOND)
    expect(invitation.seed.every((byte) => byte === 0)).toBe(true)
  })
})

describe('one invitation', () => {
  test('redeemed twice at once gives one member', () => {
    const world = new DoorWorld(10)
    const [creator] = world.members('creator', 'alice', 'bob')
    const url = world.url()
    const twins = [guest(world, 'one', url), guest(world, 'two', url)]
    world.run(40 * SECOND)
    expect(twins.filter((twin) => twin.isMember)).toHaveLength(1)
    const loser = twins.find((twin) => !twin.isMember) as DoorNode
    expect(creator.has(loser.person.key)).toBe(false)
    expect(loser.failures.some((why) => why === 'serialSpent' || why === 'notAdded')).toBe(true)
    agree(world)
  })

  test('redeemed again later is refused before any signature is looked at', () => {
    const world = new DoorWorld(11)
    const members = world.members('creator', 'alice')
    const url = world.url()
    const first = guest(world, 'first', url)
    world.runUntil(() => first.isMember, 10 * SECOND)
    const sizes = members.map((member) => member.ledger.size)
    const second = guest(world, 'second', url)
    world.run(20 * SECOND)
    expect(second.isMember).toBe(false)
    expect(new Set(second.failures)).toEqual(new Set(['serialSpent']))
    expect(members.map((member) => member.ledger.size)).toEqual(sizes)
  })

  test('is worth nothing after its end', () => {
    const world = new DoorWorld(12)
    const [creator] = world.members('creator')
    const joiner = guest(world, 'joiner', world.url(-1))
    world.run(20 * SECOND)
    expect(joiner.isMember).toBe(false)
    expect(new Set(joiner.failures)).toEqual(new Set(['grantOver']))
    expect(creator.tally['grantOver']).toBeGreaterThan(0)
  })
})

describe('an evicted member', () => {
  test('does not get back in: neither with its old URL nor as itself', () => {
    const world = new DoorWorld(20)
    const members = world.members('creator', 'alice', 'bob')
    const url = world.url()
    const eve = guest(world, 'eve', url)
    world.runUntil(() => eve.isMember, 10 * SECOND)
    world.revoke(eve.person.key, members)
    members[0].removeByHand(eve.person.key)
    eve.rejoin()
    const again = guest(world, 'eve again', url)
    world.run(2 * MINUTE)
    expect(again.isMember).toBe(false)
    expect(new Set(again.failures)).toEqual(new Set(['serialSpent']))
    expect(eve.isMember).toBe(false)
    expect(new Set(eve.failures)).toEqual(new Set(['revoked']))
    for (const member of members) {
      expect(member.has(again.person.key) || member.has(eve.person.key)).toBe(false)
      expect(member.sponsor?.sessions).toBe(0)
    }
  })

  test('loses its open session at the moment that its revocation is heard', () => {
    const world = new DoorWorld(21)
    const [creator] = world.members('creator')
    const eve = guest(world, 'eve', world.url())
    expect(world.runUntil(() => creator.sponsor?.sessions === 1, SECOND)).toBe(true)
    world.revoke(eve.person.key, [creator])
    expect(creator.sponsor?.sessions).toBe(0)
    world.run(20 * SECOND)
    expect(eve.isMember).toBe(false)
  })

  /** Eve goes on alone in the epoch that she was evicted from, and is always the first to answer. */
  function ghost(world: DoorWorld): { eve: DoorNode; members: readonly DoorNode[] } {
    const [creator, alice, bob, eve] = world.members('creator', 'alice', 'bob', 'eve')
    eve.branch = 'ghost'
    eve.eager = true
    const members = [creator, alice, bob]
    world.revoke(eve.person.key, members)
    creator.removeByHand(eve.person.key)
    return { eve, members }
  }

  test('that poses as a sponsor is found out by the floor of the URL', () => {
    const world = new DoorWorld(22)
    const { eve, members } = ghost(world)
    const url = world.url()
    for (const member of members) member.online = false
    const joiner = guest(world, 'joiner', url)
    world.run(20 * SECOND)
    expect(joiner.failures).toContain('belowFloor')
    for (const member of members) member.online = true
    expect(world.runUntil(() => joiner.isMember, MINUTE)).toBe(true)
    expect(joiner.has(eve.person.key)).toBe(false)
    expect(joiner.ledger.refused(eve.person.key)?.why).toBe('revoked')
  })

  test('that shows a ledger which reaches the floor shows its own revocation', () => {
    const world = new DoorWorld(23)
    const { eve, members } = ghost(world)
    const url = world.url()
    for (const fact of members[0]?.ledger.facts() ?? []) eve.ledger.add(fact.bytes)
    eve.showsOldChain = true
    for (const member of members) member.online = false
    const joiner = guest(world, 'joiner', url)
    world.run(20 * SECOND)
    expect(joiner.failures).toContain('revoked')
    expect(joiner.isMember).toBe(false)
    for (const member of members) member.online = true
    expect(world.runUntil(() => joiner.isMember, MINUTE)).toBe(true)
  })

  test('that hides it from a joiner with an older URL has no other member to vouch for the branch', () => {
    const world = new DoorWorld(24)
    const url = world.url()
    const { eve, members } = ghost(world)
    eve.silent = true
    for (const member of members) member.online = false
    const joiner = guest(world, 'joiner', url)
    world.run(20 * SECOND)
    expect(joiner.failures).toContain('noLiveCard')
    for (const member of members) member.online = true
    expect(world.runUntil(() => joiner.isMember, 2 * MINUTE)).toBe(true)
    expect(joiner.has(eve.person.key)).toBe(false)
  })
})

describe('a salt that others do not have', () => {
  test('is refused, and another sponsor asked', () => {
    const world = new DoorWorld(25)
    const [creator, ...others] = world.members('creator', 'alice', 'bob')
    creator.salt = new Uint8Array(32).fill(9)
    const joiner = guest(world, 'joiner', world.url())
    world.run(20 * SECOND)
    expect(joiner.failures).toContain('wrongSalt')
    creator.online = false
    expect(world.runUntil(() => joiner.isMember, 2 * MINUTE)).toBe(true)
    expect(joiner.salt).toEqual(others[0].salt)
  })
})

describe('a member that lost its group', () => {
  test('rejoins under a new leaf', () => {
    const world = new DoorWorld(30)
    const [creator, alice] = world.members('creator', 'alice', 'bob')
    alice.rejoin()
    expect(world.runUntil(() => alice.isMember, 10 * SECOND)).toBe(true)
    expect(creator.members()).toHaveLength(3)
    agree(world)
  })

  test('catches up from the log of another after being offline', () => {
    const world = new DoorWorld(31)
    const [, alice] = world.members('creator', 'alice', 'bob')
    alice.online = false
    const urls = Array.from({ length: 5 }, () => world.url())
    const guests = urls.map((url, place) => guest(world, `guest ${place}`, url))
    world.runUntil(() => guests.every((each) => each.isMember), MINUTE)
    alice.online = true
    alice.startCatchUp()
    expect(world.runUntil(() => alice.events.includes('caughtUp'), 20 * SECOND)).toBe(true)
    expect(alice.events.filter((event) => event === 'followed')).toHaveLength(5)
    agree(world)
  })

  test('is told to rejoin when no log reaches back so far', () => {
    const world = new DoorWorld(32)
    const [creator, alice, bob] = world.members('creator', 'alice', 'bob')
    alice.online = false
    const joiner = guest(world, 'joiner', world.url())
    world.runUntil(() => joiner.isMember, 10 * SECOND)
    for (const node of [creator, bob, joiner]) node.entries.length = 0
    alice.online = true
    alice.startCatchUp()
    expect(world.runUntil(() => alice.events.includes('mustRejoin'), 20 * SECOND)).toBe(true)
    expect(world.runUntil(() => alice.isMember, 20 * SECOND)).toBe(true)
    agree(world)
  })

  test('that was evicted meanwhile is served no log', () => {
    const world = new DoorWorld(33)
    const [creator, eve, bob] = world.members('creator', 'eve', 'bob')
    eve.online = false
    world.revoke(eve.person.key, [creator, bob])
    creator.removeByHand(eve.person.key)
    eve.online = true
    eve.startCatchUp()
    world.run(20 * SECOND)
    expect(eve.events).not.toContain('followed')
    expect(new Set(eve.failures)).toEqual(new Set(['revoked']))
  })
})

describe('where no door answers', () => {
  test('a certified member founds a lineage after a minute, not sooner', () => {
    const world = new DoorWorld(40)
    const [creator, alice] = world.members('creator', 'alice')
    creator.online = false
    alice.rejoin()
    world.run(59 * SECOND)
    expect(alice.isMember).toBe(false)
    expect(world.runUntil(() => alice.events.includes('founded'), 3 * SECOND)).toBe(true)
    expect(alice.members()).toHaveLength(1)
  })

  test('nobody founds who has no Charter, or no Grant that is in force', () => {
    const world = new DoorWorld(41)
    const [creator, alice] = world.members('creator', 'alice')
    creator.online = false
    const joiner = guest(world, 'joiner', world.url())
    world.revoke(alice.person.key, [alice])
    alice.rejoin()
    world.run(5 * MINUTE)
    expect(joiner.isMember || alice.isMember).toBe(false)
  })

  test('nobody founds while a door answers', () => {
    const world = new DoorWorld(42)
    const [creator, alice] = world.members('creator', 'alice')
    creator.refuses = true
    alice.rejoin()
    world.run(5 * MINUTE)
    expect(alice.isMember).toBe(false)
    expect(alice.events).not.toContain('founded')
    expect(alice.failures).toContain('busy')
  })

  test('the creator founds at once', () => {
    const world = new DoorWorld(43)
    const [creator] = world.members('creator')
    creator.rejoin({ foundAfter: 0 })
    expect(world.runUntil(() => creator.isMember, SECOND)).toBe(true)
  })
})

describe('in foul weather', () => {
  test.each([50, 51, 52, 53])('five joiners get in, seed %i', (seed) => {
    const world = new DoorWorld(seed, FOUL)
    world.members('creator', 'alice', 'bob')
    const joiners = Array.from({ length: 5 }, (_, place) => guest(world, `joiner ${place}`, world.url()))
    expect(world.runUntil(() => joiners.every((joiner) => joiner.isMember), 2 * MINUTE)).toBe(true)
    world.run(MINUTE)
    agree(world)
  })
})
