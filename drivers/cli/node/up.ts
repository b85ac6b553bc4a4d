/** `peertap up`: runs the node, in the foreground, until it is told to stop. */

import { noble } from '../../../core/crypto/noble.ts'
import { UsageError } from '../../../core/errors.ts'
import { peerIdOf } from '../../../core/ids.ts'
import { readConfig } from '../../node/config.ts'
import { Daemon } from '../../node/daemon.ts'
import { createLogs } from '../../node/logs.ts'
import { Notifier } from '../../node/notify.ts'
import { placesOf } from '../../node/places.ts'
import { NodeState } from '../../node/state.ts'
import { EXIT } from '../exit.ts'
import type { Verb } from '../flags.ts'
import { SOCKET } from './line.ts'

export const upVerb: Verb = {
  words: ['up'],
  describe: 'Run the node, in the foreground, until it is stopped (by "peertap down", or a signal)',
  flags: {
    config: {
      kind: 'text',
      describe: 'The configuration (default PEERTAP_CONFIG or /etc/peertap/config.json)',
    },
    state: { kind: 'text', describe: 'The state directory (default PEERTAP_STATE or /var/lib/peertap)' },
    socket: SOCKET,
  },
  run: async (given) => {
    const named = { config: given.text('config'), state: given.text('state'), socket: given.text('socket') }
    const places = placesOf(named, process.env)
    const config = readConfig(places.config)
    const logs = createLogs(config.log, process.stderr)
  },
}
