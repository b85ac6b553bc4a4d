/**
 * Verbs that wait for what others do: each hears what is noted at its port until it has its outcome, its
 * deadline comes, or its port goes.
 */
import type { Micros, NodeEvent, PortId } from '../../core/io.ts'
import type { ControlledNode } from './node.ts'
import { type Outcome, Pending, REFUSAL, type Refused, refused } from './outcome.ts'

/** Verbs of one node that wait at once; more are refused. Guess: what a script may start in a row. */
const WAITS_MAX = 256

export interface Wish<T> {
  readonly port: PortId
  readonly within: Micros
  /** What an event means for it: the outcome, a part of it, or nothing. */
  readonly hear: (event: NodeEvent) => Outcome<T> | 'part' | undefined
  /** An event that means something for it is an answer to it alone. */
  readonly isAnswered?: boolean
  /** What the deadline means. */
  readonly late: () => Outcome<T>
}

interface Wait {
  readonly port: PortId
  /** True if no other is to hear the event. */
  readonly hear: (event: NodeEvent) => boolean
  readonly stop: (why: Refused) => void
}

export class Waits {
  readonly #node: ControlledNode
  readonly #waits = new Set<Wait>()

  constructor(node: ControlledNode) {
    this.#node = node
  }

  /** Undefined if one more may wait. */
  full(): Refused | undefined {
    if (this.#waits.size < WAITS_MAX) return undefined
    return refused(REFUSAL.tooMany, `${WAITS_MAX} verbs wait already, the most there may be; wait for one`)
  }

  /** Waits from now on; what is to be waited for is asked for after this. */
  for<T>(wish: Wish<T>): Pending<T> {
    const pending = new Pending<T>()
    const end = (outcome: Outcome<T>): void => {
      this.#waits.delete(wait)
      pending.settle(outcome)
    }
    const wait: Wait = {
      port: wish.port,
      hear: (event) => {
        const heard = wish.hear(event)
        if (typeof heard === 'object') end(heard)
        return heard !== undefined && wish.isAnswered === true
      },
      stop: end,
    }
    this.#waits.add(wait)
    this.#node.after(wish.within, () => {
      if (this.#waits.has(wait)) end(wish.late())
    })
    return pending
  }

  noted(port: PortId, event: NodeEvent): void {
    for (const wait of [...this.#waits]) if (wait.port === port && wait.hear(event)) return
  }

  /** Ends those of a port, or all. */
  stop(why: string, port?: PortId): void {
    for (const wait of [...this.#waits])
      if (port === undefined || wait.port === port) wait.stop(refused(REFUSAL.stopped, why))
  }
}
