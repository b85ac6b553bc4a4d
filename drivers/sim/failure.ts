/** What went wrong in another thread or process: errors themselves lose their class on the way. */
import { UsageError } from '../../core/errors.ts'

export interface Failure {
  /** The user's mistake, not ours. */
  readonly usage: boolean
  readonly message: string
  readonly stack: string
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { usage: false, message: String(error), stack: '' }
  return { usage: error instanceof UsageError, message: error.message, stack: error.stack ?? '' }
}
