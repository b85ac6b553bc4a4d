/** A leaf in more VLANs than one upper carries for it has the rest through another (mesh:B1). */
import { expect, it } from 'vitest'
import { Run } from '../../sim/run.ts'
import { scenarioSchema } from '../../sim/scenario.ts'

it('a leaf in ninety VLANs has them all, however often its upper refuses the last of them', () => {
  const run = new Run(
    scenarioSchema.parse({
      version: 1,
      name: 'quota',
      question: 'Does a leaf with more VLANs than its quota find another upper?',
      seconds: 700,
      warmupSeconds: 30,
      healSeconds: 20,
      // One of them is a leaf.
      nodes: { count: 6, leafShare: 0.4 },
      vlans: [{ count: 90, members: 6 }],
      traffic: [{ kind: 'unicast', perMemberPerSecond: 0.02 }],
    }),
    { seed: 1, data: { text: () => '' } },
  )
  while (!run.done) run.step(run.endsAtSeconds)
  const { metrics, violations } = run.result()
  expect(violations).toEqual([])
  expect([metrics['reachableShare'], metrics['delivery']]).toEqual([1, 1])
  // 26 are beyond the quota of 64; they are asked for again every five minutes.
  expect(run.counters['registrationsRefused']).toBeGreaterThan(2 * 26)
})
