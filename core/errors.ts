/**
 * The two kinds of mistakes that are thrown. A wrong packet from a peer is neither: it is counted by
 * reason (core/counters.ts) and never reaches a `throw`.
 */

/** The caller is at fault: names the value, the rule and the mend. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** We are at fault. Stays on in production; the simulator adds seed, time and node. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(`This is a fault of PeerTap itself: ${what}`)
}
