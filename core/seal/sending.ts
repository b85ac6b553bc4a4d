/**
 * A key that this member seals under, with its counter and what it may still seal (sec:A10). The only place
 * where counters of data keys are given out: each once.
 */
import { assert } from '../errors.ts'
import type { Micros } from '../io.ts'
import type { DataKey } from './derive.ts'
import { EXTRA_BLOCKS, type KeyLimits } from './limits.ts'

const BLOCK_BYTES = 16

export class SendKey {
  readonly data: DataKey
  readonly #since: Micros
  readonly #limits: KeyLimits
  #counter = 0
  #blocks = 0

  constructor(now: Micros, data: DataKey, limits: KeyLimits) {
    this.data = data
    this.#since = now
    this.#limits = limits
  }

  /** The counter of the next packet. */
  get counter(): number {
    return this.#counter
  }

  // HOT PATH
  /** Gives out a counter for a plaintext of so many bytes. The caller has asked `hasRoom`. */
  take(plainBytes: number): number {
    assert(this.#counter < this.#limits.packets, 'a retired key was to seal')
    this.#blocks += textBlocks(plainBytes) + EXTRA_BLOCKS
    return this.#counter++
  }

  // HOT PATH
  /** Whether so many packets with plaintexts of so many bytes together can still be sealed. */
  hasRoom(now: Micros, packets: number, plainBytes: number): boolean {
    return (
      this.#counter + packets <= this.#limits.packets &&
      this.#blocks + textBlocks(plainBytes) + packets * EXTRA_BLOCKS <= this.#limits.blocks &&
      now - this.#since < this.#limits.age
    )
  }

  // HOT PATH
  /** Whether half of it is used up: time to have another. */
  isHalfSpent(now: Micros): boolean {
    const { packets, blocks, age } = this.#limits
    return this.#counter * 2 >= packets || this.#blocks * 2 >= blocks || (now - this.#since) * 2 >= age
  }

  erase(): void {
    this.data.key.fill(0)
  }
}

function textBlocks(plainBytes: number): number {
  return Math.ceil(plainBytes / BLOCK_BYTES)
}
