import { describe, expect, it } from 'vitest'
import {
  CERTIFICATE_BYTES,
  CertificateTable,
  certificateHead,
  isCertificateForm,
  NO_CERTIFICATE,
  serialAfter,
} from '../../core/tree/certificates.ts'
import { compareLabels, compareRanks, isBelow, type Label, type Rank, rankOf } from '../../core/tree/label.ts'
import {
  attach,
  beat,
  linkCertificate,
  path,
  pathRequest,
  update,
  voidMessage,
} from '../../core/tree/messages.ts'
import { VoidTable } from '../../core/tree/voids.ts'
import { CONTROL_BYTES_MAX, KIND } from '../../core/wire/kinds.ts'
import { decodeControl, encodeControl } from '../../core/wire/schema.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { actor, beatOf, certificate, updateOf, voidOf } from '../support/tree-bench.ts'

const SECOND = 1_000_000

function rank(changes: Partial<Rank> = {}): Rank {
  return { class: 2, priority: 5, hash0: 1, hash1: 2, hash2: 3, hash3: 4, ...changes }
}

function label(changes: Partial<Label> = {}): Label {
  return { rank: rank(), seq: 10, metric: 100, ...changes }
}

describe('the order of ranks and labels', () => {
  it('compares class, priority and hash in that order', () => {
    expect(compareRanks(rank({ class: 1, priority: 9 }), rank())).toBeLessThan(0)
    expect(compareRanks(rank({ priority: 4, hash0: 9 }), rank())).toBeLessThan(0)
    expect(compareRanks(rank({ hash1: 1, hash3: 9 }), rank())).toBeLessThan(0)
    expect(compareRanks(rank({ hash3: 5 }), rank())).toBeGreaterThan(0)
    expect(compareRanks(rank(), rank())).toBe(0)
  })

  it('prefers the newer seq over the smaller metric, and the better rank over both', () => {
    expect(compareLabels(label({ seq: 11, metric: 900 }), label())).toBeLessThan(0)
    expect(compareLabels(label({ metric: 99 }), label())).toBeLessThan(0)
    expect(compareLabels(label({ rank: rank({ class: 1 }), seq: 1 }), label())).toBeLessThan(0)
  })

  it('takes an undefined height for the infinite one, and is strict', () => {
    expect(isBelow(label(), undefined)).toBe(true)
    expect(isBelow(label(), label())).toBe(false)
  })

  it('gives one key another hash in each tree', () => {
    const { key } = actor(7)
    const first = rankOf(standInCrypto.hash, 0, key, 2, 5)
    expect(first).toEqual(rankOf(standInCrypto.hash, 0, key, 2, 5))
    expect(compareRanks(first, rankOf(standInCrypto.hash, 1, key, 2, 5))).not.toBe(0)
  })
})

describe('messages', () => {
  const root = actor(1)
  const neighbour = actor(2)
  const claimed = { beat: beatOf(root), path: [root, neighbour] }

  it('have the sizes of the protocol', () => {
    expect(certificate(root, neighbour)).toHaveLength(CERTIFICATE_BYTES)
    const certificatePacket = encodeControl(KIND.linkCertificate, linkCertificate, {
      tree: 0,
      certificate: certificate(root, neighbour),
    })
    expect(certificatePacket).toHaveLength(2 + 1 + 106)
    expect(updateOf({})).toHaveLength(13)
    expect(updateOf({ claimed, ids: undefined, certificates: [], beat: undefined })).toHaveLength(49)
  })

  it('stay below the limit of a control packet when everything is at its maximum', () => {
    const certificates = Array.from({ length: 48 }, (_, place) => ({
      place,
      certificate: certificate(root, neighbour),
    }))
    const voids = Array.from({ length: 16 }, () => voidOf(root, neighbour))
    const ids = certificates.map(({ place }) => place)
    expect(updateOf({ claimed, ids, certificates, voids }).length).toBeLessThanOrEqual(CONTROL_BYTES_MAX)
  })

  it('come back as they were sent', () => {
    const packet = updateOf({ generation: 9, flags: 3, claimed, voids: [voidOf(root, neighbour)] })
    const message = decodeControl(update, packet)
    expect(message?.generation).toBe(9)
    expect(message?.label?.depth).toBe(1)
    expect(message?.ids).toHaveLength(1)
    expect(message?.voids[0]?.to).toEqual(neighbour.key)
    expect(message?.beat?.key).toEqual(root.key)
  })

  it.each([
    ['an unknown flag', updateOf({ flags: 4 })],
    ['trailing bytes', new Uint8Array([...updateOf({}), 0])],
    ['a cut end', updateOf({ claimed }).subarray(0, 80)],
  ])('are refused with %s', (_what, packet) => {
    expect(decodeControl(update, packet)).toBeUndefined()
  })

  it('bound their lists', () => {
    const tooMany = new Uint8Array(updateOf({}))
    // The count of certificates stands before the voids and the beat.
    tooMany[10] = 49
    expect(decodeControl(update, tooMany)).toBeUndefined()
    expect(decodeControl(pathRequest, Uint8Array.of(0x10, KIND.pathRequest, 0, 8))).toBeUndefined()
    for (const schema of [attach, beat, path, voidMessage]) {
      expect(decodeControl(schema as typeof attach, new Uint8Array(2))).toBeUndefined()
    }
  })
})

describe('the table of certificates', () => {
  const from = actor(1)
  const add = (table: CertificateTable, id: number, wire: Uint8Array, now = 0) => {
    return table.insert(now, id, from.key, wire)
  }

  it('finds by id and issuer, and by bytes', () => {
    const table = new CertificateTable()
    const wire = certificate(from, actor(2))
    const slot = add(table, 77, wire)
    expect(table.find(77, from.key)).toBe(slot)
    expect(table.find(77, actor(3).key)).toBe(NO_CERTIFICATE)
    expect(table.lookup(77, from.key, wire)).toBe(slot)
    expect(table.lookup(77, from.key, certificate(from, actor(4)))).toBe(NO_CERTIFICATE)
    expect(table.wire(slot)).toEqual(wire)
    expect([table.cost(slot), table.serial(slot)]).toEqual([20, 1])
  })

  it('lets a certificate live from when it came, and the older of a pair only a little longer', () => {
    const table = new CertificateTable()
    const first = add(table, 1, certificate(from, actor(2), { serial: 5 }), 10 * SECOND)
    expect(table.expires(first)).toBe(610 * SECOND)
    const second = add(table, 2, certificate(from, actor(2), { serial: 6 }), 20 * SECOND)
    expect(table.expires(first)).toBe(140 * SECOND)
    expect(table.expires(second)).toBe(620 * SECOND)
    const replayed = add(table, 3, certificate(from, actor(2), { serial: 4 }), 30 * SECOND)
    expect(table.expires(replayed)).toBe(150 * SECOND)
    expect(table.expires(second)).toBe(620 * SECOND)
  })

  it('voids a pair up to a serial', () => {
    const table = new CertificateTable()
    const old = add(table, 1, certificate(from, actor(2), { serial: 5 }))
    const fresh = add(table, 2, certificate(from, actor(2), { serial: 7 }))
    table.hold(old)
    expect(table.applyVoid(from.key, actor(2).key, 6)).toBe(true)
    expect([table.isVoid(old), table.isVoid(fresh)]).toEqual([true, false])
    expect(table.applyVoid(from.key, actor(3).key, 6)).toBe(false)
  })

  it('never gives up a slot in use, and stops at its bound', () => {
    const table = new CertificateTable()
    for (let index = 0; index < 1_024; index++) {
      const slot = add(table, index, certificate(from, actor(index & 255), { serial: index + 1 }))
      expect(slot).toBe(index)
      table.hold(slot)
    }
    expect(add(table, 5_000, certificate(from, actor(9), { serial: 5_000 }))).toBe(NO_CERTIFICATE)
    table.release(1_000)
    expect(add(table, 5_001, certificate(from, actor(9), { serial: 5_001 }))).toBe(1_000)
  })

  it('counts more paths through one certificate than a byte holds', () => {
    const table = new CertificateTable()
    const slot = add(table, 1, certificate(from, actor(2), { life: 1 }))
    for (let count = 0; count < 300; count++) table.hold(slot)
    for (let count = 0; count < 44; count++) table.release(slot)
    table.trim(10 * SECOND)
    expect(table.find(1, from.key)).toBe(slot)
  })

  it('keeps few that nobody uses, and shrinks when it is quiet', () => {
    const table = new CertificateTable()
    for (let index = 0; index < 200; index++) add(table, index, certificate(from, actor(index), {}), index)
    expect(table.size).toBeLessThanOrEqual(24)
    table.trim(700 * SECOND)
    expect(table.size).toBe(0)
  })

  it('remembers for each of 64 neighbours who has what', () => {
    const table = new CertificateTable()
    const slot = add(table, 1, certificate(from, actor(2)))
    for (const neighbour of [0, 31, 32, 63]) table.setKnown(slot, neighbour, true)
    expect([0, 1, 31, 32, 33, 63].map((neighbour) => table.isKnown(slot, neighbour))).toEqual([
      true,
      false,
      true,
      true,
      false,
      true,
    ])
    table.forgetNeighbour(32)
    expect([31, 32, 63].map((neighbour) => table.isKnown(slot, neighbour))).toEqual([true, false, true])
  })

  it('knows what a certificate may say', () => {
    const form = (cost: number, life: number) => isCertificateForm(certificateHead(from.key, 1, cost, life))
    expect([form(6, 600), form(5, 600), form(6, 601), form(6, 0), form(65_535, 1)]).toEqual([
      true,
      false,
      false,
      false,
      true,
    ])
  })

  it('orders serials over the end of their numbers', () => {
    expect(serialAfter(2, 1)).toBe(true)
    expect(serialAfter(1, 0xffff_ffff)).toBe(true)
    expect(serialAfter(7, 7)).toBe(false)
  })
})

describe('the table of voids', () => {
  it('covers older serials of the pair for ten minutes', () => {
    const table = new VoidTable()
    const [from, to] = [actor(1), actor(2)]
    table.add(0, voidOf(from, to, 7), true)
    expect(table.find(0, from.key, to.key, 7)).toBe(0)
    expect(table.find(0, from.key, to.key, 6)).toBe(0)
    expect(table.find(0, from.key, to.key, 8)).toBe(-1)
    expect(table.find(0, to.key, from.key, 7)).toBe(-1)
    expect(table.find(601 * SECOND, from.key, to.key, 7)).toBe(-1)
  })

  it('keeps one record of a pair and 256 in all, the oldest going first', () => {
    const table = new VoidTable()
    expect(table.add(0, voidOf(actor(1), actor(2), 1), true).evicted).toBe(false)
    expect(table.add(0, voidOf(actor(1), actor(2), 2), true).evicted).toBe(false)
    expect(table.size).toBe(1)
    for (let index = 0; index < 255; index++) table.add(0, voidOf(actor(3), actor(index), index + 1), true)
    expect(table.size).toBe(256)
    expect(table.add(0, voidOf(actor(4), actor(5), 1), true).evicted).toBe(true)
    expect(table.find(0, actor(1).key, actor(2).key, 2)).toBe(-1)
    expect(table.size).toBe(256)
  })

  it('names what a neighbour does not know, newest first, while it is fresh', () => {
    const table = new VoidTable()
    for (let index = 0; index < 5; index++) table.add(index, voidOf(actor(1), actor(10 + index)), true)
    table.setKnown(3, 9, true)
    expect(table.unknownTo(0, 9, 16)).toEqual([4, 2, 1, 0])
    expect(table.unknownTo(0, 9, 2)).toEqual([4, 2])
    expect(table.unknownTo(62 * SECOND, 9, 16)).toEqual([])
    expect(table.part(4).to).toEqual(actor(14).key)
  })

  it('has 32 places for what occurs in no path, and names none of it until it does', () => {
    const table = new VoidTable()
    table.add(0, voidOf(actor(1), actor(2)), true)
    for (let index = 0; index < 100; index++) table.add(index * SECOND, voidOf(actor(3), actor(index)), false)
    expect(table.size).toBe(33)
    expect(table.find(0, actor(3).key, actor(67).key, 1)).toBe(-1)
    expect(table.unknownTo(0, 9, 16)).toEqual([0])
    const kept = table.find(0, actor(3).key, actor(68).key, 1)
    expect(kept).toBeGreaterThan(0)
    table.markOccurring(kept)
    expect(table.unknownTo(0, 9, 16)).toHaveLength(2)
  })
})
