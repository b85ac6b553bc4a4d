/** What is watched when relays are crashed to measure outages. */
import { describe, expect, it } from 'vitest'
import { SECOND } from '../../core/io.ts'
import { FRAME_KIND } from '../../sim/checks/delivery.ts'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const CRASH_SECONDS = 30
const CRASH = {
  version: 1,
  name: 'crash',
  question: 'Who is watched when a relay crashes?',
  seconds: 60,
  warmupSeconds: 10,
  healSeconds: 5,
  nodes: { count: 60 },
  vlans: [{ count: 2, members: 30 }],
  faults: [
    {
      kind: 'relay-crashes',
      atSeconds: CRASH_SECONDS,
      everySeconds: 20,
      times: 1,
      restartAfterSeconds: 10,
    },
  ],
}

describe('pairs whose path leads through a relay that crashes', () => {
  const run = new Run(checkScenario(CRASH, 'crash.json'), { seed: 1, data: { text: () => '' } })
  const { stage } = run
  const send = stage.sendTo.bind(stage)
  /** How many probes went each way, as `vlan: from > to`, before the relay comes back. */
  const probes = new Map<string, number>()
  stage.sendTo = (kind, vlan, from, to, bytes) => {
    if (kind === FRAME_KIND.probe && stage.world.now < (CRASH_SECONDS + 9) * SECOND) {
      const way = `${vlan}: ${from} > ${to}`
      probes.set(way, (probes.get(way) ?? 0) + 1)
    }
    return send(kind, vlan, from, to, bytes)
  }
  run.step(CRASH_SECONDS + 9)

  it('send to each other, both ways, ten times a second', () => {
    expect(probes.size).toBe(24)
    for (const [way, count] of probes) {
      const [vlan, from, , to] = way.split(' ')
      expect(probes.has(`${vlan} ${to} > ${from}`), way).toBe(true)
      expect(count, way).toBeGreaterThanOrEqual(80)
      expect(count, way).toBeLessThanOrEqual(92)
    }
  })
})
