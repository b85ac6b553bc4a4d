/** What verbs say of what a running node answers: here a control API that answers as one would. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ControlApi, ControlServer } from '../../drivers/node/control-server.ts'
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
