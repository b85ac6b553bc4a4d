import { describe, expect, it } from 'vitest'
import { BROADCAST_MAC, hex } from '../../core/ids.ts'
import { CHANNEL, MILLISECOND, MINUTE, type Micros, SECOND } from '../../core/io.ts'
import {
  decodeOthers,
  decodeRegister,
  encodeRegister,
  OTHERS,
  REGISTER_FLAG,
} from '../../core/vlan/messages.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { listen, name } from '../support/vlan-talk.ts'
import { type Member, type Passing, VlanWorld, vlanIdOf } from '../support/vlan-world.ts'

const SETTLED = 10 * SECOND
const STEP = 10 * MILLISECOND
const NO_HASH = new Uint8Array(8)

/** A registration as a lower might send it, honest or not. */
function register(
  world: VlanWorld,
  lower: number,
  upper: number,
  label: string,
  tokens: readonly Uint8Array[],
  flags = 0,
): void {
  const added = tokens.map((token) => ({ token, proof: undefined }))
  const vlan = vlanIdOf(label, 'spec')
  const packet = encodeRegister({ vlan, tree: 0, serial: 1, flags, added, removed: [], setHash: NO_HASH })
  world.input(upper, () =>
    world.at(upper).vlans.onMessage(world.now, world.link(upper, lower), KIND.register, packet),
  )
}

/** The token of a packet that a member just sent, as anybody on the path sees it. */
function tokenOf(world: VlanWorld, send: () => void): Uint8Array {
  let token = new Uint8Array()
  world.onData = ({ bytes }) => {
    token = bytes.slice(33, 49)
  }
  send()
  world.run(SECOND)
  world.onData = () => {}
  return token
}

function kindOf({ bytes }: Passing): number {
  return bytes[1] as number
}

describe('registrations (B2, B3)', () => {
  it('keep tokens at the top of the VLAN', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 1, 2, 2])
    world.join(3, 'lab')
    world.join(4, 'lab')
    world.run(SETTLED)
    // The members meet at 2: two unicast tokens and the broadcast one. Above it the VLAN alone is known.
    expect(world.view(2, 'lab')?.tokens).toBe(3)
    expect(world.view(1, 'lab')?.tokens).toBe(0)
    expect(world.view(0, 'lab')?.tokens).toBe(0)
    expect(world.view(0, 'lab')?.lowers.length).toBe(1)
  })

  it('bring tokens up when others appear elsewhere, and back down when they go', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 0, 1])
    world.join(3, 'lab')
    const other = world.join(2, 'lab')
    world.run(SETTLED)
    expect(world.view(0, 'lab')?.tokens).toBe(3)
    world.leave(other)
    world.run(SETTLED)
    expect(world.view(0, 'lab')?.tokens).toBe(0)
    expect(world.view(2, 'lab')).toBeUndefined()
  })

  it('leave nothing behind when the last member leaves', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 1, 1])
    const members = [world.join(2, 'lab'), world.join(3, 'lab')]
    world.run(SETTLED)
    for (const member of members) world.leave(member)
    world.run(SECOND)
    for (const node of world.nodes) expect(node.vlans.view()).toEqual([])
  })

  it('end with the link at once', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 0, 1])
    world.join(3, 'lab')
    world.join(2, 'lab')
    world.run(SETTLED)
    world.cut(3, 1)
    expect(world.view(1, 'lab')).toBeUndefined()
    world.run(SECOND)
    expect(world.view(0, 'lab')?.lowers.length).toBe(1)
  })

  it('say yes for shared tokens only', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 0])
    const heard = listen(world)
    world.join(1, 'lab')
    world.join(2, 'lab')
    world.run(SETTLED)
    const answers = heard.filter((each) => kindOf(each) === KIND.others && each.to === 1)
    const messages = answers.map(({ bytes }) => decodeOthers(bytes))
    expect(new Set(messages.flatMap((message) => message?.yes ?? []).map(hex)).size).toBe(1)
    expect(messages.at(-1)?.state).toBe(OTHERS.yes)
  })

  it('say yes again to who says a token again: it did not take the first answer', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 0])
    const ann = world.join(1, 'lab', 'spec')
    world.join(2, 'lab', 'spec')
    world.run(SETTLED)
    const shared = tokenOf(world, () => world.send(ann, BROADCAST_MAC))
    const heard = listen(world)
    register(world, 1, 0, 'lab', [shared])
    world.run(SECOND)
    const answers = heard.filter((each) => kindOf(each) === KIND.others && each.to === 1)
    expect(answers.flatMap(({ bytes }) => decodeOthers(bytes)?.yes ?? []).map(hex)).toContain(hex(shared))
  })

  it('cost little when nothing happens', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 1, 2])
    world.join(3, 'lab')
    world.join(2, 'lab')
    world.run(SETTLED)
    const heard = listen(world)
    world.run(10 * MINUTE)
    // One REG and its answer for each of three links and minute, and renewed proofs of three tokens twice.
    expect(heard.length).toBeLessThan(3 * 2 * 12)
    const bytes = heard.reduce((sum, each) => sum + each.bytes.length, 0)
    expect(bytes / (3 * 600)).toBeLessThan(3)
  })
})

describe('claims of strangers (M7)', () => {
  it('add, and take nothing from the owner', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 0, 0])
    const [ann, bob] = [world.join(1, 'lab', 'spec'), world.join(2, 'lab', 'spec')]
    world.run(SETTLED)
    const token = tokenOf(world, () => world.send(ann, bob.mac))
    register(world, 3, 0, 'lab', [token])
    const copies: number[] = []
    world.onData = ({ from, to }) => {
      if (from === 0) copies.push(to)
    }
    const frame = world.send(ann, bob.mac)
    world.run(SECOND)
    expect(copies.sort()).toEqual([2, 3])
    expect(world.received(frame)).toEqual([name(bob)])
  })

  it('are not ended by another link', () => {
    const world = new VlanWorld(1)
    world.tree([undefined, 0, 0, 0])
    const [ann, bob] = [world.join(1, 'lab', 'spec'), world.join(2, 'lab', 'spec')]
    world.run(SETTLED)
    const token = tokenOf(world, () => world.send(ann, bob.mac))
    const vlan = vlanIdOf('lab', 'spec')
    for (const flags of [0, REGISTER_FLAG.leave, REGISTER_FLAG.begin | REGISTER_FLAG.end]) {
      const packet = encodeRegister({
        vlan,
        tree: 0,
        serial: 1,
        flags,
        added: [],
        removed: [token],
        setHash: NO_HASH,
      })
      world.input(0, () => world.at(0).vlans.onMessage(world.now, world.link(0, 3), KIND.register, packet))
    }
    const frame = world.send(ann, bob.mac)
    world.run(SECOND)
    expect(world.received(frame)).toEqual([name(bob)])
  })
})

describe('what heals', () => {
  it('a lost message, by the set hash of the minute', () => {
    const world = new VlanWorld(2)
    world.tree([undefined, 0, 0])
    const ann = world.join(1, 'lab')
    world.run(SETTLED)
    // The control channel swallows the registrations of bob's tokens, which is not supposed to happen.
    let swallowed = 0
    world.passes = ({ channel, bytes }) => {
      const message =
        channel === CHANNEL.control && bytes[1] === KIND.register ? decodeRegister(bytes) : undefined
      if (message === undefined || message.added.length === 0) return true
      swallowed += 1
      return false
    }
    const bob = world.join(2, 'lab')
    world.run(50 * MILLISECOND)
    world.passes = () => true
    expect(swallowed).toBeGreaterThan(0)
    world.run(70 * SECOND)
    const frame = world.send(ann, bob.mac)
    world.run(SECOND)
    expect(world.received(frame)).toEqual([name(bob)])
    expect(world.at(2).count('registrationResent') + world.at(1).count('registrationResent')).toBeGreaterThan(
      0,
    )
  })

  it('while everything is said again, no frame is lost', { timeout: 60_000 }, () => {
    const world = new VlanWorld(2)
    world.tree([undefined, 0, 0, 1])
    const [ann, bob] = [world.join(2, 'lab'), world.join(3, 'lab')]
    world.run(SETTLED)
    world.passes = ({ from, channel }) => from !== 3 || channel === CHANNEL.data
    world.input(3, () => world.at(3).vlans.joinGroup(world.now, bob.port, 0x0100_5e01_0203))
    world.passes = () => true
    const frames = Array.from({ length: 7_000 }, () => {
      world.run(STEP)
      return world.broadcast(bob)
    })
    world.run(SECOND)
    expect(world.at(3).count('registrationResent')).toBeGreaterThan(0)
    const came = new Set(world.deliveries.filter((each) => each.port === ann.port).map((each) => each.frame))
    expect(frames.filter((frame) => !came.has(frame))).toEqual([])
  })

  it('a lower that fell silent, by the end of soft state', () => {
    const world = new VlanWorld(2)
    world.tree([undefined, 0, 0])
    world.join(1, 'lab')
    world.join(2, 'lab')
    world.run(SETTLED)
    world.passes = ({ from }) => from !== 2
    world.run(4 * MINUTE)
    expect(world.view(0, 'lab')?.lowers.length).toBe(2)
    world.run(3 * MINUTE)
    expect(world.view(0, 'lab')?.lowers).toEqual([world.link(0, 1).id])
  })
})

describe('quotas', () => {
  /** `count` different tokens. */
  function tokens(count: number, from = 0): Uint8Array[] {
    return Array.from({ length: count }, (_, index) => {
      const token = new Uint8Array(16)
      new DataView(token.buffer).setUint32(0, from + index + 1)
      return token
    })
  }

  it('refuse a leaf its 65th VLAN and its 1,025th token, and evict nothing', () => {
    const world = new VlanWorld(2)
    const root = world.node()
    const leaf = world.node({ relay: false })
    world.attach(leaf, root)
    for (let vlan = 0; vlan < 66; vlan++) register(world, leaf, root, `vlan ${vlan}`, [])
    expect(world.at(root).vlans.view().length).toBe(64)
    expect(world.at(root).count('boundVlans')).toBe(2)
    for (let batch = 0; batch < 17; batch++) register(world, leaf, root, 'vlan 3', tokens(64, batch * 64))
    expect(world.view(root, 'vlan 3', 'spec')?.tokens).toBe(1_024)
    expect(world.at(root).count('boundTokens')).toBe(64)
    expect(world.at(root).count('registrationsRefused')).toBe(66)
  })

  it('make further uppers wanted, and for eight minutes after the last refusal', () => {
    const world = new VlanWorld(2)
    const [upper, leaf] = [world.node(), world.node({ relay: false })]
    world.attach(leaf, upper)
    const { furtherWanted } = world.at(leaf).tree
    const members = Array.from({ length: 64 }, (_, vlan) => world.join(leaf, `vlan ${vlan}`))
    world.run(SETTLED)
    expect(furtherWanted).toEqual([])
    world.join(leaf, 'one more')
    world.run(SETTLED)
    expect(furtherWanted).toEqual([2])
    // With no other upper the VLAN asks the same one again each minute.
    world.run(20 * MINUTE)
    expect(furtherWanted).toEqual([2])
    expect(world.at(upper).count('boundVlans')).toBeGreaterThan(15)
    world.leave(members[0] as Member)
    world.run(2 * MINUTE)
    expect(world.view(leaf, 'one more')?.upper).toBe(world.link(leaf, upper).id)
    world.run(5 * MINUTE)
    expect(furtherWanted).toEqual([2])
    world.run(3 * MINUTE)
    expect(furtherWanted).toEqual([2, 0])
  })

  it('are not what policy refuses: further uppers are not wanted for that', () => {
    const world = new VlanWorld(2)
    const [upper, leaf] = [world.node({ policy: { mode: 'restricted' } }), world.node({ relay: false })]
    world.attach(leaf, upper)
    world.join(leaf, 'lab')
    world.run(SETTLED)
    expect(world.at(upper).count('registrationsRefused')).toBe(1)
    expect(world.at(leaf).tree.furtherWanted).toEqual([])
  })

  it('refuse changes beyond the rate', () => {
    const world = new VlanWorld(2)
    const [root, relay] = [world.node(), world.node()]
    world.attach(relay, root)
    for (let batch = 0; batch < 160; batch++) register(world, relay, root, 'lab', tokens(64, batch * 64))
    // The VLAN itself was one change of the burst.
    expect(world.view(root, 'lab', 'spec')?.tokens).toBe(8_191)
    expect(world.at(root).count('boundRegRate')).toBe(160 * 64 - 8_191)
  })

  it('leave room for a crowd of VLANs that gets an upper at once, 64 messages a step', () => {
    const world = new VlanWorld(2)
    for (let count = 0; count < 3; count++) world.node()
    world.attach(2, 1)
    for (let vlan = 0; vlan < 1_000; vlan++) register(world, 2, 1, `vlan ${vlan}`, tokens(2))
    const steps = new Map<Micros, number>()
    world.passes = ({ from, to, channel }) => {
      if (from === 1 && to === 0 && channel === CHANNEL.control)
        steps.set(world.now, (steps.get(world.now) ?? 0) + 1)
      return true
    }
    world.attach(1, 0)
    world.run(60 * MILLISECOND)
    expect(Math.max(...steps.values())).toBe(64)
    expect(world.at(0).vlans.view().length).toBe(1_000)
  })

  it('are kept by an honest lower, which sends a crowd of tokens in paced batches', () => {
    const world = new VlanWorld(2)
    for (let count = 0; count < 5; count++) world.node()
    for (const [lower, upper] of [
      [1, 0],
      [2, 1],
      [3, 0],
      [4, 1],
    ] as const)
      world.attach(lower, upper)
    for (const lower of [2, 4]) {
      for (let batch = 0; batch < 125; batch++) {
        register(world, lower, 1, 'lab', tokens(64, (lower * 1_000 + batch) * 64))
      }
    }
    world.join(3, 'lab', 'spec')
    const steps = new Map<Micros, number>()
    world.passes = ({ from, to, channel }) => {
      if (from === 1 && to === 0 && channel === CHANNEL.control)
        steps.set(world.now, (steps.get(world.now) ?? 0) + 1)
      return true
    }
    world.run(30 * SECOND)
    expect(Math.max(...steps.values())).toBeLessThanOrEqual(64)
    expect(world.view(0, 'lab', 'spec')?.tokens).toBe(16_002)
    expect(world.at(0).count('boundRegRate')).toBe(0)
    expect(world.at(0).count('registrationsRefused')).toBe(0)
  })
})
