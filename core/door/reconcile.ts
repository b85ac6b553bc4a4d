/**
 * An exchange of ledgers in a door session, up to its end (core/ledger/exchange.ts has the messages). Knows
 * whose turn it is. The caller opens and opens again until an opening changes nothing; the sponsor answers.
 *
 * An exchange with neither ranges nor wishes says that its sender has nothing to add.
 */
import type { Hash } from '../crypto/ports.ts'
import type { Micros } from '../io.ts'
import {
  answerExchange,
  decodeLedgerPayload,
  type Exchange,
  encodeExchange,
  encodeFacts,
  openExchange,
} from '../ledger/exchange.ts'
import type { Ledger, Outcome } from '../ledger/ledger.ts'
import { EXCHANGES_MAX } from './limits.ts'
import { encodeMessage } from './messages.ts'

/** Who takes in the facts that come. */
export interface Learner {
  learn(now: Micros, fact: Uint8Array): Outcome
}

export class Reconciler {
  readonly #hash: Hash
  readonly #ledger: Ledger
  readonly #learner: Learner
  #openings = 0
  #turn = 0
  /** Since the last opening: something was said beyond the end, and a fact was new. */
  #differed = false
  #learnt = false
  #settled = false

  constructor(hash: Hash, ledger: Ledger, learner: Learner) {
    this.#hash = hash
    this.#ledger = ledger
    this.#learner = learner
  }

  /** At the caller: the ledgers agree, or agree as far as they ever will. */
  get settled(): boolean {
    return this.#settled
  }

  /** The caller's first message. */
  open(): Uint8Array {
    if (this.#openings > 0 && !this.#learnt) this.#turn += 1
    this.#openings += 1
    this.#differed = false
    this.#learnt = false
    return said(openExchange(this.#hash, this.#ledger, this.#turn))
  }

  /** What to answer to a payload; undefined if it is not of its form. */
  take(now: Micros, payload: Uint8Array, side: 'caller' | 'sponsor'): Uint8Array[] | undefined {
    const message = decodeLedgerPayload(payload)
    if (message === undefined) return undefined
    if (message.kind === 'facts') {
      this.#differed = true
      for (const fact of message.facts) if (this.#learner.learn(now, fact) === 'added') this.#learnt = true
      return []
    }
    const isEnd = message.ranges.length === 0 && message.wanted.length === 0
    if (isEnd) return side === 'caller' ? this.#next() : []
    this.#differed = true
    const { reply, facts } = answerExchange(this.#hash, this.#ledger, message)
    const answers = encodeFacts(facts).map((payload) => encodeMessage({ kind: 'ledger', payload }))
    if (reply !== undefined) answers.push(said(reply))
    else if (side === 'caller') answers.push(...this.#next())
    else answers.push(said({ turn: message.turn, ranges: [], wanted: [] }))
    return answers
  }

  #next(): Uint8Array[] {
    if (!this.#differed || this.#openings >= EXCHANGES_MAX) {
      this.#settled = true
      return []
    }
    return [this.open()]
  }
}

function said(exchange: Exchange): Uint8Array {
  return encodeMessage({ kind: 'ledger', payload: encodeExchange(exchange) })
}
