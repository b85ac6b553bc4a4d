/**
 * When frames are left with the kernel: while a trunk that they went out on is full. The kernel's queues make
 * senders wait where ours could only lose frames. Knows links and times; that interfaces are not read
 * meanwhile is done by whoever holds it.
 */
import { type LinkId, MILLISECOND, type Micros, NEVER } from '../../core/io.ts'

/** Not for longer, since frames for all other trunks wait behind them. */
export const HOLD_BACK: Micros = 20 * MILLISECOND

export class HoldBack {
  /** Frames of interfaces are being read: packets that are sent now are theirs. */
  reading = false
  /** When waiting ends whatever comes; NEVER while nothing waits. */
  until: Micros = NEVER
  /** Called with true when frames are to wait, and with false when no longer. */
  readonly #changed: (waits: boolean) => void
  /** Links whose data has no room. */
  readonly #full = new Set<LinkId>()
  /** Those that frames of interfaces went out on since they last waited: no other is waited for. */
  readonly #carried = new Set<LinkId>()

  constructor(changed: (waits: boolean) => void) {
    this.#changed = changed
  }

  get waits(): boolean {
    return this.until !== NEVER
  }

  // HOT PATH
  /** A packet of data goes out on a link. */
  sent(link: LinkId): void {
    if (this.reading) this.#carried.add(link)
  }

  /** A link has no room for data any more, or has it again. */
  onReady(now: Micros, link: LinkId, ready: boolean): void {
    if (ready) this.#full.delete(link)
    else if (this.#carried.has(link)) this.#full.add(link)
    if (this.#full.size === 0) this.#letGo()
    else if (!ready && !this.waits) {
      this.until = now + HOLD_BACK
      this.#changed(true)
    }
  }

  onDown(link: LinkId): void {
    this.#full.delete(link)
    this.#carried.delete(link)
    if (this.#full.size === 0) this.#letGo()
  }

  /** The time is over for what is still full. */
  expire(now: Micros): void {
    if (this.until <= now) this.#letGo()
  }

  #letGo(): void {
    if (!this.waits) return
    this.until = NEVER
    this.#full.clear()
    this.#carried.clear()
    this.#changed(false)
  }
}
