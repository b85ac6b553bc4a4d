/**
 * What changed between two values of JSON, as a value of JSON: tables of a node are mostly the same from one
 * second to the next. `patched(before, deltaOf(before, after))` is `after`.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

/** How a delta says what to do: the value instead; these parts of an object or a list. */
const SET = '='
const PARTS = '~'
/** Keys that are gone, or how long a list is now. */
const GONE = '-'

/** Undefined: nothing. */
export function deltaOf(before: Json | undefined, after: Json): Json | undefined {
  if (before === after) return undefined
  if (Array.isArray(before) && Array.isArray(after)) return listDelta(before, after)
  if (isObject(before) && isObject(after)) return objectDelta(before, after)
  return { [SET]: after }
}

function listDelta(before: readonly Json[], after: readonly Json[]): Json | undefined {
  const parts: [string, Json][] = []
  for (const [index, value] of after.entries()) {
    const delta = deltaOf(before[index], value)
    if (delta !== undefined) parts.push([String(index), delta])
  }
  if (parts.length === 0 && before.length === after.length) return undefined
  return { [PARTS]: Object.fromEntries(parts), [GONE]: after.length }
}

function objectDelta(before: JsonObject, after: JsonObject): Json | undefined {
  const parts: [string, Json][] = []
  for (const [key, value] of Object.entries(after)) {
    const delta = deltaOf(Object.hasOwn(before, key) ? before[key] : undefined, value)
    if (delta !== undefined) parts.push([key, delta])
  }
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  if (parts.length === 0 && gone.length === 0) return undefined
  return { [PARTS]: Object.fromEntries(parts), [GONE]: gone }
}

/** The value after it; undefined if the delta does not belong to it or is none. */
export function patched(before: Json | undefined, delta: Json): Json | undefined {
  if (!isObject(delta)) return undefined
  if (Object.hasOwn(delta, SET)) return delta[SET]
  const [parts, gone] = [delta[PARTS], delta[GONE]]
  if (!isObject(parts)) return undefined
  if (Array.isArray(before)) return patchedList(before, parts, gone)
  if (!isObject(before) || !Array.isArray(gone)) return undefined
  const entries = new Map(Object.entries(before))
  for (const key of gone) entries.delete(String(key))
  for (const [key, part] of Object.entries(parts)) {
    const value = patched(entries.get(key), part)
    if (value === undefined) return undefined
    entries.set(key, value)
  }
  return Object.fromEntries(entries)
}

function patchedList(before: readonly Json[], parts: JsonObject, length: Json | undefined): Json | undefined {
  const added = Object.keys(parts).length
  // No longer than what is there to fill it.
  if (!isLength(length, before.length + added)) return undefined
  const list: Json[] = []
  for (let index = 0; index < length; index++) {
    const part = Object.hasOwn(parts, String(index)) ? parts[index] : undefined
    const value = part === undefined ? before[index] : patched(before[index], part)
    if (value === undefined) return undefined
    list.push(value)
  }
  return list
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isLength(value: Json | undefined, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
}
