/**
 * `peertap config check` and `peertap config schema`: the configuration of a node, before it runs with it.
 */
import { EXIT, type ExitCode } from '../exit.ts'
import type { Given, Verb } from '../flags.ts'
import { CONFIG_FLAG, JSON_FLAG, placesGiven, STATE_FLAG } from './places.ts'

export const configCheck: Verb = {
  words: ['config', 'check'],
  describe:
    'Say all that is wrong with a configuration file, and what fits no VLAN of the node (exit code 2, 0)',
  arguments: [{ name: 'file', describe: 'Instead of the one that a node would read', optional: true }],
  flags: { config: CONFIG_FLAG, state: STATE_FLAG, json: JSON_FLAG },
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
  const { config, state } = placesGiven(given)
  const path = given.optional('file') ?? config
  const { checkConfig, readConfig, readConfigText } = await import('../../node/config.ts')
  // Beside the file, and no mistake in it: the VLAN may come later.
  const { compareWithState } = await import('../../node/state-remarks.ts')
  if (!given.on('json')) {
    const compared = compareWithState(readConfig(path), state)
    const remarks = compared.ok ? [...compared.unknown, ...compared.remarks] : []
    for (const { message } of remarks) console.log(`${path}: ${message}`)
    if (!compared.ok && given.text('state') !== undefined)
      console.log(`VLANs were not compared: ${compared.why}`)
    console.log(`${path} is all right${remarks.length === 0 ? '' : ' otherwise'}`)
    return EXIT.ok
  }
  const checked = checkConfig(readConfigText(path))
  const mistakes = checked.ok ? [] : checked.mistakes.map(({ path: at, message }) => ({ path: at, message }))
  const compared = checked.ok ? compareWithState(checked.config, state) : undefined
  const found = compared?.ok ? { unknownVlans: compared.unknown, remarks: compared.remarks } : {}
  console.log(JSON.stringify({ file: path, ok: checked.ok, mistakes, ...found }))
  return checked.ok ? EXIT.ok : EXIT.usage
}
