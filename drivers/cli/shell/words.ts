/**
 * A line of the shell as words: quotes keep what belongs together, `$name` stands for what was set before,
 * `#` begins a comment. It knows no command.
 */
import { UsageError } from '../../../core/errors.ts'
import { nearestName } from '../../../sim/index.ts'

/** The longest invitation has 8,192 characters; quoted and with a command around it. */
const LINE_CHARACTERS_MAX = 16_384

export interface ShellLine {
  /** `$url = ...`: the variable that takes the answer. */
  readonly assigns: string | undefined
  readonly words: readonly string[]
  /** `... &`: not waited for. */
  readonly isLeftAlone: boolean
}

const NAME = String.raw`[A-Za-z]\w*`
const ASSIGNS = new RegExp(String.raw`^\s*\$(${NAME})\s*=`)
/** `$url`, and `$url.2` for the second of several. */
const VARIABLE = new RegExp(String.raw`\$(${NAME}(?:\.\d+)?)`, 'y')
const BARE = /[^\s'"$]+/y
const QUOTES = { "'": /'([^']*)'/y, '"': /"([^"]*)"/y } as const

/** Undefined for a line without words. A UsageError names the column. */
export function readLine(text: string, variables: ReadonlyMap<string, string>): ShellLine | undefined {
  if (text.length > LINE_CHARACTERS_MAX)
    throw new UsageError(
      `a line of ${text.length} characters; it may have ${LINE_CHARACTERS_MAX}: shorten it`,
    )
  const assigns = ASSIGNS.exec(text)
  const words = split(text, assigns?.[0].length ?? 0, variables)
  const isLeftAlone = words.at(-1) === '&'
  if (isLeftAlone) words.pop()
  if (words.length > 0) return { assigns: assigns?.[1], words, isLeftAlone }
  if (assigns === null && !isLeftAlone) return undefined
  throw new UsageError('there is no command on this line; write one, as in: $url = node3 vlan invite home')
}

function split(text: string, from: number, variables: ReadonlyMap<string, string>): string[] {
  const words: string[] = []
  let at = from
  while (at < text.length) {
    if (/\s/.test(text[at] as string)) at += 1
    else if (text[at] === '#') break
    else {
      const { word, next } = wordAt(text, at, variables)
      words.push(word)
      at = next
    }
  }
  return words
}

function wordAt(
  text: string,
  from: number,
  variables: ReadonlyMap<string, string>,
): { readonly word: string; readonly next: number } {
  let word = ''
  let at = from
  while (at < text.length && !/\s/.test(text[at] as string)) {
    const sign = text[at]
    if (sign === "'" || sign === '"') {
      const quoted = matchAt(QUOTES[sign], text, at)
      if (quoted === undefined)
        throw new UsageError(`column ${at + 1}: the quote ${sign} is never closed; close it, or leave it out`)
      const [whole, inside = ''] = quoted
      word +=
        sign === "'"
          ? inside
          : inside.replace(new RegExp(VARIABLE.source, 'g'), (_, name) => variableAt(name, at, variables))
      at += whole.length
    } else if (sign === '$') {
      const [whole, name = ''] = matchAt(VARIABLE, text, at) ?? []
      if (whole === undefined)
        throw new UsageError(`column ${at + 1}: a name must follow $; write $url, or '$' in quotes`)
      word += variableAt(name, at, variables)
      at += whole.length
    } else {
      const [bare = ''] = matchAt(BARE, text, at) ?? []
      word += bare
      at += bare.length
    }
  }
  return { word, next: at }
}

function variableAt(name: string, at: number, variables: ReadonlyMap<string, string>): string {
  const value = variables.get(name)
  if (value !== undefined) return value
  const meant = nearestName(name, [...variables.keys()])
  const mend = meant === undefined ? `set it before: $${name} = COMMAND` : `did you mean $${meant}?`
  throw new UsageError(`column ${at + 1}: $${name} is not set; ${mend}`)
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(text) ?? undefined
}
