/**
 * What lies below connections and streams of libp2p where its surface does not reach: the socket, which
 * knows its address and can gather writes, and how yamux tells of room. Looked up by the names that its
 * parts have in the pinned versions; where they have others, each of these does without.
 */
import type { Connection, Stream } from '@libp2p/interface'

interface Socket {
  readonly localAddress?: string
  cork?(): void
  uncork?(): void
}

interface Below {
  readonly maConn?: {
    readonly socket?: Socket
    readonly websocket?: { readonly _socket?: Socket }
  }
}

/** A stream of yamux, as whoever reads it sees it. */
interface Windowed extends Stream {
  readonly state: number
  /** Bytes that the other end may send before it is told of more. */
  recvWindow: number
  /** Tells it so. */
  sendWindowUpdate(): void
}

/** StreamState.Established of @libp2p/yamux: nothing about the stream's beginning is left to be said. */
const ESTABLISHED = 3

/**
 * From which of this machine's addresses a connection goes out; undefined if unknown. A QUIC socket is bound
 * to no address and lives through the loss of one.
 */
export function localHost(connection: Connection): string | undefined {
  // IPv4 on a socket of both families.
  return socketOf(connection)?.localAddress?.replace(/^::ffff:(?=\d+\.)/, '')
}

// HOT PATH
/** What is written meanwhile goes to the system at once: libp2p writes each part of a message by itself. */
export function gathered(connection: Connection, write: () => void): void {
  const socket = socketOf(connection)
  socket?.cork?.()
  try {
    write()
  } finally {
    socket?.uncork?.()
  }
}

/**
 * Lets the other end send so many bytes ahead; a stream of yamux begins with 256 KiB, 20 Mbit/s over 100 ms,
 * and is widened by itself only where the connection is pinged. It is told of room when half is used, as by
 * other implementations (github.com/hashicorp/yamux, sendWindowUpdate; libp2p/rust-yamux, pull request 109);
 * the one here tells after each frame, so that as many packets went back as came. Streams of other muxers
 * are left as they are.
 */
export function widen(stream: Stream, windowBytes: number): void {
  if (!isWindowed(stream)) return
  const tell = stream.sendWindowUpdate.bind(stream)
  stream.recvWindow = windowBytes
  tell()
  let untold = 0
  stream.addEventListener('message', ({ data }) => {
    untold += data.byteLength
  })
  stream.sendWindowUpdate = () => {
    if (stream.state === ESTABLISHED && untold < windowBytes / 2) return
    untold = 0
    tell()
  }
}

function socketOf(connection: Connection): Socket | undefined {
  const { maConn } = connection as Below
  return maConn?.socket ?? maConn?.websocket?._socket
}

function isWindowed(stream: Stream): stream is Windowed {
  const { sendWindowUpdate, recvWindow, state } = stream as Partial<Windowed>
  return [typeof sendWindowUpdate, typeof recvWindow, typeof state].join() === 'function,number,number'
}
