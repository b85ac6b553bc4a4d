/**
 * What members say to each other: each member that is up sends by a Poisson process of its own, drawn
 * from its own stream whether it is up or not, so that one node's fate never shifts another's traffic.
 */
import { MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import { FRAME_KIND, type FrameKind, type FrameRecord } from '../checks/delivery.ts'
import { log } from '../math.ts'
import type { Random } from '../random.ts'
import type { TrafficSpec } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import { BROADCAST_MAC, type SimVlan } from '../vlans.ts'

/** How long a station takes to answer a request. */
const THINK_TIME: Micros = MILLISECOND
/** A sender looks for a partner that is up this often before it lets the turn pass. */
const PARTNER_TRIES = 4

/** Starts all traffic of the scenario. Member streams are shared by the specs of one member. */
export function startTraffic(stage: Stage): void {
  stage.scenario.traffic.forEach((spec, which) => {
    for (const vlan of stage.vlans) {
      for (const node of vlan.members) {
        const random = stage.streams.stream(`traffic/${which}/${vlan.index}/${node}`)
        scheduleNext(stage, spec, vlan, node, random, spec.fromSeconds * SECOND)
      }
    }
  })
}

function scheduleNext(
  stage: Stage,
  spec: TrafficSpec,
  vlan: SimVlan,
  node: number,
  random: Random,
  after: Micros,
): void {
  const gap = (-log(1 - random.unit()) / spec.perMemberPerSecond) * SECOND
  const at = after + Math.max(1, Math.round(gap))
  const until = Math.min(spec.untilSeconds ?? stage.scenario.seconds, stage.scenario.seconds) * SECOND
  if (at >= until) return
  stage.world.at(at, () => {
    scheduleNext(stage, spec, vlan, node, random, at)
    sendOne(stage, spec, vlan, node, random)
  })
}

function sendOne(stage: Stage, spec: TrafficSpec, vlan: SimVlan, node: number, random: Random): void {
  if (!stage.isUp(node)) return
  if (spec.kind === 'broadcast' || spec.kind === 'multicast') {
    const listening = spec.kind === 'broadcast' ? vlan.members : vlan.listeners
    const receivers = stage.receivers(vlan, node, listening)
    const group = spec.kind === 'broadcast' ? BROADCAST_MAC : vlan.groupMac
    stage.send(FRAME_KIND[spec.kind], vlan.index, node, receivers, group, spec.bytes)
    return
  }
  const partner = partnerOf(stage, vlan, node, random)
  if (partner === undefined) return
  stage.sendTo(FRAME_KIND[spec.kind], vlan.index, node, partner, spec.bytes)
}

function partnerOf(stage: Stage, vlan: SimVlan, node: number, random: Random): number | undefined {
  for (let tries = 0; tries < PARTNER_TRIES; tries++) {
    const other = vlan.members[random.below(vlan.members.length)] as number
    if (other !== node && stage.receivers(vlan, node, [other]).length > 0) return other
  }
  return undefined
}

/** A request that arrived is answered by its receiver. */
export function answer(
  stage: Stage,
  record: FrameRecord,
  receiver: number,
  kind: FrameKind,
  bytes: number,
): void {
  if (kind !== FRAME_KIND.request) return
  stage.world.at(stage.world.now + THINK_TIME, () => {
    if (stage.isUp(receiver) && stage.isUp(record.sender)) {
      stage.sendTo(FRAME_KIND.response, record.vlan, receiver, record.sender, bytes)
    }
  })
}
