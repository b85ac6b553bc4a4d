/**
 * The other end of a node's control API (drivers/node/control-server.ts): asks over its Unix socket. What
 * comes back is believed to have the shape that the server gives it: both are of one version, or the node
 * says so.
 */
import { type IncomingMessage, request } from 'node:http'
import { UsageError } from '../../core/errors.ts'
import type { Outcome } from './outcome.ts'

/** Nobody listens there. */
export class NoNode extends Error {
  override readonly name = 'NoNode'
}

export class ControlClient {
  readonly #socket: string

  readonly #doubt: string | undefined

  /** `socket`: the path of the node's control socket; `doubt`: why it may be wrong, if nobody is there. */
  constructor(socket: string, doubt?: string) {
    this.#socket = socket
    this.#doubt = doubt
  }

  /** The outcome of a verb. A NoNode if no node answers, a UsageError for what cannot be asked. */
  async ask(verb: string, args: readonly unknown[]): Promise<Outcome<object>> {
    return (await this.post('/v1/ask', { verb, args })) as Outcome<object>
  }

  async get(path: string): Promise<unknown> {
    return JSON.parse(await this.text('GET', path))
  }

  async post(path: string, body: unknown): Promise<unknown> {
    return JSON.parse(await this.text('POST', path, JSON.stringify(body)))
  }

  async text(method: string, path: string, body?: string): Promise<string> {
    return wholeText(await this.#answer(method, path, body))
  }

  /** The node's own answer, whatever it is, as it comes. A NoNode if no node answers. */
  pass(method: string, path: string, body: string | undefined): Promise<IncomingMessage> {
    return this.#open(method, path, body)
  }

  /** What goes on, as it comes, until the node or the caller has enough. */
  stream(path: string): Promise<IncomingMessage> {
    return this.#answer('GET', path)
  }

  /** Whatever is not an answer is an error that says what the node said. */
  async #answer(method: string, path: string, body?: string): Promise<IncomingMessage> {
    const response = await this.#open(method, path, body)
    if (response.statusCode === 200) return response
    throw faultOf(response.statusCode ?? 0, await wholeText(response))
  }

  #open(method: string, path: string, body?: string): Promise<IncomingMessage> {
    return new Promise((done, fail) => {
      // A line for each question: one that is kept is closed by the node just when it is used again.
      const sent = request({ socketPath: this.#socket, method, path, agent: false }, done)
      sent.on('error', (error: NodeJS.ErrnoException) => fail(this.#explain(error)))
      sent.end(body)
    })
  }

  #explain(error: NodeJS.ErrnoException): Error {
    const socket = this.#socket
    switch (error.code) {
      case 'ENOENT':
      case 'ECONNREFUSED':
        return new NoNode(
          `no node runs here (nobody listens on ${socket}); start one with "peertap up"` +
            (this.#doubt === undefined ? '' : `; ${this.#doubt}`),
        )
      case 'EACCES':
        return new UsageError(
          `${socket} may be opened by the owner of the node alone; ask as that user, or root`,
        )
      case 'ECONNRESET':
      case 'EPIPE':
        return new NoNode('the node stopped before it had answered')
      default:
        return error
    }
  }
}

async function wholeText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

function faultOf(status: number, text: string): Error {
  const { mistake, fault } = parsed(text)
  if (mistake !== undefined) return new UsageError(mistake)
  return new Error(`the node answered ${status}: ${fault ?? text}`)
}

function parsed(text: string): { readonly mistake?: string; readonly fault?: string } {
  try {
    return JSON.parse(text) as { mistake?: string; fault?: string }
  } catch {
    return {}
  }
}
