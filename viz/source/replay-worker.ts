/** The thread that reads and plays a recording, between the page's messages. */
import { UsageError } from '../../core/errors.ts'
import type { RecordingBytes } from '../../sim/recording/reader.ts'
import { Replay, type ReplayOrder } from './replay.ts'
import type { News } from './source.ts'
import { takeTurns } from './turns.ts'

/** Where a recording is: dropped on the page, or at an address of its server. */
export interface RecordingPlace {
  readonly kind: 'place'
  readonly name: string
  readonly from: Blob | string
}

const replay = new Replay(
  (news: News) => postMessage(news),
  () => performance.now(),
  () => wake(),
)
const wake = takeTurns(() => replay.work())

addEventListener('message', ({ data }: MessageEvent<RecordingPlace | ReplayOrder>) => {
  if (data.kind === 'place') void replay.open(bytesOf(data), data.name)
  else replay.order(data)
  wake()
})

/** A file that somebody dropped: the browser reads it piece by piece. */
class Held implements RecordingBytes {
  readonly #blob: Blob

  constructor(blob: Blob) {
    this.#blob = blob
  }

  get size(): number {
    return this.#blob.size
  }

  async read(from: number, length: number): Promise<Uint8Array> {
    return new Uint8Array(await this.#blob.slice(from, from + length).arrayBuffer())
  }
}

/** A file that the page's server has: pieces of it are asked for (RFC 9110, section 14). */
class Served implements RecordingBytes {
  readonly #url: string
  readonly size: number

  constructor(url: string, size: number) {
    this.#url = url
    this.size = size
  }

  async read(from: number, length: number): Promise<Uint8Array> {
    const response = await fetch(this.#url, { headers: { range: `bytes=${from}-${from + length - 1}` } })
    if (response.status !== 206) throw unserved(response)
    return new Uint8Array(await response.arrayBuffer())
  }
}

async function bytesOf({ from }: RecordingPlace): Promise<RecordingBytes> {
  if (typeof from !== 'string') return new Held(from)
  const response = await fetch(from, { method: 'HEAD' })
  if (!response.ok) throw unserved(response)
  return new Served(from, Number(response.headers.get('content-length')))
}

function unserved({ status }: Response): UsageError {
  return new UsageError(`the server does not hand out the recording (${status}); start peertap view again`)
}
