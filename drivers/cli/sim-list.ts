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

/**
 * Wall time for a second of one node, on one core of a 2-core cloud machine: 15 to 90 microseconds were
 * measured in the scenarios where everybody stays, by traffic and faults; 4 to 11 with churn, where most
 * nodes are away most of the time. So an estimate is good for its order of magnitude and no more.
 */
const MICROS_PER_NODE_SECOND = { staying: 30, churning: 9 } as const

/**
 * What a VLAN with an MLS group costs on top, for each simulated second: for each member, what it says and
 * hears by itself; for each pair of members, since everybody processes the commits of everybody and each of
 * them takes longer in a larger group. Fitted to 12 to 46 members (3 to 21 s) and to 200 (one to two
 * minutes); at 500 it says some twenty minutes, and it takes tens. Not measured beyond.
 */
const MICROS_PER_MEMBER_SECOND = 1_400
const MICROS_PER_PAIR_SECOND = 25
/** ts-mls does what the stand-in only counts: one run of 32 members took a minute. */
const TSMLS_FACTOR = 3

/** Orders of magnitude, and the estimate in seconds below which each is named. */
const LENGTHS = [
  ['seconds', 20],
  ['a minute', 120],
  ['minutes', 600],
  ['tens of minutes', 7_200],
  ['hours', Number.POSITIVE_INFINITY],
] as const
export type Length = (typeof LENGTHS)[number][0]

/** About how long a run takes. */
export function lengthOf(scenario: Scenario): Length {
  const { seconds, nodes, churn } = scenario
  const perNode = MICROS_PER_NODE_SECOND[churn.kind === 'none' ? 'staying' : 'churning']
  const estimate = (seconds * (nodes.count * perNode + groupMicros(scenario))) / 1e6
  return LENGTHS.find(([, below]) => estimate < below)?.[0] ?? 'hours'
}

/** For a simulated second of all groups that MLS keeps. */
function groupMicros({ vlans, mls }: Scenario): number {
  const standin = vlans
    .filter(({ group }) => group === 'mls')
    .reduce((sum, { count, members }) => {
      return sum + count * members * (MICROS_PER_MEMBER_SECOND + members * MICROS_PER_PAIR_SECOND)
    }, 0)
  return standin * (mls === 'tsmls' ? TSMLS_FACTOR : 1)
}

function entryOf(scenario: Scenario): object {
  const { name, question, seconds, nodes, churn, bounds } = scenario
  return {
    name,
    question,
    nodes: nodes.count,
    seconds,
    takes: lengthOf(scenario),
    churn: churn.kind,
    bounds,
    data: dataNeeds(scenario).map((need) => need.name),
  }
}

/** A line for each with its size and how long it takes, and the question below it. */
function listLines(scenarios: readonly Scenario[]): string[] {
  const heads = tableLines(
    scenarios.map((scenario) => [
      scenario.name,
      `${formatNumber(scenario.nodes.count)} nodes`,
      `${formatNumber(scenario.seconds)} simulated s`,
      `takes ${lengthOf(scenario)}`,
      dataNeeds(scenario).length > 0 ? 'needs recorded data' : '',
    ]),
    ['left', 'right', 'right', 'left', 'left'],
    0,
  )
  return scenarios.flatMap(({ question }, index) => [
    heads[index] as string,
    ...wrapWords(question.split(/\s+/), WIDTH - 4).map((line) => `    ${line}`),
  ])
}
