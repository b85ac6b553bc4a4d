/**
 * Numbers and texts as bytes, as recordings hold them: small numbers take one byte. A reader answers zero
 * after its first failure and remembers why and where: whatever a file holds, there is one way to fail.
 */
import { utf8 } from '../../core/ids.ts'
import { readU32, writeU32 } from '../../core/wire/cursor.ts'

/** Bytes that a writer begins with; it doubles them as need be. */
const FIRST_BYTES = 4_096
const TWO_TO_32 = 4_294_967_296

export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What was written so far: to look at before the next byte is. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  u8(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  u16(value: number): void {
    this.u8(value >>> 8)
    this.u8(value)
  }

  u32(value: number): void {
    this.#room(4)
    writeU32(this.#bytes, this.#length, value)
    this.#length += 4
  }

  /** 48 bits. */
  u48(value: number): void {
    this.u16(Math.floor(value / TWO_TO_32))
    this.u32(value % TWO_TO_32)
  }

  f64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#length, value)
    this.#length += 8
  }

  /** A whole number from 0 to 2^53 − 1, seven bits a byte, the low ones first. */
  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.u8(rest)
  }

  /** Its length and its UTF-8. */
  text(text: string): void {
    const bytes = utf8(text.toWellFormed())
    this.varint(bytes.length)
    this.put(bytes)
  }

  put(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** What was written, as a copy; the writer begins anew. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#length)
    this.#length = 0
    return bytes
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  /** Why and where it failed first. */
  failure: { readonly why: string; readonly at: number } | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** There is more to read, and nothing has failed. */
  get goesOn(): boolean {
    return this.failure === undefined && this.#at < this.#bytes.length
  }

  fail(why: string, at = this.#at): void {
    this.failure ??= { why, at }
  }

  u8(): number {
    return this.#has(1) ? (this.#bytes[this.#at++] as number) : 0
  }

  u16(): number {
    return (this.u8() << 8) | this.u8()
  }

  u32(): number {
    if (!this.#has(4)) return 0
    this.#at += 4
    return readU32(this.#bytes, this.#at - 4)
  }

  u48(): number {
    return this.u16() * TWO_TO_32 + this.u32()
  }

  f64(): number {
    if (!this.#has(8)) return 0
    this.#at += 8
    return this.#view.getFloat64(this.#at - 8)
  }

  /** `most`: what it may be; `what`: what a larger one is called. */
  varint(most: number, what: string): number {
    const from = this.#at
    let value = 0
    let unit = 1
    for (let index = 0; index < 8; index++) {
      const byte = this.u8()
      value += (byte & 0x7f) * unit
      unit *= 0x80
      if (byte >= 0x80) continue
      if (value <= most) return value
      this.fail(`${what} is ${value}; it must be at most ${most}`, from)
      return 0
    }
    this.fail(`${what} has no end`, from)
    return 0
  }

  text(most: number, what: string): string {
    const from = this.#at
    const bytes = this.take(this.varint(most, `the length of ${what}`))
    const text = textOf(bytes)
    if (text === undefined) this.fail(`${what} is no UTF-8`, from)
    return text ?? ''
  }

  /** A view into the bytes, empty where there are not that many. */
  take(length: number): Uint8Array {
    if (!this.#has(length)) return this.#bytes.subarray(0, 0)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  #has(length: number): boolean {
    if (this.failure !== undefined) return false
    if (this.#at + length <= this.#bytes.length) return true
    this.fail(`${length} bytes are to follow and ${this.#bytes.length - this.#at} do`)
    return false
  }
}

/** Characters that are put together at once: engines take so many arguments, and not many more. */
const PIECE = 4_096

/** Undefined for what is no UTF-8 (RFC 3629, section 3). The simulator has no TextDecoder. */
export function textOf(bytes: Uint8Array): string | undefined {
  let text = ''
  let points: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number
    const more =
      first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1
    if (more < 0 || at + more >= bytes.length) return undefined
    let point = more === 0 ? first : first & (0x3f >> more)
    for (let index = 1; index <= more; index++) {
      const byte = bytes[at + index] as number
      if ((byte & 0xc0) !== 0x80) return undefined
      point = point * 64 + (byte & 0x3f)
    }
    const isTooLong = (more === 2 && point < 0x800) || (more === 3 && point < 0x1_0000)
    if (isTooLong || point > 0x10_ffff || (point >= 0xd800 && point < 0xe000)) return undefined
    points.push(point)
    at += more + 1
    if (points.length < PIECE && at < bytes.length) continue
    text += String.fromCodePoint(...points)
    points = []
  }
  return text
}

/** CRC-32 of IEEE 802.3, as gzip and PNG use it. */
export function crc32(...parts: readonly Uint8Array[]): number {
  let crc = 0xffff_ffff
  for (const part of parts)
    for (let at = 0; at < part.length; at++)
      crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (part[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1
  return crc
})
