/**
 * Which frame a packet carries that did not leave in the step that made it: it waited in its node's own queue
 * until a channel took it. The end of a packet is its authentication tag, which tells packets apart.
 *
 * A table of fixed size: a later packet takes the place of an earlier one, whose frame is then unknown.
 */
import { readU32 } from '../core/wire/cursor.ts'

const PLACES = 16_384
const TAIL_BYTES = 4

export class FrameTags {
  readonly #tails = new Uint32Array(PLACES)
  readonly #frames = new Float64Array(PLACES)

  /** `sealed`: the packet, or its last part. */
  note(sealed: Uint8Array, frame: number): void {
    const tail = tailOf(sealed)
    this.#tails[tail % PLACES] = tail
    this.#frames[tail % PLACES] = frame
  }

  /** 0 if unknown. */
  of(packet: Uint8Array): number {
    if (packet.length < TAIL_BYTES) return 0
    const tail = tailOf(packet)
    return this.#tails[tail % PLACES] === tail ? (this.#frames[tail % PLACES] as number) : 0
  }
}

function tailOf(bytes: Uint8Array): number {
  return readU32(bytes, bytes.length - TAIL_BYTES)
}
