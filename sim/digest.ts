/**
 * The rolling fingerprint of a run: 64 bits over time, node, effect, link and length of every effect,
 * and over the bytes of control messages (length alone would miss a reordered list, mesh:S16). Two runs
 * are the same if and only if these agree; a value is kept for every chunk of effects so that the
 * first difference can be found by re-running one chunk.
 */

/** Effects in a chunk. Small enough to print, large enough that an hour's list stays short. */
export const CHUNK_EFFECTS = 16_384

export class Digest {
  #low = 0x243f6a88
  #high = 0x85a308d3
  #count = 0
  /** The low half after each whole chunk. */
  readonly chunks: number[] = []

  get effects(): number {
    return this.#count
  }

  // HOT PATH
  fold(time: number, node: number, effect: number, link: number, detail: number): void {
    const early = Math.imul((time | 0) ^ Math.imul(node + 1, 0x9e3779b1), 0x85ebca6b)
    const hours = Math.imul((time / 4_294_967_296) | 0, 0x165667b1)
    const late = Math.imul(hours ^ link ^ (effect << 24), 0xc2b2ae35)
    this.#low = Math.imul(this.#low ^ early ^ detail, 0x01000193) ^ (this.#low >>> 15)
    this.#high = Math.imul(this.#high ^ late ^ this.#low, 0x27d4eb2f) ^ (this.#high >>> 13)
    this.#count += 1
    if (this.#count % CHUNK_EFFECTS === 0) this.chunks.push(this.#low >>> 0)
  }

  /** 16 hex digits. */
  text(): string {
    return hex8(this.#high) + hex8(this.#low)
  }
}

function hex8(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

/** FNV-1a over the characters of a short name. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash | 0
}
