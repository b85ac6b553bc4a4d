/**
 * Files that are there whole or not at all, whenever the machine stops: written beside, flushed, and put in
 * place by a rename that is flushed too. What was there before stays until then.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Of a file that is not in place yet. What is found under such a name was never relied on. */
export const UNFINISHED = '.new'

/** For whom files are: root keeps the state of a service for the user that the service runs as. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

const OWN_MODE = 0o600
const FRESH = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0)

/**
 * Kept when this returns. Throws what the system throws, and then the old file is as it was; unless it was
 * the directory that could not be flushed: then the new one is there, and after a power failure one of both.
 */
export function writeDurable(path: string, bytes: Uint8Array, owner: Owner | undefined): void {
  const fresh = path + UNFINISHED
  try {
    const file = openSync(fresh, FRESH, OWN_MODE)
    try {
      writeFileSync(file, bytes)
      if (owner !== undefined) fchownSync(file, owner.uid, owner.gid)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(fresh, path)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
  syncDirectory(dirname(path))
}

/** The same without keeping the thread. */
export async function writeDurableLater(
  path: string,
  bytes: Uint8Array,
  owner: Owner | undefined,
): Promise<void> {
  const fresh = path + UNFINISHED
  try {
    await using file = await open(fresh, FRESH, OWN_MODE)
    await file.writeFile(bytes)
    if (owner !== undefined) await file.chown(owner.uid, owner.gid)
    await file.sync()
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  try {
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await syncDirectoryLater(dirname(path))
}

/** Removes a file for good; one that is not there does no harm. */
export async function removeDurableLater(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncDirectoryLater(dirname(path))
}

/** Names in a directory are kept when this returns. */
function syncDirectory(path: string): void {
  if (!canSyncDirectories()) return
  const directory = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

async function syncDirectoryLater(path: string): Promise<void> {
  if (!canSyncDirectories()) return
  await using directory: FileHandle = await open(path, constants.O_RDONLY)
  await directory.sync()
}

/** Windows opens no directories, and keeps renames in its journal. */
function canSyncDirectories(): boolean {
  return process.platform !== 'win32'
}
