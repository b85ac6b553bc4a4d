/**
 * Where results are written. What is wrong with the place is found before a run, which may take hours; a
 * directory that holds anything else is not written into unless asked.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import type { Manifest, Scenario } from '../../sim/index.ts'
import { LOCK, releaseLock, takeLock } from './lock.ts'
import { identity } from './manifest.ts'

/** Files of a directory with results. */
export const SCENARIO = 'scenario.json'
export const RESULT = 'result.json'
export const MANIFEST = 'manifest.json'

/** A directory that this process alone writes into. */
export interface Output {
  /** Writes `result.json`, `scenario.json` (defaults filled in) and, last, `manifest.json`. */
  write(scenario: Scenario, manifest: Manifest, result: object): void
  /** Lets others in, and takes away what was made for nothing. May be called again. */
  release(): void
}

/**
 * Makes the directory if need be and takes it for this process, which proves that it can be written into.
 * Throws UsageError if that fails, if another process has it, or if there is anything but results of the
 * same run and `force` does not allow it.
 */
export function takeOutput(directory: string, manifest: Manifest, force: boolean): Output {
  const found = whatIsAt(directory, directory)
  if (found !== undefined && !found.isDirectory()) {
    const what = found.isFile() ? 'this is a file' : 'this is no directory'
    throw new UsageError(`--out ${directory}: ${what}; name a directory`)
  }
  if (found !== undefined && !force) checkContents(directory, manifest)
  const made = makeDirectory(directory)
  const removeMade = (): void => {
    for (const one of made.splice(0).reverse()) removeIfEmpty(one)
  }
  let isOurs = false
  const release = (): void => {
    if (isOurs) releaseLock(directory)
    isOurs = false
    removeMade()
  }
  try {
    takeLockOf(directory)
    isOurs = true
    // Again: whoever had it meanwhile may have left results.
    if (!force) checkContents(directory, manifest)
  } catch (error) {
    release()
    throw error
  }
  return { write: (scenario, final, result) => writeOutput(directory, scenario, final, result), release }
}

function takeLockOf(directory: string): void {
  let holder: string | undefined
  try {
    // Permissions do not tell whether it works: those of /proc and of a full disk look good.
    holder = takeLock(directory)
  } catch (error) {
    throw unwritable(directory, error)
  }
  if (holder === undefined) return
  throw new UsageError(
    `--out ${directory}: ${holder} writes there now; name another directory, or wait for its end`,
  )
}

function writeOutput(directory: string, scenario: Scenario, manifest: Manifest, result: object): void {
  try {
    writeAtomically(join(directory, SCENARIO), scenario)
    writeAtomically(join(directory, RESULT), result)
    // Last, so that a manifest vouches for complete results.
    writeAtomically(join(directory, MANIFEST), manifest)
  } catch (error) {
    throw unwritable(directory, error)
  }
}

function checkContents(directory: string, manifest: Manifest): void {
  let names: string[]
  let there: string | undefined
  try {
    names = readdirSync(directory)
      .filter((name) => name !== LOCK)
      .sort()
    there = names.includes(MANIFEST) ? readFileSync(join(directory, MANIFEST), 'utf8') : undefined
  } catch (error) {
    throw new UsageError(
      `--out ${directory}: what is there cannot be read (${reason(error)}); name another directory`,
    )
  }
  if (there === undefined && names.length > 0) {
    const more = names.length === 1 ? '' : ` and ${names.length - 1} more`
    throw new UsageError(
      `--out ${directory}: other files are there ("${names[0]}"${more}); name a new or an empty directory, ` +
        'or write among them with --force',
    )
  }
  if (there !== undefined && identity(there) !== identity(JSON.stringify(manifest))) {
    throw new UsageError(
      `--out ${directory}: the results of another run are there; name another directory, ` +
        'or overwrite with --force',
    )
  }
}

/**
 * Makes what is missing of a path and returns it, outermost first. Step by step: the recursive mkdir of
 * Node never returns where the system answers that the parent is missing though it is there, as in /proc.
 */
function makeDirectory(directory: string): string[] {
  const missing: string[] = []
  let path = resolve(directory)
  while (whatIsAt(path, directory) === undefined && dirname(path) !== path) {
    missing.unshift(path)
    path = dirname(path)
  }
  for (const [index, one] of missing.entries()) {
    try {
      mkdirSync(one)
    } catch (error) {
      for (const made of missing.slice(0, index).reverse()) rmdirSync(made)
      throw new UsageError(
        `--out ${directory}: ${one} cannot be made (${reason(error)}); name a directory that can be made`,
      )
    }
  }
  return missing
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Somebody has put something there, or taken it away: it is not ours any more.
  }
}

/** Whoever looks sees the old file or the whole new one. */
function writeAtomically(path: string, value: object): void {
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, 'w')
  try {
    writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`)
    fsyncSync(file)
  } catch (error) {
    rmSync(temporary)
    throw error
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

/** Undefined if nothing is there. */
function whatIsAt(path: string, directory: string): Stats | undefined {
  try {
    return statSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new UsageError(
      `--out ${directory}: this is no place for a directory (${reason(error)}); name another`,
    )
  }
}

function unwritable(directory: string, error: unknown): UsageError {
  return new UsageError(
    `--out ${directory}: no file can be written there (${reason(error)}); ` +
      'name a directory where you may write and that has room',
  )
}

/** `EACCES: permission denied`: the system's words, without the path that the message names anyway. */
function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split(',')[0] as string) : String(error)
}
