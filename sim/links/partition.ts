/**
 * Which paths are cut. It knows nodes by number and nothing else: no links, no time. The world asks
 * before each message, so a test is two loads and a few bit operations, and one while nothing is cut.
 *
 * Each split takes a bit; a node's word says on which side of every split it is. Splits overlap freely:
 * a path is open when no split cuts it.
 */
import { UsageError } from '../../core/errors.ts'

/** One bit of a 32-bit word each, the sign bit left out. */
const SPLITS_MAX = 31
/** A split's number is its serial number times this plus its bit, so that no two in a run are alike. */
const BITS = 32
const NONE = -1

export class Partition {
  /** Bit k: the node is inside split k. */
  readonly #sides: Int32Array
  /** Splits that cut both ways, and those that cut only the way in. */
  #both = 0
  #inward = 0
  /** The split that holds each bit. */
  readonly #standing: number[] = []
  #serial = 0

  constructor(nodes: number) {
    this.#sides = new Int32Array(nodes)
  }

  /** Whether anything is cut at all. */
  get active(): boolean {
    return (this.#both | this.#inward) !== 0
  }

  // HOT PATH
  /** Whether what `from` sends does not reach `to`. Both are node numbers. */
  cut(from: number, to: number): boolean {
    if ((this.#both | this.#inward) === 0) return false
    const sender = this.#sides[from] as number
    const receiver = this.#sides[to] as number
    return (((sender ^ receiver) & this.#both) | (receiver & ~sender & this.#inward)) !== 0
  }

  /**
   * Cuts the nodes off from all others; with `oneWay` only what others send to them. Returns the number
   * by which to heal. Throws UsageError when 31 splits stand, or for a node that does not exist.
   */
  split(inside: readonly number[], oneWay = false): number {
    for (const node of inside) {
      if (!(node >= 0 && node < this.#sides.length)) {
        throw new UsageError(`there is no node ${node} to cut off; nodes are 0 to ${this.#sides.length - 1}`)
      }
    }
    const bit = this.#freeBit()
    const mask = 1 << bit
    for (const node of inside) this.#sides[node] = (this.#sides[node] as number) | mask
    if (oneWay) this.#inward |= mask
    else this.#both |= mask
    const split = this.#serial++ * BITS + bit
    this.#standing[bit] = split
    return split
  }

  /** Opens what the split of that number cut; others stand. Healing again does nothing. */
  heal(split: number): void {
    const bit = split % BITS
    if (this.#standing[bit] !== split) return
    this.#standing[bit] = NONE
    const keep = ~(1 << bit)
    this.#both &= keep
    this.#inward &= keep
    const sides = this.#sides
    for (let node = 0; node < sides.length; node++) sides[node] = (sides[node] as number) & keep
  }

  #freeBit(): number {
    for (let bit = 0; bit < SPLITS_MAX; bit++) {
      if ((this.#standing[bit] ?? NONE) === NONE) return bit
    }
    throw new UsageError(`${SPLITS_MAX} splits stand already, the most there can be; heal one first`)
  }
}
