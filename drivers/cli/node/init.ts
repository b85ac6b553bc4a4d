/**
 * `peertap init`: makes what a node needs before it starts, and says how to go on. What is there already is
 * kept, so that it may stand in a script.
 */

import { UsageError } from '../../../core/errors.ts'
import type { MadeNode } from '../../node/make.ts'
import type { OwnContact } from '../../node/own-contacts.ts'
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
  const contacts = await contactsOf(made)
  if (given.on('json')) {
    const texts = contacts.ok ? contacts.value.map(({ text }) => text) : []
    console.log(JSON.stringify({ ...made, contacts: texts }))
    return EXIT.ok
  }
  const how = (isNew: boolean) => (isNew ? 'new' : 'was there, and is kept')
  const rows = [
    ['peer id', made.peer, ''],
    ['state', made.state.path, how(made.state.made)],
    ['configuration', made.config.path, how(made.config.made)],
  ]
  console.log(tableLines(rows, ['left', 'left', 'left'], 0).join('\n'))
  console.log(`\n${contactLines(contacts, made.config.path).join('\n')}`)
  console.log(`\nHow to go on:\n${tableLines(nextSteps(made), ['left', 'left']).join('\n')}`)
  return EXIT.ok
}

type Contacts = { readonly ok: true; readonly value: readonly OwnContact[] } | { readonly ok: false }

/** A configuration that was there may be wrong: what was asked for is done all the same. */
async function contactsOf({ peer, config }: MadeNode): Promise<Contacts> {
  const [{ readConfig }, { ownContacts }] = await Promise.all([
    import('../../node/config.ts'),
    import('../../node/own-contacts.ts'),
  ])
  try {
    return { ok: true, value: ownContacts(readConfig(config.path), peer) }
  } catch (error) {
    if (error instanceof UsageError) return { ok: false }
    throw error
  }
}

function contactLines(contacts: Contacts, config: string): string[] {
  if (!contacts.ok) return [`${config} is wrong, so that it is not known where others may dial this node`]
  const texts = contacts.value.map(({ text }) => `  ${text}`)
  const announced = `write what they dial under "announce" in ${config}`
  if (texts.length === 0)
    return [`No address is known that others could dial: this machine has none; ${announced}`]
  const lines = ['What others write under "bootstrap" to find this node, one of:', ...texts]
  if (!contacts.value.some(({ isPublic }) => isPublic))
    lines.push(`These lead here from the same network; for those beyond it, ${announced}`)
  return lines
}

function nextSteps({ state, config }: MadeNode): string[][] {
  const isOwn = state.path !== DEFAULT_PLACES.state || config.path !== DEFAULT_PLACES.config
  const variables = `export PEERTAP_STATE=${state.path} PEERTAP_CONFIG=${config.path}`
  return [
    ...(isOwn ? [[variables, 'all verbs then find it']] : []),
    ['peertap up', 'run it, as root, for it makes interfaces'],
    [`peertap config check ${config.path}`, 'after each change'],
    ['peertap service install', 'have systemd run it'],
    [`peertap backup --state ${state.path} FILE`, 'the key is nowhere else'],
  ]
}
