/**
 * What all verbs that run a scenario are given: the scenario with what was changed in it, seed, data.
 */
import { blamed, canonicalScenario, dataNeeds, parseSetting, type Scenario } from '../../sim/index.ts'
import { checkData, dataDirectory } from '../sim/data-files.ts'
import { loadScenario, scenarioText } from '../sim/scenario-files.ts'
import type { Flag, Given } from './flags.ts'
import { type RepeatParts, repeatLine } from './repeat.ts'

/** Seeds are what a 32-bit generator takes. */
const SEED_MAX = 4_294_967_295
const DEFAULT_SEED = 1

/** What all verbs share that have to do with a scenario. */
export const SCENARIO_ARGUMENT = {
  name: 'scenario',
  describe: 'A file, or the name of a scenario that comes with PeerTap',
}
export const RUN_FLAGS: Readonly<Record<string, Flag>> = {
  seed: { kind: 'text', describe: `Seed of all random draws, 0 to ${SEED_MAX} (default ${DEFAULT_SEED})` },
  set: { kind: 'list', describe: 'Change the scenario: path=value, as nodes.count=100; may be repeated' },
  data: { kind: 'text', describe: 'Directory of recorded data (default PEERTAP_DATA, or ../shared/data)' },
  'no-dither': { kind: 'switch', describe: 'Take the instants of a trace as they stand' },
}
/** Of those that print what comes of it. */
export const SCENARIO_FLAGS: Readonly<Record<string, Flag>> = {
  ...RUN_FLAGS,
  json: { kind: 'switch', describe: 'Print one JSON object alone; progress goes to stderr unless --quiet' },
}
/** Of verbs that take their time. */
export const PROGRESS_FLAGS: Readonly<Record<string, Flag>> = {
  quiet: { kind: 'switch', describe: 'Show no progress' },
}

/** What was asked for, read and checked before anything runs. */
export interface Request {
  readonly source: string
  readonly scenario: Scenario
  /** The scenario as it can be named from any directory. */
  readonly anywhere: string
  readonly directory: string
  readonly dither: boolean
  readonly repeat: (seed: number) => string
  /** The line that shows the run. */
  readonly view: (seed: number) => string
  readonly flags: readonly string[]
}

export function readRequest(given: Given, words: string): Request {
  const settings = given.list('set').map(parseSetting)
  const { source, anywhere, scenario } = loadScenario(given.argument(SCENARIO_ARGUMENT.name), settings)
  const data = given.text('data')
  const directory = dataDirectory(data)
  checkData(dataNeeds(scenario), directory, ({ key }) => blamed([key.split('.')], source, settings))
  const dither = !given.on('no-dither')
  const parts: RepeatParts = {
    words,
    scenario: anywhere,
    data: data === undefined ? undefined : directory,
    dither,
    settings: settings.map(({ text }) => text),
  }
  return {
    source,
    scenario,
    anywhere,
    directory,
    dither,
    repeat: (seed) => repeatLine(parts, seed),
    view: (seed) => repeatLine({ ...parts, words: 'view' }, seed),
    flags: [...settings.map(({ text }) => `--set ${text}`), ...(dither ? [] : ['--no-dither'])],
  }
}

/** The one seed that was asked for. */
export function seedOf(given: Given): number {
  return (
    given.whole('seed', 0, SEED_MAX, `write any of them, or leave it out for ${DEFAULT_SEED}`) ?? DEFAULT_SEED
  )
}

/** The scenario as a file. One that comes with PeerTap keeps its own text, and so its name in the page. */
export function textOf({ scenario, anywhere, flags }: Request): string {
  const isChanged = flags.some((flag) => flag.startsWith('--set'))
  if (!isChanged) return scenarioText(anywhere)
  return JSON.stringify(JSON.parse(canonicalScenario(scenario)), null, 2)
}
