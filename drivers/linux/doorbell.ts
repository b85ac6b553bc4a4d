/** A bell that wakes a thread out of its Poller: eventfd(2). Carries no message, only that there is one. */
import { type Libc, type Pinned, refuse } from './libc.ts'

// linux/eventfd.h; the same numbers as O_NONBLOCK and O_CLOEXEC of asm-generic/fcntl.h.
const EFD_NONBLOCK = 0o4000
const EFD_CLOEXEC = 0o2000000
/** An eventfd counts in 8 bytes. */
const COUNT_BYTES = 8

/**
 * One bell may have several Doorbells, one in each thread that rings it: the number of the descriptor is
 * all that they share. Who made it closes it, after all others have stopped ringing.
 */
export class Doorbell {
  readonly fd: number
  readonly #libc: Libc
  /** Held here, for an address alone keeps no memory alive. */
  readonly #memory: Pinned
  readonly #one: bigint
  readonly #count: bigint
  #open = true

  /** A new bell, or a hand on one that another thread made. A UsageError if no more files may be open. */
  constructor(libc: Libc, fd?: number) {
    this.#libc = libc
    this.fd = fd ?? libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    if (this.fd < 0) refuse('make an eventfd', libc.errno())
    this.#memory = libc.pin(2 * COUNT_BYTES)
    this.#memory.bytes[0] = 1
    this.#one = this.#memory.address
    this.#count = this.#memory.address + BigInt(COUNT_BYTES)
  }

  // HOT PATH
  /** The descriptor is readable from now on. Any number of rings is one; never waits. 2 µs. */
  ring(): void {
    if (!this.#open) return
    // Full after 2^64 − 2 rings, and then it is readable anyway.
    this.#libc.write(this.fd, this.#one, COUNT_BYTES)
  }

  // HOT PATH
  /** To be called before looking at what was rung for, never after. True if it had been rung. */
  clear(): boolean {
    return this.#open && this.#libc.read(this.fd, this.#count, COUNT_BYTES) === COUNT_BYTES
  }

  /** Twice does no harm; a closed bell does not ring. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#libc.close(this.fd)
  }
}
