/**
 * The files of a state directory: who may read them, whether they are whole, and what to say where they are
 * not. Nothing here changes a file that has to be kept.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import { NotNow } from '../not-now.ts'
import { type Owner, UNFINISHED } from './durable.ts'
import { disclose, FILE_BYTES_MAX } from './envelope.ts'
import { LOCK_FILE } from './file-lock.ts'
import { RECORDS } from './records.ts'

export const VERSION_FILE = 'version'
/** Of the form of a state directory. */
export const VERSION_TEXT = '1\n'
export const KEY_FILE = 'node.key'
export const VLANS_FILE = 'vlans'
export const PEERS_FILE = 'peers'

export const SEED_BYTES = 32

/** What file systems put into a directory by themselves. */
const FOREIGN = new Set(['lost+found'])
/** The bits of a mode that let anybody but the owner in. */
const OTHERS = 0o077

/** What mends a file that cannot be read, and what that costs. */
const MENDS: Readonly<Record<string, string>> = {
  [KEY_FILE]:
    'restore a backup of the whole directory with "peertap restore"; without one move the ' +
    'directory away and ' +
    'run "peertap init": this node is then another one, and has to be invited to its VLANs again',
  [VLANS_FILE]:
    'restore a backup of the whole directory with "peertap restore"; without one move this file away: this ' +
    'node then has no VLANs until it is invited again, and VLANs whose authority it was have lost it',
  [PEERS_FILE]: 'remove this file: it is a cache',
  [RECORDS]:
    'move this file away: this node then asks its VLAN to let it in again, and founds it anew ' +
    'if it was the ' +
    'founder',
}

/** A state of any version, whole or not. */
export function holdsState(path: string): boolean {
  return existsSync(join(path, VERSION_FILE)) && existsSync(join(path, KEY_FILE))
}

/** A state is there: its directory has a version. */
export function checkForm(path: string, wanted: 'empty' | 'complete'): void {
  const names = readdirSync(path).filter((name) => !FOREIGN.has(name))
  const version = join(path, VERSION_FILE)
  if (wanted === 'empty') {
    if (names.length === 0) return
    throw new UsageError(
      `${path} is not empty (it holds ${namesShown(names)}); name an empty or new directory with --state`,
    )
  }
  if (names.length === 0) throw new UsageError(`${path} is empty; run "peertap init" to make a state in it`)
  if (!names.includes(VERSION_FILE)) {
    throw new UsageError(
      names.includes(KEY_FILE)
        ? `${path} holds a state that was not finished: ${VERSION_FILE} is missing; ` +
            'move the directory away, and run "peertap init" or "peertap restore" again'
        : `${path} holds no state of PeerTap (it holds ${namesShown(names)}); name another with --state`,
    )
  }
  const text = readFileSync(version, 'utf8')
  if (text === VERSION_TEXT) return
  throw new UsageError(
    `${version} is ${JSON.stringify(text.slice(0, 20).trim())}; this PeerTap reads version ` +
      `${VERSION_TEXT.trim()}; use the PeerTap that wrote the state: nothing was changed`,
  )
}

/** The directory and all in it are for their owner alone. Windows has no such modes. */
export function checkAccess(path: string): void {
  if (process.platform === 'win32') return
  const { uid } = statSync(path)
  const self = process.geteuid?.() ?? uid
  // Root reads what it wants, and leaves files to whom the directory belongs.
  if (self !== 0 && self !== uid) {
    throw new UsageError(
      `${path} belongs to user ${uid} and this is user ${self}; run as that one, or as root`,
    )
  }
  const open = filesBelow(path).filter((file) => (statSync(file).mode & OTHERS) !== 0)
  const [first] = open
  if (first === undefined) return
  const mode = (statSync(first).mode & 0o777).toString(8)
  const others = open.length > 1 ? ` (and ${open.length - 1} more below)` : ''
  throw new UsageError(
    `${first} has mode ${mode}, so that others may get at its secrets${others}; ` +
      `it must be for its owner alone: run chmod -R go= ${path}`,
  )
}

/** For whom files are to be made, where that is not this process's user. */
export function ownerOf(path: string): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined
  const { uid, gid } = statSync(path)
  return uid === 0 ? undefined : { uid, gid }
}

/** What was being written when a process ended was never relied on. */
export function removeUnfinished(path: string): void {
  for (const file of filesBelow(path)) if (file.endsWith(UNFINISHED)) rmSync(file, { force: true })
}

type Decode<T> = (
  body: Uint8Array,
) => { readonly ok: true; readonly value: T } | { readonly ok: false; readonly wrong: string }

/**
 * What a file holds, undefined if it is not there; no Buffer, whose `slice` is no copy. Throws a UsageError
 * that says what mends it.
 */
export function readBody(directory: string, name: string): Uint8Array | undefined
export function readBody<T>(directory: string, name: string, decode: Decode<T>): T | undefined
export function readBody<T>(directory: string, name: string, decode?: Decode<T>): T | Uint8Array | undefined {
  const path = join(directory, name)
  if (!existsSync(path)) return undefined
  const { size } = statSync(path)
  if (size > FILE_BYTES_MAX) throw damaged(path, name, `has ${size} bytes, more than any such file`)
  const opened = disclose(name, readFileSync(path))
  if (!opened.ok) throw damaged(path, name, opened.wrong)
  if (decode === undefined) return new Uint8Array(opened.body)
  const decoded = decode(opened.body)
  if (!decoded.ok) throw damaged(path, name, decoded.wrong)
  return decoded.value
}

/** The seed of the node's key. */
export function readSeed(directory: string): Uint8Array {
  const seed = readBody(directory, KEY_FILE, (body) => {
    if (body.length === SEED_BYTES) return { ok: true, value: new Uint8Array(body) }
    return { ok: false, wrong: `holds ${body.length} bytes, and a key has ${SEED_BYTES}` }
  })
  if (seed === undefined) throw damaged(join(directory, KEY_FILE), KEY_FILE, 'is missing')
  return seed
}

function damaged(path: string, name: string, what: string): UsageError {
  const mend = MENDS[name] ?? MENDS[name.split('/')[0] as string]
  return new UsageError(`${path} ${what}; ${mend}`)
}

const SYSTEM_MENDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room, and try again; what was there is untouched',
  EDQUOT: 'the quota is used up: make room, and try again; what was there is untouched',
  EROFS: 'the file system is read-only: mount it for writing, or name another directory with --state',
  EACCES: 'permission is denied: run as the owner of the directory, or as root',
  EPERM: 'permission is denied: run as the owner of the directory, or as root',
  ENOTDIR: 'a part of the way there is no directory: correct the path',
  ENOENT: 'there is no such file, or no directory for it: make that, or name another place',
  EISDIR: 'it is a directory: name a file',
  EEXIST: 'it is a file, where a directory is to be made: name another place',
  EIO: 'the disk does not work: see to it, and restore a backup elsewhere',
}

/** Of these, those that end by themselves, or when somebody tidies up. */
const PASSING: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

/** What the system refused is for the user to mend; any other error is passed through. */
export function systemMistake(path: string, error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const { code, path: at } = error as NodeJS.ErrnoException
  if (code === undefined || error instanceof UsageError) return error
  const mend = SYSTEM_MENDS[code] ?? `${error.message}: see to that, and try again`
  const Mistake = PASSING.has(code) ? NotNow : UsageError
  // Nobody has named the file that is written first and takes the place of the other when it is whole.
  const named = at?.endsWith(UNFINISHED) ? at.slice(0, -UNFINISHED.length) : at
  return new Mistake(`${named ?? path}: ${mend}`)
}

function filesBelow(path: string): string[] {
  const below = readdirSync(path, { withFileTypes: true }).filter(({ name }) => !FOREIGN.has(name))
  return [
    path,
    ...below.flatMap((entry) => {
      const inner = join(path, entry.name)
      return entry.isDirectory() ? filesBelow(inner) : entry.name === LOCK_FILE ? [] : [inner]
    }),
  ]
}

function namesShown(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}
