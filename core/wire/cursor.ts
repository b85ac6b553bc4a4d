/**
 * One reader and one writer over bytes, big-endian. A reader answers zero after its first failure and
 * remembers it, so decoding has one failure path and no exception for hostile input.
 */

import { packetSlab } from './slab.ts'

export class Reader {
  readonly bytes: Uint8Array
  offset: number
  failed = false

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes
    this.offset = offset
  }

  /** True when everything was read and nothing failed. */
  get finished(): boolean {
    return !this.failed && this.offset === this.bytes.length
  }

  fail(): void {
    this.failed = true
  }

  u8(): number {
    return this.#has(1) ? (this.bytes[this.offset++] as number) : 0
  }

  u16(): number {
    if (!this.#has(2)) return 0
    const value = ((this.bytes[this.offset] as number) << 8) | (this.bytes[this.offset + 1] as number)
    this.offset += 2
    return value
  }

  u32(): number {
    if (!this.#has(4)) return 0
    const value = readU32(this.bytes, this.offset)
    this.offset += 4
    return value
  }

  /** 48 bits: a MAC address or milliseconds, exact in a number. */
  u48(): number {
    return this.u16() * 4_294_967_296 + this.u32()
  }

  /** A view, not a copy: borrowed like the input it came from. */
  take(length: number): Uint8Array {
    if (!this.#has(length)) return EMPTY
    const start = this.offset
    this.offset += length
    return this.bytes.subarray(start, this.offset)
  }

  #has(length: number): boolean {
    if (this.failed || this.offset + length > this.bytes.length) {
      this.failed = true
      return false
    }
    return true
  }
}

const EMPTY = new Uint8Array(0)

/** Writes into exactly enough bytes: schemas know their size beforehand. */
export class Writer {
  readonly bytes: Uint8Array
  offset = 0

  constructor(length: number) {
    this.bytes = packetSlab.take(length)
  }

  u8(value: number): void {
    this.bytes[this.offset++] = value
  }

  u16(value: number): void {
    this.u8(value >>> 8)
    this.u8(value)
  }

  u32(value: number): void {
    writeU32(this.bytes, this.offset, value)
    this.offset += 4
  }

  u48(value: number): void {
    this.u16(Math.floor(value / 4_294_967_296))
    this.u32(value % 4_294_967_296)
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.offset)
    this.offset += bytes.length
  }
}

// HOT PATH
export function readU24(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) << 16) | ((bytes[offset + 1] as number) << 8) | (bytes[offset + 2] as number)
  )
}

// HOT PATH
export function writeU24(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 16
  bytes[offset + 1] = value >>> 8
  bytes[offset + 2] = value
}

export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  )
}

export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24
  bytes[offset + 1] = value >>> 16
  bytes[offset + 2] = value >>> 8
  bytes[offset + 3] = value
}
