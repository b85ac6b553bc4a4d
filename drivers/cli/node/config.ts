/**
 * `peertap config check` and `peertap config schema`: the configuration of a node, before it runs with it.
 */
import { EXIT, type ExitCode } from '../exit.ts'
import type { Given, Verb } from '../flags.ts'
import { CONFIG_FLAG, JSON_FLAG, placesGiven } from './places.ts'

export const configCheck: Verb = {
  words: ['config', 'check'],
  describe: 'Say all that is wrong with a configuration file; exit code 2 if anything is',
  arguments: [{ name: 'file', describe: 'Instead of the one that a node would read', optional: true }],
  flags: { config: CONFIG_FLAG, json: JSON_FLAG },
  run: check,
}

export const configSchemaVerb: Verb = {
  words: ['config', 'schema'],
  describe: 'Print the JSON Schema of configuration files',
  flags: {},
  run: async () => {
    const { publishedConfigSchema } = await import('../../node/config.ts')
    console.log(JSON.stringify(publishedConfigSchema(), undefined, 2))
    return EXIT.ok
  },
}

async function check(given: Given): Promise<ExitCode> {
  const path = given.optional('file') ?? placesGiven(given).config
  const { checkConfig, readConfig, readConfigText } = await import('../../node/config.ts')
  if (!given.on('json')) {
    readConfig(path)
    console.log(`${path} is all right`)
    return EXIT.ok
  }
  const checked = checkConfig(readConfigText(path))
  const mistakes = checked.ok ? [] : checked.mistakes.map(({ path: at, message }) => ({ path: at, message }))
  console.log(JSON.stringify({ file: path, ok: checked.ok, mistakes }))
  return checked.ok ? EXIT.ok : EXIT.usage
}
