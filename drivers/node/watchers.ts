/** Things that happen in a node, for those who watch: each gets what comes from when it began to watch on. */

/** Watchers at once. Guess. */
const WATCHERS_MAX = 32

export class Watchers<T> {
  readonly #watchers = new Set<(item: T) => void>()

  get isEmpty(): boolean {
    return this.#watchers.size === 0
  }

  /** Undefined if there are too many; else ends it. */
  add(watch: (item: T) => void): (() => void) | undefined {
    if (this.#watchers.size >= WATCHERS_MAX) return undefined
    this.#watchers.add(watch)
    return () => {
      this.#watchers.delete(watch)
    }
  }

  tell(item: T): void {
    for (const watch of [...this.#watchers]) watch(item)
  }
}
