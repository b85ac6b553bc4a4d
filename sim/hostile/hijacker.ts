/**
 * A machine that claims tokens which are not its own (sec:M12), with all that it has: bare, with proofs that
 * it makes up, with proofs of the owners that it saw go by, and, where it is or was a member and knows the
 * salt, with good ones. It speaks on its node's own link up the tree, as if it were the node.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import { hex, unhex } from '../../core/ids.ts'
import type { LinkId, Micros } from '../../core/io.ts'
import { BATCH, encodeRegister, REGISTER_FLAG } from '../../core/vlan/messages.ts'
import { proveRoute, routeToken } from '../../core/vlan/tokens.ts'
import type { Sighting, Sightings } from './sightings.ts'

type Added = Parameters<typeof encodeRegister>[0]['added'][number]

const LIFETIME_SECONDS = 600
const NO_HASH = new Uint8Array(8)

export class Hijacker {
  readonly #crypto: Crypto
  readonly #keys: Keys
  readonly #sightings: Sightings
  /** Seeds by the tokens that they stand for, by VLAN. */
  readonly #known = new Map<string, Map<string, Uint8Array>>()
  readonly #derived = new Set<string>()
  #turn = 0

  constructor(crypto: Crypto, keys: Keys, sightings: Sightings) {
    this.#crypto = crypto
    this.#keys = keys
    this.#sightings = sightings
  }

  /** What to say to the upper at the end of that link now; another kind of claim each time. */
  strike(now: Micros, link: LinkId): Uint8Array[] {
    const packets: Uint8Array[] = []
    this.#turn += 1
    for (const [name, tokens] of this.#sightings.vlans) {
      const vlan = unhex(name)
      const added = this.#claimsOf(now, name, vlan, tokens)
      for (let from = 0; from < added.length; from += BATCH) {
        const batch = added.slice(from, from + BATCH)
        packets.push(this.#message(link, name, vlan, batch))
        this.#sightings.claims += batch.length
        for (const { token } of batch) this.#sightings.claimed.add(`${name}/${hex(token)}`)
      }
    }
    return packets
  }

  #message(link: LinkId, name: string, vlan: Uint8Array, added: Added[]): Uint8Array {
    // Where the node is registered itself, what is added looks like its own.
    const own = this.#sightings.said.get(`${link}/${name}`)
    const flags = own === undefined ? REGISTER_FLAG.begin | REGISTER_FLAG.end : 0
    const { serial, setHash } = own ?? { serial: 1, setHash: NO_HASH }
    return encodeRegister({ vlan, tree: 0, serial, flags, added, removed: [], setHash })
  }

  #claimsOf(now: Micros, name: string, vlan: Uint8Array, tokens: Map<string, Sighting>): Added[] {
    const seeds = this.#seedsOf(name, vlan)
    const added: Added[] = []
    for (const [token, sighting] of tokens) {
      if (sighting.isRightful) continue
      added.push({ token: sighting.token, proof: this.#proof(now, vlan, seeds.get(token), sighting) })
    }
    // And what nobody has used yet.
    for (const [token, seed] of seeds)
      if (!tokens.has(token)) added.push({ token: unhex(token), proof: this.#prove(now, vlan, seed) })
    return added
  }

  #proof(
    now: Micros,
    vlan: Uint8Array,
    seed: Uint8Array | undefined,
    { proof }: Sighting,
  ): Uint8Array | undefined {
    switch (this.#turn % 3) {
      case 0:
        return undefined
      case 1:
        return this.#prove(now, vlan, this.#keys.bytes(32))
      default:
        return seed === undefined ? proof : this.#prove(now, vlan, seed)
    }
  }

  #prove(now: Micros, vlan: Uint8Array, seed: Uint8Array): Uint8Array {
    return proveRoute(this.#crypto, vlan, seed, Math.floor(now / 1_000), LIFETIME_SECONDS)
  }

  #seedsOf(name: string, vlan: Uint8Array): Map<string, Uint8Array> {
    const known = this.#known.get(name) ?? new Map<string, Uint8Array>()
    this.#known.set(name, known)
    for (const text of this.#sightings.seeds) {
      if (this.#derived.has(`${name}/${text}`)) continue
      this.#derived.add(`${name}/${text}`)
      const seed = unhex(text)
      known.set(hex(routeToken(this.#crypto, vlan, this.#crypto.signatures.publicKey(seed))), seed)
    }
    return known
  }
}
