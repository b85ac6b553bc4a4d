/** Keeps the book of VLANs: written whole, by the thread of the core of the process that holds the lock. */
import { join } from 'node:path'
import type { Kept, VlanBook } from '../control/node.ts'
import { writeDurable } from './durable.ts'
import { enclose } from './envelope.ts'
import { ownerOf, systemMistake, VLANS_FILE } from './state-files.ts'
import { type Book, encodeBook } from './vlan-book.ts'

export class BookKeeper implements VlanBook {
  readonly #directory: string
  #book: Book

  /** `book`: as it was read. */
  constructor(directory: string, book: Book) {
    this.#directory = directory
    this.#book = book
  }

  load(): Kept {
    return this.#book
  }

  save(kept: Kept): void {
    const path = join(this.#directory, VLANS_FILE)
    const book = { ...kept, firstPort: this.#book.firstPort }
    try {
      writeDurable(path, enclose(VLANS_FILE, encodeBook(book)), ownerOf(this.#directory))
    } catch (error) {
      throw systemMistake(path, error)
    }
    this.#book = book
  }
}
