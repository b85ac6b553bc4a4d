/**
 * `peertap init`: makes what a node needs before it starts, and says how to go on. What is there already is
 * kept, so that it may stand in a script.
 */

import { DEFAULT_PLACES } from '../../node/places.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Given, Verb } from '../flags.ts'
import { tableLines } from '../table.ts'
import { CONFIG_FLAG, JSON_FLAG, placesGiven, STATE_FLAG } from './places.ts'

export const nodeInit: Verb = {
  words: ['init'],
  describe: 'Make the key of a node, its state directory and a configuration; what is there is kept',
  flags: {
    config: CONFIG_FLAG,
    state: STATE_FLAG,
    relay: { kind: 'switch', describe: 'Configure a public relay, which others find the mesh by' },
    json: JSON_FLAG,
  },
  examples: [
    ['peertap init', 'as root, for the service'],
    ['peertap init --state ./state --config ./config.json', 'to try it out'],
  ],
  run: init,
}

async function init(given: Given): Promise<ExitCode> {
  const places = placesGiven(given)
  // Loaded here, because no other verb should wait for it.
  const { makeNode } = await import('../../node/make.ts')
  const made = makeNode(places, given.on('relay'))
  if (given.on('json')) {
    console.log(JSON.stringify(made))
    return EXIT.ok
  }
  const how = (isNew: boolean) => (isNew ? 'new' : 'was there, and is kept')
  const rows = [
    ['peer id', made.peer, ''],
    ['state', made.state.path, how(made.state.made)],
    ['configuration', made.config.path, how(made.config.made)],
  ]
  const isOwn = made.state.path !== DEFAULT_PLACES.state || made.config.path !== DEFAULT_PLACES.config
  const next = [
    ...(isOwn
      ? [
          [
            `export PEERTAP_STATE=${made.state.path} PEERTAP_CONFIG=${made.config.path}`,
            'all verbs then find it',
          ],
        ]
      : []),
    ['peertap up', 'run it, as root, for it makes interfaces'],
    [`peertap config check ${made.config.path}`, 'after each change'],
    ['peertap service install', 'have systemd run it'],
    [`peertap backup --state ${made.state.path} FILE`, 'the key is nowhere else'],
  ]
  console.log(tableLines(rows, ['left', 'left', 'left'], 0).join('\n'))
  console.log(`\nHow to go on:\n${tableLines(next, ['left', 'left']).join('\n')}`)
  return EXIT.ok
}
