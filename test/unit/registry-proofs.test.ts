import { beforeEach, describe, expect, it } from 'vitest'
import { BROADCAST_MAC } from '../../core/ids.ts'
import { CHANNEL, MINUTE, SECOND } from '../../core/io.ts'
import { decodeRefused, decodeRegister, encodeRegister } from '../../core/vlan/messages.ts'
import { makeProof, TokenBook } from '../../core/vlan/tokens.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { type Member, membership, VlanWorld, vlanIdOf } from '../support/vlan-world.ts'

const SETTLED = 10 * SECOND
const NO_HASH = new Uint8Array(8)

/** What every member of the private VLAN 'lab' can compute, and nobody else. */
const { privacy, salt } = membership('lab', 'private', new Uint8Array(32))
const source = { vlan: vlanIdOf('lab'), privacy, salt }
const book = new TokenBook(standInCrypto, source)

/** Roots 0; lowers 1, 2 and 3. Ann sits on 1, bob on 2, and 3 belongs to a stranger. */
let world: VlanWorld
let ann: Member
let bob: Member

beforeEach(() => {
  world = new VlanWorld(6)
  world.tree([undefined, 0, 0, 0])
  ann = world.join(1, 'lab')
  bob = world.join(2, 'lab')
  world.run(SETTLED)
})

interface Claim {
  readonly token: Uint8Array
  readonly proof: Uint8Array | undefined
}

function claim(from: number, added: readonly Claim[], at = 0): void {
  const packet = encodeRegister({
    vlan: source.vlan,
    tree: 0,
    serial: 1,
    flags: 0,
    added,
    removed: [],
    setHash: NO_HASH,
  })
  world.input(at, () => world.at(at).vlans.onMessage(world.now, world.link(at, from), KIND.register, packet))
}

/** Refusals that node 3 hears from now on, a count of tokens for each. */
function refusalsOf(act: () => void): number[] {
  const refused: number[] = []
  world.passes = ({ to, channel, bytes }) => {
    if (to !== 3 || channel !== CHANNEL.control || bytes[1] !== KIND.registerRefused) return true
    refused.push(decodeRefused(bytes)?.tokens.length ?? -1)
    return true
  }
  act()
  world.run(SECOND)
  return refused
}

/** Nodes that the root sends a frame from ann to bob, or to all, to. */
function copies(destination: number): number[] {
  const to: number[] = []
  world.onData = (passing) => {
    if (passing.from === 0) to.push(passing.to)
  }
  world.send(ann, destination)
  world.run(SECOND)
  return to.sort()
}

describe('tokens of a private VLAN', () => {
  it('are not to be had without a proof where the owner is known', () => {
    const tokens = [bob.mac, BROADCAST_MAC].map((mac) => ({ token: book.token(mac), proof: undefined }))
    expect(refusalsOf(() => claim(3, tokens))).toEqual([2])
    expect(copies(bob.mac)).toEqual([2])
    expect(copies(BROADCAST_MAC)).toEqual([2])
  })

  it('are not to be had with the proof of another token, or a spoilt one', () => {
    const token = book.token(bob.mac)
    const spoilt = makeProof(standInCrypto, source, bob.mac, 1, 600)
    spoilt[70] = (spoilt[70] as number) ^ 1
    const other = makeProof(standInCrypto, source, ann.mac, 1, 600)
    const refused = refusalsOf(() => {
      claim(3, [{ token, proof: spoilt }])
      claim(3, [{ token, proof: other }])
    })
    expect(refused).toEqual([1, 1])
    expect(world.at(0).count('dropBadSignature')).toBe(2)
    expect(copies(bob.mac)).toEqual([2])
  })

  it('go to everybody who shows a proof, as a group’s token must', () => {
    expect(
      refusalsOf(() =>
        claim(3, [
          {
            token: book.token(BROADCAST_MAC),
            proof: makeProof(standInCrypto, source, BROADCAST_MAC, 5, 600),
          },
        ]),
      ),
    ).toEqual([])
    expect(copies(BROADCAST_MAC)).toEqual([2, 3])
  })

  it('end a stranger’s bare claim as soon as the owner comes', () => {
    world.leave(bob)
    world.run(SECOND)
    // The token of someone who is not there yet: nothing is known of it.
    const token = book.token(bob.mac)
    expect(refusalsOf(() => claim(3, [{ token, proof: undefined }]))).toEqual([])
    const refused = refusalsOf(() => {
      world.attach(2, 0)
      claim(2, [{ token, proof: makeProof(standInCrypto, source, bob.mac, 9, 600) }])
    })
    expect(refused).toEqual([1])
  })

  it('are refused bare by a relay that is a member itself', () => {
    world.join(0, 'lab')
    const refused = refusalsOf(() => claim(3, [{ token: new Uint8Array(16).fill(9), proof: undefined }]))
    expect(refused).toEqual([1])
  })
})

describe('proofs', () => {
  it('pass relays unchanged and are checked once by each', () => {
    const chain = new VlanWorld(8)
    chain.tree([undefined, 0, 1, 2, 0])
    chain.join(4, 'lab')
    chain.run(SETTLED)
    const seen = new Map<number, string[]>()
    chain.passes = ({ from, to, channel, bytes }) => {
      if (from === 4) return true
      const message =
        channel === CHANNEL.control && bytes[1] === KIND.register ? decodeRegister(bytes) : undefined
      const proofs = message?.added.flatMap(({ proof }) => (proof === undefined ? [] : [String(proof)])) ?? []
      seen.set(to, [...(seen.get(to) ?? []), ...proofs])
      return true
    }
    const before = chain.nodes.map((node) => node.count('verified'))
    // The root hears of two tokens from each side, the others of two.
    chain.join(3, 'lab')
    chain.run(SETTLED)
    const shown = [2, 1, 0].map((node) => [...new Set(seen.get(node))].sort())
    expect(shown[0]?.length).toBe(2)
    expect(shown[1]).toEqual(shown[0])
    expect(shown[2]).toEqual(shown[0])
    expect(chain.nodes.map((node, at) => node.count('verified') - (before[at] as number))).toEqual([
      4, 2, 2, 0, 0,
    ])
  })

  it('are renewed before they end, and passed on only as often as that', () => {
    const heard = new Map<string, number>()
    world.passes = ({ from, channel, bytes }) => {
      const message =
        channel === CHANNEL.control && bytes[1] === KIND.register ? decodeRegister(bytes) : undefined
      const renewed = message?.added.filter(({ proof }) => proof !== undefined).length ?? 0
      heard.set(String(from), (heard.get(String(from)) ?? 0) + renewed)
      return true
    }
    world.run(30 * MINUTE)
    // Two tokens each, every 270 to 330 s.
    for (const node of ['1', '2']) {
      expect(heard.get(node)).toBeGreaterThanOrEqual(2 * 5)
      expect(heard.get(node)).toBeLessThanOrEqual(2 * 7)
    }
    const frame = world.broadcast(ann)
    world.run(SECOND)
    expect(world.received(frame)).toEqual([`2:${bob.port}`])
  })

  it('of a shared token are taken and passed on no more than once in two minutes', () => {
    const star = new VlanWorld(6)
    star.tree([undefined, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    for (let node = 2; node < 11; node++) star.join(node, 'lab')
    star.run(SETTLED)
    const before = [star.at(1).count('verified'), star.at(0).count('verified')] as const
    star.run(30 * MINUTE)
    // Eight unicast tokens below 1, renewed 5 to 7 times each, and the shared one 15 times at most.
    expect(star.at(1).count('verified') - before[0]).toBeLessThanOrEqual(8 * 7 + 15)
    // The root hears of the same, and of the two tokens of the ninth member.
    expect(star.at(0).count('verified') - before[1]).toBeLessThanOrEqual(8 * 7 + 15 + 2 * 7)
  })

  it('end the claim when nobody renews them, whatever the link says', () => {
    const mac = 0x0200_0000_0077
    claim(3, [{ token: book.token(mac), proof: makeProof(standInCrypto, source, mac, 1, 300) }])
    world.run(4 * MINUTE)
    claim(3, [])
    expect(copies(mac)).toEqual([3])
    const refused = refusalsOf(() => world.run(3 * MINUTE))
    expect(refused).toContain(1)
    expect(copies(mac)).toEqual([])
  })

  it('beyond two hundred a second wait, and their claims stand meanwhile', () => {
    const macs = Array.from({ length: 600 }, (_, index) => 0x0200_0000_1000 + index)
    const claims = macs.map((mac) => ({
      token: book.token(mac),
      proof: makeProof(standInCrypto, source, mac, 1, 600),
    }))
    const last = claims[599] as Claim
    ;(last.proof as Uint8Array)[60] = 1
    const before = world.at(0).count('verified')
    for (let from = 0; from < 600; from += 50) claim(3, claims.slice(from, from + 50))
    expect(world.at(0).count('verified') - before).toBe(200)
    expect(world.at(0).count('boundVerify')).toBe(400)
    expect(copies(macs[500] as number)).toEqual([3])
    expect(copies(macs[599] as number)).toEqual([3])
    world.run(3 * SECOND)
    expect(world.at(0).count('verified') - before).toBe(600)
    expect(copies(macs[599] as number)).toEqual([])
    expect(copies(macs[598] as number)).toEqual([3])
  })
})
