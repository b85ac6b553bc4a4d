/**
 * Keys with which invitations were redeemed that have not led in. Whoever redeems one binds it to a member
 * key (sec:C5), and members may know of that: with another key the invitation is spent, with the same one it
 * can be used again. One that is over goes when another one is added; of too many the oldest go first.
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

/** One more; `now` is 0 while the clock is not set. */
export function withRedemption(
  kept: readonly KeptRedemption[],
  one: KeptRedemption,
  now: number,
): readonly KeptRedemption[] {
  const others = withoutRedemption(kept, one.serial).filter(({ endsMillis }) => now < endsMillis)
  return [...others, one].slice(-REDEEMED_MAX)
}

export function withoutRedemption(
  kept: readonly KeptRedemption[],
  serial: Uint8Array,
): readonly KeptRedemption[] {
  return kept.filter((each) => !sameBytes(each.serial, serial))
}
