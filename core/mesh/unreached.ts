/**
 * Peers that were dialled in vain, so that hearsay does not bring them back at once. Where not everybody
 * reaches everybody (a radio mesh, firewalls, islands) those who reach a peer go on recommending it to
 * those who cannot, and without a memory every shuffle costs the same dials again.
 *
 * Knows keys and times alone. Bounded: the one that was noted longest ago is forgotten.
 */
import { peerIdOf } from '../ids.ts'
import type { Micros, PeerId } from '../io.ts'
import { UNREACHED_FIRST, UNREACHED_LONGEST, UNREACHED_MAX } from './limits.ts'

interface Entry {
  readonly until: Micros
  readonly pause: Micros
}

export class Unreached {
  /** Oldest note first. */
  readonly #entries = new Map<PeerId, Entry>()

  /** The peer was given up; each time it is for twice as long. */
  note(now: Micros, peer: PeerId): void {
    const before = this.#entries.get(peer)
    const pause = before === undefined ? UNREACHED_FIRST : Math.min(UNREACHED_LONGEST, 2 * before.pause)
    this.#entries.delete(peer)
    this.#entries.set(peer, { until: now + pause, pause })
    if (this.#entries.size <= UNREACHED_MAX) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }

  /** Given up not long ago: not worth a place among those that may be dialled. */
  isPaused(now: Micros, key: Uint8Array): boolean {
    return this.#entries.size > 0 && (this.#entries.get(peerIdOf(key))?.until ?? 0) > now
  }

  /** Given up before, and never reached since. */
  has(peer: PeerId): boolean {
    return this.#entries.has(peer)
  }

  /** There is a link to it. */
  forget(peer: PeerId): void {
    this.#entries.delete(peer)
  }

  /** The node's own place in the network changed: nothing of this holds any more. */
  clear(): void {
    this.#entries.clear()
  }
}
