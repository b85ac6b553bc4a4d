/**
 * Recorded data on the disk: traces, latencies, topologies. They are not part of the repository, so a
 * missing file is an ordinary mistake and its message says what to get and where to put it.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { UsageError } from '../../core/errors.ts'
import { type DataFiles, type DataNeed, nearestName } from '../../sim/index.ts'
import { REPOSITORY } from '../program.ts'

/** Where data lies when nobody says so: beside the repository, where several checkouts share it. */
const BESIDE = '../shared/data'

/** Files of one directory; what ends in .gz is unpacked. */
export class DiskData implements DataFiles {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  placeOf(name: string): string {
    return inside(this.#directory, name)
  }

  text(name: string): string {
    const bytes = readBytes(this.#directory, name)
    try {
      return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
    } catch (error) {
      throw new UsageError(
        `${join(this.#directory, name)} cannot be unpacked (${reason(error)}); fetch it again`,
      )
    }
  }
}

/** The directory that --data names, or PEERTAP_DATA, or the place beside the repository; absolute. */
export function dataDirectory(flag: string | undefined): string {
  const named = flag ?? process.env.PEERTAP_DATA
  if (named === undefined || named === '') return resolve(REPOSITORY, BESIDE)
  const directory = resolve(named)
  if (flag !== undefined && !isDirectory(directory)) {
    const found = existsSync(directory) ? 'this is a file' : 'there is no such directory'
    throw new UsageError(`--data ${flag}: ${found}; name the directory that holds the data files`)
  }
  return directory
}

/**
 * Throws UsageError naming every file that a scenario needs and that is not there. `blame` says who named
 * it, as messages begin.
 */
export function checkData(
  needs: readonly DataNeed[],
  directory: string,
  blame: (need: DataNeed) => string,
): void {
  const missing = needs.filter(({ name }) => !isFile(inside(directory, name)))
  if (missing.length === 0) return
  const lines = missing.flatMap((need) => [
    `${blame(need)}: ${need.key} is "${need.name}", and there is no such file in ${directory}` +
      suggestion(directory, need.name),
    `  it must be ${need.content}`,
  ])
  lines.push('  name the directory that holds it with --data DIRECTORY, or set PEERTAP_DATA')
  throw new UsageError(lines.join('\n'))
}

/** SHA-256 of each file as it lies on the disk, by name. */
export function dataHashes(needs: readonly DataNeed[], directory: string): Record<string, string> {
  return Object.fromEntries(needs.map(({ name }) => [name, sha256(readBytes(directory, name))]))
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function readBytes(directory: string, name: string): Buffer {
  const path = inside(directory, name)
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(
      `${path} cannot be read (${reason(error)}); name the directory that holds it with --data DIRECTORY`,
    )
  }
}

/** A scenario is data that people pass around: it reads nothing outside of the data directory. */
function inside(directory: string, name: string): string {
  const path = normalize(name)
  if (isAbsolute(path) || path.split(sep)[0] === '..') {
    throw new UsageError(
      `the data file "${name}" must lie in the data directory; name it relative to that, without ..`,
    )
  }
  return join(directory, path)
}

function suggestion(directory: string, name: string): string {
  if (!existsSync(directory)) return ' (nor is there such a directory)'
  if (!isDirectory(directory)) return ' (which is a file)'
  const folder = dirname(inside(directory, name))
  if (!isDirectory(folder)) return ''
  const meant = nearestName(basename(name), readdirSync(folder))
  return meant === undefined ? '' : `; did you mean "${join(dirname(name), meant)}"?`
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function reason(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
