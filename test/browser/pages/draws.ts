/** The smallest entry of the browser harness: draws of the core, and what a page must provide. */
import { type Dice, jittered, shuffled } from '../../../core/dice.ts'

/** A linear congruential generator, enough to compare two engines. */
function dice(seed: number): Dice {
  let state = seed >>> 0
  return {
    u32() {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state
    },
    fork: (label) => dice(seed + label.length),
  }
}

export function draws(seed: number, count: number): number[] {
  const source = dice(seed)
  return shuffled(
    source,
    Array.from({ length: count }, () => jittered(source, 1_000_000)),
  )
}

export async function digestLength(bytes: readonly number[]): Promise<number> {
  const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))
  return digest.byteLength
}

export function fail(why: string): never {
  throw new Error(why)
}
