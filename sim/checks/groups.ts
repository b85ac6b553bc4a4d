/**
 * MLS groups seen from above: who is in which epoch, since when and how epochs follow each other, and what
 * must never happen: two secrets in one epoch, a frame for somebody whom its sender knows to be out, two
 * branches after everything has healed. Knows events and times; not how groups come to them.
 */

import type { Hash } from '../../core/crypto/ports.ts'
import type { GroupEvent } from '../../core/group/events.ts'
import { hex, mlsId } from '../../core/ids.ts'
import type { Micros } from '../../core/io.ts'
import type { MlsOutcome } from '../../core/mls/engine.ts'

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
  /** It was told that it is out. */
  isOver: boolean
  /** Members that this one has seen removed, by node, and when. */
  readonly removed: Map<number, Micros>
}

interface Eviction {
  readonly vlan: number
  readonly node: number
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
  readonly #hash: Hash
  readonly #violation: (kind: string, node: number, detail: string) => void
  readonly #places = new Map<string, Place>()
  readonly #secrets = new Map<string, string>()
  /** Parent of each epoch that somebody went to from it. */
  readonly #parents = new Map<string, string>()
  readonly #numbers = new Map<string, number>()
  /** Node of a member key in hex, by VLAN. */
  readonly #nodes = new Map<string, number>()
  readonly #evicted = new Map<string, Eviction>()
  readonly #open = new Map<Eviction, Set<number>>()
  /** Epochs that somebody was in who had seen this one removed: it must be in none of them. */
  readonly #without = new Map<Eviction, Set<string>>()
  /** Members that lost a double redemption, as they were told. */
  readonly #lost = new Set<string>()
  /** Since when all are in one epoch, by VLAN; see `look`. */
  readonly #oneSince = new Map<number, Micros>()
  readonly #partedAt = new Map<number, Micros>()

  constructor(hash: Hash, violation: (kind: string, node: number, detail: string) => void) {
    this.#hash = hash
    this.#violation = violation
  }

  /** Who a member key belongs to. */
  know(vlan: number, node: number, memberKey: Uint8Array): void {
    this.#nodes.set(`${vlan}/${hex(memberKey)}`, node)
  }

  /** `isReturning`: with what it stored. */
  asked(now: Micros, vlan: number, node: number, isReturning = false): void {
    const removed = new Map<number, Micros>()
    const place = {
      epoch: undefined,
      askedAt: now,
      isReturning,
      enteredAt: undefined,
      isOver: false,
      removed,
    }
    this.#places.set(placeName(vlan, node), place)
  }

  gone(vlan: number, node: number): void {
    this.#places.delete(placeName(vlan, node))
    for (const waiting of this.#open.values()) waiting.delete(node)
  }

  noted(now: Micros, vlan: number, node: number, event: GroupEvent): void {
    this.eventKinds[event.kind] = (this.eventKinds[event.kind] ?? 0) + 1
    const place = this.#places.get(placeName(vlan, node))
    if (place === undefined || place.isOver) return
    if (event.kind === 'epoch') {
      this.#adopted(now, place, event.mlsId, event.number)
      this.#judgePlace(now, vlan, node, place)
      if (place.isReturning && this.#isAmongMost(vlan, place)) {
        place.isReturning = false
        if (!this.isOut(vlan, node)) this.returns.push(now - place.askedAt)
      }
    } else if (event.kind === 'memberRemoved') {
      this.#removed(now, vlan, node, place, event.member)
    } else if (event.kind === 'ended') {
      // What it adopts while it says goodbye is nothing any more.
      place.isOver = true
      place.epoch = undefined
      if (event.why === 'lost') this.#lost.add(placeName(vlan, node))
    }
  }

  /** Members of one epoch must have one secret: from what engines answer, not from what nodes say. */
  secret(node: number, outcome: MlsOutcome): void {
    if (!outcome.ok) return
    const made = 'epoch' in outcome ? outcome.epoch : 'candidate' in outcome ? outcome.candidate : undefined
    const init = made?.exports[0]
    if (made === undefined || init === undefined) return
    const name = hex(mlsId(this.#hash, init))
    const secret = hex(made.exporterSecret)
    const known = this.#secrets.get(name)
    if (known === undefined) this.#secrets.set(name, secret)
    else if (known !== secret) this.#violation('two-secrets', node, `epoch ${name} has two exporter secrets`)
  }

  revoked(now: Micros, vlan: number, node: number, others: readonly number[]): void {
    const eviction = { vlan, node, at: now }
    this.#evicted.set(placeName(vlan, node), eviction)
    this.#without.set(eviction, new Set())
    // Who is out itself sees nobody else go.
    for (const waiting of this.#open.values()) waiting.delete(node)
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

  /** Whether a member has no place in its VLAN any more: put out, or second to use an invitation. */
  isOut(vlan: number, node: number): boolean {
    const name = placeName(vlan, node)
    return this.#evicted.has(name) || this.#lost.has(name)
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

  /** Revocations that some living member has not carried out. */
  get unfinished(): number {
    let count = 0
    for (const waiting of this.#open.values()) if (waiting.size > 0) count += 1
    return count
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

  #removed(now: Micros, vlan: number, node: number, place: Place, member: string): void {
    const out = this.#nodes.get(`${vlan}/${member}`)
    const eviction = out === undefined ? undefined : this.#evicted.get(placeName(vlan, out))
    if (out === undefined || eviction === undefined) return
    place.removed.set(out, now)
    this.#carriedOut(now, eviction, node)
  }

  #carriedOut(now: Micros, eviction: Eviction, node: number): void {
    const waiting = this.#open.get(eviction)
    if (waiting?.delete(node) && waiting.size === 0) this.evictions.push(now - eviction.at)
  }

  /** Nobody whom members of an epoch have seen removed may be in it. */
  #judgePlace(now: Micros, vlan: number, node: number, place: Place): void {
    if (place.epoch === undefined) return
    for (const [eviction, without] of this.#without)
      if (without.has(place.epoch)) this.#carriedOut(now, eviction, node)
    for (const out of place.removed.keys()) {
      const eviction = this.#evicted.get(placeName(vlan, out))
      if (eviction !== undefined) this.#without.get(eviction)?.add(place.epoch)
    }
    const own = this.#evicted.get(placeName(vlan, node))
    if (own !== undefined && this.#without.get(own)?.has(place.epoch))
      this.#violation('evicted-came-back', node, `it is in epoch ${place.epoch}, which is without it`)
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
