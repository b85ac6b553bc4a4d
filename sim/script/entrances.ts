/**
 * When members of VLANs with an MLS group ask to be let in, and guests that are shown out again.
 */
import { type Micros, SECOND } from '../../core/io.ts'
import { endOfGuests } from '../scenario/entrances.ts'
import type { Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import type { SimVlan } from '../vlans.ts'
import { putOut } from './evictions.ts'

/** The first member at once, the others one after the other over the time that the scenario gives. */
export function entersAt(vlan: SimVlan, node: number): Micros {
  const { spec, guests, twins, members, enterFromSeconds, enterSeconds } = vlan
  const guest = guests.indexOf(node)
  if (guest >= 0 && spec.guests !== undefined)
    return Math.round((spec.guests.fromSeconds + guest * spec.guests.everySeconds) * SECOND)
  if (spec.twins !== undefined && twins.some((pair) => pair.includes(node)))
    return Math.round(spec.twins.atSeconds * SECOND)
  const place = members.indexOf(node)
  if (place <= 0) return 0
  const residents = members.length - guests.length - 2 * twins.length
  const share = (place - 1) / Math.max(1, residents - 2)
  return Math.round((enterFromSeconds + enterSeconds * share) * SECOND)
}

export function startGuests(stage: Stage): void {
  for (const vlan of stage.vlans) {
    const stay = vlan.spec.guests?.staySeconds
    if (vlan.mls === undefined || stay === undefined) continue
    for (const guest of vlan.guests)
      stage.world.at(entersAt(vlan, guest) + Math.round(stay * SECOND), () => putOut(stage, vlan, guest))
  }
}

/** When all have come and those who go have gone, in seconds; 0 where all come by themselves. */
export function entrancesEnd({ vlans }: Scenario): number {
  const ends = vlans.flatMap(({ guests, twins }) => [
    guests === undefined ? 0 : endOfGuests(guests),
    twins?.atSeconds ?? 0,
  ])
  return Math.max(0, ...ends)
}
