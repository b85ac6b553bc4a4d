/**
 * The state directory of a node: its key, its VLANs and what it keeps of their groups, and peers it knew. All
 * of it is for its owner alone, written whole or not at all, and checked when it is read; nothing that cannot
 * be read is written over.
 *
 *     version           of this form, a line of text
 *     lock              held by the process that uses the directory
 *     node.key          32 bytes, the seed of the node's key
 *     vlans             the book of VLANs
 *     records/000016    what the core keeps, by its number
 *     peers             a cache: all it costs is time
 *     token             for the control port, a line of text
 *
 * Two processes must never run one state, on one machine or on two: both would be the same member, and the
 * others would take neither for granted. On one machine the lock sees to it.
 */
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import type { Stored } from '../../core/group/events.ts'
import { hex } from '../../core/ids.ts'
import type { PeerHint, PortId, StoreId } from '../../core/io.ts'
import { recordOf } from '../../core/member/records.ts'
import { NotNow } from '../not-now.ts'
import { BookFile } from './book-file.ts'
import { makeDirectories } from './directories.ts'
import { type Owner, writeDurable, writeDurableLater } from './durable.ts'
import { enclose } from './envelope.ts'
import { type FileLock, lockDirectory } from './file-lock.ts'
import { decodePeers, encodePeers } from './peer-cache.ts'
import { RECORDS, Records, type Reporter, recordIds, recordName } from './records.ts'
import {
  checkAccess,
  checkForm,
  holdsState,
  KEY_FILE,
  ownerOf,
  PEERS_FILE,
  readBody,
  readSeed,
  removeUnfinished,
  SEED_BYTES,
  systemMistake,
  VERSION_FILE,
  VERSION_TEXT,
  VLANS_FILE,
} from './state-files.ts'
import type { Book } from './vlan-book.ts'

const TOKEN_FILE = 'token'
const SLOTS = ['head', 'next', 'ledger'] as const
/** A cache that cannot be read is set aside under this ending. */
const DAMAGED = '.damaged'

/** Makes a state with a new key; false if there is one already. Throws UsageError. */
export function createState(path: string, seed: Uint8Array = randomBytes(SEED_BYTES)): boolean {
  try {
    makeDirectories(path, 0o700)
    if (holdsState(path)) return false
    checkForm(path, 'empty')
    checkAccess(path)
    try {
      const owner = ownerOf(path)
      makeRecords(path, owner)
      writeDurable(join(path, KEY_FILE), enclose(KEY_FILE, seed), owner)
      // Last: without it a state is not there.
      writeDurable(join(path, VERSION_FILE), new TextEncoder().encode(VERSION_TEXT), owner)
    } catch (error) {
      // Nothing was there before, and what is half made would be in the way of the next try.
      for (const name of [RECORDS, KEY_FILE, VERSION_FILE])
        rmSync(join(path, name), { recursive: true, force: true })
      throw error
    }
    return true
  } catch (error) {
    throw systemMistake(path, error)
  }
}

function makeRecords(path: string, owner: Owner | undefined): void {
  const directory = join(path, RECORDS)
  if (existsSync(directory)) return
  mkdirSync(directory, { mode: 0o700 })
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid)
}

export class NodeState {
  readonly path: string
  /** The seed of the node's Ed25519 key, 32 bytes. */
  readonly seed: Uint8Array
  readonly book: BookFile
  readonly #owner: Owner | undefined
  readonly #lock: FileLock
  readonly #records: Records
  readonly #report: Reporter

  /** Reads and checks all there is; throws a UsageError that names every file that is wrong. */
  static open(path: string, report: Reporter): NodeState {
    try {
      if (!existsSync(path)) throw new UsageError(`${path}: there is no such directory; run "peertap init"`)
      checkAccess(path)
      checkForm(path, 'complete')
      const owner = ownerOf(path)
      const locked = lockDirectory(path, owner)
      if ('holder' in locked) {
        throw new NotNow(
          `${path} is in use by ${locked.holder}; end that one first, or name another directory with --state`,
        )
      }
      try {
        return new NodeState(path, owner, locked.lock, report)
      } catch (error) {
        locked.lock.release()
        throw error
      }
    } catch (error) {
      throw systemMistake(path, error)
    }
  }

  private constructor(path: string, owner: Owner | undefined, lock: FileLock, report: Reporter) {
    this.path = path
    this.#owner = owner
    this.#lock = lock
    this.#report = report
    this.#records = new Records(path, owner, report)
    removeUnfinished(path)
    makeRecords(path, owner)
    this.book = new BookFile(path)
    const { book, wrong } = this.#checkFiles()
    if (wrong.length > 0) throw new UsageError(wrong.join('\n'))
    this.seed = readSeed(path)
    if (book !== undefined) this.#removeOrphans(book)
  }

  // For the core.

  /** See Records.store. */
  store(id: StoreId, record: Uint8Array): Promise<boolean> {
    return this.#records.store(id, record)
  }

  /** What is kept of the group at a port; while writes are under way, of before. */
  stored(port: PortId): Stored {
    const read = (slot: (typeof SLOTS)[number]) => readBody(this.path, recordName(recordOf(port, slot)))
    return { head: read('head'), next: read('next'), ledger: read('ledger') }
  }

  /** Removes what is kept of the group at a port, after what is under way. */
  erase(port: PortId): void {
    for (const slot of SLOTS) void this.#records.remove(recordOf(port, slot))
  }

  // Beside it.

  /** Peers known before; none if the cache cannot be read, which is set aside and reported. */
  peers(): readonly PeerHint[] {
    const path = join(this.path, PEERS_FILE)
    try {
      return readBody(this.path, PEERS_FILE, decodePeers) ?? []
    } catch (error) {
      renameSync(path, path + DAMAGED)
      const message = error instanceof Error ? error.message : String(error)
      this.#report('warn', `${message} (this node goes on without it; it was set aside as ${path}${DAMAGED})`)
      return []
    }
  }

  /** The first of them are kept, in place of those before; false if that failed, which costs little. */
  async keepPeers(peers: readonly PeerHint[]): Promise<boolean> {
    const path = join(this.path, PEERS_FILE)
    try {
      await writeDurableLater(path, enclose(PEERS_FILE, encodePeers(peers)), this.#owner)
      return true
    } catch (error) {
      this.#report('warn', `${path} cannot be written (${error instanceof Error ? error.message : error})`)
      return false
    }
  }

  /** What a client of the control port must show: 64 hex digits, made when first asked for. */
  token(): string {
    const path = join(this.path, TOKEN_FILE)
    try {
      const text = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
      if (/^[0-9a-f]{64}$/.test(text)) return text
      const fresh = hex(randomBytes(32))
      writeDurable(path, new TextEncoder().encode(`${fresh}\n`), this.#owner)
      return fresh
    } catch (error) {
      throw systemMistake(path, error)
    }
  }

  /** When all records that were asked for are kept, or cannot be. */
  flush(): Promise<void> {
    return this.#records.flush()
  }

  /** Flushes, and lets others have the directory. */
  async close(): Promise<void> {
    await this.#records.close()
    this.#lock.release()
    this.seed.fill(0)
  }

  // Within.

  #checkFiles(): { readonly book: Book | undefined; readonly wrong: readonly string[] } {
    const names = [KEY_FILE, VLANS_FILE, ...recordIds(this.path).map(recordName)]
    let book: Book | undefined
    const wrong = names.flatMap((name) => {
      try {
        if (name === VLANS_FILE) book = this.book.check()
        else if (name === KEY_FILE) readSeed(this.path)
        else readBody(this.path, name)
        return []
      } catch (error) {
        return error instanceof UsageError
          ? [error.message]
          : [systemMistake(join(this.path, name), error).message]
      }
    })
    return { book, wrong }
  }

  /** What is kept of VLANs that were removed just before the node stopped. */
  #removeOrphans(book: Book): void {
    const ports = new Set<number>(book.vlans.map(({ port }) => port))
    const ids = new Set<number>(recordIds(this.path))
    for (let port = book.firstPort; port < book.nextPort; port++) {
      if (ports.has(port)) continue
      for (const slot of SLOTS) {
        const id = recordOf(port as PortId, slot)
        if (ids.has(id)) rmSync(join(this.path, recordName(id)), { force: true })
      }
    }
  }
}
