import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { ControlClient, NoNode } from '../../drivers/control/client.ts'
import { type ControlApi, ControlServer, json } from '../../drivers/node/control-server.ts'

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

interface Answer {
  readonly status: number
  readonly body: string
}

function ask(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  return new Promise((done, fail) => {
    const sent = request({ host: '127.0.0.1', port, path, headers }, async (response) => {
      let body = ''
      for await (const part of response) body += part
      done({ status: response.statusCode ?? 0, body })
    })
    sent.on('error', fail)
    sent.end()
  })
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
    await server.listenPort({ port, token: TOKEN })
    const answer = await ask(port, '/v1/status', { authorization: `Bearer ${TOKEN}` })
    expect(answer).toMatchObject({ status: 200 })
  })

  it.each([
    ['no token', {}, 401],
    ['a wrong token', { authorization: `Bearer ${'b'.repeat(64)}` }, 401],
    ['a token of another length', { authorization: 'Bearer a' }, 401],
    ['a page of the web', { authorization: `Bearer ${TOKEN}`, origin: 'https://example.org' }, 403],
    ['another name of this machine', { authorization: `Bearer ${TOKEN}`, host: 'example.org' }, 403],
  ])('serves nobody with %s', async (_what, headers, status) => {
    const port = await freePort()
    await server.listenPort({ port, token: TOKEN })
    expect((await ask(port, '/v1/status', headers)).status).toBe(status)
  })

  it('names the port that is taken', async () => {
    const port = await freePort()
    await server.listenPort({ port, token: TOKEN })
    const second = new ControlServer(ECHO)
    await expect(second.listenPort({ port, token: TOKEN })).rejects.toThrow(`control port ${port}`)
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
