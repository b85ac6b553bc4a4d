/**
 * A mistake in a data file, and the small readers of lines and numbers that find it. Readers here take
 * text, already decompressed; where it came from is the caller's matter, `source` is its name.
 */
import { UsageError } from '../../core/errors.ts'

/** Names the source, the place in it, what was found, the rule and the mend. */
export class DataError extends UsageError {
  readonly source: string
  /** `line 12`, or a path such as `links[3].source_tq`. */
  readonly place: string

  constructor(source: string, place: string, what: string) {
    super(`${source} ${place}: ${what}`)
    this.source = source
    this.place = place
  }
}

/** One line of a file, for messages. */
export interface Place {
  readonly source: string
  /** From 1. */
  readonly line: number
}

export function refuse(place: Place, what: string): never {
  throw new DataError(place.source, `line ${place.line}`, what)
}

/** The lines that hold more than blanks, split at blanks, each with its number. */
export function* rows(text: string, separator = /\s+/): Generator<{ line: number; fields: string[] }> {
  let line = 0
  for (const content of text.split('\n')) {
    line++
    const trimmed = content.trim()
    if (trimmed !== '') yield { line, fields: trimmed.split(separator) }
  }
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** A finite decimal number, or undefined: `Number` alone would also take "", "0x10" and "Infinity". */
export function decimal(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

/** A number of at least zero; `what` names it in the message: `on-interval 3`. */
export function atLeastZero(text: string | undefined, what: string, place: Place): number {
  const value = text === undefined ? undefined : decimal(text)
  if (value === undefined) {
    refuse(place, `${what} is ${shown(text)}; it must be a decimal number; mend or remove the line`)
  }
  if (value < 0) refuse(place, `${what} is ${text}; it must not be negative; mend or remove the line`)
  return value
}

/** A whole number of at least zero. */
export function count(text: string | undefined, what: string, place: Place): number {
  const value = atLeastZero(text, what, place)
  if (!Number.isSafeInteger(value)) {
    refuse(place, `${what} is ${text}; it must be a whole number; mend or remove the line`)
  }
  return value
}

/** Found text for a message: quoted and cut, or `missing`. */
export function shown(text: string | undefined): string {
  if (text === undefined) return 'missing'
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
