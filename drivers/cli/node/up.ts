/** `peertap up`: runs the node, in the foreground, until it is told to stop. */
import { placesOf } from '../../node/places.ts'
import { EXIT, reportError } from '../exit.ts'
import type { Verb } from '../flags.ts'
import { SOCKET } from './line.ts'
import { CONFIG_FLAG, STATE_FLAG } from './places.ts'

export const upVerb: Verb = {
  words: ['up'],
  describe: 'Run the node, in the foreground, until "peertap down" or a signal stops it',
  flags: { config: CONFIG_FLAG, state: STATE_FLAG, socket: SOCKET },
  run: async (given) => {
    const named = { config: given.text('config'), state: given.text('state'), socket: given.text('socket') }
    // Loaded here alone: the other verbs need not wait for libp2p.
    const { runNode } = await import('./run-node.ts')
    const ending = runNode(placesOf(named, process.env))
    const code = await ending.then(() => EXIT.ok, reportError)
    // All is closed and kept; what libp2p may still wait for, at times for ever, is nobody's concern.
    process.exit(code)
  },
}
