/**
 * A line of the log for people: time, level, part, message, and the rest as `name=value`. What others sent
 * may stand in it, so whatever could steer a terminal is written as an escape.
 */

const COLOURS: Readonly<Record<string, string>> = {
  fatal: '\u001b[41m',
  error: '\u001b[31m',
  warn: '\u001b[33m',
  info: '\u001b[32m',
  debug: '\u001b[36m',
  trace: '\u001b[90m',
}
const PLAIN = '\u001b[0m'
/** The longest names of levels. */
const LEVEL_WIDTH = 5
/** Guess: names of parts are short words. */
const MODULE_WIDTH = 8

/** `json`: a line as pino writes it. Anything else is passed through. */
export function prettyLine(json: string, colours: boolean): string {
  let entry: Record<string, unknown>
  try {
    entry = JSON.parse(json)
  } catch {
    return json
  }
  const { time, level, module, msg, ...rest } = entry
  const label = String(level).toUpperCase().padEnd(LEVEL_WIDTH)
  const painted = colours ? `${COLOURS[String(level)] ?? ''}${label}${PLAIN}` : label
  const fields = Object.entries(rest).map(([name, value]) => `${safe(name)}=${shown(value)}`)
  const words = [
    // The time of the day; the date is known to who sits at a terminal.
    String(time).slice(11, 23),
    painted,
    safe(String(module ?? '')).padEnd(MODULE_WIDTH),
    safe(String(msg ?? '')),
    ...fields,
  ]
  return `${words.join(' ').trimEnd()}\n`
}

function shown(value: unknown): string {
  if (typeof value === 'string') return safe(/^[\w.:/@-]+$/.test(value) ? value : JSON.stringify(value))
  return safe(JSON.stringify(value))
}

/** Control characters, also those of eight bits and those that turn the direction of a text, as escapes. */
function safe(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`
  })
}
