import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { ControlClient, NoNode } from '../../drivers/control/client.ts'
import { type ControlApi, ControlServer, json, type PortDoor } from '../../drivers/node/control-server.ts'
import { ask } from '../support/ask.ts'

const TOKEN = 'a'.repeat(64)

/** Answers with what it was asked. */
const ECHO: ControlApi = {
  answer: async (method, path, query, body) => {
    if (path === '/wrong') throw new UsageError('this is wrong; do that')
    if (path === '/broken') throw new Error('a fault')
    if (path === '/nothing') return undefined
    return json({ method, path, query: Object.fromEntries(query), body })
  },
  stream: (path, _query, begin) => {
    if (path !== '/stream') return false
    const stream = begin('text/plain')
    stream.write('one\n')
    stream.write('two\n')
    stream.end()
    return true
  },
}

let folder: string
let server: ControlServer
let socket: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peertap-control-'))
  socket = join(folder, 'control')
  server = new ControlServer(ECHO)
})

afterEach(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

const OWNER = { authorization: `Bearer ${TOKEN}` }
const FILES = new Map([['/operator/', { type: 'text/html', bytes: Buffer.from('the page') }]])

function doorAt(port: number): PortDoor {
  return { port, token: TOKEN, page: async () => FILES }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done))
  const { port } = probe.address() as { port: number }
  await new Promise((done) => probe.close(done))
  return port
}

describe('the socket of a node', () => {
  it('is for its owner alone, and carries orders and answers', async () => {
    await server.listenSocket(socket)
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    const client = new ControlClient(socket)
    expect(await client.post('/v1/ask', { verb: 'list', args: [] })).toMatchObject({
      method: 'POST',
      body: { verb: 'list', args: [] },
    })
    expect(await client.get('/v1/status?a=1')).toMatchObject({ path: '/v1/status', query: { a: '1' } })
  })

  it('tells a mistake of the client from a fault of the node', async () => {
    await server.listenSocket(socket)
    const client = new ControlClient(socket)
    await expect(client.get('/wrong')).rejects.toThrow(new UsageError('this is wrong; do that'))
    await expect(client.get('/broken')).rejects.toThrow('the node answered 500: a fault')
    await expect(client.get('/nothing')).rejects.toThrow('there is no GET /nothing')
  })

  it('pours what goes on', async () => {
    await server.listenSocket(socket)
    let text = ''
    for await (const part of await new ControlClient(socket).stream('/stream')) text += part
    expect(text).toBe('one\ntwo\n')
  })

  it('refuses orders that are no JSON, or too long, and goes on', async () => {
    await server.listenSocket(socket)
    const client = new ControlClient(socket)
    await expect(client.text('POST', '/v1/ask', '{"verb":')).rejects.toThrow('the order is no JSON')
    await expect(client.text('POST', '/v1/ask', `"${'x'.repeat(70_000)}"`)).rejects.toThrow()
    expect(await client.get('/still')).toMatchObject({ path: '/still' })
  })

  it('takes the place of one that nobody listens on, and not of one that somebody does', async () => {
    await server.listenSocket(socket)
    const second = new ControlServer(ECHO)
    await expect(second.listenSocket(socket)).rejects.toThrow('another node listens there')
    const stale = join(folder, 'stale')
    const dead = createServer()
    await new Promise<void>((done) => dead.listen(stale, done))
    // As a killed process leaves it: the file without a listener.
    const { spawnSync } = await import('node:child_process')
    spawnSync('cp', ['-a', stale, `${stale}2`])
    await new Promise((done) => dead.close(done))
    await second.listenSocket(`${stale}2`)
    expect(await new ControlClient(`${stale}2`).get('/here')).toMatchObject({ path: '/here' })
    await second.close()
  })

  it('is missed by a client in words', async () => {
    const client = new ControlClient(join(folder, 'nobody'))
    await expect(client.get('/v1/status')).rejects.toThrow(NoNode)
    await expect(client.get('/v1/status')).rejects.toThrow('start one with "peertap up"')
  })
})

describe('the port of a node', () => {
  it('serves whoever has the token', async () => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    const answer = await ask(port, '/v1/status', OWNER)
    expect(answer).toMatchObject({ status: 200 })
  })

  it.each([
    ['no token', {}, 401],
    ['a wrong token', { authorization: `Bearer ${'b'.repeat(64)}` }, 401],
    ['a token of another length', { authorization: 'Bearer a' }, 401],
    ['the token where it does not belong', { cookie: `token=${TOKEN}` }, 401],
    ['a page of the web', { ...OWNER, origin: 'https://example.org' }, 403],
    ['a page of nowhere', { ...OWNER, origin: 'null' }, 403],
    ['a page of another port of this machine', { ...OWNER, origin: 'http://127.0.0.1:1' }, 403],
    ['what a browser says another page made it ask', { ...OWNER, 'sec-fetch-site': 'cross-site' }, 403],
    ['what another server of this machine made it ask', { ...OWNER, 'sec-fetch-site': 'same-site' }, 403],
    ['another name of this machine', { ...OWNER, host: 'example.org' }, 403],
    ['a name that begins as its own', { ...OWNER, host: 'localhost.example.org' }, 403],
  ])('serves nobody with %s', async (_what, headers, status) => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    expect((await ask(port, '/v1/status', headers)).status).toBe(status)
  })

  it('serves its own page as any program that has the token', async () => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    for (const name of ['127.0.0.1', 'localhost']) {
      const own = {
        host: `${name}:${port}`,
        origin: `http://${name}:${port}`,
        'sec-fetch-site': 'same-origin',
      }
      const answer = await ask(port, '/v1/ask', { ...OWNER, ...own }, 'POST', '{"verb":"list"}')
      expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('"verb":"list"') })
      expect((await ask(port, '/v1/ask', own, 'POST', '{}')).status).toBe(401)
    }
  })

  it('never says that another origin may ask', async () => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    const asks = { origin: 'https://example.org', 'access-control-request-headers': 'authorization' }
    const { status, headers } = await ask(port, '/v1/ask', asks, 'OPTIONS')
    expect(status).toBe(403)
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  it('refuses other methods, and orders that are too long, and goes on', async () => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH'])
      expect((await ask(port, '/v1/status', OWNER, method)).status).toBe(405)
    expect((await ask(port, '/', {}, 'POST')).status).toBe(405)
    const long = await ask(port, '/v1/ask', OWNER, 'POST', `"${'x'.repeat(70_000)}"`)
    expect(long).toMatchObject({ status: 413, body: expect.stringContaining('more than 65536 bytes') })
    expect((await ask(port, '/v1/status', OWNER)).status).toBe(200)
  })

  it('makes whoever guesses wait, and not whoever has no token at all', async () => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    for (let tries = 0; tries < 30; tries++) expect((await ask(port, '/v1/status', {})).status).toBe(401)
    const guess = { authorization: `Bearer ${'b'.repeat(64)}` }
    const statuses: number[] = []
    for (let tries = 0; tries < 40; tries++) statuses.push((await ask(port, '/v1/status', guess)).status)
    expect(new Set(statuses)).toEqual(new Set([401, 429]))
    expect(statuses.slice(0, 10)).not.toContain(429)
  })

  it('shows its page, which holds no data, to whoever opens it, and to no page of others', async () => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    expect(await ask(port, '/', {})).toMatchObject({ status: 302, headers: { location: '/operator/' } })
    const file = await ask(port, '/operator/', {})
    expect(file).toMatchObject({ status: 200, body: 'the page' })
    expect(file.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self';/)
    expect(file.headers).toMatchObject({
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      'x-frame-options': 'DENY',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    expect((await ask(port, '/operator/other', {})).status).toBe(404)
    expect((await ask(port, '/operator/../../etc/passwd', {})).status).toBe(404)
    expect((await ask(port, '/', { host: 'example.org' })).status).toBe(403)
    const foreign = { 'sec-fetch-site': 'cross-site' }
    const framed = { ...foreign, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }
    expect((await ask(port, '/operator/', framed)).status).toBe(403)
    expect((await ask(port, '/operator/', { ...foreign, 'sec-fetch-mode': 'no-cors' })).status).toBe(403)
    const opened = { ...foreign, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    expect((await ask(port, '/operator/', opened)).status).toBe(200)
  })

  it('reads its page again when it could not be read', async () => {
    const port = await freePort()
    let reads = 0
    const page = async (): Promise<typeof FILES> => {
      reads += 1
      if (reads === 1) throw new Error('no such file')
      return FILES
    }
    await server.listenPort({ port, token: TOKEN, page })
    expect((await ask(port, '/operator/', {})).status).toBe(500)
    expect((await ask(port, '/operator/', {})).status).toBe(200)
    expect((await ask(port, '/operator/', {})).status).toBe(200)
    expect(reads).toBe(2)
  })

  it('names the port that is taken', async () => {
    const port = await freePort()
    await server.listenPort(doorAt(port))
    const second = new ControlServer(ECHO)
    await expect(second.listenPort(doorAt(port))).rejects.toThrow(`control port ${port}`)
  })
})

describe('the port for figures', () => {
  it('gives figures and health, and nothing else', async () => {
    const port = await freePort()
    await server.listenMetrics('127.0.0.1', port)
    expect((await ask(port, '/metrics', {})).status).toBe(200)
    expect((await ask(port, '/health', {})).status).toBe(200)
    for (const path of ['/v1/status', '/metrics/', '/v1/logs', '/stream'])
      expect((await ask(port, path, {})).status).toBe(404)
  })
})
