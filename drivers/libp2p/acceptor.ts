/**
 * Puts together the two streams that a dialling end opens on a connection: a trunk begins when both are
 * there. What stays half is closed after a while, and a connection without any use too.
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { CONTROL_PROTOCOL, DATA_PROTOCOL } from './dialler.ts'
import type { Streams } from './trunk.ts'

/** As long as a dial may take: then the other end has given up. */
const HALF_MILLIS = 5_000
/** Of each protocol on one connection: a new trunk may begin before the end of the last is seen. */
const STREAMS_MAX = 2

type Half = {
  control: Stream | undefined
  data: Stream | undefined
  readonly timer: NodeJS.Timeout /** Hears the end of the connection. */
  readonly closed: () => void
}

export class Acceptor {
  readonly #accept: (connection: Connection, streams: Streams) => void
  readonly #halves = new Map<Connection, Half>()

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

  #onStream(connection: Connection, which: 'control' | 'data', stream: Stream): void {
    const half = this.#halves.get(connection) ?? this.#begin(connection)
    half[which]?.abort(new Error('a newer stream took its place'))
    half[which] = stream
    const { control, data } = half
    if (control === undefined || data === undefined) return
    this.#forget(connection, half)
    this.#accept(connection, { control, data })
  }

  #begin(connection: Connection): Half {
    const timer = setTimeout(() => connection.abort(new Error('half a trunk')), HALF_MILLIS)
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
