/**
 * The few keys that a node signs with all the time, prepared once: to make one from its seed computes the
 * public key, as long as signing itself. Only for signing: a key of sealing or agreement that is kept here
 * would outlive the moment at which the protocol erases it, and forward secrecy with it.
 */
import { sameBytes } from '../../core/ids.ts'

/** Node, member and leaf keys of a few VLANs; a guess. */
const KEYS_MAX = 8

interface Kept<Key> {
  readonly seed: Uint8Array
  readonly key: Key
}

export class KeptKeys<Key> {
  readonly #prepare: (seed: Uint8Array) => Key
  readonly #release: (key: Key) => void
  /** The one used last is at the end. */
  readonly #kept: Kept<Key>[] = []

  constructor(prepare: (seed: Uint8Array) => Key, release: (key: Key) => void) {
    this.#prepare = prepare
    this.#release = release
  }

  /** Valid until the next call. */
  of(seed: Uint8Array): Key {
    const kept = this.#kept
    for (let index = kept.length - 1; index >= 0; index--) {
      const found = kept[index] as Kept<Key>
      if (!sameBytes(found.seed, seed)) continue
      if (index < kept.length - 1) kept.push(...kept.splice(index, 1))
      return found.key
    }
    const key = this.#prepare(seed)
    if (kept.length >= KEYS_MAX) this.#forget(kept.shift() as Kept<Key>)
    kept.push({ seed: seed.slice(), key })
    return key
  }

  #forget(kept: Kept<Key>): void {
    kept.seed.fill(0)
    this.#release(kept.key)
  }
}
