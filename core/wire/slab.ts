/**
 * Where bytes that travel come from. Engines keep only very small arrays with other objects (V8: up to 64
 * bytes); a larger one of its own is asked of the system's allocator and costs 0.3 to 0.6 µs, a view of
 * a slab 0.04.
 */

const SLAB_BYTES = 262_144
/** Larger wishes get memory of their own: they would waste the end of a slab. */
const SLAB_PIECE_MAX = 16_384
/** Not more than this is as cheap as a view, and keeps no slab alive. */
const SMALL_BYTES = 64

/**
 * Fresh zeroed bytes, never handed out twice. Nothing is given back, so there is no lifetime to get wrong;
 * the price is that a view kept for long keeps its slab, so what goes into a table is copied.
 */
export class Slab {
  #bytes = new Uint8Array(0)
  #used = 0

  take(length: number): Uint8Array {
    if (length <= SMALL_BYTES || length > SLAB_PIECE_MAX) return new Uint8Array(length)
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = new Uint8Array(SLAB_BYTES)
      this.#used = 0
    }
    const start = this.#used
    this.#used = start + length
    return this.#bytes.subarray(start, this.#used)
  }
}

/** One slab for all nodes of a thread: one each would cost a simulation of 10,000 nodes 2.6 GB (mesh:M13). */
export const packetSlab = new Slab()

/**
 * Bytes for the time between two calls, one owner's alone: what `take` answers is good until its next call,
 * and holds what the last user left. Views are made when a length is first asked for and then kept.
 */
export class Scratch {
  readonly #bytes: Uint8Array
  readonly #views: (Uint8Array | undefined)[] = []

  /** Longer wishes than `capacity` get bytes of their own. */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity)
  }

  // HOT PATH
  take(length: number): Uint8Array {
    const known = this.#views[length]
    if (known !== undefined) return known
    if (length > this.#bytes.length) return new Uint8Array(length)
    const view = this.#bytes.subarray(0, length)
    this.#views[length] = view
    return view
  }
}
