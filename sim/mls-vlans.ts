/**
 * Who is who in a simulated VLAN whose group MLS keeps: an authority, its Charter, and an invitation that
 * each member but the first has redeemed. All of it is made before the run, as people do before they
 * connect; how members find each other is the network's.
 */
import type { Crypto } from '../core/crypto/ports.ts'
import type { Keys } from '../core/dice.ts'
import { type Founding, found } from '../core/ledger/founding.ts'
import { makeGrant, makeRedemption } from '../core/ledger/issue.ts'
import type { IssuerKeys } from '../core/ledger/shapes.ts'
import type { VlanIdentity } from '../core/member/identity.ts'
import { SUITE } from '../core/mls/engine.ts'
import { WALL_START } from './node.ts'
import { keysFrom, type Streams } from './random.ts'

const DAY = 86_400_000
const GRANT_LIFE = 90 * DAY

export class MlsVlan {
  readonly founder: number
  readonly #crypto: Crypto
  readonly #streams: Streams
  readonly #index: number
  readonly #founding: Founding
  readonly #identities = new Map<number, VlanIdentity>()
  /** Whose invitation a node redeemed, where it is not its own. */
  readonly #borrowed = new Map<number, number>()

  constructor(crypto: Crypto, streams: Streams, index: number, founder: number, privacy: 'spec' | 'private') {
    this.#crypto = crypto
    this.#streams = streams
    this.#index = index
    this.founder = founder
    const terms = {
      label: `vlan ${index}`,
      privacy,
      suite: SUITE.x25519,
      mtu: 1_280,
      sign: 'group',
      padding: 'small',
    } as const
    const keys = keysFrom(streams.stream(`vlan/${index}/authority`))
    this.#founding = found(crypto, keys, { terms, now: WALL_START, lifeMillis: GRANT_LIFE })
  }

  get issuer(): IssuerKeys {
    return this.#founding.issuer
  }

  memberKey(node: number): Uint8Array {
    return this.#crypto.signatures.publicKey(this.identity(node).memberSeed)
  }

  /** The second node redeems the first one's invitation too. To be said before its identity is asked for. */
  share(first: number, second: number): void {
    this.#borrowed.set(second, first)
  }

  identity(node: number): VlanIdentity {
    const known = this.#identities.get(node)
    if (known !== undefined) return known
    const identity = node === this.founder ? this.#founders() : this.#guests(node)
    this.#identities.set(node, identity)
    return identity
  }

  #founders(): VlanIdentity {
    const { memberSeed, grant, facts } = this.#founding
    return { ...this.#pinned(), memberSeed, serial: grant.id, facts: facts.map(({ bytes }) => bytes) }
  }

  #guests(node: number): VlanIdentity {
    const { issuer, vlan } = this.#founding
    const crypto = this.#crypto
    const { seed, keys } = this.#drawsOf(this.#borrowed.get(node) ?? node)
    const { memberSeed } = this.#drawsOf(node)
    const grant = makeGrant(crypto, keys, issuer, vlan, {
      holderKind: 'invitation',
      holder: crypto.signatures.publicKey(seed),
      role: 'member',
      end: WALL_START + GRANT_LIFE,
    })
    const redemption = makeRedemption(crypto, grant, seed, memberSeed)
    const expected = { floor: { authority: 0, issuer: 0 }, issuer: undefined }
    const facts = [grant.bytes, redemption.bytes]
    return { ...this.#pinned(), memberSeed, serial: grant.id, facts, expected }
  }

  /** Drawn anew each time, and the same each time. */
  #drawsOf(node: number): {
    readonly seed: Uint8Array
    readonly memberSeed: Uint8Array
    readonly keys: Keys
  } {
    const keys = keysFrom(this.#streams.stream(`member/${this.#index}/${node}`))
    return { seed: keys.bytes(32), memberSeed: keys.bytes(32), keys }
  }

  #pinned(): Pick<VlanIdentity, 'policy' | 'label' | 'doorKey'> {
    const { charter, doorKey } = this.#founding
    return { policy: charter.policy, label: charter.label, doorKey }
  }
}
