/**
 * What makes a run repeatable, and where results are written. A directory that holds another run is not
 * overwritten unless asked.
 */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import { canonicalScenario, dataNeeds, type Manifest, type Scenario } from '../../sim/index.ts'
import { dataHashes, sha256 } from './data-files.ts'
import { REPOSITORY } from './scenario-files.ts'

export interface ManifestParts {
  readonly scenario: Scenario
  readonly seeds: readonly number[]
  readonly dither: boolean
  readonly flags: readonly string[]
  readonly dataDirectory: string
}

export function manifestOf({ scenario, seeds, dither, flags, dataDirectory }: ManifestParts): Manifest {
  return {
    scenario: scenario.name,
    scenarioHash: sha256(canonicalScenario(scenario)),
    seeds,
    peertap: version(),
    runtime: `node ${process.version} (V8 ${process.versions.v8}) ${process.platform} ${process.arch}`,
    flags,
    dither,
    data: dataHashes(dataNeeds(scenario), dataDirectory),
  }
}

/** PeerTap's own version. */
export function version(): string {
  const text = readFileSync(join(REPOSITORY, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

const MANIFEST = 'manifest.json'

/** Throws UsageError if the directory holds results of another run. */
export function checkOutput(directory: string, manifest: Manifest, force: boolean): void {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (found !== undefined && !found.isDirectory()) {
    throw new UsageError(`--out ${directory}: this is a file; name a directory`)
  }
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.W_OK)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`--out ${directory}: cannot write there (${why}); name a directory that can be made`)
  }
  if (force) return
  const there = readIfAny(join(directory, MANIFEST))
  if (there !== undefined && identity(there) !== identity(JSON.stringify(manifest))) {
    throw new UsageError(
      `--out ${directory}: the results of another run are there; name another directory, ` +
        'or overwrite with --force',
    )
  }
}

/** Writes `result.json`, `scenario.json` (defaults filled in) and, last, `manifest.json`. */
export function writeOutput(directory: string, scenario: Scenario, manifest: Manifest, result: object): void {
  writeAtomically(join(directory, 'scenario.json'), scenario)
  writeAtomically(join(directory, 'result.json'), result)
  // Last, so that a manifest vouches for complete results.
  writeAtomically(join(directory, MANIFEST), manifest)
}

/** Whoever looks sees the old file or the whole new one. */
function writeAtomically(path: string, value: object): void {
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, 'w')
  try {
    writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

function readIfAny(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The parts of a manifest that decide what comes out; a broken manifest is no run's. */
function identity(manifest: string): string | undefined {
  try {
    const { scenarioHash, seeds, peertap, dither, data } = JSON.parse(manifest) as Manifest
    return JSON.stringify([scenarioHash, seeds, peertap, dither, data])
  } catch {
    return undefined
  }
}
