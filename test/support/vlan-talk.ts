/** What tests of a VLAN world have in common beyond the world. */
import { CHANNEL } from '../../core/io.ts'
import type { Member, Passing, VlanWorld } from './vlan-world.ts'

/** As `received` names it. */
export function name(member: Member): string {
  return `${member.node}:${member.port}`
}

/** Control messages from now on. */
export function listen(world: VlanWorld): Passing[] {
  const heard: Passing[] = []
  world.passes = (passing) => {
    if (passing.channel === CHANNEL.control) heard.push(passing)
    return true
  }
  return heard
}
