/** A simulation in a worker as a source. */
import type { News, Order, Source } from './source.ts'

export class Simulator implements Source {
  readonly #worker: Worker

  constructor(tell: (news: News) => void) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    this.#worker.addEventListener('message', ({ data }: MessageEvent<News>) => tell(data))
    this.#worker.addEventListener('error', (event) => {
      const message = event.message || 'the worker that simulates could not be loaded; reload the page'
      tell({ kind: 'failed', message, fault: true })
    })
  }

  order(order: Order): void {
    this.#worker.postMessage(order)
  }

  close(): void {
    this.#worker.terminate()
  }
}
