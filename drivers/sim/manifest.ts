/**
 * What makes a run repeatable. Where it is written is the business of output.ts.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** The parts of a manifest that decide what comes out; a broken manifest is no run's. */
export function identity(manifest: string): string | undefined {
  try {
    const { scenarioHash, seeds, peertap, dither, data } = JSON.parse(manifest) as Manifest
    return JSON.stringify([scenarioHash, seeds, peertap, dither, data])
  } catch {
    return undefined
  }
}
