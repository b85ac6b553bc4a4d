/**
 * Whether nobody listens on a TCP port any more: its host says so by a reset (RFC 9293, 3.5.3), which cannot
 * be forged without seeing the question. Of UDP ports a host tells too, but once a second at most, and QUIC's
 * own packets have used that up (Linux, net.ipv4.icmp_ratelimit).
 */
import { connect } from 'node:net'

/** A slow round trip. */
const ANSWER_MILLIS = 1_000

/** Resolves within a second; false if somebody listens, and if nobody tells. */
export function isPortClosed(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    const end = (closed: boolean): void => {
      socket.destroy()
      resolve(closed)
    }
    socket.setTimeout(ANSWER_MILLIS, () => end(false))
    socket.on('connect', () => end(false))
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'))
  })
}
