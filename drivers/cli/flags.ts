/**
 * Verbs and their flags: what yargs is told, and how values are read. Checks and messages are our own,
 * because a wrong flag deserves the same care as a wrong scenario.
 */
import yargs, { type Argv, type CommandModule, type Options, type ParserConfigurationOptions } from 'yargs'
import { UsageError } from '../../core/errors.ts'
import { decimal, nearestName } from '../../sim/reading.ts'
import { type ExitCode, exitHelp } from './exit.ts'

export interface Flag {
  /** `text` takes a value once, `list` may be repeated, `switch` takes none. */
  readonly kind: 'text' | 'list' | 'switch'
  readonly describe: string
}

export interface Argument {
  readonly name: string
  readonly describe: string
  /** It may be left out; only the last ones may. */
  readonly optional?: boolean
  /** What it may be, for completion; the verb checks it. */
  readonly choices?: readonly string[]
}

/** How a verb is written. */
export interface Wording {
  /** What stands before its words; by default the program's name. */
  readonly before?: string
  /** The words that call it, the last one is its own: `['sim', 'run']`. */
  readonly words: readonly string[]
  readonly describe: string
  /** What stands after the words, in this order. */
  readonly arguments?: readonly Argument[]
  readonly flags: Readonly<Record<string, Flag>>
  readonly examples?: readonly (readonly [command: string, what: string])[]
}

export interface Verb extends Wording {
  run(given: Given): Promise<ExitCode>
}

/** Values are read here, where it is said what is wrong with them. */
export const PARSING: Partial<ParserConfigurationOptions> = {
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
}

/** What every verb understands. */
const COMMON = ['help', 'h', 'version', '_', '$0']

/** What stands on the command line, checked as it is read. */
export class Given {
  readonly #verb: Wording
  readonly #values: Readonly<Record<string, unknown>>

  constructor(verb: Wording, values: Readonly<Record<string, unknown>>) {
    this.#verb = verb
    this.#values = values
    this.#refuseUnknown()
  }

  argument(name: string): string {
    const value = this.#values[name]
    if (typeof value === 'string' && value !== '') return value
    throw missing(this.#verb, name)
  }

  /** An argument that may be left out. */
  optional(name: string): string | undefined {
    const value = this.#values[name]
    return value === undefined ? undefined : this.argument(name)
  }

  on(flag: string): boolean {
    return this.#values[flag] === true
  }

  text(flag: string): string | undefined {
    const value = this.#values[flag]
    if (Array.isArray(value)) throw new UsageError(`--${flag} is given ${value.length} times; give it once`)
    if (value === '') throw withoutValue(flag)
    return typeof value === 'string' ? value : undefined
  }

  list(flag: string): string[] {
    const value = this.#values[flag]
    if (value === undefined) return []
    const list = (Array.isArray(value) ? value : [value]).map(String)
    if (list.length === 0 || list.includes('')) throw withoutValue(flag)
    return list
  }

  /** Of a flag that may stand without a value: an empty list then, and undefined without the flag. */
  listOrAlone(flag: string): string[] | undefined {
    const value = this.#values[flag]
    if (value === undefined) return undefined
    return Array.isArray(value) && value.length === 0 ? [] : this.list(flag)
  }

  /** Whether it was given at all. */
  has(name: string): boolean {
    return this.#values[name] !== undefined
  }

  /** One of a closed set; the first of them if none is given. */
  choice<Name extends string>(flag: string, names: readonly [Name, ...Name[]]): Name {
    const text = this.text(flag) ?? names[0]
    const name = names.find((each) => each === text)
    if (name !== undefined) return name
    throw new UsageError(
      `--${flag} is "${text}"; it is one of ${names.join(', ')}; write --${flag} ${names[0]}`,
    )
  }

  /** A whole number within limits. */
  whole(flag: string, min: number, max: number, mend = `write --${flag} ${min}`): number | undefined {
    const text = this.text(flag)
    if (text === undefined) return undefined
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new UsageError(`--${flag} is "${text}"; it must be a whole number from ${min} to ${max}; ${mend}`)
  }

  /** A number above zero. */
  positive(flag: string): number | undefined {
    const text = this.text(flag)
    if (text === undefined) return undefined
    const value = decimal(text) ?? 0
    if (value > 0) return value
    throw new UsageError(`--${flag} is "${text}"; it must be a number above 0; write --${flag} 60`)
  }

  #refuseUnknown(): void {
    const { words, flags, arguments: list = [] } = this.#verb
    const command = commandWords(this.#verb)
    const known = Object.keys(flags)
    for (const name of Object.keys(this.#values)) {
      if (known.includes(name) || COMMON.includes(name) || list.some((each) => each.name === name)) continue
      const dashes = name.length === 1 ? '-' : '--'
      const [wanted] = list.filter((each) => this.#values[each.name] === undefined)
      const mend = wanted === undefined ? flagHint(name, known, command) : dashHint(wanted, known, name)
      throw new UsageError(`${dashes}${name} is no flag of "${command}"; ${mend}`)
    }
    const extra = (this.#values._ as readonly unknown[]).slice(words.length)
    if (extra.length > 0) {
      throw new UsageError(
        `"${extra[0]}" is one argument too many for "${command}"; remove it, or quote what belongs together`,
      )
    }
  }
}

function commandWords({ before = 'peertap', words }: Wording): string {
  return [before, ...words].join(' ')
}

/** `peertap sim run SCENARIO`. */
function usageOf(verb: Wording): string {
  const names = (verb.arguments ?? []).map(({ name, optional }) => {
    return optional === true ? `[${name.toUpperCase()}]` : name.toUpperCase()
  })
  return [commandWords(verb), ...names].join(' ')
}

function missing(verb: Wording, name: string): UsageError {
  return new UsageError(`${commandWords(verb)}: ${name} is missing; write ${usageOf(verb)}`)
}

/** What is given by words that follow those of the verb, where no program begins with them. */
export function givenBy(verb: Wording, words: readonly string[]): Given {
  checkWords(words, [verb])
  const { _: standing, ...values } = yargs([...words])
    .parserConfiguration(PARSING)
    .options(optionsOf(verb))
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(`${message}; write ${usageOf(verb)}`)
    })
    .parseSync()
  const list = verb.arguments ?? []
  const named = list.map(({ name }, index) => [name, standing[index]] as const)
  return new Given(verb, {
    ...values,
    ...Object.fromEntries(named),
    _: [...verb.words, ...standing.slice(list.length)],
  })
}

function flagHint(name: string, known: readonly string[], command: string): string {
  const meant = nearestName(name, known)
  return meant === undefined ? `"${command} --help" lists its flags` : `did you mean --${meant}?`
}

/** It may have been meant for what is missing. */
function dashHint({ name }: Argument, known: readonly string[], flag: string): string {
  const meant = nearestName(flag, known)
  const hint = meant === undefined ? '' : `did you mean --${meant}? `
  return `${hint}a ${name} that begins with a dash stands after --, with all that follows it`
}

function withoutValue(flag: string): UsageError {
  return new UsageError(`--${flag} has no value; write the value after it`)
}

/**
 * What yargs would take without a word, or fall over: it reads every value of a switch but "true" as off,
 * and looks names of flags up in objects that inherit some. `words` are those of the command line; throws
 * UsageError.
 */
export function checkWords(words: readonly string[], verbs: readonly Wording[]): void {
  const switches = new Set(['help', 'h', 'version'])
  for (const { flags } of verbs)
    for (const [name, { kind }] of Object.entries(flags)) if (kind === 'switch') switches.add(name)
  for (const word of words) {
    if (word === '--') return
    const [, dashes, name = '', value] = /^(--?)([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    if (name in Object.prototype) {
      throw new UsageError(`${dashes}${name} is no flag of "peertap"; "peertap --help" lists its verbs`)
    }
    if (value === undefined || value === 'true' || value === 'false' || !switches.has(name)) continue
    throw new UsageError(
      `${dashes}${name} is "${value}"; it takes no value, or true or false; write ${dashes}${name} alone`,
    )
  }
}

/** Whether the answer is for a program, whatever else may be wrong with the words. */
export function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return words
    .slice(0, end < 0 ? words.length : end)
    .some((word) => word === '--json' || word === '--json=true')
}

/** A verb as yargs takes it; `done` hears the exit code. */
export function commandOf(verb: Verb, done: (code: ExitCode) => void): CommandModule {
  const word = verb.words.at(-1) as string
  const list = verb.arguments ?? []
  return {
    command: [word, ...list.map(({ name, optional }) => (optional ? `[${name}]` : `<${name}>`))].join(' '),
    describe: verb.describe,
    builder: (parser) => {
      const head = `${usageOf(verb)} [flags]\n\n${verb.describe}`
      let built: Argv = parser
        .usage(head)
        .options(optionsOf(verb))
        .epilogue(exitHelp(verb.words[0] as string))
      for (const { name, describe } of list) built = built.positional(name, { describe, type: 'string' })
      for (const [command, what] of verb.examples ?? []) built = built.example(command, what)
      return built.fail((message, error) => {
        // The words of yargs do not say which one is missing.
        const [, count] = error === undefined ? (/^Not enough .*: got (\d+),/.exec(message) ?? []) : []
        if (count !== undefined) throw missing(verb, list[Number(count)]?.name ?? 'an argument')
      })
    },
    handler: async (values) => done(await verb.run(new Given(verb, values))),
  }
}

function optionsOf(verb: Wording): Record<string, Options> {
  return Object.fromEntries(
    Object.entries(verb.flags).map(([name, { kind, describe }]): [string, Options] => [
      name,
      kind === 'switch'
        ? { type: 'boolean', describe }
        : { type: 'string', array: kind === 'list', describe },
    ]),
  )
}

/** For the words before a verb, when no verb followed that is known. */
export function unknownVerb(
  words: readonly string[],
  given: readonly unknown[],
  verbs: readonly string[],
): UsageError {
  const command = ['peertap', ...words].join(' ')
  const found = given[words.length]
  if (found === undefined)
    return new UsageError(`${command}: say what to do: ${verbs.join(', ')}; see ${command} --help`)
  const meant = nearestName(String(found), verbs)
  const mend =
    meant === undefined ? `it is one of ${verbs.join(', ')}` : `did you mean "${command} ${meant}"?`
  return new UsageError(`"${found}" is no verb of "${command}"; ${mend}`)
}
