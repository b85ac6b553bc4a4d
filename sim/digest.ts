/**
 * The rolling fingerprint of a run: 64 bits over time, node, effect, link and length of every effect, and
 * over what it says: the bytes of control messages, frames, records and addresses, the fields of notes and
 * jobs (length alone would miss a reordered list, mesh:S16). Of a sealed packet only the tag goes in, which
 * speaks for the rest: all of it would cost 4 % where packets are large. Runs that are the same have the
 * same digest; one that differs has it by chance only, one in 2^32 where a single effect says something
 * else. A value is kept for every chunk of effects so that the first difference can be found by re-running
 * one chunk.
 */
import { TAG_BYTES } from '../core/crypto/ports.ts'
import { fingerprint } from '../core/wire/fingerprint.ts'

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

const BASIS = 0x811c9dc5
const PRIME = 0x01000193

/** FNV-1a over the characters of a short text, behind what `hash` stands for. */
export function hashText(text: string, hash = BASIS): number {
  let result = hash
  for (let index = 0; index < text.length; index++) result = Math.imul(result ^ text.charCodeAt(index), PRIME)
  return result | 0
}

/** 32 bits of what plain data says: texts, whole numbers, bytes, and lists and records of them in order. */
export function hashData(data: unknown, hash = BASIS): number {
  if (typeof data === 'string') return hashText(data, hashNumber(data.length, hash))
  if (typeof data === 'number') return hashNumber(data, hash)
  if (data instanceof Uint8Array) return hashNumber(fingerprint(data), hashNumber(data.length, hash))
  if (typeof data !== 'object' || data === null) return hashText(String(data), hash)
  let result = hash
  for (const value of Object.values(data)) result = hashData(value, result)
  return hashNumber(Object.keys(data).length, result)
}

// HOT PATH
/** 32 bits of a sealed packet's tag. */
export function hashTag(packet: Uint8Array): number {
  let hash = BASIS
  for (let at = Math.max(0, packet.length - TAG_BYTES); at < packet.length; at++)
    hash = Math.imul(hash ^ (packet[at] as number), PRIME)
  return hash
}

function hashNumber(number: number, hash: number): number {
  return Math.imul(Math.imul(hash ^ number, PRIME) ^ (number / 4_294_967_296), PRIME) | 0
}
