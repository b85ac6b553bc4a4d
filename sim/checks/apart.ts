/**
 * For how long members of a VLAN are in more than one epoch. While the network is cut that is as it must be,
 * and how soon they are together again after it is another question (`Groups.oneSince`); at any other time it
 * is a change that takes its time. Members without an epoch are still coming in and count as nowhere.
 */
import type { Micros } from '../../core/io.ts'

interface Spell {
  readonly since: Micros
  excused: boolean
}

export class Apart {
  /** The longest that was seen to its end, in microseconds. */
  longest: Micros = 0
  readonly #isCut: () => boolean
  /** Epoch of each member that is in one, by VLAN and node. */
  readonly #epochs = new Map<number, Map<number, string>>()
  readonly #spells = new Map<number, Spell>()

  /** `isCut`: whether some members cannot reach others now. */
  constructor(isCut: () => boolean) {
    this.#isCut = isCut
  }

  /** A member is in this epoch now, or in none. */
  moved(now: Micros, vlan: number, node: number, epoch: string | undefined): void {
    const epochs = this.#epochs.get(vlan) ?? new Map<number, string>()
    this.#epochs.set(vlan, epochs)
    if (epoch === undefined) epochs.delete(node)
    else epochs.set(node, epoch)
    this.look(now, vlan)
  }

  /** To be asked from time to time, so that a cut within a spell is seen. */
  look(now: Micros, vlan: number): void {
    const spell = this.#spells.get(vlan)
    const isApart = new Set(this.#epochs.get(vlan)?.values()).size > 1
    if (isApart && spell === undefined) this.#spells.set(vlan, { since: now, excused: this.#isCut() })
    if (spell === undefined) return
    spell.excused ||= this.#isCut()
    if (!spell.excused) this.longest = Math.max(this.longest, now - spell.since)
    if (!isApart) this.#spells.delete(vlan)
  }
}
