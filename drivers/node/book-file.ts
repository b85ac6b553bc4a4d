/** The file of the book of VLANs in a state directory: read and written whole, by whoever holds the lock. */
import { join } from 'node:path'
import type { PortId } from '../../core/io.ts'
import { recordOf } from '../../core/member/memberships.ts'
import type { Kept, VlanBook } from '../control/node.ts'
import { writeDurable } from './durable.ts'
import { enclose } from './envelope.ts'
import { recordIds } from './records.ts'
import { ownerOf, readBody, systemMistake, VLANS_FILE } from './state-files.ts'
import { type Book, decodeBook, encodeBook } from './vlan-book.ts'

/** Ports count from here. */
const FIRST_PORT = 1

export class BookFile implements VlanBook {
  readonly #directory: string

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

  load(): Book {
    const book = this.read()
    // Records of a book that was lost keep their ports: a new VLAN must not find another's group there.
    const last = recordIds(this.#directory).at(-1)
    let nextPort = book?.nextPort ?? FIRST_PORT
    while (last !== undefined && recordOf(nextPort as PortId, 'head') <= last) nextPort += 1
    return { vlans: book?.vlans ?? [], nextPort, firstPort: book?.firstPort ?? nextPort }
  }

  save(kept: Kept): void {
    const path = join(this.#directory, VLANS_FILE)
    try {
      const { firstPort } = this.load()
      writeDurable(path, enclose(VLANS_FILE, encodeBook({ ...kept, firstPort })), ownerOf(this.#directory))
    } catch (error) {
      throw systemMistake(path, error)
    }
  }
}
