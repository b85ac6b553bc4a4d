/**
 * The token by which a VLAN's door is found, and the routes by which the two ends of a session reach each
 * other (sec:C4). Knows routes and proofs, and nothing of what travels.
 *
 *     door    seed as of a MAC in a private VLAN, with salt = door key and MAC text "PEERTAP-DOOR"
 *     route   seed of 32 random bytes; the token of its key, so that only its owner can register it
 *
 * The form is that of private VLANs in `spec` ones too: a door is registered with a proof everywhere. Whoever
 * has the door key can register the door: all members, and all who were ever invited.
 */
import type { Crypto } from '../crypto/ports.ts'
import { proveRoute, routeSeedOf, routeToken } from '../vlan/tokens.ts'
import { ROUTE_LIFETIME_SECONDS } from './limits.ts'

const DOOR_TEXT = 'PEERTAP-DOOR'

/** A place in the mesh that its owner listens at. */
export interface Route {
  /** Secret, 32 bytes: who has it may register the token. */
  readonly seed: Uint8Array
  /** 32 bytes: names the token to those who shall send there. */
  readonly key: Uint8Array
  /** 16 bytes, in the header of packets. */
  readonly token: Uint8Array
}

export function doorRoute(crypto: Crypto, vlan: Uint8Array, doorKey: Uint8Array): Route {
  return routeOf(crypto, vlan, routeSeedOf(crypto, { vlan, salt: doorKey }, DOOR_TEXT))
}

/** The route of a seed of 32 bytes. */
export function routeOf(crypto: Crypto, vlan: Uint8Array, seed: Uint8Array): Route {
  const key = crypto.signatures.publicKey(seed)
  return { seed, key, token: routeToken(crypto, vlan, key) }
}

/** The signed registration of a route, 105 bytes. `sequence`: rises with each, in milliseconds. */
export function routeProof(crypto: Crypto, vlan: Uint8Array, route: Route, sequence: number): Uint8Array {
  return proveRoute(crypto, vlan, route.seed, sequence, ROUTE_LIFETIME_SECONDS)
}
