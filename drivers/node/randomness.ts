/** A node's randomness: the system's generator, for secrets and for jitter alike. */
import { randomFillSync } from 'node:crypto'
import type { Dice, Keys } from '../../core/dice.ts'

/** Draws of one look at the generator. A system call for each draw would cost more than the draw. */
const DRAWS = 1_024

export const systemKeys: Keys = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
}

/** Not reproducible: forks draw from the same stream, since nobody can tell. */
export class SystemDice implements Dice {
  readonly #draws = new Uint32Array(DRAWS)
  #used = DRAWS

  u32(): number {
    if (this.#used === DRAWS) {
      randomFillSync(this.#draws)
      this.#used = 0
    }
    this.#used += 1
    return this.#draws[this.#used - 1] as number
  }

  fork(_label: string): Dice {
    return this
  }
}
