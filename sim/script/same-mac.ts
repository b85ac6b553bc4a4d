/**
 * Two members of a VLAN use one MAC: because a machine behind one was given that of the other's port, because
 * two machines were cloned, or because one in 2^46 draws gave it. While that lasts both send, and a third
 * member sends to the MAC.
 */
import { MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import { FRAME_KIND } from '../checks/delivery.ts'
import type { PlantedMacs } from '../hostile/planted.ts'
import type { Random } from '../random.ts'
import type { Fault } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import type { SimVlan } from '../vlans.ts'

type SameMac = Extract<Fault, { kind: 'same-mac' }>

const SPACING: Micros = 200 * MILLISECOND
const FRAME_BYTES = 100
const TWO_TO_32 = 4_294_967_296

/** `stayers`: members that may be taken, in the order of a draw. Answers how many nodes it hits. */
export function sameMac(
  stage: Stage,
  fault: SameMac,
  random: Random,
  stayers: number[],
  planted: PlantedMacs,
): number {
  const vlan = stage.vlans[0]
  if (vlan?.mls === undefined) return 0
  let hit = 0
  for (let pair = 0; pair < fault.pairs; pair++) {
    if (fault.how === 'drawn') {
      const victim = stayers.pop()
      const guest = vlan.guests.find((node) => stage.macOf(node, 0) === undefined && !stage.drawing.has(node))
      if (victim === undefined || guest === undefined) return hit
      draw(stage, fault, vlan, victim, guest, planted)
      hit += 2
      continue
    }
    const [first, second] = [stayers.pop(), stayers.pop()]
    if (first === undefined || second === undefined) return hit
    const cloned = 0x02_00_00_00_00_00 + random.below(TWO_TO_32)
    const mac = fault.how === 'set' ? stage.macOf(first, 0) : cloned
    if (mac === undefined) continue
    if (fault.how === 'cloned') use(stage, fault, first, mac)
    use(stage, fault, second, mac)
    clash(stage, fault, vlan, mac, [first, second])
    hit += 2
  }
  return hit
}

/** The machine behind a member's port uses that MAC for a while; nothing is owed to or by it. */
function use(stage: Stage, { forSeconds }: SameMac, node: number, mac: number): void {
  const own = stage.macOf(node, 0)
  stage.macs.set(node * 65_536, mac)
  stage.clashing.add(node)
  stage.world.at(stage.world.now + Math.round(forSeconds * SECOND), () => {
    if (own !== undefined) stage.macs.set(node * 65_536, own)
    stage.clashing.delete(node)
  })
}

/** The guest's first MAC will be the victim's. */
function draw(
  stage: Stage,
  fault: SameMac,
  vlan: SimVlan,
  victim: number,
  guest: number,
  planted: PlantedMacs,
): void {
  const mac = stage.macOf(victim, 0)
  if (mac === undefined || vlan.mls === undefined) return
  planted.arm(vlan.mls.memberKey(guest), mac)
  stage.drawing.set(guest, () => clash(stage, fault, vlan, mac, [victim, guest]))
}

function clash(
  stage: Stage,
  { forSeconds }: SameMac,
  vlan: SimVlan,
  mac: number,
  nodes: readonly [number, number],
): void {
  const { world } = stage
  const until = world.now + Math.round(forSeconds * SECOND)
  const third = vlan.members.find((node) => !nodes.includes(node) && stage.macOf(node, 0) !== undefined)
  stage.clashes.begin(vlan.index, mac, nodes, world.now, until)
  const tick = (): void => {
    if (world.now >= until || third === undefined) return
    const there = stage.macOf(third, 0)
    for (const node of nodes)
      if (there !== undefined && stage.isUp(node))
        stage.send(FRAME_KIND.probe, vlan.index, node, [], there, FRAME_BYTES)
    stage.send(FRAME_KIND.probe, vlan.index, third, [], mac, FRAME_BYTES)
    world.at(world.now + SPACING, tick)
  }
  tick()
}
