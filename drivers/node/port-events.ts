/** What becomes of the interfaces of VLANs when the core notes something of their ports. */
import type { NodeEvent } from '../../core/io.ts'
import type { VlanVerbs } from '../control/vlans.ts'
import type { Interfaces } from './interfaces.ts'

/** mesh:M10: a frame in one datagram on a path of 1,500 bytes. */
const MTU_DEFAULT = 1_280

export function onPortEvent(event: NodeEvent, verbs: VlanVerbs, interfaces: Interfaces): void {
  if (event.kind === 'portUp') {
    const shown = verbs.show(event.vlan).outcome
    // Removed in the same turn.
    if (shown === undefined || !shown.ok) return
    const { vlan, label, member, terms } = shown.value
    const mtu = terms?.mtu ?? MTU_DEFAULT
    interfaces.portUp({ port: event.port, vlan, member, label, mac: event.mac, mtu })
  } else if (event.kind === 'macChanged') {
    interfaces.macChanged(event.port, event.mac)
  } else if (event.kind === 'group' && event.event.kind === 'ended') {
    interfaces.portDown(event.port)
  }
}
