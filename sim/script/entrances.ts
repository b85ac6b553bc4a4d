/**
 * How nodes come into their VLANs: at once where the key is shared, when the scenario says where there is an
 * MLS group to be let into; and guests that are shown out again.
 */
import { hex } from '../../core/ids.ts'
import { type Micros, SECOND } from '../../core/io.ts'
import type { Entrance } from '../../core/member/identity.ts'
import { recordOf } from '../../core/member/records.ts'
import type { MlsVlan } from '../mls-vlans.ts'
import type { SimNode } from '../node.ts'
import { endOfGuests } from '../scenario/entrances.ts'
import type { Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import { portOf, type SimVlan } from '../vlans.ts'
import { putOut } from './evictions.ts'

/** The first member at once, the others one after the other over the time that the scenario gives. */
function entersAt(vlan: SimVlan, node: number): Micros {
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

/** The node is up: into all its VLANs, now or when it is time. */
export function joinVlans(stage: Stage, node: SimNode): void {
  const { world } = stage
  for (const vlan of stage.vlansOf[node.index] ?? []) {
    const { mls } = vlan
    if (mls === undefined) {
      const port = portOf(vlan.index)
      node.host?.command({ kind: 'openPort', port, vlan: vlan.membership(node.index) })
      listen(stage, node, vlan)
      continue
    }
    const { life } = node
    const at = node.records.size > 0 ? 0 : entersAt(vlan, node.index)
    if (at <= world.now) enter(stage, node, vlan, mls)
    else world.at(at, () => node.life === life && enter(stage, node, vlan, mls))
  }
}

function listen({ world }: Stage, node: SimNode, vlan: SimVlan): void {
  if (!vlan.listeners.includes(node.index)) return
  world.command(node, { kind: 'joinGroup', port: portOf(vlan.index), mac: vlan.groupMac })
}

function enter(stage: Stage, node: SimNode, vlan: SimVlan, mls: MlsVlan): void {
  const { world, groups, reach } = stage
  // Who was told that it is out has nothing to come back to.
  if (!node.up || node.leaving || groups.isOver(vlan.index, node.index)) return
  const port = portOf(vlan.index)
  const isFounder = mls.founder === node.index && node.life === 1
  const stored = {
    head: node.records.get(recordOf(port, 'head')),
    next: node.records.get(recordOf(port, 'next')),
    ledger: node.records.get(recordOf(port, 'ledger')),
  }
  const entrance: Entrance =
    stored.head !== undefined
      ? { kind: 'restore', stored }
      : isFounder
        ? { kind: 'found' }
        : { kind: 'join', mayFound: false }
  const memberKey = mls.memberKey(node.index)
  groups.know(vlan.index, node.index, memberKey)
  reach.know(node.index, hex(memberKey))
  groups.asked(world.now, vlan.index, node.index, stored.head !== undefined)
  world.command(node, { kind: 'enter', port, identity: mls.identity(node.index), entrance })
  listen(stage, node, vlan)
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
