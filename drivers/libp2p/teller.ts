/**
 * Tells a listener, and never inside a call to the carrier (see carrier.ts): libp2p may report at once what
 * a call sets off. What comes up meanwhile is told right after the turn, in order; packets too, as copies.
 */
import type { Channel, Hop, LinkId } from '../../core/io.ts'
import type { TrunkListener } from './carrier.ts'

export class Teller {
  readonly #listener: TrunkListener
  readonly #waiting: ((listener: TrunkListener) => void)[] = []
  #calls = 0
  #silent = false

  constructor(listener: TrunkListener) {
    this.#listener = listener
  }

  /** Around each call to the carrier. */
  enter(): void {
    this.#calls += 1
  }

  leave(): void {
    this.#calls -= 1
  }

  tell(what: (listener: TrunkListener) => void): void {
    if (this.#waiting.push(what) > 1) return
    if (this.#calls > 0) queueMicrotask(() => this.#tellAll())
    else this.#tellAll()
  }

  // HOT PATH
  packet(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    if (this.#calls === 0 && this.#waiting.length === 0) {
      if (!this.#silent) this.#listener.packet(link, channel, hop, bytes)
      return
    }
    const copy = bytes.slice()
    this.tell((listener) => listener.packet(link, channel, hop, copy))
  }

  /** Nothing is told from now on. */
  stop(): void {
    this.#silent = true
    this.#waiting.length = 0
  }

  #tellAll(): void {
    // By index: what is told may bring up more, and each finds those before it still waiting.
    try {
      for (let at = 0; at < this.#waiting.length; at++) {
        if (!this.#silent) this.#waiting[at]?.(this.#listener)
      }
    } finally {
      this.#waiting.length = 0
    }
  }
}
