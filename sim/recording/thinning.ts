/**
 * Which packets a recording keeps so that it stays in its budget (mesh:S20): state changes are never left
 * out, so packets take what these leave. Frames of traffic are kept or left out whole, by their number, so
 * that one is followed all its way; those that come to marked nodes are kept there always.
 */
import type { Micros } from '../../core/io.ts'
import { FRAME_MICROS, HEAD_START_MICROS, SECOND_MICROS, THINNING_MAX } from './limits.ts'

const HOUR_MICROS = 3_600 * SECOND_MICROS
/** A packet as it is written, with nodes and frames of many digits. */
const PACKET_BYTES = 10
/** How much the last frame counts of what the next one is expected to need beside packets. */
const WEIGHT = 0.2

export class Thinning {
  readonly #budget: number
  readonly #marks: ReadonlySet<number>
  readonly #perFrame: number
  /** Packets may take so many bytes of the frame under way. */
  #allowance: number
  /** Packets that came in it, those at marked nodes left out. */
  #seen = 0
  #beside = 0
  /** Kept are frames whose number 2 to this divides; and the most that it has been. */
  exponent = 0
  most = 0

  constructor(bytesPerHour: number, marks: readonly number[]) {
    this.#budget = bytesPerHour
    this.#marks = new Set(marks)
    this.#perFrame = (bytesPerHour * FRAME_MICROS) / HOUR_MICROS
    this.#allowance = this.#perFrame / 2
  }

  // HOT PATH
  /** `packetBytes`: what packets take of the frame under way. */
  keeps(node: number, number: number, packetBytes: number): boolean {
    if (this.#marks.has(node)) return true
    this.#seen += 1
    return packetBytes < this.#allowance && number % (1 << this.exponent) === 0
  }

  /** A frame was closed. `written`: bytes of the whole recording; `beside`: of this frame without packets. */
  closed(at: Micros, written: number, beside: number): void {
    this.#beside = this.#beside === 0 ? beside : this.#beside + WEIGHT * (beside - this.#beside)
    const ahead = (this.#budget * (at + HEAD_START_MICROS)) / HOUR_MICROS - written
    const made = Math.min(this.#perFrame, Math.max(-this.#perFrame, ahead))
    this.#allowance = this.#perFrame - this.#beside + made
    // Half of it, so that twice as much traffic is still kept evenly.
    let exponent = 0
    while (exponent < THINNING_MAX && (this.#seen * PACKET_BYTES) / (1 << exponent) > this.#allowance / 2)
      exponent += 1
    this.exponent = exponent
    this.most = Math.max(this.most, exponent)
    this.#seen = 0
  }
}
