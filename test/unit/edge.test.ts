import { beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { BROADCAST_MAC, isGroupMac, type Mac } from '../../core/ids.ts'
import { CHANNEL, MINUTE, type Micros, type PortId, SECOND } from '../../core/io.ts'
import { name } from '../support/vlan-talk.ts'
import { ethernet, type Member, membership, VlanWorld } from '../support/vlan-world.ts'

const SETTLED = 10 * SECOND
const STATION: Mac = 0x0200_0000_1234
/** 239.1.2.3 and its MAC. */
const GROUP = [239, 1, 2, 3]
const GROUP_MAC: Mac = 0x0100_5e01_0203

let world: VlanWorld
let ann: Member
let bob: Member

beforeEach(() => {
  world = new VlanWorld(5)
  world.tree([undefined, 0, 0])
  ann = world.join(1, 'lab')
  bob = world.join(2, 'lab')
  world.run(SETTLED)
})

function give(to: Member, frame: Uint8Array): void {
  world.input(to.node, () => world.at(to.node).vlans.frame(world.now, to.port, frame))
  world.run(SECOND)
}

function reached(from: Member, destination: Mac, source: Mac = from.mac): string[] {
  const frame = world.send(from, destination, source)
  world.run(SECOND)
  return world.received(frame)
}

/** IGMPv2 report (0x16) or leave (0x17), as RFC 2236 has it; checksums are not looked at. */
function igmp(type: number, source: Mac): Uint8Array {
  const frame = ethernet(type === 0x16 ? GROUP_MAC : 0x0100_5e00_0002, source, 46)
  frame.set([0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0, 0, 1, 2, 0, 0, 10, 0, 0, 1, ...GROUP], 12)
  frame.set([type, 0, 0, 0, ...GROUP], 34)
  return frame
}

describe('a port', () => {
  it('has a MAC of its own and says so', () => {
    expect(isGroupMac(ann.mac)).toBe(false)
    expect(Math.floor(ann.mac / 2 ** 40) & 2).toBe(2)
    expect(ann.mac).not.toBe(bob.mac)
    expect(world.at(1).events).toContainEqual({
      kind: 'portUp',
      port: ann.port,
      vlan: world.view(1, 'lab')?.vlan,
      mac: ann.mac,
    })
  })

  it('refuses wrong calls by name', () => {
    const { vlans } = world.at(1)
    const lab = membership('lab', 'private', new Uint8Array(32))
    const nowhere = 99 as PortId
    expect(() => vlans.openPort(0, ann.port, lab)).toThrow(UsageError)
    expect(() => vlans.openPort(0, nowhere, { ...lab, salt: new Uint8Array(31) })).toThrow(/salt of 31 bytes/)
    expect(() => vlans.openPort(0, nowhere, { ...lab, groupKey: new Uint8Array(1) })).toThrow(UsageError)
    expect(() => vlans.closePort(0, nowhere)).toThrow(/port 99 is not open/)
    expect(() => vlans.joinGroup(0, nowhere, GROUP_MAC)).toThrow(UsageError)
    expect(() => vlans.joinGroup(0, ann.port, STATION)).toThrow(/not a multicast MAC/)
    expect(() => vlans.joinGroup(0, ann.port, BROADCAST_MAC)).toThrow(UsageError)
    expect(() => vlans.joinGroup(0, ann.port, -1)).toThrow(UsageError)
    expect(() => vlans.leaveGroup(0, ann.port, GROUP_MAC)).toThrow(/has not joined/)
    expect(() => vlans.setPolicy(0, { mode: 'patterns', allow: ['?'], deny: [] })).toThrow(UsageError)
    // A call that was refused changed nothing.
    expect(reached(ann, bob.mac)).toEqual([name(bob)])
  })

  it('drops frames by their reason', () => {
    const node = world.at(1)
    give(ann, new Uint8Array(13))
    give(ann, new Uint8Array(9_300))
    give(ann, ethernet(bob.mac, BROADCAST_MAC))
    give({ ...ann, port: 77 as PortId }, ethernet(bob.mac, ann.mac))
    expect(
      ['dropFrameShort', 'dropFrameLong', 'dropMalformed', 'dropNoPort'].map((each) =>
        node.count(each as 'dropNoPort'),
      ),
    ).toEqual([1, 1, 1, 1])
  })

  it('polices its own broadcasts (S6), and no unicast', () => {
    for (let count = 0; count < 600; count++) world.broadcast(ann)
    expect(world.at(1).count('dropBroadcastRate')).toBe(100)
    expect(reached(ann, bob.mac)).toEqual([name(bob)])
  })

  it('hears nothing more after it was closed', () => {
    world.leave(bob)
    expect(reached(ann, BROADCAST_MAC)).toEqual([])
    expect(reached(ann, bob.mac)).toEqual([])
  })

  it('does not take a frame that claims its own MAC as source', () => {
    const carl = world.join(0, 'lab')
    world.run(SECOND)
    expect(reached(carl, BROADCAST_MAC, bob.mac)).toEqual([name(ann)])
    expect(world.at(2).count('dropMacConflict')).toBe(1)
  })
})

describe('machines bridged behind a port (S4)', () => {
  it('are learnt, and reached from then on', () => {
    expect(reached(ann, STATION)).toEqual([])
    expect(reached(bob, BROADCAST_MAC, STATION)).toEqual([name(ann)])
    expect(reached(ann, STATION)).toEqual([name(bob)])
  })

  it('talk to each other without us', () => {
    reached(bob, BROADCAST_MAC, STATION)
    reached(bob, BROADCAST_MAC, STATION + 1)
    expect(reached(bob, STATION, STATION + 1)).toEqual([])
    expect(world.at(2).count('dropNotOurToken')).toBe(1)
  })

  it('are forgotten after 300 s of silence', () => {
    reached(bob, BROADCAST_MAC, STATION)
    world.run(4 * MINUTE)
    expect(reached(ann, STATION)).toEqual([name(bob)])
    world.run(2 * MINUTE)
    expect(reached(ann, STATION)).toEqual([])
  })

  it('move to another port with their first frame there', () => {
    reached(bob, BROADCAST_MAC, STATION)
    const carl = world.join(0, 'lab')
    world.run(SETTLED)
    reached(carl, BROADCAST_MAC, STATION)
    expect(reached(ann, STATION)).toEqual([name(carl)])
  })

  it('are at most 1,024', () => {
    for (let count = 0; count < 1_030; count++) world.send(bob, ann.mac, STATION + count)
    expect(world.at(2).count('dropMacTable')).toBe(6)
  })

  it('that move more than three times in ten seconds shut the port for thirty', () => {
    const carl = world.join(0, 'lab')
    world.run(SETTLED)
    // As in a loop: the frame comes out of one bridge and into the other.
    for (let count = 0; count < 4; count++) {
      world.send(bob, BROADCAST_MAC, STATION)
      world.run(SECOND / 2)
      world.send(carl, BROADCAST_MAC, STATION)
      world.run(SECOND / 2)
    }
    const shut = [bob, carl].filter((each) =>
      world.at(each.node).events.some((event) => event.kind === 'dropped'),
    )
    expect(shut.length).toBeGreaterThan(0)
    const victim = shut[0] as Member
    expect(reached(ann, victim.mac)).toEqual([])
    expect(world.at(victim.node).count('dropPortShut')).toBeGreaterThan(0)
    world.run(31 * SECOND)
    expect(reached(ann, victim.mac)).toEqual([name(victim)])
    // The loop was cut: the machine is heard behind one port only, and reached there.
    reached(victim, BROADCAST_MAC, STATION)
    expect(reached(ann, STATION)).toContain(name(victim))
  })
})

describe('groups joined by hosts (IGMP)', () => {
  /** Multicast from ann, whom nobody asks to join. */
  function hears(): boolean {
    return reached(ann, GROUP_MAC).includes(name(bob))
  }

  it('are heard from their report on, and not after they were left', () => {
    expect(hears()).toBe(false)
    give(bob, igmp(0x16, bob.mac))
    expect(hears()).toBe(true)
    give(bob, igmp(0x17, bob.mac))
    world.run(2 * SECOND)
    expect(hears()).toBe(false)
  })

  it('stay if another host says so in time', () => {
    give(bob, igmp(0x16, bob.mac))
    give(bob, igmp(0x17, bob.mac))
    give(bob, igmp(0x16, STATION))
    world.run(10 * SECOND)
    expect(hears()).toBe(true)
  })

  it('end when nobody repeats the report', () => {
    give(bob, igmp(0x16, bob.mac))
    const end: Micros = 262 * SECOND
    world.run(end)
    expect(hears()).toBe(false)
  })

  it('joined by command stay whatever hosts say', () => {
    world.input(2, () => world.at(2).vlans.joinGroup(world.now, bob.port, GROUP_MAC))
    give(bob, igmp(0x17, bob.mac))
    world.run(5 * MINUTE)
    expect(hears()).toBe(true)
    world.input(2, () => world.at(2).vlans.leaveGroup(world.now, bob.port, GROUP_MAC))
    world.run(SECOND)
    expect(hears()).toBe(false)
  })

  it('that are link-local reach everybody unasked (S3)', () => {
    expect(reached(ann, 0x0100_5e00_00fb)).toEqual([name(bob)])
    expect(reached(ann, 0x3333_0000_00fb)).toEqual([name(bob)])
    expect(reached(ann, 0x3333_0000_1234)).toEqual([])
  })
})

describe('what members may do to each other', () => {
  it('a frame sealed to a token that is not its own is dropped', () => {
    // The packet of another frame to bob, its token exchanged for broadcast: the tag covers the token.
    const seen: Uint8Array[] = []
    world.passes = ({ channel, bytes }) => {
      if (channel === CHANNEL.data) seen.push(bytes)
      return channel !== CHANNEL.data
    }
    world.broadcast(ann)
    world.send(ann, bob.mac)
    world.run(SECOND)
    const [cast, unicast] = [seen[0] as Uint8Array, seen.at(-1) as Uint8Array]
    const mixed = unicast.slice()
    mixed.set(cast.subarray(33, 49), 33)
    world.input(2, () => world.at(2).vlans.packet(world.now, world.link(2, 0), 0x11_00_40, mixed))
    expect(world.at(2).count('dropBadTag')).toBe(1)
  })

  it('a packet replayed is not delivered again', () => {
    let sample = new Uint8Array()
    world.onData = ({ bytes }) => {
      sample = bytes as Uint8Array<ArrayBuffer>
    }
    const frame = world.send(ann, bob.mac)
    world.run(SECOND)
    world.input(2, () => world.at(2).vlans.packet(world.now, world.link(2, 0), 0x11_00_40, sample))
    expect(world.received(frame)).toEqual([name(bob)])
    expect(world.at(2).count('dropReplay')).toBe(1)
  })
})
