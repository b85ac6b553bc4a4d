/** Members of a VLAN with an MLS group go: its authority puts them out, or they resign. */
import type { SimNode } from '../node.ts'
import type { Random } from '../random.ts'
import type { Fault } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import { portOf, type SimVlan } from '../vlans.ts'
import { Adversary } from './adversary.ts'

/** Revokes a member through the first other one that is up, as an authority would; whether it could. */
export function putOut(stage: Stage, vlan: SimVlan, target: number): boolean {
  const { mls, index, members } = vlan
  if (mls === undefined) return false
  const living = members.filter((node) => node !== target && stage.isIn(node, vlan))
  const teller = living.find((node) => stage.groups.epochOf(index, node) !== undefined)
  if (teller === undefined) return false
  stage.groups.revoked(stage.world.now, index, target, living)
  stage.world.command(stage.world.nodes[teller] as SimNode, {
    kind: 'revoke',
    port: portOf(index),
    issuer: mls.issuer,
    target: mls.memberKey(target),
  })
  return true
}

/** So many members by the draw, never the first: of those up, away or hostile. Answers how many went. */
export function putOutSome(
  stage: Stage,
  vlan: SimVlan | undefined,
  { count, of, hostile }: Pick<Extract<Fault, { kind: 'revoke' }>, 'count' | 'of' | 'hostile'>,
  random: Random,
): number {
  if (vlan === undefined) return 0
  const { mls, index, members, guests } = vlan
  const isMeant = (node: number): boolean =>
    of === 'hostile' ? stage.world.nodes[node]?.hostile === true : stage.isUp(node) === (of === 'up')
  const candidates = members.filter(
    (node) =>
      node !== mls?.founder && !guests.includes(node) && !stage.groups.isOut(index, node) && isMeant(node),
  )
  let out = 0
  for (const target of drawSome(candidates, count, random)) {
    if (!putOut(stage, vlan, target)) continue
    if (hostile) resist(stage, vlan, target)
    out += 1
  }
  return out
}

/** A revoked member goes on from the epoch that it is in. */
function resist(stage: Stage, vlan: SimVlan, target: number): void {
  const node = stage.world.nodes[target]
  const parent = stage.groups.epochOf(vlan.index, target)
  const header = stage.reach.lastCall(target)
  if (node === undefined || parent === undefined || header === undefined) return
  stage.adversaries.push(new Adversary(stage, vlan, node, parent, header))
}

/** So many members say goodbye to their group, each for itself, never the first. Answers how many. */
export function resign(stage: Stage, vlan: SimVlan | undefined, count: number, random: Random): number {
  if (vlan?.mls === undefined) return 0
  const { mls, index, members } = vlan
  const candidates = members.filter(
    (node) =>
      node !== mls.founder && stage.isIn(node, vlan) && stage.groups.epochOf(index, node) !== undefined,
  )
  const going = drawSome(candidates, count, random)
  for (const node of going) {
    const others = members.filter((other) => other !== node && stage.isIn(other, vlan))
    stage.groups.revoked(stage.world.now, index, node, others)
    stage.world.command(stage.world.nodes[node] as SimNode, { kind: 'leaveVlan', port: portOf(index) })
  }
  return going.length
}

/** So many of them, or all; what is drawn is taken out. */
function drawSome(nodes: number[], count: number, random: Random): number[] {
  const drawn: number[] = []
  while (drawn.length < count && nodes.length > 0) drawn.push(...nodes.splice(random.below(nodes.length), 1))
  return drawn
}
