import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ControlClient } from '../../drivers/control/client.ts'
import { type ControlApi, ControlServer, json } from '../../drivers/node/control-server.ts'
import { LiveServer } from '../../drivers/view/live-server.ts'
import { type Answer, ask as askPort } from '../support/ask.ts'

/** Answers with what it was asked, and ends a stream only when the client has. */
let streams = 0
const ECHO: ControlApi = {
  answer: async (method, path, query, body) => json({ method, path, query: Object.fromEntries(query), body }),
  stream: (path, _query, begin) => {
    if (path !== '/v1/events') return false
    const stream = begin('application/x-ndjson')
    streams += 1
    stream.onClose(() => {
      streams -= 1
    })
    stream.write('{"kind":"detached"}\n')
    return true
  },
}

const folder = mkdtempSync(join(tmpdir(), 'peertap-live-'))
const node = new ControlServer(ECHO)
let server: LiveServer
let port: number
let token: string

beforeAll(async () => {
  const socket = join(folder, 'control')
  await node.listenSocket(socket)
  const pages = new Map([['/', { type: 'text/html', bytes: Buffer.from('the picture') }]])
  const nodes = [
    { name: 'here', client: new ControlClient(socket) },
    { name: 'away', client: new ControlClient(join(folder, 'nobody')) },
  ]
  server = await LiveServer.listen(pages, nodes, 0)
  const url = new URL(server.url)
  port = Number(url.port)
  token = url.hash.replace('#token=', '')
})
afterAll(async () => {
  await server.close()
  await node.close()
  rmSync(folder, { recursive: true })
})

function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; sends?: string } = {},
): Promise<Answer> {
  const { method, headers = { authorization: `Bearer ${token}` }, sends } = options
  return askPort(port, path, headers, method, sends)
}

it('shows its pages to whoever opens them, and the nodes to whoever has the token', async () => {
  expect(token).toMatch(/^[0-9a-f]{64}$/)
  expect(await ask('/', { headers: {} })).toMatchObject({ status: 200, body: 'the picture' })
  expect((await ask('/run.json', { headers: {} })).body).toBe('"live"')
  for (const path of [
    '/v1/nodes',
    '/nodes/0/v1/status',
    '/nodes/0/v1/events',
    '/nodes/9/v1/status',
    '/v1/x',
  ]) {
    const { status, body } = await ask(path, { headers: {} })
    expect({ path, status }).toEqual({ path, status: 401 })
    expect(body).not.toContain('here')
  }
  expect(JSON.parse((await ask('/v1/nodes')).body)).toEqual({
    nodes: [
      { base: '/nodes/0', name: 'here' },
      { base: '/nodes/1', name: 'away' },
    ],
  })
})

it('passes on what its pages ask, and no more', async () => {
  const status = await ask('/nodes/0/v1/status?a=1')
  expect(JSON.parse(status.body)).toMatchObject({ method: 'GET', path: '/v1/status', query: { a: '1' } })
  expect(status.headers['content-security-policy']).toContain("default-src 'none'")
  const order = { verb: 'list', args: [] }
  const asked = await ask('/nodes/0/v1/ask', { method: 'POST', sends: JSON.stringify(order) })
  expect(JSON.parse(asked.body)).toMatchObject({ path: '/v1/ask', body: order })
  for (const path of ['/nodes/0/v1/stop', '/nodes/0/v1/reload', '/nodes/0/v1/trace', '/nodes/0/v1/status'])
    expect((await ask(path, { method: 'POST', sends: '{}' })).status).toBe(404)
  for (const path of [
    '/nodes/0/v1/capture',
    '/nodes/0/v1/door',
    '/nodes/0/metrics',
    '/nodes/2/v1/status',
    '/nodes/0/v1/status/../stop',
    '/nodes/0//v1/status',
  ])
    expect({ path, status: (await ask(path)).status }).toEqual({ path, status: 404 })
  const long = await ask('/nodes/0/v1/ask', { method: 'POST', sends: 'x'.repeat(70_000) })
  expect(long.status).toBe(413)
})

it('refuses pages of others, other names and other methods', async () => {
  const authorization = `Bearer ${token}`
  const status = async (headers: object, method = 'GET'): Promise<number> =>
    (await ask('/nodes/0/v1/status', { headers: { authorization, ...headers }, method })).status
  expect(await status({ origin: 'https://example.org' })).toBe(403)
  expect(await status({ 'sec-fetch-site': 'cross-site' })).toBe(403)
  expect(await status({ host: `example.org:${port}` })).toBe(403)
  expect(await status({}, 'DELETE')).toBe(405)
  expect(await status({ authorization: `Bearer ${'0'.repeat(64)}` })).toBe(401)
  expect(await status({ origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' })).toBe(200)
})

it('lets go of a stream when the page does, and says that a node is not there', async () => {
  await new Promise<void>((done, fail) => {
    const headers = { authorization: `Bearer ${token}` }
    const sent = request({ host: '127.0.0.1', port, path: '/nodes/0/v1/events', headers, agent: false })
    sent.on('response', (response) => {
      response.once('data', (part: Buffer) => {
        expect(part.toString()).toBe('{"kind":"detached"}\n')
        response.destroy()
        done()
      })
    })
    sent.on('error', fail)
    sent.end()
  })
  await expect.poll(() => streams, { timeout: 10_000 }).toBe(0)
  const away = await ask('/nodes/1/v1/status')
  expect(away).toMatchObject({ status: 502, body: expect.stringContaining('no node runs here') })
})
