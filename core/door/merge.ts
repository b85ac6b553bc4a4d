/**
 * The meeting of two branches' ambassadors in a door session, the same at both ends but for who begins
 * (sec:B11): ledgers, then lineages, then what each has to show for itself, then KeyPackages of the losing
 * branch and Welcomes back. What follows from it is the group's to decide.
 *
 *     caller    ledger … settled | lineage |          | evidence | keyPackage or welcome …
 *     sponsor   ledger …         |         | lineage  | evidence | keyPackage or welcome …
 */
import { hex } from '../ids.ts'
import { MILLISECOND, type Micros, NEVER } from '../io.ts'
import { LINEAGE_MAX } from './limits.ts'
import { type Evidence, encodeMessage, type Message } from './messages.ts'
import { DOOR_REFUSAL, type DoorRefusal } from './refusals.ts'
import type { Session } from './session.ts'
import type { SponsorPort } from './sponsor-port.ts'

/** How often the group is asked whether its branch is clean; it takes a commit, so about a second. Guess. */
const ASK_AGAIN: Micros = 200 * MILLISECOND

export class MergeTalk {
  readonly #session: Session
  readonly #port: SponsorPort
  /** Undefined while the lineages are not exchanged. */
  #fork: { readonly parent: Uint8Array | undefined } | undefined
  #saidLineage = false
  #own: Evidence | undefined
  #theirs: Evidence | undefined
  #met = false
  #askAt: Micros = NEVER

  constructor(session: Session, port: SponsorPort) {
    this.#session = session
    this.#port = port
  }

  get hasMet(): boolean {
    return this.#met
  }

  /** The caller's ledgers are settled: says its lineage. */
  begin(): void {
    if (this.#saidLineage) return
    this.#saidLineage = true
    const ids = this.#port.lineageIds().slice(0, LINEAGE_MAX)
    this.#session.say(encodeMessage({ kind: 'lineage', ids }))
  }

  /** Takes a lineage or evidence; a refusal for what has no place here. */
  take(now: Micros, message: Extract<Message, { kind: 'lineage' | 'evidence' }>): DoorRefusal | undefined {
    if (message.kind === 'lineage') {
      if (this.#fork !== undefined) return DOOR_REFUSAL.badMessage
      const theirs = new Set(message.ids.map(hex))
      const parent = this.#port.lineageIds().find((id) => theirs.has(hex(id)))
      this.#fork = { parent }
      this.begin()
    } else {
      if (this.#fork === undefined || this.#theirs !== undefined) return DOOR_REFUSAL.badMessage
      this.#theirs = message.evidence
    }
    this.wake(now)
    return undefined
  }

  /** Offers a KeyPackage of a member of this branch; false if the session's line is full. */
  offer(number: number, keyPackage: Uint8Array): boolean {
    return this.#met && this.#session.say(encodeMessage({ kind: 'keyPackage', number, keyPackage }))
  }

  wake(now: Micros): void {
    this.#askAt = NEVER
    if (this.#fork === undefined || this.#met) return
    if (this.#own === undefined) {
      this.#own = this.#port.evidence(now, this.#fork.parent)
      if (this.#own === undefined) {
        this.#askAt = now + ASK_AGAIN
        return
      }
      this.#session.say(encodeMessage({ kind: 'evidence', evidence: this.#own }))
    }
    if (this.#theirs === undefined) return
    this.#met = true
    const { parent } = this.#fork
    this.#port.met(now, { with: this.#session.member, parent, own: this.#own, theirs: this.#theirs })
  }

  nextDeadline(): Micros {
    return this.#askAt
  }
}
