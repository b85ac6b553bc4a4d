/**
 * Tokens of salts that are on their way out (mesh:S5, sec:B10): those of the new salt are registered over a
 * few seconds and sent to when everybody had the time for that; those of the old one are listened to for a
 * while longer. Each member that is put out changes the salt, so several may be on their way out at once.
 * Knows books and times; registering is the port's.
 */
import type { Dice } from '../dice.ts'
import { unit } from '../dice.ts'
import type { Mac } from '../ids.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'
import type { TokenBook } from './tokens.ts'

/** New tokens are registered over this time, used from then on, and old ones kept so long (mesh:S5). */
const SPREAD: Micros = 5 * SECOND
const SENDERS: Micros = 10 * SECOND
const KEEP: Micros = 30 * SECOND
/** From asking for a registration, here and where an epoch is adopted later, to being reached. Guess. */
const KNOWN_AFTER: Micros = SECOND
/** Salts on their way out: more evictions within 30 s cost frames of those who are behind. Guess. */
const FORMERS_MAX = 8

interface Former {
  readonly book: TokenBook
  /** From when on everybody is reached by it. */
  readonly readyAt: Micros
  readonly sendUntil: Micros
  readonly until: Micros
}

export class Turning {
  /** The oldest first. */
  #formers: Former[] = []
  /** `readyAt` of the present salt. */
  #readyAt: Micros = 0
  /** MACs whose new tokens are still to be registered, the last first, and when. */
  #queue: { readonly mac: Mac; readonly at: Micros }[] = []

  // HOT PATH
  /**
   * The tokens to send to while they are not those of the present salt: the newest that all have had the
   * time to register. Who came in lately knows of no older ones.
   */
  sendBook(now: Micros): TokenBook | undefined {
    const formers = this.#formers
    const last = formers.length - 1
    if (last < 0 || now >= (formers[last] as Former).sendUntil) return undefined
    for (let at = last; at > 0; at--) {
      const former = formers[at] as Former
      if (former.readyAt <= now) return former.book
    }
    return (formers[0] as Former).book
  }

  get books(): readonly TokenBook[] {
    return this.#formers.map(({ book }) => book)
  }

  /** Whether that salt is on its way out already: another sibling of one epoch was adopted. */
  has(book: TokenBook): boolean {
    return this.#formers.some((former) => former.book === book)
  }

  /** There is another salt, to which nobody comes from a former one. */
  clear(): void {
    this.#formers = []
    this.#queue = []
    this.#readyAt = 0
  }

  /** A salt is on its way out from now on; `macs` are registered anew in their turns. */
  begin(now: Micros, dice: Dice, former: TokenBook, macs: Iterable<Mac>): void {
    if (!this.has(former)) {
      if (this.#formers.length >= FORMERS_MAX) this.#formers.shift()
      // Whoever had not registered all of it does so now.
      const readyAt = Math.min(this.#readyAt, now + KNOWN_AFTER)
      this.#formers.push({ book: former, readyAt, sendUntil: now + SENDERS, until: now + KEEP })
    }
    this.#readyAt = now + SPREAD + KNOWN_AFTER
    this.#queue = [...macs].map((mac) => ({ mac, at: now + Math.floor(SPREAD * unit(dice)) }))
    this.#queue.sort((left, right) => right.at - left.at)
  }

  /** There is another salt, which all have had the time to register; some may still send by this one. */
  hear(now: Micros, former: TokenBook): void {
    this.#formers.push({ book: former, readyAt: 0, sendUntil: now, until: now + KEEP })
  }

  /** MACs whose turn it is to be registered under the present salt; all of them if there is no time left. */
  takeDue(now: Micros, all = false): Mac[] {
    const due: Mac[] = []
    for (let last = this.#queue.at(-1); last !== undefined; last = this.#queue.at(-1)) {
      if (!all && last.at > now) break
      this.#queue.pop()
      due.push(last.mac)
    }
    return due
  }

  /** Forgets salts whose time is over; true if there were any. */
  expire(now: Micros): boolean {
    const before = this.#formers.length
    this.#formers = this.#formers.filter(({ until }) => until > now)
    return this.#formers.length < before
  }

  /** When there is something to register or to forget. */
  get dueAt(): Micros {
    return Math.min(this.#queue.at(-1)?.at ?? NEVER, this.#formers[0]?.until ?? NEVER)
  }
}
