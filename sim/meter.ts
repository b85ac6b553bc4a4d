/**
 * What a run costs: bytes and messages on the wire by kind, per node and at the peak (mesh:N3). Counted
 * from the end of the warm-up on. Wire bytes are the packet and 52 bytes of overhead (mesh text (c)).
 */
import { KIND } from '../core/wire/kinds.ts'
import { summarise } from './statistics.ts'

const KIND_NAMES = new Map<number, string>(Object.entries(KIND).map(([name, kind]) => [kind, name]))

/**
 * A node has a rate of its own once it was up for so long, since in the first seconds it is all greetings.
 * Where the run counts less than that, half as long as the one that was up longest has to do.
 */
const RATE_MICROS = 60e6

export class Meter {
  counting = false
  controlMessages = 0
  controlBytes = 0
  dataPackets = 0
  dataBytes = 0
  readonly #byKind = new Float64Array(256)
  readonly #perNode: Float64Array
  readonly #upMicros: Float64Array

  constructor(nodes: number) {
    this.#perNode = new Float64Array(nodes)
    this.#upMicros = new Float64Array(nodes)
  }

  // HOT PATH
  sent(node: number, control: boolean, kind: number, wireBytes: number): void {
    if (!this.counting) return
    if (control) {
      this.controlMessages += 1
      this.controlBytes += wireBytes
      this.#byKind[kind] = (this.#byKind[kind] as number) + wireBytes
      this.#perNode[node] = (this.#perNode[node] as number) + wireBytes
    } else {
      this.dataPackets += 1
      this.dataBytes += wireBytes
    }
  }

  /** A node was up for so long within the counted time. */
  wasUp(node: number, micros: number): void {
    if (micros > 0) this.#upMicros[node] = (this.#upMicros[node] as number) + micros
  }

  nodeSeconds(): number {
    return this.#upMicros.reduce((sum, micros) => sum + micros, 0) / 1e6
  }

  /** Mean over node-seconds, then percentiles over nodes; undefined if none was up. */
  controlBytesPerNodeSecond(): { mean: number; p50: number; p99: number; max: number } | undefined {
    const longest = this.#upMicros.reduce((most, micros) => Math.max(most, micros), 0)
    if (longest === 0) return undefined
    const enough = Math.min(RATE_MICROS, longest / 2)
    const rates: number[] = []
    for (let node = 0; node < this.#perNode.length; node++) {
      const micros = this.#upMicros[node] as number
      if (micros >= enough) rates.push((this.#perNode[node] as number) / (micros / 1e6))
    }
    const { p50, p99, max } = summarise(rates)
    return { mean: this.controlBytes / this.nodeSeconds(), p50, p99, max }
  }

  /** Bytes per node and second of each control message. */
  byKind(): Record<string, number> {
    const seconds = Math.max(1, this.nodeSeconds())
    const result: Record<string, number> = {}
    for (let kind = 0; kind < 256; kind++) {
      const bytes = this.#byKind[kind] as number
      if (bytes > 0) result[KIND_NAMES.get(kind) ?? `kind ${kind}`] = bytes / seconds
    }
    return result
  }
}
