/**
 * What a run has to say beside its figures, for whoever reads them: none of it is a mistake.
 */
import type { FaultHits } from './results.ts'
import type { Scenario } from './scenario.ts'
import type { Convergence } from './script/convergence.ts'

interface Ended {
  readonly scenario: Scenario
  readonly hits: readonly FaultHits[]
  readonly convergence: Convergence | undefined
  readonly endsAtSeconds: number
}

export function remarksOf({ scenario, hits, convergence, endsAtSeconds }: Ended): string[] {
  const remarks = hits.flatMap(({ kind, atSeconds, nodes }, index) =>
    nodes > 0 ? [] : [`faults[${index}] (${kind} at ${atSeconds} s) hit no node that was up`],
  )
  if (convergence?.hasNobody === true) {
    remarks.push('nobody to test after the last fault: no VLAN had two members that were up')
  }
  if (endsAtSeconds > scenario.seconds) {
    const more = Number((endsAtSeconds - scenario.seconds).toFixed(6))
    remarks.push(
      `the run went on for ${more} s after its ${scenario.seconds} s: healSeconds ` +
        `(${scenario.healSeconds}) after the last fault, and 5 s for the last frames to come`,
    )
  }
  return remarks
}
