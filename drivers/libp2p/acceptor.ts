/**
 * Puts together the two streams that a dialling end opens on a connection: a trunk begins when both are
 * there. A connection on which one stays half, or that opens more of them than any honest end, is closed.
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { Bucket } from '../../core/vlan/storm.ts'
import { CONTROL_PROTOCOL, DATA_PROTOCOL } from './dialler.ts'
import type { Streams } from './trunk.ts'

/** As long as a dial may take: then the other end has given up. */
const HALF_MILLIS = 5_000
/**
 * Of each protocol on one connection: a new trunk may begin before the end of the last is seen. One more, so
 * that streams beyond it come to be counted here and are not only refused below.
 */
const STREAMS_MAX = 3
/**
 * Of both protocols on one connection, at once and over time. Our own dials open two in the life of a
 * connection, and two more where a trunk moves to it from a relay; each costs a link, which all others are
 * told of. Guess: eight trunks, and then one in twenty seconds.
 */
const STREAMS_BURST = 16
const STREAMS_PER_SECOND = 0.1
const MICROS_PER_MILLI = 1_000

type Half = {
  control: Stream | undefined
  data: Stream | undefined
  readonly timer: NodeJS.Timeout /** Hears the end of the connection. */
  readonly closed: () => void
}

export class Acceptor {
  readonly #accept: (connection: Connection, streams: Streams) => void
  readonly #halves = new Map<Connection, Half>()
  readonly #allowed = new WeakMap<Connection, Bucket>()
  readonly #counts = { halfTrunks: 0, boundTrunkStreams: 0 }

  constructor(accept: (connection: Connection, streams: Streams) => void) {
    this.#accept = accept
  }

  async listen(node: Libp2p): Promise<void> {
    const options = {
      maxInboundStreams: STREAMS_MAX,
      maxOutboundStreams: STREAMS_MAX,
      runOnLimitedConnection: true,
    }
    await node.handle(
      CONTROL_PROTOCOL,
      (stream, connection) => this.#onStream(connection, 'control', stream),
      options,
    )
    await node.handle(
      DATA_PROTOCOL,
      (stream, connection) => this.#onStream(connection, 'data', stream),
      options,
    )
  }

  stop(): void {
    for (const { timer } of this.#halves.values()) clearTimeout(timer)
    this.#halves.clear()
  }

  /** Connections that were closed so far, by reason. */
  counts(): Readonly<Record<string, number>> {
    return this.#counts
  }

  #onStream(connection: Connection, which: 'control' | 'data', stream: Stream): void {
    if (!this.#isAllowed(connection)) {
      this.#counts.boundTrunkStreams += 1
      connection.abort(new Error('too many trunks on one connection'))
      return
    }
    const half = this.#halves.get(connection) ?? this.#begin(connection)
    half[which]?.abort(new Error('a newer stream took its place'))
    half[which] = stream
    const { control, data } = half
    if (control === undefined || data === undefined) return
    this.#forget(connection, half)
    this.#accept(connection, { control, data })
  }

  #isAllowed(connection: Connection): boolean {
    const now = performance.now() * MICROS_PER_MILLI
    const bucket = this.#allowed.get(connection) ?? new Bucket(now, STREAMS_PER_SECOND, STREAMS_BURST)
    this.#allowed.set(connection, bucket)
    return bucket.take(now, 1)
  }

  #begin(connection: Connection): Half {
    const timer = setTimeout(() => {
      this.#counts.halfTrunks += 1
      connection.abort(new Error('half a trunk'))
    }, HALF_MILLIS)
    timer.unref()
    const half: Half = {
      control: undefined,
      data: undefined,
      timer,
      closed: () => this.#forget(connection, half),
    }
    this.#halves.set(connection, half)
    connection.addEventListener('close', half.closed)
    return half
  }

  #forget(connection: Connection, half: Half): void {
    clearTimeout(half.timer)
    // A connection may outlive many trunks, and would keep all that its listeners know.
    connection.removeEventListener('close', half.closed)
    if (this.#halves.get(connection) === half) this.#halves.delete(connection)
  }
}
