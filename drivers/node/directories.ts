/** Making a directory with all those above it, one by one. */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { UsageError } from '../../core/errors.ts'

/**
 * Those that are there stay as they are. Throws what the system throws, and a UsageError where files cannot
 * be made at all: in /proc the system says of a directory that it has just shown that there is none, and what
 * Node has for this asks it for ever (Node 26).
 */
export function makeDirectories(path: string, mode = 0o777): void {
  if (isDirectory(path)) return
  const above = dirname(path)
  if (above !== path) makeDirectories(above, mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && isDirectory(path)) return
    if (code !== 'ENOENT') throw error
    throw new UsageError(
      `${path} cannot be made: the system lets nobody make files in ${above}; name a directory on a disk`,
    )
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
