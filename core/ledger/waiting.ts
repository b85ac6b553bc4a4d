/**
 * Facts that came before the fact without which they cannot be judged: a Grant before that of its admin, a
 * Redemption before its Grant. They count for nothing here, and are judged when the missing one is there.
 *
 * Anyone who may send facts can fill it with some that never will be judged. So it is bounded, and full it
 * gives up the oldest: what is given up comes again with the next exchange of ledgers, and nobody can
 * close the room to others by filling it once.
 */
import { hex } from '../ids.ts'
import type { Fact } from './facts.ts'

/** Facts that wait at once. What waits is small (no kept serials), 0.4 MB at most. Guess. */
const WAITING_MAX = 1_024
/** Those that wait for one and the same: more than that come again later. Guess. */
const WAITING_FOR_ONE_MAX = 256

interface Waiter {
  readonly fact: Fact
  readonly missing: string
}

/** What a fact needs, and how many copies of it wait. */
interface Need {
  readonly missing: string
  copies: number
}

export class WaitingRoom {
  /**
   * By H16 of all bytes, oldest first: copies with other signatures wait beside each other, since a false
   * one that came first must not keep the true one out.
   */
  readonly #waiters = new Map<string, Waiter>()
  /** Those who wait, by what they wait for, oldest first. */
  readonly #byMissing = new Map<string, string[]>()
  /** By the id of the waiting fact. */
  readonly #needs = new Map<string, Need>()

  get size(): number {
    return this.#waiters.size
  }

  /** Whether somebody waits for the fact of that id. */
  isWanted(id: string): boolean {
    return this.#byMissing.has(id)
  }

  /** Ids of facts that others wait for, in the order they were first missed. */
  wanted(): string[] {
    return [...this.#byMissing.keys()]
  }

  /** What the fact of that id waits for; undefined if it does not wait. */
  neededBy(id: string): string | undefined {
    return this.#needs.get(id)?.missing
  }

  /** `name` is H16 of the fact's bytes in hex. */
  add(name: string, fact: Fact, missing: string): void {
    if (this.#waiters.has(name)) return
    const others = this.#byMissing.get(missing)
    if (others !== undefined && others.length >= WAITING_FOR_ONE_MAX) this.#giveUp(others[0] as string)
    else if (this.#waiters.size >= WAITING_MAX) this.#giveUp(this.#oldest())
    this.#waiters.set(name, { fact, missing })
    const list = this.#byMissing.get(missing)
    if (list === undefined) this.#byMissing.set(missing, [name])
    else list.push(name)
    const need = this.#needs.get(hex(fact.id))
    if (need === undefined) this.#needs.set(hex(fact.id), { missing, copies: 1 })
    else need.copies += 1
  }

  /** Takes out all who wait for the fact of that id, oldest first. */
  release(id: string): Fact[] {
    const facts: Fact[] = []
    for (const name of this.#byMissing.get(id) ?? []) {
      facts.push((this.#waiters.get(name) as Waiter).fact)
      this.#remove(name)
    }
    this.#byMissing.delete(id)
    return facts
  }

  #oldest(): string {
    return this.#waiters.keys().next().value as string
  }

  #giveUp(name: string): void {
    const { missing } = this.#waiters.get(name) as Waiter
    const list = this.#byMissing.get(missing) as string[]
    list.splice(list.indexOf(name), 1)
    if (list.length === 0) this.#byMissing.delete(missing)
    this.#remove(name)
  }

  #remove(name: string): void {
    const id = hex((this.#waiters.get(name) as Waiter).fact.id)
    this.#waiters.delete(name)
    const need = this.#needs.get(id) as Need
    need.copies -= 1
    if (need.copies === 0) this.#needs.delete(id)
  }
}
