import { describe, expect, it } from 'vitest'
import { ByteTable, FIRST_WORD, tableSecret } from '../../core/bytetable.ts'
import { hex } from '../../core/ids.ts'
import { Stream } from '../support/vlan-node.ts'

const OWN_WORDS = 2

function table(seed = 1): ByteTable {
  return new ByteTable(tableSecret(new Stream(seed)), OWN_WORDS)
}

describe('a table of 16-byte keys', () => {
  it('finds nothing while it is empty, and takes no memory', () => {
    const empty = table()
    expect(empty.find(new Uint8Array(16), 0)).toBe(-1)
    expect(empty.rows.length).toBe(0)
  })

  it('finds what was added, at any offset of the bytes', () => {
    const keys = table()
    const random = new Stream(2)
    const bytes = random.bytes(40)
    const index = keys.add(bytes, 7)
    expect(keys.find(bytes, 7)).toBe(index)
    expect(keys.find(bytes.slice(7, 23), 0)).toBe(index)
    expect(keys.find(bytes, 8)).toBe(-1)
    expect(keys.key(index)).toEqual(bytes.slice(7, 23))
  })

  it('gives fresh words to a row, also where another was removed', () => {
    const keys = table()
    const random = new Stream(3)
    const index = keys.add(random.bytes(16), 0)
    keys.rows[index * keys.stride + FIRST_WORD] = 7
    keys.remove(index)
    expect(keys.has(index)).toBe(false)
    const again = keys.add(random.bytes(16), 0)
    expect(again).toBe(index)
    expect(keys.rows[again * keys.stride + FIRST_WORD]).toBe(0)
  })

  it.each([1, 2, 3, 4, 5])('agrees with a map over many additions and removals (seed %i)', (seed) => {
    const keys = table(seed)
    const model = new Map<string, { bytes: Uint8Array; index: number }>()
    const random = new Stream(seed)
    for (let step = 0; step < 5_000; step++) {
      // Few distinct keys, so that removals hit and runs of neighbours form.
      const bytes = new Uint8Array(16)
      bytes[15] = random.below(200)
      const known = model.get(hex(bytes))
      expect(keys.find(bytes, 0)).toBe(known?.index ?? -1)
      if (known === undefined) model.set(hex(bytes), { bytes, index: keys.add(bytes, 0) })
      else if (random.below(3) > 0) {
        keys.remove(known.index)
        model.delete(hex(bytes))
      }
      expect(keys.size).toBe(model.size)
    }
    for (const { bytes, index } of model.values()) {
      expect(keys.find(bytes, 0)).toBe(index)
      expect(keys.has(index)).toBe(true)
    }
    expect(keys.end).toBeLessThanOrEqual(200)
  })

  it('grows with its entries and not before', () => {
    const keys = table()
    const random = new Stream(9)
    keys.add(random.bytes(16), 0)
    expect(keys.rows.length / keys.stride).toBeLessThanOrEqual(8)
    for (let count = 1; count < 10_000; count++) keys.add(random.bytes(16), 0)
    expect(keys.rows.length / keys.stride).toBeLessThan(14_000)
  })

  it('iterates by row, whatever the secret', () => {
    const order = [1, 2].map((seed) => {
      const keys = table(seed)
      const random = new Stream(5)
      for (let count = 0; count < 100; count++) keys.add(random.bytes(16), 0)
      return Array.from({ length: keys.end }, (_, index) => hex(keys.key(index)))
    })
    expect(order[0]).toEqual(order[1])
  })

  it('keeps keys apart that were chosen to collide under another secret', () => {
    // Keys that all fall into one of 4,096 slots under the first secret …
    const first = tableSecret(new Stream(11))
    const chosen: Uint8Array[] = []
    const random = new Stream(12)
    while (chosen.length < 64) {
      const bytes = random.bytes(16)
      if (slotUnder(first, bytes) >>> 20 === 0) chosen.push(bytes)
    }
    // … spread under the second.
    const second = tableSecret(new Stream(13))
    const slots = new Set(chosen.map((bytes) => slotUnder(second, bytes) >>> 20))
    expect(slots.size).toBeGreaterThan(55)
  })
})

/** The hash that the table keeps in the row's fifth word. */
function slotUnder(secret: Uint32Array, bytes: Uint8Array): number {
  const keys = new ByteTable(secret, 0)
  const index = keys.add(bytes, 0)
  return keys.rows[index * keys.stride + FIRST_WORD - 1] as number
}
