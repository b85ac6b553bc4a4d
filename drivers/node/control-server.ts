/**
 * The control API of a running node: HTTP with JSON on a Unix socket that its owner alone may open and, where
 * the configuration says so, on a port of the loopback with a token, where the operator's page is too. It
 * knows lines and who may speak on them; what is asked for is done by `ControlApi`.
 *
 *     POST /v1/ask      {"verb": …, "args": […]}   an outcome (drivers/control/outcome.ts)
 *     GET  /v1/status   the node, its trunks, its VLANs and interfaces
 *     GET  /v1/events   a line of JSON for each thing that happens
 *     GET  /v1/logs     a line of JSON for each entry of the log, the last ones first; ?follow=1, ?recent=0
 *     GET  /v1/capture  frames and packets as pcapng; ?only=inner or outer
 *     POST /v1/policy, /v1/reload, /v1/trace, /v1/stop
 *     GET  /v1/door     the port and its token, for whoever has the socket
 *     GET  /v1/nodes    where a page finds the nodes that it may ask
 *     GET  /metrics     for Prometheus; GET /health: 200 or 503
 *     GET  /            at the port: the page, which holds no data and needs no token
 */
import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { UsageError } from '../../core/errors.ts'
import { Door, type DoorRefusal } from '../control/door.ts'
import { BODY_BYTES_MAX, CONNECTIONS_MAX, readText, TIMEOUTS } from '../control/requests.ts'
import { NotNow } from '../not-now.ts'
import { type Page, pathOf, STRICT_HEADERS, sendFile } from '../view/files.ts'
import { OPERATOR_PATH } from '../view/operator.ts'

/** The owner alone reads and writes. */
const SOCKET_MODE = 0o600

/** What is read at the port for figures. */
const OPEN_PATHS: readonly string[] = ['/metrics', '/health']
/** What takes the token at the port; all else there are files of the page. */
const API_PATHS = /^\/(?:v1\/.*|metrics|health)$/

export interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** What is said bit by bit until either side has enough. */
export interface Stream {
  /** False if the client is slow: what was said is lost if the client does not catch up. */
  write(chunk: string | Uint8Array): boolean
  /** Bytes that the client has not taken yet. */
  backlog(): number
  onClose(run: () => void): void
  /** Ends it for a client that does not read; what it has not read is lost. */
  cut(): void
  end(): void
}

export interface ControlApi {
  /** A whole answer, or undefined if there is nothing of that name. A UsageError is the client's mistake. */
  answer(method: string, path: string, query: URLSearchParams, body: unknown): Promise<Reply | undefined>
  /** What goes on; undefined if there is nothing of that name, else its media type. */
  stream(path: string, query: URLSearchParams, begin: (type: string) => Stream): boolean
}

export interface PortDoor {
  readonly port: number
  readonly token: string
  /** The operator's page, when somebody first wants it. */
  page(): Promise<Page>
}

/** An order that nobody means. */
class TooLong extends UsageError {}

export class ControlServer {
  readonly #api: ControlApi
  readonly #servers: Server[] = []

  constructor(api: ControlApi) {
    this.#api = api
  }

  /** Listens on a Unix socket. A UsageError if another node does, or if it cannot be made there. */
  async listenSocket(path: string): Promise<void> {
    if (existsSync(path)) await removeStale(path)
    const server = this.#create((request, response) => this.#serve(request, response))
    // Made with the mode that it is to have: nobody slips in between.
    const before = process.umask(0o177)
    try {
      await listening(server, path)
      chmodSync(path, SOCKET_MODE)
    } catch (error) {
      throw cannotHave(`control socket ${path}`, error, 'name another with control.socket')
    } finally {
      process.umask(before)
    }
  }

  /** Listens on the loopback, for those who know the token. */
  async listenPort({ port, token, page }: PortDoor): Promise<void> {
    const door = new Door(token)
    let built: Promise<Page> | undefined
    const server = this.#create(async (request, response) => {
      for (const [name, value] of Object.entries(STRICT_HEADERS)) response.setHeader(name, value)
      const path = pathOf(request)
      if (path === undefined) reply(response, refusal({ status: 400, mistake: 'no path' }))
      else if (API_PATHS.test(path)) {
        const refused = door.refuse(request)
        if (refused === undefined) await this.#serve(request, response)
        else reply(response, refusal(refused))
      } else {
        const refused = door.refuseFile(request)
        if (refused !== undefined) reply(response, refusal(refused))
        else {
          built ??= page().catch((error: unknown) => {
            built = undefined
            throw error
          })
          await servePage(request, response, path, built)
        }
      }
    })
    try {
      await listening(server, port, '127.0.0.1')
    } catch (error) {
      throw cannotHave(`control port ${port}`, error, 'choose another with control.port')
    }
  }

  /** Figures and health alone, for whoever gets there: nothing can be changed, and nothing else is read. */
  async listenMetrics(host: string, port: number): Promise<void> {
    const server = createServer(TIMEOUTS, (request, response) => {
      void this.#serveMetrics(request, response).catch((error: unknown) => reply(response, failed(error)))
    })
    server.maxConnections = CONNECTIONS_MAX
    this.#servers.push(server)
    try {
      await listening(server, port, host)
    } catch (error) {
      throw cannotHave(`metrics at ${host} port ${port}`, error, 'choose another with metrics.port')
    }
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((done) => {
            server.close(() => done())
            server.closeAllConnections()
          }),
      ),
    )
  }

  #create(serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server {
    const server = createServer(TIMEOUTS, (request, response) => {
      void serve(request, response).catch((error: unknown) => {
        reply(response, failed(error))
      })
    })
    server.maxConnections = CONNECTIONS_MAX
    this.#servers.push(server)
    return server
  }

  async #serveMetrics({ method, url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const isOpen = method === 'GET' && OPEN_PATHS.includes(url)
    const answer = isOpen ? await this.#api.answer('GET', url, new URLSearchParams(), undefined) : undefined
    reply(response, answer ?? nothingThere(method ?? '', url))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request
    const { pathname, searchParams } = new URL(url, 'http://node')
    if (method === 'GET' && this.#api.stream(pathname, searchParams, (type) => streamOf(response, type)))
      return
    const body = method === 'POST' ? await readBody(request) : undefined
    reply(
      response,
      (await this.#api.answer(method, pathname, searchParams, body)) ?? nothingThere(method, pathname),
    )
  }
}

export function json(value: unknown, status = 200): Reply {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` }
}

function refusal({ status, mistake }: DoorRefusal): Reply {
  return json({ ok: false, mistake }, status)
}

async function servePage(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  page: Promise<Page>,
): Promise<void> {
  const file = (await page).get(path)
  if (file !== undefined) sendFile(request, response, file, STRICT_HEADERS)
  else if (path === '/') response.writeHead(302, { location: OPERATOR_PATH }).end()
  else reply(response, nothingThere(request.method ?? '', path))
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request)
  if (text === undefined) throw new TooLong(`an order of more than ${BODY_BYTES_MAX} bytes`)
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError('the order is no JSON')
  }
}

function streamOf(response: ServerResponse, type: string): Stream {
  response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store' })
  response.flushHeaders()
  // Whoever has gone hears nothing more: no fault of the node.
  response.on('error', () => {})
  return {
    write: (chunk) => response.write(chunk),
    backlog: () => response.writableLength,
    onClose: (run) => {
      response.on('close', run)
    },
    end: () => {
      response.end()
    },
    cut: () => {
      response.destroy()
    },
  }
}

function reply(response: ServerResponse, { status, type, body }: Reply): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' })
  response.end(body)
}

function failed(error: unknown): Reply {
  if (error instanceof TooLong) return json({ ok: false, mistake: error.message }, 413)
  if (error instanceof UsageError) return json({ ok: false, mistake: error.message }, 400)
  return json({ ok: false, fault: error instanceof Error ? error.message : String(error) }, 500)
}

function nothingThere(method: string, path: string): Reply {
  return json({ ok: false, mistake: `there is no ${method} ${path}` }, 404)
}

/** A socket that a killed node left behind is in the way; one that answers is another node's. */
async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path).isSocket())
    throw new UsageError(`control socket ${path}: there is a file that is no socket; name another place`)
  const outcome = await new Promise<string>((done) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      done('answers')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  })
  if (outcome === 'answers')
    throw new NotNow(`control socket ${path}: another node listens there; stop it, or name another socket`)
  if (outcome !== 'ECONNREFUSED')
    throw new UsageError(`control socket ${path}: somebody has it (${outcome}); name another socket`)
  unlinkSync(path)
}

function listening(server: Server, ...where: [path: string] | [port: number, host: string]): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail)
    server.listen(...(where as [string]), () => {
      server.off('error', fail)
      done()
    })
  })
}

/** Taken by somebody, or on an address that comes with the network, it may be had later. */
function cannotHave(what: string, error: unknown, mend: string): UsageError {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException
  const Mistake = code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL' ? NotNow : UsageError
  return new Mistake(`${what}: ${message}; ${mend}`)
}
