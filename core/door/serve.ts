/**
 * What a sponsor does in one session after the handshake (sec:C4, C5, B11, B12): it takes messages of the
 * caller, asks the group, and answers. Knows the purposes; packets and keys are the session's.
 */
import type { Micros } from '../io.ts'
import type { DoorContext } from './context.ts'
import { KEY_PACKAGES_MAX } from './limits.ts'
import { MergeTalk } from './merge.ts'
import { decodeMessage, encodeMessage, type Message } from './messages.ts'
import { Reconciler } from './reconcile.ts'
import { DOOR_REFUSAL, type DoorRefusal, refusalNumber } from './refusals.ts'
import type { Session } from './session.ts'
import type { SponsorPort } from './sponsor-port.ts'

/** Names of requests, unique within the life of a door. */
export class Numbering {
  #last = 0

  next(): number {
    this.#last += 1
    return this.#last
  }
}

export class Serving {
  readonly session: Session
  /** Ephemeral key of the call, 32 bytes. */
  readonly caller: Uint8Array
  /** In a merge. */
  readonly merge: MergeTalk | undefined
  readonly #context: DoorContext
  readonly #port: SponsorPort
  readonly #ledgers: Reconciler
  /** Numbers of the caller's KeyPackages by request. */
  readonly #requests = new Map<number, number>()
  #keyPackages = 0

  constructor(context: DoorContext, port: SponsorPort, session: Session, caller: Uint8Array) {
    this.#context = context
    this.#port = port
    this.session = session
    this.caller = caller.slice()
    this.#ledgers = new Reconciler(context.crypto.hash, port.ledger, port)
    this.merge = session.purpose === 'merge' ? new MergeTalk(session, port) : undefined
  }

  /** Says what needs no request: the log from `head`, as the call named it. A refusal ends the session. */
  start(now: Micros, head: Uint8Array): DoorRefusal | undefined {
    if (this.session.purpose !== 'catch up') return undefined
    const entries = this.#port.log(now, head)
    const end = this.#port.head()
    if (entries === undefined || end === undefined) return DOOR_REFUSAL.notInLog
    for (const entry of entries) {
      if (!this.session.say(encodeMessage({ kind: 'logEntry', entry }))) return undefined
    }
    // Without its end the caller knows that there is more, and asks again from where it then is.
    this.session.say(encodeMessage({ kind: 'logEnd', head: end }))
    return undefined
  }

  /** Takes all messages that came. `requests` numbers what is asked of the group. A refusal ends the session. */
  take(now: Micros, requests: Numbering): DoorRefusal | undefined {
    for (const bytes of this.session.takeMessages()) {
      const message = decodeMessage(bytes)
      const why = message === undefined ? DOOR_REFUSAL.badMessage : this.#take(now, message, requests)
      if (why !== undefined) return why
    }
    return undefined
  }

  /** The Welcome for requests of this session; true if it was for it. */
  welcome(ids: readonly number[], welcome: Uint8Array): boolean {
    const numbers = ids.map((id) => this.#requests.get(id)).filter((number) => number !== undefined)
    if (numbers.length === 0) return false
    for (const id of ids) this.#requests.delete(id)
    return this.session.say(encodeMessage({ kind: 'welcome', numbers, welcome }))
  }

  notAdded(id: number): boolean {
    const number = this.#requests.get(id)
    if (number === undefined) return false
    this.#requests.delete(id)
    const why = refusalNumber(DOOR_REFUSAL.notAdded)
    return this.session.say(encodeMessage({ kind: 'notAdded', number, why }))
  }

  /** The session has ended. */
  end(): void {
    for (const id of this.#requests.keys()) this.#port.withdrawAdd(id)
    this.#requests.clear()
  }

  #take(now: Micros, message: Message, requests: Numbering): DoorRefusal | undefined {
    switch (message.kind) {
      case 'ledger': {
        const answers = this.#ledgers.take(now, message.payload, 'sponsor')
        if (answers === undefined || !this.session.say(...answers)) return DOOR_REFUSAL.badMessage
        return undefined
      }
      case 'keyPackage':
        return this.#requestAdd(now, message.number, message.keyPackage, requests.next())
      case 'lineage':
      case 'evidence':
        return this.merge === undefined ? DOOR_REFUSAL.badMessage : this.merge.take(now, message)
      case 'welcome':
      case 'notAdded':
        return this.#mergeAnswer(now, message)
      case 'logEntry':
      case 'logEnd':
        return DOOR_REFUSAL.badMessage
    }
  }

  /** Answers to KeyPackages that this end offered in a merge. */
  #mergeAnswer(
    now: Micros,
    message: Extract<Message, { kind: 'welcome' | 'notAdded' }>,
  ): DoorRefusal | undefined {
    if (this.merge?.hasMet !== true) return DOOR_REFUSAL.badMessage
    if (message.kind === 'welcome') this.#port.welcomed(now, message.numbers, message.welcome)
    else this.#port.notAdded(now, message.number)
    return undefined
  }

  #requestAdd(now: Micros, number: number, keyPackage: Uint8Array, id: number): DoorRefusal | undefined {
    const { purpose, member } = this.session
    const isFold = this.merge !== undefined
    if (purpose === 'catch up' || (isFold && !this.merge.hasMet)) return DOOR_REFUSAL.badMessage
    this.#keyPackages += 1
    if (this.#keyPackages > (isFold ? KEY_PACKAGES_MAX : 1)) return DOOR_REFUSAL.badMessage
    this.#requests.set(id, number)
    const request = { id, member: isFold ? undefined : member, purpose, keyPackage }
    const why = this.#port.requestAdd(now, request)
    if (why === undefined) return undefined
    this.#requests.delete(id)
    this.#context.tally.add(why)
    return isFold ? undefined : why
  }
}
