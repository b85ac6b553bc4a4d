import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HEAD_START_MILLIS, race, type Way } from '../../drivers/libp2p/race.ts'

const never = new AbortController().signal

/** A way that ends after so long, and remembers what became of it. */
function way(
  millis: number,
  works: boolean,
): { way: Way<string>; startedAt: number | undefined; stopped: boolean } {
  const one = {
    startedAt: undefined as number | undefined,
    stopped: false,
    way: (signal: AbortSignal): Promise<string> => {
      one.startedAt = Date.now()
      signal.addEventListener('abort', () => {
        one.stopped = true
      })
      return new Promise((resolve, reject) => {
        setTimeout(() => (works ? resolve(`after ${millis}`) : reject(new Error('no'))), millis)
      })
    },
  }
  return one
}

describe('a race', () => {
  beforeEach(() => vi.useFakeTimers({ now: 0 }))
  afterEach(() => vi.useRealTimers())

  async function run(ways: readonly ReturnType<typeof way>[], signal = never, discard = vi.fn()) {
    const result = race(
      ways.map((one) => one.way),
      signal,
      discard,
    )
    await vi.advanceTimersByTimeAsync(10_000)
    return { result: await result, discard }
  }

  test('starts one after the other, with a head start each, and the first to succeed wins', async () => {
    const ways = [way(5_000, true), way(400, true), way(300, true)]
    const { result, discard } = await run(ways)
    expect(result).toEqual({ won: 'after 400', index: 1 })
    expect(ways.map(({ startedAt }) => startedAt)).toEqual([0, HEAD_START_MILLIS, 2 * HEAD_START_MILLIS])
    expect(ways.map(({ stopped }) => stopped)).toEqual([true, false, true])
    expect(discard.mock.calls).toEqual([['after 300'], ['after 5000']])
  })

  test('does not wait for the head start of one that has failed', async () => {
    const ways = [way(10, false), way(10, false), way(10, true)]
    const { result } = await run(ways)
    expect(result?.index).toBe(2)
    expect(ways[2]?.startedAt).toBe(20)
  })

  test('is lost when all have failed, and when there are none', async () => {
    expect((await run([way(10, false), way(600, false)])).result).toBeUndefined()
    expect((await run([])).result).toBeUndefined()
  })

  test('ends with its signal; the winner has a signal of its own', async () => {
    const slow = [way(5_000, true)]
    const ending = new AbortController()
    setTimeout(() => ending.abort(), 1_000)
    expect((await run(slow, ending.signal)).result).toBeUndefined()
    expect(slow[0]?.stopped).toBe(true)
    const controller = new AbortController()
    const quick = [way(10, true)]
    expect((await run(quick, controller.signal)).result?.index).toBe(0)
    controller.abort()
    expect(quick[0]?.stopped).toBe(false)
  })
})
