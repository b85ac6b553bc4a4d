/**
 * The log of a node, through pino: one line of JSON for each entry, or a line for people. Each part of the
 * node has a logger of its own, whose level can be changed while it runs. Secrets are left out
 * (log-fields.ts).
 */
import { type DestinationStream, type Logger, pino } from 'pino'
import type { LogConfig } from './config.ts'
import { publicFields, publicLine } from './log-fields.ts'
import { prettyLine } from './log-pretty.ts'

/** What a part of the node sees of the log: `log.warn({ peer }, 'what happened')`. */
export type Log = Pick<
  Logger,
  'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'isLevelEnabled' | 'level'
>

/** Entries that wait for whoever reads them; what is more is lost, since a node must not wait for a log. */
const WAITING_BYTES_MAX = 1_048_576

export interface LogOptions {
  /** Where lines go: a file descriptor, by default standard error, or what takes them. */
  readonly to?: number | { write(line: string): void }
  /** Lines for people instead of JSON, with colours if wanted. */
  readonly pretty?: 'plain' | 'coloured' | undefined
}

export class Logs {
  readonly #root: Logger
  readonly #modules = new Map<string, Logger>()
  readonly #flush: () => void
  #config: LogConfig

  constructor(config: LogConfig, { to = 2, pretty }: LogOptions = {}) {
    this.#config = config
    const [stream, flush] = streamOf(to)
    this.#flush = flush
    const write = pretty === undefined ? stream : prettied(stream, pretty === 'coloured')
    this.#root = pino(
      {
        level: 'trace',
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (level) => ({ level }), log: publicFields },
        // Errors were made plain already.
        serializers: { err: (value: unknown) => value },
        hooks: { streamWrite: publicLine },
      },
      write,
    )
  }

  /** Whether the reason of every dropped frame is wanted. */
  get trace(): boolean {
    return this.#config.trace
  }

  /** The logger of a part of the node; `module` is a name from the code. */
  of(module: string): Log {
    const known = this.#modules.get(module)
    if (known !== undefined) return known
    const logger = this.#root.child({ module }, { level: this.#levelOf(module) })
    this.#modules.set(module, logger)
    return logger
  }

  /** Other levels from now on, for loggers that were handed out too. */
  configure(config: LogConfig): void {
    this.#config = config
    for (const [module, logger] of this.#modules) logger.level = this.#levelOf(module)
  }

  /** Writes what waits: to be called before the process ends. */
  flush(): void {
    this.#flush()
  }

  #levelOf(module: string): string {
    const { modules, level } = this.#config
    return Object.hasOwn(modules, module) ? (modules[module] as string) : level
  }
}

/** Lines for people where a terminal reads them; NO_COLOR as no-color.org says. */
export function prettyFor(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): LogOptions['pretty'] {
  if (!isTerminal) return undefined
  return env.NO_COLOR ? 'plain' : 'coloured'
}

function streamOf(to: LogOptions['to']): [DestinationStream, () => void] {
  if (typeof to === 'object') return [to, () => {}]
  const stream = pino.destination({ dest: to ?? 2, sync: false, maxLength: WAITING_BYTES_MAX })
  // A log that nobody can read any more ends nothing.
  stream.on('error', () => {})
  return [
    stream,
    () => {
      try {
        stream.flushSync()
      } catch {
        // Not open yet, or not any more.
      }
    },
  ]
}

function prettied(stream: DestinationStream, colours: boolean): DestinationStream {
  return { write: (line) => stream.write(prettyLine(line, colours)) }
}
