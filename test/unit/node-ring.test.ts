import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ring } from '../../drivers/node/ring.ts'

interface Record {
  readonly kind: number
  readonly first: number
  readonly second: number
  readonly bytes: readonly number[]
}

const NO_BYTES = new Uint8Array(0)

const record = fc.record({
  kind: fc.integer({ min: 0, max: 255 }),
  first: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  second: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  bytes: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 }),
})

function pushed(ring: Ring, { kind, first, second, bytes }: Record, reserve = 0): boolean {
  return ring.push(kind, first, second, Uint8Array.from(bytes), reserve)
}

function drained(ring: Ring, limit = Number.POSITIVE_INFINITY): Record[] {
  const records: Record[] = []
  ring.drain(limit, (kind, first, second, bytes) => records.push({ kind, first, second, bytes: [...bytes] }))
  return records
}

describe('Ring', () => {
  it('gives back what was written, in order, however writer and reader take turns', () => {
    const turn = fc.oneof(
      fc.record({ write: fc.array(record, { maxLength: 8 }) }),
      fc.record({ read: fc.integer({ min: 1, max: 8 }) }),
    )
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 60 }), (turns) => {
        const writer = Ring.create(2_048)
        const reader = new Ring(writer.shared)
        const taken: Record[] = []
        const got: Record[] = []
        for (const each of turns) {
          if ('write' in each) for (const one of each.write) if (pushed(writer, one)) taken.push(one)
          if ('read' in each) got.push(...drained(reader, each.read))
        }
        got.push(...drained(reader))
        expect(got).toEqual(taken)
        expect(reader.isEmpty).toBe(true)
      }),
    )
  })

  it('refuses what has no room, and has room again when something was read', () => {
    const ring = Ring.create(1_024)
    let count = 0
    while (ring.push(1, count, 0, new Uint8Array(48))) count += 1
    // 48 bytes and four words of a record's own.
    expect(count).toBe(16)
    expect(drained(ring, 1)).toHaveLength(1)
    expect(ring.push(1, count, 0, new Uint8Array(48))).toBe(true)
    expect(ring.push(1, count, 0, NO_BYTES)).toBe(false)
  })

  it('keeps a reserve for what must not be lost', () => {
    const ring = Ring.create(1_024)
    while (ring.push(1, 0, 0, new Uint8Array(48), 256));
    expect(ring.push(2, 0, 0, new Uint8Array(48))).toBe(true)
    expect(drained(ring).filter(({ kind }) => kind === 2)).toHaveLength(1)
  })

  it('frees the place of a record before it is handed on, so that its taker may write', () => {
    const ring = Ring.create(1_024)
    while (ring.push(1, 0, 0, new Uint8Array(48)));
    let written = false
    ring.drain(1, () => {
      written = ring.push(9, 0, 0, new Uint8Array(48))
    })
    expect(written).toBe(true)
  })

  it('lends bytes that the writer does not reach any more', () => {
    const ring = Ring.create(1_024)
    ring.push(1, 0, 0, Uint8Array.of(1, 2, 3))
    ring.drain(1, (_kind, _first, _second, bytes) => {
      for (let index = 0; index < 40; index++) ring.push(1, 0, 0, new Uint8Array(64).fill(9))
      expect([...bytes]).toEqual([1, 2, 3])
    })
  })

  it('goes on when its counts of words wrap', () => {
    const ring = Ring.create(1_024)
    const words = new Int32Array(ring.shared)
    const near = 2 ** 31 - 64
    // Head and tail, each in its own line of the cache.
    words[0] = near
    words[32] = near
    for (let index = 0; index < 64; index++) {
      expect(ring.push(1, index, 0, Uint8Array.of(index))).toBe(true)
      expect(drained(ring)).toEqual([{ kind: 1, first: index, second: 0, bytes: [index] }])
    }
  })

  it('is of a size that it can count in', () => {
    expect(() => Ring.create(1_000)).toThrow('a ring of 1000 bytes')
    expect(() => Ring.create(4_096).push(1, 0, 0, new Uint8Array(5_000))).toThrow('a record of 5000 bytes')
  })
})
