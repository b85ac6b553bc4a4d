/**
 * Every (key, nonce) pair that anybody seals under, over a whole run: the same pair for another text would
 * give both texts away. The same text again is the same packet again, as when a door repeats its answer.
 */
import type { Aead } from '../../core/crypto/ports.ts'
import { fingerprint } from '../../core/wire/fingerprint.ts'

/** Pairs that are watched; a run that seals more says so. */
const PAIRS_MAX = 6_000_000

export class Nonces {
  repeats = 0
  unwatched = 0
  readonly #pairs = new Map<number, number>()
  readonly #scratch = new Uint8Array(64)

  /** The port, watched. */
  watch(aead: Aead): Aead {
    return {
      ...aead,
      seal: (key, nonce, header, plain, out) => {
        aead.seal(key, nonce, header, plain, out)
        this.#note(key, nonce, out)
      },
    }
  }

  #note(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): void {
    const both = this.#scratch.subarray(0, key.length + nonce.length)
    both.set(key)
    both.set(nonce, key.length)
    const low = fingerprint(both) >>> 0
    both.reverse()
    const pair = (fingerprint(both) >>> 11) * 4_294_967_296 + low
    const text = fingerprint(sealed)
    const known = this.#pairs.get(pair)
    if (known !== undefined) this.repeats += known === text ? 0 : 1
    else if (this.#pairs.size < PAIRS_MAX) this.#pairs.set(pair, text)
    else this.unwatched += 1
  }
}
