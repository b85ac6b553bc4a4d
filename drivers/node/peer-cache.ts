/**
 * Peers that a node knew when it last ran, so that it finds back without its contacts. JSON, bytes in hex.
 */
import { z } from 'zod'
import { hex, unhex } from '../../core/ids.ts'
import { type PeerHint, type PeerId, REACHABILITY } from '../../core/io.ts'

/** Guess: several times what the core keeps of a mesh. */
const CACHED_PEERS_MAX = 256
const ADDRESSES_MAX = 16
/** See Address in core/io.ts. */
const ADDRESS_HEX_MAX = 64

const cached = z
  .array(
    z.strictObject({
      peer: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .transform((text) => text as PeerId),
      addresses: z
        .array(
          z
            .string()
            .regex(/^(?:[0-9a-f]{2})*$/)
            .max(ADDRESS_HEX_MAX)
            .transform(unhex),
        )
        .max(ADDRESSES_MAX),
      reach: z.enum(REACHABILITY),
    }),
  )
  .max(CACHED_PEERS_MAX)

/** Of the first CACHED_PEERS_MAX. */
export function encodePeers(peers: readonly PeerHint[]): Uint8Array {
  const value = peers.slice(0, CACHED_PEERS_MAX).map(({ peer, addresses, reach }) => {
    return { peer, addresses: addresses.slice(0, ADDRESSES_MAX).map(hex), reach }
  })
  return new TextEncoder().encode(JSON.stringify(value))
}

/** What is wrong with it, for anything that `encodePeers` does not write. */
export function decodePeers(
  body: Uint8Array,
):
  | { readonly ok: true; readonly value: readonly PeerHint[] }
  | { readonly ok: false; readonly wrong: string } {
  try {
    return { ok: true, value: cached.parse(JSON.parse(new TextDecoder().decode(body))) }
  } catch {
    return { ok: false, wrong: 'was written by another version of PeerTap' }
  }
}
