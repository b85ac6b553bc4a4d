/** Things that events of the queue stand for, by slot: an event holds numbers only. */
import { InvariantError } from '../core/errors.ts'

export class Slots {
  readonly #things: unknown[] = []
  readonly #free: number[] = []

  keep(thing: unknown): number {
    const slot = this.#free.length > 0 ? (this.#free.pop() as number) : this.#things.length
    this.#things[slot] = thing
    return slot
  }

  /** Each thing once. */
  take(slot: number): unknown {
    const thing = this.#things[slot]
    if (thing === undefined) throw new InvariantError(`nothing is kept in slot ${slot}`)
    this.#things[slot] = undefined
    this.#free.push(slot)
    return thing
  }
}
