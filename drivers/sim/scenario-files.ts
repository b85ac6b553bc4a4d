/**
 * Scenario files on the disk: those that come with PeerTap, by name, and any other by its path.
 */
import { constants, readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import { nearestName, readScenario, type Scenario, type Setting } from '../../sim/index.ts'
import { REPOSITORY } from '../program.ts'

const FOLDER = join(REPOSITORY, 'scenarios')
/** The published schema lies among the scenarios, where their `$schema` finds it. */
const SCHEMA = 'schema'

/** Room for faults that name every node of a large mesh; whatever is longer is something else. */
const SCENARIO_BYTES_MAX = 16_777_216

/** A file of the system that has nothing to say yet is an error, not a wait. */
const READ_NOW = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

export interface ScenarioFile {
  /** As messages name it: relative to where the user is, if it lies below. */
  readonly source: string
  /** As it can be named from any directory: whole, or the bare name of one that comes with PeerTap. */
  readonly anywhere: string
  readonly text: string
}

/** `name` is a path, or the bare name of a scenario that comes with PeerTap. */
function openScenario(name: string): ScenarioFile {
  const candidates = [name, join(FOLDER, name), join(FOLDER, `${name}.json`)]
  const path = candidates.find((candidate) => whatIsAt(candidate)?.isFile())
  if (path === undefined) throw new UsageError(notThere(name))
  const bytes = whatIsAt(path)?.size ?? 0
  if (bytes > SCENARIO_BYTES_MAX) {
    throw new UsageError(
      `${shortPath(path)}: this has ${bytes} bytes and a scenario at most ${SCENARIO_BYTES_MAX}; ` +
        'name recorded data in a scenario, with --data for where it lies',
    )
  }
  try {
    const text = readFileSync(path, { encoding: 'utf8', flag: READ_NOW })
    return { source: shortPath(path), anywhere: nameAnywhere(path), text }
  } catch (error) {
    throw new UsageError(
      `${shortPath(path)} cannot be read (${error instanceof Error ? error.message : error})`,
    )
  }
}

/** Undefined where nothing can be, too: names that are too long or go through files. */
function whatIsAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

export function loadScenario(
  name: string,
  settings: readonly Setting[],
): { source: string; anywhere: string; scenario: Scenario } {
  const { source, anywhere, text } = openScenario(name)
  return { source, anywhere, scenario: readScenario(text, source, settings) }
}

/** The text of a scenario's file, whole. Throws UsageError. */
export function scenarioText(name: string): string {
  return openScenario(name).text
}

/** Names of the scenarios that come with PeerTap, sorted. */
export function scenarioNames(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))
  return files
    .map((file) => basename(file, '.json'))
    .filter((name) => name !== SCHEMA)
    .sort()
}

function notThere(name: string): string {
  if (whatIsAt(name)?.isDirectory()) {
    return `${name}: this is a directory; name a scenario file in it`
  }
  const meant = nearestName(basename(name, '.json'), scenarioNames())
  const suggestion = meant === undefined ? '' : `did you mean "${meant}"? `
  return `${name}: there is no such scenario; ${suggestion}"peertap sim list" shows what comes with PeerTap`
}

function nameAnywhere(path: string): string {
  const whole = resolve(path)
  return dirname(whole) === FOLDER ? basename(whole, '.json') : whole
}

function shortPath(path: string): string {
  const short = relative('', path)
  return short.split(sep)[0] === '..' || isAbsolute(short) ? path : short
}
