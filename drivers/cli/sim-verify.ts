/**
 * `peertap sim verify`: runs a scenario twice, each time in a process of its own, and names the first
 * effect in which the two differ, if any.
 */
import { formatNumber } from '../../sim/index.ts'
import { ProcessFailure, type Verdict, verify } from '../sim/verify.ts'
import { EXIT, type ExitCode, errorOf } from './exit.ts'
import type { Given, Verb } from './flags.ts'
import { progressStyle, showProgress } from './progress.ts'
import { PROGRESS_FLAGS, readRequest, SCENARIO_ARGUMENT, SCENARIO_FLAGS, seedOf } from './sim-request.ts'

export const simVerify: Verb = {
  words: ['sim', 'verify'],
  describe: 'Run a scenario twice and compare every effect',
  arguments: [SCENARIO_ARGUMENT],
  flags: {
    ...SCENARIO_FLAGS,
    ...PROGRESS_FLAGS,
    seconds: { kind: 'text', describe: 'Stop both runs at this simulated time' },
  },
  examples: [['peertap sim verify steady-16 --seconds 60', 'the first simulated minute']],
  run,
}

async function run(given: Given): Promise<ExitCode> {
  const seed = seedOf(given)
  const seconds = given.positive('seconds')
  const { scenario, directory, dither, repeat, source } = readRequest(given, 'sim verify')
  const line = repeat(seed) + (seconds === undefined ? '' : ` --seconds ${seconds}`)
  const title = `${scenario.name}, seed ${seed}, twice`
  const display = showProgress(progressStyle(given.on('quiet')), title, 1)
  let verdict: Verdict
  try {
    const job = { scenario, seed, dataDirectory: directory, dither }
    verdict = await verify(job, seconds, (progress) => {
      const totalSeconds = Math.min(seconds ?? Number.POSITIVE_INFINITY, progress.totalSeconds)
      display.update(seed, { ...progress, totalSeconds })
    })
  } catch (error) {
    throw error instanceof ProcessFailure ? errorOf(error.failure, line) : error
  } finally {
    display.end()
  }
  if (given.on('json'))
    console.log(JSON.stringify({ scenario: scenario.name, seed, ok: verdict.same, ...verdict, repeat: line }))
  else console.log(verdictLines(`${source}, seed ${seed}`, verdict, line).join('\n'))
  return verdict.same ? EXIT.ok : EXIT.failed
}

function verdictLines(title: string, verdict: Verdict, line: string): string[] {
  if (verdict.same) {
    const effects = formatNumber(verdict.effects)
    return [`${title}: the same twice, in ${effects} effects`, `digest  ${verdict.digest}`]
  }
  const nothing = 'nothing any more'
  return [
    `${title}: two runs differ, so something in it depends on more than scenario and seed`,
    `digests  ${verdict.digests.join('  ')}`,
    `the first effect that differs is number ${formatNumber(verdict.effect)}; before it both did`,
    ...verdict.before.map((text) => `  both    ${text}`),
    `  first   ${verdict.lines[0] ?? nothing}`,
    `  second  ${verdict.lines[1] ?? nothing}`,
    `repeat   ${line}`,
  ]
}
