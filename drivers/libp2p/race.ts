/**
 * Tries several ways at once, but not all at once, as RFC 8305 does: the next one starts when the last has
 * failed or has had its head start. The first to succeed wins, the others are told to stop.
 */

/** RFC 8305, section 5: "Connection Attempt Delay". */
export const HEAD_START_MILLIS = 250

/**
 * Rejects soon after the signal; what it brings after it is too late. Each way has a signal of its own, and
 * the winner's never fires: a socket listens to it for as long as it lives.
 */
export type Way<T> = (signal: AbortSignal) => Promise<T>

export interface Winner<T> {
  readonly won: T
  readonly index: number
}

/** Undefined if all fail or the signal ends it. `discard` takes what came in too late. */
export function race<T>(
  ways: readonly Way<T>[],
  signal: AbortSignal,
  discard: (late: T) => void,
): Promise<Winner<T> | undefined> {
  return new Promise((resolve) => {
    const running: AbortController[] = []
    let over = false
    let failed = 0
    let timer: NodeJS.Timeout | undefined

    function settle(winner: Winner<T> | undefined): void {
      over = true
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      running.forEach((controller, index) => {
        if (index !== winner?.index) controller.abort()
      })
      resolve(winner)
    }

    function giveUp(): void {
      settle(undefined)
    }

    function next(): void {
      clearTimeout(timer)
      const index = running.length
      const way = ways[index]
      if (way === undefined) return
      const controller = new AbortController()
      running.push(controller)
      way(controller.signal).then(
        (won) => {
          if (over) discard(won)
          else settle({ won, index })
        },
        () => {
          failed += 1
          if (over) return
          if (failed === ways.length) settle(undefined)
          else next()
        },
      )
      timer = setTimeout(next, HEAD_START_MILLIS)
    }

    signal.addEventListener('abort', giveUp)
    if (ways.length === 0 || signal.aborted) settle(undefined)
    else next()
  })
}
