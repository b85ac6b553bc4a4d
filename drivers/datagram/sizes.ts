/**
 * How long datagrams may be on one path: packetization layer path MTU discovery for datagrams (RFC 8899),
 * with sizes of UDP payload. Plain computation: it says which size is to be probed next, and is told whether
 * that was answered. That the path itself is alive is for others to see; of one that is not, nothing follows.
 *
 * A path begins with the longest that there are and with those that every path of IPv6, and of IPv4, carries.
 * The longest of them that is answered is used at once, and what lies between it and the next is searched by
 * halves while data passes. Every ten minutes it is searched anew, for a way may become wider
 * (PMTU_RAISE_TIMER).
 */
import { type Micros, NEVER, SECOND } from '../../core/io.ts'
import { PAYLOAD_FLOOR, PAYLOAD_MAX, PAYLOAD_MIN } from './packet.ts'

/** Of which the first answer begins, the longest first. */
export const FIRST_SIZES = [PAYLOAD_MAX, PAYLOAD_MIN, PAYLOAD_FLOOR] as const
/** Probes of one size before the path counts as too narrow for it (MAX_PROBES of RFC 8899, section 5.1.2). */
export const SIZE_TRIES = 3
/** Closer is close enough. */
const STEP_BYTES = 8
/** RFC 8899, section 5.1.1. */
const RAISE_EVERY: Micros = 600 * SECOND

export class SizeSearch {
  /** What is known to get there; 0 before any. */
  size = 0
  /** When `next` is to be asked. */
  due: Micros = NEVER
  /** The shortest that did not get there. */
  #tooLong = PAYLOAD_MAX + 1
  #probe = 0
  #tries = 0

  /** The path is asked about from the start. */
  reset(): void {
    this.size = 0
    this.#stop()
  }

  /** Data goes by the path, with the size that was found first. */
  begin(now: Micros): void {
    this.#stop()
    if (this.size === PAYLOAD_MAX) return
    this.#tooLong = FIRST_SIZES.findLast((size) => size > this.size) ?? PAYLOAD_MAX
    this.due = now
  }

  /** The size to probe now, to be answered within so long; undefined when nothing is left to be found. */
  next(now: Micros, within: Micros): number | undefined {
    if (this.#tries === SIZE_TRIES) this.#settle(this.size, this.#probe)
    if (this.#tooLong - this.size <= STEP_BYTES) {
      this.#settle(this.size, PAYLOAD_MAX + 1)
      this.due = now + RAISE_EVERY
      return undefined
    }
    if (this.#tries === 0)
      this.#probe = this.#tooLong > PAYLOAD_MAX ? PAYLOAD_MAX : (this.size + this.#tooLong) >> 1
    this.#tries += 1
    this.due = now + within
    return this.#probe
  }

  /** So long a datagram came there. */
  answered(now: Micros, size: number): void {
    if (size <= this.size) return
    this.#settle(size, size < this.#tooLong ? this.#tooLong : PAYLOAD_MAX + 1)
    if (this.due !== NEVER) this.due = size === PAYLOAD_MAX ? NEVER : now
  }

  #settle(size: number, tooLong: number): void {
    this.size = size
    this.#tooLong = tooLong
    this.#tries = 0
  }

  #stop(): void {
    this.#settle(this.size, PAYLOAD_MAX + 1)
    this.due = NEVER
  }
}
