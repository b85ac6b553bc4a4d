/** What cannot be done while something is in the way, and can once that is gone: nothing given was wrong. */
import { UsageError } from '../core/errors.ts'

/** Whoever manages services tries again; after any other mistake of the user it need not. */
export class NotNow extends UsageError {}
