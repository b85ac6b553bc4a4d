/** Doors as a group's machine uses them: what it says arrives, in order, or the session ends. */
import { describe, expect, test } from 'vitest'
import { Doorway, type DoorwayEvent } from '../../core/door/doorway.ts'
import { MESSAGE_BYTES_MAX } from '../../core/door/limits.ts'
import { SECOND } from '../../core/io.ts'
import type { DoorNode } from '../support/door-node.ts'
import { DoorWorld, FAIR, FOUL, type Weather } from '../support/door-world.ts'

/** Members with doorways in place of doors, and what each has been told. */
function scene<Names extends readonly string[]>(seed: number, weather: Weather, ...names: Names) {
  const world = new DoorWorld(seed, weather)
  const members = world.members(...names)
  for (const node of members) {
    node.sponsor?.shut(world.now)
    node.sponsor = undefined
    furnish(world, node).open(world.now)
  }
  return { world, members }
}

function furnish(world: DoorWorld, node: DoorNode): Doorway {
  node.doorway = new Doorway(world.now, node.context, node, node.person.seed)
  node.doorway.start(world.now)
  return node.doorway
}

/** Somebody invited, with a doorway and no group. */
function guest(world: DoorWorld): DoorNode {
  const node = world.node('guest', world.person())
  node.redeem(world.url())
  furnish(world, node)
  return node
}

const door = (node: DoorNode): Doorway => node.doorway as Doorway
const moment = (world: DoorWorld) => ({ now: world.now, wall: world.wall() })

function told(node: DoorNode): DoorwayEvent[] {
  const events: DoorwayEvent[] = []
  for (let event = door(node).take(); event !== undefined; event = door(node).take()) events.push(event)
  return events
}

/** Two ends of a session, opened by a knock of the first. */
function connect(seed: number, weather: Weather) {
  const { world, members } = scene(seed, weather, 'creator')
  const caller = guest(world)
  door(caller).knock(moment(world), 'join')
  world.run(10 * SECOND)
  const [there, here] = [told(members[0]), told(caller)]
  expect(there.map(({ kind }) => kind)).toEqual(['opened'])
  expect(here.map(({ kind }) => kind)).toEqual(['opened'])
  const numberOf = ([event]: readonly DoorwayEvent[]): number =>
    event?.kind === 'opened' ? event.session : -1
  return { world, sponsor: members[0], caller, there, here, ids: [numberOf(there), numberOf(here)] as const }
}

describe('a knock', () => {
  test('opens one session, and each end knows who is at the other', () => {
    const { sponsor, caller, there, here } = connect(1, FAIR)
    expect(there[0]).toMatchObject({ peer: caller.person.key, purpose: 'join', isInitiator: false })
    expect(here[0]).toMatchObject({ peer: sponsor.person.key, purpose: 'join', isInitiator: true })
  })

  test('to which nobody answers is given up without a word', () => {
    const { world, members } = scene(2, FAIR, 'creator')
    members[0].online = false
    const caller = guest(world)
    door(caller).knock(moment(world), 'join')
    const before = world.seen.length
    world.run(60 * SECOND)
    const calls = world.seen.length - before
    expect(told(caller)).toEqual([])
    world.run(60 * SECOND)
    expect(world.seen.length - before).toBe(calls)
  })

  test('for a merge is answered by the branch that was named and by no other', () => {
    const { world, members } = scene(3, FAIR, 'a', 'b', 'c', 'd')
    const [a, , c, d] = members
    for (const node of [c, d]) node.branch = 'other'
    world.admitInto(c, world.node('e', world.person(), 'other'))
    door(a).knock(moment(world), 'merge', c.head())
    world.run(5 * SECOND)
    expect(
      members
        .slice(0, 2)
        .flatMap(told)
        .map(({ kind }) => kind),
    ).toEqual(['opened'])
    door(a).knock(moment(world), 'merge', new Uint8Array(16).fill(7))
    world.run(5 * SECOND)
    expect(members.flatMap(told).filter(({ kind }) => kind === 'opened')).toEqual([])
  })

  test('at the door of a member known to be evicted ends at its answer', () => {
    const { world, members } = scene(5, FAIR, 'eve')
    const caller = guest(world)
    world.revoke(members[0].person.key, [caller])
    door(caller).knock(moment(world), 'join')
    world.run(5 * SECOND)
    expect(told(caller)).toEqual([])
    expect(Object.keys(caller.tally)).toEqual(['revoked'])
  })

  test('again leaves whoever came of the first one alone', () => {
    const { world, members } = scene(4, FAIR, 'a', 'b', 'c')
    const caller = guest(world)
    const peers = new Set<string>()
    for (let each = 0; each < 3; each++) {
      door(caller).knock(moment(world), 'join')
      world.run(5 * SECOND)
      for (const event of told(caller)) if (event.kind === 'opened') peers.add(event.peer.join())
    }
    expect(peers.size).toBe(members.length)
  })
})

describe('a session', () => {
  test.each([10, 11, 12, 13])('carries what both say in order through foul weather, seed %i', (seed) => {
    const { world, sponsor, caller, ids } = connect(seed, FOUL)
    const words = Array.from({ length: 20 }, (_, at) => new Uint8Array(300 * at).fill(at))
    for (const word of words) {
      door(sponsor).send(world.now, ids[0], word)
      door(caller).send(world.now, ids[1], word)
    }
    world.run(20 * SECOND)
    expect(told(caller)).toEqual(words.map((bytes) => ({ kind: 'message', session: ids[1], bytes })))
    expect(told(sponsor)).toEqual(words.map((bytes) => ({ kind: 'message', session: ids[0], bytes })))
  })

  test.each([20, 21, 22, 23])('that is closed at once still delivers what was said, seed %i', (seed) => {
    const { world, sponsor, caller, ids } = connect(seed, FOUL)
    const last = new Uint8Array(5_000).fill(1)
    door(sponsor).send(world.now, ids[0], last)
    door(sponsor).close(world.now, ids[0])
    world.run(60 * SECOND)
    expect(told(caller)).toEqual([
      { kind: 'message', session: ids[1], bytes: last },
      { kind: 'closed', session: ids[1] },
    ])
    expect(told(sponsor)).toEqual([])
    expect(door(sponsor).send(world.now, ids[0], last)).toBe(false)
  })

  test('ends at both ends when one is gone', () => {
    const { world, sponsor, caller, ids } = connect(30, FAIR)
    caller.online = false
    world.run(60 * SECOND)
    caller.online = true
    world.run(SECOND)
    expect(told(sponsor)).toEqual([{ kind: 'closed', session: ids[0] }])
    expect(told(caller)).toEqual([{ kind: 'closed', session: ids[1] }])
  })

  test('with a member that becomes refused ends at whichever end hears it', () => {
    const { world, sponsor, caller, ids } = connect(31, FAIR)
    world.revoke(caller.person.key, [sponsor])
    door(sponsor).recheck(world.now)
    expect(told(sponsor)).toEqual([{ kind: 'closed', session: ids[0] }])
    world.revoke(sponsor.person.key, [caller])
    door(caller).recheck(world.now)
    expect(told(caller)).toEqual([{ kind: 'closed', session: ids[1] }])
  })
})

describe('a Welcome', () => {
  test.each([40, 41, 42, 43])('reaches the route of its joiner once, by any member, seed %i', (seed) => {
    const { world, members } = scene(seed, FOUL, 'creator', 'alice')
    const joiner = guest(world)
    const message = new Uint8Array(200_000).map((_, at) => at * 7)
    expect(door(members[1]).deliver(moment(world), door(joiner).route, message)).toBe(true)
    world.run(40 * SECOND)
    expect(told(joiner)).toEqual([{ kind: 'welcome', bytes: message }])
    expect(members.flatMap(told)).toEqual([])
  })

  test('is taken from no evicted member', () => {
    const { world, members } = scene(44, FAIR, 'creator', 'eve')
    const joiner = guest(world)
    world.revoke(members[1].person.key, [joiner])
    door(members[1]).deliver(moment(world), door(joiner).route, new Uint8Array(10))
    world.run(40 * SECOND)
    expect(told(joiner)).toEqual([])
    expect(joiner.tally['revoked']).toBeGreaterThan(0)
  })

  test('to a joiner that has gone is given up', () => {
    const { world, members } = scene(45, FAIR, 'creator')
    const joiner = guest(world)
    joiner.online = false
    door(members[0]).deliver(moment(world), door(joiner).route, new Uint8Array(10))
    world.run(60 * SECOND)
    const before = world.seen.length
    world.run(60 * SECOND)
    expect(world.seen.length).toBe(before)
    expect(members[0].tally['silent']).toBe(1)
  })

  test('beyond those of four commits is refused', () => {
    const { world, members } = scene(46, FAIR, 'creator')
    const routeOf = (at: number): Uint8Array => new Uint8Array(32).fill(at).fill(at >>> 8, 16)
    const sent = Array.from({ length: 262 }, (_, at) =>
      door(members[0]).deliver(moment(world), routeOf(at), new Uint8Array(1)),
    )
    expect(sent.filter((isSent) => isSent)).toHaveLength(256)
    expect(members[0].tally['deliveriesFull']).toBe(6)
  })

  test('that is there goes before those that may never come', () => {
    const { world, members } = scene(48, FAIR, 'creator')
    const joiner = guest(world)
    const routeOf = (at: number): Uint8Array => new Uint8Array(32).fill(at).fill(at >>> 8, 16)
    for (let at = 0; at < 256; at++) door(members[0]).expect(moment(world), routeOf(at))
    expect(door(members[0]).deliver(moment(world), door(joiner).route, new Uint8Array(10).fill(7))).toBe(true)
    world.run(60 * SECOND)
    expect(told(joiner)).toEqual([{ kind: 'welcome', bytes: new Uint8Array(10).fill(7) }])
    expect(members[0].tally['deliveriesFull']).toBeUndefined()
  })

  test('longer than a session takes is refused, and counted', () => {
    const { world, members } = scene(49, FAIR, 'creator')
    const { route } = door(guest(world))
    expect(door(members[0]).deliver(moment(world), route, new Uint8Array(MESSAGE_BYTES_MAX + 1))).toBe(false)
    expect(members[0].tally['badMessage']).toBe(1)
  })

  test('waits while thirty-two others are under way, but not for those that do not answer', () => {
    const { world, members } = scene(47, FAIR, 'creator')
    const joiner = guest(world)
    for (let at = 0; at < 32; at++)
      door(members[0]).deliver(moment(world), new Uint8Array(32).fill(at), new Uint8Array(1))
    door(members[0]).deliver(moment(world), door(joiner).route, new Uint8Array(10).fill(7))
    world.run(4 * SECOND)
    expect(told(joiner)).toEqual([])
    world.run(8 * SECOND)
    expect(told(joiner)).toEqual([{ kind: 'welcome', bytes: new Uint8Array(10).fill(7) }])
    world.run(30 * SECOND)
    expect(members[0].tally['silent']).toBe(32)
  })
})
