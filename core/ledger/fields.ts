/**
 * Kinds of fields that the ledger's formats share: closed sets of names, labels, ascending lists. Every
 * one has exactly one form in bytes, so that two encodings of one fact cannot differ.
 */
import { PUBLIC_KEY_BYTES } from '../crypto/ports.ts'
import { assert } from '../errors.ts'
import { compareBytes, hex, LABEL_BYTES_MAX, utf8 } from '../ids.ts'
import type { Reader, Writer } from '../wire/cursor.ts'
import { fixed, list, type Schema } from '../wire/schema.ts'

/** Milliseconds of the wall clock since 1970: what people and certificates go by, never timers. */
export type WallMillis = number

/** A date that never comes: the highest that 48 bits hold, in the year 10889. */
export const FOREVER: WallMillis = 281_474_976_710_655

/** Bytes of a fact's id, and so of a serial, which is the id of a Grant. */
export const FACT_ID_BYTES = 16
/** Bytes of an MLS-ID (design, section 2). */
export const MLS_ID_BYTES = 16

export const key = fixed(PUBLIC_KEY_BYTES)
export const factId = fixed(FACT_ID_BYTES)
export const epochId = fixed(MLS_ID_BYTES)

/** One byte that stands for one of the names, by its place; others are refused. */
export function named<Name extends string>(names: readonly Name[]): Schema<Name> {
  return {
    size: () => 1,
    write: (to, value) => {
      const place = names.indexOf(value)
      assert(place >= 0, `'${value}' is none of ${names.join(', ')}`)
      to.u8(place)
    },
    read: (from) => {
      const name = names[from.u8()]
      if (name === undefined) from.fail()
      return name ?? (names[0] as Name)
    },
  }
}

/** Length in one byte, then at most `limit` bytes (limit below 256). */
export function shortBytes(limit: number): Schema<Uint8Array> {
  return {
    size: (value) => 1 + value.length,
    write: (to, value) => {
      assert(value.length <= limit, `a byte string of at most ${limit} was given ${value.length}`)
      to.u8(value.length)
      to.put(value)
    },
    read: (from) => {
      const length = from.u8()
      if (length > limit) from.fail()
      return from.take(length)
    },
  }
}

/** At most `limit` byte strings of one length, strictly ascending: a set has one form. */
export function ascending(item: Schema<Uint8Array>, limit: number): Schema<readonly Uint8Array[]> {
  const all = list(item, limit)
  return {
    size: all.size,
    write: (to: Writer, values) => {
      assert(isAscending(values), 'a set was given that is not strictly ascending')
      all.write(to, values)
    },
    read: (from: Reader) => {
      const values = all.read(from)
      if (!isAscending(values)) from.fail()
      return values
    },
  }
}

/** Whether each is greater than the one before. */
export function isAscending(values: readonly Uint8Array[]): boolean {
  for (let index = 1; index < values.length; index++) {
    if (compareBytes(values[index - 1] as Uint8Array, values[index] as Uint8Array) >= 0) return false
  }
  return true
}

/** A copy in ascending order without repetition: what `ascending` wants. */
export function sortedSet(values: readonly Uint8Array[]): Uint8Array[] {
  const byText = new Map(values.map((value) => [hex(value), value]))
  return [...byText.values()].sort(compareBytes)
}

const labelBytes = shortBytes(LABEL_BYTES_MAX)

/** A VLAN's label: 1 to 63 bytes of UTF-8 in form NFC (sec:N1), length first. */
export const label: Schema<string> = {
  size: (value) => labelBytes.size(utf8(value)),
  write: (to, value) => labelBytes.write(to, utf8(value)),
  read: (from) => {
    const text = readUtf8(labelBytes.read(from))
    if (text === undefined || text === '' || text.normalize('NFC') !== text) from.fail()
    return text ?? ''
  },
}

/** The text of strict UTF-8 (RFC 3629, section 4); undefined for anything else. The core has no TextDecoder. */
export function readUtf8(bytes: Uint8Array): string | undefined {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++] as number
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
    let point = more === 0 ? first : first & (0x3f >> more)
    if (first >= 0x80 && (first < 0xc2 || first > 0xf4)) return undefined
    for (let left = more; left > 0; left--) {
      const next = bytes[at++]
      if (next === undefined || (next & 0xc0) !== 0x80) return undefined
      point = (point << 6) | (next & 0x3f)
    }
    const least = more === 2 ? 0x800 : more === 3 ? 0x1_0000 : 0
    if (point < least || point > 0x10_ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined
    text += String.fromCodePoint(point)
  }
  return text
}
