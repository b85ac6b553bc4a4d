/**
 * How the program ends: its exit codes, and what it says when something goes wrong.
 */
import { UsageError } from '../../core/errors.ts'
import { NoNode } from '../control/client.ts'
import { REFUSAL } from '../control/outcome.ts'
import { NotNow } from '../not-now.ts'
import { version } from '../program.ts'
import type { Failure } from '../sim/failure.ts'

/** Documented in --help; scripts depend on them. */
export const EXIT = {
  /** Everything asked for was done, and all bounds hold. */
  ok: 0,
  /** A bound failed, a violation was seen, or two runs differ. */
  failed: 1,
  /** The user's mistake: scenario, flag, file, or (said by the launcher) the installation. */
  usage: 2,
  /** A fault of PeerTap itself. */
  internal: 3,
  /** No node runs here that could be asked. */
  noNode: 4,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** What they mean for the verbs of nodes, and for those of the simulator. */
const MEANINGS = {
  node: {
    ok: 'done',
    failed: 'refused, not done in time, not to be had now, or not as it should be; it is said what',
    usage: 'a mistake in a flag, the configuration or a file, or there is no Node that runs this',
  },
  sim: {
    ok: 'done, and all bounds hold',
    failed: 'a bound failed, what never must be happened, something was refused, or runs differ',
    usage: 'a mistake in a scenario, a flag or a file, or there is no Node that runs this',
  },
} as const

/** The exit codes of verbs that begin with this word, or of all, as their help shows them. */
export function exitHelp(word?: string): string {
  const { ok, failed, usage } = word === undefined || word === 'sim' ? MEANINGS.sim : MEANINGS.node
  const lines = [
    'Exit codes:',
    `  ${EXIT.ok}  ${ok}`,
    `  ${EXIT.failed}  ${failed}`,
    `  ${EXIT.usage}  ${usage}`,
    `  ${EXIT.internal}  a fault of PeerTap itself`,
  ]
  if (word !== 'sim') lines.push(`  ${EXIT.noNode}  no node runs here that could be asked`)
  return lines.join('\n')
}

/** A fault of ours, with the command that shows it again. */
class InternalFailure extends Error {
  override readonly name = 'InternalFailure'
  readonly repeat: string

  constructor(failure: Failure, repeat: string) {
    super(failure.stack || failure.message)
    this.repeat = repeat
  }
}

/** A failure in another thread or process becomes an error of this one. */
export function errorOf(failure: Failure, repeat: string): Error {
  return failure.usage ? new UsageError(failure.message) : new InternalFailure(failure, repeat)
}

/** The code of an error. */
function exitOf(error: unknown): ExitCode {
  if (error instanceof NotNow) return EXIT.failed
  if (error instanceof UsageError) return EXIT.usage
  return error instanceof NoNode ? EXIT.noNode : EXIT.internal
}

/** What an error is called under `--json`, by the exit code that it ends with. */
const ERROR_CODES = {
  [EXIT.ok]: 'internal',
  [EXIT.failed]: REFUSAL.notNow,
  [EXIT.usage]: 'usage',
  [EXIT.noNode]: 'noNode',
  [EXIT.internal]: 'internal',
} as const satisfies Record<ExitCode, string>

/**
 * Says what went wrong and returns the code to exit with. No stack for mistakes of the user. To people on
 * stderr; `asJson`: to programs, as one object on stdout, where they look for the answer.
 */
export function reportError(error: unknown, asJson = false): ExitCode {
  const code = exitOf(error)
  const message = error instanceof Error ? error.message : String(error)
  const fault = code === EXIT.internal ? faultOf(error) : undefined
  if (asJson) console.log(errorJson(ERROR_CODES[code], fault?.summary ?? message, fault?.report))
  else if (fault === undefined) console.error(message)
  else {
    const { stack, repeat, system } = fault.report
    console.error(`This is a fault of PeerTap itself:\n${stack}\n`)
    if (repeat !== undefined) console.error(`Repeat it with: ${repeat}`)
    console.error(`Please report it with all of the above and with: ${system}`)
  }
  return code
}

/** A failure as programs get it: a code that stays what it is, and a sentence for people. */
export function errorJson(code: string, message: string, more: object = {}): string {
  return JSON.stringify({ error: { code, message, ...more } })
}

/** In a line, and all that whoever mends it needs to know. */
function faultOf(error: unknown) {
  const isError = error instanceof Error
  const stack = error instanceof InternalFailure ? error.message : String(isError ? error.stack : error)
  const repeat = error instanceof InternalFailure ? error.repeat : undefined
  const system = `PeerTap ${version()}, Node ${process.version}, ${process.platform} ${process.arch}`
  return { summary: stack.split('\n')[0] as string, report: { stack, repeat, system } }
}
