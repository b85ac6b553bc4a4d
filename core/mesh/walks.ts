/**
 * The way back of walks that passed here: which link a walk came from and which it went to. An answer is
 * passed on only if it comes from where the walk went, and once.
 */
import type { LinkId, Micros } from '../io.ts'
import { WALK_LIFE, WALKS_MAX } from './limits.ts'

/** The walk began here. */
const HERE = -1

interface Walk {
  readonly id: number
  readonly back: LinkId | typeof HERE
  readonly forth: LinkId
  readonly until: Micros
}

export type WayBack =
  | { readonly kind: 'here' }
  | { readonly kind: 'link'; readonly link: LinkId }
  /** Never seen, answered already, forgotten, or from the wrong link. */
  | { readonly kind: 'unknown' }

export class Walks {
  // Oldest first, so what is to be forgotten is at the front.
  readonly #walks: Walk[] = []

  /**
   * Remembers a walk that goes on to `forth`; `back` is undefined if it began here. False if another had to
   * be forgotten for it.
   */
  add(now: Micros, id: number, back: LinkId | undefined, forth: LinkId): boolean {
    while (this.#walks.length > 0 && (this.#walks[0] as Walk).until <= now) this.#walks.shift()
    this.#walks.push({ id, back: back ?? HERE, forth, until: now + WALK_LIFE })
    if (this.#walks.length <= WALKS_MAX) return true
    this.#walks.shift()
    return false
  }

  /** Where an answer that came from `from` belongs. The walk is forgotten. */
  take(now: Micros, id: number, from: LinkId): WayBack {
    const index = this.#walks.findIndex((walk) => walk.id === id && walk.forth === from && walk.until > now)
    if (index < 0) return { kind: 'unknown' }
    const { back } = this.#walks[index] as Walk
    this.#walks.splice(index, 1)
    return back === HERE ? { kind: 'here' } : { kind: 'link', link: back }
  }
}
