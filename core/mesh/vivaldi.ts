/**
 * Network coordinates: a round trip to a peer that was never measured is guessed from two short byte
 * strings. Vivaldi (Dabek, Cox, Kaashoek, Morris, SIGCOMM 2004), two dimensions and a height, which the
 * paper finds as good as many dimensions (section 5.4). Knows no links and no time, and uses only
 * operations that are the same in every engine.
 *
 * Eight bytes, big-endian: x i16, y i16, height u16, all in 1/16 ms; error u16 in 1/32768.
 */
import { type Dice, unit } from '../dice.ts'
import { readU32 } from '../wire/cursor.ts'

export const COORDINATES_BYTES = 8
/** Nothing is known: the middle of the plane, with the largest error. */
export const UNKNOWN_COORDINATES: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0, 0, 0xff, 0xff)

const PER_MILLISECOND = 16
const PER_ERROR = 32_768
/** How fast the position and the error follow a sample (section 3.4: 0.25 each). */
const GAIN = 0.25
/** Least height in ms: the access link of a node costs something. Guess. */
const HEIGHT_MIN = 0.125
/**
 * No sample moves a node farther than this, in ms, and of each link one a second is taken (limits.ts): a liar
 * pulls slowly. Guess.
 */
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
    const high = readU32(peer, 0)
    const low = readU32(peer, 4)
    if (this.#error > ERROR_TRUSTED || errorOf(low) > ERROR_TRUSTED) return undefined
    return this.#distance(high, low)
  }

  /**
   * Takes in one measured round trip of `rtt` ms to a peer whose eight bytes are those two words
   * (figure 3).
   */
  update(rtt: number, high: number, low: number, dice: Dice): void {
    if (rtt <= 0 || rtt > SAMPLE_MAX) return
    const distance = this.#distance(high, low)
    // A peer that claims to be certain counts no more than one that is exact to a hundredth.
    const peerError = Math.max(errorOf(low), 0.01)
    const weight = this.#error / (this.#error + peerError)
    const relative = Math.abs(distance - rtt) / rtt
    this.#error = clamp(relative * GAIN * weight + this.#error * (1 - GAIN * weight), 0.01, 1)
    this.#move(clamp(GAIN * weight * (rtt - distance), -STEP_MAX, STEP_MAX), distance, high, low, dice)
    this.#encode()
  }

  /** Moves by `step` ms away from the peer; from the same place, in any direction. */
  #move(step: number, distance: number, high: number, low: number, dice: Dice): void {
    const dx = this.#x - xOf(high)
    const dy = this.#y - yOf(high)
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
    this.#height = Math.max(HEIGHT_MIN, this.#height + (step * (this.#height + heightOf(low))) / distance)
  }

  #distance(high: number, low: number): number {
    const dx = this.#x - xOf(high)
    const dy = this.#y - yOf(high)
    return Math.sqrt(dx * dx + dy * dy) + this.#height + heightOf(low)
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

function put(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8
  bytes[offset + 1] = value
}

/** Milliseconds from the signed fields of the first word. */
function xOf(high: number): number {
  return (high >> 16) / PER_MILLISECOND
}

function yOf(high: number): number {
  return ((high << 16) >> 16) / PER_MILLISECOND
}

function heightOf(low: number): number {
  return (low >>> 16) / PER_MILLISECOND
}

function errorOf(low: number): number {
  return (low & 0xffff) / PER_ERROR
}
