/**
 * The state directory as the thread of the core has it: what was stored is read, at the start and where a
 * verb asks for it, and the book of VLANs is written. The process that holds the lock (state.ts) is the same,
 * so nobody else writes there.
 */
import { BookKeeper } from './book-keeper.ts'
import type { CoreFiles } from './core-seat.ts'
import { recordName } from './records.ts'
import { readBody } from './state-files.ts'
import type { Book } from './vlan-book.ts'

export function coreFiles(directory: string, book: Book): CoreFiles {
  return {
    book: new BookKeeper(directory, book),
    record: (id) => readBody(directory, recordName(id)),
  }
}
