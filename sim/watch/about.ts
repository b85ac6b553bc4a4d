/** What is said of a run before anything else of it. */
import type { Run } from '../run.ts'
import { endOfFault } from '../scenario/faults.ts'
import type { Scenario } from '../scenario.ts'
import type { About, Planned } from './seen.ts'

export function aboutOf(scenario: Scenario, seed: number, run: Run): About {
  return {
    name: scenario.name,
    question: scenario.question,
    seed,
    nodes: scenario.nodes.count,
    endsAt: run.endsAtSeconds,
    warmupSeconds: scenario.warmupSeconds,
    vlans: run.stage.vlans.map(({ members, mls }) => ({ members, hasEpochs: mls !== undefined })),
    planned: scenario.faults.flatMap(plannedOf),
  }
}

function plannedOf(fault: Scenario['faults'][number]): Planned[] {
  const { kind, atSeconds } = fault
  if (fault.kind !== 'relay-crashes') return [{ kind, from: atSeconds, until: endOfFault(fault) }]
  const { times, everySeconds, restartAfterSeconds, target } = fault
  return Array.from({ length: times }, (_, index) => {
    const from = atSeconds + index * everySeconds
    return { kind: `crash of a ${target}`, from, until: from + restartAfterSeconds }
  })
}
