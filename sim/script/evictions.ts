/** The authority of a VLAN with an MLS group puts members out. */
import type { SimNode } from '../node.ts'
import type { Random } from '../random.ts'
import type { Stage } from '../stage.ts'
import { portOf, type SimVlan } from '../vlans.ts'

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
  count: number,
  of: 'up' | 'away' | 'hostile',
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
  for (let left = Math.min(count, candidates.length); left > 0; left--) {
    const [target] = candidates.splice(random.below(candidates.length), 1)
    if (target !== undefined && putOut(stage, vlan, target)) out += 1
  }
  return out
}
