/**
 * `--set path=value`: one place in a scenario is given another value before it is checked.
 */
import { UsageError } from '../../core/errors.ts'
import { pathText } from './explain.ts'
import { readJson } from './json.ts'

export interface Setting {
  /** As it was given: `vlans[0].members=30`. */
  readonly text: string
  readonly path: readonly (string | number)[]
  readonly value: unknown
}

const STEP = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\.(\d+)/y

/** Paths are `nodes.count`, `vlans[0].members` or `vlans.0.members`; values are JSON, or bare text. */
export function parseSetting(text: string): Setting {
  const equals = text.indexOf('=')
  if (equals < 1) throw new UsageError(`--set ${text}: it must be path=value; write --set nodes.count=100`)
  const path = parsePath(text, text.slice(0, equals))
  return { text, path, value: parseValue(text, text.slice(equals + 1)) }
}

function parsePath(text: string, path: string): (string | number)[] {
  const steps: (string | number)[] = []
  let at = 0
  while (at < path.length) {
    STEP.lastIndex = at
    const match = STEP.exec(path)
    const leadingDot = at === 0 && path.startsWith('.')
    if (match === null || leadingDot) {
      throw new UsageError(
        `--set ${text}: "${path}" is no path; write keys with dots and numbers in brackets: vlans[0].members`,
      )
    }
    steps.push(match[1] ?? Number(match[2] ?? match[3]))
    at = STEP.lastIndex
  }
  return steps
}

/**
 * JSON if it is JSON, and the words themselves if not: `--set churn.preset=kad-2007` needs no quotes. What
 * begins like a part of JSON that encloses others was meant to be JSON.
 */
function parseValue(setting: string, text: string): unknown {
  const json = readJson(text)
  if (json.ok) return json.value
  if (!/^\s*[[{"]/.test(text) && !isJson(text)) return text
  const { line, column, message } = json.mistake
  const place = line === 1 ? `column ${column}` : `line ${line}, column ${column}`
  throw new UsageError(`--set ${setting}: ${place} of the value: ${message}`)
}

/** Whether the engine takes it, though `readJson` had something against it. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Changes `scenario` in place. Objects on the way are made; entries of lists must exist or be the next. */
export function applySetting(scenario: unknown, setting: Setting): void {
  const { path } = setting
  let here = scenario
  for (const [index, step] of path.entries()) {
    const holder = holderOf(here, step, path.slice(0, index), setting)
    const last = index === path.length - 1
    // Defining, not assigning: the key may be any word, __proto__ included.
    const current = Object.hasOwn(holder, step) ? holder[step] : undefined
    const next = last ? setting.value : (current ?? (typeof path[index + 1] === 'number' ? [] : {}))
    Object.defineProperty(holder, step, { value: next, writable: true, enumerable: true, configurable: true })
    here = next
  }
}

function holderOf(
  here: unknown,
  step: string | number,
  path: readonly (string | number)[],
  setting: Setting,
): Record<PropertyKey, unknown> {
  const where = pathText(path)
  if (typeof here !== 'object' || here === null) {
    throw new UsageError(
      `--set ${setting.text}: ${where} is ${JSON.stringify(here)}, which has no parts; set it whole`,
    )
  }
  if (Array.isArray(here) !== (typeof step === 'number')) {
    const mend = Array.isArray(here)
      ? 'it is a list: name an entry by its number in brackets'
      : 'it is no list: name a key'
    throw new UsageError(`--set ${setting.text}: ${where} has no "${step}"; ${mend}`)
  }
  if (Array.isArray(here) && (step as number) > here.length) {
    throw new UsageError(
      `--set ${setting.text}: ${where} has no entry ${step}; it has ${here.length}, ` +
        `so that ${here.length} would be the next`,
    )
  }
  return here as unknown as Record<PropertyKey, unknown>
}
