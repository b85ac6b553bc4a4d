/**
 * Keys of group frames, one for each sender, boot and epoch (sec:A1): this member's own, and those of the
 * lives it is in contact with. Knows when a key is derived, succeeded and dropped; whether a life is to be
 * believed is told by contacts.ts.
 */
import { COUNT } from '../counters.ts'
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import type { SealContext } from './context.ts'
import { nextBoot } from './derive.ts'
import type { Epoch } from './epoch.ts'
import { ReceiveKey } from './keytable.ts'
import { PREDECESSOR_LIFE, SUCCESSOR_AFTER, SUCCESSOR_PAUSE, SUCCESSOR_STEP } from './limits.ts'
import type { Life, Peer } from './peers.ts'
import { SendKey } from './sending.ts'

/** A key that its sender has left for its successor. */
interface Predecessor {
  readonly life: Life
  readonly generation: number
  readonly until: Micros
}

export class GroupKeys {
  readonly #context: SealContext
  /** Told the index of each key that comes into a table: packets may wait for it. */
  readonly #installed: (index: number) => void
  /** Lives whose successor's key is not in the tables yet, in order: some at a time from `#readyAt` on. */
  readonly #unready = new Set<Life>()
  #readyAt: Micros = NEVER
  /** Those that have time until the adopted epoch is no longer young: in a crowd of epochs none is. */
  readonly #rested = new Set<Life>()
  #restedUntil: Micros = NEVER
  #adoptedAt: Micros = 0
  #predecessors: Predecessor[] = []

  constructor(context: SealContext, installed: (index: number) => void) {
    this.#context = context
    this.#installed = installed
  }

  // HOT PATH
  /** This member's group key with room for so many packets; that of the next boot once it is half spent. */
  own(now: Micros, epoch: Epoch, packets: number, plainBytes: number): SendKey {
    const { own } = this.#context
    const key = epoch.ownGroup
    if (key !== undefined && epoch.ownGeneration === own.generation && !key.isHalfSpent(now)) {
      if (key.hasRoom(now, packets, plainBytes)) return key
    }
    return this.#turn(now, epoch)
  }

  /** Counter of the next group packet of this member in an epoch: what a card says. */
  ownCounter(epoch: Epoch): number {
    return epoch.ownGeneration === this.#context.own.generation ? (epoch.ownGroup?.counter ?? 0) : 0
  }

  /** Takes the keys of a life into an epoch's table; counters below `floor` are refused. */
  install(epoch: Epoch, life: Life, floor: number): void {
    this.#put(epoch, life, life.boot, life.generation, floor)
    if (life.hasSuccessor) this.#put(epoch, life, this.#next(life.boot), life.generation + 1, 0)
  }

  /** A life is to be received from now on, in all epochs; `floor` holds for `epoch` alone. */
  take(now: Micros, life: Life, epoch: Epoch | undefined, floor: number): void {
    for (const each of this.#context.epochs.all()) this.install(each, life, each === epoch ? floor : 0)
    this.#makeReady(now, life)
  }

  /** All lives into the table of a new epoch. */
  adopt(now: Micros, epoch: Epoch): void {
    // Only after a long epoch may somebody have turned to its next boot unheard, and seal under it here.
    const mayHaveTurned = (now - this.#adoptedAt) * 4 >= this.#context.keyLimits.age
    this.#adoptedAt = now
    for (const peer of this.#context.peers.values())
      for (const life of peer.lives) {
        life.hasSuccessor &&= mayHaveTurned
        this.install(epoch, life, 0)
        if (!life.hasSuccessor && !this.#unready.has(life)) this.#rested.add(life)
      }
    if (this.#rested.size === 0) return
    this.#restedUntil = now + SUCCESSOR_AFTER
    this.#context.deadline.lower(this.#restedUntil)
  }

  /** A life seals under its next boot, as a packet or a card of it showed. */
  turn(now: Micros, life: Life): void {
    const { epochs, counters } = this.#context
    counters.add(COUNT.groupKeysTurned)
    const until = now + PREDECESSOR_LIFE
    this.#predecessors.push({ life, generation: life.generation, until })
    this.#context.deadline.lower(until)
    if (life.previous !== undefined) life.peer.leaveBoot(life.previous)
    life.previous = life.boot
    life.boot = this.#next(life.boot)
    life.generation += 1
    if (!life.hasSuccessor)
      for (const epoch of epochs.all()) this.#put(epoch, life, life.boot, life.generation, 0)
    life.hasSuccessor = false
    this.#makeReady(now, life)
  }

  /** Whether this boot is the one after the life's present one. */
  isNext(life: Life, boot: Uint8Array): boolean {
    return sameBytes(this.#next(life.boot), boot)
  }

  /** Nothing of these lives is received any more. */
  drop(lives: readonly Life[]): void {
    if (lives.length === 0) return
    const gone = new Set(lives)
    for (const epoch of this.#context.epochs.all())
      epoch.table.remove((key) => key.life !== undefined && gone.has(key.life))
    for (const life of lives) {
      this.#unready.delete(life)
      this.#rested.delete(life)
    }
    this.#predecessors = this.#predecessors.filter(({ life }) => !gone.has(life))
  }

  dropPeer(peer: Peer): void {
    this.drop(peer.lives)
  }

  /** Takes the keys of a peer out of all tables, those of its sessions too; its lives are still known. */
  suspend(peer: Peer): void {
    for (const epoch of this.#context.epochs.all())
      epoch.table.remove((key) => key.life !== undefined && key.life.peer === peer)
  }

  /** Derives the next successors and drops predecessors; answers when there is more to do. */
  wake(now: Micros): Micros {
    const { epochs } = this.#context
    while (this.#predecessors.length > 0 && (this.#predecessors[0] as Predecessor).until <= now) {
      const { life, generation } = this.#predecessors.shift() as Predecessor
      for (const epoch of epochs.all())
        epoch.table.remove(
          (key) => key.life === life && key.session === undefined && key.generation <= generation,
        )
    }
    if (this.#restedUntil <= now) {
      for (const life of this.#rested) this.#makeReady(now, life)
      this.#rested.clear()
      this.#restedUntil = NEVER
    }
    if (this.#readyAt <= now) this.#makeSomeReady(now)
    return Math.min(this.#readyAt, this.#restedUntil, this.#predecessors[0]?.until ?? NEVER)
  }

  clear(): void {
    this.#unready.clear()
    this.#readyAt = NEVER
    this.#rested.clear()
    this.#restedUntil = NEVER
    this.#predecessors = []
  }

  #makeReady(now: Micros, life: Life): void {
    this.#rested.delete(life)
    this.#unready.add(life)
    if (now >= this.#readyAt) return
    this.#readyAt = now
    this.#context.deadline.lower(now)
  }

  #makeSomeReady(now: Micros): void {
    let left = SUCCESSOR_STEP
    for (const life of this.#unready) {
      if (left-- === 0) break
      this.#unready.delete(life)
      life.hasSuccessor = true
      const boot = this.#next(life.boot)
      for (const epoch of this.#context.epochs.all()) this.#put(epoch, life, boot, life.generation + 1, 0)
    }
    this.#readyAt = this.#unready.size > 0 ? now + SUCCESSOR_PAUSE : NEVER
  }

  #put(epoch: Epoch, life: Life, boot: Uint8Array, generation: number, floor: number): void {
    const { leaf, entry } = life.peer
    const there = epoch.roster.get(leaf)
    if (there === undefined || epoch.gone.has(leaf) || !sameBytes(there.leafKey, entry.leafKey)) return
    const key = new ReceiveKey(epoch.groupKey(entry.leafKey, boot), life, undefined, generation, floor)
    // One key with two windows would take every packet twice.
    if (isThere(epoch, key)) return
    if (!epoch.table.add(key)) this.#context.counters.add(COUNT.boundKeys)
    else this.#installed(key.data.index)
  }

  #next(boot: Uint8Array): Uint8Array {
    return nextBoot(this.#context.crypto, boot)
  }

  /** Apart from the hot path: another key of this member, in this epoch or altogether. */
  #turn(now: Micros, epoch: Epoch): SendKey {
    const { own, keyLimits, counters } = this.#context
    if (epoch.ownGroup !== undefined && epoch.ownGeneration === own.generation) {
      own.turnBoot()
      counters.add(COUNT.groupKeysTurned)
    }
    const key = new SendKey(now, epoch.groupKey(epoch.leafKey, own.boot), keyLimits)
    epoch.useGroup(key, own.generation)
    return key
  }
}

function isThere(epoch: Epoch, key: ReceiveKey): boolean {
  let each = epoch.table.find(key.data.index)
  while (each !== undefined) {
    if (each.life === key.life && each.session === undefined && each.generation === key.generation)
      return true
    each = each.next
  }
  return false
}
