/** Checks of groups and seals from above: each must report the mistake that it exists for. */
import { describe, expect, test } from 'vitest'
import { encodeHandshake, type Handshake } from '../../core/group/messages.ts'
import { concat, hex, mlsId, unhex } from '../../core/ids.ts'
import type { MlsOutcome } from '../../core/mls/engine.ts'
import {
  FLAG,
  PAYLOAD_KIND,
  type PayloadKind,
  plaintextLength,
  writePlaintext,
} from '../../core/vlan/plaintext.ts'
import { AAD_BYTES, MLS_OFFSET } from '../../core/wire/packet.ts'
import { Apart } from '../../sim/checks/apart.ts'
import { Clashes } from '../../sim/checks/clashes.ts'
import { Groups } from '../../sim/checks/groups.ts'
import { Nonces } from '../../sim/checks/nonces.ts'
import { Reach } from '../../sim/checks/reach.ts'
import { Rosters } from '../../sim/checks/rosters.ts'
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

/** What an engine answers to whoever comes into the epoch of that number with members of these keys. */
function outcome(epoch: number, secret: number, keys: readonly Uint8Array[]): MlsOutcome {
  const roster = keys.map((key) => ({ credential: key }))
  const exports = [new Uint8Array(32).fill(epoch)]
  const facts = { exports, exporterSecret: new Uint8Array(32).fill(secret), roster }
  return { ok: true, kind: 'epoch', epoch: facts } as unknown as MlsOutcome
}

/** A handshake as it stands in a packet, after the sender's leaf. */
function behindLeaf(said: Handshake): Uint8Array {
  return concat(new Uint8Array(4), encodeHandshake(said))
}

function nameOf(epoch: number): string {
  return hex(mlsId(standInCrypto.hash, new Uint8Array(32).fill(epoch)))
}

describe('groups', () => {
  test('two secrets in one epoch are reported, one is not', () => {
    const { groups, found } = scene()
    groups.secret(0, outcome(7, 1, KEYS))
    groups.secret(1, outcome(7, 1, KEYS))
    groups.secret(1, outcome(8, 2, KEYS))
    expect(found).toEqual([])
    groups.secret(2, outcome(7, 2, KEYS))
    expect(found).toEqual(['two-secrets'])
  })

  test('a frame sealed after its sender had removed the receiver is reported, one before is not', () => {
    const { groups, found } = scene()
    const goes = (now: number, node: number, epoch: number): void =>
      groups.noted(now, 0, node, { kind: 'epoch', mlsId: nameOf(epoch), number: 1, members: 2 })
    groups.secret(0, outcome(7, 1, KEYS))
    groups.secret(0, outcome(8, 2, KEYS.slice(0, 2)))
    groups.revoked(10, 0, 2, [0, 1])
    goes(12, 0, 7)
    goes(20, 0, 8)
    groups.delivered(0, 0, 15, 2)
    groups.delivered(0, 1, 30, 2)
    expect(found).toEqual([])
    expect(groups.unfinished).toEqual(['03'])
    groups.delivered(0, 0, 30, 2)
    groups.delivered(0, 2, 30, 0)
    expect(found).toEqual(['delivered-to-evicted', 'delivered-from-evicted'])
    goes(50, 1, 8)
    expect(groups.evictions).toEqual([40])
    expect(groups.unfinished).toEqual([])
    goes(60, 1, 7)
    expect(found.at(-1)).toBe('in-again')
  })

  test('an epoch from before somebody came in is no epoch without it', () => {
    const { groups, found } = scene()
    const goes = (now: number, node: number, epoch: number): void =>
      groups.noted(now, 0, node, { kind: 'epoch', mlsId: nameOf(epoch), number: epoch, members: 2 })
    groups.secret(0, outcome(6, 1, KEYS.slice(0, 2)))
    groups.secret(0, outcome(7, 2, KEYS))
    groups.secret(0, outcome(8, 3, KEYS.slice(0, 2)))
    for (const epoch of [6, 7]) goes(epoch, 0, epoch)
    groups.revoked(10, 0, 2, [0, 1])
    // Member 1 was away, and follows from where it was.
    for (const epoch of [6, 7]) goes(20, 1, epoch)
    expect(found).toEqual([])
    expect(groups.unfinished).toEqual(['03'])
    for (const node of [0, 1]) goes(30, node, 8)
    expect(groups.unfinished).toEqual([])
    goes(40, 1, 7)
    expect(found).toEqual(['in-again'])
  })

  test('whoever is put out itself need not carry out what came before', () => {
    const { groups } = scene()
    groups.revoked(10, 0, 2, [0, 1])
    groups.revoked(10, 0, 1, [0])
    groups.gone(20, 0, 0)
    expect(groups.unfinished).toEqual([])
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

describe('reach', () => {
  /** Member 0 is in epoch 7 with member 2, whom it knows to be revoked; member 1 is in no epoch. */
  function scene() {
    const found: string[] = []
    const rosters = new Rosters(standInCrypto.hash)
    rosters.note(outcome(7, 1, [KEYS[0], KEYS[2]]))
    const reach = new Reach(rosters, (kind) => found.push(kind))
    for (const [node, key] of KEYS.entries()) reach.know(node, hex(key))
    const header = new Uint8Array(AAD_BYTES)
    header.set(unhex(nameOf(7)), MLS_OFFSET)
    const seals = (
      node: number,
      kind: PayloadKind,
      flags: number,
      payload: Uint8Array = new Uint8Array(8),
    ): void => {
      const plain = new Uint8Array(plaintextLength(flags, payload.length))
      writePlaintext(plain, kind, 1, 0, payload, flags)
      reach.sealed(node, header, plain)
    }
    return { found, reach, header, seals }
  }

  test('whoever is not in the epoch of a packet may neither open nor seal it', () => {
    const { found, reach, header, seals } = scene()
    reach.opened(0, header)
    reach.opened(1, new Uint8Array(AAD_BYTES))
    seals(0, PAYLOAD_KIND.frame, FLAG.signed)
    expect(found).toEqual([])
    reach.opened(1, header)
    seals(1, PAYLOAD_KIND.frame, FLAG.none)
    expect(found).toEqual(['opened-outside', 'sealed-outside'])
  })

  test('whoever knows of a revocation goes over to no epoch of the revoked; who does not may', () => {
    const { found, reach } = scene()
    reach.forged(hex(KEYS[2]), [nameOf(9)])
    reach.adopted(0, nameOf(8))
    reach.adopted(0, nameOf(9))
    expect(found).toEqual([])
    expect(reach.misled).toBe(1)
    reach.heard(0, 0, hex(KEYS[2]))
    reach.adopted(0, nameOf(9))
    expect(found).toEqual(['adopted-from-evicted'])
  })

  test('whoever knows of a revocation seals for all only what ends the epoch', () => {
    const { found, reach, seals } = scene()
    reach.heard(0, 0, hex(KEYS[2]))
    seals(0, PAYLOAD_KIND.frame, FLAG.none)
    seals(0, PAYLOAD_KIND.ledger, FLAG.signed)
    seals(0, PAYLOAD_KIND.handshake, FLAG.signed, behindLeaf({ kind: 'ack', ack: new Uint8Array(84) }))
    expect(found).toEqual([])
    expect(reach.farewells).toBe(2)
    for (const kind of [PAYLOAD_KIND.frame, PAYLOAD_KIND.card, PAYLOAD_KIND.control])
      seals(0, kind, FLAG.signed)
    seals(0, PAYLOAD_KIND.handshake, FLAG.signed, behindLeaf({ kind: 'offers', offers: [], facts: [] }))
    expect(found).toEqual(Array(4).fill('sealed-for-evicted'))
    reach.stopped(0, 0)
    seals(0, PAYLOAD_KIND.frame, FLAG.signed)
    expect(found).toHaveLength(4)
  })
})

describe('a word', () => {
  test('is lost with a machine that had not stored it, or lost its disk', () => {
    const reach = new Reach(new Rosters(standInCrypto.hash), () => {})
    const second = 1_000_000
    reach.know(3, '03')
    reach.heard(0, 3, '03')
    expect(reach.isHeard('03')).toBe(false)
    reach.heard(0, 1, '03')
    expect(reach.isHeard('03')).toBe(true)
    reach.stopped(second, 1)
    expect(reach.isHeard('03')).toBe(false)
    reach.heard(2 * second, 1, '03')
    reach.stopped(9 * second, 1)
    expect(reach.isHeard('03')).toBe(true)
    reach.forgot(1)
    expect(reach.isHeard('03')).toBe(false)
  })
})

describe('members apart', () => {
  /** Two members, of whom one steps ahead at 10 and the other follows at 30; the longest spell. */
  function spell(isCut: (now: number) => boolean): number {
    let now = 0
    const apart = new Apart(() => isCut(now))
    const at = (time: number, node: number, epoch: string | undefined): void => {
      now = time
      apart.moved(now, 0, node, epoch)
    }
    at(1, 0, 'a')
    at(2, 1, 'a')
    at(10, 0, 'b')
    now = 20
    apart.look(now, 0)
    at(30, 1, 'b')
    at(90, 1, undefined)
    return apart.longest
  }

  test('count from the first step to the last, and not while there is a cut', () => {
    expect(spell(() => false)).toBe(20)
    expect(spell((now) => now === 20)).toBe(0)
    expect(spell((now) => now > 30)).toBe(20)
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
