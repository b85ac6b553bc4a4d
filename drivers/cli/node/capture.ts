/** `peertap capture`: what passes a running node, for Wireshark, tshark and whatever else reads pcapng. */
import { once } from 'node:events'
import { createWriteStream, openSync, statSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../../../core/errors.ts'
import { systemMistake } from '../../node/state-files.ts'
import { NotNow } from '../../not-now.ts'
import { EXIT } from '../exit.ts'
import type { Verb } from '../flags.ts'
import { clientOf, NODE_FLAGS } from './line.ts'

const DISSECTOR = fileURLToPath(new URL('../../node/peertap.lua', import.meta.url))
/** Frames of a VLAN are its members' affair. */
const FILE_MODE = 0o600
/** Of a block: its type and its length, of 4 bytes each. */
const BLOCK_HEAD_BYTES = 8

export const captureVerb: Verb = {
  words: ['capture'],
  describe: 'Capture frames of interfaces and packets of trunks as pcapng, until interrupted',
  flags: {
    socket: NODE_FLAGS.socket,
    write: { kind: 'text', describe: 'To this file (default: standard output, for a pipe)' },
    force: { kind: 'switch', describe: 'Write over a file that is there' },
    only: { kind: 'text', describe: 'inner: frames of interfaces; outer: packets of trunks; all (default)' },
    dissector: { kind: 'switch', describe: 'Print where the dissector for Wireshark lies, and end' },
  },
  examples: [
    ['peertap capture --only inner | tshark -r -', 'Look at the frames at once'],
    ['tshark -X lua_script:"$(peertap capture --dissector)" -r FILE -V', 'Read packets of trunks'],
  ],
  run: async (given) => {
    if (given.on('dissector')) {
      console.log(DISSECTOR)
      return EXIT.ok
    }
    const file = given.text('write')
    const only = given.choice('only', ['all', 'inner', 'outer'])
    if (file === undefined && process.stdout.isTTY)
      throw new UsageError('a capture is no text; write --write FILE, or lead it into a program with |')
    const client = await clientOf(given)
    const out = file === undefined ? process.stdout : opened(file, given.on('force'))
    const stream = await client.stream(only === 'all' ? '/v1/capture' : `/v1/capture?only=${only}`)
    // Standard output that takes no more is the program's affair (main.ts).
    await (file === undefined ? pour(stream, out) : pourInto(file, stream, out))
    return EXIT.ok
  },
}

function opened(file: string, force: boolean): NodeJS.WritableStream {
  try {
    // A pipe or a terminal is there to be written to.
    if (!force && statSync(file, { throwIfNoEntry: false })?.isFile() === true)
      throw new UsageError(
        `${file} is there already; name another file, or write --force to lose what it holds`,
      )
    return createWriteStream(file, { fd: openSync(file, 'w', FILE_MODE) })
  } catch (error) {
    throw systemMistake(file, error)
  }
}

/** A file that takes no more, as on a disk that is full, ends the capture, and it is said why. */
async function pourInto(file: string, stream: IncomingMessage, out: NodeJS.WritableStream): Promise<void> {
  const written = finished(out)
  written.catch(() => stream.destroy())
  try {
    await pour(stream, out)
    out.end()
    await written
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw systemMistake(file, error)
    throw new NotNow(
      `${file}: the disk is full: make room, and capture again; what came before is in the file`,
    )
  }
}

/** Whoever interrupts has captured enough: what came is written, up to the last whole block. */
async function pour(stream: IncomingMessage, out: NodeJS.WritableStream): Promise<void> {
  process.once('SIGINT', () => stream.destroy())
  process.once('SIGTERM', () => stream.destroy())
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const part of stream) {
      const bytes = Buffer.concat([rest, part as Buffer])
      const length = wholeBlocks(bytes)
      rest = bytes.subarray(length)
      // Who reads slowly is waited for: the node counts what it cannot keep until then.
      if (length > 0 && !out.write(bytes.subarray(0, length))) await once(out, 'drain')
    }
  } catch (error) {
    if (!stream.destroyed) throw error
  }
}

/** Bytes of all blocks that are there in full. */
function wholeBlocks(bytes: Buffer): number {
  let end = 0
  while (end + BLOCK_HEAD_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(end + 4)
    if (length < BLOCK_HEAD_BYTES || end + length > bytes.length) break
    end += length
  }
  return end
}
