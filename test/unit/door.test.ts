import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { Door } from '../../drivers/control/door.ts'

const TOKEN = 'a'.repeat(64)

function request(headers: Readonly<Record<string, string>>): IncomingMessage {
  return { method: 'GET', headers: { host: '127.0.0.1:7000', ...headers } } as unknown as IncomingMessage
}

it('takes ten wrong tokens in a row, then one a second, and the right one as soon as it may look', () => {
  let now = 5_000
  const door = new Door(TOKEN, () => now)
  const knock = (token: string): number | undefined =>
    door.refuse(request({ authorization: `Bearer ${token}` }))?.status
  for (let tries = 0; tries < 10; tries++) expect(knock('wrong')).toBe(401)
  expect(knock('wrong')).toBe(429)
  // Who guesses learns nothing by being right while it has to wait.
  expect(knock(TOKEN)).toBe(429)
  now += 1_000
  expect(knock(TOKEN)).toBeUndefined()
  expect(knock('wrong')).toBe(401)
  expect(knock(TOKEN)).toBe(429)
  now += 3_600_000
  for (let tries = 0; tries < 10; tries++) expect(knock('wrong')).toBe(401)
  expect(knock('wrong')).toBe(429)
})

it('does not count whoever comes from elsewhere as one who guesses', () => {
  const door = new Door(TOKEN, () => 0)
  const foreign = { origin: 'https://example.org', authorization: 'Bearer wrong' }
  for (let tries = 0; tries < 50; tries++) expect(door.refuse(request(foreign))?.status).toBe(403)
  expect(door.refuse(request({ authorization: `Bearer ${TOKEN}` }))).toBeUndefined()
})
