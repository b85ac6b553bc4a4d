/**
 * Verbs and their flags: what yargs is told, and how values are read. Checks and messages are our own,
 * because a wrong flag deserves the same care as a wrong scenario.
 */
import type { Argv, CommandModule, Options } from 'yargs'
import { UsageError } from '../../core/errors.ts'
import { decimal, nearestName } from '../../sim/index.ts'
import { EXIT_HELP, type ExitCode } from './exit.ts'

export interface Flag {
  /** `text` takes a value once, `list` may be repeated, `switch` takes none. */
  readonly kind: 'text' | 'list' | 'switch'
  readonly describe: string
}

export interface Verb {
  /** The words that call it, the last one is its own: `['sim', 'run']`. */
  readonly words: readonly string[]
  readonly describe: string
  /** Name and description of what stands after the words; it is required. */
  readonly argument?: { readonly name: string; readonly describe: string }
  readonly flags: Readonly<Record<string, Flag>>
  readonly examples?: readonly (readonly [command: string, what: string])[]
  run(given: Given): Promise<ExitCode>
}

/** What every verb understands. */
const COMMON = ['help', 'h', 'version', '_', '$0']

/** What stands on the command line, checked as it is read. */
export class Given {
  readonly #verb: Verb
  readonly #values: Readonly<Record<string, unknown>>

  constructor(verb: Verb, values: Readonly<Record<string, unknown>>) {
    this.#verb = verb
    this.#values = values
    this.#refuseUnknown()
  }

  /** The verb's argument. */
  argument(): string {
    const { words, argument } = this.#verb
    const name = argument?.name ?? ''
    const value = this.#values[name]
    if (typeof value === 'string' && value !== '') return value
    const command = `peertap ${words.join(' ')}`
    throw new UsageError(`${command}: ${name} is missing; write ${command} ${name.toUpperCase()}`)
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

  /** A whole number within limits. */
  whole(flag: string, min: number, max: number): number | undefined {
    const text = this.text(flag)
    if (text === undefined) return undefined
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new UsageError(
      `--${flag} is "${text}"; it must be a whole number from ${min} to ${max}; write --${flag} ${min}`,
    )
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
    const { words, flags, argument } = this.#verb
    const command = `peertap ${words.join(' ')}`
    const known = Object.keys(flags)
    for (const name of Object.keys(this.#values)) {
      if (known.includes(name) || COMMON.includes(name) || name === argument?.name) continue
      const dashes = name.length === 1 ? '-' : '--'
      throw new UsageError(`${dashes}${name} is no flag of "${command}"; ${flagHint(name, known, command)}`)
    }
    const extra = (this.#values._ as readonly unknown[]).slice(words.length)
    if (extra.length > 0) {
      throw new UsageError(
        `"${extra[0]}" is one argument too many for "${command}"; remove it, or quote what belongs together`,
      )
    }
  }
}

function flagHint(name: string, known: readonly string[], command: string): string {
  const meant = nearestName(name, known)
  return meant === undefined ? `"${command} --help" lists its flags` : `did you mean --${meant}?`
}

function withoutValue(flag: string): UsageError {
  return new UsageError(`--${flag} has no value; write the value after it`)
}

/**
 * What yargs would take without a word, or fall over: it reads every value of a switch but "true" as off,
 * and looks names of flags up in objects that inherit some. `words` are those of the command line; throws
 * UsageError.
 */
export function checkWords(words: readonly string[], verbs: readonly Verb[]): void {
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

/** A verb as yargs takes it; `done` hears the exit code. */
export function commandOf(verb: Verb, done: (code: ExitCode) => void): CommandModule {
  const word = verb.words.at(-1) as string
  const { argument } = verb
  return {
    // Written as optional, so that the message about a missing one is ours.
    command: argument === undefined ? word : `${word} [${argument.name}]`,
    describe: verb.describe,
    builder: (parser) => {
      const usage = ['peertap', ...verb.words, ...(argument ? [argument.name.toUpperCase()] : [])].join(' ')
      const head = `${usage} [flags]\n\n${verb.describe}`
      let built: Argv = parser.usage(head).options(optionsOf(verb)).epilogue(EXIT_HELP)
      if (argument) built = built.positional(argument.name, { describe: argument.describe, type: 'string' })
      for (const [command, what] of verb.examples ?? []) built = built.example(command, what)
      return built
    },
    handler: async (values) => done(await verb.run(new Given(verb, values))),
  }
}

function optionsOf(verb: Verb): Record<string, Options> {
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
