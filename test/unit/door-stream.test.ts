/** Messages over a bad path: in order, once, whole, or an end in bounded time. */
import { describe, expect, test } from 'vitest'
import { MESSAGE_BYTES_MAX, PIECES_IN_FLIGHT, QUEUE_BYTES_MAX } from '../../core/door/limits.ts'
import { Stream } from '../../core/door/stream.ts'
import { MILLISECOND, SECOND } from '../../core/io.ts'
import { talk } from '../support/door-talk.ts'

const PIECE = 1_290
const bytes = (length: number, first = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (first + at * 7 + (at >> 8)) & 0xff)

describe('a stream', () => {
  test('carries a Welcome of a megabyte through a fifth of loss in seconds', () => {
    const welcome = bytes(1_048_576)
    const { received, time } = talk(
      { seed: 1, loss: 0.2, double: 0.05, spread: 60 * MILLISECOND },
      [welcome],
      [],
    )
    expect(received.right).toEqual([welcome])
    expect(time).toBeLessThan(60 * SECOND)
  })

  test('keeps the order and the borders of messages of any length, the empty one too', () => {
    const messages = [0, 1, PIECE - 5, PIECE - 4, PIECE - 3, PIECE, 2 * PIECE, 3, 0].map((length) =>
      bytes(length, length),
    )
    const { received } = talk(
      { seed: 2, loss: 0.1, double: 0.2, spread: 100 * MILLISECOND },
      messages,
      messages,
    )
    expect(received.right).toEqual(messages)
    expect(received.left).toEqual(messages)
  })

  test('gives up in bounded time when the other end is gone', () => {
    const { received, time, isLost } = talk({ seed: 3, loss: 1, double: 0, spread: 0 }, [bytes(10)], [])
    expect(received.right).toEqual([])
    expect(isLost).toBe(true)
    expect(time).toBeLessThan(90 * SECOND)
  })

  test('sends no more at once than may be under way', () => {
    const stream = new Stream(PIECE, 100)
    stream.push(bytes(500_000))
    let frames = 0
    while (stream.nextFrame(0) !== undefined) frames += 1
    expect(frames).toBe(PIECES_IN_FLIGHT)
  })

  test('sends again before its time is up what three later pieces overtook', () => {
    const left = new Stream(PIECE, 100)
    const right = new Stream(PIECE, 10 * PIECE)
    left.push(bytes(5 * PIECE))
    const frames: Uint8Array[] = []
    for (let frame = left.nextFrame(0); frame !== undefined; frame = left.nextFrame(0)) frames.push(frame)
    for (const frame of frames.slice(1, 5)) right.receive(MILLISECOND, frame)
    left.receive(2 * MILLISECOND, right.nextFrame(MILLISECOND, true) as Uint8Array)
    expect(left.nextDeadline()).toBeLessThanOrEqual(2 * MILLISECOND)
    const again = left.nextFrame(2 * MILLISECOND) as Uint8Array
    expect(again.subarray(9)).toEqual((frames[0] as Uint8Array).subarray(9))
  })

  test('holds no more bytes than its bound', () => {
    const stream = new Stream(PIECE, 100)
    const megabyte = bytes(1_048_576)
    let taken = 0
    while (stream.push(megabyte)) taken += megabyte.length
    expect(taken).toBeLessThanOrEqual(QUEUE_BYTES_MAX)
    expect(taken).toBeGreaterThanOrEqual(MESSAGE_BYTES_MAX - 1_024)
  })

  test.each([
    ['no bytes', new Uint8Array(0)],
    ['an unknown flag', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 2)],
    ['something behind an acknowledgement', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 1)],
    ['an acknowledgement of what was never sent', Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0)],
    ['an empty piece', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)],
    ['a piece far ahead', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 32, 7)],
    ['a message that is too long', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 101)],
    [
      'a piece that is too long',
      new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, ...new Uint8Array(PIECE + 1)]),
    ],
  ])('takes %s for malformed', (_name, frame) => {
    expect(new Stream(PIECE, 100).receive(0, frame)).toBe('malformed')
  })
})
