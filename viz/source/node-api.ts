/**
 * A node's control API as a page reaches it: on the page's own origin, with the token in a header that no
 * other page may set. What is refused is an error that says why.
 */

/** The token is missing or wrong. */
export class NoEntry extends Error {}

/** The node did not do it, and says so: `refusal` has the name by which programs know why. */
export class Refused extends Error {
  readonly refusal: string

  constructor(refusal: string, message: string) {
    super(message)
    this.refusal = refusal
  }
}

interface Said {
  readonly ok?: boolean
  readonly value?: unknown
  readonly refusal?: string
  readonly message?: string
  readonly mistake?: string
  readonly fault?: string
}

export interface NodePlace {
  readonly base: string
  readonly name: string
}

/** Nodes that the page may ask. */
export async function nodesOf(token: string): Promise<readonly NodePlace[]> {
  const { nodes } = (await new NodeApi('', token).get('/v1/nodes')) as { nodes: readonly NodePlace[] }
  return nodes
}

export class NodeApi {
  readonly #base: string
  readonly #token: string

  constructor(base: string, token: string) {
    this.#base = base
    this.#token = token
  }

  async get(path: string): Promise<unknown> {
    return (await this.#fetch(path)).json()
  }

  async post(path: string, body: object): Promise<unknown> {
    return (await this.#fetch(path, body)).json()
  }

  /** The result of a verb. */
  async ask<T>(verb: string, ...args: readonly unknown[]): Promise<T> {
    const said = (await this.post('/v1/ask', { verb, args })) as Said
    if (said.ok === true) return said.value as T
    throw new Refused(said.refusal ?? '', said.message ?? 'the node did not do it')
  }

  /** Each line of what goes on, until the node ends it or `signal` does. */
  async lines(path: string, signal: AbortSignal, hear: (line: string) => void): Promise<void> {
    const { body } = await this.#fetch(path, undefined, signal)
    if (body === null) return
    const reader = body.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + value).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) hear(line)
    }
  }

  async #fetch(path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(`${this.#base}${path}`, {
      headers: { authorization: `Bearer ${this.#token}` },
      // Never by what a browser keeps, nor to where an answer points.
      credentials: 'omit',
      redirect: 'error',
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      ...(signal && { signal }),
    }).catch((error: unknown) => {
      if (signal?.aborted === true) throw error
      throw new Error('the node does not answer; is it running?', { cause: error })
    })
    if (response.ok) return response
    const { mistake, fault } = (await response.json().catch(() => ({}))) as Said
    const message = mistake ?? fault ?? `the node answered ${response.status}`
    throw response.status === 401 || response.status === 429 ? new NoEntry(message) : new Error(message)
  }
}
