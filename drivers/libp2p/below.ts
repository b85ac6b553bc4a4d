/**
 * From which of this machine's addresses a connection goes out. libp2p does not say; the sockets below do.
 * A QUIC socket is bound to no address and lives through the loss of one.
 */
import type { Connection } from '@libp2p/interface'

interface Socket {
  readonly localAddress?: string
}

/** What lies below a connection, where its parts have these names. */
interface Below {
  readonly maConn?: {
    readonly socket?: Socket
    readonly websocket?: { readonly _socket?: Socket }
  }
}

/** Undefined if unknown. */
export function localHost(connection: Connection): string | undefined {
  const { maConn } = connection as Below
  const local = maConn?.socket?.localAddress ?? maConn?.websocket?._socket?.localAddress
  // IPv4 on a socket of both families.
  return local?.replace(/^::ffff:(?=\d+\.)/, '')
}
