/**
 * Keys with which invitations were redeemed that have not led in. Whoever redeems one binds it to a member
 * key (sec:C5), and members may know of that: with another key the invitation is spent, with the same one it
 * can be used again. One that is over goes with whatever is kept next; of too many the oldest go first.
 */
import { sameBytes } from '../../core/ids.ts'
import type { HeldVlan } from './held.ts'
import type { KeptRedemption } from './node.ts'

/** As many as VLANs of one node. */
const REDEEMED_MAX = 64

/** Of a VLAN that is going to be forgotten; undefined for one that is not still asking to be let in. */
export function redemptionOf(held: HeldVlan): KeptRedemption | undefined {
  const { identity, entered } = held.kept
  if (entered !== 'invited' || !held.neverIn()) return undefined
  const grant = held.grants().find(({ id }) => sameBytes(id, identity.serial))
  // A copy: the other is zeroed with the VLAN.
  return grant && { serial: grant.id, memberSeed: identity.memberSeed.slice(), endsMillis: grant.end }
}

/** One more. */
export function withRedemption(
  kept: readonly KeptRedemption[],
  one: KeptRedemption,
): readonly KeptRedemption[] {
  return [...withoutRedemption(kept, one.serial), one].slice(-REDEEMED_MAX)
}

/** Those that are not over; `now` is 0 while the clock is not set. */
export function lastingRedemptions(kept: readonly KeptRedemption[], now: number): readonly KeptRedemption[] {
  return kept.filter(({ endsMillis }) => now < endsMillis)
}

export function withoutRedemption(
  kept: readonly KeptRedemption[],
  serial: Uint8Array,
): readonly KeptRedemption[] {
  return kept.filter((each) => !sameBytes(each.serial, serial))
}
