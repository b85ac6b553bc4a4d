/**
 * Opens a recording and finds what is needed of it. It reads piece by piece, so that a file may be larger
 * than memory, and believes nothing: what is wrong is a UsageError with the place, what was found, the rule
 * and the mend. A file that was cut off is opened as far as it goes.
 */
import { UsageError } from '../../core/errors.ts'
import type { Micros } from '../../core/io.ts'
import type { RunResult } from '../results.ts'
import type { Happening, Sample } from '../watch/seen.ts'
import { ByteReader, crc32, textOf } from './bytes.ts'
import { ChangeReader, type Counts, readCheckpoint } from './codec.ts'
import type { Drawn } from './drawn.ts'
import {
  DAMAGED,
  type Found,
  type Frame,
  frameBytes,
  HEAD_BYTES,
  isWrong,
  PREAMBLE_BYTES,
  type Preamble,
  readHead,
  readIndex,
  readPreamble,
} from './format.ts'
import { type Header, readHeader, readResult } from './header.ts'
import { MOST } from './limits.ts'
import { readStory, type Story } from './story.ts'

/** A file, wherever it lies. */
export interface RecordingBytes {
  /** How many there are. */
  readonly size: number
  /** Those from `from` on; fewer only where the file ends. */
  read(from: number, length: number): Promise<Uint8Array>
}

/** A frame that is read, checked and ready to be carried out. */
export interface Loaded {
  readonly frame: Frame
  /** What is drawn at its beginning, where it says so. */
  checkpoint(): Drawn
  readonly changes: ChangeReader
  /** Throws UsageError if a change that was carried out was none. */
  check(): void
}

export class Recording {
  readonly name: string
  readonly header: Header
  /** In order, each beginning where the one before ends; at least one. */
  readonly frames: readonly Frame[]
  /** Of the whole way, ascending. */
  readonly happenings: readonly Happening[]
  readonly samples: readonly Sample[]
  /** Of a run that was recorded to its end. */
  readonly result: RunResult | undefined
  /** Why it is shorter than the run was. */
  readonly cutOff: string | undefined
  /** Packets are one in at most so many; undefined if the end is missing, which would tell. */
  readonly thinned: number | undefined
  readonly #file: PlacedFile

  private constructor(file: PlacedFile, name: string, parts: Parts) {
    this.#file = file
    this.name = name
    this.header = parts.header
    this.frames = parts.frames
    this.happenings = parts.happenings
    this.samples = parts.samples
    this.result = parts.result
    this.cutOff = parts.cutOff
    this.thinned = parts.cutOff === undefined ? 1 << parts.preamble.thinning : undefined
  }

  /** `name`: what messages call it. Throws UsageError. */
  static async open(bytes: RecordingBytes, name: string): Promise<Recording> {
    const file = new PlacedFile(bytes, name)
    const preamble = file.right(readPreamble(await file.read(0, PREAMBLE_BYTES)))
    const header = await file.header(preamble)
    const listed = await file.listed(preamble)
    const index = 'frames' in listed ? listed : { ...(await file.found(preamble, listed.why)), result: '' }
    const { frames, cutOff } = index
    if (frames.length === 0)
      file.blame(PREAMBLE_BYTES + preamble.headerBytes, `${cutOff}; nothing of the run is left`)
    const happenings: Happening[] = []
    const samples: Sample[] = []
    for (const story of await file.stories(frames, index.stories, header.about.nodes)) {
      for (const each of story.happenings) happenings.push(each)
      for (const each of story.samples) samples.push(each)
    }
    const result = readResult(index.result)
    return new Recording(file, name, { preamble, header, frames, happenings, samples, result, cutOff })
  }

  /** The last moment that is recorded. */
  get until(): Micros {
    return (this.frames.at(-1) as Frame).until
  }

  get counts(): Counts {
    return { nodes: this.header.about.nodes, vlans: this.header.about.vlans.length }
  }

  /** The frame with the last checkpoint at or before that time, which everything after it rests on. */
  baseOf(at: Micros): number {
    let [low, high] = [0, this.frames.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.frames[middle] as Frame).from <= at) low = middle
      else high = middle - 1
    }
    while (low > 0 && (this.frames[low] as Frame).checkpoint === 0) low -= 1
    return low
  }

  /** Throws UsageError for a damaged one. */
  async load(index: number): Promise<Loaded> {
    const frame = this.frames[index] as Frame
    const file = this.#file
    const at = frame.offset + HEAD_BYTES
    const bytes = await file.read(at, frame.checkpoint + frame.changes)
    if (bytes.length < frame.checkpoint + frame.changes || crc32(bytes) !== frame.stateCrc)
      file.blame(at, `the ${frame.checkpoint + frame.changes} bytes of frame ${index} ${DAMAGED}`)
    const changes = new ChangeReader(bytes.subarray(frame.checkpoint), this.counts, frame.from, frame.until)
    return {
      frame,
      changes,
      checkpoint: () => {
        const reader = new ByteReader(bytes.subarray(0, frame.checkpoint))
        const drawn = readCheckpoint(reader, this.counts)
        file.finished(reader, at)
        return drawn
      },
      check: () => {
        if (changes.failure !== undefined)
          file.blame(at + frame.checkpoint + changes.failure.at, `${changes.failure.why}; record it again`)
      },
    }
  }
}

type Parts = Pick<Recording, 'header' | 'frames' | 'happenings' | 'samples' | 'result' | 'cutOff'> & {
  readonly preamble: Preamble
}

/** What a recording consists of. */
interface Index {
  readonly frames: readonly Frame[]
  readonly cutOff: string | undefined
  readonly result: string
  /** Of all frames, one behind the other; empty where they are to be had from the frames alone. */
  readonly stories: Uint8Array
}

/** Read at once where less is wanted: a block of a recording that keeps to its budget. */
const WINDOW_BYTES = 524_288

/** A file with a name for its mistakes. */
class PlacedFile {
  readonly #bytes: RecordingBytes
  readonly #name: string
  /** What was read last: many small pieces lie side by side, and each read may be a request to a server. */
  #window: Uint8Array = new Uint8Array(0)
  #windowAt = 0
  constructor(bytes: RecordingBytes, name: string) {
    this.#bytes = bytes
    this.#name = name
  }

  /** Fewer where the file ends. */
  async read(from: number, length: number): Promise<Uint8Array> {
    const there = Math.max(0, Math.min(length, this.#bytes.size - from))
    if (there > WINDOW_BYTES) return this.#piece(from, there)
    const isHeld = from >= this.#windowAt && from + there <= this.#windowAt + this.#window.length
    if (!isHeld) {
      this.#window = await this.#piece(from, Math.min(WINDOW_BYTES, this.#bytes.size - from))
      this.#windowAt = from
    }
    return this.#window.subarray(from - this.#windowAt, from - this.#windowAt + there)
  }

  async #piece(from: number, length: number): Promise<Uint8Array> {
    if (length <= 0) return new Uint8Array(0)
    const bytes = await this.#bytes.read(from, length)
    return bytes.length > length ? bytes.subarray(0, length) : bytes
  }

  blame(at: number, what: string): never {
    throw new UsageError(`${this.#name}: byte ${at}: ${what}`)
  }

  right<T extends object>(found: Found<T>): T {
    return isWrong(found) ? this.blame(found.at, found.wrong) : (found as T)
  }

  /** `at`: where in the file its first byte is. */
  finished(reader: ByteReader, at: number): void {
    if (reader.failure !== undefined)
      this.blame(at + reader.failure.at, `${reader.failure.why}; record it again`)
  }

  async header({ headerBytes, headerCrc }: Preamble): Promise<Header> {
    const bytes = await this.read(PREAMBLE_BYTES, headerBytes)
    if (bytes.length < headerBytes)
      this.blame(this.#bytes.size, `the file ends within its header of ${headerBytes} bytes; copy it again`)
    if (crc32(bytes) !== headerCrc)
      this.blame(PREAMBLE_BYTES, `the ${headerBytes} bytes of the header ${DAMAGED}`)
    const text = textOf(bytes)
    if (text === undefined) this.blame(PREAMBLE_BYTES, 'the header is no UTF-8; record it again')
    const header = readHeader(text)
    return isWrong(header) ? this.blame(PREAMBLE_BYTES, header.wrong) : header
  }

  /** The frames as the index lists them, or why it does not. */
  async listed({ indexAt }: Preamble): Promise<Index | { readonly why: string }> {
    if (indexAt === 0) return { why: 'the recording has no end: whatever wrote it was stopped' }
    const head = readHead(await this.read(indexAt, HEAD_BYTES), indexAt)
    if (isWrong(head) || !head.isIndex) return { why: 'the file is cut off before its index' }
    const at = indexAt + HEAD_BYTES
    const bytes = await this.read(at, head.changes)
    if (bytes.length < head.changes) return { why: 'the file is cut off within its index' }
    if (crc32(bytes) !== head.stateCrc) return { why: `the index at byte ${indexAt} is damaged` }
    const reader = new ByteReader(bytes)
    const listed = readIndex(reader, this.#bytes.size)
    this.finished(reader, at)
    const stories = await this.read(at + head.changes, head.story)
    if (stories.length < head.story) return { why: 'the file is cut off within its index' }
    if (crc32(stories) !== head.storyCrc) return { why: `the index at byte ${indexAt} is damaged` }
    return { ...listed, cutOff: undefined, stories }
  }

  /** The frames as they lie one behind the other, up to where something is wrong. */
  async found({ headerBytes }: Preamble, why: string): Promise<Omit<Index, 'result'>> {
    const frames: Frame[] = []
    let offset = PREAMBLE_BYTES + headerBytes
    for (let until = 0; frames.length < MOST.frames; ) {
      const frame = readHead(await this.read(offset, HEAD_BYTES), offset)
      if (isWrong(frame) || frame.isIndex || frame.from !== until) break
      if (offset + frameBytes(frame) > this.#bytes.size || (frames.length === 0 && frame.checkpoint === 0))
        break
      frames.push(frame)
      offset += frameBytes(frame)
      until = frame.until
    }
    return { frames, cutOff: `${why}; it is whole up to byte ${offset}`, stories: new Uint8Array(0) }
  }

  /** Of all frames; `together`: in one piece, or nothing. */
  async stories(frames: readonly Frame[], together: Uint8Array, nodes: number): Promise<Story[]> {
    const stories: Story[] = []
    let done = 0
    for (const frame of frames) {
      const at = frame.offset + frameBytes(frame) - frame.story
      const isThere = together.length > 0
      const bytes = isThere ? together.subarray(done, done + frame.story) : await this.read(at, frame.story)
      done += frame.story
      if (done > MOST.stories)
        this.blame(at, `what happened takes more than ${MOST.stories} bytes; record a shorter run`)
      if (bytes.length < frame.story || crc32(bytes) !== frame.storyCrc)
        this.blame(at, `the ${frame.story} bytes of what happened ${DAMAGED}`)
      const reader = new ByteReader(bytes)
      stories.push(readStory(reader, frame.from, frame.until, nodes))
      this.finished(reader, at)
    }
    return stories
  }
}
