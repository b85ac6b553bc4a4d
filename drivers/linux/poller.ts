/**
 * Waiting for descriptors with a precision of microseconds: ppoll(2). Knows descriptors and what happened
 * at them, not what they are. A thread that waits here runs no JavaScript meanwhile, and neither
 * `terminate()` nor the end of the process gets at it: ring a Doorbell among the descriptors.
 */
import { assert } from '../../core/errors.ts'
import { ERRNO, errnoName, type Libc, type Pinned } from './libc.ts'

/** asm-generic/poll.h. The last three need not be asked for. */
export const POLL = { readable: 1, writable: 4, error: 8, hungUp: 16, invalid: 32 } as const

/** struct pollfd: the descriptor (4 bytes), the events asked for (2) and those that were (2). */
const ENTRY_BYTES = 8
const EVENTS_AT = 4
const HAPPENED_AT = 6
/** struct timespec of a 64-bit system; the upper words stay zero. */
const TIMESPEC_BYTES = 16
const NANOS_AT = 8
/** Far more than interfaces, sockets and bells of one thread; it grows beyond. */
const CAPACITY_FIRST = 16

const MICROS_PER_SECOND = 1_000_000
const NANOS_PER_MICRO = 1_000
/** A longer wait ends early, as a wait may: the caller looks at its deadline anyway. */
const WAIT_MICROS_MAX = 3_600 * MICROS_PER_SECOND

export class Poller {
  readonly #libc: Libc
  readonly #timeout: Pinned
  #entries: Pinned
  #capacity = CAPACITY_FIRST
  #count = 0
  /** Places of the entries that are ready, in their order. */
  #ready = new Int32Array(CAPACITY_FIRST)

  constructor(libc: Libc) {
    this.#libc = libc
    this.#timeout = libc.pin(TIMESPEC_BYTES)
    this.#entries = libc.pin(CAPACITY_FIRST * ENTRY_BYTES)
  }

  /** How many descriptors are waited for. */
  get size(): number {
    return this.#count
  }

  /** Waits for these events (bits of `POLL`) of the descriptor from now on, and for no others of it. */
  add(fd: number, events: number = POLL.readable): void {
    assert(Number.isInteger(fd) && fd >= 0, `${fd} is no descriptor to wait for`)
    const known = this.#placeOf(fd)
    const at = (known < 0 ? this.#count : known) * ENTRY_BYTES
    if (known < 0) {
      if (this.#count === this.#capacity) this.#grow()
      this.#count += 1
    }
    const { view } = this.#entries
    view.setInt32(at, fd, true)
    view.setInt16(at + EVENTS_AT, events, true)
  }

  /**
   * No longer waits for it. To be called before it is closed, and when its device is gone: that would be
   * ready for ever. What `wait` found is void afterwards. Unknown descriptors do no harm.
   */
  remove(fd: number): void {
    const place = this.#placeOf(fd)
    if (place < 0) return
    const from = (place + 1) * ENTRY_BYTES
    this.#entries.bytes.copyWithin(place * ENTRY_BYTES, from, this.#count * ENTRY_BYTES)
    this.#count -= 1
  }

  // HOT PATH
  /**
   * How many descriptors are ready, after at most so many microseconds: zero or less only looks. May be
   * early, with nothing ready. Allocates nothing; 2.1 µs with something ready, of which the kernel takes 2.
   */
  wait(timeoutMicros: number): number {
    const micros = Math.min(Math.max(0, Math.ceil(timeoutMicros)), WAIT_MICROS_MAX)
    const seconds = Math.floor(micros / MICROS_PER_SECOND)
    const { view } = this.#timeout
    view.setUint32(0, seconds, true)
    view.setUint32(NANOS_AT, (micros - seconds * MICROS_PER_SECOND) * NANOS_PER_MICRO, true)
    const found = this.#libc.ppoll(this.#entries.address, this.#count, this.#timeout.address, null)
    if (found > 0) this.#collect()
    else if (found < 0) this.#failed()
    return found < 0 ? 0 : found
  }

  // HOT PATH
  /** The descriptor of the `index`-th that the last `wait` found ready, in the order of their adding. */
  fdAt(index: number): number {
    return this.#entries.view.getInt32((this.#ready[index] as number) * ENTRY_BYTES, true)
  }

  // HOT PATH
  /** What happened there: bits of `POLL`. */
  eventsAt(index: number): number {
    return this.#entries.view.getInt16((this.#ready[index] as number) * ENTRY_BYTES + HAPPENED_AT, true)
  }

  // HOT PATH
  #collect(): void {
    const { view } = this.#entries
    let found = 0
    for (let place = 0; place < this.#count; place++) {
      if (view.getInt16(place * ENTRY_BYTES + HAPPENED_AT, true) !== 0) this.#ready[found++] = place
    }
  }

  #failed(): void {
    const errno = this.#libc.errno()
    // A signal arrived: what it was for is someone else's business, and the caller looks at the time again.
    assert(errno === ERRNO.EINTR, `ppoll of ${this.#count} descriptors failed: ${errnoName(errno)}`)
  }

  #placeOf(fd: number): number {
    for (let place = 0; place < this.#count; place++) {
      if (this.#entries.view.getInt32(place * ENTRY_BYTES, true) === fd) return place
    }
    return -1
  }

  #grow(): void {
    this.#capacity *= 2
    const larger = this.#libc.pin(this.#capacity * ENTRY_BYTES)
    larger.bytes.set(this.#entries.bytes)
    this.#entries = larger
    this.#ready = new Int32Array(this.#capacity)
  }
}
