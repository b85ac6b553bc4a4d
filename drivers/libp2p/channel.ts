/**
 * The sending half of a channel over a libp2p stream. Packets of one turn of the event loop are written
 * side by side into a page and handed over as one piece: no object per packet. Pages are written once and
 * never again, because libp2p keeps what it was given until the transport took it.
 *
 * While the stream is full, packets wait here, up to a bound. What is to be done beyond it is the caller's
 * affair: data is lost, control never is.
 */
import type { Stream } from '@libp2p/interface'
import type { Hop } from '../../core/io.ts'
import { HEADER_BYTES, writeFrame } from './framing.ts'

/** One stream may be as far ahead as a fast path holds: 100 Mbit/s over 300 ms. */
export const STREAM_BYTES = 4_194_304
/** Handed over at once when so much is waiting, so that control sent later overtakes what still waits. */
const HAND_OVER_BYTES = 65_536
/**
 * So much behind a full stream is told as "not ready". Above zero, because a QUIC stream is full after
 * each write for a few microseconds: 5 ms at 100 Mbit/s.
 */
const FULL_BYTES = 65_536

export interface ChannelOptions {
  /** Bytes that may wait, with framing. */
  readonly queueBytes: number
  /** Of each page but a longer packet's own: small where little is sent. */
  readonly pageBytes: number
  readonly ready: (ready: boolean) => void
}

export class ChannelSender {
  readonly #stream: Stream
  readonly #options: ChannelOptions
  #page: Uint8Array | undefined
  /** What waits in the page lies between these. */
  #start = 0
  #end = 0
  /** What waits from earlier pages. */
  readonly #parts: Uint8Array[] = []
  #waiting = 0
  #blocked = false
  #sending = false
  #ready = true
  #closed = false

  constructor(stream: Stream, options: ChannelOptions) {
    this.#stream = stream
    this.#options = options
    stream.addEventListener('drain', () => {
      this.#blocked = false
      this.flush()
    })
  }

  /** Bytes that wait here. What libp2p holds is not known. */
  get waiting(): number {
    return this.#waiting
  }

  // HOT PATH
  /** False if the queue is full: nothing was taken. */
  append(hop: Hop, packet: Uint8Array): boolean {
    const bytes = HEADER_BYTES + packet.length
    if (this.#waiting + bytes > this.#options.queueBytes) return false
    const page = this.#pageFor(bytes)
    this.#end = writeFrame(page, this.#end, hop, packet)
    this.#waiting += bytes
    if (this.#waiting >= HAND_OVER_BYTES) this.flush()
    return true
  }

  /** Beyond any bound: for the few words of the carrier itself. */
  appendWord(bytes: Uint8Array): void {
    this.#pageFor(bytes.length).set(bytes, this.#end)
    this.#end += bytes.length
    this.#waiting += bytes.length
  }

  // HOT PATH
  flush(): void {
    if (!this.#blocked && this.#waiting > 0 && !this.#closed) this.#handOver()
    if (!this.#blocked) this.#setReady(true)
    else if (this.#waiting >= FULL_BYTES) this.#setReady(false)
  }

  /** Hands over all that waits, full or not, and takes no more. */
  finish(): void {
    this.#blocked = false
    while (this.#waiting > 0 && !this.#closed && !this.#sending) {
      this.#handOver()
      this.#blocked = false
    }
    this.close()
  }

  close(): void {
    this.#closed = true
    this.#parts.length = 0
    this.#page = undefined
    this.#waiting = 0
  }

  #pageFor(bytes: number): Uint8Array {
    const page = this.#page
    if (page !== undefined && this.#end + bytes <= page.length) return page
    this.#seal()
    this.#page = Buffer.allocUnsafeSlow(Math.max(bytes, this.#options.pageBytes))
    this.#start = 0
    this.#end = 0
    return this.#page
  }

  /** What waits in the page becomes a part. */
  #seal(): void {
    if (this.#page === undefined || this.#end === this.#start) return
    this.#parts.push(this.#page.subarray(this.#start, this.#end))
    this.#start = this.#end
  }

  #handOver(): void {
    // A stream may drain inside `send`.
    if (this.#sending) return
    this.#sending = true
    this.#seal()
    let sent = 0
    try {
      while (sent < this.#parts.length && !this.#blocked) {
        const part = this.#parts[sent++] as Uint8Array
        this.#waiting -= part.length
        this.#stream.send(part)
        this.#blocked = this.#stream.writableNeedsDrain
      }
    } catch {
      // The stream has ended, of which its `close` event tells.
      this.close()
    }
    this.#parts.splice(0, sent)
    this.#sending = false
  }

  #setReady(ready: boolean): void {
    if (ready === this.#ready || this.#closed) return
    this.#ready = ready
    this.#options.ready(ready)
  }
}
