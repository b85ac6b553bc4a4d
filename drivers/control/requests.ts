/** What a server bears of those who ask it something over HTTP. */
import type { IncomingMessage } from 'node:http'

/** An order with all its arguments; invitations are some hundred bytes. */
export const BODY_BYTES_MAX = 65_536
/** Clients at once, of which a browser makes six; more are told to come again. */
export const CONNECTIONS_MAX = 64
/** A slow or silent client keeps no memory for longer. */
const REQUEST_MILLIS = 10_000
export const TIMEOUTS = { requestTimeout: REQUEST_MILLIS, headersTimeout: REQUEST_MILLIS }

/** What the client sends; undefined if it is too long. */
export async function readText(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request) {
    length += (part as Buffer).length
    if (length > BODY_BYTES_MAX) return undefined
    parts.push(part as Buffer)
  }
  return Buffer.concat(parts).toString('utf8')
}
