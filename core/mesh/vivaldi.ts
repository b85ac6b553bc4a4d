/**
 * Network coordinates: a round trip to a peer that was never measured is guessed from two short byte
 * strings. Vivaldi (Dabek, Cox, Kaashoek, Morris, SIGCOMM 2004), two dimensions and a height, which the
 * paper finds as good as many dimensions (section 5.4). Knows no links and no time, and uses only
 * operations that are the same in every engine.
 *
 * Eight bytes, big-endian: x i16, y i16, height u16, all in 1/16 ms; error u16 in 1/32768.
 */
import { type Dice, unit } from '../dice.ts'

export const COORDINATES_BYTES = 8
/** Nothing is known: the middle of the plane, with the largest error. */
export const UNKNOWN_COORDINATES: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0, 0, 0xff, 0xff)

const PER_MILLISECOND = 16
const PER_ERROR = 32_768
/** How fast the position and the error follow a sample (section 3.4: 0.25 each). */
const GAIN = 0.25
/** Least height in ms: the access link of a node costs something. Guess. */
const HEIGHT_MIN = 0.125
/** No sample moves a node farther than this, in ms: a liar pulls slowly. Guess. */
const STEP_MAX = 100
/** Samples beyond this, in ms, say more of queues than of distance. Guess. */
const SAMPLE_MAX = 2_000
/** A node whose relative error is larger does not know where it is. Guess: half way from the start. */
const ERROR_TRUSTED = 0.5

export class Vivaldi {
  #x = 0
  #y = 0
  #height = HEIGHT_MIN
  /** Relative error of own predictions, 0 … 1. */
  #error = 1
  readonly #bytes = UNKNOWN_COORDINATES.slice()

  /** Eight bytes, the same array each time: to be copied by whoever keeps them. */
  bytes(): Uint8Array {
    return this.#bytes
  }

  /** Guessed round trip to a peer in ms, or undefined if either end does not know where it is. */
  estimate(peer: Uint8Array): number | undefined {
    if (this.#error > ERROR_TRUSTED || errorOf(peer) > ERROR_TRUSTED) return undefined
    return this.#distance(peer)
  }

  /** Takes in one measured round trip of `rtt` ms to a peer with those coordinates (figure 3). */
  update(rtt: number, peer: Uint8Array, dice: Dice): void {
    if (rtt <= 0 || rtt > SAMPLE_MAX) return
    const distance = this.#distance(peer)
    // A peer that claims to be certain counts no more than one that is exact to a hundredth.
    const peerError = Math.max(errorOf(peer), 0.01)
    const weight = this.#error / (this.#error + peerError)
    const relative = Math.abs(distance - rtt) / rtt
    this.#error = clamp(relative * GAIN * weight + this.#error * (1 - GAIN * weight), 0.01, 1)
    this.#move(clamp(GAIN * weight * (rtt - distance), -STEP_MAX, STEP_MAX), distance, peer, dice)
    this.#encode()
  }

  /** Moves by `step` ms away from the peer; from the same place, in any direction. */
  #move(step: number, distance: number, peer: Uint8Array, dice: Dice): void {
    const dx = this.#x - signed(peer, 0)
    const dy = this.#y - signed(peer, 2)
    if (dx === 0 && dy === 0) {
      const x = unit(dice) - 0.5
      const y = unit(dice) - 0.5
      const length = Math.max(Math.sqrt(x * x + y * y), 0.001)
      this.#x += (step * x) / length
      this.#y += (step * y) / length
      return
    }
    this.#x += (step * dx) / distance
    this.#y += (step * dy) / distance
    this.#height = Math.max(HEIGHT_MIN, this.#height + (step * (this.#height + heightOf(peer))) / distance)
  }

  #distance(peer: Uint8Array): number {
    const dx = this.#x - signed(peer, 0)
    const dy = this.#y - signed(peer, 2)
    return Math.sqrt(dx * dx + dy * dy) + this.#height + heightOf(peer)
  }

  #encode(): void {
    put(this.#bytes, 0, clamp(Math.round(this.#x * PER_MILLISECOND), -32_768, 32_767))
    put(this.#bytes, 2, clamp(Math.round(this.#y * PER_MILLISECOND), -32_768, 32_767))
    put(this.#bytes, 4, clamp(Math.round(this.#height * PER_MILLISECOND), 0, 0xffff))
    put(this.#bytes, 6, clamp(Math.round(this.#error * PER_ERROR), 0, 0xffff))
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}

function u16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)
}

function put(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8
  bytes[offset + 1] = value
}

/** Milliseconds from a signed field. */
function signed(bytes: Uint8Array, offset: number): number {
  return ((u16(bytes, offset) << 16) >> 16) / PER_MILLISECOND
}

function heightOf(bytes: Uint8Array): number {
  return u16(bytes, 4) / PER_MILLISECOND
}

function errorOf(bytes: Uint8Array): number {
  return u16(bytes, 6) / PER_ERROR
}
