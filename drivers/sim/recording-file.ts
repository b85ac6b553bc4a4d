/**
 * Recordings on the disk: written as a run goes, read piece by piece. What is wrong with the place is found
 * before a run, which may take hours; a file that holds anything but a recording is not written over unless
 * asked.
 */
import { closeSync, openSync, readSync, type Stats, statSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { UsageError } from '../../core/errors.ts'
import { EXTENSION, isRecording, PREAMBLE_BYTES, type RecordingBytes, type Sink } from '../../sim/index.ts'

/** What a run is told to record. Plain data: it crosses threads. */
export interface RecordingOrder {
  readonly path: string
  readonly text: string
  readonly version: string
  readonly marks: readonly number[]
}

/** Throws UsageError if the file holds something that is no recording and `force` does not allow it. */
export function checkRecordingPlace(path: string, force: boolean): void {
  const found = whatIsAt(path)
  if (found === undefined) return
  if (!found.isFile()) throw new UsageError(`--record ${path}: this is no file; name one, as run${EXTENSION}`)
  if (found.size > 0 && !force && !isRecording(beginning(path))) {
    throw new UsageError(
      `--record ${path}: another file is there; name a new one, or write over it with --force`,
    )
  }
}

/** Whether a file looks like a recording, broken or not. */
export function looksRecorded(path: string): boolean {
  if (whatIsAt(path)?.isFile() !== true) return false
  return path.endsWith(EXTENSION) || isRecording(beginning(path))
}

/** Writes a recording. All it does may throw UsageError: a disk fills up. */
export class RecordingFile implements Sink {
  readonly #path: string
  readonly #file: number

  constructor(path: string) {
    this.#path = path
    this.#file = this.#try(() => openSync(path, 'w'))
  }

  append(bytes: Uint8Array): void {
    this.#write(bytes, null)
  }

  rewrite(bytes: Uint8Array): void {
    this.#write(bytes, 0)
  }

  close(): void {
    closeSync(this.#file)
  }

  /** `at`: null for the end. */
  #write(bytes: Uint8Array, at: number | null): void {
    this.#try(() => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#file, bytes, done, bytes.length - done, at === null ? null : at + done)
    })
  }

  #try<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      const why = error instanceof Error ? error.message.split(',')[0] : String(error)
      throw new UsageError(
        `--record ${this.#path}: it cannot be written (${why}); ` +
          'name a file where you may write and that has room',
      )
    }
  }
}

/** A recording to be read. */
export class RecordingOnDisk implements RecordingBytes {
  readonly size: number
  readonly #file: FileHandle

  private constructor(file: FileHandle, size: number) {
    this.#file = file
    this.size = size
  }

  /** Throws UsageError. */
  static async open(path: string): Promise<RecordingOnDisk> {
    try {
      const file = await open(path, 'r')
      return new RecordingOnDisk(file, (await file.stat()).size)
    } catch (error) {
      const why = error instanceof Error ? error.message.split(',')[0] : String(error)
      throw new UsageError(`${path}: it cannot be read (${why}); name a recording that can`)
    }
  }

  async read(from: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, from + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return bytes.subarray(0, done)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

/** Undefined where nothing can be, too. */
function whatIsAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

function beginning(path: string): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES)
  try {
    const file = openSync(path, 'r')
    const length = readSync(file, bytes, 0, bytes.length, 0)
    closeSync(file)
    return bytes.subarray(0, length)
  } catch {
    return bytes.subarray(0, 0)
  }
}
