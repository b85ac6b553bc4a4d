/** How whatever is played keeps time: a run, a recording, two runs in step. It is told the time. */

/** Where a play should be by now. Walls are milliseconds of a clock, moments seconds of what is played. */
export class Pace {
  #wall = 0
  #at = 0

  /** It is at that moment now. */
  anchor(wall: number, at: number): void {
    this.#wall = wall
    this.#at = at
  }

  /** `speed`: played seconds a second. */
  due(wall: number, speed: number): number {
    return this.#at + ((wall - this.#wall) / 1_000) * speed
  }
}

/** Between which bounds a step stays, and which costs make the next one longer or shorter. */
export interface StepRange {
  readonly least: number
  readonly most: number
  readonly cheapMillis: number
  readonly dearMillis: number
}

/** The step after one that has cost so much. */
export function nextStep(step: number, millis: number, range: StepRange): number {
  if (millis < range.cheapMillis) return Math.min(range.most, step * 2)
  return millis > range.dearMillis ? Math.max(range.least, step / 2) : step
}
