/**
 * Who is up when: nodes come up at the start of the run, evenly or as a trace or a model says, and then
 * go and return. Contacts stay.
 */
import { SECOND } from '../../core/io.ts'
import type { RunOptions } from '../results.ts'
import type { Stage } from '../stage.ts'

/** Answers whether nodes come and go by themselves. */
export function startChurn(
  stage: Stage,
  _options: RunOptions,
  start: (node: number, newIdentity: boolean) => void,
): boolean {
  const { nodes } = stage.scenario
  for (let node = 0; node < nodes.count; node++) {
    const late =
      node < nodes.contacts
        ? 0
        : (nodes.joinSeconds * (node - nodes.contacts)) / Math.max(1, nodes.count - nodes.contacts)
    stage.world.at(Math.round(late * SECOND), () => start(node, false))
  }
  return false
}
