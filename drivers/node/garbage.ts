/**
 * Loading modules leaves some ten megabytes of garbage in each thread, and so does a time of much traffic. V8
 * lets it lie while little is allocated, and for ever in a thread that sleeps outside of an event loop: here
 * a thread collects it itself when nothing goes on that would have to wait for that.
 */
import { getHeapStatistics } from 'node:v8'

/** How often a thread looks. A guess. */
export const LOOK_MILLIS = 15_000
/** So much more than after the last time is worth some ten milliseconds. A guess. */
const GROWN = 1.15
/** Packets between two looks that are no traffic: HELLOs and beats of a relay with many links. A guess. */
const QUIET_PACKETS = 1_000

export class GarbageMan {
  readonly #heapBytes: () => number
  #packets = 0
  #kept = 0

  /** `heapBytes`: what this thread has for objects now. */
  constructor(heapBytes: () => number = () => getHeapStatistics().total_heap_size) {
    this.#heapBytes = heapBytes
  }

  /** To be called every LOOK_MILLIS, with the packets so far. Collects only where --expose-gc was given. */
  look(packets: number): void {
    const isQuiet = packets - this.#packets < QUIET_PACKETS
    this.#packets = packets
    if (!isQuiet || this.#heapBytes() < GROWN * this.#kept) return
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    this.#kept = this.#heapBytes()
  }
}
