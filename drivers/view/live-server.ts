/**
 * Serves the picture of running nodes, and the operator's page, on the loopback interface: whoever has the
 * token of this server may ask the nodes what its pages need, through their sockets, as the person may who
 * started it. No more of their control API is passed on.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { type ControlClient, NoNode } from '../control/client.ts'
import { Door } from '../control/door.ts'
import { BODY_BYTES_MAX, CONNECTIONS_MAX, readText, TIMEOUTS } from '../control/requests.ts'
import { HEADERS, type Page, pathOf, STRICT_HEADERS, sendFile } from './files.ts'
import { closeServer, HOST, listenHere, portOf } from './loopback.ts'
import { OPERATOR_PATH } from './operator.ts'

const LIVE = { type: 'application/json', bytes: Buffer.from('"live"') }
const TOKEN_BYTES = 32
/** What pages ask of nodes. */
const PASSED = /^(?:GET \/v1\/(?:status|events|logs)|POST \/v1\/(?:ask|policy))$/

export interface ServedNode {
  /** What the person calls it: its socket. */
  readonly name: string
  readonly client: ControlClient
}

export class LiveServer {
  readonly #server: Server
  readonly #token = randomBytes(TOKEN_BYTES).toString('hex')
  readonly #door = new Door(this.#token)
  readonly #page: Page
  readonly #nodes: readonly ServedNode[]

  private constructor(page: Page, nodes: readonly ServedNode[]) {
    this.#page = page
    this.#nodes = nodes
    this.#server = createServer(TIMEOUTS, (request, response) => {
      void this.#answer(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy()
        else say(response, error instanceof NoNode ? 502 : 500, errorText(error))
      })
    })
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /** `port`: 0 for any that is free. Throws UsageError for one that is taken. */
  static async listen(page: Page, nodes: readonly ServedNode[], port: number): Promise<LiveServer> {
    const made = new LiveServer(page, nodes)
    await listenHere(made.#server, port)
    return made
  }

  /** The picture; with the token, so it is a secret. */
  get url(): string {
    return this.#at('/')
  }

  get operatorUrl(): string {
    return this.#at(OPERATOR_PATH)
  }

  async close(): Promise<void> {
    await closeServer(this.#server)
  }

  #at(path: string): string {
    return `http://${HOST}:${portOf(this.#server)}${path}#token=${this.#token}`
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request)
    const isOrder = path?.startsWith('/v1/') === true || path?.startsWith('/nodes/') === true
    const refused = isOrder ? this.#door.refuse(request) : this.#door.refuseFile(request)
    if (refused !== undefined) say(response, refused.status, refused.mistake)
    else if (path === undefined) say(response, 400, 'no path')
    else if (path === '/v1/nodes') this.#sayNodes(response)
    // What the page is to show: nothing of the nodes themselves (viz/files.ts).
    else if (path === '/run.json') sendFile(request, response, LIVE)
    else if (isOrder) await this.#pass(request, response)
    else this.#file(path, request, response)
  }

  #file(path: string, request: IncomingMessage, response: ServerResponse): void {
    const file = this.#page.get(path)
    const headers = path.startsWith(OPERATOR_PATH) ? STRICT_HEADERS : HEADERS
    if (file !== undefined) sendFile(request, response, file, headers)
    else say(response, 404, 'there is no such file')
  }

  #sayNodes(response: ServerResponse): void {
    const nodes = this.#nodes.map(({ name }, index) => ({ base: `/nodes/${index}`, name }))
    response.writeHead(200, { ...STRICT_HEADERS, 'content-type': 'application/json' })
    response.end(JSON.stringify({ nodes }))
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const [, index, rest = ''] = /^\/nodes\/(\d{1,4})(\/.*)$/.exec(url) ?? []
    const node = this.#nodes[Number(index)]
    if (node === undefined || !PASSED.test(`${method} ${rest.replace(/\?.*$/, '')}`)) {
      say(response, 404, `there is no ${method} ${url}`)
      return
    }
    const body = method === 'POST' ? await readText(request) : undefined
    if (method === 'POST' && body === undefined) {
      say(response, 413, `an order of more than ${BODY_BYTES_MAX} bytes`)
      return
    }
    const answer = await node.client.pass(method, rest, body)
    response.writeHead(answer.statusCode ?? 502, {
      ...STRICT_HEADERS,
      'content-type': answer.headers['content-type'] ?? 'application/json',
    })
    response.flushHeaders()
    // Either side may go at any time: then the other goes too, and nobody need be told.
    pipeline(answer, response, () => undefined)
  }
}

function say(response: ServerResponse, status: number, mistake: string): void {
  response.writeHead(status, { ...STRICT_HEADERS, 'content-type': 'application/json' })
  response.end(JSON.stringify({ ok: false, mistake }))
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
