/**
 * A lock on a directory that ends with the process that holds it, however it ends: flock(2) on a file in it.
 * Where the system has no such call the file names its holder (drivers/sim/lock.ts), which is as good until a
 * process number comes again.
 */
import { closeSync, constants, fchownSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Libc, openLibc } from '../linux/libc.ts'
import { releaseLock, takeLock } from '../sim/lock.ts'
import type { Owner } from './durable.ts'

export const LOCK_FILE = 'lock'

/** flock(2): exclusive, and an answer at once. */
const EXCLUSIVE_NOW = 2 | 4

export interface FileLock {
  release(): void
}

/** The lock, or who has it: `process 123`. Throws what the system throws. */
export function lockDirectory(
  directory: string,
  owner: Owner | undefined,
): { readonly lock: FileLock } | { readonly holder: string } {
  const flock = systemFlock()
  if (flock === undefined) {
    const holder = takeLock(directory)
    return holder === undefined ? { lock: { release: () => releaseLock(directory) } } : { holder }
  }
  const path = join(directory, LOCK_FILE)
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  if (flock(file, EXCLUSIVE_NOW) !== 0) {
    closeSync(file)
    return { holder: holderIn(path) }
  }
  if (owner !== undefined) fchownSync(file, owner.uid, owner.gid)
  // For people: what counts is the lock. The file stays, since one that came and went would be two.
  try {
    ftruncateSync(file)
    writeSync(file, `${process.pid}\n`, 0)
  } catch {
    // A full disk: whoever finds the lock held is told of another process, and not which.
  }
  return {
    lock: {
      release: () => {
        ftruncateSync(file)
        closeSync(file)
      },
    },
  }
}

function holderIn(path: string): string {
  const text = readFileSync(path, 'utf8').trim()
  return /^\d+$/.test(text) ? `process ${text}` : 'another process'
}

function systemFlock(): Libc['flock'] | undefined {
  try {
    return openLibc().flock
  } catch {
    return undefined
  }
}
