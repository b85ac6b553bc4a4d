/**
 * How often entries of one kind are logged, so that whoever sends wrong packets fills no disk.
 */

/** Entries of a kind in a window; those beyond are counted. Guesses. */
const BURST = 5
const WINDOW_MILLIS = 10_000
/** Kinds that are told apart; others share one, since names may come from outside. */
const KINDS_MAX = 256
/** The kind of all that are too many. */
const OTHERS = ''

interface Window {
  since: number
  logged: number
  suppressed: number
}

export class LogLimiter {
  readonly #windows = new Map<string, Window>()

  /**
   * Whether an entry of this kind may be logged: undefined if not, else how many were not since the last one.
   * `nowMillis` never goes back.
   */
  allow(kind: string, nowMillis: number): number | undefined {
    const window = this.#windowOf(kind, nowMillis)
    if (nowMillis - window.since >= WINDOW_MILLIS) {
      window.since = nowMillis
      window.logged = 0
    }
    if (window.logged >= BURST) {
      window.suppressed += 1
      return undefined
    }
    window.logged += 1
    const { suppressed } = window
    window.suppressed = 0
    return suppressed
  }

  #windowOf(kind: string, nowMillis: number): Window {
    const known = this.#windows.get(kind)
    if (known !== undefined) return known
    if (this.#windows.size >= KINDS_MAX) this.#forgetQuiet(nowMillis)
    if (this.#windows.size >= KINDS_MAX && kind !== OTHERS) return this.#windowOf(OTHERS, nowMillis)
    const window = { since: nowMillis, logged: 0, suppressed: 0 }
    this.#windows.set(kind, window)
    return window
  }

  #forgetQuiet(nowMillis: number): void {
    for (const [kind, { since, suppressed }] of this.#windows) {
      if (suppressed === 0 && nowMillis - since >= WINDOW_MILLIS) this.#windows.delete(kind)
    }
  }
}
