/**
 * Taking down what passes a node, for whoever captures: frames at its interfaces and packets of its trunks,
 * in batches to the main thread. Off, it costs a look at one flag.
 */
import type { PortId } from '../../core/io.ts'
import type { Captured } from './messages.ts'

/** Bytes on their way to the main thread at most: what comes faster than it passes them on is lost. */
const BATCH_BYTES_MAX = 4 * 1_024 * 1_024

export class Capture {
  on = false
  readonly #nameOf: (port: PortId) => string
  readonly #send: (packets: readonly Captured[], lost: number) => void
  #batch: Captured[] = []
  #bytes = 0
  #lost = 0

  constructor(nameOf: (port: PortId) => string, send: (packets: readonly Captured[], lost: number) => void) {
    this.#nameOf = nameOf
    this.#send = send
  }

  frame(port: PortId, outgoing: boolean, bytes: Uint8Array): void {
    this.#take({ port: this.#nameOf(port), outgoing, link: 0, channel: 0, hop: 0 }, bytes)
  }

  packet(link: number, outgoing: boolean, channel: number, hop: number, bytes: Uint8Array): void {
    this.#take({ port: undefined, outgoing, link, channel, hop }, bytes)
  }

  /** At the end of a turn. */
  flush(): void {
    if (this.#batch.length === 0 && this.#lost === 0) return
    this.#send(this.#batch, this.#lost)
    this.#batch = []
    this.#lost = 0
  }

  /** The main thread has passed on so many bytes. */
  taken(bytes: number): void {
    this.#bytes -= bytes
  }

  #take(where: Omit<Captured, 'at' | 'bytes'>, bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > BATCH_BYTES_MAX) {
      this.#lost += 1
      return
    }
    this.#bytes += bytes.length
    const at = Math.round((performance.timeOrigin + performance.now()) * 1_000)
    this.#batch.push({ ...where, at, bytes: bytes.slice() })
  }
}
