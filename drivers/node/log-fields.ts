/**
 * What of an entry may be written: bytes become their number, and texts under names of secrets are left out.
 * What is public is logged as text, in hex for instance, under a name of its own.
 */

const SECRET_NAME =
  /seed|secret|passphrase|password|token|salt|(?:door|group|init|private|data)_?key|invitation/i
/** An invitation anywhere in a line, also as a QR code has it (core/ledger/invitation.ts). */
const INVITATION = /peertap:[A-Za-z0-9_-]{16,}/gi

const HIDDEN = '[secret]'
/** Deeper parts, longer lists and longer texts are cut. Guesses: entries are for people. */
const DEPTH_MAX = 4
const ITEMS_MAX = 32
const CHARACTERS_MAX = 2_000

/** A copy that may be written. */
export function publicFields(fields: object): Record<string, unknown> {
  return cleaned(fields, DEPTH_MAX) as Record<string, unknown>
}

/** A line without the secrets that stand in texts. */
export function publicLine(line: string): string {
  return line.replace(INVITATION, `peertap:${HIDDEN}`)
}

function cleaned(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'bigint') return `${value}`
  if (typeof value !== 'object' || value === null) return value
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (value instanceof Error)
    return { type: value.name, message: cut(value.message), stack: cut(value.stack ?? '') }
  if (depth === 0) return '[more]'
  if (Array.isArray(value)) {
    const items = value.slice(0, ITEMS_MAX).map((item) => cleaned(item, depth - 1))
    return value.length > ITEMS_MAX ? [...items, `[${value.length - ITEMS_MAX} more]`] : items
  }
  const entries = Object.entries(value instanceof Map ? Object.fromEntries(value) : value)
  const shown = entries.slice(0, ITEMS_MAX).map(([name, part]) => {
    const isText = typeof part === 'string' || (typeof part === 'object' && part !== null)
    return [name, isText && SECRET_NAME.test(name) ? HIDDEN : cleaned(part, depth - 1)]
  })
  return Object.fromEntries(shown)
}

function cut(text: string): string {
  return text.length > CHARACTERS_MAX ? `${text.slice(0, CHARACTERS_MAX)}…` : text
}
