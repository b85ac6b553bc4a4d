/** What waits in a node's own queue and is then lost on the way is the link's loss, like all else. */
import { expect, it } from 'vitest'
import { Run } from '../../sim/run.ts'
import { scenarioSchema } from '../../sim/scenario.ts'

it('knows which frame a packet carries that left late', () => {
  const run = new Run(
    scenarioSchema.parse({
      version: 1,
      name: 'waiting',
      question: 'Whose is a packet that waited?',
      seconds: 40,
      warmupSeconds: 10,
      healSeconds: 10,
      nodes: { count: 3 },
      conditions: { loss: { kind: 'bernoulli', probability: 0.3 } },
      // While sockets are full packets wait in the node; what then goes out late is lost like all else.
      faults: [12, 16, 20, 24, 28].map((atSeconds) => ({
        kind: 'clog',
        atSeconds,
        who: { nodes: [0, 1, 2] },
        forSeconds: 0.015,
      })),
      vlans: [{ count: 1, members: 3 }],
      traffic: [{ kind: 'unicast', perMemberPerSecond: 200 }],
    }),
    { seed: 1, data: { text: () => '' } },
  )
  while (!run.done) run.step(run.endsAtSeconds)
  const { metrics } = run.result()
  expect(metrics['framesLost']).toBe(0)
})
