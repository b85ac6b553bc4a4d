import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvariantError } from '../../core/errors.ts'
import { Reader, Writer } from '../../core/wire/cursor.ts'
import { CONTROL_VERSION_TYPE, KIND } from '../../core/wire/kinds.ts'
import {
  bytes,
  type Decoded,
  decode,
  decodeControl,
  encode,
  encodeControl,
  fixed,
  flag,
  list,
  optional,
  struct,
  u8,
  u16,
  u32,
  u48,
} from '../../core/wire/schema.ts'

const LIST_MAX = 3
const LONG_LIST_MAX = 300
const BYTES_MAX = 5

/** One of everything. */
const message = struct({
  small: u8,
  middle: u16,
  large: u32,
  huge: u48,
  yes: flag,
  key: fixed(4),
  name: bytes(BYTES_MAX),
  items: list(u16, LIST_MAX),
  many: list(u8, LONG_LIST_MAX),
  maybe: optional(struct({ inner: u32 })),
})
type Message = Decoded<typeof message>

const anyMessage: fc.Arbitrary<Message> = fc.record({
  small: fc.integer({ min: 0, max: 2 ** 8 - 1 }),
  middle: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
  large: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  huge: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  yes: fc.boolean(),
  key: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  name: fc.uint8Array({ maxLength: BYTES_MAX }),
  items: fc.array(fc.integer({ min: 0, max: 2 ** 16 - 1 }), { maxLength: LIST_MAX }),
  many: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: LONG_LIST_MAX }),
  maybe: fc.option(fc.record({ inner: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }), { nil: undefined }),
})

describe('round trips', () => {
  test('what is encoded decodes to the same, in exactly the bytes foretold', () => {
    fc.assert(
      fc.property(anyMessage, (value) => {
        const encoded = encode(message, value)
        expect(encoded).toHaveLength(message.size(value))
        expect(decode(message, encoded)).toEqual(value)
      }),
    )
  })

  test('control packets begin with version, type and kind', () => {
    fc.assert(
      fc.property(anyMessage, (value) => {
        const packet = encodeControl(KIND.beat, message, value)
        expect([packet[0], packet[1]]).toEqual([CONTROL_VERSION_TYPE, KIND.beat])
        expect(decodeControl(message, packet)).toEqual(value)
      }),
    )
  })

  test('numbers are big-endian', () => {
    expect([...encode(u16, 0x0102)]).toEqual([1, 2])
    expect([...encode(u32, 0xfffefdfc)]).toEqual([255, 254, 253, 252])
    expect([...encode(u48, 0x0102_0304_0506)]).toEqual([1, 2, 3, 4, 5, 6])
  })
})

describe('strictness', () => {
  test('one encoding for each value: what decodes encodes to the same bytes', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, place, byte) => {
        const encoded = encode(message, value)
        encoded[place % encoded.length] = byte
        const decoded = decode(message, encoded)
        if (decoded !== undefined) expect(encode(message, decoded)).toEqual(encoded)
      }),
      { numRuns: 500 },
    )
  })

  test('trailing bytes and missing bytes are refused', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), (value, place) => {
        const encoded = encode(message, value)
        const longer = new Uint8Array(encoded.length + 1)
        longer.set(encoded)
        expect(decode(message, longer)).toBeUndefined()
        expect(decode(message, encoded.subarray(0, place % encoded.length))).toBeUndefined()
      }),
    )
  })

  test('a flag is 0 or 1', () => {
    for (let byte = 2; byte < 256; byte++) {
      expect(decode(flag, Uint8Array.of(byte))).toBeUndefined()
      expect(decode(optional(u8), Uint8Array.of(byte, 0))).toBeUndefined()
    }
    expect(decode(flag, Uint8Array.of(1))).toBe(true)
    expect(decode(optional(u8), Uint8Array.of(1, 9))).toBe(9)
  })

  test('lists and byte strings over their limit are refused, full ones are not', () => {
    const full = encode(list(u8, LIST_MAX), [1, 2, 3])
    expect(decode(list(u8, LIST_MAX), full)).toEqual([1, 2, 3])
    expect(decode(list(u8, LIST_MAX), Uint8Array.of(4, 1, 2, 3, 4))).toBeUndefined()
    const wide = new Uint8Array(2 + 301)
    wide.set([1, 45])
    expect(decode(list(u8, LONG_LIST_MAX), wide)).toBeUndefined()
    expect(decode(bytes(BYTES_MAX), Uint8Array.of(0, 6, 1, 2, 3, 4, 5, 6))).toBeUndefined()
    expect(decode(bytes(BYTES_MAX), Uint8Array.of(0, 5, 1, 2, 3, 4, 5))).toHaveLength(5)
  })

  test('too much to encode is our own fault', () => {
    expect(() => encode(list(u8, LIST_MAX), [1, 2, 3, 4])).toThrow(InvariantError)
    expect(() => encode(bytes(BYTES_MAX), new Uint8Array(6))).toThrow(InvariantError)
    expect(() => encode(fixed(4), new Uint8Array(3))).toThrow(InvariantError)
  })
})

describe('hostile bytes', () => {
  test('never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
        const before = input.slice()
        decode(message, input)
        decodeControl(message, input)
        expect(input).toEqual(before)
      }),
      { numRuns: 2_000 },
    )
  })

  test('a count without content does no work', () => {
    let read = 0
    const item = {
      ...u8,
      read: (from: Reader) => {
        read++
        return from.u8()
      },
    }
    expect(decode(list(item, 60_000), Uint8Array.of(0xea, 0x60))).toBeUndefined()
    expect(read).toBe(1)
  })
})

describe('cursor', () => {
  test('a reader answers zero after its first failure and remembers it', () => {
    const from = new Reader(Uint8Array.of(1, 2, 3))
    expect(from.u32()).toBe(0)
    expect(from.failed).toBe(true)
    expect([from.u8(), from.u16(), from.u32(), from.u48(), from.take(1).length]).toEqual([0, 0, 0, 0, 0])
    expect(from.finished).toBe(false)
  })

  test('what is taken is a view of the input', () => {
    const input = Uint8Array.of(1, 2, 3)
    const view = new Reader(input).take(2)
    input[0] = 9
    expect([...view]).toEqual([9, 2])
  })

  test('a writer fills exactly what it was given', () => {
    const to = new Writer(3)
    to.u8(0x1ff)
    to.u16(0x1_0203)
    expect([...to.bytes]).toEqual([0xff, 2, 3])
    expect(to.offset).toBe(3)
  })
})
