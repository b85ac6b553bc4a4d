/**
 * A certificate as it is shown at a door, before its signatures are looked at: who it is about and what it
 * rests on (sec:C4). Knows the forms of facts; what they are worth says a ledger.
 */
import type { Hash } from '../crypto/ports.ts'
import { sameBytes } from '../ids.ts'
import { decodeChain } from '../ledger/certificate.ts'
import { decodeFact, FACT, type Fact, type Grant, type Redemption } from '../ledger/facts.ts'

export interface ShownChain {
  /** Whom the facts are said to certify, 32 bytes. */
  readonly member: Uint8Array
  readonly grant: Grant
  readonly redemption: Redemption | undefined
  /** All of it, each after what it rests on. */
  readonly facts: readonly Fact[]
}

/** Undefined unless it is one Grant with what it needs and no more, all of this VLAN. */
export function readChain(hash: Hash, vlan: Uint8Array, given: Uint8Array): ShownChain | undefined {
  const shown = decodeChain(given)
  if (shown === undefined) return undefined
  const facts: Fact[] = []
  for (const each of shown) {
    const fact = decodeFact(hash, each.slice())
    if (typeof fact === 'string' || !sameBytes(fact.vlan, vlan)) return undefined
    facts.push(fact)
  }
  const grant = facts.pop()
  if (grant?.kind !== FACT.grant) return undefined
  const redemption = grant.holderKind === 'invitation' ? facts.pop() : undefined
  if (grant.holderKind === 'invitation' && !redeems(redemption, grant)) return undefined
  const issuer = grant.issuer === undefined ? undefined : facts.pop()
  if (grant.issuer !== undefined && !isIssuer(issuer, grant.issuer)) return undefined
  if (facts.length > 0) return undefined
  const all = [issuer, grant, redemption].filter((fact) => fact !== undefined)
  const redeemed = redemption?.kind === FACT.redemption ? redemption : undefined
  return { member: redeemed?.member ?? grant.holder, grant, redemption: redeemed, facts: all }
}

function redeems(fact: Fact | undefined, grant: Grant): boolean {
  return fact?.kind === FACT.redemption && sameBytes(fact.serial, grant.id)
}

function isIssuer(fact: Fact | undefined, serial: Uint8Array): boolean {
  return fact?.kind === FACT.grant && sameBytes(fact.id, serial)
}
