/** The system's clocks, read without a BigInt. Knows no more of time than where it is to be had. */
import { assert } from '../../core/errors.ts'
import type { Libc } from './libc.ts'

// linux/time.h
const CLOCK_MONOTONIC = 1
const CLOCK_BOOTTIME = 7
/** struct timespec of a 64-bit system: seconds and nanoseconds, 8 bytes each. */
const TIMESPEC_BYTES = 16
/** Nobody has been up for 136 years: the low word holds all of the seconds. */
const SECONDS_AT = 0
const NANOS_AT = 2

const MICROS_PER_SECOND = 1_000_000
const NANOS_PER_MICRO = 1_000

export interface Clock {
  /** Integer microseconds since some moment; stands still while the machine is suspended. 60 ns. */
  monotonicMicros(): number
  /**
   * How long the machine has been suspended since it started, in microseconds. Two answers differ by the
   * time that it slept between them, and by less than a millisecond if it did not.
   */
  suspendedMicros(): number
}

/** Sources: clock_gettime(2). For one thread; all threads agree on the time. */
export function createClock(libc: Libc): Clock {
  const { bytes, address } = libc.pin(TIMESPEC_BYTES)
  const words = new Uint32Array(bytes.buffer, 0, TIMESPEC_BYTES / 4)

  // HOT PATH
  function read(clock: number): number {
    const worked = libc.clock_gettime(clock, address) === 0
    if (!worked) assert(false, `there is no clock ${clock}`)
    const micros = Math.floor((words[NANOS_AT] as number) / NANOS_PER_MICRO)
    return (words[SECONDS_AT] as number) * MICROS_PER_SECOND + micros
  }

  return {
    monotonicMicros: () => read(CLOCK_MONOTONIC),
    suspendedMicros: () => Math.max(0, read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC)),
  }
}
