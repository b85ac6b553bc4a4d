/**
 * The facts of a ledger by everything that is asked about them: id, serial, member key, target, issuer.
 * It takes in and gives up facts that were judged elsewhere; it judges nothing and knows no time.
 *
 * Ids, serials and keys are hex here. Lists come sorted by id or serial, so that no answer depends on the
 * order in which facts arrived.
 */
import { hex } from '../ids.ts'
import {
  type Charter,
  FACT,
  type Fact,
  type Grant,
  type Leave,
  type Redemption,
  type Revocation,
} from './facts.ts'

/** The authority among issuers, which otherwise are the serials of admins in hex. */
export const AUTHORITY = ''

/** What one issuer has issued. */
export interface Issued {
  grants: number
  revocations: number
  /** How many revocations bear each number: two may, by mistake or malice, and both count. */
  readonly numbers: Map<number, number>
}

export class Book {
  /** The newest. */
  charter: Charter | undefined
  readonly #facts = new Map<string, Fact>()
  readonly #redemptions = new Map<string, Redemption[]>()
  readonly #leavesOfSerial = new Map<string, Leave[]>()
  readonly #leavesOfKey = new Map<string, Leave[]>()
  /** Serials that a key holds: granted to it, or redeemed by it. */
  readonly #serials = new Map<string, string[]>()
  /** By target: a serial of 32 digits or a key of 64. */
  readonly #revocations = new Map<string, Revocation[]>()
  readonly #issuers = new Map<string, Issued>()

  get size(): number {
    return this.#facts.size
  }

  /** In the order they came. */
  facts(): IterableIterator<Fact> {
    return this.#facts.values()
  }

  get(id: string): Fact | undefined {
    return this.#facts.get(id)
  }

  grant(serial: string): Grant | undefined {
    const fact = this.#facts.get(serial)
    return fact?.kind === FACT.grant ? fact : undefined
  }

  redemptions(serial: string): readonly Redemption[] {
    return this.#redemptions.get(serial) ?? []
  }

  /** Of those who hold or redeemed the serial. */
  leavesOfSerial(serial: string): readonly Leave[] {
    return this.#leavesOfSerial.get(serial) ?? []
  }

  leavesOfKey(key: string): readonly Leave[] {
    return this.#leavesOfKey.get(key) ?? []
  }

  /** Member keys that hold the serial: one, or as many as redeemed an invitation. */
  keysOf(serial: string): readonly string[] {
    const grant = this.grant(serial)
    if (grant === undefined) return []
    if (grant.holderKind === 'member') return [hex(grant.holder)]
    return this.redemptions(serial).map((redemption) => hex(redemption.member))
  }

  serialsOf(key: string): readonly string[] {
    return this.#serials.get(key) ?? []
  }

  revocationsOf(target: string): readonly Revocation[] {
    return this.#revocations.get(target) ?? []
  }

  issued(issuer: string): Issued | undefined {
    return this.#issuers.get(issuer)
  }

  add(fact: Fact): void {
    this.#facts.set(hex(fact.id), fact)
    switch (fact.kind) {
      case FACT.charter:
        this.charter = fact
        return
      case FACT.grant:
        this.#issuedBy(fact).grants += 1
        if (fact.holderKind === 'member') insert(this.#serials, hex(fact.holder), hex(fact.id))
        return
      case FACT.redemption:
        insertFact(this.#redemptions, hex(fact.serial), fact)
        insert(this.#serials, hex(fact.member), hex(fact.serial))
        return
      case FACT.revocation: {
        insertFact(this.#revocations, hex(fact.target.bytes), fact)
        const issued = this.#issuedBy(fact)
        issued.revocations += 1
        issued.numbers.set(fact.number, (issued.numbers.get(fact.number) ?? 0) + 1)
        return
      }
      case FACT.leave:
        insertFact(this.#leavesOfSerial, hex(fact.serial), fact)
        insertFact(this.#leavesOfKey, hex(fact.member), fact)
    }
  }

  remove(fact: Fact): void {
    this.#facts.delete(hex(fact.id))
    switch (fact.kind) {
      case FACT.charter:
        if (this.charter === fact) this.charter = undefined
        return
      case FACT.grant:
        this.#issuedBy(fact).grants -= 1
        this.#forgetIssuer(fact)
        if (fact.holderKind === 'member') drop(this.#serials, hex(fact.holder), hex(fact.id))
        return
      case FACT.redemption:
        drop(this.#redemptions, hex(fact.serial), fact)
        drop(this.#serials, hex(fact.member), hex(fact.serial))
        return
      case FACT.revocation: {
        drop(this.#revocations, hex(fact.target.bytes), fact)
        const issued = this.#issuedBy(fact)
        issued.revocations -= 1
        const same = (issued.numbers.get(fact.number) ?? 1) - 1
        if (same > 0) issued.numbers.set(fact.number, same)
        else issued.numbers.delete(fact.number)
        this.#forgetIssuer(fact)
        return
      }
      case FACT.leave:
        drop(this.#leavesOfSerial, hex(fact.serial), fact)
        drop(this.#leavesOfKey, hex(fact.member), fact)
    }
  }

  #issuedBy(fact: Grant | Revocation): Issued {
    const issuer = issuerName(fact)
    const known = this.#issuers.get(issuer)
    if (known !== undefined) return known
    const issued = { grants: 0, revocations: 0, numbers: new Map<number, number>() }
    this.#issuers.set(issuer, issued)
    return issued
  }

  #forgetIssuer(fact: Grant | Revocation): void {
    const issued = this.#issuedBy(fact)
    if (issued.grants === 0 && issued.revocations === 0) this.#issuers.delete(issuerName(fact))
  }
}

export function issuerName(fact: Grant | Revocation): string {
  return fact.issuer === undefined ? AUTHORITY : hex(fact.issuer)
}

/** Keeps the list sorted. Lists are short: a member has a few serials, a target a few revocations. */
function insert(lists: Map<string, string[]>, name: string, value: string): void {
  const known = lists.get(name)
  if (known === undefined) lists.set(name, [value])
  else
    known.splice(
      placeOf(known, value, (item) => item),
      0,
      value,
    )
}

function insertFact<F extends Fact>(lists: Map<string, F[]>, name: string, fact: F): void {
  const known = lists.get(name)
  if (known === undefined) lists.set(name, [fact])
  else
    known.splice(
      placeOf(known, hex(fact.id), (item) => hex(item.id)),
      0,
      fact,
    )
}

/** Index of the first item that is not less. */
function placeOf<T>(items: readonly T[], name: string, nameOf: (item: T) => string): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (nameOf(items[middle] as T) < name) low = middle + 1
    else high = middle
  }
  return low
}

function drop<T>(lists: Map<string, T[]>, name: string, value: T): void {
  const known = lists.get(name)
  const at = known?.indexOf(value) ?? -1
  if (known === undefined || at < 0) return
  known.splice(at, 1)
  if (known.length === 0) lists.delete(name)
}
