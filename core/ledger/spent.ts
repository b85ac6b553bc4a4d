/**
 * Which serials a line of epochs has spent, and on whom (sec:C5): kept beyond the member's removal, so that
 * an invitation admits one member and not one after the other. It follows one member's own line; a member
 * that joins later begins with the roster that it finds.
 */
import { hex, unhex } from '../ids.ts'
import type { Identity } from './certificate.ts'
import type { Lineage } from './standing.ts'

/**
 * Entries kept: as many as one issuer's Grants, twice. Beyond, the oldest are forgotten; their Grants have
 * mostly ended by then. Guess.
 */
const SPENT_MAX = 8_192

interface Entry {
  readonly serial: string
  readonly member: string
  readonly epoch: number
}

export class SpentSerials implements Lineage {
  /** By serial and member, earliest first. */
  readonly #entries = new Map<string, Entry>()

  get size(): number {
    return this.#entries.size
  }

  /** The member was added under its serial by the commit that led to this epoch; the first time counts. */
  spend({ serial, memberKey }: Identity, epoch: number): void {
    const entry = { serial: hex(serial), member: hex(memberKey), epoch }
    const name = nameOf(entry.serial, entry.member)
    if (this.#entries.has(name)) return
    if (this.#entries.size >= SPENT_MAX) {
      const oldest = this.#entries.keys().next().value
      if (oldest !== undefined) this.#entries.delete(oldest)
    }
    this.#entries.set(name, entry)
  }

  /** Takes back what came after this epoch: the line went on from there by another child. */
  rewind(epoch: number): void {
    for (const [name, entry] of this.#entries) if (entry.epoch > epoch) this.#entries.delete(name)
  }

  /** Forgets serials that the ledger has dropped. */
  forget(isKnown: (serial: Uint8Array) => boolean): void {
    const gone = [...this.#entries.values()].filter((entry) => !isKnown(unhex(entry.serial)))
    for (const entry of gone) this.#entries.delete(nameOf(entry.serial, entry.member))
  }

  joined(serial: Uint8Array, member: Uint8Array): number | undefined {
    return this.#entries.get(nameOf(hex(serial), hex(member)))?.epoch
  }
}

function nameOf(serial: string, member: string): string {
  return `${serial}/${member}`
}
