/** The small parts of sealing, each by itself: key tables, limits of keys, clocks, reassembly, holds. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvariantError } from '../../core/errors.ts'
import { MILLISECOND, MINUTE, NEVER, SECOND } from '../../core/io.ts'
import { isFreshCard, Offset, WallWatch } from '../../core/seal/clock.ts'
import { splitKey } from '../../core/seal/derive.ts'
import { fitsWhole, pieceBytes, Reassembly } from '../../core/seal/fragments.ts'
import { FrameQueue } from '../../core/seal/hold.ts'
import { KeyTable, ReceiveKey } from '../../core/seal/keytable.ts'
import { FAILURES_MAX, KEY_LIMITS } from '../../core/seal/limits.ts'
import { parityOf, stripesOf } from '../../core/seal/parity.ts'
import { SendKey } from '../../core/seal/sending.ts'
import { FLAG, paddedLength, plaintextLength } from '../../core/vlan/plaintext.ts'
import { REPLAY_NOTHING_HEARD, REPLAY_WINDOW, ReplayWindow } from '../../core/vlan/replay.ts'
import { PACKET_OVERHEAD, TRUNK_PACKET_BYTES } from '../../core/wire/packet.ts'

const START = 1_000 * SECOND

function dataKey(index: number): ReturnType<typeof splitKey> {
  const bytes = new Uint8Array(52).fill(index + 1)
  bytes.set([0, 0, 0, index], 32)
  return splitKey(bytes)
}

function receiveKey(index: number): ReceiveKey {
  return new ReceiveKey(dataKey(index), undefined, undefined)
}

/** All keys of one bucket. */
function bucket(table: KeyTable, index: number): ReceiveKey[] {
  const keys: ReceiveKey[] = []
  for (let key = table.find(index); key !== undefined; key = key.next) keys.push(key)
  return keys
}

describe('key table', () => {
  test('four keys share an index, a fifth is refused, first come stays', () => {
    const table = new KeyTable()
    const keys = Array.from({ length: 5 }, () => receiveKey(7))
    expect(keys.map((key) => table.add(key))).toEqual([true, true, true, true, false])
    expect(bucket(table, 7)).toEqual(keys.slice(0, 4))
    expect(table.find(8)).toBeUndefined()
    expect(table.size).toBe(4)
  })

  test('takes out any of a bucket and erases it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 16 }), (plan) => {
        const table = new KeyTable()
        const all = plan.map(([index, goes]) => ({ key: receiveKey(index), goes }))
        const added = all.filter(({ key }) => table.add(key))
        table.remove((key) => added.some((each) => each.key === key && each.goes))
        const kept = added.filter(({ goes }) => !goes)
        expect(table.size).toBe(kept.length)
        for (let index = 0; index < 4; index++)
          expect(bucket(table, index)).toEqual(
            kept.filter(({ key }) => key.data.index === index).map(({ key }) => key),
          )
        for (const { key, goes } of added) expect(key.data.key.every((byte) => byte === 0)).toBe(goes)
      }),
    )
  })

  test('a key that has seen 2^36 failed openings is given up', () => {
    expect(FAILURES_MAX).toBe(68_719_476_736)
    const key = receiveKey(1)
    expect(key.failed()).toBe(false)
  })
})

describe('a data key', () => {
  test('is key 32, index 4, commitment 16, and index 0 is read as 1', () => {
    const bytes = Uint8Array.from({ length: 52 }, (_, at) => at)
    const { key, index, commitment } = splitKey(bytes.slice())
    expect([...key]).toEqual([...bytes.subarray(0, 32)])
    expect(index).toBe(0x20212223)
    expect([...commitment]).toEqual([...bytes.subarray(36)])
    expect(splitKey(bytes.fill(0, 32, 36)).index).toBe(1)
  })
})

describe('limits of a sending key', () => {
  const limits = { packets: 10, blocks: 1_000, age: MINUTE, channelPackets: 1 }

  test('defaults are 2^32 packets, 2^35 blocks, an hour', () => {
    expect(KEY_LIMITS).toMatchObject({ packets: 2 ** 32 - 1, blocks: 2 ** 35, age: 60 * MINUTE })
  })

  test('counters are given out once each, up to the limit', () => {
    const key = new SendKey(START, dataKey(1), limits)
    const counters = Array.from({ length: 10 }, () => key.take(16))
    expect(counters).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(key.hasRoom(START, 1, 16)).toBe(false)
    expect(() => key.take(16)).toThrow(InvariantError)
  })

  test('half of the packets, of the blocks or of the hour is the time for another', () => {
    const key = new SendKey(START, dataKey(1), limits)
    for (let count = 0; count < 4; count++) key.take(16)
    expect(key.isHalfSpent(START)).toBe(false)
    expect(key.isHalfSpent(START + MINUTE / 2)).toBe(true)
    expect(key.hasRoom(START + MINUTE - 1, 6, 96)).toBe(true)
    expect(key.hasRoom(START + MINUTE, 1, 16)).toBe(false)
    key.take(16)
    expect(key.isHalfSpent(START)).toBe(true)
    const other = new SendKey(START, dataKey(1), limits)
    // 494 blocks of text and 6 more: header, lengths, mask.
    other.take(494 * 16)
    expect(other.isHalfSpent(START)).toBe(true)
    expect(other.hasRoom(START, 1, 494 * 16)).toBe(true)
    expect(other.hasRoom(START, 1, 494 * 16 + 1)).toBe(false)
  })
})

describe('time', () => {
  test('a packet is late 30 s after the quickest, however far apart the clocks are', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.nat(2 ** 40), fc.nat(5_000), (ours, theirs, jitter) => {
        const offset = new Offset()
        expect(offset.isLate(ours, theirs)).toBe(false)
        offset.note(ours + jitter, theirs)
        offset.note(ours, theirs)
        expect(offset.isLate(ours + 30_000, theirs)).toBe(false)
        expect(offset.isLate(ours + 30_020, theirs)).toBe(true)
        expect(offset.isLate(ours + 90_000, theirs + 60_000)).toBe(false)
      }),
    )
  })

  test('what is late does not become the rule', () => {
    const offset = new Offset()
    offset.note(0, 0)
    for (let second = 1; second < 100; second++) offset.note(second * 1_000, Math.max(0, second - 20) * 1_000)
    expect(offset.isLate(100_000, 69_000)).toBe(true)
  })

  test('a jump is told once, slewing never, a clock that is set not', () => {
    let millis = 0
    const watch = new WallWatch({ millis: () => millis })
    expect(watch.jumped(0)).toBe(false)
    millis = 1_700_000_000_000
    expect(watch.jumped(SECOND)).toBe(false)
    millis += 9_000
    expect(watch.jumped(5 * SECOND)).toBe(false)
    millis += 5_001 + 4_000
    expect([watch.jumped(9 * SECOND), watch.jumped(9 * SECOND)]).toEqual([true, false])
    millis -= 5_001
    expect(watch.jumped(9 * SECOND)).toBe(true)
  })

  test('a card is fresh by all three conditions', () => {
    const own = 1_700_000_000_000
    const up = 400_000
    expect(isFreshCard(own, own, up, 0)).toBe(true)
    // Wall clocks that part by more than two minutes.
    expect(isFreshCard(own - 120_001, own, up, 0)).toBe(false)
    expect(isFreshCard(own + 120_001, own, up, 0)).toBe(false)
    expect(isFreshCard(own + 120_000, own, up, 0)).toBe(true)
    // Perhaps from before our start.
    expect(isFreshCard(own - 100_000, own, 220_001, 0)).toBe(true)
    expect(isFreshCard(own - 100_000, own, 220_000, 0)).toBe(false)
    expect(isFreshCard(own, own, 120_000, 0)).toBe(false)
    // Not newer than another of that member.
    expect(isFreshCard(own, own, up, own)).toBe(false)
    expect(isFreshCard(own, own, up, own - 1)).toBe(true)
    // No clock.
    expect(isFreshCard(0, 0, up, -1)).toBe(false)
  })
})

describe('replay window with a floor', () => {
  test('refuses what is below it, takes everything from it on, once', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.array(fc.nat(12_000), { maxLength: 300 }), (floor, counters) => {
        const window = new ReplayWindow(floor, REPLAY_NOTHING_HEARD)
        const seen = new Set<number>()
        let top = floor - 1
        for (const counter of counters) {
          const good = counter >= floor && counter > top - REPLAY_WINDOW && !seen.has(counter)
          expect(window.accepts(counter)).toBe(good)
          if (!good) continue
          window.mark(counter)
          seen.add(counter)
          top = Math.max(top, counter)
        }
      }),
    )
  })

  test('keeps no bits while all come in order', () => {
    const window = new ReplayWindow(5, REPLAY_NOTHING_HEARD)
    for (let counter = 5; counter < 500; counter++) window.mark(counter)
    expect(window.windowBytes).toBe(0)
  })
})

describe('cutting', () => {
  test('pieces of every size and padding fit their packets', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 512, max: 9_000 }),
        fc.constantFrom('none', 'small', 'all'),
        fc.constantFrom(FLAG.none, FLAG.signed),
        (packetBytes, padding, flags) => {
          const piece = pieceBytes(flags, padding, packetBytes)
          expect(piece).toBeGreaterThan(100)
          for (const length of [1, piece - 1, piece]) {
            const plain = paddedLength(plaintextLength(flags | FLAG.fragment, length), padding)
            expect(PACKET_OVERHEAD + plain).toBeLessThanOrEqual(packetBytes)
          }
        },
      ),
    )
  })

  test('what a trunk carries whole (sec:S3, with the header of this layout)', () => {
    const longest = (flags: number): number => {
      let bytes = 0
      while (fitsWhole(bytes + 1, flags, 'small', TRUNK_PACKET_BYTES)) bytes += 1
      return bytes
    }
    expect([longest(FLAG.none), longest(FLAG.signed)]).toEqual([1_330, 1_266])
  })
})

describe('reassembly', () => {
  const scope = {}
  const id = new Uint8Array(16).fill(4)
  const whole = Uint8Array.from({ length: 1_000 }, (_, at) => at & 0xff)
  const make = (): Reassembly => new Reassembly({ bytes: 0, limit: 100_000_000 })
  const add = (to: Reassembly, start: number, end: number, options: { now?: number; id?: Uint8Array } = {}) =>
    to.add(
      options.now ?? START,
      scope,
      0,
      options.id ?? id,
      start,
      whole.length,
      whole.subarray(start, end),
      false,
    )

  test('pieces of any cut, in any order', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 40 }),
        fc.func(fc.nat()),
        (cuts, order) => {
          const edges = [0, ...cuts.sort((left, right) => left - right), 1_000]
          const pieces = edges.slice(1).map((end, at) => [edges[at] as number, end] as const)
          pieces.sort((left, right) => order(left) - order(right))
          const reassembly = make()
          const outcomes = pieces.map(([start, end]) => add(reassembly, start, end))
          expect(outcomes.slice(0, -1).every((outcome) => outcome === 'piece')).toBe(true)
          expect(outcomes.at(-1)).toBe('whole')
          expect(reassembly.whole).toEqual(whole)
          expect(reassembly.bytes).toBe(0)
        },
      ),
    )
  })

  test.each<[string, (to: Reassembly) => string]>([
    ['an overlap', (to) => add(to, 400, 600)],
    ['a piece within one that is there', (to) => add(to, 10, 20)],
    ['another total', (to) => to.add(START, scope, 0, id, 600, 900, whole.subarray(600, 700), false)],
    ['another kind', (to) => to.add(START, scope, 1, id, 600, 1_000, whole.subarray(600, 700), false)],
  ])('%s gives the frame up', (_, attack) => {
    const reassembly = make()
    add(reassembly, 0, 500)
    expect(attack(reassembly)).toBe('conflict')
    expect(add(reassembly, 500, 1_000)).toBe('duplicate')
    expect(reassembly.bytes).toBe(0)
  })

  test('other keys and ids are other frames', () => {
    const reassembly = make()
    add(reassembly, 0, 500)
    expect(reassembly.add(START, {}, 0, id, 500, 1_000, whole.subarray(500), false)).toBe('piece')
    expect(add(reassembly, 500, 1_000, { id: new Uint8Array(16) })).toBe('piece')
    expect(add(reassembly, 500, 1_000)).toBe('whole')
  })

  test('where packets may come twice, the same bytes again are ignored and others are a conflict', () => {
    const reassembly = make()
    const piece = (start: number, end: number, bytes = whole.subarray(start, end)) =>
      reassembly.add(START, scope, 4, id, start, 1_000, bytes, true)
    expect([piece(0, 500), piece(0, 500), piece(100, 200)]).toEqual(['piece', 'duplicate', 'duplicate'])
    expect(piece(500, 1_000)).toBe('whole')
    expect(piece(0, 500)).toBe('duplicate')
    const other = make()
    other.add(START, scope, 4, id, 0, 1_000, whole.subarray(0, 500), true)
    expect(other.add(START, scope, 4, id, 0, 1_000, new Uint8Array(500).fill(9), true)).toBe('conflict')
  })

  test('64 frames, a mebibyte, two seconds, 64 gaps', () => {
    const reassembly = make()
    const named = (number: number): Uint8Array => new Uint8Array(16).fill(number)
    for (let number = 0; number < 64; number++)
      expect(add(reassembly, 0, 500, { id: named(number) })).toBe('piece')
    expect(add(reassembly, 0, 500, { id: named(64) })).toBe('room')
    expect(add(reassembly, 500, 1_000, { id: named(3) })).toBe('whole')
    expect(reassembly.expire(START + 2 * SECOND)).toBe(63)
    expect(add(reassembly, 0, 500, { id: named(64), now: START + 2 * SECOND })).toBe('piece')
    const large = make()
    const start = (number: number) =>
      large.add(START, scope, 0, named(number), 0, 65_600, whole.subarray(0, 900), false)
    const outcomes = Array.from({ length: 17 }, (_, number) => start(number))
    expect(outcomes.filter((outcome) => outcome === 'piece')).toHaveLength(15)
    expect(outcomes.slice(15)).toEqual(['room', 'room'])
    const gaps = make()
    let outcome = ''
    let count = 0
    for (; outcome !== 'conflict'; count++) outcome = add(gaps, count * 2, count * 2 + 1)
    expect(count).toBe(65)
  })

  test('frames that became whole take no room: a fast sender is not held up', () => {
    const reassembly = make()
    for (let count = 0; count < 500; count++) {
      const id = new Uint8Array(16)
      new DataView(id.buffer).setUint32(0, count)
      expect([add(reassembly, 0, 500, { id }), add(reassembly, 500, 1_000, { id })]).toEqual([
        'piece',
        'whole',
      ])
    }
    expect(reassembly.dueAt).toBe(NEVER)
  })

  test('a long frame is waited for while its pieces come, and no longer than its time in all', () => {
    const step = 1_900 * MILLISECOND
    const reassembly = make()
    const outcomes = [0, 1, 2, 3].map((count) =>
      add(reassembly, 250 * count, 250 * (count + 1), { now: START + count * step }),
    )
    expect(outcomes).toEqual(['piece', 'piece', 'piece', 'whole'])
    // One that always has another piece to come is over at last, and others behind it are not kept by it.
    const other = new Uint8Array(16)
    for (let count = 0; count < 6; count++)
      add(reassembly, 100 * count, 100 * (count + 1), { now: START + count * step })
    add(reassembly, 0, 100, { now: START + 4 * step, id: other })
    expect(reassembly.expire(START + 5 * step)).toBe(1)
    expect(reassembly.expire(START + 6 * step + SECOND)).toBe(1)
    expect(reassembly.bytes).toBe(0)
  })

  describe('parity', () => {
    const room = 40
    const long = Uint8Array.from({ length: 1_000 }, (_, at) => (at * 7) & 0xff)
    const stripes = stripesOf(long.length, room)
    const give = (to: Reassembly, piece: number): string => {
      const start = piece * room
      return to.add(START, scope, 4, id, start, long.length, long.subarray(start, start + room), true)
    }
    const giveParity = (to: Reassembly, stripe: number, bytes = parityOf(long, room, stripe)): string =>
      to.addParity(START, scope, 4, id, stripe * room, long.length, bytes)

    test('mends one lost piece of each stripe, whichever they are and in whatever order all come', () => {
      const losses = fc.tuple(...Array.from({ length: stripes }, () => fc.nat({ max: 5 })))
      fc.assert(
        fc.property(losses, fc.func(fc.nat()), (lost, order) => {
          const missing = new Set(lost.map((at, stripe) => at * stripes + stripe))
          const acts: ((to: Reassembly) => string)[] = []
          for (let piece = 0; piece < 25; piece++) if (!missing.has(piece)) acts.push((to) => give(to, piece))
          for (let stripe = 0; stripe < stripes; stripe++) acts.push((to) => giveParity(to, stripe))
          acts.sort((left, right) => order(acts.indexOf(left)) - order(acts.indexOf(right)))
          const reassembly = make()
          const outcomes = acts.map((act) => act(reassembly))
          expect(outcomes.filter((outcome) => outcome === 'whole')).toHaveLength(1)
          expect(outcomes).not.toContain('conflict')
          expect(reassembly.whole).toEqual(long)
          expect(reassembly.bytes).toBe(0)
        }),
      )
    })

    test('does not mend two of a stripe, and takes no room for ever', () => {
      const reassembly = make()
      for (let piece = 0; piece < 25; piece++) if (piece !== 0 && piece !== stripes) give(reassembly, piece)
      for (let stripe = 0; stripe < stripes; stripe++) expect(giveParity(reassembly, stripe)).toBe('piece')
      expect(give(reassembly, 0)).toBe('whole')
      expect(reassembly.bytes).toBe(0)
      // What comes after is of no use and no fault.
      expect(giveParity(reassembly, 0)).toBe('piece')
    })

    test('of another form, or that says other than the pieces, ends the frame', () => {
      const cases: ((to: Reassembly) => string)[] = [
        (to) => to.addParity(START, scope, 4, id, 1, long.length, parityOf(long, room, 0)),
        (to) => to.addParity(START, scope, 4, id, stripes * room, long.length, parityOf(long, room, 0)),
        (to) => to.addParity(START, scope, 4, id, 0, long.length, new Uint8Array(1)),
      ]
      const outcomes = cases.map((act) => {
        const reassembly = make()
        give(reassembly, 0)
        return act(reassembly)
      })
      expect(outcomes).toEqual(['conflict', 'conflict', 'conflict'])
      const reassembly = make()
      for (let piece = 2; piece < 25; piece++) give(reassembly, piece)
      giveParity(reassembly, 0, parityOf(whole, room, 1))
      // It made piece 0 of it, which is not what comes then.
      expect(give(reassembly, 0)).toBe('conflict')
    })
  })

  test('all senders together have a bound too', () => {
    const pool = { bytes: 0, limit: 2_500 }
    const [first, second] = [new Reassembly(pool), new Reassembly(pool)]
    expect(add(first, 0, 500)).toBe('piece')
    expect(add(second, 0, 500)).toBe('piece')
    expect(add(second, 0, 500, { id: new Uint8Array(16) })).toBe('room')
    first.clear()
    expect(add(second, 0, 500, { id: new Uint8Array(16) })).toBe('piece')
    expect(pool.bytes).toBe(2_000)
  })
})

describe('waiting frames', () => {
  test('are copies, in order, and go when their time is over', () => {
    const queue = new FrameQueue(3, 2 * SECOND)
    const payload = Uint8Array.of(1)
    expect(queue.keep(START, 0, 1, payload, payload, 1_420)).toBe(true)
    payload[0] = 2
    queue.keep(START + SECOND, 0, 1, payload, payload, 1_420)
    queue.keep(START + SECOND, 0, 1, payload, payload, 1_420)
    expect(queue.keep(START + SECOND, 0, 1, payload, payload, 1_420)).toBe(false)
    expect(queue.take()?.payload).toEqual(Uint8Array.of(1))
    expect(queue.expire(START + 3 * SECOND)).toBe(2)
    expect(queue.take()).toBeUndefined()
  })
})
