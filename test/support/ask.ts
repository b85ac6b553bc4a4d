/** Asks a server of this machine over HTTP, with any headers at all: fetch leaves some to nobody. */
import { type IncomingHttpHeaders, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

export function ask(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
  sends = '',
): Promise<Answer> {
  return new Promise((done, fail) => {
    const sent = request(
      { host: '127.0.0.1', port, path, headers, method, agent: false },
      async (response) => {
        let body = ''
        for await (const part of response) body += part
        done({ status: response.statusCode ?? 0, body, headers: response.headers })
      },
    )
    sent.on('error', fail)
    sent.end(sends)
  })
}
