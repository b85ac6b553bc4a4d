/**
 * A run that `sim run --out` kept: scenario, seed and what came of it. It is shown by running it again,
 * and what it ended with then tells whether that is the same run.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import type { Manifest } from '../../sim/index.ts'
import { MANIFEST, RESULT, SCENARIO } from '../sim/output.ts'
import { versionName } from './version.ts'

export interface Kept {
  readonly text: string
  readonly seed: number
  readonly dither: boolean
  readonly digest: string
  readonly version: string
}

interface Ended {
  readonly seed: number
  readonly digest: string
}

/** Whether a run was kept in that directory. */
export function isKept(directory: string): boolean {
  return existsSync(join(directory, MANIFEST))
}

/** `seed`: which one of many, the first by default. Throws UsageError. */
export function readKept(directory: string, seed: number | undefined): Kept {
  const manifest = read(directory, MANIFEST) as Manifest
  const result = read(directory, RESULT) as Ended & { readonly seeds?: readonly Ended[] }
  const runs = result.seeds ?? [result]
  const run = seed === undefined ? runs[0] : runs.find((each) => each.seed === seed)
  if (run === undefined || typeof run.digest !== 'string') {
    const seeds = runs.map((each) => each.seed).join(', ')
    throw new UsageError(`--seed ${seed ?? ''}: ${directory} holds the seeds ${seeds}; name one of them`)
  }
  return {
    text: readText(directory, SCENARIO),
    seed: run.seed,
    dither: manifest.dither,
    digest: run.digest,
    version: versionName(manifest.peertap, manifest.codeHash),
  }
}

function read(directory: string, name: string): unknown {
  try {
    return JSON.parse(readText(directory, name))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${join(directory, name)} is damaged; run it again with sim run --out`)
  }
}

function readText(directory: string, name: string): string {
  const path = join(directory, name)
  if (existsSync(path)) return readFileSync(path, 'utf8')
  throw new UsageError(`${path}: there is no such file; run it again with sim run --out ${directory}`)
}
