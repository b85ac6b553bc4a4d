/**
 * Groups in whole nodes under random histories (test/support/schedules.ts). Whatever happens: one key for
 * each epoch; nobody outside of an epoch opens or seals anything of it; whoever knows of a revocation seals
 * nothing more for the revoked; no key with a nonce twice. And when it is over: one epoch, in which is
 * nobody of whose going anybody has heard. A history that fails is made as short as it goes, written to a
 * file, and the line that repeats it is printed.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Violation } from '../../sim/results.ts'
import { Run } from '../../sim/run.ts'
import { byBudget, REPOSITORY } from '../support/requirements.ts'
import { type Schedule, scenarioOf, schedules } from '../support/schedules.ts'

const RUNS = Number(process.env['PEERTAP_SCHEDULES'] ?? byBudget(50, 400))
const FIRST = Number(process.env['PEERTAP_FIRST_SEED'] ?? 1)
/** Attempts to make a failing history shorter: each is a run. */
const SHRINKS_MAX = 60

const noData = {
  text: (name: string): string => {
    throw new Error(`a schedule needs no data, yet asked for ${name}`)
  },
}

/** Every kind of event must be reached by some history, or they do not try it. */
const reached = new Set<string>()

function violationsOf(schedule: Schedule): readonly Violation[] {
  const run = new Run(scenarioOf(schedule), { seed: schedule.seed, data: noData })
  while (!run.done) run.step(run.endsAtSeconds)
  for (const kind of Object.keys(run.groups.eventKinds)) reached.add(kind)
  return run.result().violations
}

/** Writes the history down as a scenario; answers the command that repeats it. */
function repeatLine(schedule: Schedule): string {
  const folder = join(REPOSITORY, 'runs')
  mkdirSync(folder, { recursive: true })
  const name = `schedule-${schedule.seed}`
  const file = join(folder, `${name}.json`)
  writeFileSync(file, `${JSON.stringify({ ...scenarioOf(schedule), name }, undefined, 2)}\n`)
  return `npx peertap sim run ${relative(REPOSITORY, file)} --seed ${schedule.seed}`
}

describe('random histories of a group', () => {
  it('break no promise and end in one epoch', () => {
    let shrinks = 0
    const details = fc.check(
      fc.property(schedules, (schedule) => {
        const found = violationsOf(schedule)
        if (found.length === 0) return true
        // Enough tries: what is shortest so far is it.
        shrinks += 1
        if (shrinks > SHRINKS_MAX) return true
        throw new Error(
          found.map(({ kind, atSeconds, detail }) => `${kind} at ${atSeconds} s: ${detail}`).join('\n'),
        )
      }),
      { numRuns: RUNS, seed: FIRST },
    )
    const [worst] = details.counterexample ?? []
    const error = String(details.errorInstance)
    expect(details.failed, worst && `${error}\n${JSON.stringify(worst.acts)}\n${repeatLine(worst)}`).toBe(
      false,
    )
  })

  it.runIf(RUNS >= 50 && FIRST === 1)('reach what can happen to a group', () => {
    expect([...reached].sort()).toEqual(
      expect.arrayContaining(['ended', 'epoch', 'folding', 'founded', 'joined', 'memberRefused', 'switched']),
    )
  })
})
