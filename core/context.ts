/**
 * What every part of a node is given: who it is, its parameters, its ports, where effects and counts go.
 * Parts talk to each other through narrow interfaces, never through this.
 */
import type { NodeConfig } from './config.ts'
import { COUNT, type Counters } from './counters.ts'
import type { Crypto } from './crypto/ports.ts'
import type { Dice, Keys } from './dice.ts'
import { type Micros, NEVER, type PeerId } from './io.ts'
import type { Outbox } from './outbox.ts'

/**
 * The earliest time at which the node has something to do. Parts lower it; a wake scans all timers and sets
 * it anew. A packet hardly ever moves the alarm later, which would cost a queue operation for each
 * (mesh:M15): only links do, when it makes void what the alarm stands for.
 */
export class Deadline {
  readonly #times: Float64Array
  readonly #place: number

  /** One of several in an array, so that the earliest of all is found in one place; or one of its own. */
  constructor(times: Float64Array = new Float64Array(1), place = 0) {
    this.#times = times
    this.#place = place
    times[place] = NEVER
  }

  get at(): Micros {
    return this.#times[this.#place] as number
  }

  set at(at: Micros) {
    this.#times[this.#place] = at
  }

  // HOT PATH
  lower(at: Micros): void {
    if (at < (this.#times[this.#place] as number)) this.#times[this.#place] = at
  }
}

export interface Context {
  readonly self: PeerId
  /** Ed25519 public key, 32 bytes: the bytes of `self`. */
  readonly selfKey: Uint8Array
  /** The node's signing seed, 32 bytes. */
  readonly selfSeed: Uint8Array
  /** How many times this identity has started: stored before it is used, so it only ever grows. */
  readonly boot: number
  readonly config: NodeConfig
  readonly crypto: Crypto
  readonly dice: Dice
  readonly keys: Keys
  readonly counters: Counters
  readonly out: Outbox
  readonly deadline: Deadline
}

/** Signs with the node key and counts it: signatures are charged to the processor (mesh:S22). */
export function signAs(context: Context, message: Uint8Array): Uint8Array {
  context.counters.add(COUNT.signed)
  return context.crypto.signatures.sign(context.selfSeed, message)
}

/** Verifies and counts; a failure is counted by its reason too. */
export function verifyFrom(
  context: Context,
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  context.counters.add(COUNT.verified)
  const good = context.crypto.signatures.verify(key, message, signature)
  if (!good) context.counters.add(COUNT.dropBadSignature)
  return good
}
