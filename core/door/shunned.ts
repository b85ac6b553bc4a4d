/** Members that are not asked again for a time, because they failed or lied. Bounded: the oldest go first. */
import { hex } from '../ids.ts'
import type { Micros } from '../io.ts'
import { SHUNNED_MAX } from './limits.ts'

export class Shunned {
  /** Until when, by member key in hex. */
  readonly #until = new Map<string, Micros>()

  /** Never shortens what was said before. */
  add(now: Micros, member: Uint8Array, time: Micros): void {
    const name = hex(member)
    const until = Math.max(now + time, this.#until.get(name) ?? 0)
    this.#until.delete(name)
    this.#until.set(name, until)
    for (const each of this.#until.keys()) {
      if (this.#until.size <= SHUNNED_MAX) break
      this.#until.delete(each)
    }
  }

  has(now: Micros, member: Uint8Array): boolean {
    return now < (this.#until.get(hex(member)) ?? 0)
  }
}
