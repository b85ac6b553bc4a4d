/**
 * The keys of a trunk's datagrams in time (sec:S11, S4): which one seals, which ones open, when the next has
 * to come, and when old ones are erased. Knows no addresses and sends nothing.
 *
 * The end that dialled asks for keys and seals with them as soon as they are agreed on, for the other end has
 * had them before it answered. That one seals with them as soon as a datagram under them has come, for then
 * the first has them too, or after 10 s, when the first has erased the old ones. Until then, and for 10 s
 * more, the old keys open what is still on its way: no datagram is lost.
 */
import { assert } from '../../core/errors.ts'
import { type Micros, NEVER, SECOND } from '../../core/io.ts'
import { FAILURES_MAX, KEY_LIMITS as SEAL_LIMITS } from '../../core/seal/limits.ts'
import { REPLAY_NOTHING_HEARD, ReplayWindow } from '../../core/vlan/replay.ts'

const COUNTERS = 0x1_0000_0000
/** Less what may be on its way into one packet's pieces: no counter ever comes twice. */
const PACKETS_MAX = COUNTERS - 256
const BLOCK_BYTES = 16
/** sec:S11. */
const OLD_KEPT: Micros = 10 * SECOND

export interface KeyLimits {
  readonly packets: number
  readonly blocks: number
  readonly age: Micros
}
/** sec:S4, as for all keys; the next is prepared at half of it. */
export const KEY_LIMITS: KeyLimits = { ...SEAL_LIMITS, packets: PACKETS_MAX }

export class KeySet {
  /** By which the peer names this set, and by which we name it to the peer. */
  readonly receiveIndex: number
  readonly sendIndex: number
  readonly sealKey: Uint8Array
  readonly openKey: Uint8Array
  readonly window = new ReplayWindow(0, REPLAY_NOTHING_HEARD)
  /** The counter that is sent next, and the highest that came; −1 before any. */
  counter = 0
  highest = -1
  blocks = 0
  failed = 0
  readonly since: Micros
  /** Erased then. */
  until: Micros = NEVER

  constructor(
    receiveIndex: number,
    sendIndex: number,
    sealKey: Uint8Array,
    openKey: Uint8Array,
    since: Micros,
  ) {
    this.receiveIndex = receiveIndex
    this.sendIndex = sendIndex
    this.sealKey = sealKey
    this.openKey = openKey
    this.since = since
  }

  // HOT PATH
  /** The counter of the next datagram of so many bytes. */
  take(bytes: number): number {
    assert(this.counter < COUNTERS, 'a key of datagrams was used too often')
    this.blocks += Math.ceil(bytes / BLOCK_BYTES) + 1
    return this.counter++
  }

  erase(): void {
    this.sealKey.fill(0)
    this.openKey.fill(0)
  }
}

export class KeyRing {
  /** What seals. */
  current: KeySet | undefined
  /** Agreed on, and not yet known to be there at the other end. */
  next: KeySet | undefined
  readonly #old: KeySet[] = []
  readonly #limits: KeyLimits
  readonly #share: number
  readonly #erased: (set: KeySet) => void

  /** `share`: of a limit, at which the next keys are wanted. */
  constructor(limits: KeyLimits, share: number, erased: (set: KeySet) => void) {
    this.#limits = limits
    this.#share = share
    this.#erased = erased
  }

  /** `known`: the other end has them already. */
  add(now: Micros, set: KeySet, known: boolean): void {
    if (this.next !== undefined) this.#retire(now, this.next)
    this.next = set
    // The first keys have none to wait for.
    if (known || this.current === undefined) this.#promote(now)
  }

  /** A datagram opened with this set. True if it seals from now on. */
  opened(now: Micros, set: KeySet): boolean {
    if (set !== this.next) return false
    this.#promote(now)
    return true
  }

  // HOT PATH
  /** What to seal with; undefined where the limits of its key are reached. */
  sealing(now: Micros): KeySet | undefined {
    const set = this.current
    if (set === undefined) return undefined
    const { packets, blocks, age } = this.#limits
    return set.counter < packets && set.blocks < blocks && now - set.since < age ? set : undefined
  }

  /** So much of a limit is reached. */
  wantsNext(now: Micros): boolean {
    const set = this.current
    if (set === undefined || this.next !== undefined) return false
    const { packets, blocks, age } = this.#limits
    const used = Math.max(set.counter / packets, set.blocks / blocks, (now - set.since) / age)
    return used >= this.#share || set.failed >= FAILURES_MAX
  }

  /** Erases what is over; when the next is. */
  tend(now: Micros): Micros {
    let due = NEVER
    for (const set of [...this.#old]) {
      if (set.until <= now) this.#erase(set)
      else due = Math.min(due, set.until)
    }
    if (this.next !== undefined) {
      // Nothing came under it, as where no data passes; under the old ones nothing is opened any more.
      const expected = this.next.since + OLD_KEPT
      if (expected <= now) this.#promote(now)
      else due = Math.min(due, expected)
    }
    // Once it is past, whoever waits for keys looks by itself.
    const half = this.current === undefined ? NEVER : this.current.since + this.#share * this.#limits.age
    return half > now ? Math.min(due, half) : due
  }

  clear(): void {
    for (const set of [this.current, this.next, ...this.#old]) {
      set?.erase()
      if (set !== undefined) this.#erased(set)
    }
    this.current = undefined
    this.next = undefined
    this.#old.length = 0
  }

  #promote(now: Micros): void {
    if (this.current !== undefined) this.#retire(now, this.current)
    this.current = this.next
    this.next = undefined
  }

  #retire(now: Micros, set: KeySet): void {
    set.until = now + OLD_KEPT
    this.#old.push(set)
  }

  #erase(set: KeySet): void {
    this.#old.splice(this.#old.indexOf(set), 1)
    set.erase()
    this.#erased(set)
  }
}
