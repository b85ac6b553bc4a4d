/**
 * The rules of standing.ts a second time, without index or shortcut: sets over all facts, straight from the
 * sentences of the protocol. Slow, and used to judge the ledger's answers.
 */
import { hex } from '../../core/ids.ts'
import {
  FACT,
  type Fact,
  type Grant,
  type Leave,
  type Redemption,
  type Revocation,
} from '../../core/ledger/facts.ts'
import type { Refused } from '../../core/ledger/refusals.ts'
import type { Lineage } from '../../core/ledger/standing.ts'

interface Pair {
  readonly key: string
  readonly grant: Grant
}

export class Oracle {
  readonly #grants: readonly Grant[]
  readonly #redemptions: readonly Redemption[]
  readonly #revocations: readonly Revocation[]
  readonly #leaves: readonly Leave[]
  readonly #pairs: readonly Pair[]
  readonly #lineage: Lineage

  /** All true facts, in any order. */
  constructor(facts: readonly Fact[], lineage: Lineage) {
    const grants = facts.filter((fact) => fact.kind === FACT.grant)
    const redemptions = facts.filter((fact) => fact.kind === FACT.redemption)
    this.#grants = grants
    this.#redemptions = redemptions
    this.#revocations = facts.filter((fact) => fact.kind === FACT.revocation)
    this.#leaves = facts.filter((fact) => fact.kind === FACT.leave)
    this.#lineage = lineage
    this.#pairs = grants.flatMap((grant): Pair[] =>
      grant.holderKind === 'member'
        ? [{ key: hex(grant.holder), grant }]
        : redemptions
            .filter((each) => hex(each.serial) === hex(grant.id))
            .map((each) => ({ key: hex(each.member), grant })),
    )
  }

  why(key: string): Refused | undefined {
    if (this.#revocations.some((each) => this.#counts(each, key) && this.#names(each, key))) return 'revoked'
    if (this.#leaves.some((leave) => hex(leave.member) === key)) return 'left'
    const held = this.#pairs.filter((pair) => pair.key === key)
    const reasons = held.map((pair) => this.#fall(pair))
    if (reasons.length === 0 || reasons.includes(undefined)) return undefined
    for (const reason of ['revoked', 'void', 'lost'] as const) if (reasons.includes(reason)) return reason
    return undefined
  }

  /** Ids of the Grants of the key that stand. */
  standing(key: string): string[] {
    const held = this.#pairs.filter((pair) => pair.key === key && this.#fall(pair) === undefined)
    return held.map((pair) => hex(pair.grant.id)).sort()
  }

  /** The revocation is of the key, or of a serial that it holds. */
  #names(revocation: Revocation, key: string): boolean {
    const target = hex(revocation.target.bytes)
    return target === key || this.#pairs.some((pair) => pair.key === key && hex(pair.grant.id) === target)
  }

  #isAdmin(key: string): boolean {
    return this.#grants.some((grant) => grant.role === 'admin' && hex(grant.holder) === key)
  }

  /** The revocation counts against the key. */
  #counts(revocation: Revocation, key: string): boolean {
    if (revocation.issuer === undefined) return true
    if (this.#isAdmin(key)) return false
    const against = this.#againstIssuer(hex(revocation.issuer))
    return against.length === 0 || Math.max(...against.map((each) => each.standing)) >= revocation.number
  }

  #againstIssuer(serial: string): Revocation[] {
    const admin = this.#grants.find((grant) => hex(grant.id) === serial)
    if (admin === undefined) return []
    return this.#revocations.filter(
      (each) => each.issuer === undefined && this.#names(each, hex(admin.holder)),
    )
  }

  #fall({ key, grant }: Pair): Refused | undefined {
    const serial = hex(grant.id)
    const sharers = this.#pairs.filter((pair) => hex(pair.grant.id) === serial).map((pair) => pair.key)
    const isBurnt = this.#revocations.some((each) => {
      const target = hex(each.target.bytes)
      if (target === serial) return this.#counts(each, key)
      return sharers.includes(target) && this.#counts(each, key) && this.#counts(each, target)
    })
    if (isBurnt) return 'revoked'
    if (grant.issuer !== undefined) {
      const against = this.#againstIssuer(hex(grant.issuer))
      const isKept = against.some((each) => each.kept.some((kept) => hex(kept) === serial))
      if (against.length > 0 && !isKept) return 'void'
    }
    const joined = (each: Redemption): number =>
      this.#lineage.joined(each.serial, each.member) ?? Number.POSITIVE_INFINITY
    const [first] = this.#redemptions
      .filter((each) => hex(each.serial) === serial && joined(each) < Number.POSITIVE_INFINITY)
      .sort((a, b) => joined(a) - joined(b) || (hex(a.id) < hex(b.id) ? -1 : 1))
    return first !== undefined && hex(first.member) !== key ? 'lost' : undefined
  }
}
