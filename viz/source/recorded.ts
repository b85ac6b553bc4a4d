/** A recording, read and played in a worker, as a source. */
import type { RecordingPlace } from './replay-worker.ts'
import type { News, Order, Source } from './source.ts'

export class Recorded implements Source {
  readonly #worker: Worker

  /** `from`: a file, or the address of one that the page's server has. */
  constructor(name: string, from: Blob | string, tell: (news: News) => void) {
    this.#worker = new Worker(new URL('./replay-worker.ts', import.meta.url), { type: 'module' })
    this.#worker.addEventListener('message', ({ data }: MessageEvent<News>) => tell(data))
    this.#worker.addEventListener('error', (event) => {
      const message = event.message || 'the worker that plays recordings could not be loaded; reload the page'
      tell({ kind: 'failed', message, fault: true })
    })
    const address = typeof from === 'string' ? new URL(from, location.href).href : from
    this.#worker.postMessage({ kind: 'place', name, from: address } satisfies RecordingPlace)
  }

  order(order: Order): void {
    if (order.kind !== 'open') this.#worker.postMessage(order)
  }

  close(): void {
    this.#worker.terminate()
  }
}
