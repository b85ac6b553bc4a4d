/**
 * All randomness of a simulated world, as streams that are named and spring from one seed.
 *
 * What a stream yields depends on the seed and its own name alone. So a further node, link or draw
 * shifts nobody else's draws, and two runs that differ in one thing can be compared (common random
 * numbers). Names are paths: `net/3-7`, `churn/12`, `node/5/links`; a fork appends one more part.
 *
 * The generator is Baagøe's Alea as seedrandom has it: multiply with carry on three 32-bit words,
 * period about 2^116, exact in doubles and therefore the same in every engine. seedrandom seeds it;
 * the four numbers of its state then live in shared typed arrays and are stepped here, because its own
 * object of closures takes 440 bytes and three times as long per draw when there are many of them
 * (seedrandom's default generator: 3.6 kB and 24 µs a stream).
 */
import alea from 'seedrandom/lib/alea.js'
import type { Dice, Keys } from '../core/dice.ts'
import { UsageError } from '../core/errors.ts'
import { normalQuantile } from './math.ts'

const TWO_TO_32 = 4_294_967_296
const TWO_TO_MINUS_32 = 1 / TWO_TO_32
/** Alea's multiplier; the carry stays below it. */
const MULTIPLIER = 2_091_639

/** Numbers of a state: three words as fractions, and the carry. */
const STATE = 4
/** States per array: few, so that one long-lived stream does not keep many dead ones in memory. */
const CHUNK = 64
const UNSEEDED = -1
const NO_STATES = new Float64Array(0)

/** One stream. Seeded at its first draw, so that a stream nobody draws from costs its name only. */
export class Random implements Dice {
  /** Its path, without the seed. */
  readonly name: string
  readonly #streams: Streams
  #states: Float64Array = NO_STATES
  #at = UNSEEDED

  constructor(streams: Streams, name: string) {
    this.#streams = streams
    this.name = name
  }

  // HOT PATH
  /** Uniform over 0 … 2^32 − 1. */
  u32(): number {
    if (this.#at === UNSEEDED) this.#seed()
    const states = this.#states
    const at = this.#at
    const step = MULTIPLIER * (states[at] as number) + (states[at + 3] as number) * TWO_TO_MINUS_32
    const carry = step | 0
    const word = step - carry
    states[at] = states[at + 1] as number
    states[at + 1] = states[at + 2] as number
    states[at + 2] = word
    states[at + 3] = carry
    return word * TWO_TO_32
  }

  /** Uniform in [0, 1), all multiples of 2^-53; takes two draws. */
  unit(): number {
    const high = this.u32() >>> 5
    return (high * 67_108_864 + (this.u32() >>> 6)) / 9_007_199_254_740_992
  }

  /** Uniform over 0 … bound − 1, bound an integer of 1 … 2^32; one draw, bias at most bound / 2^32. */
  below(bound: number): number {
    return Math.floor(this.u32() * TWO_TO_MINUS_32 * bound)
  }

  /** True with this probability; one draw. */
  chance(probability: number): boolean {
    return this.u32() * TWO_TO_MINUS_32 < probability
  }

  /** Standard normal, |z| at most 6.4; one draw whatever comes out, so that streams stay in step. */
  normal(): number {
    return normalQuantile((this.u32() + 0.5) * TWO_TO_MINUS_32)
  }

  /** The stream of that name below this one's. Forking twice by one name gives equal draws twice. */
  fork(label: string): Random {
    return this.#streams.stream(`${this.name}/${label}`)
  }

  #seed(): void {
    const { states, at } = this.#streams.place()
    const { s0, s1, s2, c } = alea(`${this.#streams.seed}/${this.name}`, { state: true }).state()
    states[at] = s0
    states[at + 1] = s1
    states[at + 2] = s2
    states[at + 3] = c
    this.#states = states
    this.#at = at
  }
}

export class Streams {
  readonly seed: string
  #chunk: Float64Array = NO_STATES
  #used = 0

  /** `seed`: any text or safe integer; a number and its decimal text are the same seed. */
  constructor(seed: string | number) {
    if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
      throw new UsageError(`seed: ${seed} is not a safe integer; give an integer or a text`)
    }
    this.seed = String(seed)
  }

  /** A stream at its beginning. Asking twice for one name gives two streams of equal draws. */
  stream(name: string): Random {
    return new Random(this, name)
  }

  /** Room for one more state; for `Random` alone. */
  place(): { states: Float64Array; at: number } {
    if (this.#used === this.#chunk.length) {
      this.#chunk = new Float64Array(CHUNK * STATE)
      this.#used = 0
    }
    const at = this.#used
    this.#used += STATE
    return { states: this.#chunk, at }
  }
}

/** Simulated secrets: reproducible, so worth nothing outside a simulation. Four bytes a draw. */
export function keysFrom(random: Random): Keys {
  return {
    bytes(length) {
      const result = new Uint8Array(length)
      let word = 0
      for (let index = 0; index < length; index++) {
        word = index % 4 === 0 ? random.u32() : word >>> 8
        result[index] = word & 255
      }
      return result
    },
  }
}
