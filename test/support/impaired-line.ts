/**
 * One direction of a line that loses, delays and reorders frames, between two packet sockets. Knows rings of
 * memory that the kernel fills and empties in batches; nothing of what is in the frames. A frame lies where
 * it was received until it is sent from there.
 *
 * The draws are seeded and one of each kind is made for each frame, so that the same frames are lost whatever
 * the delay is. As in tc-netem(8), a frame that is reordered is sent at once, past those that are delayed.
 */
import { ERRNO, errnoName, type Libc, type Pinned } from '../../drivers/linux/libc.ts'
import {
  FLAGS_AT,
  MESSAGE_BYTES,
  MOVED_AT,
  MSG_DONTWAIT,
  MSG_TRUNC,
  VECTOR_AT,
  VECTOR_BYTES,
  VECTOR_COUNT_AT,
  VECTOR_LENGTH_AT,
} from '../../drivers/linux/mmsghdr.ts'
import { Streams } from '../../sim/random.ts'

/** What happens to the frames of one direction. */
export interface Impairment {
  /** Shares of all frames, 0 to 1. */
  readonly loss: number
  readonly reorder: number
  /** One way. */
  readonly delayMicros: number
  readonly seed: number
}

export interface LineCounts {
  readonly received: number
  readonly lost: number
  readonly reordered: number
  readonly sent: number
  /** Not taken by the interface, or too long for a slot: both are faults of the line itself. */
  readonly refused: number
}

/** A frame of 1,500 bytes and its header, rounded up. */
const SLOT_BYTES = 2_048
/** 4 ms of 2 million frames a second; 100 ms of 80,000. */
const SLOTS = 8_192
/** Frames that one call moves at most: beyond, a call costs next to nothing of what a frame does. */
const BATCH = 64

export class ImpairedLine {
  readonly #libc: Libc
  readonly #from: number
  readonly #to: number
  readonly #impairment: Impairment
  readonly #losses
  readonly #reorders
  readonly #block: Pinned
  readonly #messages: Pinned
  readonly #vectors: Pinned
  /** Addresses of the messages: a call begins with any. */
  readonly #starts: readonly bigint[]
  /** Of the slots: when the frame is to be sent, in microseconds of the monotonic clock. */
  readonly #dues = new Float64Array(SLOTS)
  /** Zero for a slot whose frame is gone already. */
  readonly #lengths = new Uint16Array(SLOTS)
  /** Counts of frames since the beginning; a frame's slot is its number modulo SLOTS. */
  #head = 0
  #tail = 0
  readonly #counts = { received: 0, lost: 0, reordered: 0, sent: 0, refused: 0 }

  constructor(libc: Libc, from: number, to: number, impairment: Impairment, name: string) {
    this.#libc = libc
    this.#from = from
    this.#to = to
    this.#impairment = impairment
    const streams = new Streams(impairment.seed)
    this.#losses = streams.stream(`${name}/loss`)
    this.#reorders = streams.stream(`${name}/reorder`)
    this.#block = libc.pin(SLOTS * SLOT_BYTES)
    this.#messages = libc.pin(SLOTS * MESSAGE_BYTES)
    this.#vectors = libc.pin(SLOTS * VECTOR_BYTES)
    const starts: bigint[] = []
    for (let slot = 0; slot < SLOTS; slot++) {
      const vector = slot * VECTOR_BYTES
      this.#vectors.view.setBigUint64(vector, this.#block.address + BigInt(slot * SLOT_BYTES), true)
      const message = slot * MESSAGE_BYTES
      this.#messages.view.setBigUint64(message + VECTOR_AT, this.#vectors.address + BigInt(vector), true)
      this.#messages.view.setUint32(message + VECTOR_COUNT_AT, 1, true)
      starts.push(this.#messages.address + BigInt(message))
    }
    this.#starts = starts
  }

  get counts(): LineCounts {
    return { ...this.#counts }
  }

  /** When the next frame is to be sent; Infinity if none waits. */
  get nextDue(): number {
    return this.#tail === this.#head ? Number.POSITIVE_INFINITY : (this.#dues[this.#tail % SLOTS] as number)
  }

  // HOT PATH
  /**
   * One batch of what came in. True if there may be more, and room for it. `time` is asked after it was read:
   * whoever is put aside before reads what came meanwhile, and would let it go too soon.
   */
  receive(time: () => number): boolean {
    const first = this.#head % SLOTS
    const room = Math.min(BATCH, SLOTS - first, SLOTS - (this.#head - this.#tail))
    if (room === 0) return false
    for (let slot = first; slot < first + room; slot++)
      this.#vectors.view.setUint32(slot * VECTOR_BYTES + VECTOR_LENGTH_AT, SLOT_BYTES, true)
    const start = this.#starts[first] as bigint
    const count = this.#libc.recvmmsg(this.#from, start, room, MSG_DONTWAIT, null)
    if (count < 0) this.#failed('receive')
    const now = time()
    for (let slot = first; slot < first + count; slot++) this.#take(slot, now)
    return count === room
  }

  // HOT PATH
  /** All that is due. */
  send(now: number): void {
    while (this.#tail < this.#head) {
      const first = this.#tail % SLOTS
      if (this.#lengths[first] === 0) {
        this.#tail += 1
        continue
      }
      const limit = Math.min(BATCH, SLOTS - first, this.#head - this.#tail)
      let count = 0
      while (count < limit && this.#isDue(first + count, now)) count++
      if (count === 0) return
      this.#tail += this.#push(first, count)
    }
  }

  // HOT PATH
  #isDue(slot: number, now: number): boolean {
    return this.#lengths[slot] !== 0 && (this.#dues[slot] as number) <= now
  }

  // HOT PATH
  #take(slot: number, now: number): void {
    const { loss, reorder, delayMicros } = this.#impairment
    const message = slot * MESSAGE_BYTES
    const length = this.#messages.view.getUint32(message + MOVED_AT, true)
    const isWhole = (this.#messages.view.getUint32(message + FLAGS_AT, true) & MSG_TRUNC) === 0
    this.#head += 1
    this.#counts.received += 1
    this.#lengths[slot] = 0
    const isLost = this.#losses.chance(loss)
    const isReordered = this.#reorders.chance(reorder)
    if (!isWhole) this.#counts.refused += 1
    else if (isLost) this.#counts.lost += 1
    else {
      this.#vectors.view.setUint32(slot * VECTOR_BYTES + VECTOR_LENGTH_AT, length, true)
      if (isReordered) {
        this.#counts.reordered += 1
        this.#push(slot, 1)
      } else {
        this.#lengths[slot] = length
        this.#dues[slot] = now + delayMicros
      }
    }
  }

  // HOT PATH
  /** How many frames are done with: what the interface refuses is gone, as on a wire. */
  #push(slot: number, count: number): number {
    const sent = this.#libc.sendmmsg(this.#to, this.#starts[slot] as bigint, count, MSG_DONTWAIT)
    if (sent > 0) {
      this.#counts.sent += sent
      return sent
    }
    this.#failed('send')
    this.#counts.refused += 1
    return 1
  }

  #failed(what: string): void {
    const errno = this.#libc.errno()
    if (errno !== ERRNO.EAGAIN && errno !== ERRNO.ENOBUFS && errno !== ERRNO.EINTR && errno !== ENETDOWN)
      throw new Error(`a line could not ${what}: ${errnoName(errno)}`)
  }
}

/** asm-generic/errno.h */
const ENETDOWN = 100
