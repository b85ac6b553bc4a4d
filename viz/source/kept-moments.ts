/**
 * What was seen of running nodes, to go back to: the newest moments, as many as there is room for. Bounded
 * by what they hold, not by how long they reach back.
 */
import type { Moment } from './sight.ts'

/** Rows of tables in all moments together: some hundred bytes each. */
const ROWS_MAX = 400_000
/** Counters and such of one node. */
const ROWS_OF_NODE = 40

export class KeptMoments {
  readonly #moments: Moment[] = []
  #rows = 0

  get newest(): Moment | undefined {
    return this.#moments.at(-1)
  }

  get oldest(): Moment | undefined {
    return this.#moments[0]
  }

  /** In the order of their times. */
  add(moment: Moment): void {
    this.#moments.push(moment)
    this.#rows += rowsOf(moment)
    while (this.#rows > ROWS_MAX && this.#moments.length > 1)
      this.#rows -= rowsOf(this.#moments.shift() as Moment)
  }

  /** The last one that is not after `at`; the oldest if all are. */
  until(at: number): Moment | undefined {
    let [from, to] = [0, this.#moments.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#moments[middle] as Moment).at <= at) from = middle + 1
      else to = middle
    }
    return this.#moments[Math.max(0, from - 1)]
  }
}

function rowsOf({ said }: Moment): number {
  let rows = 1
  for (const each of said) {
    if (each === undefined) continue
    const { links, vlans, memberships } = each.view
    rows += ROWS_OF_NODE + links.length + vlans.length
    for (const { members } of memberships) rows += members.length
  }
  return rows
}
