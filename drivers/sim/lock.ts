/**
 * A directory that one process at a time writes into: a file in it names that process.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const LOCK = '.peertap.lock'

/** Answers who has the directory, or undefined: now this process. Throws what the system throws. */
export function takeLock(directory: string): string | undefined {
  const path = join(directory, LOCK)
  if (makeLock(path)) return undefined
  const holder = livingHolder(path)
  if (holder !== undefined) return holder
  // Of a process that was killed.
  rmSync(path, { force: true })
  return makeLock(path) ? undefined : (livingHolder(path) ?? 'another run')
}

export function releaseLock(directory: string): void {
  rmSync(join(directory, LOCK), { force: true })
}

/** False if there is one already. */
function makeLock(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

function livingHolder(path: string): string | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
  // Made a moment ago and not written yet, or no work of ours.
  if (!/^\d+$/.test(text)) return `another run (if there is none, remove ${LOCK})`
  return isAlive(Number(text)) ? `the run of process ${text}` : undefined
}

/** A number that is this process's own is of an earlier one that had it. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
