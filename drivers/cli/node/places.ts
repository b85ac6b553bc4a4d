/**
 * Flags that name the places of a node, and how they are read.
 */
import { PLACE_VARIABLES, type Places, placesOf } from '../../node/places.ts'
import type { Flag, Given } from '../flags.ts'

export const CONFIG_FLAG: Flag = {
  kind: 'text',
  describe: `Configuration file, also by ${PLACE_VARIABLES.config} [default: /etc/peertap/config.json]`,
}
export const STATE_FLAG: Flag = {
  kind: 'text',
  describe: `State directory, also by ${PLACE_VARIABLES.state} [default: /var/lib/peertap]`,
}
export const JSON_FLAG: Flag = {
  kind: 'switch',
  describe: 'Print one JSON object and nothing else; of a failure { "error": { "code", "message" } }',
}

/** Absolute paths; a flag that the verb does not have is not given. */
export function placesGiven(given: Given): Pick<Places, 'config' | 'state'> {
  return placesOf({ config: given.text('config'), state: given.text('state') }, process.env)
}
