/** What verbs say of what a running node answers: here a control API that answers as one would. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ControlApi, ControlServer, json } from '../../drivers/node/control-server.ts'
import { CliFolder, type Ended } from '../support/cli.ts'

const cli = new CliFolder()
const socket = join(cli.folder, 'control')

let api: ControlApi
let server: ControlServer

beforeEach(async () => {
  api = { answer: async () => undefined, stream: () => false }
  server = new ControlServer({
    answer: (...asked) => api.answer(...asked),
    stream: (...asked) => api.stream(...asked),
  })
  await server.listenSocket(socket)
})

afterEach(() => server.close())
afterAll(() => cli.remove())

function peertap(...words: readonly string[]): Promise<Ended> {
  return cli.perform([...words, '--socket', socket])
}

/** Answers by method and path, and counts on nothing else being asked. */
function answering(answers: Readonly<Record<string, object>>): void {
  api = {
    ...api,
    answer: async (method, path) => {
      const answer = answers[`${method} ${path}`]
      return answer === undefined ? undefined : json(answer)
    },
  }
}

const UP = { port: 1, label: 'my lan', name: 'pt-2f62d42c', mtu: 1280, addresses: ['10.7.0.1/24'] }
const DOWN = {
  port: 1,
  label: 'my lan',
  mtu: 1280,
  addresses: [],
  trouble: "there is an interface named 'x'",
}

describe('a reload', () => {
  const told = { ok: true, changed: ['interfaces'], needRestart: [] }

  it('names the interfaces that it took away, and the VLANs that are not here', async () => {
    answering({
      'POST /v1/reload': told,
      'GET /v1/status': { vlansMissing: ['hoem'], interfaces: [DOWN] },
    })
    const troubles = [
      'hoem: an interface is configured for it, and this node has no such VLAN',
      "my lan: there is an interface named 'x'",
    ]
    expect(await peertap('reload')).toEqual({
      code: 0,
      out: `changed: interfaces\n! ${troubles.join('\n! ')}\n`,
      err: '',
    })
    const { out } = await peertap('reload', '--json')
    expect(JSON.parse(out)).toEqual({ ...told, troubles })
  })

  it('says no more than that where all is well', async () => {
    answering({ 'POST /v1/reload': told, 'GET /v1/status': { vlansMissing: [], interfaces: [UP] } })
    expect(await peertap('reload')).toEqual({ code: 0, out: 'changed: interfaces\n', err: '' })
  })
})

describe('whoever founds a VLAN', () => {
  const entered = { vlan: '2f62d42c'.repeat(4), label: 'my lan', member: '8f14bcbb'.repeat(8), port: 1 }
  const founded = { ok: true, value: { ...entered, mac: '02:00:00:00:00:01', members: 1, seconds: 0.1 } }
  const line = 'VLAN my lan 2f62d42c is founded; own key 8f14bcbb, MAC 02:00:00:00:00:01\n'

  it('learns what its interface is called, which does not follow from every label', async () => {
    answering({ 'POST /v1/ask': founded, 'GET /v1/status': { interfaces: [UP] } })
    const said = 'its interface is pt-2f62d42c, MTU 1280, 10.7.0.1/24\n'
    expect(await peertap('vlan', 'create', 'my lan')).toEqual({ code: 0, out: line + said, err: '' })
    const { out } = await peertap('vlan', 'create', 'my lan', '--json')
    expect(JSON.parse(out)).toEqual({ ...founded.value, interface: 'pt-2f62d42c' })
  })

  it('learns why it has none', async () => {
    answering({ 'POST /v1/ask': founded, 'GET /v1/status': { interfaces: [DOWN] } })
    const said = "my lan has no interface yet: there is an interface named 'x'\n"
    expect(await peertap('vlan', 'create', 'my lan')).toEqual({ code: 0, out: line, err: said })
  })

  it('has founded it, whatever the node says then', async () => {
    answering({ 'POST /v1/ask': founded })
    expect(await peertap('vlan', 'create', 'my lan')).toEqual({ code: 0, out: line, err: '' })
  })
})

describe('the members of a VLAN', () => {
  it('are not counted by a node that is out of it, or not in yet', async () => {
    answering({ 'POST /v1/ask': { ok: true, value: { label: 'home', epoch: -1, members: [] } } })
    expect(await peertap('vlan', 'members', 'home')).toEqual({
      code: 0,
      out: 'home: this node is in no epoch of it, and knows no member; "vlan show" says why\n',
      err: '',
    })
  })
})

describe('the members that a node knows', () => {
  const other = { self: false, role: 'member', sinceMillis: 0 }

  it('are online, were heard some time ago, or are offline', async () => {
    const members = [
      { ...other, member: 'aa'.repeat(32), self: true, presence: 'online', online: true },
      { ...other, member: 'bb'.repeat(32), presence: 'online', online: true, heardSecondsAgo: 3 },
      { ...other, member: 'cc'.repeat(32), presence: 'quiet', online: false, heardSecondsAgo: 41.6 },
      { ...other, member: 'dd'.repeat(32), presence: 'offline', online: false, heardSecondsAgo: 1_300 },
      { ...other, member: 'ee'.repeat(32), presence: 'offline', online: false },
    ]
    answering({ 'POST /v1/ask': { ok: true, value: { label: 'home', epoch: 3, members } } })
    const { out } = await peertap('vlan', 'members', 'home')
    const states = out
      .split('\n')
      .slice(2, -1)
      .map((line) => line.slice(line.indexOf('  ')).split(/ {2,}/))
    expect(states.map((cells) => cells.find((cell) => /line|heard/.test(cell)))).toEqual([
      'online',
      'online',
      'heard 42 s ago',
      'offline, heard 22 min ago',
      'offline, not heard yet',
    ])
    expect(JSON.parse((await peertap('vlan', 'members', 'home', '--json')).out).members).toEqual(members)
  })
})

describe('a capture', () => {
  /** A block of pcapng without a body: its type, its length, and its length again. */
  const block = new Uint8Array(12)
  new DataView(block.buffer).setUint32(4, block.length, true)

  it.skipIf(!existsSync('/dev/full'))('into a disk that is full ends, and says so', async () => {
    api = {
      ...api,
      stream: (_path, _query, begin) => {
        // It goes on: the node knows nothing of the disk.
        begin('application/octet-stream').write(block)
        return true
      },
    }
    expect(await peertap('capture', '--write', '/dev/full')).toEqual({
      code: 1,
      out: '',
      err: '/dev/full: the disk is full: make room, and capture again; what came before is in the file\n',
    })
  })
})
