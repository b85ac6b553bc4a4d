/** `peertap up`: runs the node, in the foreground, until it is told to stop. */
import { noble } from '../../../core/crypto/noble.ts'
import { peerIdOf } from '../../../core/ids.ts'
import { readConfig } from '../../node/config.ts'
import { Daemon } from '../../node/daemon.ts'
import { placesOf } from '../../node/places.ts'
import { NodeState } from '../../node/state.ts'
import { EXIT } from '../exit.ts'
import type { Verb } from '../flags.ts'
import { SOCKET } from './line.ts'

export const upVerb: Verb = {
  words: ['up'],
  describe: 'Run the node, in the foreground, until "peertap down" or a signal stops it',
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
    const state = NodeState.open(places.state, (level, message) => console.error(level, message))
    try {
      const self = peerIdOf(noble.signatures.publicKey(state.seed))
      const daemon: Daemon = new Daemon(
        {
          configFile: places.config,
          config,
          socket: places.socket ?? config.control.socket,
          files: {
            directory: state.path,
            seed: state.seed,
            put: (id, record) => state.store(id, record),
            erase: (port) => state.erase(port),
            token: () => state.token(),
          },
          log: {
            entry: (entry) => {
              const line = `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`
              daemon.logged(line)
              process.stderr.write(line)
            },
            configure: () => undefined,
          },
        },
        self,
      )
      process.on('SIGHUP', () => daemon.reload())
      process.on('SIGTERM', () => daemon.stop())
      process.on('SIGINT', () => daemon.stop())
      await daemon.start()
      const error = await daemon.ended()
      if (error !== undefined) throw error
    } finally {
      await state.close()
    }
    return EXIT.ok
  },
}
