/**
 * `peertap sim schema`: the JSON Schema of scenario files, as it lies in scenarios/schema.json.
 */
import { publishedSchema } from '../../sim/index.ts'
import { EXIT } from './exit.ts'
import type { Verb } from './flags.ts'

export const simSchema: Verb = {
  words: ['sim', 'schema'],
  describe: 'Print the JSON Schema of scenario files',
  flags: {},
  run: async () => {
    console.log(JSON.stringify(publishedSchema(), undefined, 2))
    return EXIT.ok
  },
}
