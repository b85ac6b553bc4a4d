/**
 * Which epoch is sealed under and which are received under, over time (sec:B9, B10, S15): the adopted one,
 * its parent for 300 ms after a commit that removes nobody, left ones for 10 s. Knows rosters and times,
 * no packets.
 */
import { hex, sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { idIs, MLS_OFFSET } from '../wire/packet.ts'
import type { Epoch } from './epoch.ts'
import { LEFT_EPOCH_LIFE, LEFT_EPOCHS_MAX, MEMBERS_MAX, PARENT_GRACE, USED_EPOCHS_MAX } from './limits.ts'
import type { Roster } from './peers.ts'

interface LeftEpoch {
  readonly epoch: Epoch
  readonly until: Micros
}

export class Epochs {
  /** The adopted epoch, undefined before the first. */
  current: Epoch | undefined = undefined
  #left: LeftEpoch[] = []
  /** Sealed under until `#graceUntil`. */
  #parent: Epoch | undefined
  #graceUntil: Micros = 0
  /** MLS-IDs of all epochs of this life: the keys of an erased one must not start again from zero. */
  readonly #used = new Set<string>()
  /** Member keys that are refused (sec:B9), in hex. */
  readonly #refused = new Set<string>()
  /** Whether the adopted epoch has a refused member: then no group key of it is sealed under. */
  frozen = false
  readonly #erased: (epoch: Epoch) => void

  /** `erased`: called for each epoch whose keys are about to be erased. */
  constructor(erased: (epoch: Epoch) => void) {
    this.#erased = erased
  }

  /** Whether this MLS-ID was adopted in this life and is erased: adopting it again needs another life. */
  isSpent(mlsId: Uint8Array): boolean {
    return this.live(mlsId) === undefined && this.#used.has(hex(mlsId))
  }

  /** Whether no other MLS-ID can be remembered: then the next epoch needs another life too. */
  get isFull(): boolean {
    return this.#used.size >= USED_EPOCHS_MAX
  }

  /** A new life: no data key of before is used again, so no epoch has to be remembered. */
  startLife(): void {
    this.#used.clear()
    for (const { epoch } of this.#left) this.#used.add(hex(epoch.mlsId))
    if (this.current !== undefined) this.#used.add(hex(this.current.mlsId))
  }

  /** An epoch that is received under, by its MLS-ID. */
  live(mlsId: Uint8Array): Epoch | undefined {
    if (this.current !== undefined && sameBytes(this.current.mlsId, mlsId)) return this.current
    return this.#left.find(({ epoch }) => sameBytes(epoch.mlsId, mlsId))?.epoch
  }

  /** All that are received under, the adopted one first. */
  all(): Epoch[] {
    const left = this.#left.map(({ epoch }) => epoch)
    return this.current === undefined ? left : [this.current, ...left]
  }

  // HOT PATH
  /** The epoch of a packet that came, or undefined. */
  ofPacket(packet: Uint8Array): Epoch | undefined {
    const { current } = this
    if (current !== undefined && idIs(packet, MLS_OFFSET, current.mlsId)) return current
    for (const { epoch } of this.#left) if (idIs(packet, MLS_OFFSET, epoch.mlsId)) return epoch
    return undefined
  }

  /** Whether a packet's epoch was left so long ago that it is not worth waiting for. */
  isPast(packet: Uint8Array): boolean {
    return this.#used.has(hex(packet.subarray(MLS_OFFSET, MLS_OFFSET + 16)))
  }

  // HOT PATH
  /** What group frames are sealed under now, not regarding a freeze. */
  sealing(now: Micros): Epoch | undefined {
    return now < this.#graceUntil ? this.#parent : this.current
  }

  // HOT PATH
  /** The parent while it may be sealed under. */
  parent(now: Micros): Epoch | undefined {
    return now < this.#graceUntil ? this.#parent : undefined
  }

  /** Goes over to an epoch, new or left but alive. `grace`: its parent may be sealed under for a while. */
  adopt(now: Micros, epoch: Epoch, grace: boolean): void {
    const before = this.current
    if (before === epoch) return
    this.#left = this.#left.filter((left) => left.epoch !== epoch)
    this.current = epoch
    this.#used.add(hex(epoch.mlsId))
    this.#parent = undefined
    this.#graceUntil = 0
    if (before !== undefined) {
      this.#left.push({ epoch: before, until: now + LEFT_EPOCH_LIFE })
      if (grace && !removesAny(before.roster, epoch.roster)) {
        this.#parent = before
        this.#graceUntil = now + PARENT_GRACE
      }
    }
    while (this.#left.length > LEFT_EPOCHS_MAX) this.#erase((this.#left.shift() as LeftEpoch).epoch)
    for (const { epoch: left } of this.#left)
      for (const [leaf, { leafKey }] of left.roster)
        if (!isIn(epoch.roster, leaf, leafKey)) left.gone.add(leaf)
    this.#judge()
  }

  /** From now on nothing of this member is received, and nothing sealed that it could open (sec:B9). */
  refuse(memberKey: Uint8Array): void {
    // Who is in no roster needs no place: a roster that brings it back is judged by who adopts it.
    if (this.#refused.size >= MEMBERS_MAX) this.#forgetRefused()
    this.#refused.add(hex(memberKey))
    this.#judge()
  }

  isRefused(memberKey: Uint8Array): boolean {
    return this.#refused.size > 0 && this.#refused.has(hex(memberKey))
  }

  /** Erases what was left long enough ago; answers when the next is due. */
  wake(now: Micros): Micros {
    while (this.#left.length > 0 && (this.#left[0] as LeftEpoch).until <= now)
      this.#erase((this.#left.shift() as LeftEpoch).epoch)
    if (this.#graceUntil <= now) this.#parent = undefined
    return this.#left[0]?.until ?? NEVER
  }

  #erase(epoch: Epoch): void {
    if (this.#parent === epoch) {
      this.#parent = undefined
      this.#graceUntil = 0
    }
    this.#erased(epoch)
    epoch.erase()
  }

  #judge(): void {
    this.frozen = this.current !== undefined && this.#hasRefused(this.current.roster)
    if (this.#parent === undefined || !this.#hasRefused(this.#parent.roster)) return
    this.#parent = undefined
    this.#graceUntil = 0
  }

  #hasRefused(roster: Roster): boolean {
    if (this.#refused.size === 0) return false
    for (const { memberKey } of roster.values()) if (this.#refused.has(hex(memberKey))) return true
    return false
  }

  #forgetRefused(): void {
    const present = new Set<string>()
    for (const epoch of this.all())
      for (const { memberKey } of epoch.roster.values()) present.add(hex(memberKey))
    for (const name of this.#refused) if (!present.has(name)) this.#refused.delete(name)
  }
}

/** A leaf keeps its index for as long as it is in the tree; who is added again has another key there. */
function isIn(roster: Roster, leaf: number, leafKey: Uint8Array): boolean {
  const there = roster.get(leaf)
  return there !== undefined && sameBytes(there.leafKey, leafKey)
}

/** Whether a leaf of the parent is not in the child, be it that its member has joined again. */
function removesAny(parent: Roster, child: Roster): boolean {
  for (const [leaf, { leafKey }] of parent) if (!isIn(child, leaf, leafKey)) return true
  return false
}
