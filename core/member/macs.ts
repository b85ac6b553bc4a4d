/**
 * Which MACs a port may use in its VLAN (sec:S7): those of machines behind it are said in its cards, one that
 * another member has is not served, and the owner hears of it. Knows claims; frames are the port's.
 */
import { hex, type Mac } from '../ids.ts'
import { MILLISECOND, type Micros, type NodeEvent, type PortId } from '../io.ts'
import type { SealEvent } from '../seal/context.ts'
import type { Sealer } from '../seal/sealer.ts'
import type { Port } from '../vlan/port.ts'
import type { Books } from './books.ts'

/** The last card of a burst comes a second after it began. */
const INTRODUCE_EVERY: Micros = 900 * MILLISECOND
/** As many as there may be machines behind a port (mesh:S4). */
const DENIED_MAX = 1_024
const NO_KEY = new Uint8Array(0)

type Conflict = Extract<SealEvent, { kind: 'macConflict' }>

export class Macs {
  readonly #id: PortId
  readonly #note: (event: NodeEvent) => void
  #introducedAt: Micros = -INTRODUCE_EVERY
  /** What a machine behind the port uses and another member has: each told once. */
  readonly #denied = new Set<Mac>()

  constructor(id: PortId, note: (event: NodeEvent) => void) {
    this.#id = id
    this.#note = note
  }

  /** Not if another member's card says that the MAC is its own, or behind it. */
  mayServe(now: Micros, mac: Mac, sealer: Sealer, books: Books): boolean {
    const { directory } = sealer
    if (!directory.isClaimed(now, mac)) {
      this.#denied.delete(mac)
      return true
    }
    if (!this.#denied.has(mac) && this.#denied.size < DENIED_MAX) {
      this.#denied.add(mac)
      this.#tell(mac, false, books.memberAt(directory.holder(now, mac)))
    }
    return false
  }

  /** The machines behind the port are these now: others are to know soon. */
  stations(now: Micros, macs: readonly Mac[], sealer: Sealer): void {
    sealer.setProfile({ ...sealer.profile, foreign: macs })
    // A burst that is under way says it all.
    if (now < this.#introducedAt + INTRODUCE_EVERY) return
    this.#introducedAt = now
    sealer.sayCard(now)
  }

  /** Two members claim a MAC: whoever is to yield does, and those two are told. */
  conflict(now: Micros, { mac, holder, claimant }: Conflict, own: Mac, books: Books, port: Port): void {
    const { ownLeaf } = books
    if (ownLeaf !== holder && ownLeaf !== claimant) return
    const kept = ownLeaf === holder
    if (!kept && this.#denied.size < DENIED_MAX) this.#denied.add(mac)
    // A MAC of its own is settled by drawing another one.
    if (mac !== own && !kept) port.yield(now, mac)
    this.#tell(mac, kept, books.memberAt(kept ? claimant : holder))
  }

  #tell(mac: Mac, kept: boolean, other: Uint8Array | undefined): void {
    this.#note({ kind: 'macConflict', port: this.#id, mac, kept, other: hex(other ?? NO_KEY) })
  }
}
