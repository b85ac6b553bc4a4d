/**
 * The way of a branch: the epochs that it went, and how each of the last came from its parent. Everybody has
 * it who is in the branch, however it came in: who went the way itself, who was let in by a Welcome (with
 * which it comes), and who was restored. Otherwise members of one branch would see the last epoch in common
 * with another one at different places, or nowhere, and disagree on which of the two is to fold (sec:B11).
 *
 * It is the word of the member that tells it, as evidence is: who lies about it can make others rejoin a
 * branch, or stay out of it until it moves on.
 */
import { hex, unhex } from '../ids.ts'
import { AckTally } from '../ledger/acks.ts'
import { FORKS_MAX, LINEAGE_MAX, LINEAGE_TOLD, STEPS_TOLD } from './limits.ts'
import type { Way } from './messages.ts'
import type { Fork, GroupState } from './state.ts'

export const NO_WAY: Way = { lineage: [], steps: [] }

/** The way to an epoch of the own line, as much of it as goes with a Welcome. */
export function wayTo(group: GroupState, name: string): Way {
  return wayOf(group, name, LINEAGE_TOLD, STEPS_TOLD)
}

/** The way to the head, as much of it as is stored. */
export function wholeWay(group: GroupState, name: string): Way {
  return wayOf(group, name, LINEAGE_MAX, FORKS_MAX)
}

function wayOf(group: GroupState, name: string, lineageMax: number, stepsMax: number): Way {
  const end = group.lineage.lastIndexOf(name) + 1
  const lineage = group.lineage.slice(Math.max(0, end - lineageMax), end)
  const steps: Way['steps'][number][] = []
  for (let at = lineage.length - 1; at > 0 && steps.length < stepsMax; at--) {
    const fork = group.forks.get(lineage[at - 1] as string)
    if (fork?.child === undefined || hex(fork.child.mlsId) !== lineage[at]) break
    const { committer, proposals, commitHash } = fork.child
    steps.unshift({ committer, proposals, commitHash, acks: acksOf(group, fork, fork.child.mlsId) })
  }
  return { lineage: lineage.map(unhex), steps }
}

/** Takes over the way to an epoch that was entered; one that does not lead there says nothing. */
export function followWay(group: GroupState, way: Way, name: string): void {
  group.forks.clear()
  const names = way.lineage.map(hex)
  group.lineage = names.at(-1) === name ? names : [name]
  const first = group.lineage.length - way.steps.length
  if (names.at(-1) !== name || first < 1) return
  for (const [index, { committer, proposals, commitHash, acks }] of way.steps.entries()) {
    const parent = group.lineage[first + index - 1] as string
    const child = {
      mlsId: unhex(group.lineage[first + index] as string),
      committer: committer.slice(),
      proposals,
      commitHash: commitHash.slice(),
    }
    const nobody = { witnesses: new Map<string, Uint8Array>(), tally: new AckTally([]), acks: new Map() }
    group.forks.set(parent, { parent: unhex(parent), ...nobody, child, told: acks })
  }
}

/** How many unrefused witnesses of a parent went to a child of it: as they said, or as was told here. */
export function acksOf(group: GroupState, fork: Fork, child: Uint8Array): number {
  const proven = fork.tally.count(child, (member) => group.ledger.refused(member) !== undefined)
  const isOwn = fork.child !== undefined && hex(fork.child.mlsId) === hex(child)
  return isOwn ? Math.max(proven, fork.told) : proven
}
