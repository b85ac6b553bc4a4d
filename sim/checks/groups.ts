/**
 * MLS groups seen from above: who is in which epoch, since when and how epochs follow each other, and what
 * must never happen: two secrets in one epoch, a frame for somebody whom its sender knows to be out, two
 * branches after everything has healed. Knows events and times; not how groups come to them.
 */

import type { Hash } from '../../core/crypto/ports.ts'
import type { GroupEvent } from '../../core/group/events.ts'
import { hex } from '../../core/ids.ts'
import type { Micros } from '../../core/io.ts'
import type { MlsOutcome } from '../../core/mls/engine.ts'
import { Apart } from './apart.ts'
import { Rosters } from './rosters.ts'

/** A member that was in the group for this long has the cards of the others and they have its tokens. */
const SETTLED_AFTER: Micros = 5_000_000

/** Members go over to the next epoch one after the other; so long that is no parting. */
const STEP_TIME: Micros = 3_000_000

interface Place {
  /** MLS-ID of the adopted epoch in hex; undefined while outside. */
  epoch: string | undefined
  askedAt: Micros
  /** It was in before its machine stopped, and is not back yet. */
  isReturning: boolean
  enteredAt: Micros | undefined
  /** Revoked members, by node, and when this one came into an epoch without them. */
  readonly removed: Map<number, Micros>
}

interface Eviction {
  readonly vlan: number
  readonly node: number
  /** Member key in hex. */
  readonly key: string
  readonly at: Micros
}

export class Groups {
  /** From a request to be let in to the first epoch, in microseconds. */
  readonly joins: number[] = []
  /** From a revocation to the last member's clean epoch, in microseconds. */
  readonly evictions: number[] = []
  /** From the start of a machine whose member was in before to an epoch of most others, in microseconds. */
  readonly returns: number[] = []
  readonly eventKinds: Record<string, number> = {}
  readonly apart: Apart
  readonly rosters: Rosters
  readonly #violation: (kind: string, node: number, detail: string) => void
  readonly #places = new Map<string, Place>()
  /** Parent of each epoch that somebody went to from it. */
  readonly #parents = new Map<string, string>()
  readonly #numbers = new Map<string, number>()
  /** Member keys in hex, by VLAN and node. */
  readonly #keys = new Map<string, string>()
  readonly #evicted = new Map<string, Eviction>()
  readonly #open = new Map<Eviction, Set<number>>()
  /** Members that lost a double redemption, as they were told. */
  readonly #lost = new Set<string>()
  /** Members that were told that they are out. */
  readonly #over = new Set<string>()
  /** Since when all are in one epoch, by VLAN; see `look`. */
  readonly #oneSince = new Map<number, Micros>()
  readonly #partedAt = new Map<number, Micros>()

  /** `isCut`: whether the network is in parts now. */
  constructor(
    hash: Hash,
    violation: (kind: string, node: number, detail: string) => void,
    isCut: () => boolean = () => false,
  ) {
    this.rosters = new Rosters(hash)
    this.#violation = violation
    this.apart = new Apart(isCut)
  }

  /** Who a member key belongs to. */
  know(vlan: number, node: number, memberKey: Uint8Array): void {
    this.#keys.set(placeName(vlan, node), hex(memberKey))
  }

  /** `isReturning`: with what it stored. */
  asked(now: Micros, vlan: number, node: number, isReturning = false): void {
    const removed = new Map<number, Micros>()
    const place = { epoch: undefined, askedAt: now, isReturning, enteredAt: undefined, removed }
    this.#places.set(placeName(vlan, node), place)
  }

  gone(now: Micros, vlan: number, node: number): void {
    this.#places.delete(placeName(vlan, node))
    this.apart.moved(now, vlan, node, undefined)
    this.#excuse(vlan, node)
  }

  noted(now: Micros, vlan: number, node: number, event: GroupEvent): void {
    this.eventKinds[event.kind] = (this.eventKinds[event.kind] ?? 0) + 1
    const place = this.#places.get(placeName(vlan, node))
    if (place === undefined || this.isOver(vlan, node)) return
    if (event.kind === 'epoch') {
      this.#adopted(now, place, event.mlsId, event.number)
      this.#leftBehind(now, vlan, node, place, event.mlsId)
      if (place.isReturning && this.#isAmongMost(vlan, place)) {
        place.isReturning = false
        if (!this.isOut(vlan, node)) this.returns.push(now - place.askedAt)
      }
    } else if (event.kind === 'ended') {
      // What it adopts while it says goodbye is nothing any more.
      this.#over.add(placeName(vlan, node))
      place.epoch = undefined
      if (event.why === 'lost') this.#lost.add(placeName(vlan, node))
    }
    if (!this.isOut(vlan, node)) this.apart.moved(now, vlan, node, place.epoch)
  }

  /** Members of one epoch must have one secret. */
  secret(node: number, outcome: MlsOutcome): void {
    const epoch = this.rosters.note(outcome)
    if (epoch !== undefined) this.#violation('two-secrets', node, `epoch ${epoch} has two exporter secrets`)
  }

  revoked(now: Micros, vlan: number, node: number, others: readonly number[]): void {
    const key = this.#keys.get(placeName(vlan, node)) ?? ''
    const eviction = { vlan, node, key, at: now }
    this.#evicted.set(placeName(vlan, node), eviction)
    this.#excuse(vlan, node)
    this.apart.moved(now, vlan, node, undefined)
    const inside = others.filter((other) => this.epochOf(vlan, other) !== undefined)
    this.#open.set(eviction, new Set(inside))
  }

  /** A frame came out: whoever sealed it must not have known that its receiver is out, nor the other way. */
  delivered(vlan: number, sender: number, sentAt: Micros, receiver: number): void {
    const knew = this.#places.get(placeName(vlan, sender))?.removed.get(receiver)
    if (knew !== undefined && knew < sentAt)
      this.#violation('delivered-to-evicted', receiver, `a frame of node ${sender}, which had removed it`)
    const knows = this.#places.get(placeName(vlan, receiver))?.removed.get(sender)
    if (knows !== undefined && knows < sentAt)
      this.#violation('delivered-from-evicted', receiver, `a frame of node ${sender}, which it had removed`)
  }

  // Questions.

  /** Whether the authority has revoked this member key, in hex. */
  isRevoked(memberKey: string): boolean {
    return [...this.#evicted.values()].some(({ key }) => key === memberKey)
  }

  /** Whether a member has no place in its VLAN any more: put out, or second to use an invitation. */
  isOut(vlan: number, node: number): boolean {
    const name = placeName(vlan, node)
    return this.#evicted.has(name) || this.#lost.has(name)
  }

  /** Whether it was told so. */
  isOver(vlan: number, node: number): boolean {
    return this.#over.has(placeName(vlan, node))
  }

  /** Whether somebody who was in before is still on the way back. */
  get isAwaiting(): boolean {
    return [...this.#places].some(([name, { isReturning }]) => isReturning && !this.#evicted.has(name))
  }

  epochOf(vlan: number, node: number): string | undefined {
    return this.#places.get(placeName(vlan, node))?.epoch
  }

  /** Whether frames between two members are owed: both settled, in epochs of one line, neither put out. */
  owes(now: Micros, vlan: number, from: number, to: number): boolean {
    const left = this.#places.get(placeName(vlan, from))
    const right = this.#places.get(placeName(vlan, to))
    if (left === undefined || right === undefined) return false
    if (this.isOut(vlan, from) || this.isOut(vlan, to)) return false
    for (const { enteredAt } of [left, right])
      if (enteredAt === undefined || enteredAt + SETTLED_AFTER > now) return false
    return this.#isOneLine(left.epoch, right.epoch)
  }

  /** How many epochs these are in; those outside count as one more. */
  epochs(vlan: number, nodes: readonly number[]): number {
    return new Set(nodes.map((node) => this.epochOf(vlan, node) ?? 'none')).size
  }

  /** To be asked from time to time: notes since when all of a VLAN are in one epoch. */
  look(now: Micros, vlan: number, nodes: readonly number[]): void {
    this.apart.look(now, vlan)
    const isIn = nodes.length > 0 && this.epochOf(vlan, nodes[0] as number) !== undefined
    if (isIn && this.epochs(vlan, nodes) === 1) {
      this.#partedAt.delete(vlan)
      if (!this.#oneSince.has(vlan)) this.#oneSince.set(vlan, now)
      return
    }
    const partedAt = this.#partedAt.get(vlan) ?? now
    this.#partedAt.set(vlan, partedAt)
    if (now - partedAt >= STEP_TIME) this.#oneSince.delete(vlan)
  }

  /** When the last of these VLANs came to be in one epoch; undefined if one is not. */
  oneSince(vlans: readonly number[]): Micros | undefined {
    let latest = 0
    for (const vlan of vlans) {
      const since = this.#oneSince.get(vlan)
      if (since === undefined) return undefined
      latest = Math.max(latest, since)
    }
    return latest
  }

  /** Member keys of those who are out and whom some living member has still in its epoch. */
  get unfinished(): readonly string[] {
    return [...this.#open].filter(([, waiting]) => waiting.size > 0).map(([{ key }]) => key)
  }

  get epochCount(): number {
    return this.#numbers.size
  }

  #adopted(now: Micros, place: Place, epoch: string, number: number): void {
    const before = place.epoch
    if (before !== undefined && this.#numbers.get(before) === number - 1 && !this.#parents.has(epoch))
      this.#parents.set(epoch, before)
    this.#numbers.set(epoch, number)
    place.epoch = epoch
    if (place.enteredAt !== undefined) return
    place.enteredAt = now
    this.joins.push(now - place.askedAt)
  }

  /** Nobody waits for what this member does. */
  #excuse(vlan: number, node: number): void {
    for (const [eviction, waiting] of this.#open) if (eviction.vlan === vlan) waiting.delete(node)
  }

  /** Which of the revoked are not in the member's new epoch; whoever was out must not be in again. */
  #leftBehind(now: Micros, vlan: number, node: number, place: Place, epoch: string): void {
    const roster = this.rosters.of(epoch)
    for (const eviction of this.#evicted.values()) {
      if (roster === undefined || eviction.vlan !== vlan || eviction.node === node) continue
      const wasOut = place.removed.has(eviction.node)
      if (roster.has(eviction.key)) {
        if (wasOut)
          this.#violation('in-again', node, `went back to an epoch of node ${eviction.node}, which is out`)
        continue
      }
      if (!this.#isPast(epoch, eviction.key)) continue
      if (!wasOut) place.removed.set(eviction.node, now)
      const waiting = this.#open.get(eviction)
      if (waiting?.delete(node) && waiting.size === 0) this.evictions.push(now - eviction.at)
    }
  }

  /** Whether that member was in before an epoch which is without it, and not only comes in after. */
  #isPast(epoch: string, key: string): boolean {
    for (let at = this.#parents.get(epoch); at !== undefined; at = this.#parents.get(at))
      if (this.rosters.of(at)?.has(key)) return true
    const number = this.#numbers.get(epoch) ?? 0
    let wasIn = false
    for (const [other, its] of this.#numbers) {
      if (!this.rosters.of(other)?.has(key)) continue
      if (its > number) return false
      wasIn = true
    }
    return wasIn
  }

  #isAmongMost(vlan: number, { epoch }: Place): boolean {
    let all = 0
    let same = 0
    for (const [name, place] of this.#places) {
      if (!name.startsWith(`${vlan}/`) || place.epoch === undefined) continue
      all += 1
      if (place.epoch === epoch) same += 1
    }
    return same > 1 && same * 2 > all
  }

  #isOneLine(left: string | undefined, right: string | undefined): boolean {
    if (left === undefined || right === undefined) return false
    return this.#leadsTo(left, right) || this.#leadsTo(right, left)
  }

  #leadsTo(from: string, to: string): boolean {
    const limit = this.#numbers.get(from) ?? 0
    for (let at: string | undefined = to; at !== undefined; at = this.#parents.get(at)) {
      if (at === from) return true
      if ((this.#numbers.get(at) ?? 0) < limit) return false
    }
    return false
  }
}

function placeName(vlan: number, node: number): string {
  return `${vlan}/${node}`
}
