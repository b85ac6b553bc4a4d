/**
 * Whatever order, loss and copies a network makes of datagrams: each is taken once at most, and never a false
 * one.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { REPLAY_NOTHING_HEARD, ReplayWindow, REPLAY_WINDOW as WINDOW } from '../../core/vlan/replay.ts'
import { Joiner, PIECE_HEADER_BYTES, writePiece } from '../../drivers/datagram/pieces.ts'

test('the window of a key takes a counter once, if it is not too old', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -20, max: 20 }) },
    { weight: 2, arbitrary: fc.integer({ min: -2 * WINDOW, max: 2 * WINDOW }) },
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4_000_000_000 }),
      fc.array(step, { maxLength: 300 }),
      (start, steps) => {
        const window = new ReplayWindow(0, REPLAY_NOTHING_HEARD)
        const taken = new Set<number>()
        let top = -1
        let counter = start
        for (const each of steps) {
          counter = Math.min(0xffff_ffff, Math.max(0, counter + each))
          const isTaken = window.accepts(counter)
          if (taken.has(counter)) expect(isTaken).toBe(false)
          else if (counter > top - WINDOW) expect(isTaken).toBe(true)
          else expect(isTaken).toBe(false)
          if (!isTaken) continue
          window.mark(counter)
          taken.add(counter)
          top = Math.max(top, counter)
        }
      },
    ),
  )
})

test('the window of a key moves by any distance for the same price, and forgets what it passed', () => {
  const window = new ReplayWindow(0, REPLAY_NOTHING_HEARD)
  const jump = 5 * WINDOW
  for (let counter = 0; counter < 2 ** 32; counter += jump) {
    window.mark(counter)
    expect([window.accepts(counter), window.accepts(counter + WINDOW)]).toEqual([false, true])
    if (counter > 0) expect(window.accepts(counter - WINDOW + 1)).toBe(true)
    if (counter > 0) expect(window.accepts(counter - WINDOW)).toBe(false)
  }
})

test('pieces make the packet that was cut, in any order, and nothing else ever', () => {
  const packets = fc.array(
    fc.record({ length: fc.integer({ min: 2, max: 5_000 }), room: fc.integer({ min: 100, max: 1_400 }) }),
    { minLength: 1, maxLength: 4 },
  )
  fc.assert(
    fc.property(
      packets,
      fc.infiniteStream(fc.nat()),
      fc.double({ min: 0, max: 0.3, noNaN: true }),
      (all, draws, loss) => {
        const draw = (): number => draws.next().value as number
        const wholes = all.map(({ length }, number) =>
          Uint8Array.from({ length }, (_, at) => at * 13 + number),
        )
        const flying = all.flatMap(({ length, room }, number) =>
          cut(wholes[number] as Uint8Array, number, Math.min(room, length - 1)),
        )
        for (let place = flying.length - 1; place > 0; place--) {
          const other = draw() % (place + 1)
          const [one, two] = [flying[place] as Uint8Array, flying[other] as Uint8Array]
          flying[place] = two
          flying[other] = one
        }
        const joiner = new Joiner()
        let lost = 0
        let made = 0
        for (const piece of flying) {
          if ((draw() % 1_000) / 1_000 < loss) {
            lost += 1
            continue
          }
          const taken = joiner.take(piece)
          expect(taken).not.toBe('wrong')
          if (taken !== 'done') continue
          made += 1
          expect(joiner.packet).toEqual(wholes[joiner.hop])
        }
        if (lost === 0) expect(made).toBe(all.length)
      },
    ),
  )
})

/** The hop is the packet's number. */
function cut(whole: Uint8Array, number: number, room: number): Uint8Array[] {
  const count = Math.ceil(whole.length / room)
  return Array.from({ length: count }, (_, index) => {
    const part = whole.subarray(index * room, (index + 1) * room)
    const piece = new Uint8Array(PIECE_HEADER_BYTES + part.length)
    writePiece(piece, number, number, index, count)
    piece.set(part, PIECE_HEADER_BYTES)
    return piece
  })
}
