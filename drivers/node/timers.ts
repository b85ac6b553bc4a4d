/** What is to be done later in the thread of the core, in the order of its times. */
import { type Micros, NEVER } from '../../core/io.ts'

interface Timer {
  readonly at: Micros
  readonly run: () => void
}

export class Timers {
  /** By time; those of one time in the order in which they were set. They are few: a list is enough. */
  readonly #timers: Timer[] = []

  set(at: Micros, run: () => void): void {
    let place = this.#timers.length
    while (place > 0 && (this.#timers[place - 1] as Timer).at > at) place -= 1
    this.#timers.splice(place, 0, { at, run })
  }

  /** NEVER if nothing is to be done. */
  next(): Micros {
    return this.#timers[0]?.at ?? NEVER
  }

  /** Does what is due; what is set meanwhile waits for the next call. */
  fire(now: Micros): void {
    let due = 0
    while ((this.#timers[due]?.at ?? NEVER) <= now) due += 1
    for (const { run } of this.#timers.splice(0, due)) run()
  }
}
