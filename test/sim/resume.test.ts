/** Machines that slept: a clock that jumps by a day, and what becomes of the node (mesh:S15, S21). */
import { describe, expect, it } from 'vitest'
import type { NodeEvent } from '../../core/io.ts'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const DAY_SECONDS = 86_400
const NODES = 24
/** A third of those that are no contacts. */
const SLEEPERS = 7

function scenarioOf(skewSeconds: number) {
  return checkScenario(
    {
      version: 1,
      name: 'sleepers',
      question: 'Are machines that slept back at once?',
      seconds: 90,
      healSeconds: 10,
      nodes: { count: NODES },
      vlans: [{ count: 2, members: 12 }],
      traffic: [{ kind: 'unicast', perMemberPerSecond: 0.5 }],
      faults: [{ kind: 'clock', atSeconds: 60, who: { share: 0.34 }, skewSeconds }],
    },
    'sleepers',
  )
}

function runOf(seed: number, skewSeconds: number) {
  const resumed: NodeEvent[] = []
  const ports: NodeEvent[] = []
  const noFiles = {
    text(file: string): string {
      throw new Error(`no file is needed, ${file} was asked for`)
    },
  }
  const run = new Run(scenarioOf(skewSeconds), { seed, data: noFiles })
  const noted = run.noted.bind(run)
  run.noted = (node, event) => {
    if (event.kind === 'resumed') resumed.push(event)
    if (event.kind === 'portUp') ports.push(event)
    noted(node, event)
  }
  run.step(run.endsAtSeconds)
  return { run, resumed, ports }
}

describe('a third of the machines sleep for a day', () => {
  for (const seed of [1, 2, 3]) {
    it(`seed ${seed}: all are attached and talk again within the time to heal`, () => {
      const { run, resumed, ports } = runOf(seed, DAY_SECONDS)
      expect(resumed).toHaveLength(SLEEPERS)
      for (const event of resumed) {
        if (event.kind === 'resumed') expect(event.asleepMicros).toBeGreaterThan((DAY_SECONDS - 60) * 1e6)
      }
      expect(run.result().violations).toEqual([])
      expect(run.convergence?.treeSeconds).toBeLessThan(10)
      // Ports stay: none came up again.
      expect(ports).toHaveLength(24)
    })
  }

  it('a jump that links survive is no sleep', () => {
    const { run, resumed } = runOf(1, 5)
    expect(resumed).toEqual([])
    expect(run.result().violations).toEqual([])
  })
})
