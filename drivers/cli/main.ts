/**
 * The program `peertap`: puts the verbs together and turns what happens into an exit code. It knows of no
 * verb what it does.
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

async function main(words: readonly string[]): Promise<ExitCode> {
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

// Whoever runs a simulation is not asked about the runtime's experiments.
process.removeAllListeners('warning')
// The reader of a pipe may have had enough, as `head` does: that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  process.stderr.write(`standard output cannot be written: ${error.message}; give it room or another place\n`)
  process.exit(2)
})
// Nobody is left who could be told.
process.stderr.on('error', () => {})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.exitCode = reportError(error, asksForJson(process.argv))
}
