/**
 * A node in one file: its key, its VLANs, what it keeps of their groups, and the peers it knew. For a machine
 * that takes the place of another: two must never run one node, since both would be the same member to all
 * others. What the groups did after the backup is learnt from their members; whoever is the only member of a
 * VLAN has it as it was.
 *
 * The file has the form of those in the state directory (envelope.ts) around JSON: a head, and the content in
 * base64, which AES-256-GCM seals under a key that scrypt makes of a passphrase (RFC 7914), if there is one.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UsageError } from '../../core/errors.ts'
import { makeDirectories } from './directories.ts'
import { writeDurable } from './durable.ts'
import { BODY_BYTES_MAX, disclose, enclose, FILE_BYTES_MAX } from './envelope.ts'
import { RECORDS, recordIds, recordName } from './records.ts'
import {
  checkAccess,
  checkForm,
  holdsState,
  KEY_FILE,
  ownerOf,
  PEERS_FILE,
  readBody,
  readSeed,
  systemMistake,
  VERSION_FILE,
  VERSION_TEXT,
  VLANS_FILE,
} from './state-files.ts'
import { decodeBook } from './vlan-book-read.ts'

/** What the checksum takes for the name of every backup, so that the file may be called anything. */
const NAME = 'backup'
const BACKUP_VERSION = 1

/** RFC 7914 has the parameters; these take 128 MiB and a third of a second, as OWASP advises (2024). */
const COST = { N: 131_072, r: 8, p: 1 } as const
/** What is read from a file must not take all memory. */
const COST_MAX = 262_144
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Fewer characters can be tried through. */
const PASSPHRASE_MIN = 8
const PASSPHRASE_BYTES_MAX = 1_024

/** How often a state that changes meanwhile is read again. */
const TRIES = 10

const base64 = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/)
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))

const head = z.strictObject({
  version: z.literal(BACKUP_VERSION),
  createdMillis: z.int().min(0),
  scrypt: z
    .strictObject({
      N: z
        .int()
        .min(2)
        .max(COST_MAX)
        .refine((value) => Number.isInteger(Math.log2(value))),
      r: z.int().min(1).max(8),
      p: z.int().min(1).max(4),
      salt: base64,
      nonce: base64,
    })
    .optional(),
  content: base64,
})

const FILE = /^(?:node\.key|vlans|peers|records\/\d{6,12})$/
const content = z.strictObject({ files: z.record(z.string().regex(FILE), base64) })

export interface Backup {
  readonly createdMillis: number
  readonly encrypted: boolean
  readonly vlans: number
  /** The seed of the node's key: whose backup this is. */
  readonly seed: Uint8Array
  /** As they lie in the state directory, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** Writes a new file, readable by its owner alone; the node may run meanwhile. Throws UsageError. */
export function writeBackup(
  state: string,
  file: string,
  { passphrase, nowMillis }: { readonly passphrase?: string | undefined; readonly nowMillis: number },
): Backup {
  try {
    if (existsSync(file)) throw new UsageError(`${file} is there already; name another file, or move it away`)
    if (passphrase !== undefined && [...passphrase].length < PASSPHRASE_MIN) {
      throw new UsageError(
        `the passphrase has ${[...passphrase].length} characters; it must have at least ${PASSPHRASE_MIN}`,
      )
    }
    const files = filesOf(state)
    const inner = JSON.stringify({
      files: Object.fromEntries(
        [...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]),
      ),
    })
    const body = sealedBody(new TextEncoder().encode(inner), passphrase, nowMillis)
    if (body.length > BODY_BYTES_MAX)
      throw new UsageError(`${state} is too large for a backup (${body.length} bytes); copy the directory`)
    writeDurable(file, enclose(NAME, body), undefined)
    return readBackup(file, passphrase)
  } catch (error) {
    throw systemMistake(file, error)
  }
}

/** Checks all that is in it. Throws a UsageError that says what is wrong. */
export function readBackup(file: string, passphrase: string | undefined): Backup {
  try {
    if (!existsSync(file)) throw new UsageError(`${file}: there is no such file; name a backup`)
    const { size } = statSync(file)
    if (size > FILE_BYTES_MAX) throw unusable(file, `has ${size} bytes, more than any backup`)
    const opened = disclose(NAME, readFileSync(file))
    if (!opened.ok) throw unusable(file, opened.wrong)
    const outer = head.safeParse(jsonOf(opened.body))
    if (!outer.success) throw unusable(file, 'was written by another version of PeerTap')
    const inner = content.safeParse(jsonOf(openedContent(file, outer.data, passphrase)))
    if (!inner.success) throw unusable(file, 'was written by another version of PeerTap')
    const { createdMillis, scrypt } = outer.data
    return checkedBackup(file, createdMillis, scrypt !== undefined, new Map(Object.entries(inner.data.files)))
  } catch (error) {
    throw systemMistake(file, error)
  }
}

/** Makes a state of it in a directory that is empty or not there yet. Throws UsageError. */
export function restoreBackup(file: string, state: string, passphrase: string | undefined): Backup {
  const backup = readBackup(file, passphrase)
  const written: string[] = []
  try {
    makeDirectories(state, 0o700)
    if (holdsState(state)) {
      throw new UsageError(
        `${state} holds a state already, and nothing is written over; move it away, ` +
          'or name another directory with --state',
      )
    }
    checkForm(state, 'empty')
    checkAccess(state)
    const owner = ownerOf(state)
    mkdirSync(join(state, RECORDS), { mode: 0o700 })
    written.push(join(state, RECORDS))
    // The version last: without it a state is not there.
    const all = [...backup.files, [VERSION_FILE, new TextEncoder().encode(VERSION_TEXT)] as const]
    for (const [name, bytes] of all) {
      written.push(join(state, name))
      writeDurable(join(state, name), bytes, owner)
    }
    return backup
  } catch (error) {
    for (const path of written) rmSync(path, { recursive: true, force: true })
    throw systemMistake(state, error)
  }
}

/** What a backup consists of, read while nothing of it changed. */
function filesOf(state: string): Map<string, Uint8Array> {
  if (!existsSync(state))
    throw new UsageError(`${state}: there is no such directory; name a state with --state`)
  checkAccess(state)
  checkForm(state, 'complete')
  for (let tries = 0; tries < TRIES; tries++) {
    const before = stampOf(state)
    const names = [KEY_FILE, VLANS_FILE, PEERS_FILE, ...recordIds(state).map(recordName)]
    const files = new Map<string, Uint8Array>()
    for (const name of names) {
      // Checked here: a backup of something broken would be found out when it is needed.
      if (readBody(state, name) !== undefined) files.set(name, readFileSync(join(state, name)))
    }
    readSeed(state)
    if (stampOf(state) === before) return files
  }
  throw new UsageError(`${state} changed all the time while it was read; try again, or stop the node first`)
}

/** Changes with every file that is put in place: each is a new one. */
function stampOf(state: string): string {
  const names = ['', RECORDS, ...readdirSync(state), ...recordIds(state).map(recordName)]
  const stamps = names.map((name) => {
    const stat = statSync(join(state, name), { bigint: true, throwIfNoEntry: false })
    return `${name} ${stat?.ino} ${stat?.mtimeNs}`
  })
  return stamps.join('\n')
}

function checkedBackup(
  file: string,
  createdMillis: number,
  encrypted: boolean,
  files: ReadonlyMap<string, Uint8Array>,
): Backup {
  const bodyOf = (name: string): Uint8Array | undefined => {
    const bytes = files.get(name)
    if (bytes === undefined) return undefined
    const opened = disclose(name, bytes)
    if (!opened.ok) throw unusable(file, `holds ${name}, which ${opened.wrong}`)
    return opened.body
  }
  for (const name of files.keys()) bodyOf(name)
  const seed = bodyOf(KEY_FILE)
  if (seed === undefined) throw unusable(file, `holds no ${KEY_FILE}`)
  const book = bodyOf(VLANS_FILE)
  const decoded = book === undefined ? undefined : decodeBook(book)
  if (decoded?.ok === false) throw unusable(file, `holds ${VLANS_FILE}, which ${decoded.wrong}`)
  return {
    createdMillis,
    encrypted,
    vlans: decoded?.book.vlans.length ?? 0,
    seed: new Uint8Array(seed),
    files,
  }
}

function sealedBody(inner: Uint8Array, passphrase: string | undefined, createdMillis: number): Uint8Array {
  const text = (value: object) => new TextEncoder().encode(JSON.stringify(value))
  const plain = { version: BACKUP_VERSION, createdMillis }
  if (passphrase === undefined) return text({ ...plain, content: Buffer.from(inner).toString('base64') })
  const salt = randomBytes(SALT_BYTES)
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', keyOf(passphrase, salt, COST), nonce)
  const sealed = Buffer.concat([cipher.update(inner), cipher.final(), cipher.getAuthTag()])
  const scrypt = { ...COST, salt: salt.toString('base64'), nonce: nonce.toString('base64') }
  return text({ ...plain, scrypt, content: sealed.toString('base64') })
}

function openedContent(
  file: string,
  outer: z.output<typeof head>,
  passphrase: string | undefined,
): Uint8Array {
  const { scrypt, content: bytes } = outer
  if (scrypt === undefined) return bytes
  if (passphrase === undefined) {
    throw new UsageError(
      `${file} is encrypted; give its passphrase with --passphrase-file FILE or --passphrase-stdin`,
    )
  }
  const { salt, nonce, ...cost } = scrypt
  if (bytes.length < TAG_BYTES || nonce.length !== NONCE_BYTES) throw unusable(file, 'is no backup')
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(passphrase, salt, cost), nonce, {
      authTagLength: TAG_BYTES,
    })
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(0, bytes.length - TAG_BYTES)), decipher.final()])
  } catch {
    throw new UsageError(`${file} does not open with this passphrase; give the one it was made with`)
  }
}

/** One passphrase, however the keyboard composes its letters. */
function keyOf(
  passphrase: string,
  salt: Uint8Array,
  { N, r, p }: { readonly N: number; readonly r: number; readonly p: number },
): Uint8Array {
  return scryptSync(passphrase.normalize('NFC'), salt, 32, { N, r, p, maxmem: 2 * 128 * N * r * p })
}

/** The first line of a file, or of standard input where `-` is given. Throws UsageError. */
export function readPassphrase(path: string): string {
  try {
    const text = readFileSync(path === '-' ? 0 : path, 'utf8')
    const line = text.split(/\r?\n/)[0] as string
    const name = path === '-' ? 'standard input' : path
    if (line === '') throw new UsageError(`${name} holds no passphrase; write it into the first line`)
    if (Buffer.byteLength(line) > PASSPHRASE_BYTES_MAX)
      throw new UsageError(`${name} has a first line of more than ${PASSPHRASE_BYTES_MAX} bytes; shorten it`)
    return line
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new UsageError(`${path}: there is no such file; name one with a passphrase in it`)
    throw systemMistake(path, error)
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

function unusable(file: string, what: string): UsageError {
  return new UsageError(`${file} ${what}; use another backup: nothing was restored`)
}
