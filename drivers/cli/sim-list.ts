/**
 * `peertap sim list`: the scenarios that come with PeerTap, and what each is to answer.
 */
import { dataNeeds, formatNumber, type Scenario } from '../../sim/index.ts'
import { loadScenario, scenarioNames } from '../sim/scenario-files.ts'
import { EXIT, type ExitCode } from './exit.ts'
import type { Given, Verb } from './flags.ts'
import { tableLines, WIDTH, wrapWords } from './table.ts'

export const simList: Verb = {
  words: ['sim', 'list'],
  describe: 'Show the scenarios that come with PeerTap',
  flags: { json: { kind: 'switch', describe: 'Print one JSON list and nothing else' } },
  run: async (given) => list(given),
}

function list(given: Given): ExitCode {
  const scenarios = scenarioNames().map((name) => loadScenario(name, []).scenario)
  if (given.on('json')) console.log(JSON.stringify(scenarios.map(entryOf)))
  else console.log(listLines(scenarios).join('\n'))
  return EXIT.ok
}

function entryOf(scenario: Scenario): object {
  const { name, question, seconds, nodes, churn, bounds } = scenario
  return {
    name,
    question,
    nodes: nodes.count,
    seconds,
    churn: churn.kind,
    bounds,
    data: dataNeeds(scenario).map((need) => need.name),
  }
}

/** A line for each with its size, and the question below it. */
function listLines(scenarios: readonly Scenario[]): string[] {
  const heads = tableLines(
    scenarios.map((scenario) => [
      scenario.name,
      `${formatNumber(scenario.nodes.count)} nodes`,
      `${formatNumber(scenario.seconds)} s`,
      dataNeeds(scenario).length > 0 ? 'needs recorded data' : '',
    ]),
    ['left', 'right', 'right', 'left'],
    0,
  )
  return scenarios.flatMap(({ question }, index) => [
    heads[index] as string,
    ...wrapWords(question.split(/\s+/), WIDTH - 4).map((line) => `    ${line}`),
  ])
}
