import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLOSE, type CloseReason } from '../../core/io.ts'
import {
  FRAME_BYTES_MAX,
  FrameReader,
  HEADER_BYTES,
  READY_WORD,
  reasonWord,
  wordBytes,
  wordReason,
  writeFrame,
} from '../../drivers/libp2p/framing.ts'

type Item = { readonly hop: number; readonly bytes: Uint8Array } | { readonly word: number }

/** A reader that keeps what it reads. */
function reading(): { reader: FrameReader; items: Item[] } {
  const items: Item[] = []
  const reader = new FrameReader({
    packet: (hop, bytes) => items.push({ hop, bytes: bytes.slice() }),
    word: (word) => items.push({ word }),
  })
  return { reader, items }
}

function written(items: readonly Item[]): Uint8Array {
  return Buffer.concat(
    items.map((item) => {
      if ('word' in item) return wordBytes(item.word)
      const frame = new Uint8Array(HEADER_BYTES + item.bytes.length)
      expect(writeFrame(frame, 0, item.hop, item.bytes)).toBe(frame.length)
      return frame
    }),
  )
}

const hop = fc.integer({ min: 0, max: 0xffffff })
const bytes = fc.uint8Array({ maxLength: 40 })
const packet = fc.record({ hop, bytes })
const word = fc
  .constantFrom(READY_WORD, ...Object.values(CLOSE).map(reasonWord))
  .map((one) => ({ word: one }))
const item: fc.Arbitrary<Item> = fc.oneof({ weight: 4, arbitrary: packet }, word)

describe('frames', () => {
  test('come out as they went in, however the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 12 }),
        fc.array(fc.nat(30), { maxLength: 40 }),
        (items, cuts) => {
          const stream = written(items)
          const { reader, items: read } = reading()
          let at = 0
          for (const cut of [...cuts, stream.length]) {
            expect(reader.read(stream.subarray(at, at + cut))).toBe(true)
            at = Math.min(stream.length, at + cut)
          }
          expect(read).toEqual(items)
        },
      ),
    )
  })

  test('of the greatest length pass, in one piece and byte by byte', () => {
    const items = [{ hop: 0x1140ff, bytes: new Uint8Array(FRAME_BYTES_MAX).fill(7) }]
    const stream = written(items)
    const whole = reading()
    expect(whole.reader.read(stream)).toBe(true)
    expect(whole.items).toEqual(items)
    const pieces = reading()
    for (let at = 0; at < stream.length; at++) pieces.reader.read(stream.subarray(at, at + 1))
    expect(pieces.items).toEqual(items)
  })

  test.each([
    ['a length beyond the greatest', FRAME_BYTES_MAX + 1],
    ['a word that means nothing', 0xffffff],
    ['a length just below the words', 0xfffeff],
  ])('end with %s, in one piece and byte by byte', (_, length) => {
    const stream = Uint8Array.from([
      ...written([{ hop: 1, bytes: Uint8Array.of(1) }]),
      ...wordBytes(length),
      0,
      0,
      0,
    ])
    for (const size of [1, 2, 5, stream.length]) {
      const { reader, items } = reading()
      let fine = true
      for (let at = 0; at < stream.length && fine; at += size)
        fine = reader.read(stream.subarray(at, at + size))
      expect(fine).toBe(false)
      expect(items.length).toBe(1)
    }
  })

  test('of no kind bring the reader down', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
        const { reader } = reading()
        for (const chunk of chunks) if (!reader.read(chunk)) return
      }),
    )
  })

  test('are handed out as plain arrays, whose slice is a copy, also from a Buffer', () => {
    const kept: Uint8Array[] = []
    const reader = new FrameReader({ packet: (_, one) => kept.push(one.slice()), word: () => {} })
    const stream = Buffer.from(written([{ hop: 1, bytes: Uint8Array.of(1, 2, 3) }]))
    reader.read(stream)
    stream.fill(0)
    expect(kept).toEqual([Uint8Array.of(1, 2, 3)])
  })

  test('after a stop none comes out, not even of the chunk at hand', () => {
    const heard: number[] = []
    const reader: FrameReader = new FrameReader({
      packet: (one) => {
        heard.push(one)
        reader.stop()
      },
      word: () => {},
    })
    expect(reader.read(written([1, 2, 3].map((one) => ({ hop: one, bytes: new Uint8Array(3) }))))).toBe(true)
    expect(heard).toEqual([1])
  })

  test('have a word for each reason, and words are no lengths', () => {
    const reasons: readonly CloseReason[] = Object.values(CLOSE)
    expect(reasons.map((reason) => wordReason(reasonWord(reason)))).toEqual(reasons)
    expect(Math.min(READY_WORD, ...reasons.map(reasonWord))).toBeGreaterThan(FRAME_BYTES_MAX)
    expect(wordReason(READY_WORD)).toBeUndefined()
  })
})
