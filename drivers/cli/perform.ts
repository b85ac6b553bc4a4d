/**
 * The program without its process: words in, what is done and said, and an exit code out. It puts the verbs
 * together and knows of none what it does.
 */
import yargs from 'yargs'
import { UsageError } from '../../core/errors.ts'
import { version } from '../program.ts'
import { EXIT, type ExitCode, exitHelp, reportError } from './exit.ts'
import { asksForJson, checkWords, commandOf, PARSING, unknownVerb } from './flags.ts'
import { WIDTH } from './table.ts'
import { GROUPS, verbsFor } from './verbs.ts'

/** In yargs 18, not yet in its types. */
declare module 'yargs' {
  interface Argv<T> {
    usageConfiguration(configuration: { readonly 'hide-types': boolean }): Argv<T>
  }
}

/** Never throws: what goes wrong is said, in words or as JSON, and has its exit code. */
export async function perform(words: readonly string[]): Promise<ExitCode> {
  try {
    return await parse(words)
  } catch (error) {
    return reportError(error, asksForJson(words))
  }
}

async function parse(words: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok
  const all = await verbsFor(words[0])
  checkWords(words, all)
  const parser = yargs([...words])
    .scriptName('peertap')
    .usage('peertap VERB [flags]\n\nA decentralised Ethernet, and the laboratory it is tested in')
    .locale('en')
    .parserConfiguration(PARSING)
    .version(version())
    .help()
    .alias('h', 'help')
    .usageConfiguration({ 'hide-types': true })
    .wrap(WIDTH)
    .epilogue(exitHelp())
    .exitProcess(false)
    .fail((message, error) => {
      // What yargs itself objects to is the user's mistake.
      if (error === undefined || error.name === 'YError')
        throw new UsageError(`${message}; see peertap --help`)
      throw error
    })
  const done = (result: ExitCode) => {
    code = result
  }
  for (const verb of all.filter((each) => each.words.length === 1)) parser.command(commandOf(verb, done))
  for (const [word, describe] of Object.entries(GROUPS)) {
    const verbs = all.filter(({ words: known }) => known.length > 1 && known[0] === word)
    if (verbs.length === 0) continue
    parser.command({
      command: word,
      describe,
      builder: (group) => {
        for (const verb of verbs) group.command(commandOf(verb, done))
        return group.usage(`peertap ${word} VERB [flags]\n\n${describe}`).epilogue(exitHelp(word))
      },
      handler: ({ _: given }) => {
        throw unknownVerb(
          [word],
          given,
          verbs.map((verb) => verb.words.at(-1) as string),
        )
      },
    })
  }
  parser.command({
    command: '$0',
    describe: false,
    handler: ({ _: given }) => {
      throw unknownVerb([], given, [...new Set(all.map(({ words: [first] }) => first as string))])
    },
  })
  await parser.parseAsync()
  return code
}
