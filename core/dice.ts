/**
 * Draws for jitter and sampling, made from the one source of randomness a node is given. Never for
 * secrets: those come from `Keys`.
 */
import type { Micros } from './io.ts'

/** Reproducible draws. A fork has its own stream, so one part's draws never shift another's. */
export interface Dice {
  /** Uniform over 0 … 2^32 − 1. */
  u32(): number
  fork(label: string): Dice
}

/** Secrets: the system's generator in production, a seeded stream in the simulator. */
export interface Keys {
  bytes(length: number): Uint8Array
}

const TWO_TO_32 = 4_294_967_296

/** Uniform over 0 … bound − 1; the bias of at most bound / 2^32 does not matter for jitter. */
export function below(dice: Dice, bound: number): number {
  return Math.floor((dice.u32() / TWO_TO_32) * bound)
}

/** Uniform in [0, 1). */
export function unit(dice: Dice): number {
  return dice.u32() / TWO_TO_32
}

/** A period jittered by ±10 % (mesh text (c)). */
export function jittered(dice: Dice, period: Micros): Micros {
  return Math.round(period * (0.9 + 0.2 * unit(dice)))
}

/** A wait of that length on average, from half of it to half as much again, for what many do at once. */
export function spread(dice: Dice, period: Micros): Micros {
  return Math.round(period * (0.5 + unit(dice)))
}

/** Fisher–Yates over a copy; the input order must itself be deterministic. */
export function shuffled<T>(dice: Dice, items: readonly T[]): T[] {
  const result = items.slice()
  for (let last = result.length - 1; last > 0; last--) {
    const other = below(dice, last + 1)
    const held = result[last] as T
    result[last] = result[other] as T
    result[other] = held
  }
  return result
}
