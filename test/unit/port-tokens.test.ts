/** A port whose salt changes: old and new tokens, as registrations and packets show them (mesh:S5). */
import { describe, expect, test } from 'vitest'
import { BROADCAST_MAC, hex, type Mac } from '../../core/ids.ts'
import { MILLISECOND, type Micros, type PortId, SECOND } from '../../core/io.ts'
import type { Port } from '../../core/vlan/port.ts'
import type { Edge, Sealing } from '../../core/vlan/sealing.ts'
import { ANY, ROUTE } from '../../core/vlan/sealing.ts'
import { TokenBook } from '../../core/vlan/tokens.ts'
import { TOKEN_OFFSET } from '../../core/wire/packet.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { WorldNode } from '../support/vlan-node.ts'

const VLAN = new Uint8Array(16).fill(7)
const MAC: Mac = 0x0200_0000_0001
const OTHER: Mac = 0x0200_0000_0002

/** Notes which token a frame goes to and which MAC a packet came by. */
class Notes implements Sealing {
  readonly vlan = VLAN
  readonly certified = true
  readonly mac = MAC
  readonly firstHopLimit = 64
  sent = ''
  came: Mac[] = []

  frame(_now: Micros, _edge: Edge, _target: Mac, token: Uint8Array): void {
    this.sent = hex(token)
  }

  taken: Mac | undefined
  behind: readonly Mac[] = []

  mayServe(_now: Micros, mac: Mac): boolean {
    return mac !== this.taken
  }

  stations(_now: Micros, macs: readonly Mac[]): void {
    this.behind = macs
  }

  packet(_now: Micros, _edge: Edge, _link: number, mac: Mac): void {
    this.came.push(mac)
  }
}

function book(salt: number): TokenBook {
  return new TokenBook(standInCrypto, {
    vlan: VLAN,
    privacy: 'private',
    salt: new Uint8Array(32).fill(salt),
  })
}

function scene() {
  const node = new WorldNode(0, 1, {})
  const notes = new Notes()
  const port = node.vlans.openSealed(0, 1 as PortId, notes)
  return { node, notes, port }
}

/** The MAC by which a packet to the token is taken; undefined if it is not. */
function taken(port: Port, notes: Notes, now: Micros, token: Uint8Array): Mac | undefined {
  const packet = new Uint8Array(120)
  packet.set(token, TOKEN_OFFSET)
  notes.came = []
  return port.packet(now, 0 as never, packet) ? notes.came[0] : undefined
}

function frameTo(mac: Mac, from: Mac = MAC): Uint8Array {
  const frame = new Uint8Array(60)
  for (let at = 0; at < 6; at++) {
    frame[at] = Math.floor(mac / 2 ** (40 - 8 * at)) % 256
    frame[6 + at] = Math.floor(from / 2 ** (40 - 8 * at)) % 256
  }
  return frame
}

describe('the tokens of a port that is sealed elsewhere', () => {
  test('it listens to nothing before it has tokens, and drops frames', () => {
    const { node, notes, port } = scene()
    expect(taken(port, notes, 0, book(1).token(BROADCAST_MAC))).toBeUndefined()
    port.frame(0, frameTo(OTHER))
    expect(node.count('dropNoEpoch')).toBe(1)
    port.useTokens(0, book(1))
    expect(taken(port, notes, 0, book(1).token(BROADCAST_MAC))).toBe(BROADCAST_MAC)
    expect(taken(port, notes, 0, book(1).token(MAC))).toBe(MAC)
    port.frame(0, frameTo(OTHER))
    expect(notes.sent).toBe(hex(book(1).token(OTHER)))
  })

  test('a new salt: sent by from 10 s on, listened to within 5 s, the old one for 30 s', () => {
    const { notes, port } = scene()
    const [old, next] = [book(1), book(2)]
    port.useTokens(0, old)
    port.useTokens(0, next, old)
    for (const [at, token] of [
      [1, old],
      [9.9, old],
      [10, next],
    ] as const) {
      port.frame(at * SECOND, frameTo(OTHER))
      expect(notes.sent).toBe(hex(token.token(OTHER)))
    }
    for (let at = 0; at <= 5 * SECOND; at += 100 * MILLISECOND) port.wake(at)
    for (const mac of [MAC, BROADCAST_MAC]) {
      expect(taken(port, notes, 6 * SECOND, next.token(mac))).toBe(mac)
      expect(taken(port, notes, 6 * SECOND, old.token(mac))).toBe(mac)
    }
    port.wake(30 * SECOND)
    expect(taken(port, notes, 30 * SECOND, old.token(MAC))).toBeUndefined()
    expect(taken(port, notes, 30 * SECOND, next.token(MAC))).toBe(MAC)
  })

  test('a frame whose packet had to wait is taken in all that time, while another is not', () => {
    const { node, port } = scene()
    const [old, next] = [book(1), book(2)]
    port.useTokens(0, old)
    port.useTokens(0, next, old)
    const frame = frameTo(BROADCAST_MAC).fill(0x22, 6, 12)
    const strange = frameTo(OTHER).fill(0x22, 6, 12)
    for (let at = 0; at <= 40 * SECOND; at += 500 * MILLISECOND) {
      port.wake(at)
      port.deliver(at, ANY, frame)
      port.deliver(at, ANY, strange)
    }
    expect(node.count('framesDelivered')).toBe(81)
    expect(node.count('dropNotOurToken')).toBe(81)
  })

  test('salts that follow each other within 10 s: all are listened to, sent by is what all know', () => {
    const { notes, port } = scene()
    const [first, second, third] = [book(1), book(2), book(3)]
    const sentAt = (now: Micros): string => {
      port.frame(now, frameTo(OTHER))
      return notes.sent
    }
    port.useTokens(0, first)
    port.useTokens(0, second, first)
    port.wake(2 * SECOND)
    port.useTokens(2 * SECOND, third, second)
    // What had not been registered under the second is now: others may not have heard of the third.
    for (const salt of [first, second])
      for (const mac of [MAC, BROADCAST_MAC])
        expect(taken(port, notes, 2 * SECOND, salt.token(mac))).toBe(mac)
    expect(sentAt(2 * SECOND)).toBe(hex(first.token(OTHER)))
    expect(sentAt(3 * SECOND)).toBe(hex(second.token(OTHER)))
    expect(sentAt(12 * SECOND)).toBe(hex(third.token(OTHER)))
    port.wake(31 * SECOND)
    expect(taken(port, notes, 31 * SECOND, first.token(MAC))).toBeUndefined()
    expect(taken(port, notes, 31 * SECOND, second.token(MAC))).toBe(MAC)
    port.wake(33 * SECOND)
    expect(taken(port, notes, 33 * SECOND, second.token(MAC))).toBeUndefined()
    expect(taken(port, notes, 33 * SECOND, third.token(MAC))).toBe(MAC)
  })

  test('to a sibling of the epoch: what was before both is still sent by and listened to', () => {
    const { notes, port } = scene()
    const [older, before, left, kept] = [book(1), book(2), book(3), book(4)]
    port.useTokens(0, older)
    port.useTokens(0, before, older)
    port.useTokens(4 * SECOND, left, before)
    port.useTokens(5 * SECOND, kept, before)
    expect(taken(port, notes, 5 * SECOND, older.token(MAC))).toBe(MAC)
    expect(taken(port, notes, 5 * SECOND, before.token(MAC))).toBe(MAC)
    expect(taken(port, notes, 5 * SECOND, left.token(MAC))).toBeUndefined()
    port.frame(5 * SECOND, frameTo(OTHER))
    expect(notes.sent).toBe(hex(before.token(OTHER)))
  })

  test('into another branch: tokens of the one left end at once, those before the new one begin', () => {
    const { notes, port } = scene()
    const [mine, theirs, before] = [book(1), book(2), book(3)]
    port.useTokens(0, mine)
    port.joinGroup(0, 0x0100_5e01_0001)
    port.useTokens(1, theirs, before)
    expect(taken(port, notes, 1, mine.token(MAC))).toBeUndefined()
    expect(taken(port, notes, 1, before.token(MAC))).toBe(MAC)
    expect(taken(port, notes, 1, before.token(0x0100_5e01_0001))).toBe(0x0100_5e01_0001)
    port.frame(1, frameTo(OTHER))
    expect(notes.sent).toBe(hex(before.token(OTHER)))
  })

  test('later than others: the former salt is listened to for 30 s, and never sent by', () => {
    const { notes, port } = scene()
    const [mine, theirs, before, next] = [book(1), book(2), book(3), book(4)]
    const sentAt = (now: Micros): string => {
      port.frame(now, frameTo(OTHER))
      return notes.sent
    }
    port.useTokens(0, mine)
    port.useTokens(SECOND, theirs, undefined, before)
    expect(sentAt(SECOND)).toBe(hex(theirs.token(OTHER)))
    for (const salt of [theirs, before])
      for (const mac of [MAC, BROADCAST_MAC]) expect(taken(port, notes, SECOND, salt.token(mac))).toBe(mac)
    expect(taken(port, notes, SECOND, mine.token(MAC))).toBeUndefined()
    // The salt changes as for everybody else.
    port.useTokens(5 * SECOND, next, theirs)
    expect(sentAt(5 * SECOND)).toBe(hex(theirs.token(OTHER)))
    port.wake(30 * SECOND)
    expect(taken(port, notes, 30 * SECOND, before.token(MAC))).toBe(MAC)
    port.wake(31 * SECOND)
    expect(taken(port, notes, 31 * SECOND, before.token(MAC))).toBeUndefined()
    expect(taken(port, notes, 31 * SECOND, theirs.token(MAC))).toBe(MAC)
  })

  test('a route is no MAC, and outlives changes of the salt', () => {
    const { notes, port } = scene()
    const token = new Uint8Array(16).fill(9)
    port.holdRoute(0, token, new Uint8Array(105))
    port.useTokens(0, book(1))
    port.useTokens(0, book(2), book(1))
    port.wake(31 * SECOND)
    expect(taken(port, notes, 31 * SECOND, token)).toBe(ROUTE)
    port.releaseRoute(token)
    expect(taken(port, notes, 31 * SECOND, token)).toBeUndefined()
  })
})

describe('a machine behind the port whose MAC another member has', () => {
  test('is not served, and a frame of it goes out once a second', () => {
    const { node, notes, port } = scene()
    port.useTokens(0, book(1))
    notes.taken = OTHER
    let out = 0
    for (let at = 0; at < 30; at++) {
      notes.sent = ''
      port.frame(at * 100 * MILLISECOND, frameTo(BROADCAST_MAC, OTHER))
      if (notes.sent !== '') out += 1
    }
    expect(out).toBe(3)
    expect(node.count('dropMacConflict')).toBe(27)
    expect(taken(port, notes, 3 * SECOND, book(1).token(OTHER))).toBeUndefined()
    expect(notes.behind).toEqual([])
  })

  test('is served as soon as the MAC is free, and was no loop for having waited', () => {
    const { notes, port } = scene()
    port.useTokens(0, book(1))
    notes.taken = OTHER
    for (let at = 0; at < 10; at++) port.frame(at * SECOND, frameTo(BROADCAST_MAC, OTHER))
    notes.taken = undefined
    port.frame(10 * SECOND, frameTo(BROADCAST_MAC, OTHER))
    expect(notes.behind).toEqual([OTHER])
    expect(taken(port, notes, 10 * SECOND, book(1).token(OTHER))).toBe(OTHER)
  })

  test('yields when that member has more right to it; nobody takes it from one that talks', () => {
    const { notes, port } = scene()
    port.useTokens(0, book(1))
    port.frame(0, frameTo(BROADCAST_MAC, OTHER))
    expect(port.keeps(9 * SECOND, OTHER)).toBe(true)
    expect(port.keeps(10 * SECOND, OTHER)).toBe(false)
    port.yield(SECOND, OTHER)
    expect(notes.behind).toEqual([])
    expect(taken(port, notes, SECOND, book(1).token(OTHER))).toBeUndefined()
    expect(port.keeps(SECOND, OTHER)).toBe(false)
  })
})
