/**
 * From the index in a packet's nonce to the key that opens it (sec:A4, M1): one look-up, buckets of at most
 * four, no trial beyond. Knows keys and their windows, nothing of packets. One table for each epoch.
 */
import { REPLAY_NOTHING_HEARD, ReplayWindow } from '../vlan/replay.ts'
import type { DataKey } from './derive.ts'
import { BUCKET_MAX, FAILURES_MAX, KEYS_MAX } from './limits.ts'
import type { Life, ReceiveSession } from './peers.ts'

export class ReceiveKey {
  readonly data: DataKey
  /** Who seals under it; undefined for this member itself, whose packets are not for it. */
  readonly life: Life | undefined
  /** The session whose key it is; undefined for a group key, under which everything is signed. */
  readonly session: ReceiveSession | undefined
  /** Of a group key: how many successors its boot is behind the first. */
  readonly generation: number
  /** Asked before a packet is opened, marked after everything else. */
  readonly window: ReplayWindow
  /** The next of its bucket. */
  next: ReceiveKey | undefined = undefined
  #failures = 0

  /** `floor`: the lowest counter that is taken. */
  constructor(
    data: DataKey,
    life: Life | undefined,
    session: ReceiveSession | undefined,
    generation = 0,
    floor = 0,
  ) {
    this.data = data
    this.life = life
    this.session = session
    this.generation = generation
    this.window = new ReplayWindow(floor, REPLAY_NOTHING_HEARD)
  }

  /** Counts an opening that failed; true if the key has seen too many (sec:S4). */
  failed(): boolean {
    this.#failures += 1
    return this.#failures >= FAILURES_MAX
  }
}

export class KeyTable {
  readonly #buckets = new Map<number, ReceiveKey>()
  #size = 0

  get size(): number {
    return this.#size
  }

  // HOT PATH
  /** The first of the keys with that index; the others hang on it by `next`. */
  find(index: number): ReceiveKey | undefined {
    return this.#buckets.get(index)
  }

  /** False if the bucket or the table is full. First come stays: nobody can push another's key out. */
  add(key: ReceiveKey): boolean {
    if (this.#size >= KEYS_MAX) return false
    let last = this.#buckets.get(key.data.index)
    if (last === undefined) this.#buckets.set(key.data.index, key)
    else {
      for (let count = 1; last.next !== undefined; count++) {
        if (count >= BUCKET_MAX - 1) return false
        last = last.next
      }
      last.next = key
    }
    this.#size += 1
    return true
  }

  /** Takes out and erases the keys for which `goes` is true. */
  remove(goes: (key: ReceiveKey) => boolean): void {
    for (const [index, first] of this.#buckets) {
      let kept: ReceiveKey | undefined
      let last: ReceiveKey | undefined
      for (let key: ReceiveKey | undefined = first; key !== undefined; ) {
        const next: ReceiveKey | undefined = key.next
        key.next = undefined
        if (goes(key)) {
          key.data.key.fill(0)
          this.#size -= 1
        } else {
          if (last === undefined) kept = key
          else last.next = key
          last = key
        }
        key = next
      }
      if (kept === undefined) this.#buckets.delete(index)
      else if (kept !== first) this.#buckets.set(index, kept)
    }
  }

  erase(): void {
    this.remove(() => true)
  }
}
