/**
 * A node's own load as it tells its neighbours: 0 to 50, added to the cost of links that lead through
 * it (mesh text (a)). Counted over what it carries against what it says it can.
 */
import type { NodeConfig } from '../config.ts'
import { type Micros, SECOND } from '../io.ts'

const LOAD_MAX = 50

export class LoadMeter {
  readonly #capacity: number
  #packets = 0
  #since: Micros = 0
  #load = 0

  constructor(config: NodeConfig) {
    this.#capacity = config.loadPackets
  }

  // HOT PATH
  packet(): void {
    this.#packets += 1
  }

  /** The present value; takes in what was counted if at least a second has passed. */
  sample(now: Micros): number {
    const elapsed = now - this.#since
    if (elapsed < SECOND) return this.#load
    const perSecond = (this.#packets * SECOND) / elapsed
    const share = Math.min(LOAD_MAX, Math.floor((LOAD_MAX * perSecond) / this.#capacity))
    // Falls slowly: a herd that leaves at once would come back at once.
    this.#load = share > this.#load ? share : Math.floor((share + this.#load) / 2)
    this.#packets = 0
    this.#since = now
    return this.#load
  }
}
