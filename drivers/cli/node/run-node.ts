/** A node in this process, from its start to its end: what `peertap up` does. */
import { noble } from '../../../core/crypto/noble.ts'
import { UsageError } from '../../../core/errors.ts'
import { peerIdOf } from '../../../core/ids.ts'
import { readConfig } from '../../node/config.ts'
import type { Daemon } from '../../node/daemon.ts'
import { prettyLine } from '../../node/log-pretty.ts'
import { Logs, prettyFor } from '../../node/logs.ts'
import type { LogEntry } from '../../node/messages.ts'
import { type Notifier, notifierOf, watchdogMillis } from '../../node/notify.ts'
import { NodeState } from '../../node/state.ts'
import { EXIT } from '../exit.ts'

/** Where its files are; without a socket it is the configuration's. */
export interface RunPlaces {
  readonly config: string
  readonly state: string
  readonly socket: string | undefined
}

export async function runNode(places: RunPlaces): Promise<void> {
  const config = readConfig(places.config)
  const lines = new Lines()
  const logs = new Logs(config.log, { to: lines })
  const state = NodeState.open(places.state, (level, message) => logs.of('state')[level](message))
  try {
    // Not before: a mistake in the configuration or the state is told at once.
    const { Daemon } = await import('../../node/daemon.ts')
    const daemon = new Daemon(
      {
        configFile: places.config,
        config,
        socket: places.socket ?? config.control.socket,
        files: {
          directory: state.path,
          seed: state.seed,
          book: () => state.book.load(),
          put: (id, record) => state.store(id, record),
          erase: (port) => state.erase(port),
          token: () => state.token(),
          peers: () => state.peers(),
          keepPeers: (peers) => state.keepPeers(peers),
        },
        log: {
          entry: (entry) => write(logs, entry),
          configure: (changed) => logs.configure(changed),
        },
      },
      peerIdOf(noble.signatures.publicKey(state.seed)),
    )
    lines.onLine = (line) => daemon.logged(line)
    await run(daemon, logs)
  } finally {
    await state.close()
  }
}

/** From the start to the end, with whoever manages services told of both. */
async function run(daemon: Daemon, logs: Logs): Promise<void> {
  const manager = notifierOf(process.env)
  let isUp = false
  process.on('SIGHUP', () => reload(daemon, logs, isUp ? manager : undefined))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // Whoever says it twice does not want to wait for goodbyes.
    process.once(signal, () => {
      daemon.stop()
      process.on(signal, () => process.exit(EXIT.failed))
    })
  }
  await daemon.start()
  isUp = true
  manager.ready('the node runs')
  const beat = watchdogMillis(process.env, process.pid)
  // Only a node whose core answers is alive.
  const look = (): void => void daemon.ask('list', []).then(({ ok }) => ok && manager.watchdog())
  const watchdog = beat === undefined ? undefined : setInterval(look, beat)
  const error = await daemon.ended()
  clearInterval(watchdog)
  manager.stopping()
  if (error !== undefined) throw error
}

/** A configuration that is wrong changes nothing, and is told. `manager`: of a node that was ready before. */
function reload(daemon: Daemon, logs: Logs, manager: Notifier | undefined): void {
  manager?.reloading()
  try {
    daemon.reload()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    logs.of('node').error(error.message)
  }
  manager?.ready('the node runs')
}

function write(logs: Logs, { level, module, message, details = {} }: LogEntry): void {
  logs.of(module)[level](details, message)
}

/** Lines of JSON for whoever follows the log, and for people on standard error where that is a terminal. */
class Lines {
  onLine: (line: string) => void = () => undefined
  readonly #pretty = prettyFor(process.stderr.isTTY === true, process.env)

  write(line: string): void {
    this.onLine(line)
    process.stderr.write(this.#pretty === undefined ? line : prettyLine(line, this.#pretty === 'coloured'))
  }
}
