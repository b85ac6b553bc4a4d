/**
 * Limits on what one link may make a relay do (mesh:S6): copies and bits of fan-out for a VLAN and the
 * link its packets come from, and packets of a VLAN from a lower that has not registered it. Relays are
 * blind, so a storm and a video look alike: what is bounded is the multiplication, not the traffic.
 */
import type { NodeConfig } from '../config.ts'
import { type Micros, SECOND } from '../io.ts'

/**
 * Packets a second from a lower without a registration. Data may overtake the registration it belongs
 * to by a round trip, or come late after it was moved away; more is injected by an outsider. Guess.
 */
const STRAYS_PER_SECOND = 64

/** Fills with `rate` per second up to the burst; starts full. Amounts are counts of any unit. */
export class Bucket {
  #level: number
  #at: Micros
  readonly #rate: number
  readonly #burst: number

  constructor(now: Micros, rate: number, burst: number = rate) {
    this.#rate = rate
    this.#burst = burst
    this.#level = burst
    this.#at = now
  }

  // HOT PATH
  /** Takes the amount if it is there. */
  take(now: Micros, amount: number): boolean {
    const level = Math.min(this.#burst, this.#level + ((now - this.#at) * this.#rate) / SECOND)
    this.#at = now
    if (level < amount) {
      this.#level = level
      return false
    }
    this.#level = level - amount
    return true
  }

  /** Takes the amount for what is done in any case: the level may fall below zero, and is made up first. */
  charge(now: Micros, amount: number): void {
    this.#level = Math.min(this.#burst, this.#level + ((now - this.#at) * this.#rate) / SECOND) - amount
    this.#at = now
  }

  /** When so much will be there at the earliest. */
  readyAt(now: Micros, amount: number): Micros {
    const level = Math.min(this.#burst, this.#level + ((now - this.#at) * this.#rate) / SECOND)
    return level >= amount ? now : now + Math.ceil(((amount - level) * SECOND) / this.#rate)
  }
}

/**
 * So much of one kind of work for a step, which bounds its effects (mesh:M15). A step has one time, so
 * what is counted for each time is never too much for a step.
 */
export class Ration {
  #left = 0
  #at: Micros = -1
  readonly #size: number

  constructor(size: number) {
    this.#size = size
  }

  take(now: Micros): boolean {
    if (now !== this.#at) {
      this.#at = now
      this.#left = this.#size
    }
    if (this.#left === 0) return false
    this.#left -= 1
    return true
  }
}

/** Of one VLAN and one ingress link; made when the link first fans out or strays. */
export class Meter {
  readonly #copies: Bucket
  readonly #bits: Bucket
  readonly #strays: Bucket

  constructor(now: Micros, config: NodeConfig) {
    this.#copies = new Bucket(now, config.stormPackets)
    this.#bits = new Bucket(now, config.stormBits)
    this.#strays = new Bucket(now, STRAYS_PER_SECOND)
  }

  // HOT PATH
  /** Whether one packet of so many bytes may leave in so many copies. */
  fanOut(now: Micros, copies: number, bytes: number): boolean {
    // Copies first: a packet refused for its bits has used its share of copies, which errs to safety.
    return this.#copies.take(now, copies) && this.#bits.take(now, copies * bytes * 8)
  }

  // HOT PATH
  stray(now: Micros): boolean {
    return this.#strays.take(now, 1)
  }
}
