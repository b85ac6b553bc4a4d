/**
 * Serves the page on the loopback interface, with what it was asked to show beside it. Nothing is written
 * and nothing else of the disk is read: files are those of the page, and the data files of one scenario.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { HEADERS, type Page, pathOf, sendFile } from './files.ts'
import { closeServer, HOST, listenHere, portOf } from './loopback.ts'
import type { PageFile } from './packed.ts'

/** What `peertap view` was asked to show. */
export interface Shown {
  /** The page reads it as `Asked` (viz/files.ts). */
  readonly run: object | undefined
  /** The text of a data file that the scenario names; undefined for any other name. */
  data(name: string): string | undefined
  readonly recording?: Pieces | undefined
}

/** A file that is handed out piece by piece. */
export interface Pieces {
  readonly size: number
  read(from: number, length: number): Promise<Uint8Array>
}

/** Of a piece: more than a page ever asks for at once. */
const PIECE_BYTES_MAX = 256_000_000
/** Where the page finds the recording. */
export const RECORDING = './recording'

export class PageServer {
  readonly #server: Server
  readonly #page: Page
  readonly #shown: Shown

  private constructor(page: Page, shown: Shown) {
    this.#page = page
    this.#shown = shown
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  /** `port`: 0 for any that is free. Throws UsageError for one that is taken. */
  static async listen(page: Page, shown: Shown, port: number): Promise<PageServer> {
    const made = new PageServer(page, shown)
    await listenHere(made.#server, port)
    return made
  }

  get port(): number {
    return portOf(this.#server)
  }

  get url(): string {
    return `http://${HOST}:${this.port}/`
  }

  async close(): Promise<void> {
    await closeServer(this.#server)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const file = this.#find(request, response)
    if (file !== undefined) sendFile(request, response, file)
  }

  /** A file of the page; undefined when the request is answered already. */
  #find(request: IncomingMessage, response: ServerResponse): PageFile | undefined {
    const { headers, method } = request
    const path = pathOf(request)
    // A name that leads here by another's doing (DNS rebinding) is not ours to answer to.
    const names = [`${HOST}:${this.port}`, `localhost:${this.port}`]
    if (!names.includes(headers.host ?? '')) end(response, 421, 'this server has another name')
    else if (method !== 'GET' && method !== 'HEAD') end(response, 405, 'only GET')
    else if (path === undefined) end(response, 400, 'no path')
    else if (path === '/run.json') this.#run(response)
    else if (path === '/recording') void this.#piece(method, headers.range, response)
    else if (path.startsWith('/data/')) this.#data(path.slice('/data/'.length), response)
    else {
      const file = this.#page.get(path)
      if (file !== undefined) return file
      end(response, 404, 'there is no such file')
    }
    return undefined
  }

  #run(response: ServerResponse): void {
    const { run } = this.#shown
    // No fault: the page chooses then, and no browser reports an empty answer as one.
    if (run === undefined) end(response, 204, '')
    else end(response, 200, JSON.stringify(run), 'application/json')
  }

  /** RFC 9110, section 14: one range, with both ends. */
  async #piece(method: string, range: string | undefined, response: ServerResponse): Promise<void> {
    const file = this.#shown.recording
    if (file === undefined) {
      end(response, 404, 'there is no recording')
      return
    }
    const headers = { ...HEADERS, 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' }
    if (method === 'HEAD') {
      response.writeHead(200, { ...headers, 'content-length': file.size })
      response.end()
      return
    }
    const [, first, last] = (/^bytes=(\d{1,15})-(\d{1,15})$/.exec(range ?? '') ?? []).map(Number)
    const from = first ?? -1
    const until = Math.min(last ?? -1, file.size - 1)
    if (from < 0 || until < from || until - from >= PIECE_BYTES_MAX) {
      response.setHeader('content-range', `bytes */${file.size}`)
      end(response, 416, 'ask for a range of bytes')
      return
    }
    try {
      const bytes = await file.read(from, until - from + 1)
      response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${until}/${file.size}` })
      response.end(bytes)
    } catch {
      end(response, 500, 'the recording cannot be read any more')
    }
  }

  #data(name: string, response: ServerResponse): void {
    const text = this.#shown.data(name)
    if (text === undefined) end(response, 404, 'there is no such data file')
    else end(response, 200, text)
  }
}

function end(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, { ...HEADERS, 'content-type': `${type}; charset=utf-8` })
  response.end(text)
}
