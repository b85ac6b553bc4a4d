/** The file of the book of VLANs in a state directory, as it is read at the start. */
import type { PortId } from '../../core/io.ts'
import { recordOf } from '../../core/member/records.ts'
import { recordIds } from './records.ts'
import { readBody, VLANS_FILE } from './state-files.ts'
import type { Book } from './vlan-book.ts'
import { decodeBook } from './vlan-book-read.ts'

/** Ports count from here. */
const FIRST_PORT = 1

export class BookFile {
  readonly #directory: string
  /** As it was checked at the start; the node goes on with that, once. */
  #checked: { readonly book: Book | undefined } | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  /** As it was written; a UsageError that says what mends it if it cannot be read. */
  read(): Book | undefined {
    return readBody(this.#directory, VLANS_FILE, (body) => {
      const decoded = decodeBook(body)
      return decoded.ok ? { ok: true, value: decoded.book } : decoded
    })
  }

  /** Reads it for `load`, which then need not. */
  check(): Book | undefined {
    this.#checked = { book: this.read() }
    return this.#checked.book
  }

  /** What a node goes on with: an empty book where there was none. */
  load(): Book {
    const { book } = this.#checked ?? { book: this.read() }
    this.#checked = undefined
    // Records of a book that was lost keep their ports: a new VLAN must not find another's group there.
    const last = recordIds(this.#directory).at(-1)
    let nextPort = book?.nextPort ?? FIRST_PORT
    while (last !== undefined && recordOf(nextPort as PortId, 'head') <= last) nextPort += 1
    const { vlans = [], firstPort = nextPort, redeemed = [] } = book ?? {}
    return { vlans, nextPort, firstPort, redeemed }
  }
}
