import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { hex, unhex } from '../../core/ids.ts'
import { CHANNEL, MINUTE, type NodeEvent, SECOND } from '../../core/io.ts'
import { CompiledPolicy, matches } from '../../core/vlan/policy.ts'
import { name } from '../support/vlan-talk.ts'
import { type Member, VlanWorld, vlanIdOf } from '../support/vlan-world.ts'

const SETTLED = 10 * SECOND
const LAB = hex(vlanIdOf('lab'))

function reached(world: VlanWorld, from: Member): string[] {
  const frame = world.broadcast(from)
  world.run(SECOND)
  return world.received(frame)
}

function events(world: VlanWorld, node: number, kind: NodeEvent['kind']): NodeEvent[] {
  return world.at(node).events.filter((event) => event.kind === kind)
}

describe('patterns', () => {
  it.each([
    ['abcdef', 'abcdef', true],
    ['abcdef', 'abcde', false],
    ['abcdef', '*', true],
    ['abcdef', 'abc*', true],
    ['abcdef', '*def', true],
    ['abcdef', 'a*c*f', true],
    ['abcdef', 'a*d*c*f', false],
    ['abcabc', '*abc*abc', true],
    ['abc', 'abc*bc', false],
    ['abcd', 'ab*bc*cd', false],
    ['aXbXc', 'a*b*c', true],
  ])('%s against %s: %s', (text, pattern, expected) => {
    expect(matches(text, pattern)).toBe(expected)
  })

  it('carry what is allowed and not denied', () => {
    const policy = new CompiledPolicy({
      mode: 'patterns',
      allow: ['ab*', 'cd*'],
      deny: ['*ff', `ab${'0'.repeat(30)}`],
    })
    const ask = (text: string): boolean => policy.carries(unhex(text.padEnd(32, '1')), false)
    expect(ask('ab')).toBe(true)
    expect(ask('cd')).toBe(true)
    expect(ask('ee')).toBe(false)
    expect(policy.carries(unhex(`ab${'0'.repeat(30)}`), false)).toBe(false)
    expect(policy.carries(unhex(`cd${'0'.repeat(28)}ff`), true)).toBe(false)
  })

  it.each(['', 'AB*', 'xyz', 'ab', `${'0'.repeat(33)}*`, 'ab?*'])('refuse to be %j', (pattern) => {
    expect(() => new CompiledPolicy({ mode: 'patterns', allow: [pattern], deny: [] })).toThrow(UsageError)
  })
})

describe('a relay that does not carry a VLAN', () => {
  /** 3 has the choice between 1, which denies the lab, and 2; both hang under the root. */
  function around(): { world: VlanWorld; ann: Member; bob: Member } {
    const world = new VlanWorld(2)
    world.node()
    world.node({ policy: { mode: 'patterns', allow: ['*'], deny: [LAB] } })
    world.node()
    world.node()
    for (const [lower, upper] of [
      [1, 0],
      [2, 0],
      [3, 1],
      [3, 2],
    ] as const)
      world.attach(lower, upper)
    return { world, ann: world.join(3, 'lab'), bob: world.join(0, 'lab') }
  }

  it('is gone around by a further upper (B1)', () => {
    const { world, ann, bob } = around()
    world.run(SETTLED)
    expect(reached(world, ann)).toEqual([name(bob)])
    expect(world.view(3, 'lab')?.upper).toBe(world.link(3, 2).id)
    expect(events(world, 3, 'vlanRefused')).toEqual([
      { kind: 'vlanRefused', vlan: LAB, link: world.link(3, 1).id, reason: 'policy' },
    ])
    // Another VLAN takes the tree's own upper.
    world.join(3, 'office')
    world.run(SECOND)
    expect(world.view(3, 'office')?.upper).toBe(world.link(3, 1).id)
  })

  it('cuts it if nobody else does, which is an event and no silence', () => {
    const { world, ann } = around()
    world.detach(3, 2)
    world.run(SETTLED)
    expect(reached(world, ann)).toEqual([])
    expect(events(world, 3, 'vlanUphillRefused')).toEqual([{ kind: 'vlanUphillRefused', vlan: LAB }])
    world.run(10 * MINUTE)
    expect(events(world, 3, 'vlanUphillRefused').length).toBe(1)
  })

  it('is asked again once a minute while the VLAN is cut', () => {
    const { world, ann, bob } = around()
    world.detach(3, 2)
    world.run(SETTLED)
    world.input(1, () => world.at(1).vlans.setPolicy(world.now, { mode: 'open' }))
    world.run(70 * SECOND)
    expect(reached(world, ann)).toEqual([name(bob)])
  })

  it('still serves its own members', () => {
    const { world, ann, bob } = around()
    const carl = world.join(1, 'lab')
    world.run(SETTLED)
    expect(reached(world, ann)).toEqual([name(bob), name(carl)])
    expect(reached(world, carl)).toEqual([name(bob), name(ann)])
    // What comes from below is not for them either.
    let sample = new Uint8Array()
    world.passes = ({ from, channel, bytes }) => {
      if (from === 3 && channel === CHANNEL.data) sample = bytes.slice()
      return channel === CHANNEL.control
    }
    world.broadcast(ann)
    const delivered = world.deliveries.length
    world.input(1, () => world.at(1).vlans.packet(world.now, world.link(1, 3), 0x11_00_40, sample))
    expect(world.at(1).count('dropVlanPolicy')).toBe(1)
    expect(world.deliveries.length).toBe(delivered)
  })

  it('takes no packets of it from below', () => {
    const { world, ann } = around()
    world.run(SETTLED)
    let sample: Uint8Array | undefined
    world.onData = ({ bytes }) => {
      sample = bytes
    }
    reached(world, ann)
    const before = world.at(1).count('dropVlanPolicy')
    world.input(1, () =>
      world.at(1).vlans.packet(world.now, world.link(1, 3), 0x11_00_40, sample as Uint8Array),
    )
    expect(world.at(1).count('dropVlanPolicy')).toBe(before + 1)
  })
})

describe('a change of policy', () => {
  it('refuses those it shuts out, and they find another way', () => {
    const world = new VlanWorld(2)
    for (let count = 0; count < 4; count++) world.node()
    for (const [lower, upper] of [
      [1, 0],
      [2, 0],
      [3, 1],
      [3, 2],
    ] as const)
      world.attach(lower, upper)
    const [ann, bob] = [world.join(3, 'lab'), world.join(0, 'lab')]
    world.run(SETTLED)
    expect(world.at(1).vlans.carries(vlanIdOf('lab'))).toBe(true)
    world.input(1, () => world.at(1).vlans.setPolicy(world.now, { mode: 'patterns', allow: [], deny: [] }))
    expect(world.at(1).vlans.carries(vlanIdOf('lab'))).toBe(false)
    expect(world.view(1, 'lab')).toBeUndefined()
    world.run(100_000)
    expect(reached(world, ann)).toEqual([name(bob)])
    expect(world.view(3, 'lab')?.upper).toBe(world.link(3, 2).id)
    expect(world.at(1).count('registrationsRefused')).toBe(1)
  })

  it('of a restricted relay follows its own memberships', () => {
    const world = new VlanWorld(2)
    world.node()
    world.node({ policy: { mode: 'restricted' } })
    world.node()
    for (const [lower, upper] of [
      [1, 0],
      [2, 1],
    ] as const)
      world.attach(lower, upper)
    const own = world.join(1, 'lab')
    world.run(SECOND)
    const [ann, bob] = [world.join(2, 'lab'), world.join(0, 'lab')]
    world.join(2, 'office')
    world.run(SETTLED)
    expect(reached(world, ann)).toEqual([name(bob), name(own)])
    expect(world.view(1, 'office')).toBeUndefined()
    world.leave(own)
    world.run(SECOND)
    expect(reached(world, ann)).toEqual([])
    expect(events(world, 2, 'vlanUphillRefused').length).toBe(2)
  })
})
