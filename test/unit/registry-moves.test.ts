import { describe, expect, it } from 'vitest'
import { MILLISECOND, type Micros, SECOND, TREE_ROLE } from '../../core/io.ts'
import { decodeOthers, OTHERS } from '../../core/vlan/messages.ts'
import { listen, name } from '../support/vlan-talk.ts'
import { type Member, VlanWorld } from '../support/vlan-world.ts'

const SETTLED = 10 * SECOND
const STEP = 10 * MILLISECOND

describe('another upper (B4)', () => {
  /** Node 3, with a member below it, can hang under 1 and 2; another member sits at each of the others. */
  function twoWays(): { world: VlanWorld; members: Member[] } {
    const world = new VlanWorld(4)
    for (let count = 0; count < 6; count++) world.node()
    for (const [lower, upper] of [
      [1, 0],
      [2, 0],
      [3, 1],
      [4, 3],
      [5, 0],
    ] as const)
      world.attach(lower, upper)
    const members = [world.join(4, 'lab'), world.join(5, 'lab'), world.join(2, 'lab')]
    world.run(SETTLED)
    return { world, members }
  }

  /** Everybody sends to everybody every 10 ms; answers what did not come. */
  function lost(world: VlanWorld, members: readonly Member[], duration: Micros): number {
    const sent: { frame: number; to: Member }[] = []
    for (let at = 0; at < duration; at += STEP) {
      world.run(STEP)
      for (const from of members) {
        const cast = world.broadcast(from)
        for (const to of members) {
          if (to === from) continue
          sent.push({ frame: cast, to }, { frame: world.send(from, to.mac), to })
        }
      }
    }
    world.run(SECOND)
    return sent.filter(({ frame, to }) => !world.received(frame).includes(name(to))).length
  }

  it('is taken without the loss of a frame while the old one is still attached', { timeout: 60_000 }, () => {
    const { world, members } = twoWays()
    world.attach(3, 2, 40 * MILLISECOND, true)
    expect(lost(world, members, 3 * SECOND)).toBe(0)
    expect(world.view(3, 'lab')?.upper).toBe(world.link(3, 2).id)
    // The old upper was told.
    expect(world.view(1, 'lab')).toBeUndefined()
    world.detach(3, 1)
    expect(lost(world, members, SECOND / 2)).toBe(0)
    for (const frame of new Set(world.deliveries.map((each) => each.frame))) {
      expect(new Set(world.received(frame)).size).toBe(world.received(frame).length)
    }
  })

  it('and back again within the overlap loses nothing either', { timeout: 60_000 }, () => {
    const { world, members } = twoWays()
    world.attach(3, 2, 10 * MILLISECOND, true)
    expect(lost(world, members, SECOND / 2)).toBe(0)
    const { tree, vlans } = world.at(3)
    tree.upperLinks = [...tree.upperLinks].reverse()
    world.input(3, () => vlans.roleChanged(world.now, 0, world.link(3, 1), TREE_ROLE.upper))
    expect(lost(world, members, 3 * SECOND)).toBe(0)
    expect(world.view(3, 'lab')?.upper).toBe(world.link(3, 1).id)
    expect(world.view(2, 'lab')?.lowers).toEqual([])
  })

  it('is believed at once only in what it said: the rest holds as the old one had it', () => {
    const { world, members } = twoWays()
    // More shared tokens than one answer can name.
    for (const { node, port } of members.slice(0, 2)) {
      for (let group = 0; group < 100; group++) {
        const mac = 0x0100_5e01_0000 + group
        world.input(node, () => world.at(node).vlans.joinGroup(world.now, port, mac))
      }
    }
    world.run(SETTLED)
    const heard = listen(world)
    world.attach(3, 2, 10 * MILLISECOND, true)
    world.run(SECOND / 2)
    expect(world.view(3, 'lab')?.upper).toBe(world.link(3, 2).id)
    const told = heard.filter((each) => each.to === 4).map(({ bytes }) => decodeOthers(bytes))
    expect(told.flatMap((message) => message?.no ?? [])).toEqual([])
  })

  it('is followed when the tree prefers another of its open uppers', { timeout: 60_000 }, () => {
    const { world, members } = twoWays()
    world.attach(3, 2, 10 * MILLISECOND)
    world.run(SECOND)
    expect(world.view(3, 'lab')?.upper).toBe(world.link(3, 1).id)
    // No role changes, so nobody says anything.
    world.at(3).tree.upperLinks.reverse()
    expect(lost(world, members, 4 * SECOND)).toBe(0)
    expect(world.view(3, 'lab')?.upper).toBe(world.link(3, 2).id)
  })

  it('takes over a lost one within a registration to the top', () => {
    const { world, members } = twoWays()
    world.attach(3, 2, 10 * MILLISECOND)
    world.run(SECOND)
    const heard = listen(world)
    world.cut(3, 1)
    // Data follows the registration without waiting for the answer.
    const [first] = members as [Member, Member, Member]
    const frame = world.broadcast(first)
    world.run(30 * MILLISECOND)
    expect(world.received(frame)).toContain(name(members[2] as Member))
    // 3 to 2 and 2 to the root are 10 ms each; the answer has the same way back.
    world.run(15 * MILLISECOND)
    expect(lost(world, members, SECOND)).toBe(0)
    // Those below heard nothing of it: what they were told still holds.
    const told = heard.filter((each) => each.to === 4).map(({ bytes }) => decodeOthers(bytes))
    expect(told.filter((message) => message?.state === OTHERS.no || (message?.no.length ?? 0) > 0)).toEqual(
      [],
    )
  })

  it('is told everything again when its half opened anew', () => {
    const { world, members } = twoWays()
    world.detach(3, 1)
    world.attach(3, 1)
    world.run(50 * MILLISECOND)
    expect(lost(world, members, SECOND)).toBe(0)
  })

  it('hears what it missed because its half opened late', () => {
    const world = new VlanWorld(4)
    for (let count = 0; count < 3; count++) world.node()
    world.attach(1, 0)
    const [ann, bob] = [world.join(1, 'lab'), world.join(2, 'lab')]
    world.openHalf(2, 0, TREE_ROLE.upper)
    world.run(100 * MILLISECOND)
    expect(world.at(0).count('dropLinkNotOpen')).toBe(1)
    world.openHalf(0, 2, TREE_ROLE.lower)
    world.run(SECOND)
    const frame = world.send(ann, bob.mac)
    world.run(SECOND)
    expect(world.received(frame)).toEqual([name(bob)])
  })
})
