/**
 * Control messages as schema objects over one cursor: the field list is the format, in both
 * directions. Every list and byte string carries its maximum; decoding is strict about trailing bytes
 * and about flags that have no meaning. For the data path see packet.ts: fixed offsets, no objects.
 */
import { assert } from '../errors.ts'
import { Reader, Writer } from './cursor.ts'
import { CONTROL_VERSION_TYPE, type Kind } from './kinds.ts'

export interface Schema<T> {
  size(value: T): number
  write(to: Writer, value: T): void
  read(from: Reader): T
}

export type Decoded<S> = S extends Schema<infer T> ? T : never

export const u8: Schema<number> = {
  size: () => 1,
  write: (to, value) => to.u8(value),
  read: (from) => from.u8(),
}
export const u16: Schema<number> = {
  size: () => 2,
  write: (to, value) => to.u16(value),
  read: (from) => from.u16(),
}
export const u32: Schema<number> = {
  size: () => 4,
  write: (to, value) => to.u32(value),
  read: (from) => from.u32(),
}
export const u48: Schema<number> = {
  size: () => 6,
  write: (to, value) => to.u48(value),
  read: (from) => from.u48(),
}

/** One byte, 0 or 1; anything else is refused. */
export const flag: Schema<boolean> = {
  size: () => 1,
  write: (to, value) => to.u8(value ? 1 : 0),
  read: (from) => {
    const value = from.u8()
    if (value > 1) from.fail()
    return value === 1
  },
}

/** Exactly `length` bytes. Reading gives a view of the input. */
export function fixed(length: number): Schema<Uint8Array> {
  return {
    size: () => length,
    write: (to, value) => {
      assert(value.length === length, `a field of ${length} bytes was given ${value.length}`)
      to.put(value)
    },
    read: (from) => from.take(length),
  }
}

/** A byte string of at most `limit` bytes (limit below 65,536), length first. */
export function bytes(limit: number): Schema<Uint8Array> {
  return {
    size: (value) => 2 + value.length,
    write: (to, value) => {
      assert(value.length <= limit, `a byte string of at most ${limit} was given ${value.length}`)
      to.u16(value.length)
      to.put(value)
    },
    read: (from) => {
      const length = from.u16()
      if (length > limit) from.fail()
      return from.take(length)
    },
  }
}

/** At most `limit` items, count first (one byte up to 255, else two). */
export function list<T>(item: Schema<T>, limit: number): Schema<readonly T[]> {
  const wide = limit > 255
  return {
    size: (values) => {
      let total = wide ? 2 : 1
      for (const value of values) total += item.size(value)
      return total
    },
    write: (to, values) => {
      assert(values.length <= limit, `a list of at most ${limit} was given ${values.length}`)
      if (wide) to.u16(values.length)
      else to.u8(values.length)
      for (const value of values) item.write(to, value)
    },
    read: (from) => {
      const count = wide ? from.u16() : from.u8()
      if (count > limit) from.fail()
      const values: T[] = []
      for (let index = 0; index < count && !from.failed; index++) values.push(item.read(from))
      return values
    },
  }
}

/** A presence flag, then the value. */
export function optional<T>(item: Schema<T>): Schema<T | undefined> {
  return {
    size: (value) => 1 + (value === undefined ? 0 : item.size(value)),
    write: (to, value) => {
      flag.write(to, value !== undefined)
      if (value !== undefined) item.write(to, value)
    },
    read: (from) => (flag.read(from) ? item.read(from) : undefined),
  }
}

type Fields = Record<string, Schema<never> | Schema<unknown>>
// biome-ignore lint/suspicious/noExplicitAny: a field may have any type; Decoded recovers it.
type AnyFields = Record<string, Schema<any>>
type Struct<F extends Fields> = { readonly [K in keyof F]: Decoded<F[K]> }

/** Fields in the order written. */
export function struct<F extends AnyFields>(fields: F): Schema<Struct<F>> {
  const entries = Object.entries(fields)
  return {
    size: (value) => {
      let total = 0
      for (const [name, schema] of entries) total += schema.size(value[name as keyof F])
      return total
    },
    write: (to, value) => {
      for (const [name, schema] of entries) schema.write(to, value[name as keyof F])
    },
    read: (from) => {
      const value: Record<string, unknown> = {}
      for (const [name, schema] of entries) value[name] = schema.read(from)
      return value as Struct<F>
    },
  }
}

/** A whole control packet: version and type, kind, body. */
export function encodeControl<T>(kind: Kind, schema: Schema<T>, value: T): Uint8Array {
  const to = new Writer(2 + schema.size(value))
  to.u8(CONTROL_VERSION_TYPE)
  to.u8(kind)
  schema.write(to, value)
  return to.bytes
}

/** The body of a control packet whose kind is known; undefined if it is not exactly of the schema's form. */
export function decodeControl<T>(schema: Schema<T>, packet: Uint8Array): T | undefined {
  const from = new Reader(packet, 2)
  const value = schema.read(from)
  return from.finished ? value : undefined
}

export function encode<T>(schema: Schema<T>, value: T): Uint8Array {
  const to = new Writer(schema.size(value))
  schema.write(to, value)
  return to.bytes
}

export function decode<T>(schema: Schema<T>, packet: Uint8Array): T | undefined {
  const from = new Reader(packet)
  const value = schema.read(from)
  return from.finished ? value : undefined
}
