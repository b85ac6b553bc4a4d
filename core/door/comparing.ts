/**
 * A group that passed all checks of facts, until its salt is compared with cards of other members (sec:C6).
 * Knows who spoke, and for how long to wait; not how cards are sealed.
 *
 * Cards of the sponsor and of whoever made the Welcome count only if nobody else speaks in time: they could
 * be one liar. Where nobody else is there, or nobody else is online, their word is all there is.
 */

import type { Hash } from '../crypto/ports.ts'
import { hex, saltId, sameBytes } from '../ids.ts'
import type { Micros } from '../io.ts'
import type { RosterFacts, StateName } from '../mls/engine.ts'
import { CARD_WITHIN, CARDS_COMPARED } from './limits.ts'
import { DOOR_REFUSAL, type DoorRefusal } from './refusals.ts'
import type { Salts } from './salts.ts'

const MEMBER_KEY_BYTES = 32

/** What a joiner was let into. */
export interface Entered {
  readonly state: StateName
  readonly epoch: RosterFacts
  readonly salts: Salts
  /** Member key of who answered at the door. */
  readonly sponsor: Uint8Array
  /** Leaf index of who made the Welcome. */
  readonly signer: number
}

export class Comparing {
  readonly entered: Entered
  readonly until: Micros
  readonly #saltId: Uint8Array
  readonly #interested = new Set<string>()
  readonly #others = new Set<string>()
  readonly #agreed = new Set<string>()

  constructor(now: Micros, hash: Hash, entered: Entered) {
    this.entered = entered
    this.until = now + CARD_WITHIN
    this.#saltId = saltId(hash, entered.salts.current)
    this.#interested.add(hex(entered.sponsor))
    for (const { leaf, credential } of entered.epoch.roster) {
      const member = hex(credential.subarray(0, MEMBER_KEY_BYTES))
      if (leaf === entered.signer) this.#interested.add(member)
      if (leaf !== entered.epoch.ownLeaf) this.#others.add(member)
    }
  }

  /** A card of a member in the epoch that was joined. A refusal if it names another salt. */
  card(member: Uint8Array, salt: Uint8Array): DoorRefusal | undefined {
    if (!this.#others.has(hex(member))) return undefined
    if (!sameBytes(salt, this.#saltId)) return DOOR_REFUSAL.wrongSalt
    this.#agreed.add(hex(member))
    return undefined
  }

  /** Whether enough members agree, or it is time and any does. */
  isGood(now: Micros): boolean {
    let independent = 0
    for (const member of this.#others) if (!this.#interested.has(member)) independent += 1
    let agreeing = 0
    for (const member of this.#agreed) if (!this.#interested.has(member)) agreeing += 1
    const needed = Math.min(CARDS_COMPARED, independent)
    if (needed > 0 && agreeing >= needed) return true
    return this.#agreed.size > 0 && (needed === 0 || now >= this.until)
  }
}
