import { beforeEach, describe, expect, it } from 'vitest'
import { MILLISECOND, SECOND } from '../../core/io.ts'
import { NONCE_OFFSET } from '../../core/wire/packet.ts'
import { hopLimit, trunkHop } from '../../core/wire/trunk.ts'
import { name } from '../support/vlan-talk.ts'
import { type Member, type Passing, VlanWorld } from '../support/vlan-world.ts'

const SETTLED = 10 * SECOND
/** Of an IPv4 group that is not link-local: 239.1.2.3. */
const GROUP_MAC = 0x0100_5e01_0203
const STRANGER_MAC = 0x0200_0000_0001

/**
 *        0
 *      1   2
 *     3 4 5 6        7 hangs below 6
 */
const UPPERS = [undefined, 0, 0, 1, 1, 2, 2, 6]

let world: VlanWorld
let passed: Passing[]

beforeEach(() => {
  world = new VlanWorld(7)
  world.tree(UPPERS)
  passed = []
  world.onData = (passing) => passed.push(passing)
})

/** Sends, lets it arrive everywhere, and answers over which links ("from>to") it went. */
function pathOf(send: () => number): { hops: string[]; received: string[] } {
  passed = []
  const frame = send()
  world.run(SECOND)
  return { hops: passed.map(({ from, to }) => `${from}>${to}`).sort(), received: world.received(frame) }
}

describe('unicast', () => {
  it('goes up to where the token is known, and down to its member only', () => {
    const [ann, bob] = [world.join(3, 'lab'), world.join(4, 'lab')]
    const far = world.join(7, 'lab')
    world.run(SETTLED)
    expect(pathOf(() => world.send(ann, bob.mac))).toEqual({ hops: ['1>4', '3>1'], received: [name(bob)] })
    const { hops, received } = pathOf(() => world.send(ann, far.mac))
    expect(hops).toEqual(['0>2', '1>0', '2>6', '3>1', '6>7'])
    expect(received).toEqual([name(far)])
  })

  it('to an unknown token dies at the top of the VLAN and not at the root', () => {
    const ann = world.join(3, 'lab')
    world.join(4, 'lab')
    world.run(SETTLED)
    const before = world.at(1).count('dropNoToken')
    expect(pathOf(() => world.send(ann, STRANGER_MAC)).hops).toEqual(['3>1'])
    expect(world.at(1).count('dropNoToken')).toBe(before + 1)
  })

  it('does not leave the node of the only member', () => {
    const ann = world.join(3, 'lab')
    world.run(SETTLED)
    expect(pathOf(() => world.send(ann, STRANGER_MAC)).hops).toEqual([])
    expect(world.at(3).count('dropNoToken')).toBe(1)
  })

  it('reaches another port of the same node without leaving it', () => {
    const [ann, bob] = [world.join(3, 'lab'), world.join(3, 'lab')]
    world.run(SETTLED)
    expect(pathOf(() => world.send(ann, bob.mac))).toEqual({ hops: [], received: [name(bob)] })
    world.leave(bob)
    expect(pathOf(() => world.send(ann, bob.mac)).received).toEqual([])
  })
})

describe('broadcast and multicast', () => {
  it('reaches each member once, nobody else, and every member node gets one packet', () => {
    const lab = [3, 4, 5, 7, 1].map((node) => world.join(node, 'lab'))
    world.join(6, 'office')
    world.run(SETTLED)
    for (const sender of lab) {
      const { hops, received } = pathOf(() => world.broadcast(sender))
      expect(received).toEqual(
        lab
          .filter((each) => each !== sender)
          .map(name)
          .sort(),
      )
      const arrivals = passed.map(({ to }) => to).filter((to) => lab.some(({ node }) => node === to))
      expect(arrivals.sort()).toEqual(
        lab
          .map(({ node }) => node)
          .filter((node) => node !== sender.node)
          .sort(),
      )
      expect(new Set(hops).size).toBe(hops.length)
    }
  })

  it('serves several ports of one node, and they each other', () => {
    const [ann, bob, far] = [world.join(3, 'lab'), world.join(3, 'lab'), world.join(5, 'lab')]
    world.run(SETTLED)
    expect(pathOf(() => world.broadcast(ann)).received).toEqual([name(bob), name(far)].sort())
    expect(pathOf(() => world.broadcast(far)).received).toEqual([name(ann), name(bob)].sort())
    // Nobody was given his own packet to open.
    expect(world.at(3).count('dropReplay') + world.at(5).count('dropReplay')).toBe(0)
  })

  it('of a group reaches those who joined it, also from a sender who did not', () => {
    const [ann, bob, far, other] = [
      world.join(3, 'lab'),
      world.join(4, 'lab'),
      world.join(7, 'lab'),
      world.join(5, 'lab'),
    ]
    for (const each of [bob, far]) {
      world.input(each.node, () => world.at(each.node).vlans.joinGroup(world.now, each.port, GROUP_MAC))
    }
    world.run(SETTLED)
    expect(pathOf(() => world.send(ann, GROUP_MAC)).received).toEqual([name(bob), name(far)])
    expect(pathOf(() => world.send(far, GROUP_MAC)).received).toEqual([name(bob)])
    expect(pathOf(() => world.send(other, GROUP_MAC)).received).toEqual([name(bob), name(far)])
    world.input(far.node, () => world.at(far.node).vlans.leaveGroup(world.now, far.port, GROUP_MAC))
    world.run(SETTLED)
    expect(pathOf(() => world.send(ann, GROUP_MAC)).received).toEqual([name(bob)])
  })

  it('is not lost while somebody beside the sender joins the group (B2, mended)', () => {
    const [ann, bob, far] = [world.join(3, 'lab'), world.join(4, 'lab'), world.join(7, 'lab')]
    world.input(far.node, () => world.at(far.node).vlans.joinGroup(world.now, far.port, GROUP_MAC))
    world.run(SETTLED)
    const frames = Array.from({ length: 200 }, (_, index) => {
      if (index === 20)
        world.input(bob.node, () => world.at(bob.node).vlans.joinGroup(world.now, bob.port, GROUP_MAC))
      world.run(2 * MILLISECOND)
      return world.send(ann, GROUP_MAC)
    })
    world.run(SECOND)
    for (const frame of frames) expect(world.received(frame)).toContain(name(far))
  })
})

describe('a member who was alone', () => {
  it('reaches another as soon as it hears that there is one', () => {
    const ann = world.join(3, 'lab')
    world.run(SETTLED)
    const bob = world.join(5, 'lab')
    // 5, 2, the root, 1, 3: four hops of 10 ms until the VLAN's flag is there; no wait for the token's.
    world.run(45 * MILLISECOND)
    const frame = world.broadcast(ann)
    world.run(SECOND)
    expect(world.received(frame)).toEqual([name(bob)])
  })
})

describe('the decision for a packet, in the order of B5', () => {
  let sample: Passing

  beforeEach(() => {
    const ann = world.join(3, 'lab')
    world.join(5, 'lab')
    world.run(SETTLED)
    pathOf(() => world.broadcast(ann))
    sample = passed.find(({ from }) => from === 3) as Passing
    passed = []
  })

  /** The sample under another nonce, so that no relay has seen it. */
  function fresh(): Uint8Array {
    const bytes = sample.bytes.slice()
    bytes[NONCE_OFFSET] = (bytes[NONCE_OFFSET] as number) ^ 0x55
    return bytes
  }

  /** Gives node 1 a packet as if from the neighbour. */
  function give(from: number, hop: number, bytes: Uint8Array): void {
    const node = world.at(1)
    world.input(1, () => node.vlans.packet(world.now, world.link(1, from), hop, bytes))
    world.run(SECOND)
  }

  it('drops what is no packet of this version', () => {
    give(3, sample.hop, sample.bytes.subarray(0, 60))
    const wrong = sample.bytes.slice()
    wrong[0] = 0x21
    give(3, sample.hop, wrong)
    expect(world.at(1).count('dropMalformed')).toBe(2)
  })

  it('drops what comes from a link without a role', () => {
    world.detach(3, 1)
    give(3, sample.hop, sample.bytes)
    expect(world.at(1).count('dropLinkNotOpen')).toBe(1)
    expect(passed).toEqual([])
  })

  it('drops what names a tree that is not there', () => {
    give(3, trunkHop(1, 2, 64), sample.bytes)
    expect(world.at(1).count('dropLinkNotOpen')).toBe(1)
  })

  it('drops a VLAN that nobody here registered', () => {
    const other = sample.bytes.slice()
    other[1] = (other[1] as number) ^ 1
    give(3, sample.hop, other)
    expect(world.at(1).count('dropVlanPolicy')).toBe(1)
  })

  it('drops at hop limit 0 and takes one off otherwise', () => {
    give(3, trunkHop(1, 0, 0), sample.bytes)
    expect(world.at(1).count('dropHopLimit')).toBe(1)
    expect(passed).toEqual([])
    give(3, trunkHop(1, 0, 2), fresh())
    // One hop to the root, which takes it at 1; at 0 the next relay drops it.
    expect(passed.map(({ from, to, hop }) => [from, to, hopLimit(hop)])).toEqual([
      [1, 0, 1],
      [0, 2, 0],
    ])
    expect(world.at(2).count('dropHopLimit')).toBe(1)
  })

  it('passes the bytes on by reference', () => {
    const packet = fresh()
    give(3, sample.hop, packet)
    expect(passed.map(({ from, to }) => `${from}>${to}`)).toEqual(['1>0', '0>2', '2>5'])
    for (const { bytes } of passed) expect(bytes).toBe(packet)
  })

  it('never sends up what came from above', () => {
    // The root has another member of the token, but a packet from it only goes down.
    give(0, sample.hop, fresh())
    expect(passed.map(({ from, to }) => `${from}>${to}`)).toEqual(['1>3'])
  })

  it('takes packets from every open upper, and sends them to no other one', () => {
    world.attach(1, 2)
    world.run(SETTLED)
    give(2, sample.hop, fresh())
    expect(passed.map(({ from, to }) => `${from}>${to}`)).toEqual(['1>3'])
  })

  it('limits what a lower injects that has not registered the VLAN', () => {
    for (let count = 0; count < 100; count++) {
      const bytes = sample.bytes.slice()
      bytes[60] = count
      world.input(1, () => world.at(1).vlans.packet(world.now, world.link(1, 4), sample.hop, bytes))
    }
    expect(world.at(1).count('dropIngressQuota')).toBe(36)
  })
})

describe('fan-out', () => {
  it('passes a packet on once, whichever way it comes back (B6)', () => {
    const ann = world.join(3, 'lab')
    world.join(4, 'lab')
    world.join(5, 'lab')
    world.run(SETTLED)
    pathOf(() => world.broadcast(ann))
    const sample = passed.find(({ from }) => from === 3) as Passing
    passed = []
    const again = (from: number) =>
      world.input(1, () => world.at(1).vlans.packet(world.now, world.link(1, from), sample.hop, sample.bytes))
    again(3)
    again(0)
    expect(passed).toEqual([])
    expect(world.at(1).count('dropDuplicate')).toBe(2)
    world.run(2 * SECOND)
    again(3)
    world.run(SECOND)
    expect(passed.length).toBeGreaterThan(0)
  })

  it('is limited for each VLAN and ingress (S6)', () => {
    const storm = new VlanWorld(3)
    const hub = storm.node({ stormPackets: 10, stormBits: 1_000_000 })
    const leaves = [1, 2, 3].map(() => storm.node())
    for (const leaf of leaves) storm.attach(leaf, hub)
    const members = leaves.map((leaf) => storm.join(leaf, 'lab'))
    storm.run(SETTLED)
    // Each broadcast of a leaf is two copies at the hub: five of them are the second's share.
    const frames = Array.from({ length: 8 }, () => storm.broadcast(members[0] as Member))
    const other = storm.broadcast(members[1] as Member)
    storm.run(100 * MILLISECOND)
    expect(frames.filter((frame) => storm.received(frame).length === 2).length).toBe(5)
    expect(storm.at(hub).count('dropStorm')).toBe(3)
    expect(storm.received(other).length).toBe(2)
    // Unicast is no fan-out.
    const unicasts = Array.from({ length: 20 }, () =>
      storm.send(members[0] as Member, (members[1] as Member).mac),
    )
    storm.run(100 * MILLISECOND)
    for (const frame of unicasts) expect(storm.received(frame).length).toBe(1)
  })
})

describe('two uppers at once', () => {
  it('bring each member one copy, since relays and members drop the second', () => {
    const dag = new VlanWorld(5)
    // 3 moves from 1 to 2 and hangs under both for a while; 4, 5 and 6 hang under 3.
    for (let count = 0; count < 7; count++) dag.node()
    for (const [lower, upper] of [
      [1, 0],
      [2, 0],
      [3, 1],
      [4, 3],
      [5, 3],
      [6, 2],
    ] as const)
      dag.attach(lower, upper)
    const members = [4, 5, 6].map((node) => dag.join(node, 'lab'))
    dag.run(SETTLED)
    dag.attach(3, 2, 10 * MILLISECOND, true)
    const frames: number[] = []
    for (let count = 0; count < 400; count++) {
      dag.run(10 * MILLISECOND)
      frames.push(dag.broadcast(members[count % 3] as Member))
    }
    dag.run(SECOND)
    for (const [at, frame] of frames.entries()) {
      const others = members.filter((each) => each !== members[at % 3]).map(name)
      expect(dag.received(frame)).toEqual(others.sort())
    }
    // The overlap was real: what came twice was suppressed where it would have fanned out again.
    expect(dag.at(3).count('dropDuplicate')).toBeGreaterThan(0)
  })
})
