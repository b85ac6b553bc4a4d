/** How one link becomes a neighbour or not, and what strangers can and cannot do. */
import { expect, test } from 'vitest'
import { peerKey } from '../../core/ids.ts'
import { CLOSE, MILLISECOND, type PeerId, REACHABILITY, SECOND } from '../../core/io.ts'
import { CAPABILITY, type Link } from '../../core/links/link.ts'
import { Membership } from '../../core/mesh/membership.ts'
import {
  type Descriptor,
  disconnect,
  forwardJoin,
  join,
  neighbour,
  neighbourReply,
  PARTING,
  PRIORITY,
  shuffle,
  shuffleReply,
} from '../../core/mesh/messages.ts'
import { KIND, type Kind } from '../../core/wire/kinds.ts'
import { decodeControl, encodeControl, type Schema } from '../../core/wire/schema.ts'
import { testContext } from '../support/context.ts'
import { crowd, MeshWorld } from '../support/mesh-world.ts'

const address = new Uint8Array(8)

/** One message of an intruder to node 0. */
function say<T>(world: MeshWorld, link: Link, kind: Kind, schema: Schema<T>, value: T): void {
  const node = world.node(0)
  world.step(node, () => node.mesh.onMessage(world.now, link, kind, encodeControl(kind, schema, value)))
}

/** The last answer that an intruder got. */
function lastAnswer(world: MeshWorld): { readonly accepted: boolean; readonly peers: number } {
  const packets = world.told.filter((packet) => packet[1] === KIND.neighbourReply)
  const answer = decodeControl(neighbourReply, packets.at(-1) as Uint8Array)
  return { accepted: answer?.accepted === true, peers: answer?.peers.length ?? -1 }
}

/** Node 0 with so many neighbours that dialled it. */
function besieged(count: number, reach: 0 | 1 | 2 = REACHABILITY.public): MeshWorld {
  const world = new MeshWorld(30)
  world.add()
  for (let index = 0; index < count; index++) {
    say(world, world.intrude(0, reach), KIND.neighbour, neighbour, { priority: PRIORITY.high, address })
  }
  return world
}

test.each(Array.from({ length: 12 }, (_, seed) => seed))(
  'of simultaneous dials the lower PeerId wins at both ends (%i)',
  (seed) => {
    const world = new MeshWorld(seed)
    const nodes = [world.add(), world.add()].map((index) => world.node(index))
    const [one, two] = nodes
    if (one === undefined || two === undefined) throw new Error('two nodes were added')
    world.step(one, () => one.mesh.bootstrap(world.now, [world.hint(1)]))
    // From the same instant to the moment at which the first link has long been a neighbour.
    world.run(seed * 30 * MILLISECOND)
    world.step(two, () => two.mesh.bootstrap(world.now, [world.hint(0)]))
    world.run(5 * SECOND)
    expect(one.all().length).toBe(1)
    expect(world.lopsided()).toBe(0)
    expect(one.all()[0]?.id).toBe(two.all()[0]?.id)
    if (world.dialled.length > 1) {
      const lower = one.peer < two.peer ? one : two
      expect(lower.all()[0]?.dialled).toBe(true)
    }
  },
)

test('a link on which nobody asks for anything is hung up after five seconds', () => {
  const world = besieged(0)
  const link = world.intrude(0)
  world.run(4.9 * SECOND)
  expect(world.node(0).get(link.id)).toBe(link)
  world.run(0.2 * SECOND)
  expect(world.node(0).get(link.id)).toBeUndefined()
  expect(world.node(0).closed).toEqual([CLOSE.refused])
})

test('who asked and was answered does not ask again, and only neighbours gossip', () => {
  const world = besieged(0)
  const { counters } = world.node(0)
  const link = world.intrude(0)
  say(world, link, KIND.shuffle, shuffle, { walk: 1, hops: 6, peers: [] })
  expect(counters.get('dropNotNeighbour')).toBe(1)
  say(world, link, KIND.neighbourReply, neighbourReply, { accepted: true, peers: [] })
  expect(counters.get('dropUnexpected')).toBe(1)
  expect(link.neighbour).toBe(false)
  say(world, link, KIND.join, join, { address })
  expect(link.neighbour).toBe(true)
  say(world, link, KIND.join, join, { address })
  say(world, link, KIND.neighbour, neighbour, { priority: PRIORITY.high, address })
  expect(counters.get('dropUnexpected')).toBe(3)
  expect(world.node(0).ups).toBe(1)
})

test('a relay with other choices is refused by a crowd, and told of others', () => {
  const world = besieged(9)
  const link = world.intrude(0)
  say(world, link, KIND.neighbour, neighbour, { priority: PRIORITY.low, address })
  expect(lastAnswer(world)).toEqual({ accepted: false, peers: 4 })
  const hidden = world.intrude(0, REACHABILITY.private)
  say(world, hidden, KIND.neighbour, neighbour, { priority: PRIORITY.low, address })
  expect(lastAnswer(world).accepted).toBe(true)
  const lost = world.intrude(0)
  say(world, lost, KIND.neighbour, neighbour, { priority: PRIORITY.high, address })
  expect(lastAnswer(world).accepted).toBe(true)
})

/** Node 0 with a full crowd: four that a tree uses, one far off, four at 60 ms. */
function fullCrowd(): { readonly world: MeshWorld; readonly kept: readonly Link[]; readonly farthest: Link } {
  const world = besieged(9)
  const [one, two, three, four, farthest, ...near] = world.node(0).neighbours() as [
    ...(readonly [Link, Link, Link, Link, Link]),
    ...Link[],
  ]
  const kept = [one, two, three, four]
  for (const link of [...kept, farthest]) link.rtt = 100 * MILLISECOND
  for (const link of near) link.rtt = 60 * MILLISECOND
  for (const link of kept) link.treeUse = true
  return { world, kept, farthest }
}

/** A relay whose HELLOs say that it is so far off asks to be taken for a farther one. */
function optimise(world: MeshWorld, millis: number): { readonly link: Link; readonly trials: number[] } {
  const link = world.intrude(0)
  link.rtt = millis * MILLISECOND
  const before = world.told.length
  say(world, link, KIND.neighbour, neighbour, { priority: PRIORITY.optimise, address })
  const sent = world.told.slice(before).filter((packet) => packet[1] === KIND.shuffle)
  return { link, trials: sent.map((packet) => decodeControl(shuffle, packet)?.walk ?? -1) }
}

test('a full crowd takes a nearer relay for its farthest once that has proved it, but none of a tree', () => {
  const { world, kept, farthest } = fullCrowd()
  const node = world.node(0)
  const { link, trials } = optimise(world, 40)
  expect(lastAnswer(world).accepted).toBe(true)
  expect(trials.length).toBe(1)
  expect(node.neighbours()).toContain(farthest)
  world.run(40 * MILLISECOND)
  say(world, link, KIND.shuffleReply, shuffleReply, { walk: trials[0] as number, peers: [] })
  expect(node.neighbours().length).toBe(9)
  expect(node.neighbours()).toEqual(expect.arrayContaining([...kept, link]))
  expect(node.neighbours()).not.toContain(farthest)
  expect(node.counters.get('neighboursSwapped')).toBe(1)
  const far = optimise(world, 90)
  expect(lastAnswer(world).accepted).toBe(false)
  expect(far.trials).toEqual([])
})

test.each([
  ['says nothing', undefined],
  ['answers too late', 101],
  ['guesses what it was to send back', 'guess'],
] as const)('a relay that only claims to be nearer goes, and nobody for it: one that %s', (_, answer) => {
  const { world, farthest } = fullCrowd()
  const node = world.node(0)
  const before = node.neighbours()
  const { link, trials } = optimise(world, 1)
  expect(node.neighbours()).toEqual([...before, link])
  if (answer === 'guess') {
    for (let walk = 0; walk < 10; walk++)
      say(world, link, KIND.shuffleReply, shuffleReply, { walk, peers: [] })
  }
  world.run((answer === undefined ? 200 : 99) * MILLISECOND)
  if (answer === 101) {
    expect(node.neighbours()).toEqual([...before, link])
    world.run(2 * MILLISECOND)
    say(world, link, KIND.shuffleReply, shuffleReply, { walk: trials[0] as number, peers: [] })
  }
  world.run(200 * MILLISECOND)
  expect(node.neighbours()).toEqual(before)
  expect(node.neighbours()).toContain(farthest)
  expect(node.counters.get('swapsFailed')).toBe(1)
})

test('two at most are tried at once, and nobody else is sent away meanwhile', () => {
  const { world } = fullCrowd()
  const node = world.node(0)
  for (const link of node.neighbours()) if (link.rtt === 100 * MILLISECOND) link.rtt = 3 * SECOND
  world.run(20 * SECOND)
  const before = node.neighbours()
  for (let count = 0; count < 5; count++) optimise(world, 1)
  expect(node.neighbours().length).toBe(11)
  world.run(2.9 * SECOND)
  expect(node.neighbours().slice(0, 9)).toEqual(before)
  world.run(SECOND)
  expect(node.neighbours()).toEqual(before)
})

test('a flood of joins keeps within the links there may be and spares the links of trees', () => {
  const world = besieged(8)
  const node = world.node(0)
  const trees = node.neighbours().slice(0, 4)
  for (const link of trees) link.treeUse = true
  for (let index = 0; index < 1_000; index++) {
    const link = world.intrude(0)
    say(world, link, KIND.join, join, { address })
    expect(node.neighbours().length).toBeLessThanOrEqual(64)
  }
  expect(node.neighbours()).toEqual(expect.arrayContaining(trees))
  expect(node.counters.get('boundControlRate')).toBeGreaterThan(500)
  // Even who came too late got peers to go on with.
  expect(lastAnswer(world)).toEqual({ accepted: false, peers: 8 })
  world.run(6 * SECOND)
  expect(node.all().length).toBeLessThanOrEqual(64)
})

test('one peer that comes again and again keeps nobody else out', () => {
  const world = besieged(3)
  const { counters } = world.node(0)
  const first = world.intrude(0)
  for (let turn = 0; turn < 500; turn++) {
    const link = world.intrude(0, REACHABILITY.public, CAPABILITY.relay, first.peer)
    const kind = turn % 2
    if (kind === 0) say(world, link, KIND.join, join, { address })
    else say(world, link, KIND.neighbour, neighbour, { priority: PRIORITY.high, address })
  }
  expect(counters.get('boundControlRate')).toBe(490)
  for (let joiner = 0; joiner < 100; joiner++) {
    say(world, world.intrude(0), KIND.join, join, { address })
    expect(lastAnswer(world).accepted).toBe(true)
  }
  // Whoever was held back is heard again when it has waited.
  world.run(20 * SECOND)
  const later = world.intrude(0, REACHABILITY.public, CAPABILITY.relay, first.peer)
  say(world, later, KIND.join, join, { address })
  expect(lastAnswer(world).accepted).toBe(true)
})

test('a neighbour that invents joiners keeps neither joiners out nor those that others tell of', () => {
  const world = besieged(3)
  const [liar, honest] = world.node(0).neighbours() as [Link, Link]
  const tell = (link: Link, walk: number): boolean => {
    const before = world.told.length
    const key = new Uint8Array(32).fill(walk)
    const joiner = { key, reach: REACHABILITY.public, relay: true, coordinates: new Uint8Array(8), address }
    say(world, link, KIND.forwardJoin, forwardJoin, { walk, hops: 1, joiner })
    return world.told.slice(before).some((packet) => packet[1] === KIND.shuffleReply)
  }
  world.run(10 * SECOND)
  for (let walk = 0; walk < 1_000; walk++) tell(liar, walk)
  expect(tell(liar, 0)).toBe(false)
  for (let walk = 0; walk < 20; walk++) expect(tell(honest, walk)).toBe(true)
  expect(tell(honest, 20)).toBe(false)
  say(world, world.intrude(0), KIND.join, join, { address })
  expect(lastAnswer(world).accepted).toBe(true)
})

test('a neighbour that shuffles without end is heeded at its rate', () => {
  const world = besieged(2)
  const [link] = world.node(0).neighbours()
  const before = world.told.length
  for (let index = 0; index < 1_000; index++) {
    say(world, link as Link, KIND.shuffle, shuffle, { walk: index, hops: 200, peers: [] })
  }
  expect(world.told.length - before).toBeLessThanOrEqual(21)
  expect(world.node(0).counters.get('boundControlRate')).toBeGreaterThan(900)
})

test('a neighbour moves the own coordinates by two round trips at once, then by one a second', () => {
  const world = besieged(1)
  const node = world.node(0)
  const [liar] = node.neighbours() as [Link]
  liar.rtt = 2 * SECOND
  const hello = (): string => {
    const far = Uint8Array.of(9, 0, 9, 0, 0, 2, 1, 0)
    world.step(node, () => node.mesh.onHello(world.now, liar, far, 0))
    return String(node.mesh.coordinates())
  }
  const first = hello()
  const second = hello()
  expect(second).not.toBe(first)
  for (let count = 0; count < 98; count++) expect(hello()).toBe(second)
  expect(node.counters.get('boundControlRate')).toBe(98)
  world.run(SECOND)
  expect(hello()).not.toBe(second)
})

test('a neighbour that invents peers fills the passive view slowly, whatever it sends', () => {
  const world = besieged(7)
  const node = world.node(0)
  const [liar, honest] = node.neighbours() as [Link, Link]
  const [HONEST, LIE] = [1, 2]
  let made = 0
  const invented = (whose: number): Descriptor => {
    made += 1
    const key = new Uint8Array(32).fill(whose)
    new DataView(key.buffer).setUint32(0, made)
    return { key, reach: REACHABILITY.public, relay: true, coordinates: new Uint8Array(8), address }
  }
  const gossip = (link: Link, peers: readonly Descriptor[]): Descriptor[] => {
    const before = world.told.length
    say(world, link, KIND.shuffle, shuffle, { walk: made, hops: 1, peers })
    const reply = world.told.slice(before).find((packet) => packet[1] === KIND.shuffleReply)
    return reply === undefined ? [] : [...(decodeControl(shuffleReply, reply)?.peers ?? [])]
  }
  const eight = (whose: number): Descriptor[] => Array.from({ length: 8 }, () => invented(whose))
  for (let count = 0; count < 5; count++) gossip(honest, eight(HONEST))
  expect(node.mesh.view().passive).toBe(36)
  const before = node.counters.get('boundPassive')
  for (let second = 0; second < 300; second++) {
    gossip(liar, eight(LIE))
    say(world, liar, KIND.forwardJoin, forwardJoin, { walk: made, hops: 1, joiner: invented(LIE) })
    world.run(SECOND)
  }
  // Two a minute, and none of the burst that those have whom the node dialled itself.
  expect(node.counters.get('boundPassive') - before).toBeLessThanOrEqual(10)
  expect(node.counters.get('boundHearsay')).toBeGreaterThan(2_000)
  // What the node recommends is still mostly what the honest one told.
  const recommended = { [HONEST]: 0, [LIE]: 0 }
  for (let second = 0; second < 100; second++) {
    for (const { key } of gossip(honest, [])) {
      if (key[31] === key[30]) recommended[key[31] as number] = (recommended[key[31] as number] ?? 0) + 1
    }
    world.run(SECOND)
  }
  expect(recommended[HONEST]).toBeGreaterThan(100)
  expect(recommended[LIE]).toBeLessThan(0.5 * (recommended[HONEST] ?? 0))
})

/** What a node says of a neighbour when another neighbour asks it for peers, until it says something. */
function addressTold(world: MeshWorld, asker: Link, of: Link): Uint8Array {
  for (let turn = 0; turn < 200; turn++) {
    const before = world.told.length
    say(world, asker, KIND.shuffle, shuffle, { walk: turn, hops: 1, peers: [] })
    world.run(SECOND)
    for (const packet of world.told.slice(before)) {
      const peers = packet[1] === KIND.shuffleReply ? decodeControl(shuffleReply, packet)?.peers : undefined
      const entry = peers?.find(({ key }) => key.every((byte, at) => byte === of.key[at]))
      if (entry !== undefined) return entry.address
    }
  }
  throw new Error('never said')
}

test('a neighbour has a new address if it says so itself, first of all that its walk tells', () => {
  const world = besieged(3)
  const [link, asker] = world.node(0).neighbours() as [Link, Link]
  const entry = (key: Uint8Array, where: number): Descriptor => {
    const moved = new Uint8Array(8).fill(where)
    return { key, reach: REACHABILITY.public, relay: true, coordinates: new Uint8Array(8), address: moved }
  }
  const stranger = entry(new Uint8Array(32).fill(7), 1)
  say(world, link, KIND.shuffle, shuffle, { walk: 1, hops: 1, peers: [stranger, entry(link.key, 2)] })
  expect(addressTold(world, asker, link)).toEqual(address)
  say(world, link, KIND.shuffle, shuffle, { walk: 2, hops: 1, peers: [entry(link.key, 3), stranger] })
  expect(addressTold(world, asker, link)).toEqual(new Uint8Array(8).fill(3))
})

test('what a stranger says of a node does not reach the neighbours of that node as its own word', () => {
  const world = new MeshWorld(3)
  const [zero, one] = [world.add(), world.add({ contacts: [0] })]
  world.run(20 * SECOND)
  const liar = world.intrude(one)
  const node = world.node(one)
  const tell = <T>(kind: Kind, schema: Schema<T>, value: T): void =>
    world.step(node, () => node.mesh.onMessage(world.now, liar, kind, encodeControl(kind, schema, value)))
  tell(KIND.neighbour, neighbour, { priority: PRIORITY.high, address })
  const lie = {
    key: peerKey(node.peer),
    reach: REACHABILITY.public,
    relay: true,
    coordinates: new Uint8Array(8),
    address: new Uint8Array(8).fill(0xee),
  }
  tell(KIND.shuffle, shuffle, { walk: 5, hops: 6, peers: [lie] })
  world.run(2 * SECOND)
  expect(world.node(zero).neighbours().length).toBe(1)
  world.crash(one)
  world.run(10 * SECOND)
  expect(world.dialled.filter(({ from, to }) => from === zero && to === one).length).toBeGreaterThan(0)
  // Only the liar itself has an address where nobody is.
  expect(world.dialled.filter(({ to }) => to < 0).length).toBe(world.misrouted)
})

test('strangers who are refused replace no more of the passive view than one neighbour may', () => {
  const world = besieged(9)
  const node = world.node(0)
  for (let count = 0; count < 100; count++) {
    say(world, world.intrude(0), KIND.neighbour, neighbour, { priority: PRIORITY.low, address })
    world.run(SECOND)
  }
  expect(node.mesh.view().passive).toBe(36)
  expect(node.counters.get('boundPassive')).toBeLessThanOrEqual(14)
  expect(node.counters.get('boundHearsay')).toBeGreaterThanOrEqual(50)
})

test('malformed messages are counted and change nothing', () => {
  const world = besieged(3)
  const node = world.node(0)
  const [link] = node.neighbours()
  for (let kind = KIND.join; kind <= KIND.shuffleReply; kind++) {
    world.step(node, () =>
      node.mesh.onMessage(world.now, link as Link, kind, Uint8Array.of(0x10, kind, 0xff, 0xff)),
    )
  }
  expect(node.counters.get('dropMalformed')).toBe(7)
  expect(node.neighbours().length).toBe(3)
})

test('nobody is sent away from a crowd that went by itself', () => {
  const world = besieged(11)
  const node = world.node(0)
  world.run(9.9 * SECOND)
  expect(node.neighbours().length).toBe(11)
  for (const link of node.neighbours().slice(0, 2)) {
    say(world, link, KIND.disconnect, disconnect, { reason: PARTING.leaving })
  }
  world.run(5 * SECOND)
  expect(node.neighbours().length).toBe(9)
})

/** What may come after a HELLO that changed the sender's mind. */
const AFTERWARDS: readonly (readonly [string, (world: MeshWorld, link: Link) => void])[] = [
  [
    'by the next message',
    (world, link) => say(world, link, KIND.shuffle, shuffle, { walk: 1, hops: 1, peers: [] }),
  ],
  [
    'by the next HELLO',
    (world, link) => {
      const node = world.node(0)
      world.step(node, () => node.mesh.onHello(world.now, link, new Uint8Array(8), 0))
    },
  ],
  ['before long if it says nothing', (world) => world.run(130 * SECOND)],
]

test.each(AFTERWARDS)('a relay that becomes a leaf, or a leaf a relay, is hung up %s', (_, afterwards) => {
  for (const [first, then] of [
    [CAPABILITY.relay, 0],
    [0, CAPABILITY.relay],
  ] as const) {
    const world = besieged(6)
    const node = world.node(0)
    const link = world.intrude(0, REACHABILITY.public, first)
    say(world, link, KIND.join, join, { address })
    expect(link.neighbour).toBe(true)
    link.capabilities = then
    afterwards(world, link)
    expect(node.get(link.id)).toBeUndefined()
    expect(node.closed).toEqual([CLOSE.misbehaved])
    expect(node.neighbours().length).toBe(6)
  }
})

test('a relay that carries any VLAN may cease to, and be reached in another way than before', () => {
  const world = besieged(7)
  const node = world.node(0)
  const [link] = node.neighbours() as [Link]
  link.capabilities = CAPABILITY.relay | CAPABILITY.openRelay
  link.reach = REACHABILITY.punchable
  world.step(node, () => node.mesh.onHello(world.now, link, new Uint8Array(8), 0))
  world.run(130 * SECOND)
  expect(link.neighbour).toBe(true)
  expect(node.closed).toEqual([])
})

test('DISCONNECT ends the link with the reason given', () => {
  const world = besieged(2)
  const [one, two] = world.node(0).neighbours()
  say(world, one as Link, KIND.disconnect, disconnect, { reason: PARTING.leaving })
  say(world, two as Link, KIND.disconnect, disconnect, { reason: PARTING.replaced })
  expect(world.node(0).closed).toEqual([CLOSE.leaving, CLOSE.replaced])
  expect(world.node(0).downs).toBe(2)
})

test('dials of which nothing is ever heard are given up, three at once at most', () => {
  const context = testContext(1)
  const dialled: PeerId[] = []
  const links = {
    get: () => undefined,
    byPeer: () => undefined,
    all: () => [],
    control() {},
    data: () => true,
    expect: () => undefined,
    ask: () => undefined,
    setTreeUse: () => undefined,
    hangUp() {},
  }
  const mesh = new Membership(context, links, { neighbourUp() {}, neighbourDown() {} })
  const drain = (): void => context.out.drain({ dial: (peer: PeerId) => dialled.push(peer) } as never)
  const hints = Array.from({ length: 8 }, (_, index) => ({
    peer: String(index).repeat(64) as PeerId,
    addresses: [address],
    reach: REACHABILITY.public,
  }))
  mesh.bootstrap(0, hints)
  let due = context.deadline.at
  while (due < 9 * SECOND) due = mesh.wake(due)
  drain()
  expect(dialled.length).toBe(3)
  while (due < 60 * SECOND) due = mesh.wake(due)
  drain()
  expect(new Set(dialled).size).toBe(8)
  expect(dialled.length).toBeLessThanOrEqual(3 * 7)
})

test("a wrong hint or address is the caller's mistake and says so", () => {
  const world = crowd(31, 2, 1, SECOND)
  const { mesh } = world.node(0)
  const long = new Uint8Array(33)
  expect(() => mesh.addressesChanged(world.now, [long], REACHABILITY.public)).toThrow('at most 32')
  const peer = 'not a key' as PeerId
  expect(() => mesh.bootstrap(world.now, [{ peer, addresses: [], reach: REACHABILITY.public }])).toThrow('64')
})
