/**
 * The state directory as the thread of the core has it: what was stored is read at the start, and the book of
 * VLANs is written. The process that holds the lock (state.ts) is the same, so nobody else writes there.
 */
import { BookFile } from './book-file.ts'
import type { CoreFiles } from './core-seat.ts'
import { recordName } from './records.ts'
import { readBody } from './state-files.ts'

export function coreFiles(directory: string): CoreFiles {
  return {
    book: new BookFile(directory),
    record: (id) => readBody(directory, recordName(id)),
  }
}
