/** The cast of the tests of CRST's rules: two neighbours that lead to a root, and what they usually say. */
import {
  type Actor,
  actor,
  beatOf,
  type Claimed,
  TreeBench,
  type UpdateOptions,
  updateOf,
} from './tree-bench.ts'

export const ROOT = actor(1)
export const ANN = actor(2)
export const BOB = actor(3)
export const EVE = actor(4)
export const FAR = actor(5)

/** Ann hangs directly below a root that outranks the tree under test. */
export const viaAnn: Claimed = { beat: beatOf(ROOT), path: [ROOT, ANN] }
export const viaBob: Claimed = { beat: beatOf(ROOT), path: [ROOT, FAR, BOB] }

export function says(bench: TreeBench, who: Actor, options: UpdateOptions): void {
  bench.from(who, updateOf(options))
}

/** A bench that hangs below Ann, whose cost for it is 20, so that its metric is 40. */
export function belowAnn(): TreeBench {
  const bench = new TreeBench()
  bench.meet(ANN)
  says(bench, ANN, { claimed: viaAnn })
  return bench
}
