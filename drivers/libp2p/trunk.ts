/**
 * One trunk: two streams of one libp2p connection. The dialling end opens both; the accepting end answers
 * on control with the word "ready" once it has both, and each end takes the trunk for up from there on.
 * Who hangs up says why in a last word on control, and waits a little for the other end to close, because
 * closing at once would throw away what is still on its way.
 *
 * It knows streams and framing. What is to be told to whom, and when, is its owner's affair.
 */
import type { Connection, Stream } from '@libp2p/interface'
import {
  CHANNEL,
  type Channel,
  CLOSE,
  type CloseReason,
  type Hop,
  type LinkId,
  type PeerId,
} from '../../core/io.ts'
import { gathered, widen } from './below.ts'
import type { TrunkView } from './carrier.ts'
import { ChannelSender, STREAM_BYTES } from './channel.ts'
import {
  FrameReader,
  HEADER_BYTES,
  READY_WORD,
  reasonWord,
  WORD_BYTES,
  wordBytes,
  wordReason,
} from './framing.ts'
import { isRelayed, transportOf } from './transports.ts'

/**
 * What comes while "not ready" is on its way to another thread, some hundred packets, must fit; the core
 * stops then, so it is seldom full. 20 ms (mesh:S24) at 400 Mbit/s.
 */
const DATA_QUEUE_BYTES = 1_048_576
/** Sixteen times what the core queues for a link; who does not take this is gone or hostile. */
const CONTROL_QUEUE_BYTES = 4_194_304
/** A page of data is what is handed over at once; control is seldom more than a few packets. */
const DATA_PAGE_BYTES = 65_536
const CONTROL_PAGE_BYTES = 4_096
/** How long the other end may take to close after the last word: a slow round trip. Guess. */
const LINGER_MILLIS = 1_000

export interface TrunkOwner {
  up(trunk: Trunk): void
  /** Once, whether it was up or not, and for any reason but `end`. */
  down(trunk: Trunk, reason: CloseReason): void
  ready(trunk: Trunk, channel: Channel, ready: boolean): void
  packet(trunk: Trunk, channel: Channel, hop: Hop, bytes: Uint8Array): void
  /** The trunk has no more use for its connection. */
  release(connection: Connection): void
  /** The other end broke the rules of framing. */
  violation(): void
}

/** Both streams of a trunk. */
export interface Streams {
  readonly control: Stream
  readonly data: Stream
}

export class Trunk {
  readonly link: LinkId
  readonly peer: PeerId
  readonly dialled: boolean
  readonly connection: Connection
  readonly #owner: TrunkOwner
  readonly #streams: Streams
  readonly #control: ChannelSender
  readonly #data: ChannelSender
  readonly #readers: readonly FrameReader[]
  readonly #flush = (): void => {
    this.#control.flush()
    this.#data.flush()
  }
  #up = false
  #ended = false
  #unanswered = false
  #dataIn = 0
  #bytesIn = 0
  #bytesOut = 0
  #dropped = 0

  constructor(
    link: LinkId,
    peer: PeerId,
    dialled: boolean,
    connection: Connection,
    streams: Streams,
    owner: TrunkOwner,
  ) {
    this.link = link
    this.peer = peer
    this.dialled = dialled
    this.connection = connection
    this.#owner = owner
    this.#streams = streams
    this.#control = new ChannelSender(streams.control, {
      queueBytes: CONTROL_QUEUE_BYTES,
      pageBytes: CONTROL_PAGE_BYTES,
      ready: (ready) => owner.ready(this, CHANNEL.control, ready),
    })
    this.#data = new ChannelSender(streams.data, {
      queueBytes: DATA_QUEUE_BYTES,
      pageBytes: DATA_PAGE_BYTES,
      ready: (ready) => owner.ready(this, CHANNEL.data, ready),
    })
    this.#readers = [this.#listen(streams.control, CHANNEL.control), this.#listen(streams.data, CHANNEL.data)]
  }

  /** The accepting end has both streams. */
  accept(): void {
    this.#control.appendWord(wordBytes(READY_WORD))
    this.#control.flush()
    this.#goUp()
  }

  get isUp(): boolean {
    return this.#up && !this.#ended
  }

  /** Packets of data that came. */
  get dataIn(): number {
    return this.#dataIn
  }

  /** Data was sent, and nothing has come since. */
  get isUnanswered(): boolean {
    return this.#unanswered && !this.#ended
  }

  // HOT PATH
  /** True if there is something to flush. A full control queue ends the trunk: control is never lost. */
  send(channel: Channel, hop: Hop, packet: Uint8Array): boolean {
    const sender = channel === CHANNEL.control ? this.#control : this.#data
    if (sender.append(hop, packet)) {
      this.#bytesOut += HEADER_BYTES + packet.length
      if (channel === CHANNEL.data) this.#unanswered = true
      return true
    }
    if (channel === CHANNEL.control) this.#fail(CLOSE.clogged)
    else this.#dropped += 1
    return false
  }

  // HOT PATH
  /** Control first: it is little, and others wait for it. */
  flush(): void {
    gathered(this.connection, this.#flush)
  }

  /** Says why, and closes when the other end has heard it. The owner is not told. */
  hangUp(reason: CloseReason): void {
    if (this.#ended) return
    this.#control.appendWord(wordBytes(reasonWord(reason)))
    this.#control.finish()
    this.#end()
    this.#linger()
  }

  /** At once and without a word. The owner is not told. */
  cut(): void {
    this.#end()
    this.#abort()
  }

  /** The other end has begun anew on the same connection. The owner is not told. */
  abandon(): void {
    this.#end()
    this.#abortStreams()
  }

  view(): TrunkView {
    const remote = this.connection.remoteAddr
    const relayed = isRelayed(remote)
    return {
      link: this.link,
      peer: this.peer,
      dialled: this.dialled,
      transport: (relayed ? undefined : transportOf(remote)) ?? firstTransport(remote.toString()),
      remote: remote.toString(),
      relayed,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      dropped: this.#dropped,
    }
  }

  #listen(stream: Stream, channel: Channel): FrameReader {
    const reader = new FrameReader({
      packet: (hop, bytes) => {
        if (!this.#up) this.#goUp()
        this.#bytesIn += HEADER_BYTES + bytes.length
        this.#unanswered = false
        if (channel === CHANNEL.data) this.#dataIn += 1
        this.#owner.packet(this, channel, hop, bytes)
      },
      word: (word) => this.#onWord(channel, word),
    })
    widen(stream, STREAM_BYTES)
    stream.addEventListener('message', ({ data }) => {
      if (data instanceof Uint8Array) this.#read(reader, data)
      else for (const chunk of data) this.#read(reader, chunk)
    })
    // Half a trunk is none.
    stream.addEventListener('remoteCloseWrite', () => this.#fail(CLOSE.lost))
    stream.addEventListener('close', () => this.#fail(CLOSE.lost))
    return reader
  }

  #read(reader: FrameReader, chunk: Uint8Array): void {
    if (this.#ended || reader.read(chunk)) return
    this.#violated()
  }

  #violated(): void {
    if (this.#ended) return
    this.#owner.violation()
    this.hangUp(CLOSE.misbehaved)
    this.#owner.down(this, CLOSE.misbehaved)
  }

  #onWord(channel: Channel, word: number): void {
    this.#bytesIn += WORD_BYTES
    const reason = wordReason(word)
    const expected = channel === CHANNEL.control && (reason !== undefined || (this.dialled && !this.#up))
    if (!expected) this.#violated()
    else if (reason === undefined) this.#goUp()
    else this.#fail(reason)
  }

  #goUp(): void {
    if (this.#up || this.#ended) return
    this.#up = true
    this.#owner.up(this)
  }

  #fail(reason: CloseReason): void {
    if (this.#ended) return
    this.cut()
    this.#owner.down(this, reason)
  }

  #end(): void {
    this.#ended = true
    for (const reader of this.#readers) reader.stop()
    this.#control.close()
    this.#data.close()
  }

  #linger(): void {
    const { connection } = this
    // The connection may outlive many trunks, and must hold none of them.
    const over = (): void => clearTimeout(timer)
    const timer = setTimeout(() => {
      connection.removeEventListener('close', over)
      this.#abort()
    }, LINGER_MILLIS)
    timer.unref()
    connection.addEventListener('close', over)
    // What libp2p still holds of control goes out before the end of it.
    this.#streams.control.close().catch(() => this.#abort())
  }

  #abort(): void {
    this.#abortStreams()
    this.#owner.release(this.connection)
  }

  #abortStreams(): void {
    const ended = new Error('the trunk has ended')
    this.#streams.control.abort(ended)
    this.#streams.data.abort(ended)
  }
}

/** Of a relayed trunk: how the relay is reached. */
function firstTransport(remote: string): string {
  return /\/(quic-v1|wss|ws|tcp|memory)\b/.exec(remote)?.[1] ?? 'unknown'
}
