/**
 * How the program ends: its exit codes, and what it says when something goes wrong.
 */
import { UsageError } from '../../core/errors.ts'
import { NoNode } from '../control/client.ts'
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
    failed: 'refused, not done in time, or not as it should be; it is said what',
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

/** Says on stderr what went wrong and returns the code to exit with. No stack for mistakes of the user. */
export function reportError(error: unknown): ExitCode {
  if (error instanceof UsageError) {
    console.error(error.message)
    return EXIT.usage
  }
  if (error instanceof NoNode) {
    console.error(error.message)
    return EXIT.noNode
  }
  const system = `PeerTap ${version()}, Node ${process.version}, ${process.platform} ${process.arch}`
  const repeat = error instanceof InternalFailure ? error.repeat : undefined
  const what = error instanceof InternalFailure ? error.message : error instanceof Error ? error.stack : error
  console.error(`This is a fault of PeerTap itself:\n${what}\n`)
  if (repeat !== undefined) console.error(`Repeat it with: ${repeat}`)
  console.error(`Please report it with all of the above and with: ${system}`)
  return EXIT.internal
}
