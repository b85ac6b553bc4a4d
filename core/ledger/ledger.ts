/**
 * The ledger of one VLAN: a grow-only set of signed facts that decides who belongs (sec:B1). It knows facts
 * and what they say together; it knows no group, no epoch, no packet, and no clock but the wall time given.
 *
 *     const ledger = new Ledger(crypto, { policy, label })
 *     ledger.add(bytes, now)      for each fact that comes; then `takeAdded`, which may be more than one
 *     ledger.wanted()             ids to ask for, because something waits for them
 *     ledger.prune(now)           once a day or so
 *
 * The same facts give the same digest and the same answers in whatever order they came, as long as no
 * bound is reached. Where one is, those who came first stay. Bounds of an issuer are reached only by an
 * issuer that floods; bounds of an invitation by whoever has its URL: then `digest` and `ids` show a mark
 * in place of what is full, so that ledgers that differ in nothing but such a flood still agree.
 *
 * Time: what ended more than 30 days ago is refused and dropped (`over`), unless a key that it is about
 * holds a Grant that lives, for then it still tells something about that key. A node without a clock passes
 * `undefined` and keeps everything.
 */
import type { Crypto } from '../crypto/ports.ts'
import { compareBytes, concat, hex, unhex, utf8, vlanId } from '../ids.ts'
import { admit, type Known, type Pinned } from './admit.ts'
import { AUTHORITY, Book, issuerName } from './book.ts'
import { type Charter, compareFacts, decodeFact, FACT, type Fact, type Redemption } from './facts.ts'
import type { WallMillis } from './fields.ts'
import { GRANTS_MAX, REDEMPTIONS_MAX, REVOCATIONS_MAX } from './limits.ts'
import { authorityKeyOf, type Policy } from './policy.ts'
import { REFUSAL, type Refusal, type Refused } from './refusals.ts'
import { isOver, ROUNDS } from './retention.ts'
import {
  type Certificate,
  certificateOf,
  chainOf,
  fallenSerial,
  type Lineage,
  NO_LINEAGE,
  type RefusedKey,
  refusedKey,
  winnerOf,
} from './standing.ts'
import { WaitingRoom } from './waiting.ts'

/** What a member pins of its VLAN: from the invitation, or because it founded it. */
export interface LedgerOptions {
  readonly policy: Policy
  readonly label: string
  /** Extension 0xF001 of the group: Charters with other fixed terms are refused. */
  readonly fixedHash?: Uint8Array
}

/** `waiting`: it may be true, but the fact that would tell is not here yet (see `wanted`). */
export type Outcome = 'added' | 'known' | 'waiting' | Refusal

const FULL_LABEL = utf8('peertap full v1\0')

export class Ledger {
  /** 16 bytes, computed from what is pinned. */
  readonly vlan: Uint8Array
  /** 32 bytes. */
  readonly authorityKey: Uint8Array
  readonly #crypto: Crypto
  #pinned: Pinned
  readonly #book = new Book()
  readonly #waiting = new WaitingRoom()
  readonly #known: Known = {
    grantOf: (serial) => this.#book.grant(hex(serial)),
    isRedeemed: (serial, member) => this.#redemptionOf(hex(serial), hex(member)) !== undefined,
  }
  #added: Fact[] = []
  /** Sorted, with marks for what is full; undefined when something changed. */
  #ids: readonly Uint8Array[] | undefined
  #digest: Uint8Array | undefined
  /** Serials of invitations that are full, by their marks; as fresh as the ids. */
  readonly #marks = new Map<string, string>()

  constructor(crypto: Crypto, options: LedgerOptions) {
    const { policy, label } = options
    this.#crypto = crypto
    this.authorityKey = authorityKeyOf(crypto.hash, policy)
    this.vlan = vlanId(crypto.hash, this.authorityKey, label)
    this.#pinned = { policy, label, vlan: this.vlan, fixedHash: options.fixedHash }
  }

  // Inputs.

  /**
   * Takes in a fact as it travels. `now` is wall time, or undefined while this node has none. Facts that
   * waited for this one are judged too. Copies the bytes; never throws.
   */
  add(bytes: Uint8Array, now?: WallMillis): Outcome {
    const fact = decodeFact(this.#crypto.hash, bytes.slice())
    if (typeof fact === 'string') return fact
    const outcome = this.#judge(fact, now)
    const released = outcome === 'added' ? [fact] : []
    for (let next = released.pop(); next !== undefined; next = released.pop()) {
      for (const waiter of this.#waiting.release(hex(next.id))) {
        if (this.#judge(waiter, now) === 'added') released.push(waiter)
      }
    }
    return outcome
  }

  /** From now on only Charters with these fixed terms count (extension 0xF001 of the group joined). */
  pin(fixedHash: Uint8Array): void {
    this.#pinned = { ...this.#pinned, fixedHash }
    const { charter } = this.#book
    if (charter !== undefined && admit(this.#crypto, this.#pinned, this.#known, charter) !== 'valid')
      this.#drop(charter)
  }

  /**
   * Drops what ended more than 30 days before `now`; returns how many facts. `keep` names member keys whose
   * facts stay whatever their age: those of leaves in a roster, to justify their removal.
   */
  prune(now: WallMillis, keep: (member: Uint8Array) => boolean = () => false): number {
    const before = this.#book.size
    const isKept = (key: string): boolean => keep(unhex(key))
    for (let size = Number.POSITIVE_INFINITY; this.#book.size < size; ) {
      size = this.#book.size
      for (const round of ROUNDS) for (const fact of round(this.#book, now, isKept)) this.#drop(fact)
    }
    return before - this.#book.size
  }

  /** Facts added since it was last asked, in the order they were: to be acted on and passed on. */
  takeAdded(): readonly Fact[] {
    const added = this.#added
    this.#added = []
    return added
  }

  // Questions about the set.

  get size(): number {
    return this.#book.size
  }

  /** Facts that cannot be judged yet. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The fact of that id; undefined if it is not here or only waits. */
  get(id: Uint8Array): Fact | undefined {
    return this.#book.get(hex(id))
  }

  /** All facts, each after what it rests on: the order to store them in and to read them back. */
  facts(): Fact[] {
    return [...this.#book.facts()].sort(compareFacts)
  }

  /** Ids of facts that others wait for: at most as many as may wait. */
  wanted(): Uint8Array[] {
    return this.#waiting.wanted().map(unhex)
  }

  /** Of the ids given those that are not here, or for one that waits, what it waits for. */
  missing(ids: readonly Uint8Array[]): Uint8Array[] {
    const names = new Set<string>()
    for (const id of ids) {
      let name = hex(id)
      if (this.#book.get(name) !== undefined) continue
      for (let deeper = this.#waiting.neededBy(name); deeper !== undefined; ) {
        name = deeper
        deeper = this.#waiting.neededBy(name)
      }
      names.add(name)
    }
    return [...names].map(unhex)
  }

  /** Ids in ascending order; where an invitation is full, one mark stands for what it was redeemed by. */
  ids(): readonly Uint8Array[] {
    this.#ids ??= this.#collectIds()
    return this.#ids
  }

  /** The facts behind an id of `ids`: one, or all that a mark stands for. */
  behind(id: Uint8Array): readonly Fact[] {
    const fact = this.get(id)
    if (fact !== undefined) return [fact]
    const mark = hex(id)
    this.ids()
    const serial = this.#marks.get(mark)
    if (serial === undefined) return []
    return [...this.#book.redemptions(serial), ...this.#book.leavesOfSerial(serial)]
  }

  /** H32 over `ids`, 32 bytes (sec:B1). */
  digest(): Uint8Array {
    this.#digest ??= this.#crypto.hash.hash32(concat(...this.ids()))
    return this.#digest
  }

  // Questions about members.

  /** The newest; undefined until one came. */
  charter(): Charter | undefined {
    return this.#book.charter
  }

  /**
   * Why a member key is refused, with facts that show it; undefined if it is not. Without a lineage nobody
   * counts as the loser of a double redemption.
   */
  refused(member: Uint8Array, lineage: Lineage = NO_LINEAGE): RefusedKey | undefined {
    return refusedKey(this.#book, hex(member), lineage)
  }

  /** The standing Grant that ends last, with what proves it; undefined if the key is refused or has none. */
  certificate(member: Uint8Array, lineage: Lineage = NO_LINEAGE): Certificate | undefined {
    return certificateOf(this.#book, hex(member), lineage)
  }

  /** The Grant of that serial with what proves it for the key, standing or not; undefined if not its. */
  chain(member: Uint8Array, serial: Uint8Array): Certificate | undefined {
    const grant = this.#book.grant(hex(serial))
    return grant !== undefined && this.holds(member, serial)
      ? chainOf(this.#book, grant, hex(member))
      : undefined
  }

  /** Whether the Grant of that serial is held by the member key, standing or not. */
  holds(member: Uint8Array, serial: Uint8Array): boolean {
    return this.#book.serialsOf(hex(member)).includes(hex(serial))
  }

  /** Member keys that hold the serial: one, or all that redeemed the invitation, in order of Redemptions. */
  holders(serial: Uint8Array): Uint8Array[] {
    return this.#book.keysOf(hex(serial)).map(unhex)
  }

  /** The key that the serial belongs to in this lineage; undefined while the lineage added none. */
  winner(serial: Uint8Array, lineage: Lineage): Uint8Array | undefined {
    const grant = this.#book.grant(hex(serial))
    if (grant?.holderKind === 'member') return grant.holder
    return winnerOf(this.#book, hex(serial), lineage)?.member
  }

  /** Why no key can join by the serial; undefined if that may still be. Needs no Redemption (sec:C5). */
  fallen(serial: Uint8Array): Refused | undefined {
    return fallenSerial(this.#book, hex(serial))
  }

  /** Keys that said they leave the membership of that serial. */
  leavers(serial: Uint8Array): Uint8Array[] {
    return this.#book.leavesOfSerial(hex(serial)).map((leave) => leave.member)
  }

  /** Whether the key is refused, and would be for somebody who has heard only these facts against it. */
  isRefusedBy(member: Uint8Array, lineage: Lineage, ids: readonly Uint8Array[]): boolean {
    const names = new Set(ids.map(hex))
    const shown = refusedKey(this.#book, hex(member), lineage, (fact) => names.has(hex(fact.id)))
    return shown !== undefined && this.refused(member, lineage) !== undefined
  }

  // Revocation numbers (sec:C2, C3).

  /** The number up to which all revocations of the issuer (undefined: the authority) are here. */
  floor(issuer?: Uint8Array): number {
    const name = issuer === undefined ? AUTHORITY : hex(issuer)
    const numbers = this.#book.issued(name)?.numbers
    let floor = this.#settled(name)
    while (numbers?.has(floor + 1)) floor += 1
    return floor
  }

  /** The highest number of a revocation by the issuer, whatever is missing below. */
  newestNumber(issuer?: Uint8Array): number {
    const name = issuer === undefined ? AUTHORITY : hex(issuer)
    let newest = this.#settled(name)
    for (const number of this.#book.issued(name)?.numbers.keys() ?? []) newest = Math.max(newest, number)
    return newest
  }

  // Within.

  #judge(fact: Fact, now: WallMillis | undefined): Outcome {
    if (this.#book.get(hex(fact.id)) !== undefined) return 'known'
    const untimely = this.#untimely(fact, now)
    if (untimely !== undefined) return untimely
    const admission = admit(this.#crypto, this.#pinned, this.#known, fact)
    if (typeof admission === 'object') {
      this.#waiting.add(hex(this.#crypto.hash.hash16(fact.bytes)), fact, hex(admission.missing))
      return 'waiting'
    }
    if (admission !== 'valid') return admission
    const unwelcome = this.#unwelcome(fact)
    if (unwelcome !== undefined) return unwelcome
    this.#take(fact)
    return 'added'
  }

  /** What may be said before any signature is looked at. */
  #untimely(fact: Fact, now: WallMillis | undefined): Refusal | undefined {
    if (fact.kind === FACT.revocation && fact.issuer === undefined && fact.number > 0) {
      if (fact.number <= this.#settled(AUTHORITY)) return REFUSAL.settled
    }
    if (now === undefined || this.#waiting.isWanted(hex(fact.id))) return undefined
    return isOver(this.#book, fact, now) ? REFUSAL.over : undefined
  }

  /** What a true fact may still be refused for. */
  #unwelcome(fact: Fact): Refusal | undefined {
    switch (fact.kind) {
      case FACT.charter: {
        const { charter } = this.#book
        return charter !== undefined && !isNewer(fact, charter) ? REFUSAL.superseded : undefined
      }
      case FACT.grant: {
        const grants = this.#book.issued(issuerName(fact))?.grants ?? 0
        return grants >= GRANTS_MAX ? REFUSAL.issuerFull : undefined
      }
      case FACT.revocation: {
        const revocations = this.#book.issued(issuerName(fact))?.revocations ?? 0
        return revocations >= REVOCATIONS_MAX ? REFUSAL.issuerFull : undefined
      }
      case FACT.redemption:
        return this.#isFull(hex(fact.serial)) ? REFUSAL.serialFull : undefined
      case FACT.leave:
        // Each holder of a serial can leave it once.
        return undefined
    }
  }

  #take(fact: Fact): void {
    const before = this.#book.charter
    if (fact.kind === FACT.charter && before !== undefined) this.#drop(before)
    this.#book.add(fact)
    this.#added.push(fact)
    this.#changed()
    if (fact.kind === FACT.charter) this.#dropSettled()
  }

  #drop(fact: Fact): void {
    this.#book.remove(fact)
    this.#changed()
  }

  #dropSettled(): void {
    const settled = this.#settled(AUTHORITY)
    const over: Fact[] = []
    for (const fact of this.#book.facts()) {
      if (fact.kind === FACT.revocation && fact.issuer === undefined && fact.number <= settled)
        over.push(fact)
    }
    for (const fact of over) this.#drop(fact)
  }

  #changed(): void {
    this.#ids = undefined
    this.#digest = undefined
  }

  #settled(issuer: string): number {
    return issuer === AUTHORITY ? (this.#book.charter?.settled ?? 0) : 0
  }

  #redemptionOf(serial: string, member: string): Redemption | undefined {
    return this.#book.redemptions(serial).find((each) => hex(each.member) === member)
  }

  #isFull(serial: string): boolean {
    return this.#book.redemptions(serial).length >= REDEMPTIONS_MAX
  }

  #collectIds(): Uint8Array[] {
    const ids: Uint8Array[] = []
    this.#marks.clear()
    for (const fact of this.#book.facts()) {
      const serial = 'serial' in fact ? hex(fact.serial) : undefined
      if (serial === undefined || !this.#isFull(serial)) ids.push(fact.id)
      else this.#marks.set(hex(this.#markOf(serial)), serial)
    }
    for (const mark of this.#marks.keys()) ids.push(unhex(mark))
    return ids.sort(compareBytes)
  }

  /** H16("peertap full v1" | 0x00 | serial). */
  #markOf(serial: string): Uint8Array {
    return this.#crypto.hash.hash16(concat(FULL_LABEL, unhex(serial)))
  }
}

/** The higher version; of two with one number, which only a muddled authority signs, the lower id. */
function isNewer(charter: Charter, than: Charter): boolean {
  if (charter.version !== than.version) return charter.version > than.version
  return compareBytes(charter.id, than.id) < 0
}
