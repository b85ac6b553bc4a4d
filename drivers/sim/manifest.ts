/**
 * What makes a run repeatable. Where it is written is the business of output.ts.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalScenario, dataNeeds, type Manifest, type Scenario } from '../../sim/index.ts'
import { REPOSITORY, version } from '../program.ts'
import { dataHashes, sha256 } from './data-files.ts'

/** What decides how a simulation goes; the rest of the program only starts it and shows it. */
const CODE = ['core', 'sim', 'drivers/mls', 'package-lock.json']

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
    ...codeOf(REPOSITORY),
    runtime: `node ${process.version} (V8 ${process.versions.v8}) ${process.platform} ${process.arch}`,
    flags,
    dither,
    data: dataHashes(dataNeeds(scenario), dataDirectory),
  }
}

/** Which program it was. A commit alone does not tell: what is not committed counts as well. */
export function codeOf(root: string): { readonly codeHash: string; readonly commit?: string } {
  const commit = commitOf(root)
  return { codeHash: codeHash(root), ...(commit === undefined ? {} : { commit }) }
}

/** SHA-256 over names and contents of the sources, in the order of their names. */
function codeHash(root: string): string {
  const hash = createHash('sha256')
  for (const part of CODE.filter((name) => existsSync(join(root, name)))) {
    for (const file of filesBelow(root, part))
      hash.update(`${file}\n${sha256(readFileSync(join(root, file)))}\n`)
  }
  return hash.digest('hex')
}

function filesBelow(root: string, part: string): string[] {
  if (part.endsWith('.json')) return [part]
  const names = readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${part}/${name.replaceAll('\\', '/')}`)
    .sort()
}

/** Only of a checkout of PeerTap itself: a copy that lies in another repository has none. */
function commitOf(root: string): string | undefined {
  if (!existsSync(join(root, '.git'))) return undefined
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** The parts of a manifest that decide what comes out; a broken manifest is no run's. */
export function identity(manifest: string): string | undefined {
  try {
    const { scenarioHash, seeds, codeHash, dither, data } = JSON.parse(manifest) as Manifest
    return JSON.stringify([scenarioHash, seeds, codeHash, dither, data])
  } catch {
    return undefined
  }
}
