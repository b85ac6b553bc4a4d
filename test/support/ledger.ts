/**
 * A VLAN's people for tests of the ledger: authority, admins, members, invitations, each made with one word.
 * Secrets come from a counter, so the same script makes the same bytes.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import type { Charter, Fact, Grant, Leave, Redemption, Revocation, Terms } from '../../core/ledger/facts.ts'
import type { WallMillis } from '../../core/ledger/fields.ts'
import { type Founding, found } from '../../core/ledger/founding.ts'
import {
  type IssuerKeys,
  makeCharter,
  makeGrant,
  makeLeave,
  makeRedemption,
  makeRevocation,
  type RevocationOrder,
} from '../../core/ledger/issue.ts'
import { Ledger } from '../../core/ledger/ledger.ts'
import { standInCrypto } from '../../sim/crypto.ts'

export const DAY: WallMillis = 86_400_000
/** The day on which tests happen: 2026-01-01. */
export const NOW: WallMillis = 1_767_225_600_000

export const TERMS: Omit<Terms, 'policy' | 'version' | 'settled'> = {
  label: 'home',
  privacy: 'private',
  suite: 3,
  mtu: 1_280,
  sign: 'group',
  padding: 'small',
}

/** Secrets that count: reproducible, all different. */
export function countingKeys(seed = 1): Keys {
  let count = 0
  return {
    bytes: (length) => {
      const bytes = new Uint8Array(length)
      count += 1
      for (let at = 0; at < length; at++) bytes[at] = (seed * 151 + count * 31 + at * 7 + (count >> 3)) & 0xff
      bytes[0] = count & 0xff
      bytes[1] = count >> 8
      bytes[2] = seed & 0xff
      return bytes
    },
  }
}

export interface Person {
  readonly seed: Uint8Array
  readonly key: Uint8Array
}

/** Somebody with a Grant in the own name. */
export interface Holder extends Person {
  readonly grant: Grant
  readonly serial: Uint8Array
  /** For an admin. */
  readonly issuer: IssuerKeys
}

export interface Invited {
  readonly seed: Uint8Array
  readonly grant: Grant
  readonly serial: Uint8Array
}

export interface Redeemer extends Person {
  readonly redemption: Redemption
}

export class Vlan {
  readonly crypto: Crypto
  readonly keys: Keys
  readonly founding: Founding
  readonly authority: IssuerKeys
  readonly id: Uint8Array

  constructor(crypto: Crypto = standInCrypto, seed = 1, authority?: IssuerKeys) {
    this.crypto = crypto
    this.keys = countingKeys(seed)
    const order = { terms: TERMS, now: NOW }
    this.founding = found(
      crypto,
      this.keys,
      authority === undefined ? order : { ...order, issuer: authority },
    )
    this.authority = this.founding.issuer
    this.id = this.founding.vlan
  }

  /** With the facts given, which must all be new to it. */
  ledger(...facts: readonly Fact[]): Ledger {
    const policy = this.authority.kind === 'authority' ? this.authority.policy : undefined
    if (policy === undefined) throw new Error('the authority of a test is an admin')
    const ledger = new Ledger(this.crypto, { policy, label: TERMS.label })
    for (const fact of facts) {
      const outcome = ledger.add(fact.bytes)
      if (outcome !== 'added' && outcome !== 'waiting') throw new Error(`a fact of the test was ${outcome}`)
    }
    return ledger
  }

  person(): Person {
    const seed = this.keys.bytes(32)
    return { seed, key: this.crypto.signatures.publicKey(seed) }
  }

  member(issuer = this.authority, end = NOW + 90 * DAY, person = this.person()): Holder {
    return this.holder(issuer, 'member', end, person)
  }

  admin(end = NOW + 90 * DAY, person = this.person()): Holder {
    return this.holder(this.authority, 'admin', end, person)
  }

  invitation(issuer = this.authority, end = NOW + 90 * DAY): Invited {
    const { seed, key } = this.person()
    const order = { holderKind: 'invitation', holder: key, role: 'member', end } as const
    const grant = makeGrant(this.crypto, this.keys, issuer, this.id, order)
    return { seed, grant, serial: grant.id }
  }

  redeemer({ grant, seed }: Invited, person = this.person()): Redeemer {
    return { ...person, redemption: makeRedemption(this.crypto, grant, seed, person.seed) }
  }

  revoke(
    target: Uint8Array,
    number: number,
    issuer = this.authority,
    more: Partial<RevocationOrder> = {},
  ): Revocation {
    const kind = target.length === 16 ? 'serial' : 'key'
    return makeRevocation(this.crypto, issuer, this.id, { target: { kind, bytes: target }, number, ...more })
  }

  leave(serial: Uint8Array, { seed }: Person): Leave {
    return makeLeave(this.crypto, this.id, serial, seed)
  }

  charter(more: Partial<Terms>): Charter {
    const { policy } = this.founding.charter
    return makeCharter(this.crypto, this.authority, this.id, {
      ...TERMS,
      policy,
      version: 2,
      settled: 0,
      ...more,
    })
  }

  private holder(issuer: IssuerKeys, role: 'member' | 'admin', end: WallMillis, person: Person): Holder {
    const order = { holderKind: 'member', holder: person.key, role, end } as const
    const grant = makeGrant(this.crypto, this.keys, issuer, this.id, order)
    const own = { kind: 'admin', serial: grant.id, seed: person.seed } as const
    return { ...person, grant, serial: grant.id, issuer: own }
  }
}
