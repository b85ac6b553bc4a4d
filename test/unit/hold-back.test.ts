/** Which full trunks frames of interfaces wait for, and for how long. */
import { beforeEach, describe, expect, test } from 'vitest'
import { type LinkId, MILLISECOND, NEVER } from '../../core/io.ts'
import { HOLD_BACK, HoldBack } from '../../drivers/node/hold-back.ts'

const ONE = 1 as LinkId
const OTHER = 2 as LinkId
const NOW = 5_000_000

describe('frames of interfaces', () => {
  let told: boolean[]
  let back: HoldBack

  /** A frame of an interface goes out on these. */
  const frame = (...links: LinkId[]): void => {
    back.reading = true
    for (const link of links) back.sent(link)
    back.reading = false
  }

  beforeEach(() => {
    told = []
    back = new HoldBack((waits) => told.push(waits))
  })

  test('wait for a trunk that they went out on, until it has room', () => {
    frame(ONE)
    back.onReady(NOW, ONE, false)
    expect([back.waits, back.until]).toEqual([true, NOW + HOLD_BACK])
    back.onReady(NOW + MILLISECOND, ONE, true)
    expect([back.waits, back.until]).toEqual([false, NEVER])
    expect(told).toEqual([true, false])
  })

  test('wait for none that carries only what is relayed for others', () => {
    frame(OTHER)
    back.sent(ONE)
    back.onReady(NOW, ONE, false)
    expect(back.waits).toBe(false)
    expect(told).toEqual([])
  })

  test('wait no longer than that, however often trunks are full and have room in turn', () => {
    frame(ONE, OTHER)
    back.onReady(NOW, ONE, false)
    for (let millis = 1; millis < 20; millis++) {
      const at = NOW + millis * MILLISECOND
      const [full, free] = millis % 2 === 0 ? [ONE, OTHER] : [OTHER, ONE]
      back.onReady(at, full, false)
      back.onReady(at, free, true)
      back.expire(at)
      expect(back.until).toBe(NOW + HOLD_BACK)
    }
    back.expire(NOW + HOLD_BACK - 1)
    expect(back.waits).toBe(true)
    back.expire(NOW + HOLD_BACK)
    expect(back.waits).toBe(false)
    expect(told).toEqual([true, false])
  })

  test('do not wait again for a trunk that stayed full, before one of them went out on it', () => {
    frame(ONE, OTHER)
    back.onReady(NOW, ONE, false)
    back.expire(NOW + HOLD_BACK)
    back.onReady(NOW + HOLD_BACK, ONE, false)
    back.onReady(NOW + HOLD_BACK, OTHER, false)
    expect(back.waits).toBe(false)
    frame(OTHER)
    back.onReady(NOW + HOLD_BACK, OTHER, false)
    expect(back.until).toBe(NOW + 2 * HOLD_BACK)
  })

  test('wait until all of those have room, and not for one that is gone', () => {
    frame(ONE, OTHER)
    back.onReady(NOW, ONE, false)
    back.onReady(NOW, OTHER, false)
    back.onReady(NOW, ONE, true)
    expect(back.waits).toBe(true)
    back.onDown(OTHER)
    expect(back.waits).toBe(false)
    expect(told).toEqual([true, false])
  })
})
