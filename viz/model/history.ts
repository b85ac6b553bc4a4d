/** What has happened so far, for timeline and curves. Bounded: the longest run keeps what it can show. */
import type { Happening, Sample } from '../source/source.ts'

/** The newest are kept. */
const HAPPENINGS_MAX = 5_000
/** More than any screen has columns; beyond, every second one goes. */
const SAMPLES_MAX = 8_192

export class History {
  readonly happenings: Happening[] = []
  /** Happenings that were dropped from the beginning. */
  dropped = 0
  samples: Sample[] = []
  /** One of so many seconds is kept. */
  every = 1
  #seconds = 0

  add(happenings: readonly Happening[], samples: readonly Sample[]): void {
    for (const happening of happenings) this.happenings.push(happening)
    const excess = this.happenings.length - HAPPENINGS_MAX
    if (excess > 0) {
      this.happenings.splice(0, excess)
      this.dropped += excess
    }
    for (const sample of samples) {
      if (this.#seconds++ % this.every !== 0) continue
      this.samples.push(sample)
      if (this.samples.length < SAMPLES_MAX) continue
      this.samples = this.samples.filter((_, index) => index % 2 === 0)
      this.every *= 2
    }
  }
}
