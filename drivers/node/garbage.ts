/**
 * Loading modules leaves some ten megabytes of garbage in each thread. V8 lets it lie while little is
 * allocated, and for ever in a thread that sleeps outside of an event loop.
 */

/** A node that has run so long has started. A guess. */
export const STARTED_MILLIS = 10_000

/** Once after the start; without effect where the program was started without --expose-gc. */
export function collectGarbage(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
