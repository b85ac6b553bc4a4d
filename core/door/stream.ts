/**
 * Messages in order over packets that are lost, doubled and overtake each other: one direction of sending
 * and one of receiving for a session. Knows pieces and times; keys and meanings are others'.
 *
 *     frame     next piece expected 4 | those after it that came, one bit each, 4 |
 *               0, or 1 | piece number 4 | bytes
 *     message   length 4 | bytes, cut into pieces that are numbered on from message to message
 *
 * Selective repeat (as in RFC 9293 with RFC 2018) in its simplest form: at most PIECES_IN_FLIGHT pieces are
 * under way, each is sent again when its time is over or when three later ones arrived, and given up after
 * SENDS_MAX. Nothing adapts to the path but the wait: a session lasts seconds.
 */
import { type Micros, NEVER } from '../io.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import {
  ACK_DELAY,
  ACK_EVERY,
  PIECES_IN_FLIGHT,
  QUEUE_BYTES_MAX,
  RESEND_FIRST,
  RESEND_MAX,
  RESEND_MIN,
  SENDS_MAX,
} from './limits.ts'

const ACK_BYTES = 9
/** What a frame has beyond the bytes of its piece. */
export const FRAME_OVERHEAD = ACK_BYTES + 4
const LENGTH_BYTES = 4
/** Later pieces that tell a lost one from one that was overtaken (RFC 6675 counts as far). */
const OVERTAKEN_BY = 3

interface Piece {
  readonly number: number
  readonly bytes: Uint8Array
  sentAt: Micros
  sends: number
  arrived: boolean
  /** Later pieces that arrived since it was sent. */
  overtaken: number
}

/** What a received frame did. */
export type Taken = 'news' | 'nothing' | 'malformed'

export class Stream {
  readonly #pieceBytes: number
  readonly #messageMax: number
  // Sending.
  readonly #queue: Uint8Array[] = []
  #queued = 0
  #cut = 0
  #nextNumber = 0
  readonly #flight: Piece[] = []
  #roundTrip: Micros | undefined
  // Receiving.
  #expected = 0
  readonly #early = new Map<number, Uint8Array>()
  #chunks: Uint8Array[] = []
  #gathered = 0
  #inbox: Uint8Array[] = []
  #unacked = 0
  #ackAt: Micros = NEVER

  /** `pieceBytes`: of one frame at most. `messageMax`: of one message that is received. */
  constructor(pieceBytes: number, messageMax: number) {
    this.#pieceBytes = pieceBytes
    this.#messageMax = messageMax
  }

  /** Puts a message in line; false if too many bytes wait already. The bytes are not copied. */
  push(message: Uint8Array): boolean {
    if (this.#queued + message.length > QUEUE_BYTES_MAX) return false
    const length = new Writer(LENGTH_BYTES)
    length.u32(message.length)
    this.#queue.push(length.bytes)
    if (message.length > 0) this.#queue.push(message)
    this.#queued += message.length + LENGTH_BYTES
    return true
  }

  /** Takes in a frame of the other end. Copies. Never throws. */
  receive(now: Micros, frame: Uint8Array): Taken {
    const from = new Reader(frame)
    const next = from.u32()
    const bits = from.u32()
    const carries = from.u8()
    if (from.failed || carries > 1 || next > this.#nextNumber) return 'malformed'
    let news = this.#acknowledged(now, next, bits)
    if (carries === 0) return from.finished ? news : 'malformed'
    const number = from.u32()
    const bytes = from.take(frame.length - from.offset)
    if (from.failed || bytes.length === 0 || bytes.length > this.#pieceBytes) return 'malformed'
    if (number >= this.#expected + PIECES_IN_FLIGHT) return 'malformed'
    this.#unacked += 1
    const isNew = number >= this.#expected && !this.#early.has(number)
    const inOrder = number === this.#expected
    this.#ackAt = inOrder && this.#unacked < ACK_EVERY ? Math.min(this.#ackAt, now + ACK_DELAY) : now
    if (!isNew) return news
    news = 'news'
    this.#early.set(number, bytes.slice())
    for (let piece = this.#early.get(this.#expected); piece !== undefined; ) {
      this.#early.delete(this.#expected)
      this.#expected += 1
      if (!this.#gather(piece)) return 'malformed'
      piece = this.#early.get(this.#expected)
    }
    return news
  }

  /** Messages that are whole, in order. */
  takeMessages(): readonly Uint8Array[] {
    const messages = this.#inbox
    if (messages.length > 0) this.#inbox = []
    return messages
  }

  /** The next frame to send now; undefined if there is none. `bare`: an acknowledgement in any case. */
  nextFrame(now: Micros, bare = false): Uint8Array | undefined {
    const piece = this.#due(now) ?? this.#cutNext(now)
    if (piece !== undefined) return this.#frame(piece)
    return bare || now >= this.#ackAt ? this.#frame(undefined) : undefined
  }

  /** A piece was sent as often as may be: the other end is gone. */
  get isLost(): boolean {
    return this.#flight.some((piece) => !piece.arrived && piece.sends > SENDS_MAX)
  }

  /** Everything given to `push` has arrived. */
  get isDone(): boolean {
    return this.#flight.length === 0 && this.#queue.length === 0
  }

  nextDeadline(): Micros {
    let at = this.#ackAt
    for (const piece of this.#flight) if (!piece.arrived) at = Math.min(at, this.#dueAt(piece))
    return at
  }

  #acknowledged(now: Micros, next: number, bits: number): Taken {
    let news: Taken = 'nothing'
    for (const piece of this.#flight) {
      const ahead = piece.number - next - 1
      const came = ahead < -1 || (ahead >= 0 && ahead < 32 && (bits >>> ahead) % 2 === 1)
      if (!came || piece.arrived) continue
      piece.arrived = true
      news = 'news'
      // Only of what was sent once: an answer to the second could be one to the first (Karn).
      if (piece.sends === 1) this.#measure(now - piece.sentAt)
      for (const other of this.#flight)
        if (other.number < piece.number && other.sentAt <= piece.sentAt) other.overtaken += 1
    }
    while (this.#flight[0]?.arrived) this.#flight.shift()
    return news
  }

  #measure(sample: Micros): void {
    const known = this.#roundTrip
    this.#roundTrip = known === undefined ? sample : Math.round((7 * known + sample) / 8)
  }

  #wait(sends: number): Micros {
    const first =
      this.#roundTrip === undefined ? RESEND_FIRST : Math.max(RESEND_MIN, 2 * this.#roundTrip + ACK_DELAY)
    return Math.min(RESEND_MAX, first * (1 << Math.min(sends - 1, 6)))
  }

  #dueAt(piece: Piece): Micros {
    return piece.overtaken >= OVERTAKEN_BY ? piece.sentAt : piece.sentAt + this.#wait(piece.sends)
  }

  #due(now: Micros): Piece | undefined {
    for (const piece of this.#flight) {
      if (piece.arrived || now < this.#dueAt(piece)) continue
      piece.sends += 1
      piece.sentAt = now
      piece.overtaken = 0
      return piece.sends > SENDS_MAX ? undefined : piece
    }
    return undefined
  }

  /** Cuts the next piece from the messages in line, across their borders. */
  #cutNext(now: Micros): Piece | undefined {
    const first = this.#flight[0]
    const room = first === undefined || this.#nextNumber - first.number < PIECES_IN_FLIGHT
    if (!room || this.#queue.length === 0) return undefined
    const bytes = new Uint8Array(Math.min(this.#pieceBytes, this.#queued))
    for (let at = 0; at < bytes.length; ) {
      const message = this.#queue[0] as Uint8Array
      const part = message.subarray(this.#cut, this.#cut + bytes.length - at)
      bytes.set(part, at)
      at += part.length
      this.#cut += part.length
      if (this.#cut < message.length) break
      this.#queue.shift()
      this.#cut = 0
    }
    this.#queued -= bytes.length
    const piece = { number: this.#nextNumber, bytes, sentAt: now, sends: 1, arrived: false, overtaken: 0 }
    this.#nextNumber += 1
    this.#flight.push(piece)
    return piece
  }

  #frame(piece: Piece | undefined): Uint8Array {
    let bits = 0
    for (const number of this.#early.keys()) bits |= 1 << (number - this.#expected - 1)
    const to = new Writer(piece === undefined ? ACK_BYTES : FRAME_OVERHEAD + piece.bytes.length)
    to.u32(this.#expected)
    to.u32(bits >>> 0)
    to.u8(piece === undefined ? 0 : 1)
    if (piece !== undefined) {
      to.u32(piece.number)
      to.put(piece.bytes)
    }
    this.#unacked = 0
    this.#ackAt = NEVER
    return to.bytes
  }

  /** Adds a piece to what was gathered and takes whole messages out; false if one is too long. */
  #gather(piece: Uint8Array): boolean {
    this.#chunks.push(piece)
    this.#gathered += piece.length
    for (;;) {
      if (this.#gathered < LENGTH_BYTES) return true
      const length = this.#lengthAhead()
      if (length > this.#messageMax) return false
      if (this.#gathered < LENGTH_BYTES + length) return true
      this.#take(LENGTH_BYTES)
      this.#inbox.push(this.#take(length))
    }
  }

  #lengthAhead(): number {
    const first = this.#chunks[0] as Uint8Array
    if (first.length < LENGTH_BYTES) this.#chunks = [this.#take(this.#gathered, false)]
    return new Reader(this.#chunks[0] as Uint8Array).u32()
  }

  /** The first `length` bytes gathered, in fresh memory; `away`: and removes them. */
  #take(length: number, away = true): Uint8Array {
    const whole = new Uint8Array(length)
    let at = 0
    let index = 0
    while (at < length) {
      const chunk = this.#chunks[index] as Uint8Array
      const part = chunk.subarray(0, length - at)
      whole.set(part, at)
      at += part.length
      if (away && part.length < chunk.length) this.#chunks[index] = chunk.subarray(part.length)
      else index += 1
    }
    if (away) {
      this.#chunks.splice(0, index)
      this.#gathered -= length
    }
    return whole
  }
}
