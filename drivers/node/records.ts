/**
 * The records that the core asks to be kept, a file each. Writes are carried out one after the other; where
 * several wait for one record only the last is written, since it stands for those before it, and all of them
 * are answered by what became of it.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StoreId } from '../../core/io.ts'
import { type Owner, removeDurableLater, writeDurableLater } from './durable.ts'
import { BODY_BYTES_MAX, enclose } from './envelope.ts'

export const RECORDS = 'records'

/** Bytes that may wait for a slow disk. Guess: many times what a busy node writes in a minute. */
const WAITING_BYTES_MAX = 268_435_456

export type Reporter = (level: 'info' | 'warn' | 'error', message: string) => void

/** What is to become of a record: new bytes, removal, or nothing since there is no room for it. */
type Fate = Uint8Array | 'remove' | 'refuse'

interface Waiting {
  fate: Fate
  readonly told: ((ok: boolean) => void)[]
}

/** Relative to the state directory. */
export function recordName(id: StoreId): string {
  return `${RECORDS}/${String(id).padStart(6, '0')}`
}

/** The records that are kept, ascending. */
export function recordIds(directory: string): StoreId[] {
  return readdirSync(join(directory, RECORDS))
    .filter((name) => /^\d{6,}$/.test(name))
    .map((name) => Number(name) as StoreId)
    .sort((a, b) => a - b)
}

export class Records {
  readonly #directory: string
  readonly #owner: Owner | undefined
  readonly #report: Reporter
  readonly #waiting = new Map<StoreId, Waiting>()
  #waitingBytes = 0
  #writing: Promise<void> | undefined
  #failing = false
  #closed = false

  constructor(directory: string, owner: Owner | undefined, report: Reporter) {
    this.#directory = directory
    this.#owner = owner
    this.#report = report
  }

  /**
   * True once it is kept, whatever happens then: the file is flushed, and so is its name in the directory.
   * False if it could not be: then the one before is still there, or, where it was the directory that could
   * not be flushed, after a power failure one of the two. Answers for one record come in the order of the
   * calls. The bytes are copied at once.
   */
  store(id: StoreId, record: Uint8Array): Promise<boolean> {
    return this.#enqueue(id, this.#hasRoomFor(record) ? copyOf(record) : 'refuse')
  }

  remove(id: StoreId): Promise<boolean> {
    return this.#enqueue(id, 'remove')
  }

  /** When all that was asked for so far is done. */
  async flush(): Promise<void> {
    await this.#writing
  }

  /** Nothing is kept any more from now on; ends when what was asked for is done. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
  }

  #hasRoomFor(record: Uint8Array): boolean {
    return (
      !this.#closed &&
      record.length <= BODY_BYTES_MAX &&
      this.#waitingBytes + record.length <= WAITING_BYTES_MAX
    )
  }

  #enqueue(id: StoreId, fate: Fate): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const waiting = this.#waiting.get(id)
    this.#waitingBytes += bytesOf(fate)
    if (waiting === undefined) this.#waiting.set(id, { fate, told: [resolve] })
    else {
      this.#waitingBytes -= bytesOf(waiting.fate)
      waiting.fate = fate
      waiting.told.push(resolve)
    }
    this.#writing ??= this.#writeAll()
    return promise
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const first = this.#waiting.entries().next()
      if (first.done) break
      const [id, { fate, told }] = first.value
      this.#waiting.delete(id)
      const ok = await this.#carryOut(id, fate)
      this.#waitingBytes -= bytesOf(fate)
      for (const tell of told) tell(ok)
    }
    this.#writing = undefined
  }

  async #carryOut(id: StoreId, fate: Fate): Promise<boolean> {
    const name = recordName(id)
    const path = join(this.#directory, name)
    try {
      if (fate === 'refuse') throw new Error('more waits to be written than there is room for')
      if (fate === 'remove') await removeDurableLater(path)
      else await writeDurableLater(path, enclose(name, fate), this.#owner)
    } catch (error) {
      this.#failed(path, error)
      return false
    }
    if (this.#failing) this.#report('info', `${this.#directory} can be written again`)
    this.#failing = false
    return true
  }

  /** Once, until it works again: a full disk would be told of with every record. */
  #failed(path: string, error: unknown): void {
    if (this.#failing) return
    this.#failing = true
    const why = error instanceof Error ? error.message : String(error)
    this.#report(
      'error',
      `${path} cannot be written (${why}); make room, or see to the disk. What was kept before ` +
        'is untouched; ' +
        'VLANs stay at their present keys, and nobody new is let in, until it can be',
    )
  }
}

/** `slice` of a Buffer would be a view. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

function bytesOf(fate: Fate): number {
  return typeof fate === 'string' ? 0 : fate.length
}
