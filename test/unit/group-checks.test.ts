/** Checks of groups and seals from above: each must report the mistake that it exists for. */
import { describe, expect, test } from 'vitest'
import type { MlsOutcome } from '../../core/mls/engine.ts'
import { Clashes } from '../../sim/checks/clashes.ts'
import { Groups } from '../../sim/checks/groups.ts'
import { Nonces } from '../../sim/checks/nonces.ts'
import { standInCrypto } from '../../sim/crypto.ts'

const KEYS = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)] as const

/** Three members, entered at time 0 into epoch `a`; what was reported. */
function scene() {
  const found: string[] = []
  const groups = new Groups(standInCrypto.hash, (kind) => found.push(kind))
  for (const [node, key] of KEYS.entries()) {
    groups.know(0, node, key)
    groups.asked(0, 0, node)
    groups.noted(0, 0, node, { kind: 'epoch', mlsId: 'a', number: 0, members: 3 })
  }
  return { groups, found }
}

function outcome(secret: number): MlsOutcome {
  return {
    ok: true,
    kind: 'epoch',
    epoch: { exports: [new Uint8Array(32)], exporterSecret: new Uint8Array(32).fill(secret) },
  } as unknown as MlsOutcome
}

describe('groups', () => {
  test('two secrets in one epoch are reported, one is not', () => {
    const { groups, found } = scene()
    groups.secret(0, outcome(1))
    groups.secret(1, outcome(1))
    expect(found).toEqual([])
    groups.secret(2, outcome(2))
    expect(found).toEqual(['two-secrets'])
  })

  test('a frame sealed after its sender had removed the receiver is reported, one before is not', () => {
    const { groups, found } = scene()
    groups.revoked(10, 0, 2, [0, 1])
    groups.noted(20, 0, 0, { kind: 'memberRemoved', member: '03' })
    groups.delivered(0, 0, 15, 2)
    groups.delivered(0, 1, 30, 2)
    expect(found).toEqual([])
    expect(groups.unfinished).toBe(1)
    groups.delivered(0, 0, 30, 2)
    groups.delivered(0, 2, 30, 0)
    expect(found).toEqual(['delivered-to-evicted', 'delivered-from-evicted'])
    groups.noted(50, 0, 1, { kind: 'memberRemoved', member: '03' })
    expect(groups.evictions).toEqual([40])
    expect(groups.unfinished).toBe(0)
  })

  test('frames are owed in one line of epochs, and not between branches', () => {
    const { groups } = scene()
    const later = 6_000_000
    expect(groups.owes(1, 0, 0, 1)).toBe(false)
    expect(groups.owes(later, 0, 0, 1)).toBe(true)
    groups.noted(later, 0, 0, { kind: 'epoch', mlsId: 'b', number: 1, members: 3 })
    expect(groups.owes(later, 0, 0, 1)).toBe(true)
    groups.noted(later, 0, 1, { kind: 'epoch', mlsId: 'c', number: 1, members: 3 })
    expect(groups.owes(later, 0, 0, 1)).toBe(false)
    expect(groups.owes(later, 0, 1, 2)).toBe(true)
  })

  test('all are in one epoch from the moment that the last one is', () => {
    const { groups } = scene()
    groups.look(5, 0, [0, 1, 2])
    expect(groups.oneSince([0])).toBe(5)
    groups.noted(6, 0, 0, { kind: 'epoch', mlsId: 'b', number: 1, members: 3 })
    // One after the other is no parting; for longer it is.
    groups.look(7, 0, [0, 1, 2])
    expect(groups.oneSince([0])).toBe(5)
    groups.look(3_000_007, 0, [0, 1, 2])
    expect(groups.oneSince([0])).toBeUndefined()
    expect(groups.epochs(0, [0, 1, 2])).toBe(2)
  })
})

describe('members that were away or put out', () => {
  const epoch = (mlsId: string, number: number) => ({ kind: 'epoch', mlsId, number, members: 3 }) as const

  test('one is back when it is in the epoch of most others, and not before', () => {
    const { groups } = scene()
    for (const node of [0, 1]) groups.noted(5, 0, node, epoch('b', 1))
    groups.asked(10, 0, 2, true)
    groups.noted(11, 0, 2, epoch('a', 0))
    expect(groups.returns).toEqual([])
    expect(groups.isAwaiting).toBe(true)
    groups.noted(40, 0, 2, epoch('b', 1))
    expect(groups.returns).toEqual([30])
    expect(groups.isAwaiting).toBe(false)
  })

  test('one that was put out is reported in an epoch whose members have seen it go, and in no other', () => {
    const { groups, found } = scene()
    groups.revoked(10, 0, 2, [0, 1])
    groups.noted(20, 0, 0, { kind: 'memberRemoved', member: '03' })
    groups.noted(20, 0, 0, epoch('b', 1))
    groups.noted(25, 0, 2, epoch('a', 0))
    expect(found).toEqual([])
    groups.noted(30, 0, 2, epoch('b', 1))
    expect(found).toEqual(['evicted-came-back'])
  })

  test('an epoch without the member carries its eviction out, however one came to it', () => {
    const { groups } = scene()
    groups.revoked(10, 0, 2, [0, 1])
    groups.noted(20, 0, 0, { kind: 'memberRemoved', member: '03' })
    groups.noted(20, 0, 0, epoch('b', 1))
    groups.noted(30, 0, 1, epoch('b', 1))
    expect(groups.evictions).toEqual([20])
  })

  test('one that lost its invitation to another is out', () => {
    const { groups } = scene()
    expect(groups.isOut(0, 1)).toBe(false)
    groups.noted(5, 0, 1, { kind: 'ended', why: 'lost' })
    expect(groups.isOut(0, 1)).toBe(true)
    groups.noted(6, 0, 1, epoch('b', 1))
    expect(groups.epochOf(0, 1)).toBeUndefined()
  })
})

describe('MACs that two use at once', () => {
  const MAC = 0x0200_0000_0007
  const frame = new Uint8Array(60)
  frame.set([2, 0, 0, 0, 0, 7])
  const SECOND = 1_000_000
  const lost = { kind: 'macConflict', port: 1 as never, mac: MAC, kept: false, other: '' } as const

  function clash() {
    const clashes = new Clashes()
    clashes.begin(0, MAC, [1, 2], 0, 10 * SECOND)
    return clashes
  }

  test('are settled when frames come out at one alone, and the other knows', () => {
    const clashes = clash()
    for (const [at, node] of [
      [1, 2],
      [2, 1],
      [3, 2],
      [9, 1],
    ] as const)
      clashes.delivered(at * SECOND, 0, node, frame)
    clashes.delivered(9 * SECOND, 1, 2, frame)
    clashes.noted(0, 2, lost)
    expect(clashes.settledAfter()).toEqual([3 * SECOND])
    expect(clashes.faults()).toEqual([])
  })

  test('whoever is not told is reported, so is who is told wrongly, and a MAC that reaches nobody', () => {
    const clashes = clash()
    expect(clashes.faults()).toEqual([expect.stringContaining('reached neither')])
    clashes.delivered(9 * SECOND, 0, 1, frame)
    expect(clashes.faults()).toEqual([expect.stringContaining('node 2 was not told')])
    clashes.noted(0, 1, lost)
    clashes.noted(0, 2, { kind: 'macChanged', port: 1 as never, mac: 5 })
    expect(clashes.faults()).toEqual([expect.stringContaining('node 1 was told')])
  })
})

describe('nonces', () => {
  test('another text under a pair is a repeat; the same text again is not', () => {
    const nonces = new Nonces()
    const aead = nonces.watch(standInCrypto.aead)
    const [key, nonce, header] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(4)]
    const seal = (text: number): void => {
      aead.seal(key, nonce, header, Uint8Array.of(text), new Uint8Array(17))
    }
    seal(1)
    seal(1)
    expect(nonces.repeats).toBe(0)
    seal(2)
    expect(nonces.repeats).toBe(1)
    nonce[0] = 1
    seal(3)
    expect(nonces.repeats).toBe(1)
  })
})
