/**
 * Time between machines whose clocks nobody set together (sec:A11, M15): when a packet is late, when this
 * machine was copied or put to sleep, and when a card proves that it was made after this member's start.
 * Knows numbers only.
 */
import { MILLISECOND, type Micros } from '../io.ts'

/** A packet this much later than the quickest of its sender is refused (sec:A11). */
const LATE_MILLIS = 30_000
/** Largest difference of two members' wall clocks that first contact trusts (sec:A11). */
const WALL_MILLIS = 120_000
/** Wall and monotonic clock that part by more: a copy of the machine, a long sleep, a clock set (sec:A2). */
const JUMP_MILLIS = 5_000
/** One part in 2,000: the fastest that NTP slews a clock (adjtime), ten times what crystals err by. */
const DRIFT_DIVISOR = 2_000

/** The machine's wall clock: milliseconds since 1970, 0 while it is not set. */
export interface WallClock {
  millis(): number
}

/** Whole milliseconds of a monotonic time. */
export function millisOf(now: Micros): number {
  return Math.floor(now / MILLISECOND)
}

/**
 * How far one sender's milliseconds are behind ours at the least. Beyond sec:A11: the least is let grow by
 * one part in 2,000. Two clocks that err by 100 parts in a million part by 30 s in three days and a half,
 * after which a fixed least would call everything late for ever.
 */
export class Offset {
  #least = 0
  #at = -1

  // HOT PATH
  isLate(nowMillis: number, sentMillis: number): boolean {
    if (this.#at < 0) return false
    return nowMillis - sentMillis > this.#leastBy(nowMillis) + LATE_MILLIS
  }

  // HOT PATH
  /** Takes note of a packet that was verified. */
  note(nowMillis: number, sentMillis: number): void {
    const offset = nowMillis - sentMillis
    this.#least = this.#at < 0 ? offset : Math.min(offset, this.#leastBy(nowMillis))
    this.#at = nowMillis
  }

  #leastBy(nowMillis: number): number {
    return this.#least + (nowMillis - this.#at) / DRIFT_DIVISOR
  }
}

/** Tells when wall and monotonic clock have parted since it was last asked. */
export class WallWatch {
  readonly #wall: WallClock
  #difference = 0
  #known = false

  constructor(wall: WallClock) {
    this.#wall = wall
  }

  // HOT PATH
  /** True once for each jump. A clock that is set for the first time has not jumped. */
  jumped(now: Micros): boolean {
    const wallMillis = this.#wall.millis()
    if (wallMillis === 0) return false
    const difference = wallMillis - now / MILLISECOND
    const parted = this.#known && Math.abs(difference - this.#difference) > JUMP_MILLIS
    // Followed step by step, so that slewing over days is no jump.
    this.#difference = difference
    this.#known = true
    return parted
  }
}

/**
 * Whether a card of this wall time is proof enough, without a challenge, that what it says was so after
 * this member's start. Three conditions; sec:A11 has the first alone, which lets a replayed card of the last
 * two minutes open the window to frames that the member took in before it restarted:
 *
 * - the two wall clocks differ by at most 120 s;
 * - the card is younger than this member's start even if they differ by all of that;
 * - it is newer than every card of that member so far, so that no left boot comes back.
 */
export function isFreshCard(
  cardMillis: number,
  ownMillis: number,
  uptimeMillis: number,
  lastMillis: number,
): boolean {
  if (ownMillis === 0) return false
  const age = ownMillis - cardMillis
  return Math.abs(age) <= WALL_MILLIS && uptimeMillis - age > WALL_MILLIS && cardMillis > lastMillis
}
