/** What one link, or a few, can make a relay do: effects of a step, memory, processor time, places. */
import { describe, expect, it } from 'vitest'
import { MILLISECOND, MINUTE, type Micros, SECOND, TREE_ROLE } from '../../core/io.ts'
import {
  decodeRefused,
  encodeRegister,
  REFUSAL,
  REGISTER_FLAG,
  type Register,
} from '../../core/vlan/messages.ts'
import { Registry } from '../../core/vlan/registry.ts'
import type { Peer, Vlan } from '../../core/vlan/state.ts'
import { makeProof, TokenBook } from '../../core/vlan/tokens.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { membership, VlanWorld, vlanIdOf } from '../support/vlan-world.ts'

const SETTLED = 10 * SECOND

const { privacy, salt } = membership('lab', 'private', new Uint8Array(32))
const source = { vlan: vlanIdOf('lab'), privacy, salt }
const book = new TokenBook(standInCrypto, source)

/** 16 bytes that stand for a number: a VLAN or a token. */
function id(number: number): Uint8Array {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setUint32(0, number + 1)
  return bytes
}

interface Claim {
  readonly token: Uint8Array
  readonly proof: Uint8Array | undefined
}

function bare(count: number, from = 0): Claim[] {
  return Array.from({ length: count }, (_, index) => ({ token: id(from + index), proof: undefined }))
}

/** Claims of the lab's owner of so many MACs; `spoilt`: the signature is wrong. */
function proven(count: number, from: number, lifetime = 600, spoilt = false): Claim[] {
  return Array.from({ length: count }, (_, index) => {
    const mac = 0x0200_0000_0000 + from + index
    const proof = makeProof(standInCrypto, source, mac, 1, lifetime)
    if (spoilt) proof[70] = (proof[70] as number) ^ 1
    return { token: book.token(mac), proof }
  })
}

/** A relay's registry by itself, with so many lowers, and an upper if asked for. Nobody answers. */
class Bench {
  readonly world = new VlanWorld(3)
  readonly registry: Registry
  readonly relay: number

  constructor(lowers: number, upper = false) {
    const { world } = this
    world.passes = () => false
    this.relay = world.node()
    for (let lower = 0; lower < lowers; lower++) world.attach(world.node(), this.relay)
    if (upper) world.attach(this.relay, world.node())
    const { context, port, tree } = world.at(this.relay)
    this.registry = new Registry(context, port, tree)
  }

  /** From the lower with that number, counted from 1. */
  say(lower: number, vlan: Uint8Array, parts: Partial<Register> = {}): void {
    const message = { vlan, tree: 0, serial: 1, flags: 0, added: [], removed: [], setHash: new Uint8Array(8) }
    const { world, relay, registry } = this
    const link = world.link(relay, lower)
    world.input(relay, () => registry.onRegister(world.now, link, { ...message, ...parts }))
  }

  /** As many messages as it takes. */
  claim(lower: number, vlan: Uint8Array, claims: readonly Claim[]): void {
    for (let from = 0; from < claims.length; from += 64)
      this.say(lower, vlan, { added: claims.slice(from, from + 64) })
  }

  /** The lower hangs up and is there again at once, on a new link. */
  comeBack(lower: number): void {
    const { world, relay, registry } = this
    const link = world.link(relay, lower)
    world.cut(lower, relay)
    world.input(relay, () => registry.linkDown(world.now, link))
    world.attach(lower, relay)
  }

  wakeAfter(delay: Micros): void {
    this.world.now += delay
    this.world.input(this.relay, () => this.registry.wake(this.world.now))
  }

  vlan(bytes: Uint8Array): Vlan {
    return this.registry.tables.find(bytes) as Vlan
  }

  peer(lower: number): Peer {
    return this.registry.tables.peer(this.world.link(this.relay, lower).id) as Peer
  }

  count(name: Parameters<ReturnType<VlanWorld['at']>['count']>[0]): number {
    return this.world.at(this.relay).count(name)
  }
}

describe('one step', () => {
  it('has room for the cut of thousands of VLANs at once, each of which is told', { timeout: 60_000 }, () => {
    const world = new VlanWorld(1)
    world.node({ policy: { mode: 'restricted' } })
    for (let count = 0; count < 3; count++) world.node()
    for (const [lower, upper] of [
      [2, 0],
      [2, 1],
      [3, 2],
    ] as const)
      world.attach(lower, upper)
    for (let vlan = 0; vlan < 5_000; vlan++) {
      const setHash = new Uint8Array(8)
      const message = { vlan: id(vlan), tree: 0, serial: 1, flags: 0, added: [], removed: [], setHash }
      const packet = encodeRegister(message)
      world.input(2, () => world.at(2).vlans.onMessage(world.now, world.link(2, 3), KIND.register, packet))
    }
    world.run(SETTLED)
    expect(world.at(1).vlans.view().length).toBe(5_000)
    const before = world.at(2).events.length
    world.detach(2, 1)
    world.run(SECOND)
    const told = world.at(2).events.slice(before)
    expect(new Set(told.map((event) => (event.kind === 'vlanUphillRefused' ? event.vlan : ''))).size).toBe(
      5_000,
    )
    expect(told.length).toBe(5_000)
  })

  it('sends 1,024 messages at most, and the rest a millisecond later', () => {
    const bench = new Bench(60)
    for (let lower = 1; lower <= 60; lower++)
      for (let vlan = 0; vlan < 64; vlan++) bench.say(lower, id(lower * 64 + vlan))
    // Answers that were left are said first.
    for (let wakes = 0; wakes < 10; wakes++) bench.wakeAfter(MILLISECOND)
    const steps: number[] = []
    bench.world.passes = () => {
      steps[steps.length - 1] = (steps.at(-1) as number) + 1
      return false
    }
    const { tables } = bench.registry
    for (const vlan of tables.states) for (const lower of vlan?.lowers ?? []) lower.resend = true
    for (const vlan of tables.states) for (const lower of vlan?.lowers ?? []) tables.schedule(lower)
    for (let wakes = 0; wakes < 4; wakes++) {
      steps.push(0)
      bench.wakeAfter(MILLISECOND)
    }
    expect(steps).toEqual([1_024, 1_024, 1_024, 60 * 64 - 3 * 1_024])
  })

  it('outlives the end of thousands of claims at once', { timeout: 60_000 }, () => {
    const bench = new Bench(1)
    for (let batch = 0; batch < 90; batch++) {
      bench.claim(1, source.vlan, proven(50, batch * 50, 300))
      bench.wakeAfter(SECOND / 4)
    }
    expect(bench.vlan(source.vlan).tokens.size).toBe(4_500)
    const reasons = new Set<number | undefined>()
    bench.world.passes = ({ bytes }) => {
      if (bytes[1] === KIND.registerRefused) reasons.add(decodeRefused(bytes)?.reason)
      return false
    }
    for (let minute = 0; minute < 7; minute++) {
      bench.say(1, source.vlan)
      bench.wakeAfter(70 * SECOND)
    }
    expect(bench.vlan(source.vlan).tokens.size).toBe(0)
    expect([...reasons]).toEqual([REFUSAL.proof])
  })
})

describe('memory', () => {
  it('of what lowers are to hear is given back under churn', () => {
    const bench = new Bench(3)
    const lab = id(0)
    for (const lower of [1, 2, 3]) bench.say(lower, lab)
    bench.registry.hold(0, bench.vlan(lab), id(7), undefined)
    for (let second = 1; second <= 60; second++) {
      bench.wakeAfter(SECOND)
      bench.say(1, lab, second % 2 === 1 ? { added: bare(1, 7) } : { removed: [id(7)] })
      // What comes to the one who toggles never concerns the others, who refresh at other times.
      if (second % 6 === 0) bench.say(2, lab)
      if (second % 6 === 3) bench.say(3, lab)
      expect(bench.vlan(lab).downQueue.length).toBe(0)
    }
  })

  it('of what an upper is to hear does not grow while it takes no more', () => {
    const bench = new Bench(2, true)
    // The upper's burst is used up by another VLAN.
    bench.claim(1, id(1), bare(7_500))
    bench.claim(1, id(2), bare(5))
    for (let count = 0; count < 1_000; count++) {
      bench.say(2, id(2), { added: bare(1, 3) })
      bench.say(2, id(2), { removed: [id(3)] })
    }
    expect(bench.vlan(id(2)).upper?.queue.length).toBeGreaterThanOrEqual(5)
    expect(bench.vlan(id(2)).upper?.queue.length).toBeLessThan(100)
  })
})

describe('a link', () => {
  it('pays for the rows that its farewell makes the relay look at', () => {
    const bench = new Bench(2)
    const lab = id(0)
    bench.claim(1, lab, bare(6_400))
    for (let count = 0; count < 300; count++) {
      bench.say(2, lab, { added: bare(1, 6_399) })
      bench.say(2, lab, { flags: REGISTER_FLAG.leave })
    }
    // A hundred changes for the rows, one for the VLAN and one for the token, of 8,192.
    expect(bench.count('boundRegRate')).toBe(300 - 81)
    bench.world.now += SETTLED
    bench.say(2, lab)
    expect(bench.vlan(lab).lowers.length).toBe(2)
  })

  it('that comes and goes as a lower without a VLAN makes the relay look at none', () => {
    const bench = new Bench(2)
    for (let vlan = 0; vlan < 100; vlan++) bench.say(1, id(vlan))
    const { world, relay, registry } = bench
    let looks = 0
    const { states } = registry.tables
    Object.defineProperty(states, Symbol.iterator, {
      value: () => {
        looks += 1
        return states.values()
      },
    })
    const { roles } = world.at(relay).tree
    const link = world.link(relay, 2)
    for (const role of [TREE_ROLE.none, TREE_ROLE.lower, TREE_ROLE.none, TREE_ROLE.lower]) {
      roles.set(link.id, role)
      world.input(relay, () => registry.roleChanged(world.now, link, role))
    }
    expect(looks).toBe(0)
    // Its own VLANs go with it all the same.
    roles.set(world.link(relay, 1).id, TREE_ROLE.none)
    world.input(relay, () => registry.roleChanged(world.now, world.link(relay, 1), TREE_ROLE.none))
    expect(registry.tables.vlanCount).toBe(0)
  })

  it('pays nothing for a farewell without tokens', () => {
    const bench = new Bench(2)
    bench.claim(1, id(0), bare(6_400))
    for (let count = 0; count < 300; count++) {
      bench.say(2, id(0))
      bench.say(2, id(0), { flags: REGISTER_FLAG.leave })
    }
    expect(bench.count('boundRegRate')).toBe(0)
  })

  it('pays for proofs of tokens that it has, and keeps those when it cannot', () => {
    const bench = new Bench(1)
    const [claim] = proven(1, 5) as [Claim]
    for (let count = 0; count < 130; count++) bench.say(1, source.vlan, { added: Array(64).fill(claim) })
    expect(bench.count('boundRegRate')).toBe(130 * 64 - 8_191)
    expect(bench.count('registrationsRefused')).toBe(0)
    expect(bench.peer(1).tokens).toBe(1)
  })

  it('holds one place for a claim that waits, however often it is said', () => {
    const bench = new Bench(3)
    for (const lower of [1, 2]) {
      bench.claim(lower, source.vlan, proven(200, lower * 1_000))
      bench.claim(lower, source.vlan, Array(8_320).fill(proven(1, lower * 1_000 + 500, 600, true)[0]))
      expect(bench.peer(lower).pending).toBe(1)
    }
    // The crowd of another link still finds room to wait.
    bench.claim(3, source.vlan, proven(300, 3_000))
    expect(bench.peer(3).tokens).toBe(300)
    expect(bench.peer(3).pending).toBe(100)
    for (let wakes = 0; wakes < 4; wakes++) bench.wakeAfter(SECOND)
    expect([1, 2, 3].map((lower) => bench.peer(lower).pending)).toEqual([0, 0, 0])
    expect([1, 2, 3].map((lower) => bench.peer(lower).tokens)).toEqual([200, 200, 300])
  })

  it('holds a quarter of the places to wait, and is told the truth about the others', () => {
    const bench = new Bench(2)
    const reasons = new Set<number | undefined>()
    bench.world.passes = ({ bytes }) => {
      if (bytes[1] === KIND.registerRefused) reasons.add(decodeRefused(bytes)?.reason)
      return false
    }
    bench.claim(1, source.vlan, proven(5_000, 0, 600, true))
    expect(bench.peer(1).pending).toBe(4_096)
    // The first two hundred were looked at and found wrong; beyond the quarter it is for want of room.
    expect([...reasons]).toEqual([REFUSAL.proof, REFUSAL.quota])
    bench.claim(2, source.vlan, proven(300, 10_000))
    expect(bench.peer(2).tokens).toBe(300)
  })

  it('has its renewed proof taken even when that had to wait', () => {
    const bench = new Bench(1)
    bench.claim(1, source.vlan, proven(1, 0, 300))
    for (let wakes = 0; wakes < 4; wakes++) bench.wakeAfter(MINUTE)
    bench.claim(1, source.vlan, [...proven(200, 1_000), ...proven(1, 0, 600)])
    for (let wakes = 0; wakes < 4; wakes++) {
      bench.wakeAfter(MINUTE)
      bench.say(1, source.vlan)
    }
    expect(bench.peer(1).tokens).toBe(201)
  })
})

describe('a peer that comes back again and again', () => {
  /** The bench after a minute in which nobody said anything, so that all that fills is full. */
  function idleBench(): Bench {
    const bench = new Bench(2)
    for (const lower of [1, 2]) bench.say(lower, id(0))
    bench.wakeAfter(MINUTE)
    return bench
  }

  it('makes no more changes than the node allows all links together, and leaves the others theirs', () => {
    const bench = idleBench()
    let taken = 0
    for (let turn = 0; turn < 40; turn++) {
      bench.comeBack(1)
      bench.claim(1, id(1), bare(8_000, turn * 8_000))
      taken += bench.peer(1).tokens
    }
    expect(taken).toBeGreaterThan(100_000)
    expect(taken).toBeLessThanOrEqual(131_072)
    expect(bench.count('boundRegRate')).toBeGreaterThan(2_000)
    // Who stayed has a reserve of its own, and who just came has none.
    bench.claim(2, id(0), bare(1_200))
    expect(bench.peer(2).tokens).toBe(1_000)
    // What the node makes up in a second goes to whoever asks.
    bench.wakeAfter(SECOND)
    bench.claim(1, id(2), bare(100))
    expect(bench.peer(1).tokens).toBe(100)
  })

  it('has no more proofs checked than the node allows, and leaves the others theirs', () => {
    const bench = idleBench()
    const spoilt = proven(200, 0, 600, true)
    for (let turn = 0; turn < 40; turn++) {
      bench.comeBack(1)
      bench.claim(1, source.vlan, spoilt)
    }
    expect(bench.count('verified')).toBe(4_000)
    expect(bench.count('boundVerify')).toBe(4_000)
    bench.claim(2, source.vlan, proven(60, 10_000))
    expect(bench.count('verified')).toBe(4_050)
    // The rest stands and is checked in its turn.
    expect([bench.peer(2).tokens, bench.peer(2).pending]).toEqual([60, 10])
    bench.wakeAfter(SECOND)
    expect([bench.peer(2).tokens, bench.peer(2).pending]).toEqual([60, 0])
  })
})

describe('links that all call themselves relays', () => {
  it('do not fill the node', { timeout: 60_000 }, () => {
    const bench = new Bench(6)
    for (let count = 0; count < 16_384; count++) {
      bench.world.now += MILLISECOND
      for (const liar of [1, 2, 3, 4, 5]) bench.say(liar, id(liar * 16_384 + count))
    }
    const { tables } = bench.registry
    expect(tables.vlanCount).toBeLessThan(65_536)
    for (let count = 0; count < 1_000; count++) bench.say(6, id(count))
    expect(bench.peer(6).vlans).toBe(1_000)
  })
})
