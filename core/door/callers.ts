/**
 * Who called at a door (sec:C4): that a call is answered once, by whom and when, and that a proof is taken
 * once. It holds 32 bytes of a key for each caller of the last minute or two, and of those whose answer is
 * the second wave's the call itself for a second; nothing that a caller could make larger.
 *
 * Callers come in generations, each with a secret from which this member's halves of its handshakes follow.
 * A generation is forgotten together with its secret: then no proof of its callers opens any more, so that
 * a recorded handshake can never be played again into the same keys.
 */
import type { Keys } from '../dice.ts'
import { hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { CALLER_LIFE, CALLERS_MAX, SECOND_WAVE } from './limits.ts'

/** A call is passed over, due later, answered, or its proof was taken. */
type State = 'passed' | 'waiting' | 'answered' | 'taken'

interface Caller {
  readonly at: Micros
  /** D1, while it waits. */
  d1: Uint8Array | undefined
  state: State
}

interface Generation {
  readonly since: Micros
  readonly secret: Uint8Array
  /** By ephemeral key. */
  readonly callers: Map<string, Caller>
}

const SECRET_BYTES = 32

export class Callers {
  readonly #keys: Keys
  #current: Generation | undefined
  #previous: Generation | undefined
  readonly #waiting = new Set<Caller>()

  constructor(keys: Keys) {
    this.#keys = keys
  }

  /** Whether the key is new; it is from now on known. */
  admit(now: Micros, ephemeral: Uint8Array): boolean {
    this.turn(now)
    const name = hex(ephemeral)
    if (this.#find(name) !== undefined) return false
    if (this.#current === undefined || this.#current.callers.size >= CALLERS_MAX) this.#begin(now)
    this.#current?.callers.set(name, { at: now, d1: undefined, state: 'passed' })
    return true
  }

  /** To be answered in the second wave, unless `served` comes before. */
  defer(ephemeral: Uint8Array, d1: Uint8Array): void {
    const caller = this.#find(hex(ephemeral))
    if (caller === undefined) return
    caller.state = 'waiting'
    caller.d1 = d1.slice()
    this.#waiting.add(caller)
  }

  answered(ephemeral: Uint8Array): void {
    this.#set(ephemeral, 'answered')
  }

  taken(ephemeral: Uint8Array): void {
    this.#set(ephemeral, 'taken')
  }

  /** Another member was chosen. */
  served(ephemeral: Uint8Array): void {
    if (this.stateOf(ephemeral) === 'waiting') this.#set(ephemeral, 'passed')
  }

  stateOf(ephemeral: Uint8Array): State | undefined {
    return this.#find(hex(ephemeral))?.state
  }

  /** What this member's half for a known caller follows from: 32 bytes, of its generation. */
  secretFor(ephemeral: Uint8Array): Uint8Array | undefined {
    const name = hex(ephemeral)
    if (this.#current?.callers.has(name)) return this.#current.secret
    return this.#previous?.callers.has(name) ? this.#previous.secret : undefined
  }

  /** Calls whose second wave is due. */
  takeDue(now: Micros): Uint8Array[] {
    const due: Uint8Array[] = []
    for (const caller of this.#waiting) {
      if (now < caller.at + SECOND_WAVE) break
      this.#waiting.delete(caller)
      if (caller.d1 !== undefined) due.push(caller.d1)
      caller.d1 = undefined
      caller.state = 'passed'
    }
    return due
  }

  /** Forgets what is a generation old. */
  turn(now: Micros): void {
    if (this.#previous !== undefined && now >= this.#previous.since + 2 * CALLER_LIFE) this.#forgetPrevious()
    if (this.#current === undefined || now < this.#current.since + CALLER_LIFE) return
    this.#forgetPrevious()
    this.#previous = this.#current
    this.#current = undefined
  }

  nextDeadline(): Micros {
    const first = this.#waiting.values().next().value
    const wave = first === undefined ? NEVER : first.at + SECOND_WAVE
    const turn = this.#current === undefined ? NEVER : this.#current.since + CALLER_LIFE
    const end = this.#previous === undefined ? NEVER : this.#previous.since + 2 * CALLER_LIFE
    return Math.min(wave, turn, end)
  }

  get size(): number {
    return (this.#current?.callers.size ?? 0) + (this.#previous?.callers.size ?? 0)
  }

  #find(name: string): Caller | undefined {
    return this.#current?.callers.get(name) ?? this.#previous?.callers.get(name)
  }

  #set(ephemeral: Uint8Array, state: State): void {
    const caller = this.#find(hex(ephemeral))
    if (caller === undefined) return
    caller.state = state
    caller.d1 = undefined
    this.#waiting.delete(caller)
  }

  #begin(now: Micros): void {
    if (this.#current !== undefined) {
      this.#forgetPrevious()
      this.#previous = this.#current
    }
    this.#current = { since: now, secret: this.#keys.bytes(SECRET_BYTES), callers: new Map() }
  }

  #forgetPrevious(): void {
    const { secret, callers } = this.#previous ?? {}
    secret?.fill(0)
    for (const caller of callers?.values() ?? []) this.#waiting.delete(caller)
    this.#previous = undefined
  }
}
