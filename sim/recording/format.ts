/**
 * A recording as a file. All numbers are big-endian.
 *
 *   preamble   80 bytes: magic, version of the format, and what is known at the end only
 *   header     JSON: what was run and by what, and how it was recorded
 *   frames     some seconds each: a head of 40 bytes; now and then a checkpoint, which is all that is drawn
 *              at the frame's beginning; what changes after it; what happened, and the curves
 *   index      like a frame: where the others lie, what came of the run, and what happened once more, in one
 *              piece unless it is too long for that
 *
 * Each part has a CRC-32. A frame is all that is written at once, and only the preamble is written again at
 * the end, so that a file that somebody cut off is whole up to its last whole frame.
 */
import { hex, unhex } from '../../core/ids.ts'
import type { Micros } from '../../core/io.ts'
import { ByteReader, ByteWriter, crc32 } from './bytes.ts'
import { MOST, THINNING_MAX } from './limits.ts'

/** As PNG's: eight bits, and line ends that a transfer as text would change. */
const MAGIC = Uint8Array.of(0x89, 0x50, 0x54, 0x52, 0x0d, 0x0a, 0x1a, 0x0a)
const FORMAT_VERSION = 1
export const PREAMBLE_BYTES = 80
export const HEAD_BYTES = 40
/** How files of this kind are called. */
export const EXTENSION = '.ptrec'

export interface Preamble {
  readonly headerBytes: number
  readonly headerCrc: number
  /** Zero until the end is written: where the index lies. */
  readonly indexAt: number
  readonly until: Micros
  /** Of the run at its end, 16 hex digits. */
  readonly digest: string
  /** Packets are one in at most 2 to this. */
  readonly thinning: number
}

export function writePreamble(preamble: Preamble): Uint8Array {
  const to = new ByteWriter()
  to.put(MAGIC)
  to.u16(FORMAT_VERSION)
  to.u16(preamble.thinning)
  to.u32(preamble.headerBytes)
  to.u32(preamble.headerCrc)
  to.u48(preamble.indexAt)
  to.u48(preamble.until)
  to.put(unhex(preamble.digest))
  to.put(new Uint8Array(PREAMBLE_BYTES - 4 - to.length))
  to.u32(crc32(to.bytes))
  return to.take()
}

/** What is wrong, as the end of a sentence, and at which byte. */
export interface Wrong {
  readonly wrong: string
  readonly at: number
}
export type Found<T> = T | Wrong

export function isWrong(found: object): found is Wrong {
  return 'wrong' in found
}

export function readPreamble(bytes: Uint8Array): Found<Preamble> {
  if (!isRecording(bytes)) {
    const begins = hex(bytes.subarray(0, MAGIC.length))
    const wrong = bytes.length === 0 ? 'the file is empty' : `the file begins with ${begins}`
    return { wrong: `${wrong}; a recording begins with ${hex(MAGIC)}; choose another file`, at: 0 }
  }
  if (bytes.length < PREAMBLE_BYTES)
    return {
      wrong: `the file ends within its first ${PREAMBLE_BYTES} bytes; copy it again`,
      at: bytes.length,
    }
  const from = new ByteReader(bytes)
  from.take(MAGIC.length)
  const version = from.u16()
  if (version !== FORMAT_VERSION)
    return {
      wrong: `the format has version ${version}; this PeerTap reads ${FORMAT_VERSION}; use the one it is of`,
      at: MAGIC.length,
    }
  const thinning = from.u16()
  const [headerBytes, headerCrc, indexAt, until] = [from.u32(), from.u32(), from.u48(), from.u48()]
  const digest = hex(from.take(8))
  const crc = crc32(bytes.subarray(0, PREAMBLE_BYTES - 4))
  from.take(PREAMBLE_BYTES - 4 - from.at)
  if (from.u32() !== crc) return { wrong: `the first ${PREAMBLE_BYTES} bytes ${DAMAGED}`, at: 0 }
  if (headerBytes > MOST.header || thinning > THINNING_MAX)
    return { wrong: `the header has ${headerBytes} bytes; it may have ${MOST.header}`, at: 12 }
  return { headerBytes, headerCrc, indexAt, until, digest, thinning }
}

export const DAMAGED = 'do not have their checksum: the file is damaged; copy it again, or record it again'

/** Whether that is how a recording begins. */
export function isRecording(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, at) => bytes[at] === byte)
}

const KIND = { frame: 1, index: 2 } as const

/** One frame, as its head says. */
export interface Frame {
  /** Where its head lies. */
  readonly offset: number
  readonly isIndex: boolean
  readonly from: Micros
  readonly until: Micros
  /** Packets of frames whose number 2 to this divides. */
  readonly thinning: number
  /** Lengths in bytes; no checkpoint: it goes on from the frame before. */
  readonly checkpoint: number
  readonly changes: number
  readonly story: number
  /** Over checkpoint and changes, and over the story. */
  readonly stateCrc: number
  readonly storyCrc: number
}

export function frameBytes({ checkpoint, changes, story }: Frame): number {
  return HEAD_BYTES + checkpoint + changes + story
}

export function writeHead(frame: Omit<Frame, 'offset'>): Uint8Array {
  const to = new ByteWriter()
  to.u8(frame.isIndex ? KIND.index : KIND.frame)
  to.u8(frame.thinning)
  to.u48(frame.from)
  to.u48(frame.until)
  to.u16(0)
  to.u32(frame.checkpoint)
  to.u32(frame.changes)
  to.u32(frame.story)
  to.u32(frame.stateCrc)
  to.u32(frame.storyCrc)
  to.u32(crc32(to.bytes))
  return to.take()
}

export function readHead(bytes: Uint8Array, offset: number): Found<Frame> {
  const from = new ByteReader(bytes)
  const kind = from.u8()
  const thinning = from.u8()
  const [begins, until, zero] = [from.u48(), from.u48(), from.u16()]
  const [checkpoint, changes, story, stateCrc, storyCrc] = Array.from({ length: 5 }, () => from.u32()) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const crc = from.u32()
  if (from.failure !== undefined) return { wrong: `the file ends within the head of a frame`, at: offset }
  if (crc32(bytes.subarray(0, HEAD_BYTES - 4)) !== crc)
    return { wrong: `the ${HEAD_BYTES} bytes of a frame's head ${DAMAGED}`, at: offset }
  const isRight =
    (kind === KIND.frame || kind === KIND.index) &&
    zero === 0 &&
    thinning <= THINNING_MAX &&
    begins <= until &&
    checkpoint <= MOST.checkpoint &&
    changes <= MOST.changes &&
    story <= MOST.story
  if (!isRight) return { wrong: `the head of a frame is none: ${hex(bytes)}; record it again`, at: offset }
  const isIndex = kind === KIND.index
  return { offset, isIndex, from: begins, until, thinning, checkpoint, changes, story, stateCrc, storyCrc }
}

/** Where frames lie, and what came of the run as JSON. */
export function writeIndex(frames: readonly Frame[], result: string): Uint8Array {
  const to = new ByteWriter()
  to.text(result)
  to.varint(frames.length)
  for (const { offset, isIndex: _, ...head } of frames) {
    to.varint(offset)
    to.u8(head.thinning)
    for (const value of [head.from, head.until, head.checkpoint, head.changes, head.story]) to.varint(value)
    to.u32(head.stateCrc)
    to.u32(head.storyCrc)
  }
  return to.take()
}

/** What is wrong is the reader's failure. */
export function readIndex(
  from: ByteReader,
  size: number,
): { readonly frames: Frame[]; readonly result: string } {
  const result = from.text(MOST.result, 'the result')
  const count = from.varint(Math.min(MOST.frames, from.left), 'the number of frames')
  const frames: Frame[] = []
  let [before, end] = [0, 0]
  for (let index = 0; index < count && from.failure === undefined; index++) {
    const offset = from.varint(size, 'where a frame lies')
    const thinning = from.u8()
    const begins = from.varint(MOST.micros, 'when a frame begins')
    const until = from.varint(MOST.micros, 'when a frame ends')
    const checkpoint = from.varint(MOST.checkpoint, 'the length of a checkpoint')
    const changes = from.varint(MOST.changes, 'the length of changes')
    const story = from.varint(MOST.story, 'the length of a story')
    const [stateCrc, storyCrc] = [from.u32(), from.u32()]
    const frame = {
      offset,
      isIndex: false,
      from: begins,
      until,
      thinning,
      checkpoint,
      changes,
      story,
      stateCrc,
      storyCrc,
    }
    const isNext = begins === before && begins <= until && offset >= end
    if (!isNext || offset + frameBytes(frame) > size || (index === 0 && checkpoint === 0))
      from.fail(`frame ${index} does not follow the one before`)
    frames.push(frame)
    before = until
    end = offset + frameBytes(frame)
  }
  if (from.left > 0) from.fail(`${from.left} bytes follow the end`)
  return { frames, result }
}
