/** A machine claims tokens of others at its upper, once a second, for as long as it misbehaves. */
import { CHANNEL, type Micros, SECOND } from '../../core/io.ts'
import { CONTROL_HOP } from '../../core/wire/trunk.ts'
import { Hijacker } from '../hostile/hijacker.ts'
import type { SimNode } from '../node.ts'
import { keysFrom } from '../random.ts'
import type { Stage } from '../stage.ts'

export function hijack(stage: Stage, machine: SimNode, until: Micros): void {
  const { world, crypto, streams } = stage
  const { sightings } = machine
  if (sightings === undefined) return
  const hijacker = new Hijacker(crypto, keysFrom(streams.stream(`hijacker/${machine.index}`)), sightings)
  machine.hijacks += 1
  const tick = (): void => {
    if (world.now >= until) {
      machine.hijacks -= 1
      return
    }
    const { upper } = machine
    sightings.isForging = true
    if (machine.up && upper !== undefined)
      for (const packet of hijacker.strike(machine.now(), upper))
        world.send(machine, upper, CHANNEL.control, CONTROL_HOP, packet)
    sightings.isForging = false
    world.at(world.now + SECOND, tick)
  }
  tick()
}
