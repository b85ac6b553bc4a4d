/** Draws for tests of sealing: repeatable, and good enough for jitter and loss. */
import type { Dice } from '../../core/dice.ts'

/** Mulberry32, a generator of 32 bits of state. */
export function streamDice(seed: number): Dice {
  let state = seed >>> 0
  return {
    u32: () => {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
      return (mixed ^ (mixed >>> 14)) >>> 0
    },
    fork: (label) => streamDice(seed * 31 + [...label].reduce((sum, c) => sum * 7 + c.charCodeAt(0), 7)),
  }
}
